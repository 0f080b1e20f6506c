"""The voice service's side of a session: NovaDesk's own conversation core, which hears and speaks through the client.

Renewal, recovery, the replay of history, tools and the writing of turns are the core's.
"""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from novadesk.config import (
    AudioSettings,
    BackendSettings,
    EchoSetting,
    LimitSettings,
    SessionSettings,
    Settings,
    TalkModeSetting,
    TalkSettings,
    VoiceSettings,
)
from novadesk.conversation.api import Pause, Phase, Snapshot
from novadesk.conversation.controller import Controller
from novadesk.conversation.opening import make_setup
from novadesk.conversation.ports import Clock, Linker
from novadesk.conversation.toolbox import CurrentTime, Toolbox
from novadesk.conversation.witnesses import Witnesses
from novadesk.diagnostics.metrics import Meter
from novadesk.models import Role, Turn
from novadesk.protocol.envelope_server import CallStatusChanged, PipelineState
from novadesk.protocol.envelope_server import Turn as TurnWritten
from novadesk.protocol.envelope_values import CallStatus, Pipeline, Played, Services, ServiceState
from novadesk.server.gateway.archive import SessionArchive, before
from novadesk.server.gateway.narration import Narrator, Output
from novadesk.server.gateway.sound import ClientSound
from novadesk.server.gateway.state import SessionRecord, SessionStore
from novadesk.server.gateway.tracing import UNTRACED, Tracer

_log = logging.getLogger(__name__)

_REQUESTS = 256

OWED_MS = 120_000
"""How old a question may be that another process was asked and did not answer, and is asked again."""

_W, _X, _I, _C = ServiceState.WAITING, ServiceState.EXECUTING, ServiceState.IDLE, ServiceState.COMPLETE
_LISTENING = PipelineState(state=Pipeline.LISTENING, services=Services(stt=_X, llm=_W, tts=_W))
_THINKING = PipelineState(state=Pipeline.PROCESSING, services=Services(stt=_C, llm=_X, tts=_W))
_SPEAKING = PipelineState(state=Pipeline.PROCESSING, services=Services(stt=_X, llm=_C, tts=_X))
_ERROR = PipelineState(state=Pipeline.ERROR, services=Services(llm=ServiceState.ERROR))
_IDLE = PipelineState(state=Pipeline.IDLE, services=Services(stt=_I, llm=_I, tts=_I))

_STANDS: Mapping[Phase, tuple[CallStatus, PipelineState]] = {
    Phase.OFFLINE: (CallStatus.RECONNECTING, _IDLE),
    Phase.IDLE: (CallStatus.STARTING, _IDLE),
    Phase.CONNECTING: (CallStatus.STARTING, _IDLE),
    Phase.READY: (CallStatus.CONNECTED, _LISTENING),
    Phase.LISTENING: (CallStatus.CONNECTED, _LISTENING),
    Phase.THINKING: (CallStatus.CONNECTED, _THINKING),
    Phase.TOOL: (CallStatus.CONNECTED, _THINKING),
    Phase.SPEAKING: (CallStatus.CONNECTED, _SPEAKING),
    Phase.INTERRUPTED: (CallStatus.CONNECTED, _LISTENING),
    Phase.RENEWING: (CallStatus.RECONNECTING, _IDLE),
    Phase.RECONNECTING: (CallStatus.RECONNECTING, _IDLE),
    Phase.FAILED: (CallStatus.FAILED, _ERROR),
    Phase.ENDED: (CallStatus.ENDED, _IDLE),
}

