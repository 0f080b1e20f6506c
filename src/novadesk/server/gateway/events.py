"""A session's output as server-sent events, in the shapes of document 001, replayed behind a last event id."""

import asyncio
import json
import logging
import secrets
import socket
import sys
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from aiohttp import web

from novadesk.conversation.alarm import Alarm
from novadesk.conversation.ports import Clock
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope_server import ServerMessage
from novadesk.protocol.envelope_values import OUTPUT_RATE_HZ, CallStatus
from novadesk.server.gateway.connection import FLUSH_S, MOST_BYTES
from novadesk.server.gateway.narration import Output, Speech
from novadesk.server.gateway.options import HEARTBEATS
from novadesk.server.gateway.outputlog import Entry
from novadesk.server.gateway.session import Leave

_log = logging.getLogger(__name__)

_STATUS = {CallStatus.CONNECTED: "ready"}
HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def stamp(unix_ms: int) -> str:
    """Return a time as document 001 writes it."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shaped(item: Output, at: str) -> tuple[str, Mapping[str, object]]:
    """Return the name and the content of an event.

    Args:
        item: what is told.
        at: time of it.
    """
    match item:
        case Speech(pcm=pcm) | told.AudioResponse(audio_data=pcm):
            data = b64encode(pcm).decode("ascii")
            form = {"format": "pcm", "sampleRate": OUTPUT_RATE_HZ, "channels": 1}
            return "audio", {"type": "audio_response", "audioData": data, **form, "timestamp": at}
        case told.Transcript(role=role, text=text, stage=stage):
            return "transcript", {"type": stage.value, "speaker": role.value, "text": text, "timestamp": at}
        case told.ContentStart(role=party, kind=kind):
            return "content_start", {"role": party.value, "kind": kind.value}
        case told.ContentEnd(kind=kind, stop_reason=reason):
            return "content_end", {"kind": kind.value, "stopReason": reason.value}
        case told.ToolUse(tool_name=name, tool_use_id=use_id, input=given):
            return "tool_log", {"type": "tool_invocation", "toolName": name, "toolUseId": use_id, "input": given}
        case told.Turn(turn_id=turn_id, role=role, text=text, interrupted=interrupted, at=at_ms):
            turn = {"turnId": turn_id, "role": role.value, "text": text, "interrupted": interrupted}
            return "turn", {**turn, "timestamp": stamp(at_ms)}
        case told.CallStatusChanged(status=CallStatus.FAILED, reason=reason):
            return "error", {"message": f"The voice service failed: {reason or 'unknown'}."}
        case told.CallStatusChanged(status=status):
            return "status", {"message": _STATUS.get(status, status.value)}
        case told.PipelineState(state=state):
            return "status", {"message": state.value}
        case told.Usage():
            return "usage", {"speechOut": item.total.speech_out, "textOut": item.total.text_out}
        case told.UserSpeechEnded():
            return "user_speech_end", {}
        case told.Completed(stop_reason=reason):
            return "completed", {"stopReason": reason.value}


def encoded(name: str, content: Mapping[str, object], sequence: int | None = None) -> bytes:
    """Return an event as it goes over the wire; JSON has no line ends of its own."""
    number = "" if sequence is None else f"id: {sequence}\n"
    return f"{number}event: {name}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n".encode()


def cut(request: web.Request) -> None:
    """Break a connection off."""
    if request.transport is not None:
        request.transport.abort()


def bound_silence(request: web.Request, seconds: float) -> None:
    """Have a connection end whose other side has acknowledged nothing for so long: it is gone without a word.

    Elsewhere than on Linux the system's own time has to do.
    """
    connection = None if request.transport is None else request.transport.get_extra_info("socket")
    if connection is not None and sys.platform == "linux":
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(seconds * 1000))


class EventOutlet:
    """A stream of events; fits `session.Outlet`. Whoever does not read is cut off, and can come back for the rest.

    Args:
        clock: time.
        cut: breaks the connection off.
    """

    def __init__(self, clock: Clock, cut: Callable[[], None]) -> None:
        self.connection_id = secrets.token_hex(12)
        self._clock, self._cut = clock, cut
        self._waiting: deque[bytes] = deque()
        self._size_bytes = 0
        self._news = asyncio.Event()
        self._over = False
        self._patience = Alarm(self._lose)

    def put(self, entry: Entry) -> None:
        """See `Outlet`."""
        name, content = shaped(entry.item, stamp(self._clock.unix_ms()))
        self._queue(encoded(name, content, entry.sequence))

    def tell(self, message: ServerMessage) -> None:
        """See `Outlet`; what is an answer to a message of a WebSocket is none here."""
        if isinstance(message, told.ConnectionRefreshRequired):
            self._queue(encoded("status", {"message": message.reason}))

    def leave(self, why: Leave, last: ServerMessage) -> None:
        """See `Outlet`."""
        self.finish(why.value, **({"reason": last.reason} if isinstance(last, told.SessionEnded) else {}))

    def finish(self, message: str, **more: str) -> None:
        """Tell a last status, and end."""
        if self._over:
            return
        self._queue(encoded("status", {"message": message, **more}))
        self._over = True
        self._patience.set_in(FLUSH_S)

    async def stream(self, response: web.StreamResponse, beat_s: float) -> None:
        """Write what comes until the session leaves.

        Args:
            response: prepared.
            beat_s: longest time without a sign of life.

        Raises:
            ConnectionError: the client is gone.
        """
        try:
            while event := await self._next(beat_s):
                if not self._over:
                    self._patience.set_in(beat_s * HEARTBEATS)
                await response.write(event)
                if not self._over:
                    self._patience.cancel()
        finally:
            self._patience.cancel()

    async def _next(self, beat_s: float) -> bytes:
        """Return what is to be written next; nothing once all is."""
        if not self._waiting and not self._over:
            self._news.clear()
            try:
                async with asyncio.timeout(beat_s):
                    await self._news.wait()
            except TimeoutError:
                return b": beat\n\n"
        if not self._waiting:
            return b""
        event = self._waiting.popleft()
        self._size_bytes -= len(event)
        return event

    def _queue(self, event: bytes) -> None:
        if self._over:
            return
        self._waiting.append(event)
        self._size_bytes += len(event)
        self._news.set()
        if self._size_bytes > MOST_BYTES:
            self._lose()

    def _lose(self) -> None:
        """Give the client up: it does not read."""
        _log.info("a client reads too slowly and is let go")
        self._waiting.clear()
        self._over = True
        self._news.set()
        self._cut()
