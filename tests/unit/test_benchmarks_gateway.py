"""The gateway's benchmark: how delays are judged, and how its clients read what a server sends in pieces."""

import math
import socket
from typing import Any

import pytest

from benchmarks.gateway_echo import MARK
from benchmarks.gateway_load import Delays, Line
from novadesk.protocol.envelope import pack_audio


def delays(seconds: list[float], lost: int) -> Delays:
    return Delays(frames=len(seconds) + lost, lost=lost, seconds=seconds, busy=0.1, served=0.2)


@pytest.mark.parametrize(
    ("lost", "p50", "p99"), [(0, 0.50, 0.99), (1, 0.50, 0.99), (2, 0.50, math.inf), (70, math.inf, math.inf)]
)
def test_what_is_lost_took_for_ever(lost: int, p50: float, p99: float) -> None:
    judged = delays([one / 100 for one in range(1, 101 - lost)], lost)
    assert judged.quantile(0.5) == p50
    assert judged.quantile(0.99) == p99


def test_an_echo_is_counted_once_it_is_whole_and_nothing_else_is() -> None:
    def frame(opcode: int, payload: bytes) -> bytes:
        head = bytes([opcode, len(payload)]) if len(payload) < 126 else bytes([opcode, 126]) + len(payload).to_bytes(2)
        return head + payload

    line: Any = object.__new__(Line)
    line.socket, there = socket.socketpair()
    line.socket.setblocking(False)
    line._buffer, line._sounds = bytearray(), 0
    echo = frame(0x82, pack_audio(9, MARK + (7).to_bytes(4, "little") + bytes(600)))
    sent = frame(0x81, b'{"type":"audioAck"}') + frame(0x82, pack_audio(8, bytes(8))) + echo + frame(0x89, b"")
    with line.socket, there:
        there.sendall(sent[:-10])
        assert list(line.read()) == []
        there.sendall(sent[-10:])
        assert list(line.read()) == [7]
        assert list(line.read()) == []