_WORKING = frozenset({Phase.THINKING, Phase.TOOL})
_HEARING = frozenset({Phase.READY, Phase.LISTENING, Phase.INTERRUPTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamParts:
    """What every session's upstream is made of.

    Attributes:
        linker: makes links to the voice service.
        backend: model and region.
        limits: life of a wire session.
        voice: what sessions are begun with, before their own configuration.
        local_time: the local time with its zone, for the model's clock.
        on_kept: called when a turn reached the disk.
        tracer: makes spans.
    """

    linker: Linker
    clock: Clock
    store: SessionStore
    local_time: Callable[[], datetime]
    backend: BackendSettings = field(default_factory=BackendSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    voice: VoiceSettings = field(default_factory=VoiceSettings)
    meter: Meter | None = None
    on_kept: Callable[[], None] = lambda: None
    tracer: Tracer = UNTRACED


class Upstream:
    """One session's conversation.

    Args:
        parts: what it is made of.
        record: the session.
        voice: how wire sessions open.
        tell: takes all that is to be told, in order.
        on_lost: called when a turn is not written because somebody else serves the session by now.

    Attributes:
        status: where the call stands.
        turns: how many turns are written, what was said before the session included.
        last_turn: the newest of them.
        paused: nobody listens.
    """

    def __init__(
        self,
        parts: UpstreamParts,
        record: SessionRecord,
        voice: VoiceSettings,
        tell: Callable[[Output], None],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.status, self.turns, self.paused = CallStatus.STARTING, 0, False
        self.last_turn: Turn | None = None
        self._parts, self._record, self._tell, self._on_lost = parts, record, tell, on_lost
        self._pipeline: PipelineState | None = None
        self._reason = ""
        self._voice, self._started = voice, False
        self._typed: dict[str, Callable[[], None]] = {}  # by the id of the turn that it becomes
        self._same: deque[str] = deque(maxlen=_REQUESTS)  # of texts that another turn stands for
        self._changed = asyncio.Event()
        self._sound = ClientSound(parts.clock)
        self._narrator = Narrator(tell, self._sound.speech_began)
        self._controller = self._make_controller()

    def _make_controller(self) -> Controller:
        parts = self._parts
        toolbox = Toolbox([CurrentTime(parts.local_time)])
        settings = Settings(
            backend=replace(parts.backend, kind=parts.linker.kind),
            voice=self._voice,
            audio=AudioSettings(echo=EchoSetting.HEADSET),
            talk=TalkSettings(mode=TalkModeSetting.HANDS_FREE),
            session=SessionSettings(idle_s=0.0),
            limits=parts.limits,
        )
        return Controller(
            settings=settings,
            setup=lambda voice: make_setup(voice, toolbox if voice.tools else Toolbox()),
            linker=parts.linker,
            sound=self._sound,
            archive=SessionArchive(parts.store, self._record, parts.linker.kind, self._on_stored, self._on_lost),
            clock=parts.clock,
            toolbox=toolbox,
            publish=self._see,
            on_saved=lambda: None,
            on_quit=lambda: None,
            meter=parts.meter,
            witnesses=Witnesses(observer=self._narrator),
            levels=False,
        )

    # --- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load what was said and begin to open the link; what another process was asked last is asked again.

        Raises:
            KnownError: the store cannot be read.
        """
        await self._controller.start(handle=self._record.session_id)
        self._started = True
        snapshot = self._controller.snapshot()
        self.turns = snapshot.recovered_turns
        if snapshot.turns:
            self.last_turn = snapshot.turns[-1]
            if self._owes:
                self._controller.ask_again()
        if not self.paused:
            self._controller.connect()

    async def stop(self) -> None:
        """End the wire session and write what waits."""
        await self._controller.stop()
        self._sound.inlet.clear()

    # --- what the client does --------------------------------------------------------------------

    @property
    def at_rest(self) -> bool:
        """Return whether all that was said is answered and written, so that nothing is lost by going on elsewhere."""
        snapshot = self._controller.snapshot()
        talks = snapshot.unanswered or snapshot.phase in _WORKING
        return not (talks or self._typed or self._narrator.busy or self._owes)

    @property
    def _owes(self) -> bool:
        """Return whether the newest turn is a question of this session that has no answer yet."""
        last = self.last_turn
        if last is None or last.role is not Role.USER or last.wire_session == before(self._record.session_id):
            return False
        return self._parts.clock.unix_ms() - last.at_ms < OWED_MS

    @property
    def dropped(self) -> int:
        """Return how many microphone frames nobody will hear."""
        return self._sound.inlet.dropped

    @property
    def waiting_ms(self) -> int:
        """Return how much microphone sound waits."""
        return self._sound.inlet.waiting_ms

    def hear(self, pcm: bytes) -> None:
        """Take microphone sound: s16le mono at 16 kHz. While the call is paused nobody listens."""
        if not self.paused:
            self._sound.inlet.push(pcm)

    def end_of_speech(self) -> None:
        """Take that nothing more comes for now; silence follows by itself."""
        self._sound.inlet.finish()

    def heard(self, played: Played) -> None:
        """Take how much of a piece of speech the client has played; an answer of which it plays no more is cut there.

        What the service says of that one is told on, as it is to a speaker of one's own that was silenced.
        """
        known = self._sound.heard(played.content_id, played.samples)
        if known and played.last and self._controller.snapshot().phase is Phase.SPEAKING:
            self._controller.stop_speaking()

    def connection_changed(self) -> None:
        """Take that another connection speaks for the client, or none."""
        self._sound.connection_changed()

    def say(self, text: str, on_kept: Callable[[], None] = lambda: None, *, request_id: str | None = None) -> None:
        """Take typed text. One that is written, here or by another process, or waits for its answer is not asked twice.

        Args:
            text: what is said.
            on_kept: called once it is written where it survives the gateway.
            request_id: the client's own id of it.
        """
        text, turn_id = text.strip(), self._turn_id(request_id)
        if turn_id in self._typed:
            self._typed[turn_id] = on_kept
            return
        if not text or self._waits(text):
            self._same.append(turn_id)
        if self._has(turn_id):
            on_kept()
            return
        self._typed[turn_id] = on_kept
        self._narrator.unmute()
        self._controller.say(text, turn_id=turn_id)

    def has(self, request_id: str | None) -> bool:
        """Return whether a text was taken already, here or by another process."""
        turn_id = self._turn_id(request_id)
        return turn_id in self._typed or self._has(turn_id)

    def _turn_id(self, request_id: str | None) -> str:
        """Return the id of a typed turn; for the same request it is the same in every process."""
        if request_id is None:
            return str(uuid.uuid4())
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._record.session_id}/text/{request_id}"))

    def _has(self, turn_id: str) -> bool:
        return turn_id in self._same or any(turn.turn_id == turn_id for turn in self._controller.snapshot().turns)

    def _waits(self, text: str) -> bool:
        """Return whether the same text waits for its answer, under whatever id."""
        last, owed = self.last_turn, self._controller.snapshot().phase not in _HEARING
        return owed and last is not None and (last.role, last.text) == (Role.USER, text)

    def stop_answer(self) -> None:
        """Drop the running answer, or the one that is due."""
        self._narrator.mute()
        self._controller.stop_speaking()

    def listen(self, on: bool) -> None:
        """Open or close the ear; closed, silence is sent."""
        self._controller.set_muted(not on)

    async def pause(self) -> None:
        """End the wire session for a while, and return once it is over."""
        self.paused = True
        if self._started:
            await self._controller.pause()
            self._see(self._controller.snapshot())

    def resume(self) -> None:
        """Go on after a pause, or after a failure."""
        self.paused = False
        if self._started:
            self._controller.resume_conversation()
            self._controller.try_now()

    async def status_changed(self) -> None:
        """Return once the call stands somewhere else."""
        self._changed.clear()
        await self._changed.wait()

    def use(self, voice: VoiceSettings) -> bool:
        """Open wire sessions so from now on; return whether the one that is live, or is being opened, does."""
        changed = voice != self._voice
        self._voice = voice
        self._controller.use_voice(voice)
        return not changed or self.status is not CallStatus.CONNECTED

    # --- what there is to tell -------------------------------------------------------------------

    def _on_stored(self, turn: Turn) -> None:
        self.turns = max(self.turns, turn.position + 1)
        if self.last_turn is None or turn.position >= self.last_turn.position:
            self.last_turn = turn
        self._tell(written(turn))
        self._parts.on_kept()
        if (on_kept := self._typed.pop(turn.turn_id, None)) is not None:
            on_kept()

    def _see(self, snapshot: Snapshot) -> None:
        status, pipeline = _STANDS[snapshot.phase]
        if snapshot.pause in (Pause.PAUSING, Pause.PAUSED):
            status = CallStatus.PAUSED
        reason = snapshot.error.reason if snapshot.error is not None and status is not CallStatus.CONNECTED else ""
        if (status, reason) != (self.status, self._reason):
            self.status, self._reason = status, reason
            self._changed.set()
            self._tell(CallStatusChanged(status=status, reason=reason or None, session_id=self._record.session_id))
        if pipeline != self._pipeline:
            if self._pipeline == _SPEAKING and pipeline == _LISTENING:
                self._tell(PipelineState(state=Pipeline.COMPLETE, services=Services(stt=_C, llm=_C, tts=_C)))
            self._pipeline = pipeline
            self._tell(pipeline)


def written(turn: Turn) -> TurnWritten:
    """Return the message about a turn that is written."""
    return TurnWritten(
        turn_id=turn.turn_id,
        role=turn.role,
        text=turn.text,
        interrupted=turn.interrupted,
        heard_chars=turn.heard_chars,
        unconfirmed=turn.unconfirmed,
        at=turn.at_ms,
    )
