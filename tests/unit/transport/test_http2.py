"""One exchange against a peer that is written frame by frame, on a real socket."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from novadesk.errors import Reason
from novadesk.transport.dial import Wire
from novadesk.transport.http2 import Exchange, Fault, Timing
from tests.support.virtual_loop import VirtualLoop, run_virtually

QUICK = Timing(response_s=2.0, ping_every_s=30.0, ping_answer_s=30.0)
WAIT_S = 60.0


class Body:
    """A request's body that is written to as it goes, as the SDK's is."""

    def __init__(self) -> None:
        self.parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        part = await self.parts.get()
        if part is None:
            raise StopAsyncIteration
        return part

    async def close(self, flush: bool = True) -> None:
        assert not flush
        self.closed.set()


@dataclass
class Peer:
    """The server's side: `h2` and the bare socket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    machine: h2.connection.H2Connection = field(
        default_factory=lambda: h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    )
    events: list[h2.events.Event] = field(default_factory=list)

    def begin(self, **settings: int) -> None:
        codes = {h2.settings.SettingCodes[name.upper()]: value for name, value in settings.items()}
        self.machine.local_settings = h2.settings.Settings(client=False, initial_values=codes)
        self.machine.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.machine.data_to_send())

    async def until(self, kind: type[h2.events.Event]) -> Any:
        async with asyncio.timeout(WAIT_S):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        self.events.remove(event)
                        return event
                data = await self.reader.read(65_536)
                assert data, "the client closed"
                self.events += self.machine.receive_data(data)
                self.flush()

    def respond(self, *, end: bool = False) -> None:
        self.machine.send_headers(1, [(":status", "200"), ("x-one", "1")], end_stream=end)
        self.flush()


@dataclass
class Pair:
    exchange: Exchange
    peer: Peer
    body: Body


@contextlib.asynccontextmanager
async def pair(timing: Timing = QUICK, begin: Callable[[Peer], None] = Peer.begin) -> AsyncIterator[Pair]:
    ours, theirs = socket.socketpair()
    wire = Wire(*await asyncio.open_connection(sock=ours))
    peer = Peer(*await asyncio.open_connection(sock=theirs))
    exchange, body = Exchange(wire, timing), Body()
    begin(peer)
    exchange.request("POST", "https", "host", "/path", [("x-two", "2")], body)
    try:
        yield Pair(exchange, peer, body)
    finally:
        async with asyncio.timeout(WAIT_S):
            await exchange.close()
            await exchange.close()
        peer.writer.transport.abort()


async def failure_of(exchange: Exchange) -> Fault:
    async def read() -> None:
        while await exchange.chunk() is not None:
            pass

    with pytest.raises(Fault) as caught:
        await asyncio.wait_for(read(), WAIT_S)
    assert exchange.over
    assert exchange.failure is caught.value.known
    return caught.value


async def test_a_body_both_ways_at_once() -> None:
    async with pair() as it:
        request = await it.peer.until(h2.events.RequestReceived)
        assert {(b":path", b"/path"), (b":authority", b"host"), (b"x-two", b"2")} <= set(request.headers)
        it.peer.respond()
        response = await it.exchange.response()
        assert response.status == 200
        assert ("x-one", "1") in response.headers
        for number in range(3):
            await it.body.parts.put(b"up%d" % number)
            assert (await it.peer.until(h2.events.DataReceived)).data == b"up%d" % number
            it.peer.machine.send_data(1, b"down%d" % number, pad_length=7)
            it.peer.flush()
            assert await it.exchange.chunk() == b"down%d" % number
        await it.body.parts.put(None)
        await it.peer.until(h2.events.StreamEnded)
        it.peer.machine.end_stream(1)
        it.peer.flush()
        assert await it.exchange.chunk() is None
        assert it.exchange.over
        assert it.exchange.failure is None
        await it.body.closed.wait()


