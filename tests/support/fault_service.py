"""A voice service in memory that listens, understands and answers by itself, and commits every fault on demand.

Every frame of speech says which utterance it belongs to, so that the service can write down what it heard, and a test
can tell what was said, heard, asked again, answered and stored. What a fault looks like from inside is read from
`fault_outcomes`, which the contract tests hold to the real transport.
"""

import asyncio
import json
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from novadesk.models import BackendKind, Role
from novadesk.protocol.events import (
    AudioOutput,
    CompletionStart,
    ContentType,
    OutputEnd,
    OutputEvent,
    OutputStart,
    Stage,
    StopReason,
    TextOutput,
    ToolUse,
    WireRole,
)
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.link import Accepted, Arrived, Closed, LinkMessage
from novadesk.protocol.session import NovaSession, Side
from novadesk.protocol.session_events import (
    AudioHeard,
    AudioOpened,
    HistoryGiven,
    PromptClosed,
    SessionEvent,
    TextTyped,
    ToolAnswered,
    Violated,
)
from novadesk.server.faults import SLOW_S, Fault
from tests.support.fault_outcomes import VOICE, Outcome, Place

CONNECT_S = 0.1
ACCEPT_S = 0.2
GOODBYE_S = 0.4
PAUSE_S = 0.3
UNDERSTAND_S = 0.3
THINK_S = 0.6
CONFIRM_S = 0.7
SPEECH_SAMPLES = 28_800
_FRAME_SAMPLES = 512
_FRAME_S = 0.032
_QUIET = b"A" * 64  # silence in base64

type Said = tuple[Role, str]


def make_frame(utterance: int, place: int) -> bytes:
    """Return 32 ms of speech that says which they are."""
    return struct.pack("<hh", utterance, place) + b"\x11\x11" * (_FRAME_SAMPLES - 2)


def question_of(utterance: int) -> str:
    """Return what the service understands of an utterance."""
    return f"Question {utterance}."


def answer_to(question: str) -> str:
    """Return what the service says."""
    return f"This is the answer to what you said, {question}"


