"""One WebSocket as a session is told through it: one writer, a bounded queue, one last message."""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Mapping

from aiohttp import web

from novadesk.protocol.envelope import encode, pack_audio
from novadesk.protocol.envelope_server import AudioResponse, ServerMessage
from novadesk.protocol.envelope_values import AudioForm
from novadesk.server.gateway import outputlog
from novadesk.server.gateway.narration import Speech
from novadesk.server.gateway.outputlog import Entry
from novadesk.server.gateway.session import Leave

_log = logging.getLogger(__name__)

MOST_BYTES = 2 * outputlog.MOST_BYTES
"""What may wait for a client that reads slowly: what a resume sends at once, and more as base64 takes it."""

FLUSH_S = 2.0
"""How long a client has that is let go to read what waits for it."""

NORMAL, GOING_AWAY, TOO_LARGE = 1000, 1001, 1009
UNAUTHORIZED, NO_HEARTBEAT, SESSION_TAKEN = 4401, 4408, 4409
_CODES: Mapping[Leave, int] = {Leave.ENDED: NORMAL, Leave.TAKEN: SESSION_TAKEN, Leave.DRAINING: GOING_AWAY}


class SocketOutlet:
    """What is told to one client; fits `session.Outlet`.

    Args:
        socket: open.

    Attributes:
        connection_id: names it in the store.
        form: how the client takes sound.
        over: set once nothing is written any more.
    """

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.connection_id = secrets.token_hex(12)
        self.form = AudioForm.BINARY
        self.over = asyncio.Event()
        self._socket = socket
        self._waiting: deque[str | bytes] = deque()
        self._size_bytes = 0
        self._code: int | None = None
        self._news = asyncio.Event()
        self._writer = asyncio.create_task(self._write(), name=f"socket-{self.connection_id[:8]}-writer")

    def put(self, entry: Entry) -> None:
        """See `Outlet`."""
        item = entry.item
        if not isinstance(item, Speech):
            self._queue(encode(item))
        elif self.form is AudioForm.BINARY:
            self._queue(pack_audio(entry.sequence, item.pcm))
        else:
            self._queue(encode(AudioResponse(sequence=entry.sequence, content_id=item.content_id, audio_data=item.pcm)))

    def tell(self, message: ServerMessage) -> None:
        """See `Outlet`."""
        self._queue(encode(message))

    def leave(self, why: Leave, last: ServerMessage) -> None:
        """See `Outlet`."""
        self.finish(_CODES[why], last)

    def finish(self, code: int, last: ServerMessage | None = None) -> None:
        """Write what waits, and a last message, then close."""
        if self._code is None:
            if last is not None:
                self._queue(encode(last))
            self._code = code
            self._news.set()

    async def stop(self) -> None:
        """Return once nothing is written any more, in bounded time."""
        self.finish(NORMAL)
        await asyncio.wait({self._writer}, timeout=FLUSH_S)
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    def _queue(self, content: str | bytes) -> None:
        if self._code is not None:
            return
        self._waiting.append(content)
        self._size_bytes += len(content)
        if self._size_bytes > MOST_BYTES:  # it does not read: the session outlives it
            _log.info("a client reads too slowly and is let go")
            self._waiting.clear()
            self._code = GOING_AWAY
        self._news.set()

    async def _write(self) -> None:
        socket = self._socket
        try:
            while self._waiting or self._code is None:
                if not self._waiting:
                    self._news.clear()
                    await self._news.wait()
                    continue
                content = self._waiting.popleft()
                self._size_bytes -= len(content)
                await (socket.send_str(content) if isinstance(content, str) else socket.send_bytes(content))
            await socket.close(code=self._code)
        except (ConnectionError, RuntimeError):  # aiohttp writes to a closing socket by raising either
            self._code = self._code or GOING_AWAY
        finally:
            self._waiting.clear()
            self.over.set()
