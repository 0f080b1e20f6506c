"""One voice stream of the local Bedrock: signed events in, the sans-IO session between, plain events out."""

import asyncio
import base64
import binascii
import contextlib
import json
import logging
import random
import string
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from novadesk.audio.formats import LISTEN_HZ, SAMPLE_BYTES, to_pcm, to_samples
from novadesk.audio.resampler import Resampler
from novadesk.errors import KnownError
from novadesk.protocol import session_events as told
from novadesk.protocol.events import OutputEvent, PromptStart, Sensitivity
from novadesk.protocol.limits import Limits
from novadesk.protocol.session import NovaSession, Side, State
from novadesk.server.call import Call, Heard, PartnerFactory, ToolAnswered, Typed
from novadesk.server.eventstream import (
    Message,
    MessageBuffer,
    decode,
    encode_error,
    encode_event,
    encode_exception,
)
from novadesk.server.faults import SLOW_S, STREAM_EXCEPTIONS, Fault, PlannedFault
from novadesk.server.http2_stream import Stream, StreamLost
from novadesk.server.model import is_voice
from novadesk.server.refusal import Refusal, validation
from novadesk.server.signature import EventChain

_LOG = logging.getLogger(__name__)

_UNPARSABLE = "Unable to parse input chunk. Please check input format contains correct format."
_NOTHING_CAME = "Timed out waiting for input events"
_PADDING = string.ascii_letters[:36]
_MAX_QUEUED_BYTES = 64 * 1024
_FRAME_BYTES = 16 * 1024
_CLOSING_SILENCE_S = 2.5  # longer than the longest pause that ends a turn (2.0 s)
_PARTNER_GRACE_S = 0.3
_FLUSH_GRACE_S = 2.0
_STOP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamContext:
    """What a stream needs of its service."""

    model: str
    chain: EventChain
    limits: Limits
    partner: PartnerFactory
    fault: PlannedFault | None
    now: Callable[[], float]
    wall_clock: Callable[[], datetime]


