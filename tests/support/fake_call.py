"""The server's real `Call` on a wire that only remembers, and a worker that works at once: for tests of partners."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from novadesk.protocol.events import (
    AudioOutput,
    CompletionStart,
    ContentType,
    OutputEnd,
    OutputEvent,
    OutputStart,
    Sensitivity,
    Stage,
    StopReason,
    TextOutput,
    ToolSpec,
    ToolUse,
    Usage,
    UserSpeechEnd,
    WireRole,
)
from novadesk.protocol.history import HistoryMessage
from novadesk.server.call import Call, Heard, Partner, ToolAnswered, Typed
from novadesk.server.partner.worker import Worker

FRAME_BYTES = 1_024
FRAME_S = 0.032


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that the caller received, and when (seconds on the loop's clock since the call began)."""

    what: str
    text: str
    at_s: float


@dataclass
class FakeWire:
    """Notes what a partner sends as rows such as `final "Hello."`, `speech 4800`, `end END_TURN`."""

    rows: list[Row] = field(default_factory=list)
    failed: tuple[str, str] | None = None
    tool_use_ids: list[str] = field(default_factory=list)
    pcm: bytearray = field(default_factory=bytearray)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _began_s: float | None = None
    _stages: dict[str, Stage | None] = field(default_factory=dict)

    def push(self, *events: OutputEvent) -> None:
        now = asyncio.get_running_loop().time()
        self._began_s = now if self._began_s is None else self._began_s
        for event in events:
            for what, text in self._row(event):
                self.rows.append(Row(what, text, now - self._began_s))
        self._news.set()

    async def drained(self) -> None:
        await asyncio.sleep(0)

    def fail(self, exception_type: str, message: str) -> None:
        self.failed = (exception_type, message)
        self._news.set()

    def told(self, *kinds: str) -> list[tuple[str, str]]:
        """Return (what, text) of the rows of these kinds, of all but speech and usage when none are named."""
        return [
            (row.what, row.text)
            for row in self.rows
            if (row.what in kinds if kinds else row.what not in {"speech", "usage"})
        ]

    def texts(self, kind: str) -> list[str]:
        """Return the texts of one kind."""
        return [row.text for row in self.rows if row.what == kind]

    async def until(self, happened: Callable[["FakeWire"], bool], deadline_s: float = 30.0) -> None:
        """Wait until something is true of this wire."""
        async with asyncio.timeout(deadline_s):
            while not happened(self):
                self._news.clear()
                await self._news.wait()

    async def until_turn_ends(self, count: int = 1, deadline_s: float = 30.0) -> None:
        """Wait until so many answers have been spoken to their end."""
        await self.until(lambda wire: wire.texts("turn over").__len__() >= count, deadline_s)

    def _row(self, event: OutputEvent) -> list[tuple[str, str]]:
        match event:
            case OutputStart(type=ContentType.TEXT):
                self._stages[event.content_id] = event.stage
            case TextOutput(role=WireRole.USER):
                return [("user", event.content)]
            case TextOutput() if "interrupted" in event.content:
                return [("interrupted", "")]
            case TextOutput():
                final = self._stages[event.content_id] is Stage.FINAL
                return [("final" if final else "plan", event.content)]
            case AudioOutput():
                self.pcm += event.pcm
                return [("speech", str(len(event.pcm)))]
            case OutputEnd(type=ContentType.AUDIO):
                return [("speech end", event.stop_reason.value)]
            case OutputEnd(type=ContentType.TEXT, stop_reason=StopReason.END_TURN):
                return [("turn over", "")]
            case ToolUse():
                self.tool_use_ids.append(event.tool_use_id)
                return [("tool", event.tool_name)]
            case Usage():
                return [("usage", str(event.delta))]
            case UserSpeechEnd():
                return [("user speech end", "")]
            case CompletionStart() | OutputStart() | OutputEnd():
                pass
            case _:
                return [(type(event).__name__, "")]
        return []


@dataclass
class Phone:
    """A call in progress with a partner at its other end."""

    call: Call
    wire: FakeWire
    partner: asyncio.Task[None]

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.call.give(Typed(text))

    async def speak(self, pcm: bytes) -> None:
        """Give microphone audio at once, cut into frames."""
        for start in range(0, len(pcm), FRAME_BYTES):
            await self.call.give(Heard(pcm[start : start + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")))

    async def speak_in_real_time(self, pcm: bytes) -> None:
        """Give microphone audio as a microphone does."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for start in range(0, len(pcm), FRAME_BYTES):
            await self.call.give(Heard(pcm[start : start + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")))
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def answer_tool(self, content: str, index: int = -1) -> None:
        """Answer a tool use."""
        await self.call.give(ToolAnswered(self.wire.tool_use_ids[index], content))

    async def hang_up(self) -> None:
        """End the call; raises what the partner raised."""
        self.call.hang_up()
        async with asyncio.timeout(60):
            await self.partner

    async def drop(self) -> None:
        """Cancel the partner as a server does that can not wait."""
        self.call.hang_up()
        self.partner.cancel()
        await asyncio.gather(self.partner, return_exceptions=True)


def ring(
    partner: Partner,
    *,
    voice: str = "matthew",
    output_rate_hz: int = 24_000,
    sensitivity: Sensitivity | None = None,
    history: tuple[HistoryMessage, ...] = (),
    tools: tuple[ToolSpec, ...] = (),
    system_prompt: str = "Be kind.",
) -> Phone:
    """Begin a call."""
    wire = FakeWire()
    call = Call(
        prompt_name="prompt",
        voice=voice,
        output_rate_hz=output_rate_hz,
        sensitivity=sensitivity,
        system_prompt=system_prompt,
        history=history,
        tools=tools,
        wire=wire,
    )
    return Phone(call, wire, asyncio.create_task(partner.converse(call)))


class InlineWorker(Worker):
    """Does each job on the spot, so that a virtual clock stays exact."""

    async def run[T](self, job: Callable[[], T]) -> T:
        await asyncio.sleep(0)
        return job()

    async def close(self, last: Callable[[], object] | None = None) -> None:
        if last is not None:
            last()
