"""One wire session as the partner sees it: what the caller says comes in, what the service answers goes out."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypedDict
from uuid import uuid4

from novadesk.protocol.events import (
    AudioOutput,
    CompletionEnd,
    CompletionStart,
    ContentType,
    OutputEnd,
    OutputEvent,
    OutputStart,
    Sensitivity,
    Stage,
    StopReason,
    TextOutput,
    TokenCount,
    ToolSpec,
    ToolUse,
    Usage,
    UserSpeechEnd,
    WireRole,
)
from novadesk.protocol.history import HistoryMessage

_INTERRUPTED_MARK = '{ "interrupted" : true }'
_PIECE_S = 0.16
_MAX_HELD_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Heard:
    """Microphone audio of the caller: s16le mono at 16 kHz."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Typed:
    """A text that the caller typed."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolAnswered:
    """The caller's answer to a tool; `content` is JSON text."""

    tool_use_id: str
    content: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller is gone or done; nothing follows."""


type CallerEvent = Heard | Typed | ToolAnswered | HungUp


class _Ids(TypedDict):
    session_id: str
    prompt_name: str
    completion_id: str


class CallWire(Protocol):
    """What a call needs of its wire session."""

    def push(self, *events: OutputEvent) -> None:
        """Queue events for the caller."""
        ...

    async def drained(self) -> None:
        """Wait until the caller's connection has taken most of what is queued."""
        ...

    def fail(self, exception_type: str, message: str) -> None:
        """End the stream with an in-stream exception."""
        ...


class Partner(Protocol):
    """Whoever hears, thinks and speaks."""

    async def converse(self, call: "Call") -> None:
        """Hold one call until it is over; cancelled when the caller does not wait."""
        ...


type PartnerFactory = Callable[[], Partner]


