"""Many clients of a WebSocket in one thread: each sends a frame of 32 ms in real time and waits for its echo.

Plain sockets and a poll, no library: what a client costs would else be most of what is measured.
"""

import base64
import heapq
import json
import math
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from benchmarks.gateway_echo import MARK
from novadesk.protocol.envelope import pack_audio

FRAME_S = 0.032
_FILL = b"\x01\x00" * 508
_TEXT, _BINARY = 0x81, 0x82
_ACK_EVERY = 8
_LATE_S = 1.0
_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """From a frame's sending to its echo.

    Attributes:
        frames: sent while it was measured.
        lost: of them, those whose echo did not come within a second.
        seconds: of the others, in order of size.
        busy: share of its core that the load itself took.
        served: share of its core that the server took.
    """

    frames: int
    lost: int
    seconds: list[float] = field(repr=False)
    busy: float
    served: float

    def quantile(self, share: float) -> float:
        """Return seconds by the nearest rank; what is lost took for ever."""
        rank = max(1, math.ceil(share * self.frames))
        return self.seconds[rank - 1] if rank <= len(self.seconds) else math.inf


class Line:
    """One client's connection.

    Args:
        url: where to.
        token: of whose session; empty where there are no sessions.
    """

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.socket = socket.create_connection((parts.hostname, parts.port or 80), timeout=_PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at: list[float] = []
        self._buffer = bytearray()
        self._sounds = 0
        self._shake_hands(parts.netloc, parts.path, token)
        if token:
            self._create()
        self.socket.setblocking(False)

    def send(self, now: float) -> None:
        """Send the next frame."""
        number = len(self.sent_at)
        self.sent_at.append(now)
        self._put(_BINARY, pack_audio(number + 1, MARK + struct.pack("<I", number) + _FILL))

    def read(self) -> Iterator[int]:
        """Take what has come; yield the numbers of the frames that are echoed."""
        try:
            self._buffer += self.socket.recv(1 << 18) or _ended()
        except BlockingIOError:
            return
        for opcode, payload in self._messages():
            if opcode == _BINARY and payload[4:8] == MARK:
                self._sounds += 1
                if self._sounds % _ACK_EVERY == 0:
                    self._say({"type": "ack", "sequence": int.from_bytes(payload[:4], "big")})
                yield int.from_bytes(payload[8:12], "little")

    def end(self) -> None:
        """End the session, if there is one, and the connection."""
        self.socket.settimeout(_PATIENCE_S)
        self._say({"type": "endSession"})
        self._put(0x88, struct.pack(">H", 1000))

    def close(self) -> None:
        """Hang up, once the other side has."""
        while self.socket.recv(1 << 18):
            pass
        self.socket.close()

    def _shake_hands(self, host: str, path: str, token: str) -> None:
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            *([f"Authorization: Bearer {token}"] if token else []),
        ]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self.socket.recv(4_096) or _ended()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if b" 101 " not in head.splitlines()[0]:
            raise ConnectionError(head.splitlines()[0].decode())
        self._buffer = bytearray(rest)

    def _create(self) -> None:
        self._say({"type": "createSession"})
        while True:
            for opcode, payload in self._messages():
                if opcode == _TEXT:
                    answer = json.loads(payload)
                    if answer["type"] != "sessionCreated":
                        raise ConnectionError(str(answer))
                    return
            self._buffer += self.socket.recv(4_096) or _ended()

    def _say(self, message: dict[str, object]) -> None:
        self._put(_TEXT, json.dumps(message).encode())

    def _put(self, opcode: int, payload: bytes) -> None:
        """Send a message, masked with zeros, which spares the masking."""
        size = len(payload)
        head = struct.pack(">BBH", opcode, 0x80 | 126, size) if size > 125 else struct.pack(">BB", opcode, 0x80 | size)
        self.socket.send(head + bytes(4) + payload)

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            size, begin = buffer[at + 1], at + 2
            if size == 126:
                size, begin = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, begin = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if len(buffer) < begin + size:
                break
            opcode, payload = buffer[at], bytes(buffer[begin : begin + size])
            at = begin + size
            if opcode in (_TEXT, _BINARY):
                yield opcode, payload
        del buffer[:at]


def drive(lines: list[Line], served_s: Callable[[], float], *, apart_s: float, warm_s: float, over_s: float) -> Delays:
    """Let all lines talk, each begun a little after the one before; measure once they have become warm.

    Args:
        lines: connected.
        served_s: returns the processor time that the server has taken.
        apart_s: between two begins.
        warm_s: from the last begin until it is measured.
        over_s: how long it is measured.
    """
    begun = time.monotonic()
    measure_at = begun + apart_s * len(lines) + warm_s
    until = measure_at + over_s
    due = [(begun + apart_s * at + FRAME_S * at / len(lines), at) for at in range(len(lines))]
    heapq.heapify(due)
    seconds: list[float] = []
    marks: list[tuple[float, float]] = []
    by_file = {line.socket.fileno(): line for line in lines}
    with select.epoll() as poll:
        for number in by_file:
            poll.register(number, select.EPOLLIN)
        while (now := time.monotonic()) < until + _LATE_S:
            if now >= (measure_at, until, math.inf)[len(marks)]:
                marks.append((time.process_time(), served_s()))
            while due[0][0] <= now < until:
                at_s, at = due[0]
                lines[at].send(time.monotonic())
                heapq.heapreplace(due, (at_s + FRAME_S, at))
            wait_s = max(0.0, min(due[0][0] - time.monotonic(), 0.05)) if now < until else 0.05
            for file, _ in poll.poll(wait_s):
                line = by_file[file]
                arrived = ((line.sent_at[number], time.monotonic()) for number in line.read())
                seconds.extend(now - sent_at for sent_at, now in arrived if measure_at <= sent_at < until)
    frames = sum(measure_at <= at < until for line in lines for at in line.sent_at)
    seconds = sorted(one for one in seconds if one < _LATE_S)
    busy, served = ((after - before) / over_s for before, after in zip(*marks, strict=True))
    return Delays(frames=frames, lost=frames - len(seconds), seconds=seconds, busy=busy, served=served)


def hang_up(lines: list[Line]) -> None:
    """End them all."""
    for line in lines:
        line.end()
    for line in lines:
        line.close()


def _ended() -> bytes:
    raise ConnectionError("the server has hung up")
