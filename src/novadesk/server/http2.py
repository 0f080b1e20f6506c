"""HTTP/2 for the local server: the state machine is `h2`, this is its asyncio side.

One connection carries many streams. Nothing is read ahead: the flow-control window of a stream goes back to the
client only when its owner reads, and a write waits for the client's window and for the socket.
"""

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import struct
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import cast
from uuid import uuid4

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from novadesk.errors import BugError
from novadesk.server.frames import PREFACE, GoawayFilter
from novadesk.server.http2_stream import Header, Stream, StreamLost
from novadesk.server.refusal import validation

_LOG = logging.getLogger(__name__)

type Handler = Callable[[Stream], Awaitable[None]]

_MAX_HEADERS_BYTES = 64 * 1024
_MAX_STREAMS = 128
_CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024
_MAX_UNSENT_BYTES = 1024 * 1024
_MAX_HTTP1_BYTES = 64 * 1024
_PREFACE_S = 10.0
_IDLE_S = 120.0
_LINGER_S = 0.5
_STOP_S = 0.8
_CLOSE_S = 0.2
_RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Connection(asyncio.Protocol):
    """One connection of a client, with TLS or without."""

    def __init__(self, server: "Http2Server") -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._filter = GoawayFilter()
        self._h2: h2.connection.H2Connection | None = None
        self._sniffed = bytearray()
        self._streams: dict[int, Stream] = {}
        self._writable = asyncio.Event()
        self._writable.set()
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._frozen = False

    # --- what asyncio calls ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: no delay for small writes, and a bound on the time to the first request."""
        self._transport = cast(asyncio.Transport, transport)
        link = transport.get_extra_info("socket")
        if link is not None:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.connections.add(self)
        self._timer = self._loop.call_later(_PREFACE_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self._closing or self._frozen:
            return
        if self._h2 is None:
            self._sniffed += data
            if not self._recognise():
                return
            data = bytes(self._sniffed)
            self._sniffed.clear()
        self._receive(data)

    def pause_writing(self) -> None:
        """Hold writers: the socket takes no more."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._writable.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        """End: every stream is gone."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._server.forget(self)
        self._writable.set()
        for stream in self._streams.values():
            stream.lose()
        self._streams.clear()

    # --- what streams call ----------------------------------------------------------------

    def give_back(self, stream_id: int, window_bytes: int) -> None:
        """Return flow-control window for bytes that were read."""
        machine = self._machine
        if not window_bytes or self._closing or self._frozen:
            return
        with contextlib.suppress(h2.exceptions.ProtocolError):
            machine.acknowledge_received_data(window_bytes, stream_id)
        self._flush()

    def send_headers(self, stream_id: int, headers: Sequence[Header], *, end: bool) -> None:
        """Send the headers of a response."""
        self._machine.send_headers(stream_id, list(headers), end_stream=end)
        self._flush()

    def send_data(self, stream_id: int, data: memoryview) -> int:
        """Send as many bytes as the windows allow; return how many."""
        machine = self._machine
        size = min(len(data), machine.local_flow_control_window(stream_id), machine.max_outbound_frame_size)
        if size <= 0 or self._frozen:
            return 0
        machine.send_data(stream_id, bytes(data[:size]))
        self._flush()
        return size

    def send_end(self, stream_id: int) -> None:
        """End a response."""
        self._machine.end_stream(stream_id)
        self._flush()

    def send_reset(self, stream_id: int, code: int) -> None:
        """Reset a stream."""
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self._machine.reset_stream(stream_id, code)
        self._flush()

    async def drained(self) -> None:
        """Wait until the socket takes more."""
        await self._writable.wait()

    def write_raw(self, data: bytes) -> None:
        """Write bytes past the state machine; for faults that no correct server commits."""
        self._transport.write(data)

    def freeze(self) -> None:
        """Fall silent: nothing more is heard, answered or written, and the connection stays open."""
        self._frozen = True

    def leave(self, code: int = 0, *, last_stream_id: int) -> None:
        """Tell the client with GOAWAY that no further stream is taken; the open ones go on."""
        payload = struct.pack(">II", last_stream_id, code)
        self.write_raw(len(payload).to_bytes(3) + b"\x07\x00" + bytes(4) + payload)

    def retire(self) -> None:
        """Say GOAWAY and close the connection in order."""
        if self._h2 is not None and not self._closing:
            self._h2.close_connection()
            self._flush()
        self.shut()

    def shut(self) -> None:
        """Close the connection in order: what is written still goes out (FIN)."""
        self._closing = True
        self._transport.close()

    def abort(self) -> None:
        """Drop the connection with a TCP reset."""
        self._closing = True
        link = self._transport.get_extra_info("socket")
        if link is not None:
            with contextlib.suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    # --- inside ---------------------------------------------------------------------------

    @property
    def _machine(self) -> h2.connection.H2Connection:
        if self._h2 is None:
            raise BugError("a stream before the preface")
        return self._h2

    def _recognise(self) -> bool:
        head = bytes(self._sniffed[: len(PREFACE)])
        if head == PREFACE:
            self._open_machine()
            return True
        if not PREFACE.startswith(head):
            self._answer_http1()
        return False

    def _open_machine(self) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        machine = self._h2 = h2.connection.H2Connection(config)
        machine.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: _MAX_STREAMS,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: _MAX_HEADERS_BYTES,
            },
        )
        machine.decoder.max_header_list_size = _MAX_HEADERS_BYTES
        machine.initiate_connection()
        machine.increment_flow_control_window(_CONNECTION_WINDOW_BYTES)
        self._flush()
        self._rest()

    def _answer_http1(self) -> None:
        if b"\r\n\r\n" not in self._sniffed and len(self._sniffed) < _MAX_HTTP1_BYTES:
            return
        self._closing = True
        refusal = validation("This operation needs HTTP/2.")
        head = [
            "HTTP/1.1 400 Bad Request",
            *(f"{name}: {value}" for name, value in refusal.headers(str(uuid4()))),
            "connection: close",
        ]
        self._transport.write("\r\n".join(head).encode() + b"\r\n\r\n" + refusal.body())
        if self._transport.can_write_eof():
            self._transport.write_eof()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_LINGER_S, self._transport.abort)

    def _receive(self, data: bytes) -> None:
        machine = self._machine
        try:
            for event in machine.receive_data(self._filter.feed(data)):
                self._on_event(event)
        except h2.exceptions.ProtocolError:
            _LOG.info("a client broke HTTP/2; its connection is closed")
            self._flush()
            self.shut()
            return
        self._flush()
        if self._filter.oversized:
            self.leave(h2.errors.ErrorCodes.FRAME_SIZE_ERROR, last_stream_id=0)
            self.shut()

    def _on_event(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                headers = cast(Sequence[Header], event.headers)
                stream = Stream(self, event.stream_id, headers)
                self._streams[stream.stream_id] = stream
                self._rest()
                self._server.begin(stream, self._over)
            case h2.events.DataReceived():
                window_bytes = event.flow_controlled_length or 0
                taker = self._streams.get(event.stream_id)
                if taker is None:
                    self.give_back(event.stream_id, window_bytes)
                else:
                    taker.take(event.data or b"", window_bytes)
            case h2.events.StreamEnded():
                if (ended := self._streams.get(event.stream_id)) is not None:
                    ended.take_end()
            case h2.events.StreamReset():
                if (lost := self._streams.get(event.stream_id)) is not None:
                    lost.lose()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                for waiting in self._streams.values():
                    waiting.make_room()
            case _:
                pass

    def _over(self, stream: Stream) -> None:
        self._streams.pop(stream.stream_id, None)
        stream.give_back_unread()
        self._rest()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._streams and not self._closing:
            self._timer = self._loop.call_later(_IDLE_S, self.retire)

    def _flush(self) -> None:
        if self._frozen or self._h2 is None:
            return
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)
        if self._transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            self.abort()


