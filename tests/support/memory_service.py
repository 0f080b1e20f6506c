"""A service without I/O: the server side of the protocol core behind an in-memory link, told what to say."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from novadesk.errors import KnownError
from novadesk.models import BackendKind, Conversation, Turn
from novadesk.protocol.events import (
    AudioOutput,
    CompletionStart,
    ContentType,
    OutputEnd,
    OutputStart,
    Stage,
    StopReason,
    TextOutput,
    ToolUse,
    WireRole,
)
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.link import Accepted, Arrived, Closed, LinkMessage, Missed
from novadesk.protocol.session import NovaSession, Side
from novadesk.protocol.session_events import (
    AudioHeard,
    AudioOpened,
    HistoryGiven,
    SessionEvent,
    TextTyped,
    ToolAnswered,
    Violated,
)
from novadesk.protocol.transcript import TurnText


class MemoryLink:
    """One link; `service` sees what the client sent and speaks through it."""

    def __init__(self, refuse: KnownError | None, *, mute: bool, stuck: bool) -> None:
        self.session = NovaSession(Side.SERVER)
        self.expires_at_ms: int | None = None
        self.unheard_s = 0.0
        self.received: list[SessionEvent] = []
        self.closed = False
        self.finished = False
        self._refuse = refuse
        self._mute = mute
        self._stuck = stuck
        self._messages: asyncio.Queue[LinkMessage] = asyncio.Queue()
        self._ids = {"session_id": str(uuid4()), "prompt_name": "", "completion_id": str(uuid4())}
        self._began = False

    # --- the client's side ---

    async def open(self) -> None:
        await asyncio.sleep(0.01)
        if self._refuse is not None:
            raise self._refuse
        if self._stuck:
            await asyncio.Event().wait()
        if not self._mute:
            self._messages.put_nowait(Accepted())

    async def send(self, payload: bytes) -> None:
        self.session.receive(payload, asyncio.get_running_loop().time())
        events = self.session.events_received()
        self.received += events
        assert not [event for event in events if isinstance(event, Violated)], events

    async def receive(self) -> LinkMessage:
        message = await self._messages.get()
        if isinstance(message, Closed):
            self._messages.put_nowait(message)
        return message

    async def finish(self) -> None:
        self.finished = True
        self._messages.put_nowait(Closed(None))

    async def close(self) -> None:
        self.closed = True
        self._messages.put_nowait(Closed(None))

    # --- the service's side ---

    def accept(self) -> None:
        self._messages.put_nowait(Accepted())

    def end(self, failure: KnownError | None) -> None:
        self._messages.put_nowait(Closed(failure))

    def user_said(self, text: str) -> None:
        self._text(WireRole.USER, Stage.FINAL, text, StopReason.PARTIAL_TURN)

    def plan(self, text: str) -> None:
        self._text(WireRole.ASSISTANT, Stage.SPECULATIVE, text, StopReason.PARTIAL_TURN)

    def speak(self, samples: int, *, last: bool, sample: bytes = b"\x10\x01") -> None:
        content = str(uuid4())
        self._start(content, ContentType.AUDIO, WireRole.ASSISTANT, None)
        self._send(AudioOutput(**self._ids, content_id=content, pcm=sample * samples))
        stop = StopReason.END_TURN if last else StopReason.PARTIAL_TURN
        self._send(OutputEnd(**self._ids, content_id=content, type=ContentType.AUDIO, stop_reason=stop))

    def begin_speech(self) -> None:
        self._start(str(uuid4()), ContentType.AUDIO, WireRole.ASSISTANT, None)

    def spoken(self, text: str, *, last: bool) -> None:
        stop = StopReason.END_TURN if last else StopReason.PARTIAL_TURN
        self._text(WireRole.ASSISTANT, Stage.FINAL, text, stop)

    def tell(self, turn: TurnText) -> None:
        """Say what was written while no link told of it, as a gateway does."""
        self._messages.put_nowait(Missed(turn))

    def interrupt(self) -> None:
        self._text(WireRole.ASSISTANT, Stage.SPECULATIVE, '{ "interrupted" : true }', StopReason.INTERRUPTED)

    def answer(self, text: str, samples: int = 24_000) -> None:
        self.plan(text)
        self.speak(samples, last=True)
        self.spoken(text, last=True)

    def ask_tool(self, name: str, arguments: str) -> None:
        content = str(uuid4())
        self._start(content, ContentType.TOOL, WireRole.TOOL, None)
        self._send(
            ToolUse(**self._ids, content_id=content, tool_name=name, tool_use_id=str(uuid4()), content=arguments)
        )
        self._send(OutputEnd(**self._ids, content_id=content, type=ContentType.TOOL, stop_reason=StopReason.TOOL_USE))

    def tool_answers(self) -> list[str]:
        return [event.content for event in self.received if isinstance(event, ToolAnswered)]

    @property
    def listening(self) -> bool:
        return any(isinstance(event, AudioOpened) for event in self.received)

    def history(self) -> tuple[HistoryMessage, ...]:
        for event in self.received:
            if isinstance(event, HistoryGiven):
                return event.messages
        return ()

    def typed(self) -> list[str]:
        return [event.text for event in self.received if isinstance(event, TextTyped)]

    def heard(self) -> bytes:
        return b"".join(event.pcm for event in self.received if isinstance(event, AudioHeard))

    def _text(self, role: WireRole, stage: Stage, text: str, stop: StopReason) -> None:
        content = str(uuid4())
        self._start(content, ContentType.TEXT, role, stage)
        self._send(TextOutput(**self._ids, content_id=content, role=role, content=text))
        self._send(OutputEnd(**self._ids, content_id=content, type=ContentType.TEXT, stop_reason=stop))

    def _start(self, content: str, kind: ContentType, role: WireRole, stage: Stage | None) -> None:
        if not self._began:
            self._began = True
            self._send(CompletionStart(**self._ids))
        self._send(OutputStart(**self._ids, content_id=content, type=kind, role=role, stage=stage))

    def _send(self, event: object) -> None:
        self.session.send(event, asyncio.get_running_loop().time())  # type: ignore[arg-type]
        for payload in self.session.events_to_send():
            self._messages.put_nowait(Arrived(payload))


@dataclass
class MemoryLinker:
    """Makes links and keeps them; `refusals` are raised by the next opens, one each."""

    kind: BackendKind = BackendKind.PRACTICE
    refusals: list[KnownError | None] = field(default_factory=list)
    mutes: list[bool] = field(default_factory=list)
    stuck: list[bool] = field(default_factory=list)
    expiries_ms: list[int | None] = field(default_factory=list)
    links: list[MemoryLink] = field(default_factory=list)

    async def link(self) -> MemoryLink:
        refuse = self.refusals.pop(0) if self.refusals else None
        mute = self.mutes.pop(0) if self.mutes else False
        stuck = self.stuck.pop(0) if self.stuck else False
        link = MemoryLink(refuse, mute=mute, stuck=stuck)
        link.expires_at_ms = self.expiries_ms.pop(0) if self.expiries_ms else None
        self.links.append(link)
        return link

    @property
    def newest(self) -> MemoryLink:
        return self.links[-1]


class MemoryArchive:
    """The archive in a dictionary; `failures` are raised by the next writes, one each."""

    def __init__(self) -> None:
        self.rows: dict[str, Conversation] = {}
        self.stored: dict[str, list[Turn]] = {}
        self.open: str | None = None
        self.failures: list[KnownError] = []
        self.told_scenarios = 0

    async def create(self, conversation: Conversation) -> None:
        self.rows[conversation.handle] = conversation
        self.stored[conversation.handle] = []

    async def append(self, turn: Turn) -> Turn:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        turns = self.stored[turn.conversation]
        for at, old in enumerate(turns):
            if old.turn_id == turn.turn_id:
                if turn.replaces(old):
                    turns[at] = _placed(turn, at)
                return turns[at]
        turns.append(_placed(turn, len(turns)))
        return turns[-1]

    async def find(self, handle: str) -> Conversation | None:
        row = self.rows.get(handle)
        return None if row is None else _counted(row, len(self.stored[handle]))

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        return self.stored[handle][:before][-limit:]

    async def conversations(self, *, offset: int = 0, limit: int = 200) -> Sequence[Conversation]:
        return list(self.rows.values())[offset : offset + limit]

    async def current(self) -> str | None:
        return self.open

    async def set_current(self, handle: str | None) -> None:
        self.open = handle

    async def set_scenario(self, handle: str, scenario: str) -> None:
        self.told_scenarios += 1
        if self.failures:
            raise self.failures.pop(0)
        if handle in self.rows:
            self.rows[handle] = replace(self.rows[handle], scenario=scenario)

    async def pending(self) -> int:
        return 0


def _placed(turn: Turn, position: int) -> Turn:
    return replace(turn, position=position)


def _counted(row: Conversation, turns: int) -> Conversation:
    return replace(row, turns=turns)