async def test_what_is_written_at_once_keeps_its_order_and_waits_for_the_window() -> None:
    def narrow(peer: Peer) -> None:
        peer.begin(initial_window_size=100)

    async with pair(begin=narrow) as it:
        assert it.exchange.begun
        await it.peer.until(h2.events.SettingsAcknowledged)
        it.peer.respond()
        writing = [asyncio.create_task(it.exchange.write(bytes([number]) * 80)) for number in range(4)]
        got = b""
        while len(got) < 320:
            event = await it.peer.until(h2.events.DataReceived)
            got += event.data
            assert sum(task.done() for task in writing) <= len(got) // 80
            it.peer.machine.acknowledge_received_data(event.flow_controlled_length, 1)
            it.peer.flush()
        assert got == b"".join(bytes([number]) * 80 for number in range(4))
        await asyncio.gather(*writing)


async def test_who_writes_learns_of_the_break_and_of_the_end() -> None:
    async with pair() as it:
        await it.peer.until(h2.events.RequestReceived)
        it.peer.respond(end=True)
        assert await it.exchange.chunk() is None
        with pytest.raises(OSError, match="ended"):
            await it.exchange.write(b"too late")

    def shut(peer: Peer) -> None:
        peer.begin(initial_window_size=0)

    async with pair(begin=shut) as it:
        await it.peer.until(h2.events.SettingsAcknowledged)
        writing = asyncio.create_task(it.exchange.write(b"no room"))
        await asyncio.sleep(0)
        it.peer.writer.transport.abort()
        with pytest.raises(Fault) as caught:
            await asyncio.wait_for(writing, WAIT_S)
        assert caught.value.known.reason is Reason.LINK_LOST


async def test_a_small_window_and_small_frames_cut_the_body_up() -> None:
    def narrow(peer: Peer) -> None:
        peer.begin(initial_window_size=100)

    async with pair(begin=narrow) as it:
        await it.peer.until(h2.events.SettingsAcknowledged)
        it.peer.respond()
        payload = bytes(range(256)) * 4
        await it.body.parts.put(payload)
        got = b""
        while len(got) < len(payload):
            event = await it.peer.until(h2.events.DataReceived)
            assert len(event.data) <= 100
            got += event.data
            it.peer.machine.acknowledge_received_data(event.flow_controlled_length, 1)
            it.peer.flush()
        assert got == payload


async def test_a_body_that_nobody_reads_fills_the_window_and_no_more() -> None:
    async with pair() as it:
        await it.peer.until(h2.events.RequestReceived)
        it.peer.respond()
        await it.exchange.response()
        await it.peer.until(h2.events.SettingsAcknowledged)
        sent = 0
        while (size := min(16_384, it.peer.machine.local_flow_control_window(1))) > 0:
            it.peer.machine.send_data(1, bytes(size))
            it.peer.flush()
            await it.peer.writer.drain()
            sent += size
        assert sent == 1_048_576
        got = 0
        while got < sent:
            part = await it.exchange.chunk()
            assert part is not None
            got += len(part)
        while it.peer.machine.local_flow_control_window(1) == 0:
            await it.peer.until(h2.events.WindowUpdated)


async def test_what_came_before_the_break_is_read_first() -> None:
    async with pair() as it:
        await it.peer.until(h2.events.RequestReceived)
        it.peer.respond()
        it.peer.machine.send_data(1, b"last words")
        it.peer.flush()
        it.peer.writer.close()
        assert await it.exchange.chunk() == b"last words"
        assert (await failure_of(it.exchange)).known.reason is Reason.LINK_LOST


def send_reset(peer: Peer) -> None:
    peer.machine.reset_stream(1, 0)
    peer.flush()


def send_garbage(peer: Peer) -> None:
    peer.writer.write(b"HTTP/1.1 200 OK\r\n\r\n" * 20)


def send_headers_end(peer: Peer) -> None:
    peer.machine.close_connection(error_code=2, last_stream_id=0)
    peer.flush()


def cut(peer: Peer) -> None:
    peer.writer.transport.abort()


def send_half_a_frame(peer: Peer) -> None:
    peer.writer.write(b"\x00\x00\x10\x00")
    peer.writer.close()


