"""What the client does at each input of the transition table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from novadesk.errors import BugError
from novadesk.protocol.core import Core, Refused
from novadesk.protocol.events import (
    AudioInput,
    AudioOutput,
    AudioStart,
    CompletionEnd,
    CompletionStart,
    ContentEnd,
    ContentType,
    OutputEnd,
    OutputStart,
    PromptEnd,
    PromptStart,
    SessionEnd,
    SessionStart,
    Stage,
    StopReason,
    TextInput,
    TextOutput,
    TextStart,
    ToolResult,
    ToolStart,
    ToolUse,
    UnknownEvent,
    Usage,
    UserSpeechEnd,
    WireRole,
)
from novadesk.protocol.fields import is_json_object, parse
from novadesk.protocol.history import HistoryMessage, pieces, shape
from novadesk.protocol.limits import Limits
from novadesk.protocol.session_events import (
    Completed,
    Interrupted,
    SpeechEnded,
    SpeechReceived,
    TextPlanned,
    TextSpoken,
    ToolRequested,
    TurnEnded,
    UsageReported,
    UserSpeechEnded,
    UserTextReceived,
)
from novadesk.protocol.turns import TurnTracker

_NEUTRAL_PROMPT = "You are a friendly partner in a spoken conversation. Answer briefly."
"""Stands in for a blank system prompt: the wire needs one before anything else."""

_INTERRUPTED_MARKER = {"interrupted": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is fixed for the life of a wire session."""

    session: SessionStart
    prompt: PromptStart
    system_prompt: str


@dataclass(frozen=True, slots=True)
class ToolReply:
    """The argument of SEND_TOOL_RESULT."""

    tool_use_id: str
    json_text: str


@dataclass(slots=True)
class _Block:
    """An output block that has begun. `stale` speech was interrupted and must not be heard any more."""

    type: ContentType
    role: WireRole
    stage: Stage | None = None
    texts: list[str] = field(default_factory=list)
    tools: list[ToolUse] = field(default_factory=list)
    half_sample: bytes = b""
    stale: bool = False

    @property
    def planned(self) -> bool:
        """Tell whether this is text that is not said yet. Text of an assistant without a stage counts as said."""
        return self.stage is Stage.SPECULATIVE


