import os

import pytest

from novadesk.audio.framing import HEADER, decode_report, payload_bytes
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