class FaultyLink:
    """One link and the wire session on it: the client's side, the service's side, and what befalls it."""

    def __init__(self, service: "FaultyService", fate: Outcome | None, fault: Fault | None) -> None:
        self.service = service
        self.expires_at_ms = service.keys_expire_at_ms
        self.session = NovaSession(Side.SERVER)
        self.accepted = self.broken = self.closed = self.listening = self.leaving = False
        self.history: tuple[HistoryMessage, ...] | None = None
        self.frames: list[tuple[int, int]] = []
        self.typed: list[str] = []
        self._fate, self._fault = fate, fault
        self._deaf = self._taken_live = False
        self._gone_since: float | None = None
        self._blocked: Outcome | None = None
        self._slow_s = self._pipe_until = 0.0
        self._pipe: list[asyncio.TimerHandle] = []
        self._messages: asyncio.Queue[tuple[LinkMessage, tuple[Said, ...]]] = asyncio.Queue()
        self._timers: set[asyncio.TimerHandle] = set()
        self._ids = {"session_id": str(uuid4()), "prompt_name": "", "completion_id": str(uuid4())}
        self._began = False
        self._hearing: int | None = None
        self._silence_s = 0.0
        self._asked_tool: str | None = None

    @property
    def trying(self) -> bool:
        """Return whether the client still waits for this attempt; for a mute one not for ever."""
        return not (self.accepted or self._taken_live or self.broken or self.closed)

    @property
    def is_open(self) -> bool:
        """Return whether the service counts it as a wire session."""
        return self.accepted and not (self.broken or self.closed)

    @property
    def well(self) -> bool:
        """Return whether it is open, hears, and nothing is about to befall it."""
        return self.is_open and self.listening and not self._deaf and self._blocked is None and self._fate is None

    # --- the client's side ---

    @property
    def unheard_s(self) -> float:
        return 0.0 if self._gone_since is None else asyncio.get_running_loop().time() - self._gone_since

    async def open(self) -> None:
        await asyncio.sleep(CONNECT_S)
        self.service.count_attempts()
        if (error := self.service.out_of_reach) is not None:
            self.broken = True
            raise error.error()
        if self._fate is not None and self._fate.place is Place.AT_OPENING:
            self.broken = True
            raise self._fate.error()
        if self._fate is not None and self._fate.place is Place.BEFORE:
            self.befall(self._fate)
        else:
            self._later(ACCEPT_S, self._accept)

    async def send(self, payload: bytes) -> None:
        if self._blocked is not None:
            await asyncio.sleep(self._blocked.after_s)
            self.break_off(self._blocked)
        if self.broken or self.closed:
            raise VOICE[Fault.RESET_TCP].error()
        if self._deaf:
            self._taken_live = self._taken_live or b'"AUDIO"' in payload
            return
        if self.listening and _QUIET in payload and b"audioInput" in payload:
            self._hear_silence()
            return
        self.session.receive(payload, asyncio.get_running_loop().time())
        for event in self.session.events_received():
            self._hear(event)

    async def receive(self) -> LinkMessage:
        message, said = await self._messages.get()
        if not self.leaving:  # what comes after our goodbye is nobody's any more
            self.service.delivered += said
        if isinstance(message, Closed):
            self._messages.put_nowait((message, ()))
        return message

    async def finish(self) -> None:
        self.leaving = True
        if not self.broken and not self._deaf:
            self._pipe.append(
                asyncio.get_running_loop().call_later(GOODBYE_S, self._messages.put_nowait, (Closed(None), ()))
            )

    async def close(self) -> None:
        self.closed = True
        for timer in (*self._timers, *self._pipe):
            timer.cancel()
        self._timers.clear()
        self._messages.put_nowait((Closed(None), ()))

    def told_twice(self) -> set[str]:
        """Return what this wire session was told as history and asked as well: it would be answered again."""
        asked = {question_of(utterance) for utterance, _ in self.frames} | set(self.typed)
        return asked & {message.text for message in self.history or ()}

    # --- what befalls it ---

    def befall(self, outcome: Outcome, fault: Fault | None = None) -> None:
        """Have a fault befall this link now, or as soon as it has come that far."""
        if not self.listening and outcome.place in (Place.IN_STREAM, Place.NOWHERE):
            self._fate, self._fault = outcome, fault
            return
        self._fate = None
        match fault:
            case Fault.HALF_OPEN:
                self._deaf, self._gone_since = True, asyncio.get_running_loop().time()
                self._later(outcome.after_s, lambda: self.break_off(outcome))
            case Fault.SLOW_READER:
                self._blocked = outcome
            case Fault.SLOW_LINK:
                self._slow_s = SLOW_S
            case Fault.UNKNOWN_EVENT:
                self._put(Arrived(json.dumps({"event": {"somethingNew": {"detail": 1}}}).encode()))
            case _ if outcome.place is Place.NOWHERE:
                pass
            case _ if outcome.after_s:
                self._deaf = True  # its connection answers all the same
                self._later(outcome.after_s, lambda: self.break_off(outcome))
            case _:
                self.break_off(outcome)

    def break_off(self, outcome: Outcome | None) -> None:
        """End the link with an error, or in order for None; nothing more is said on it."""
        if not (self.broken or self.closed):
            self.broken = True
            self._messages.put_nowait((Closed(None if outcome is None else outcome.error()), ()))

    def say_late(self, question: str) -> None:
        """Push a whole answer although the link is over, as a network that delivers late would."""
        if not self.listening:
            return
        for timer in self._timers:
            timer.cancel()
        self.broken = False
        self._speak(question)
        self._confirm(question)
        self.broken = True

    # --- the service's side ---

    def interrupt(self) -> None:
        """Tell the client that the person spoke over the answer; the rest of it is not said."""
        self._cancel()
        self._text(WireRole.ASSISTANT, Stage.SPECULATIVE, '{ "interrupted" : true }', StopReason.INTERRUPTED)

    def _accept(self) -> None:
        if self.trying:
            self.service.count_open(self)
            self.accepted = True
            self._put(Accepted())

    def _hear(self, event: SessionEvent) -> None:
        match event:
            case Violated():
                raise AssertionError(f"the client broke the protocol: {event.message}")
            case HistoryGiven(messages=messages):
                self.history = messages
            case PromptClosed():
                self.leaving = True
            case AudioOpened():
                self.listening = True
                if self._fate is not None:
                    self.befall(self._fate, self._fault)
            case TextTyped(text=text):
                self.typed.append(text)
                self._later(THINK_S, lambda: self._answer(text))
            case ToolAnswered():
                if self._asked_tool is not None:
                    question, self._asked_tool = self._asked_tool, None
                    self._answer(question)
            case AudioHeard(pcm=pcm):
                self._hear_sound(pcm)
            case _:
                pass

    def _hear_sound(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), 2 * _FRAME_SAMPLES):
            utterance, place = struct.unpack_from("<hh", pcm, start)
            if utterance == 0:
                self._hear_silence()
                continue
            self.frames.append((utterance, place))
            if self._hearing is None:
                self._cancel()
            self._hearing, self._silence_s = utterance, 0.0

    def _hear_silence(self) -> None:
        self._silence_s += _FRAME_S
        if self._hearing is not None and self._silence_s >= PAUSE_S:
            utterance, self._hearing = self._hearing, None
            self._later(UNDERSTAND_S, lambda: self._understand(question_of(utterance)))

    def _understand(self, question: str) -> None:
        self._text(WireRole.USER, Stage.FINAL, question, StopReason.PARTIAL_TURN, (Role.USER, question))
        self._think(question)

    def _think(self, question: str) -> None:
        if self.service.uses_tool:
            self._later(THINK_S, lambda: self._ask_tool(question))
        else:
            self._later(THINK_S, lambda: self._answer(question))

    def _ask_tool(self, question: str) -> None:
        self._asked_tool = question
        content = str(uuid4())
        self._start(content, ContentType.TOOL, WireRole.TOOL, None)
        use = ToolUse(**self._ids, content_id=content, tool_name="slow", tool_use_id=str(uuid4()), content="{}")
        self._tell(use)
        self._tell(OutputEnd(**self._ids, content_id=content, type=ContentType.TOOL, stop_reason=StopReason.TOOL_USE))

    def _answer(self, question: str) -> None:
        self._speak(question)
        self._later(CONFIRM_S, lambda: self._confirm(question))

    def _speak(self, question: str) -> None:
        self._text(WireRole.ASSISTANT, Stage.SPECULATIVE, answer_to(question), StopReason.PARTIAL_TURN)
        content = str(uuid4())
        self._start(content, ContentType.AUDIO, WireRole.ASSISTANT, None)
        self._tell(AudioOutput(**self._ids, content_id=content, pcm=b"\x10\x01" * SPEECH_SAMPLES))
        self._tell(OutputEnd(**self._ids, content_id=content, type=ContentType.AUDIO, stop_reason=StopReason.END_TURN))

    def _confirm(self, question: str) -> None:
        text = answer_to(question)
        self._text(WireRole.ASSISTANT, Stage.FINAL, text, StopReason.END_TURN, (Role.ASSISTANT, text))

    def _text(self, role: WireRole, stage: Stage, text: str, stop: StopReason, said: Said | None = None) -> None:
        content = str(uuid4())
        self._start(content, ContentType.TEXT, role, stage)
        self._tell(TextOutput(**self._ids, content_id=content, role=role, content=text))
        self._tell(OutputEnd(**self._ids, content_id=content, type=ContentType.TEXT, stop_reason=stop), said)

    def _start(self, content: str, kind: ContentType, role: WireRole, stage: Stage | None) -> None:
        if not self._began:
            self._began = True
            self._tell(CompletionStart(**self._ids))
        self._tell(OutputStart(**self._ids, content_id=content, type=kind, role=role, stage=stage))

    def _tell(self, event: OutputEvent, said: Said | None = None) -> None:
        self.session.send(event, asyncio.get_running_loop().time())
        payloads = self.session.events_to_send()
        for payload in payloads:
            self._put(Arrived(payload), () if said is None or payload is not payloads[-1] else (said,))

    def _put(self, message: LinkMessage, said: tuple[Said, ...] = ()) -> None:
        if self.broken or self._deaf:
            return
        if not self._slow_s:
            self._messages.put_nowait((message, said))
            return
        loop = asyncio.get_running_loop()
        self._pipe_until = max(loop.time() + self._slow_s, self._pipe_until + 1e-6)  # nothing overtakes
        self._pipe.append(loop.call_at(self._pipe_until, self._messages.put_nowait, (message, said)))

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        def go() -> None:
            self._timers.discard(timer)
            if not (self.closed or self.broken):
                work()

        timer = asyncio.get_running_loop().call_later(seconds, go)
        self._timers.add(timer)

    def _cancel(self) -> None:
        """Drop what was about to be said, because the person speaks again."""
        if not self._deaf:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()