class ClientRules(Core):
    """The client's side of one wire session."""

    def __init__(self, limits: Limits, new_id: Callable[[], str]) -> None:
        super().__init__(limits, new_id)
        self._prompt_name = ""
        self._audio_name = ""
        self._waiting_texts: list[str] = []
        self._texts_from = 0.0
        self._blocks: dict[str, _Block] = {}
        self._tools_owed: set[str] = set()
        self._tools_seen: set[str] = set()
        self._turns = TurnTracker()

    @property
    def text_due(self) -> float | None:
        """Return when waiting texts may go out, once audio is open."""
        return self._texts_from if self._waiting_texts else None

    # --- commands ----------------------------------------------------------------------------

    def start(self, setup: Setup, _now: float) -> None:
        """Write session, prompt and system prompt."""
        self._prompt_name = setup.prompt.prompt_name
        self.write(setup.session)
        self.write(setup.prompt)
        self._write_text(WireRole.SYSTEM, setup.system_prompt.strip() or _NEUTRAL_PROMPT, interactive=False)

    def accept(self, _argument: None, _now: float) -> None:
        """Take HTTP 200: only the state changes. Audio before it is refused under load as an unfinished history."""

    def open_audio(self, history: Sequence[HistoryMessage], now: float) -> None:
        """Write the history, which nothing but this moment allows, and open the one audio block."""
        for message in shape(history, self.limits):
            # Interactive history is answered anew, or refused after a few messages.
            self._write_text(message.role, message.text, interactive=False)
        self._audio_name = self.new_id()
        self._texts_from = now + self.limits.text_gap_s
        self.write(
            AudioStart(prompt_name=self._prompt_name, content_name=self._audio_name, rate_hz=self.limits.input_rate_hz)
        )

    def send_audio(self, pcm: bytes, now: float) -> None:
        """Write a frame; texts that have become due go first."""
        if self._waiting_texts and now >= self._texts_from:
            self.write_waiting_texts(None, now)
        if pcm:
            self.write(AudioInput(prompt_name=self._prompt_name, content_name=self._audio_name, pcm=pcm))

    def hold_text(self, text: str, _now: float) -> None:
        """Keep a typed text until audio is open."""
        if text.strip():
            self._waiting_texts.append(text)

    def send_text(self, text: str, now: float) -> None:
        """Write a typed text, unless audio opened only just now."""
        self.hold_text(text, now)
        if now >= self._texts_from:
            self.write_waiting_texts(None, now)

    def write_waiting_texts(self, _argument: None, _now: float) -> None:
        """Write every waiting text, each block whole: an audio frame inside of one ends the session."""
        for text in self._waiting_texts:
            self._write_text(WireRole.USER, text, interactive=True)
        self._waiting_texts.clear()

    def send_tool_result(self, reply: ToolReply, _now: float) -> None:
        """Write the answer of a requested tool, the block whole.

        Raises:
            BugError: the tool was not requested here or is answered already, or the answer is no JSON object.
        """
        if reply.tool_use_id not in self._tools_owed:
            raise BugError("A tool result needs a tool request of the same wire session that is not answered yet.")
        if not is_json_object(reply.json_text):
            raise BugError("A tool result must be the JSON text of an object.")
        self._tools_owed.discard(reply.tool_use_id)
        name, prompt_name = self.new_id(), self._prompt_name
        self.write(ToolStart(prompt_name=prompt_name, content_name=name, tool_use_id=reply.tool_use_id))
        self.write(ToolResult(prompt_name=prompt_name, content_name=name, content=reply.json_text))
        self.write(ContentEnd(prompt_name=prompt_name, content_name=name))

    def end_open(self, _argument: None, now: float) -> None:
        """Close audio, prompt and session, in this order: a skipped end leaks resources of the service."""
        self.write(ContentEnd(prompt_name=self._prompt_name, content_name=self._audio_name))
        self.end_early(None, now)

    def end_early(self, _argument: None, _now: float) -> None:
        """Close prompt and session; audio was never open."""
        self._waiting_texts.clear()
        self.write(PromptEnd(prompt_name=self._prompt_name))
        self.write(SessionEnd())

    def end_unstarted(self, _argument: None, _now: float) -> None:
        """End before anything was sent: nothing to write."""

    def close(self, _argument: None, _now: float) -> None:
        """Deliver what unfinished blocks already confirmed: the link is over."""
        self._waiting_texts.clear()
        for content_id, block in self._blocks.items():
            if block.type is ContentType.TEXT:
                self._finish_text(content_id, block, StopReason.PARTIAL_TURN)
        self._blocks.clear()

    def _write_text(self, role: WireRole, text: str, *, interactive: bool) -> None:
        name, prompt_name = self.new_id(), self._prompt_name
        self.write(TextStart(prompt_name=prompt_name, content_name=name, role=role, interactive=interactive))
        for piece in pieces(text, self.limits):
            self.write(TextInput(prompt_name=prompt_name, content_name=name, content=piece))
        self.write(ContentEnd(prompt_name=prompt_name, content_name=name))

    # --- events of the service ---------------------------------------------------------------

    def on_completion_start(self, _event: CompletionStart, _now: float) -> None:
        """Take completionStart: nothing follows from it."""

    def on_content_start(self, event: OutputStart, _now: float) -> None:
        """Register a block."""
        block = _Block(event.type, event.role, event.stage)
        self._blocks[event.content_id] = block
        if block.type is ContentType.AUDIO:
            self._turns.open_audio(event.content_id)
        elif block.type is ContentType.TOOL or (block.role is WireRole.ASSISTANT and block.planned):
            self._end_turn_if(self._turns.begin())
        elif block.role is WireRole.USER:
            self._end_turn_if(self._turns.move_on())

    def on_text_output(self, event: TextOutput, now: float) -> None:
        """Take text; planned text is told at once, final text when its block ends."""
        if parse(event.content) == _INTERRUPTED_MARKER:
            self._interrupt()
            return
        block = self._blocks.get(event.content_id)
        if block is None:
            block = self._blocks[event.content_id] = _Block(ContentType.TEXT, event.role)
        if block.planned:
            if block.role is WireRole.ASSISTANT:
                self._turns.plan(event.content_id, event.content)
                self.tell(TextPlanned(event.content_id, event.content))
        elif block.role in (WireRole.USER, WireRole.ASSISTANT):
            block.texts.append(event.content)
        else:
            self.on_unknown(UnknownEvent(name="textOutput"), now)

    def on_audio_output(self, event: AudioOutput, _now: float) -> None:
        """Hand on speech in whole samples; drop what an interruption made stale."""
        block = self._blocks.get(event.content_id)
        if block is None:
            block = self._blocks[event.content_id] = _Block(ContentType.AUDIO, WireRole.ASSISTANT)
            self._turns.open_audio(event.content_id)
        if block.stale:
            self.counters["stale_audio"] += 1
            return
        pcm = block.half_sample + event.pcm
        whole = len(pcm) - len(pcm) % 2
        block.half_sample = pcm[whole:]
        if whole:
            self.tell(SpeechReceived(event.content_id, pcm[:whole]))

    def on_tool_use(self, event: ToolUse, _now: float) -> None:
        """Keep a tool request until its block ends."""
        block = self._blocks.setdefault(event.content_id, _Block(ContentType.TOOL, WireRole.TOOL))
        block.tools.append(event)

    def on_content_end(self, event: OutputEnd, _now: float) -> None:
        """Finish a block."""
        block = self._blocks.pop(event.content_id, None) or _Block(event.type, WireRole.SYSTEM)
        if block.type is ContentType.TEXT:
            self._finish_text(event.content_id, block, event.stop_reason)
        elif block.type is ContentType.AUDIO:
            self.tell(SpeechEnded(event.content_id, event.stop_reason))
            self._end_turn_if(self._turns.close_audio(event.content_id, event.stop_reason))
        for tool in block.tools:
            if tool.tool_use_id not in self._tools_seen:
                self._tools_seen.add(tool.tool_use_id)
                self._tools_owed.add(tool.tool_use_id)
                self.tell(ToolRequested(tool.tool_use_id, tool.tool_name, tool.content))
        if event.stop_reason is StopReason.INTERRUPTED:
            self._interrupt()

    def on_usage(self, event: Usage, _now: float) -> None:
        """Hand on the token counts."""
        self.tell(UsageReported(event.delta, event.total))

    def on_user_speech_end(self, _event: UserSpeechEnd, _now: float) -> None:
        """Hand on the end of the user's speech."""
        self.tell(UserSpeechEnded())

    def on_completion_end(self, event: CompletionEnd, _now: float) -> None:
        """Hand on the end of the prompt."""
        self._end_turn_if(self._turns.move_on())
        self.tell(Completed(event.stop_reason))

    def on_malformed(self, _argument: None, _now: float) -> None:
        """Close: the stream's bytes cannot be trusted any more; a new connection can."""
        self.counters["malformed"] += 1
        self.close(None, _now)
        raise Refused("Invalid event bytes")

    def _finish_text(self, content_id: str, block: _Block, stop_reason: StopReason) -> None:
        text = "".join(block.texts).strip()
        if block.planned:
            return
        if block.role is WireRole.USER and text:
            self._turns.hear_user()
            self.tell(UserTextReceived(content_id, text))
        elif block.role is WireRole.ASSISTANT:
            if text:
                self.tell(TextSpoken(content_id, text, stop_reason))
            if text or stop_reason is not StopReason.INTERRUPTED:
                self._end_turn_if(self._turns.speak(text, stop_reason))

    def _interrupt(self) -> None:
        for block in self._blocks.values():
            block.stale |= block.type is ContentType.AUDIO
        if self._turns.interrupt():
            self.tell(Interrupted())

    def _end_turn_if(self, over: bool) -> None:
        if over:
            self.tell(TurnEnded())