@pytest.mark.parametrize("break_it", [send_reset, send_garbage, send_headers_end, cut, send_half_a_frame])
@pytest.mark.parametrize("after_headers", [False, True])
async def test_every_break_is_an_error(break_it: Callable[[Peer], None], after_headers: bool) -> None:
    async with pair() as it:
        await it.peer.until(h2.events.RequestReceived)
        if after_headers:
            it.peer.respond()
            await it.exchange.response()
        break_it(it.peer)
        if not after_headers:
            with pytest.raises(Fault):
                await it.exchange.response()
        assert (await failure_of(it.exchange)).known.reason is Reason.LINK_LOST
        async with asyncio.timeout(WAIT_S):
            await it.body.closed.wait()


async def test_a_graceful_goaway_changes_nothing() -> None:
    async with pair() as it:
        await it.peer.until(h2.events.RequestReceived)
        it.peer.writer.write(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00")
        it.peer.respond()
        it.peer.machine.send_data(1, b"on", end_stream=True)
        it.peer.flush()
        assert (await it.exchange.response()).status == 200
        assert await it.exchange.chunk() == b"on"
        assert await it.exchange.chunk() is None


async def test_an_informational_response_is_not_the_response() -> None:
    async with pair() as it:
        await it.peer.until(h2.events.RequestReceived)
        it.peer.machine.send_headers(1, [(":status", "103")])
        it.peer.respond()
        assert (await it.exchange.response()).status == 200


async def test_a_server_that_does_not_answer_in_time() -> None:
    async with pair(Timing(response_s=0.1)) as it:
        with pytest.raises(Fault) as caught:
            await it.exchange.response()
        assert caught.value.known.reason is Reason.TIMED_OUT


async def test_silence_is_answered_with_a_ping_and_a_dead_server_is_noticed() -> None:
    async with pair(Timing(ping_every_s=0.05, ping_answer_s=0.2)) as it:
        await it.peer.until(h2.events.RequestReceived)
        it.peer.respond()
        for _ in range(3):
            await it.peer.until(h2.events.PingReceived)
        assert not it.exchange.over
        assert (await failure_of(it.exchange)).known.what.endswith("no sign of life.")


def test_who_slept_asks_once_more_before_the_server_counts_as_dead() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with pair(Timing(ping_every_s=3.0, ping_answer_s=4.0)) as at:
            await at.peer.until(h2.events.RequestReceived)
            at.peer.respond()
            await at.exchange.response()
            loop.call_later(4, loop.stall, 60)  # the server has been asked, and the computer stands still
            await asyncio.sleep(4.5)
            await asyncio.sleep(0.5)
            assert loop.time() >= 64
            assert not at.exchange.over
            await at.peer.until(h2.events.PingReceived)
            await asyncio.sleep(1)
            assert at.exchange.heard_at >= 64
            fault = await failure_of(at.exchange)  # it says nothing any more
            assert fault.known.reason is Reason.LINK_LOST
            assert loop.time() < 90

    run_virtually(work())


async def test_a_server_that_never_reads_cannot_fill_our_memory() -> None:
    async with pair() as it:
        await it.peer.until(h2.events.RequestReceived)
        it.peer.respond()
        ping = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00whatever"
        async with asyncio.timeout(WAIT_S):
            while not it.exchange.over:
                it.peer.writer.write(ping * 1000)
                await it.peer.writer.drain()
                await asyncio.sleep(0)
        assert it.exchange.failure is not None
        assert "does not read" in it.exchange.failure.what


async def test_closing_wakes_everybody() -> None:
    async with pair() as it:
        reading = asyncio.create_task(it.exchange.chunk())
        answering = asyncio.create_task(it.exchange.response())
        await asyncio.sleep(0)
        await it.exchange.close()
        for task in (reading, answering):
            with pytest.raises(Fault):
                await task
        with pytest.raises(Fault):
            it.exchange.request("POST", "https", "host", "/", [], it.body)
