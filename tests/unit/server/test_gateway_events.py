"""A stream of events whose client reads, reads too slowly, or not at all; on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientConnectionResetError

from novadesk.protocol.envelope_server import SessionEnded
from novadesk.server.gateway import events
from novadesk.server.gateway.connection import FLUSH_S
from novadesk.server.gateway.events import EventOutlet
from novadesk.server.gateway.narration import Speech
from novadesk.server.gateway.options import HEARTBEATS
from novadesk.server.gateway.outputlog import Entry
from novadesk.server.gateway.session import Leave
from tests.support.virtual_loop import LoopClock, run_virtually

BEAT_S = 15.0
ENDED = SessionEnded(session_id="session_1795000000000_aaaaaaaaaaaaaaaaaaaaaaaaaa", reason="asked")


class Reader:
    """A connection whose client takes what it is sent, or nothing any more."""

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.reads = True
        self.lost = asyncio.Event()
        self.cuts: list[float] = []

    async def write(self, event: bytes) -> None:
        if not self.reads:
            await self.lost.wait()
        if self.lost.is_set():
            raise ClientConnectionResetError
        self.read.append(event)

    def cut(self) -> None:
        self.cuts.append(LoopClock().now())
        self.lost.set()


type Story = Callable[[Reader, EventOutlet, asyncio.Task[None]], Awaitable[None]]


def _streamed(story: Story) -> Reader:
    async def run() -> Reader:
        reader = Reader()
        outlet = EventOutlet(LoopClock(), reader.cut)
        response: Any = reader
        streaming = asyncio.create_task(outlet.stream(response, BEAT_S))
        await story(reader, outlet, streaming)
        streaming.cancel()
        await asyncio.gather(streaming, return_exceptions=True)
        return reader

    return run_virtually(run())


def _entry(number: int, size_bytes: int = 2) -> Entry:
    return Entry(number, Speech("c", bytes(size_bytes)))


def test_whoever_reads_gets_everything_in_order_signs_of_life_and_the_end() -> None:
    async def story(_: Reader, outlet: EventOutlet, streaming: asyncio.Task[None]) -> None:
        outlet.put(_entry(1))
        outlet.put(_entry(2))
        await asyncio.sleep(BEAT_S * 10.5)
        outlet.put(_entry(3))
        outlet.leave(Leave.ENDED, ENDED)
        await streaming

    reader = _streamed(story)
    first, second, *beats, third, last = reader.read
    assert [event.partition(b"\n")[0] for event in (first, second, third)] == [b"id: 1", b"id: 2", b"id: 3"]
    assert beats == [b": beat\n\n"] * 10
    assert b'"message":"ended","reason":"asked"' in last
    assert reader.cuts == []


def test_whoever_does_not_read_any_more_is_cut_off_in_time() -> None:
    async def story(reader: Reader, outlet: EventOutlet, streaming: asyncio.Task[None]) -> None:
        reader.reads = False
        outlet.put(_entry(1))
        with pytest.raises(ConnectionError):
            await streaming

    assert _streamed(story).cuts == [BEAT_S * HEARTBEATS]


def test_no_more_than_so_much_is_kept_for_whoever_reads_too_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_BYTES", 10_000)

    async def story(reader: Reader, outlet: EventOutlet, streaming: asyncio.Task[None]) -> None:
        reader.reads = False
        for number in range(3):
            outlet.put(_entry(number, 3_000))
            await asyncio.sleep(0)
        assert reader.cuts == []
        outlet.put(_entry(3, 3_000))
        with pytest.raises(ConnectionError):
            await streaming
        outlet.put(_entry(4))
        outlet.leave(Leave.ENDED, ENDED)
        assert not outlet._waiting

    assert _streamed(story).cuts == [0.0]


def test_whoever_has_lost_its_session_and_does_not_read_is_cut_off_soon() -> None:
    async def story(reader: Reader, outlet: EventOutlet, streaming: asyncio.Task[None]) -> None:
        reader.reads = False
        outlet.put(_entry(1))
        await asyncio.sleep(1.0)
        outlet.leave(Leave.TAKEN, ENDED)
        with pytest.raises(ConnectionError):
            await streaming

    assert _streamed(story).cuts == [1.0 + FLUSH_S]
