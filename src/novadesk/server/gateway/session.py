"""One session in the process that serves it: its conversation, its output, and the connection that it is told through.

The connection is one object that is swapped when another one takes the session over; what the old one does afterwards
changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from enum import Enum
from functools import partial
from typing import Any, Protocol

from novadesk.config import VoiceSettings
from novadesk.errors import KnownError
from novadesk.models import Turn
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope_client import Ack, Audio, Configure, TextInput
from novadesk.protocol.envelope_server import ServerMessage
from novadesk.protocol.envelope_values import CallStatus, Configuration, ErrorCode, Line, QualityTier
from novadesk.server.gateway.archive import write_before
from novadesk.server.gateway.denial import Denied, draining
from novadesk.server.gateway.departure import Departure
from novadesk.server.gateway.metrics import GatewayMetrics
from novadesk.server.gateway.narration import Output, Speech
from novadesk.server.gateway.options import Timing
from novadesk.server.gateway.outputlog import Entry, OutputLog
from novadesk.server.gateway.state import SessionRecord
from novadesk.server.gateway.tracing import SessionTrace
from novadesk.server.gateway.tuning import configuration_of, merged, text_of, tuned
from novadesk.server.gateway.upstream import Upstream, UpstreamParts, written
from novadesk.server.gateway.watch import Over, Watch, label_of

_log = logging.getLogger(__name__)

_TOLD_AGAIN = 8
_LOAD_AGAIN_S = 2.0


class Outlet(Protocol):
    """The connection through which a session is told. Every call returns at once."""

    connection_id: str

    def put(self, entry: Entry) -> None:
        """Tell something counted."""
        ...

    def tell(self, message: ServerMessage) -> None:
        """Tell something that is not counted."""
        ...

    def leave(self, why: "Leave", last: ServerMessage) -> None:
        """Tell a last message and close: the session is not this connection's any more."""
        ...


class Leave(Enum):
    """Why a connection loses its session."""

    ENDED = "ended"
    TAKEN = "taken"
    DRAINING = "draining"