class Http2Server:
    """Listens on any number of ports and runs one handler for each request.

    Args:
        handle: called with each stream, in a task of its own; cancelled when the server closes.
    """

    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection_gone = asyncio.Event()
        self.connections: set[Connection] = set()

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen and return the port; with `tls` the ALPN protocols h2 and http/1.1 are offered.

        Raises:
            OSError: the port cannot be had.
        """
        loop = asyncio.get_running_loop()
        handshake_s = _PREFACE_S if tls is not None else None
        shutdown_s = _LINGER_S if tls is not None else None
        server = await loop.create_server(
            lambda: Connection(self),
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=handshake_s,
            ssl_shutdown_timeout=shutdown_s,
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def begin(self, stream: Stream, over: Callable[[Stream], None]) -> None:
        """Run the handler of a stream."""
        task = asyncio.create_task(self._run(stream, over))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def forget(self, connection: Connection) -> None:
        """Take a connection off the list: it is closed."""
        self.connections.discard(connection)
        self._connection_gone.set()

    async def close(self) -> None:
        """Stop listening, cancel every handler, drop every connection. Bounded in time."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_S)
        for connection in list(self.connections):
            connection.retire()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                while self.connections:
                    self._connection_gone.clear()
                    await self._connection_gone.wait()
        for connection in list(self.connections):
            connection.abort()
        for server in self._servers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await server.wait_closed()
        self._servers.clear()

    async def _run(self, stream: Stream, over: Callable[[Stream], None]) -> None:
        try:
            await self._handle(stream)
        except StreamLost:
            pass
        except Exception as error:
            # The text of the exception may hold what was said: only its kind and place are logged.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("a request failed with %s\n%s", type(error).__name__, frames)
        finally:
            if not stream.is_done:
                stream.reset()
            over(stream)