class SonicSession:
    """Drives one stream from its acceptance to its end.

    Args:
        stream: the accepted request; its response has begun.
        context: what the service hands in.
    """

    def __init__(self, stream: Stream, context: StreamContext) -> None:
        self._stream = stream
        self._context = context
        self._session = NovaSession(Side.SERVER, limits=context.limits)
        self._call: Call | None = None
        self._partner: asyncio.Task[None] | None = None
        self._prompt: PromptStart | None = None
        self._sensitivity: Sensitivity | None = None
        self._system_prompt = ""
        self._resampler: Resampler | None = None
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._queue_grew = asyncio.Event()
        self._queue_shrank = asyncio.Event()
        self._over = asyncio.Event()
        self._in_order = False
        self._opened_at = context.now()
        self._deadline: float | None = None
        self._deadline_moved = asyncio.Event()
        self._inputs = 0
        self._outputs = 0
        self._fault = context.fault
        self._hold_s = 0.0

    async def run(self) -> None:
        """Serve the stream until one side ends it. Cancelling drops it."""
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        timer = asyncio.create_task(self._watch())
        try:
            await self._over.wait()
            await _stop(reader, timer)
            await self._end_partner()
            if not self._stream.is_lost:
                await self._flush(writer)
        finally:
            if self._call is not None:
                self._call.hang_up()
            await _stop(reader, timer, writer, *filter(None, [self._partner]))
        if not self._stream.is_lost:
            await self._stream.finish()

    # --- for the call -----------------------------------------------------------------------

    def push(self, *events: OutputEvent) -> None:
        """Queue events for the caller."""
        if self._over.is_set():
            return
        now = self._context.now()
        for event in events:
            self._session.send(event, now)
        self._settle()

    async def drained(self) -> None:
        """Wait until the caller's connection has taken most of what is queued."""
        while self._queued_bytes > _MAX_QUEUED_BYTES and not self._over.is_set():
            self._queue_shrank.clear()
            await self._queue_shrank.wait()

    def fail(self, exception_type: str, message: str) -> None:
        """End the stream with an in-stream exception."""
        self._finish(encode_exception(exception_type, message))

    def strike(self, planned: PlannedFault) -> None:
        """Commit a fault now."""
        if not self._over.is_set():
            self._commit(planned.fault)

    # --- in ---------------------------------------------------------------------------------

    async def _read(self) -> None:
        buffer = MessageBuffer()
        try:
            while data := await self._stream.read():
                for envelope in buffer.feed(data):
                    await self._take(envelope)
                if self._over.is_set():
                    return
        except StreamLost:
            pass
        except Refusal as refusal:
            self.fail(refusal.exception_type, refusal.message)
        except KnownError:
            self.fail("validationException", _UNPARSABLE)
        self._session.link_closed(self._context.now())
        self._finish()

    async def _take(self, envelope: Message) -> None:
        inner = self._context.chain.verify(envelope, self._context.wall_clock())
        if not inner or self._over.is_set():
            return
        payload = _event_of(decode(inner), self._context.limits)
        self._session.receive(payload, self._context.now())
        self._settle()
        for event in self._session.events_received():
            await self._on_event(event)
        self._inputs += 1
        self._commit_when_due()

    async def _on_event(self, event: told.SessionEvent) -> None:
        match event:
            case told.SessionOpened():
                self._sensitivity = event.start.sensitivity
            case told.PromptOpened():
                if not is_voice(self._context.model, event.start.voice_id):
                    raise validation("Received invalid voiceId")
                self._prompt = event.start
            case told.SystemPromptGiven():
                self._system_prompt = event.text
            case told.HistoryGiven():
                self._answer(event)
            case told.AudioOpened():
                if event.rate_hz != LISTEN_HZ:
                    self._resampler = Resampler(event.rate_hz, LISTEN_HZ)
            case told.AudioHeard():
                await self._give(Heard(self._at_listening_rate(event.pcm)))
            case told.AudioClosed():
                # Nothing will follow: silence lets the partner notice that what was being said is over.
                await self._give(Heard(bytes(int(LISTEN_HZ * _CLOSING_SILENCE_S) * SAMPLE_BYTES)))
            case told.TextTyped():
                await self._give(Typed(event.text))
            case told.ToolAnswered():
                await self._give(ToolAnswered(event.tool_use_id, event.content))
            case told.PromptClosed():
                if self._call is not None:
                    self._call.complete()
                    self._call.hang_up()
            case told.SessionClosed():
                self._in_order = True
                self._finish()
            case told.LifeEnded():
                self.fail("modelTimeoutException", event.message)
            case told.SilenceEnded() | told.Violated():
                self.fail("validationException", event.message)
            case _:
                pass

    async def _give(self, event: Heard | Typed | ToolAnswered) -> None:
        if self._call is not None:
            await self._call.give(event)

    def _at_listening_rate(self, pcm: bytes) -> bytes:
        return pcm if self._resampler is None else to_pcm(self._resampler.feed(to_samples(pcm)))

    # --- the partner ------------------------------------------------------------------------

    def _answer(self, given: told.HistoryGiven) -> None:
        if self._prompt is None or self._call is not None:
            return
        self._call = Call(
            prompt_name=self._prompt.prompt_name,
            voice=self._prompt.voice_id,
            output_rate_hz=self._prompt.output_rate_hz,
            sensitivity=self._sensitivity,
            system_prompt=self._system_prompt,
            history=given.messages,
            tools=self._prompt.tools,
            wire=self,
        )
        self._call.begin()
        self._partner = asyncio.create_task(self._converse(self._call))

    async def _converse(self, call: Call) -> None:
        try:
            await self._context.partner().converse(call)
        except KnownError as error:
            _LOG.warning("the partner gave up: %s", error.reason.value)
            self.fail("modelStreamErrorException", f"{error.what} {error.advice}")
        except Exception as error:
            # The text of the exception may hold what was said: only its kind and place are logged.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("the partner failed with %s\n%s", type(error).__name__, frames)
            self.fail("internalServerException", "The system encountered an unexpected error.")

    async def _end_partner(self) -> None:
        if self._call is None or self._partner is None:
            return
        self._call.hang_up()
        if self._in_order:
            await asyncio.wait({self._partner}, timeout=_PARTNER_GRACE_S)
        await _stop(self._partner)

    # --- out --------------------------------------------------------------------------------

    def _settle(self) -> None:
        for payload in self._session.events_to_send():
            self._enqueue(encode_event(_wrap(payload)))
            self._outputs += 1
            self._commit_when_due()
        deadline = self._next_deadline()
        if deadline is not None and (self._deadline is None or deadline < self._deadline):
            self._deadline_moved.set()

    def _enqueue(self, data: bytes) -> None:
        if self._over.is_set():
            return
        self._queue.append(data)
        self._queued_bytes += len(data)
        self._queue_grew.set()

    async def _write(self) -> None:
        with contextlib.suppress(StreamLost):
            while True:
                while not self._queue:
                    if self._over.is_set():
                        return
                    self._queue_grew.clear()
                    await self._queue_grew.wait()
                data = self._queue.popleft()
                while self._queue and len(data) + len(self._queue[0]) <= _FRAME_BYTES:
                    data += self._queue.popleft()
                if self._hold_s:
                    await asyncio.sleep(self._hold_s)
                await self._stream.write(data)
                self._queued_bytes -= len(data)
                self._queue_shrank.set()

    async def _flush(self, writer: asyncio.Task[None]) -> None:
        self._queue_grew.set()
        done, _ = await asyncio.wait({writer}, timeout=_FLUSH_GRACE_S)
        if not done:
            self._stream.reset()

    def _finish(self, tail: bytes = b"") -> None:
        if self._over.is_set():
            return
        if tail:
            self._enqueue(tail)
        self._over.set()
        self._queue_shrank.set()

    # --- time -------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while not self._over.is_set():
            self._deadline_moved.clear()
            self._deadline = self._next_deadline()
            now = self._context.now()
            if self._deadline is not None and self._deadline <= now:
                if self._session.state is State.IDLE:
                    self.fail("validationException", _NOTHING_CAME)
                self._session.handle_deadline(now)
                self._settle()
                for event in self._session.events_received():
                    await self._on_event(event)
                continue
            wait_s = None if self._deadline is None else self._deadline - now
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._deadline_moved.wait()

    def _next_deadline(self) -> float | None:
        if self._session.state is State.IDLE:
            return self._opened_at + self._context.limits.silence_s
        return self._session.next_deadline()

    # --- faults -----------------------------------------------------------------------------

    def _commit_when_due(self) -> None:
        planned = self._fault
        if planned is None or self._inputs < planned.after_inputs or self._outputs < planned.after_outputs:
            return
        self._fault = None
        self._commit(planned.fault)

    def _commit(self, fault: Fault) -> None:
        stream, connection = self._stream, self._stream.connection
        whole = encode_event(b'{"bytes":"e30="}')
        match fault:
            case _ if fault in STREAM_EXCEPTIONS:
                self.fail(*STREAM_EXCEPTIONS[fault])
            case Fault.STREAM_ERROR_MESSAGE:
                self._finish(encode_error("InternalError", "The service failed in a way it has no name for."))
            case Fault.RESET_TCP:
                connection.abort()
            case Fault.FIN:
                connection.shut()
            case Fault.RESET_STREAM:
                stream.reset()
            case Fault.GOAWAY_ABRUPT:
                connection.leave(code=2, last_stream_id=0)
                connection.shut()
            case Fault.GOAWAY_GRACEFUL:
                connection.leave(last_stream_id=2**31 - 1)
            case Fault.EARLY_END:
                self._finish()
            case Fault.TRUNCATED_EVENT:
                self._finish(whole[: len(whole) // 2])
            case Fault.BAD_CHECKSUM:
                self._finish(whole[:-1] + bytes([whole[-1] ^ 0xFF]))
            case Fault.HALF_OPEN:
                connection.freeze()
            case Fault.SLOW_READER:
                stream.stop_reading()
            case Fault.SLOW_LINK:
                self._hold_s = SLOW_S
            case Fault.UNKNOWN_EVENT:
                unknown = json.dumps({"event": {"somethingNew": {"detail": 1}}}).encode()
                self._enqueue(encode_event(_wrap(unknown)))
            case Fault.UNKNOWN_EVENT_TYPE:
                self._enqueue(encode_event(b"{}", event_type="somethingNew"))
            case _:
                _LOG.warning("a planned fault does not fit a running stream: %s", fault.name)


def _wrap(payload: bytes) -> bytes:
    """Return the JSON of an output chunk, padded at random as the service does against guessing by length."""
    padding = _PADDING[: random.randrange(len(_PADDING))]
    return json.dumps({"bytes": base64.b64encode(payload).decode(), "p": padding}).encode()


def _event_of(message: Message, limits: Limits) -> bytes:
    if message.headers.get(":message-type") != "event" or message.headers.get(":event-type") != "chunk":
        raise validation(_UNPARSABLE)
    try:
        payload = base64.b64decode(json.loads(message.payload)["bytes"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise validation(_UNPARSABLE) from error
    if len(payload) > limits.event_bytes:
        raise validation(f"Value at 'chunk.bytes' must have length less than or equal to {limits.event_bytes}.")
    return payload


async def _stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    _, running = await asyncio.wait(tasks, timeout=_STOP_S)
    if running:
        _LOG.error("the partner does not let itself be stopped")