@dataclass
class FaultyService:
    """Makes links and keeps them; fits `Linker`.

    Attributes:
        most_open: how many wire sessions the client may have at once.
        coming: what befalls the next links, one each; None leaves one alone.
        out_of_reach: while it is set, nothing can be connected to.
        keys: while it is set, there are no usable keys: no link is even made.
        keys_expire_at_ms: when the keys of the next link expire, or None.
        uses_tool: ask for a tool before each answer.
        delivered: what the client received as FINAL, in order.
    """

    kind: BackendKind = BackendKind.PRACTICE
    most_open: int = 2
    coming: deque[tuple[Outcome, Fault | None]] = field(default_factory=deque)
    out_of_reach: Outcome | None = None
    keys: Outcome | None = None
    keys_expire_at_ms: int | None = None
    uses_tool: bool = False
    links: list[FaultyLink] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    delivered: list[Said] = field(default_factory=list)

    async def link(self) -> FaultyLink:
        """Make a link."""
        self.attempts.append(asyncio.get_running_loop().time())
        if self.keys is not None:
            raise self.keys.error()
        outcome, fault = self.coming.popleft() if self.coming else (None, None)
        self.links.append(FaultyLink(self, outcome, fault))
        return self.links[-1]

    def count_attempts(self) -> None:
        """Hold the client to one attempt at a time; one that it gave up may have a tick to end."""
        trying = sum(link.trying for link in self.links)
        assert trying <= 1, f"{trying} attempts at once"

    def count_open(self, link: FaultyLink) -> None:
        """Hold the client to the number of wire sessions it may have."""
        others = sum(other.is_open for other in self.links if other is not link)
        assert others < self.most_open, f"{others + 1} wire sessions at once"

    @property
    def live(self) -> list[FaultyLink]:
        """Return the open wire sessions, oldest first."""
        return [link for link in self.links if link.is_open]

    @property
    def carrier(self) -> FaultyLink | None:
        """Return the wire session that carries the conversation."""
        return next((link for link in self.live if link.listening), None)

    @property
    def trying(self) -> FaultyLink | None:
        """Return the attempt in flight."""
        return next((link for link in self.links if link.trying), None)

    @property
    def well(self) -> bool:
        """Return whether the newest wire session is sound and no trouble is on its way."""
        troubled = self.coming or self.out_of_reach is not None or self.keys is not None
        return self.carrier is not None and self.carrier.well and not troubled
