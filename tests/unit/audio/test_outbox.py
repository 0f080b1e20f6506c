import fcntl
import os
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from novadesk.audio.framing import HEADER, decode_report, encode, payload_bytes
from novadesk.audio.outbox import Outbox
from novadesk.audio.wire import Frame, Played, Report


def frame(number: int) -> Frame:
    return Frame(level=0.0, captured_ns=number, pcm=b"")


def read_all(descriptor: int) -> list[Report]:
    reports = []
    with os.fdopen(descriptor, "rb") as stream:
        while header := stream.read(HEADER.size):
            reports.append(decode_report(header, stream.read(payload_bytes(header))))
    return reports


def read_headers(stream: BinaryIO, count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield stream.read(HEADER.size)


def wait_until_open(outbox: Outbox) -> None:
    """Wait until the thread has nothing left to write."""
    while not outbox.open:
        os.sched_yield()


def test_messages_keep_their_order_and_all_arrive_before_the_end() -> None:
    reading, writing = os.pipe()
    outbox = Outbox(writing)
    outbox.start()
    for number in range(50):
        outbox.put(frame(number))
    outbox.end(5.0)
    os.close(writing)
    assert read_all(reading) == [frame(number) for number in range(50)]


def test_an_app_that_does_not_read_loses_the_oldest_frames_and_nothing_else() -> None:
    reading, writing = os.pipe()
    outbox = Outbox(writing, waiting_frames=10)
    played = Played(generation=1, samples=2, level=0.0)
    outbox.put(played)
    for number in range(25):
        outbox.put(frame(number))
    assert outbox.dropped_frames == 15
    outbox.start()
    outbox.end(5.0)
    os.close(writing)
    assert read_all(reading) == [played, *(frame(number) for number in range(15, 25))]


def test_a_reader_that_is_gone_ends_the_writing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    outbox = Outbox(writing)
    outbox.start()
    outbox.put(frame(1))
    outbox.end(5.0)
    os.close(writing)
    assert outbox.dropped_frames == 0


def test_the_messages_of_one_turn_are_written_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[int] = []
    write = os.write

    def watched(descriptor: int, data: bytes) -> int:
        pieces.append(len(data))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", watched)
    reading, writing = os.pipe()
    outbox = Outbox(writing)
    played = Played(generation=1, samples=2, level=0.0)
    for report in (frame(1), frame(2), played):
        outbox.put(report)
    outbox.start()
    outbox.end(5.0)
    os.close(writing)
    assert len(pieces) == 1
    assert read_all(reading) == [frame(1), frame(2), played]
    assert outbox.frame_latencies.percentiles_ms()[1] > 0


def test_what_the_pipe_has_room_for_is_written_where_it_is_made() -> None:
    reading, writing = os.pipe()
    outbox = Outbox(writing)
    outbox.start()
    wait_until_open(outbox)
    os.set_blocking(reading, False)
    with outbox._changed:  # which holds the thread up
        outbox.put(frame(1), frame(2))
        written = os.read(reading, 1 << 16)
    assert len(written) == len(encode(frame(1))) * 2
    outbox.end(5.0)
    os.close(writing)
    os.close(reading)


def test_nothing_is_lost_or_out_of_order_when_the_pipe_is_full_for_a_while() -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    outbox = Outbox(writing)
    outbox.start()
    wait_until_open(outbox)
    frames = [Frame(level=0.0, captured_ns=number, pcm=bytes(1_024)) for number in range(1, 101)]
    for first in range(0, 60, 5):
        outbox.put(*frames[first : first + 5])  # more than the pipe holds: in part
    with os.fdopen(reading, "rb") as stream:
        got = [decode_report(header, stream.read(payload_bytes(header))) for header in read_headers(stream, 60)]
        wait_until_open(outbox)
        outbox.put(frames[60])
        got += [decode_report(header, stream.read(payload_bytes(header))) for header in read_headers(stream, 1)]
        outbox.end(5.0)
        os.close(writing)
    assert got == frames[:61]
