"""One HTTP/2 exchange with a body both ways at once, on a connection of its own.

The state machine is `h2`; this is its asyncio side. Nothing is lost: whatever ends the exchange before the server's
END_STREAM is an error, raised to the reader and told to the writer. Nothing is read ahead without bound: the
flow-control window goes back to the server only when the body is read.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from novadesk.errors import KnownError, Reason
from novadesk.text import Text
from novadesk.transport.dial import Wire
from novadesk.transport.goaway import Goaway, GoawayFilter

_log = logging.getLogger(__name__)

_READ_BYTES = 65_536
_WINDOW_BYTES = 1_048_576
# Only acknowledgements pile up here when the server does not read: events wait in the body.
_MAX_UNSENT_BYTES = 524_288


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Bounds of one exchange, in seconds.

    Attributes:
        response_s: from the request to the headers of the response.
        ping_every_s: silence of the server after which it is asked for a sign of life.
        ping_answer_s: time that it gets for that.
    """

    response_s: float = 20.0
    ping_every_s: float = 3.0
    ping_answer_s: float = 4.0


@dataclass(frozen=True, slots=True)
class Response:
    """The head of the response; names of headers are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]


class Fault(OSError):
    """What broke the exchange. An `OSError`, so that libraries in between pass it on as one of the network."""

    def __init__(self, known: KnownError) -> None:
        super().__init__(known.what)
        self.known = known


class Exchange:
    """One request and its response. Used once, on one event loop.

    Args:
        wire: the connection; the exchange owns it from now on.
        timing: bounds in time.
    """

    def __init__(self, wire: Wire, timing: Timing) -> None:
        self._wire = wire
        self._timing = timing
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._machine = h2.connection.H2Connection(config)
        self._machine.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: _READ_BYTES,
            },
        )
        self._stream_id = 0
        self._failure: KnownError | None = None
        self._ended = False
        self._response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._received: deque[tuple[bytes, int]] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._writing = asyncio.Lock()
        self._heard_at = asyncio.get_running_loop().time()
        self._body: AsyncIterable[bytes] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closed: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        """Say whether the server's side has ended, in order or not."""
        return self._ended or self._failure is not None

    @property
    def heard_at(self) -> float:
        """Return when the server gave its last sign of life, on the loop's clock."""
        return self._heard_at

    @property
    def failure(self) -> KnownError | None:
        """Return what broke the exchange, or None."""
        return self._failure

    def request(
        self, method: str, scheme: str, authority: str, path: str, headers: Sequence[tuple[str, str]],
        body: AsyncIterable[bytes],
    ) -> None:  # fmt: skip
        """Send the head of the request and begin to send the body as it comes.

        A body with `close(flush=...)` is closed when the exchange is over, which wakes whoever waits to write to it.

        Raises:
            Fault: the exchange is over already.
        """
        if self._failure is not None:
            raise Fault(self._failure)
        self._body = body
        self._machine.initiate_connection()
        self._machine.increment_flow_control_window(_WINDOW_BYTES)
        self._stream_id = self._machine.get_next_available_stream_id()
        head = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *headers]
        self._machine.send_headers(self._stream_id, head)
        self._flush()
        self._tasks = [
            asyncio.create_task(self._guard(self._read_all()), name="http2-read"),
            asyncio.create_task(self._guard(self._write_all(body)), name="http2-write"),
            asyncio.create_task(self._guard(self._watch()), name="http2-ping"),
        ]

    @property
    def begun(self) -> bool:
        """Say whether the head of the request is on its way."""
        return self._stream_id != 0

    async def write(self, part: bytes) -> None:
        """Send a part of the request's body at once, behind what was taken from it so far; in the order of the calls.

        Raises:
            Fault: the exchange broke; likewise any `OSError` when the server has ended it in order.
        """
        async with self._writing:
            await self._guard(self._send(part))
        if self._failure is not None:
            raise Fault(self._failure)
        if self._ended:
            raise OSError("the server has ended the exchange")

    async def response(self) -> Response:
        """Return the head of the response.

        Raises:
            Fault: the exchange broke first, or the server did not answer in time.
        """
        done, _ = await asyncio.wait({self._response}, timeout=self._timing.response_s)
        if not done:
            self._fail(_timed_out(self._timing.response_s))
        return self._response.result()

    async def chunk(self) -> bytes | None:
        """Return the next part of the response's body, or None after its end. Gives the window back.

        Raises:
            Fault: the exchange broke; parts that came before are returned first.
        """
        while not self._received:
            if self._failure is not None:
                raise Fault(self._failure)
            if self._ended:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        data, window_bytes = self._received.popleft()
        self._give_back(window_bytes)
        self._flush()
        return data

    async def close(self, *, patience_s: float = 0.0) -> None:
        """Drop the exchange and its connection. Bounded in time, idempotent, never raises.

        Args:
            patience_s: how long what is unsent may take to go out, and the other side to follow; then it is cut.
        """
        if self._closed is None:
            self._fail(_closed_by_us())
            self._closed = asyncio.create_task(self._tear_down(patience_s), name="http2-close")
        await asyncio.shield(self._closed)

    async def _tear_down(self, patience_s: float) -> None:
        for task in self._tasks[:3]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self._machine.close_connection()
            self._flush()
        await self._wire.drop(patience_s=patience_s)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except h2.exceptions.ProtocolError as error:
            self._fail(_lost(Text("The connection was lost: the server broke the rules of HTTP/2.")), error)
        except OSError as error:
            self._fail(_lost(Text("The connection was lost: the network broke it.")), error)
        except Exception as error:
            _log.exception("An HTTP/2 exchange met a fault of our own.")
            self._fail(_lost(Text("The connection was lost: NovaDesk made a mistake.")), error)

    async def _read_all(self) -> None:
        goaways = GoawayFilter()
        while not self.over:
            data = await self._wire.reader.read(_READ_BYTES)
            if not data:
                self._fail(_lost(Text("The connection was lost: the server closed it.")))
                return
            self._heard_at = asyncio.get_running_loop().time()
            frames, announcements = goaways.feed(data)
            for event in self._machine.receive_data(frames):
                self._take(event)
            self._flush()
            for announcement in announcements:
                self._take_goaway(announcement)

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived(headers=headers):
                pairs = tuple((str(name), str(value)) for name, value in headers or ())
                if not self._response.done():
                    self._response.set_result(Response(int(dict(pairs)[":status"]), pairs))
            case h2.events.DataReceived(data=data, flow_controlled_length=window_bytes):
                if data:
                    self._received.append((data, window_bytes or 0))
                    self._arrived.set()
                else:
                    self._give_back(window_bytes or 0)
            case h2.events.StreamEnded():
                self._end()
            case h2.events.StreamReset(error_code=code):
                self._fail(_lost(Text("The connection was lost: the server reset it, {code}.", code=_name(code))))
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self._room.set()

    def _take_goaway(self, announcement: Goaway) -> None:
        if announcement.last_stream_id < self._stream_id:
            self._fail(
                _lost(Text("The connection was lost: the server went away, {code}.", code=_name(announcement.code)))
            )

    async def _write_all(self, body: AsyncIterable[bytes]) -> None:
        async for part in body:
            await self.write(part)
        if not self.over:
            self._machine.end_stream(self._stream_id)
            self._flush()

    async def _send(self, part: bytes) -> None:
        rest = memoryview(part)
        while rest and not self.over:
            room_bytes = self._machine.local_flow_control_window(self._stream_id)
            size = min(len(rest), room_bytes, self._machine.max_outbound_frame_size)
            if size <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            self._machine.send_data(self._stream_id, bytes(rest[:size]))
            rest = rest[size:]
            self._flush()
            await self._wire.writer.drain()

    async def _watch(self) -> None:
        """Notice a server that is gone without a word: a half-open connection reads as silence.

        Whoever slept through the time for the answer, as a process that got no processor, asks once more.
        """
        loop, answer_s = asyncio.get_running_loop(), self._timing.ping_answer_s
        while not self.over:
            heard_at = self._heard_at
            await asyncio.sleep(self._timing.ping_every_s)
            if self._heard_at > heard_at or self.over:
                continue
            self._machine.ping(b"novadesk")
            self._flush()
            due = loop.time() + answer_s
            await asyncio.sleep(answer_s)
            if self._heard_at == heard_at and loop.time() - due < answer_s / 2:
                self._fail(_lost(Text("The connection was lost: the server gives no sign of life.")))

    def _give_back(self, window_bytes: int) -> None:
        if window_bytes and not self.over:
            with contextlib.suppress(h2.exceptions.ProtocolError):
                self._machine.acknowledge_received_data(window_bytes, self._stream_id)

    def _flush(self) -> None:
        data = self._machine.data_to_send()
        writer = self._wire.writer
        if data and not writer.transport.is_closing():
            writer.write(data)
            if writer.transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
                self._fail(_lost(Text("The connection was lost: the server does not read.")))

    def _end(self) -> None:
        if not self._response.done():
            self._fail(_lost(Text("The connection was lost: the server ended it without an answer.")))
        elif not self.over:
            self._ended = True
            self._wake()

    def _fail(self, known: KnownError, cause: BaseException | None = None) -> None:
        if self.over:
            return
        known.__cause__ = cause
        self._failure = known
        if not self._response.done():
            self._response.set_exception(Fault(known))
            self._response.exception()  # nobody may be waiting for it
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._room.set()
        close = getattr(self._body, "close", None)
        if close is not None:
            self._tasks.append(asyncio.create_task(self._guard(close(flush=False)), name="http2-body"))


def _lost(what: Text) -> KnownError:
    return KnownError(Reason.LINK_LOST, what, "NovaDesk connects again by itself.")


def _timed_out(seconds: float) -> KnownError:
    return KnownError(
        Reason.TIMED_OUT, "The service did not answer within {s} seconds.", "NovaDesk tries again by itself.", s=seconds
    )


def _closed_by_us() -> KnownError:
    return KnownError(Reason.LINK_LOST, "The connection is closed.", "Connect again.")


def _name(code: int | None) -> str:
    try:
        return h2.errors.ErrorCodes(code or 0).name
    except ValueError:
        return f"code {code}"