class Call:
    """One wire session seen by the partner.

    Every sending method waits while the caller's connection is behind: a caller who reads slowly slows the partner
    down. The methods may be called from several tasks and cancelled at any time; after the end they do nothing.

    Attributes:
        voice: the voice id asked for.
        output_rate_hz: rate of the speech that the caller wants.
        sensitivity: how short a pause ends the caller's turn; None when the caller did not say.
        system_prompt: the prompt, verbatim.
        history: what was said before, in order.
        tools: what the partner may ask for.
    """

    def __init__(
        self,
        *,
        prompt_name: str,
        voice: str,
        output_rate_hz: int,
        sensitivity: Sensitivity | None,
        system_prompt: str,
        history: tuple[HistoryMessage, ...],
        tools: tuple[ToolSpec, ...],
        wire: CallWire,
    ) -> None:
        self.voice = voice
        self.output_rate_hz = output_rate_hz
        self.sensitivity = sensitivity
        self.system_prompt = system_prompt
        self.history = history
        self.tools = tools
        self._wire = wire
        self._session_id = str(uuid4())
        self._prompt_name = prompt_name
        self._completion_id = str(uuid4())
        self._started = False
        self._audio_id: str | None = None
        self._total = TokenCount()
        self._inbox: deque[CallerEvent] = deque()
        self._held_bytes = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._hung_up = False

    # --- what the partner hears -------------------------------------------------------------

    async def receive(self) -> CallerEvent:
        """Return what the caller did next; `HungUp` again and again once the call is over. Safe to cancel."""
        while not self._inbox:
            if self._hung_up:
                return HungUp()
            self._news.clear()
            await self._news.wait()
        event = self._inbox.popleft()
        self._held_bytes -= _size_bytes(event)
        self._room.set()
        return event

    # --- what the partner does --------------------------------------------------------------

    async def user_speech_ended(self) -> None:
        """Tell the caller that the end of the user's speech was heard."""
        await self._put(UserSpeechEnd(**self._ids()))

    async def user_said(self, text: str) -> None:
        """Send what the user was understood to say: a USER block, FINAL."""
        await self._put(*self._text(WireRole.USER, Stage.FINAL, text, StopReason.PARTIAL_TURN))

    async def plan(self, text: str) -> None:
        """Send a sentence before its speech: an ASSISTANT block, SPECULATIVE."""
        await self._put(*self._text(WireRole.ASSISTANT, Stage.SPECULATIVE, text, StopReason.PARTIAL_TURN))

    async def speak(self, pcm: bytes) -> None:
        """Send speech: s16le mono at `output_rate_hz`, in whole samples, of the sentence planned last."""
        piece_bytes = int(self.output_rate_hz * _PIECE_S) * 2
        for start in range(0, len(pcm), piece_bytes):
            events: list[OutputEvent] = []
            if self._audio_id is None:
                self._audio_id = str(uuid4())
                events.append(self._start(self._audio_id, ContentType.AUDIO, WireRole.ASSISTANT, None))
            piece = pcm[start : start + piece_bytes]
            await self._put(*events, AudioOutput(content_id=self._audio_id, pcm=piece, **self._ids()))

    async def speech_ended(self, *, last: bool) -> None:
        """End the block of speech: END_TURN when `last`, else PARTIAL_TURN. Nothing happens when none is open."""
        await self._put(*self._speech_end(StopReason.END_TURN if last else StopReason.PARTIAL_TURN))

    async def spoken(self, text: str, *, last: bool) -> None:
        """Send what was spoken: an ASSISTANT block, FINAL; END_TURN when `last`, else PARTIAL_TURN."""
        reason = StopReason.END_TURN if last else StopReason.PARTIAL_TURN
        await self._put(*self._text(WireRole.ASSISTANT, Stage.FINAL, text, reason))

    async def interrupted(self) -> None:
        """Tell the caller that the user spoke over the assistant: the text mark, then the end of the speech."""
        mark = self._text(WireRole.ASSISTANT, Stage.FINAL, _INTERRUPTED_MARK, StopReason.INTERRUPTED)
        await self._put(*mark, *self._speech_end(StopReason.END_TURN))

    async def use_tool(self, name: str, arguments_json: str) -> str:
        """Ask the caller for a tool and return the id under which `ToolAnswered` will come."""
        tool_use_id, content_id = str(uuid4()), str(uuid4())
        await self._put(
            self._start(content_id, ContentType.TOOL, WireRole.TOOL, None),
            ToolUse(
                content_id=content_id, tool_name=name, tool_use_id=tool_use_id, content=arguments_json, **self._ids()
            ),
            self._end(content_id, ContentType.TOOL, StopReason.TOOL_USE),
        )
        return tool_use_id

    async def report_usage(self, delta: TokenCount) -> None:
        """Report tokens used since the last report; the total is kept here."""
        total = self._total
        self._total = TokenCount(
            speech_in=total.speech_in + delta.speech_in,
            text_in=total.text_in + delta.text_in,
            speech_out=total.speech_out + delta.speech_out,
            text_out=total.text_out + delta.text_out,
        )
        await self._put(Usage(delta=delta, total=self._total, **self._ids()))

    async def fail(self, exception_type: str, message: str) -> None:
        """End the stream with an in-stream exception such as "modelStreamErrorException"."""
        self._wire.fail(exception_type, message)

    # --- what the wire session does ---------------------------------------------------------

    async def give(self, event: CallerEvent) -> None:
        """Hand an event to the partner; waits while the partner is far behind."""
        while self._held_bytes > _MAX_HELD_BYTES and not self._hung_up:
            self._room.clear()
            await self._room.wait()
        if self._hung_up:
            return
        self._inbox.append(event)
        self._held_bytes += _size_bytes(event)
        self._news.set()

    def hang_up(self) -> None:
        """Tell the partner, after what is still unread, that the call is over; nothing is sent from here on."""
        self._hung_up = True
        self._news.set()
        self._room.set()

    def begin(self) -> None:
        """Send completionStart, once."""
        if not self._started:
            self._started = True
            self._wire.push(CompletionStart(**self._ids()))

    def complete(self) -> None:
        """Send completionEnd after whatever block is open; nothing when nothing was begun."""
        if self._started:
            events = self._speech_end(StopReason.END_TURN)
            self._wire.push(*events, CompletionEnd(stop_reason=StopReason.END_TURN, **self._ids()))

    # --- inside -----------------------------------------------------------------------------

    def _ids(self) -> _Ids:
        return _Ids(session_id=self._session_id, prompt_name=self._prompt_name, completion_id=self._completion_id)

    async def _put(self, *events: OutputEvent) -> None:
        # A block is pushed in one step: cancelling the partner while it waits here cannot leave half a block behind.
        if self._hung_up or not events:
            await asyncio.sleep(0)  # a partner that goes on speaking must still be stoppable
            return
        self.begin()
        self._wire.push(*events)
        await self._wire.drained()

    def _text(self, role: WireRole, stage: Stage, text: str, reason: StopReason) -> tuple[OutputEvent, ...]:
        content_id = str(uuid4())
        return (
            self._start(content_id, ContentType.TEXT, role, stage),
            TextOutput(content_id=content_id, role=role, content=text, **self._ids()),
            self._end(content_id, ContentType.TEXT, reason),
        )

    def _start(self, content_id: str, kind: ContentType, role: WireRole, stage: Stage | None) -> OutputEvent:
        return OutputStart(
            content_id=content_id, type=kind, role=role, stage=stage, rate_hz=self.output_rate_hz, **self._ids()
        )

    def _end(self, content_id: str, kind: ContentType, reason: StopReason) -> OutputEvent:
        return OutputEnd(content_id=content_id, type=kind, stop_reason=reason, **self._ids())

    def _speech_end(self, reason: StopReason) -> tuple[OutputEvent, ...]:
        if self._audio_id is None:
            return ()
        content_id, self._audio_id = self._audio_id, None
        return (self._end(content_id, ContentType.AUDIO, reason),)


def _size_bytes(event: CallerEvent) -> int:
    match event:
        case Heard():
            return len(event.pcm) + 64
        case Typed():
            return len(event.text) + 64
        case ToolAnswered():
            return len(event.content) + 64
        case HungUp():
            return 0