class GatewaySession:
    """A session that this process serves.

    Args:
        record: as the store has it.
        parts: what its conversation is made of.
        timing: when it is over.
        metrics: takes measurements.
        on_over: called once, when it is over by itself.
        behind: number of the newest output that the client has.

    Attributes:
        record: what the store knows of it, and which generation of it this process serves.
        log: what the client has not acknowledged.
        last_audio: number of the newest microphone frame that was taken.
        heard_bytes: sound that the client has sent.
        told_bytes: sound that the client was to be sent.
        trace: its time in this process; whoever lets go of it ends it.
    """

    def __init__(
        self,
        record: SessionRecord,
        *,
        parts: UpstreamParts,
        timing: Timing,
        metrics: GatewayMetrics,
        on_over: Callable[["GatewaySession", Over], None],
        behind: int = 0,
    ) -> None:
        self.record = record
        self.log = OutputLog(behind)
        self.last_audio = self.heard_bytes = self.told_bytes = 0
        self.label = label_of(record.session_id)
        self._parts, self._timing, self._metrics = parts, timing, metrics
        self._configuration = configuration_of(record.configuration)
        self.trace = SessionTrace(parts.tracer, self.label)
        told_of = self.trace.followed(self._tell)
        self._upstream = Upstream(parts, record, self._voice(), told_of, lambda: self._watch.look_now())
        self._opening: asyncio.Task[None] | None = None
        self._outlet: Outlet | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._departure = Departure(self._at_rest, self._send_away)
        self._watch = Watch(
            store=parts.store,
            clock=parts.clock,
            timing=timing,
            record=lambda: self.record,
            attended=lambda: self._outlet is not None,
            grace_s=self._grace_s,
            on_over=lambda over: on_over(self, over),
        )

    # --- who is there ----------------------------------------------------------------------------

    @property
    def session_id(self) -> str:
        """Return its id."""
        return self.record.session_id

    @property
    def outlet(self) -> Outlet | None:
        """Return the connection that has it now."""
        return self._outlet

    @property
    def upstream(self) -> Upstream:
        """Return its conversation."""
        return self._upstream

    @property
    def configuration(self) -> Configuration:
        """Return the call configuration."""
        return self._configuration

    @property
    def open(self) -> bool:
        """Return whether its voice is open, or being opened."""
        return self._opening is not None

    def attach(self, outlet: Outlet, record: SessionRecord, behind: int) -> None:
        """Be told through another connection from now on, beginning with what that has not got yet.

        Raises:
            Denied: a still newer connection has the session.
        """
        if record.generation < self.record.generation:
            raise Denied(ErrorCode.SESSION_TAKEN, "Another connection has this session.", "Go on there.")
        before, self._outlet, self.record = self._outlet, outlet, record
        if before is not None and before is not outlet:
            before.leave(Leave.TAKEN, _TAKEN)
            self._metrics.transferred()
        self.log.acknowledge(behind)
        for entry in self.log.behind(behind):
            outlet.put(entry)
        self._upstream.connection_changed()

    def detach(self, outlet: Outlet) -> None:
        """Take that a connection is gone. One that the session is not told through any more changes nothing."""
        if outlet is self._outlet:
            self._outlet = None
            self._watch.seen()
            self._go_unattended()
            self._upstream.connection_changed()
            _log.info("session %s: the connection is gone", self.label)

    def seen(self) -> None:
        """Take a sign of life of a client that holds no connection."""
        self._watch.seen()

    # --- what the client does --------------------------------------------------------------------

    def open_voice(self) -> None:
        """Begin the conversation, once."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._start(), name=f"session-{self.label}-opening")

    def hear(self, pcm: bytes, sequence: int | None = None) -> told.AudioAck:
        """Take microphone sound; a frame that was taken already is taken once."""
        number = self.last_audio + 1 if sequence is None else sequence
        if number > self.last_audio:
            self.last_audio = number
            self.heard_bytes += len(pcm)
            if not self._upstream.paused:
                self.open_voice()
            self._upstream.hear(pcm)
        return told.AudioAck(sequence=self.last_audio, dropped=self._upstream.dropped)

    def take_audio(self, message: Audio) -> told.AudioAck:
        """Take sound of a JSON message, and the end of what is said."""
        ack = self.hear(message.audio_data, message.sequence)
        if message.end:
            self._upstream.end_of_speech()
        return ack

    def end_of_speech(self) -> told.AudioAck:
        """Take that nothing more comes for now."""
        self._upstream.end_of_speech()
        return told.AudioAck(sequence=self.last_audio, dropped=self._upstream.dropped)

    def say(self, message: TextInput, answer: Callable[[ServerMessage], None]) -> None:
        """Take written text, the same request once; the answer is given when it is kept.

        Raises:
            Denied: this process is about to stop: it is for the next one.
        """
        request = message.request_id
        if self._departure.begun and not self._upstream.has(request):
            raise draining()
        kept = partial(answer, told.TextAccepted(request_id=request))
        self._watch.active()
        self.open_voice()
        self._when_open(lambda: self._upstream.say(message.text, kept, request_id=request))

    async def take_history(self, lines: tuple[Line, ...]) -> told.HistoryTaken:
        """Write what was said before.

        Raises:
            Denied: the conversation has begun.
        """
        if self.open:
            raise Denied(ErrorCode.INVALID_PARAMETERS, "The conversation has begun already.", "Send history first.")
        store = self._parts.store
        known = await store.count_turns(self.session_id)
        await write_before(store, self.record, lines, self.record.created_ms, first=known)
        return told.HistoryTaken(history_length=await store.count_turns(self.session_id))

    async def configure(self, message: Configure) -> told.Configured:
        """Take a revision of the call configuration, once; an older one changes nothing.

        Raises:
            Denied: it makes no sense, or the session is another connection's.
        """
        after, revision = merged(self._configuration, message.configuration), self.record.revision
        number = revision + (after != self._configuration) if message.revision is None else message.revision
        in_force = True
        if number > revision:
            voice = self._voice(after)
            kept = await self._parts.store.update(
                self.session_id,
                generation=self.record.generation,
                configuration=text_of(after),
                revision=number,
            )
            if not kept:
                raise Denied(ErrorCode.SESSION_TAKEN, "Another connection has this session.", "Go on there.")
            self._configuration, self.record = after, replace(self.record, revision=number)
            in_force = self._upstream.use(voice)
        return told.Configured(revision=self.record.revision, configuration=self._configuration, in_force=in_force)

    async def name_remote(self, bedrock_session_id: str) -> None:
        """Write down which remote session this one is told to be."""
        kept = await self._parts.store.update(
            self.session_id, generation=self.record.generation, bedrock_session_id=bedrock_session_id
        )
        if kept:
            self.record = replace(self.record, bedrock_session_id=bedrock_session_id)

    def stop_answer(self) -> told.Stopped:
        """Drop the running answer, or the one that is due."""
        self._upstream.stop_answer()
        return told.Stopped()

    def listen(self, on: bool) -> told.ListeningStarted | told.ListeningStopped:
        """Open or close the ear."""
        if on:
            self.open_voice()
        self._upstream.listen(on=on)
        return told.ListeningStarted() if on else told.ListeningStopped()

    def pause(self, answer: Callable[[ServerMessage], None]) -> None:
        """Pause the call; the answer is given when it is true."""
        self._spawn(self._pause(answer), "pausing")

    def resume(self, answer: Callable[[ServerMessage], None]) -> None:
        """Go on after a pause; the answer is given when it is true."""
        self.open_voice()
        self._upstream.resume()
        self._spawn(self._resume(answer), "resuming")

    def acknowledge(self, ack: Ack) -> None:
        """Take that output has arrived, and how much of an answer was heard."""
        self.log.acknowledge(ack.sequence)
        if ack.played is not None:
            self._upstream.heard(ack.played)

    def status(self) -> told.SessionStatus:
        """Return how it stands."""
        return told.SessionStatus(
            session_id=self.session_id,
            status=self._upstream.status,
            history_length=self._upstream.turns,
            duration_s=max(0, (self._parts.clock.unix_ms() - self.record.created_ms) // 1000),
            buffered_ms=self._upstream.waiting_ms,
            dropped_frames=self._upstream.dropped,
            revision=self.record.revision,
        )

    def tell_again(self, turns: tuple[Turn, ...]) -> None:
        """Tell turns of another process, which the client may not have been told of."""
        for turn in turns[-_TOLD_AGAIN:]:
            self._tell(written(turn))

    # --- its end ---------------------------------------------------------------------------------

    def leave(self) -> None:
        """Send the client elsewhere once what it said is answered and written; then put the session away."""
        self._departure.begin(self._timing.rest_s)
        self._go_unattended()

    def tell_last(self, why: Leave, message: ServerMessage) -> None:
        """Let go of the connection, with a last message."""
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.leave(why, message)

    async def close(self) -> None:
        """End the conversation, write what waits, release everything. The session itself stays in the store."""
        self._departure.stop()
        tasks = [*self._tasks, *([] if self._opening is None else [self._opening])]
        for task in tasks:
            task.cancel()
        await self._watch.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._opening is not None:
            await self._upstream.stop()

    # --- within ----------------------------------------------------------------------------------

    def _at_rest(self) -> bool:
        return self._opening is None or (self._opening.done() and self._upstream.at_rest)

    def _grace_s(self) -> float:
        if not self._departure.begun:
            return self._timing.grace_s
        return 0.0 if self._at_rest() else self._timing.rest_s

    def _send_away(self) -> None:
        if self._outlet is not None:
            self._outlet.tell(told.ConnectionRefreshRequired(reason="draining"))

    def _go_unattended(self) -> None:
        if self._departure.begun and self._outlet is None and self._at_rest():
            self._watch.look_now()

    def _voice(self, configuration: Configuration | None = None) -> VoiceSettings:
        record, parts = self.record, self._parts
        try:
            return tuned(
                parts.voice,
                configuration or self._configuration,
                language=record.language,
                tier=QualityTier(record.quality_tier or QualityTier.STANDARD.value),
                model=parts.backend.model,
            )
        except KnownError as error:
            raise Denied(ErrorCode.INVALID_CONFIGURATION, error.what, error.advice) from error

    def _tell(self, item: Output) -> None:
        if isinstance(item, told.Turn | told.Transcript):
            self._watch.active()
        elif isinstance(item, Speech):
            self.told_bytes += len(item.pcm)
        lost = self.log.lost
        entry = self.log.add(item)
        if self.log.lost > lost:
            self._metrics.output_lost(self.log.lost - lost)
        if self._outlet is not None:
            self._outlet.put(entry)
        self._departure.look()
        self._go_unattended()

    async def _start(self) -> None:
        clock = self._parts.clock
        begun = clock.now()
        while True:
            try:
                await self._upstream.start()
            except KnownError as error:
                reason = error.reason.value
                _log.warning("session %s: the conversation could not be loaded: %s", self.label, reason)
                self._tell(told.CallStatusChanged(status=CallStatus.FAILED, reason=reason, session_id=self.session_id))
                await asyncio.sleep(_LOAD_AGAIN_S)
            else:
                self._metrics.history_loaded(clock.now() - begun)
                return

    def _when_open(self, do: Callable[[], None]) -> None:
        assert self._opening is not None
        if self._opening.done():
            do()
        else:
            self._opening.add_done_callback(lambda opening: None if opening.cancelled() else do())

    async def _pause(self, answer: Callable[[ServerMessage], None]) -> None:
        if self._opening is not None:
            await asyncio.wait({self._opening})
        await self._upstream.pause()
        answer(told.Paused())

    async def _resume(self, answer: Callable[[ServerMessage], None]) -> None:
        while self._upstream.status is not CallStatus.CONNECTED:
            await self._upstream.status_changed()
        answer(told.Resumed())

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=f"session-{self.label}-{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_TAKEN = Denied(ErrorCode.SESSION_TAKEN, "Another connection has taken the session.", "Go on there.").told(fatal=True)
