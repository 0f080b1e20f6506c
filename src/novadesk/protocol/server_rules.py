"""What the service's side does at each input of the transition table, and in which words it refuses."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from novadesk.errors import BugError
from novadesk.protocol.core import Core, Refused
from novadesk.protocol.events import (
    AudioInput,
    AudioOutput,
    AudioStart,
    ContentEnd,
    ContentType,
    InputEvent,
    OutputEnd,
    OutputEvent,
    OutputStart,
    PromptEnd,
    PromptStart,
    SessionEnd,
    SessionStart,
    TextInput,
    TextOutput,
    TextStart,
    ToolResult,
    ToolStart,
    ToolUse,
    UnknownEvent,
    WireRole,
)
from novadesk.protocol.fields import is_json_object
from novadesk.protocol.history import HistoryMessage
from novadesk.protocol.limits import Limits
from novadesk.protocol.session_events import (
    AudioClosed,
    AudioHeard,
    AudioOpened,
    HistoryGiven,
    LifeEnded,
    PromptClosed,
    PromptOpened,
    SessionClosed,
    SessionOpened,
    SilenceEnded,
    SystemPromptGiven,
    TextTyped,
    ToolAnswered,
)
from novadesk.protocol.states import Input, State

# The service's own words, as its users quote them in bug reports.
UNREADABLE = "Unable to parse input chunk"
LATE_HISTORY = "Chat history should be sent completely before streaming audio."
BAD_TOOL_RESULT = "Tool Response parsing error"
INVALID = "Invalid input request, please fix your input and try again"
LIFE_OVER = "Model has timed out in processing the request. Try your request again."
# The figure is part of the text even where a test shortens `Limits.silence_s`: clients know the cause by it.
SILENCE_OVER = "Timed out waiting for audio or interactive content: no input for 55 seconds"

_TEXT_BLOCKS = frozenset(
    {State.SYSTEM_BLOCK, State.HISTORY_BLOCK, State.ASKED_BLOCK, State.OPEN_BLOCK, State.AUDIO_CLOSED_BLOCK}
)


@dataclass(slots=True)
class _Block:
    """An input block that has begun."""

    type: ContentType
    role: WireRole
    interactive: bool
    tool_use_id: str = ""
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the pieces joined."""
        return "".join(self.texts)


class ServerRules(Core):
    """The service's side of one wire session."""

    def __init__(self, limits: Limits, new_id: Callable[[], str]) -> None:
        super().__init__(limits, new_id)
        self._prompt: PromptStart | None = None
        self._blocks: dict[str, _Block] = {}
        self._history: list[HistoryMessage] = []
        self._history_bytes = 0
        self._tools_owed: set[str] = set()
        self._outputs: dict[str, ContentType] = {}
        self.life_due: float | None = None
        self.silence_due: float | None = None

    # --- which input an event is -------------------------------------------------------------

    def classify(self, event: InputEvent) -> Input:
        """Return the table's input for an event of the client."""
        match event:
            case SessionStart():
                return Input.GOT_SESSION_START
            case PromptStart():
                return Input.GOT_PROMPT_START
            case SessionEnd():
                return Input.GOT_SESSION_END
            case UnknownEvent():
                return Input.GOT_UNKNOWN
            case _ if self._prompt is None or event.prompt_name != self._prompt.prompt_name:
                return Input.GOT_STRAY_PROMPT
            case PromptEnd():
                return Input.GOT_PROMPT_END
            case TextStart() | AudioStart() | ToolStart():
                return self._classify_start(event)
            case TextInput() | AudioInput() | ToolResult():
                return self._classify_content(event)
            case ContentEnd():
                block = self._blocks.get(event.content_name)
                return Input.GOT_STRAY_CONTENT if block is None else _ENDS[block.type]

    def _classify_start(self, event: TextStart | AudioStart | ToolStart) -> Input:
        if event.content_name in self._blocks:
            return Input.GOT_UNFIT_START
        match event:
            case AudioStart():
                return Input.GOT_AUDIO_START
            case ToolStart():
                return Input.GOT_TOOL_START
            case TextStart(role=WireRole.SYSTEM):
                return Input.GOT_SYSTEM_START
            case TextStart(role=WireRole.SYSTEM_SPEECH):
                return Input.GOT_SPEECH_PROMPT_START
            case TextStart(role=WireRole.USER, interactive=True):
                return Input.GOT_TYPED_START
            case TextStart(role=WireRole.USER | WireRole.ASSISTANT, interactive=False):
                return Input.GOT_HISTORY_START
            case _:
                return Input.GOT_UNFIT_START

    def _classify_content(self, event: TextInput | AudioInput | ToolResult) -> Input:
        block = self._blocks.get(event.content_name)
        match event:
            case TextInput():
                wanted, kind = ContentType.TEXT, Input.GOT_TEXT_INPUT
            case AudioInput():
                wanted, kind = ContentType.AUDIO, Input.GOT_AUDIO_INPUT
            case ToolResult():
                wanted, kind = ContentType.TOOL, Input.GOT_TOOL_RESULT
        return kind if block is not None and block.type is wanted else Input.GOT_STRAY_CONTENT

    # --- events of the client ----------------------------------------------------------------

    def on_session_start(self, event: SessionStart, now: float) -> None:
        """Open the session; both clocks start."""
        self.life_due = now + self.limits.connection_s
        self._hear_sign_of_life(now)
        self.tell(SessionOpened(event))

    def on_prompt_start(self, event: PromptStart, _now: float) -> None:
        """Open the prompt."""
        self._prompt = event
        self.tell(PromptOpened(event))

    def on_text_start(self, event: TextStart, now: float) -> None:
        """Open a text block."""
        self._blocks[event.content_name] = _Block(ContentType.TEXT, event.role, event.interactive)
        if event.interactive:
            self._hear_sign_of_life(now)

    def on_history_start(self, event: TextStart, now: float) -> None:
        """Open a history message: the user's first, then by turns."""
        awaited = WireRole.USER
        if self._history and self._history[-1].role is WireRole.USER:
            awaited = WireRole.ASSISTANT
        if event.role is not awaited:
            raise Refused(INVALID)
        self.on_text_start(event, now)

    def on_first_typed_start(self, event: TextStart, now: float) -> None:
        """Open interactive text before audio: the history is complete."""
        self.tell(HistoryGiven(tuple(self._history)))
        self.on_text_start(event, now)

    def on_first_audio_start(self, event: AudioStart, now: float) -> None:
        """Open audio: the history is complete."""
        self.tell(HistoryGiven(tuple(self._history)))
        self.on_audio_start(event, now)

    def on_audio_start(self, event: AudioStart, now: float) -> None:
        """Open audio after interactive text."""
        self._blocks[event.content_name] = _Block(ContentType.AUDIO, WireRole.USER, interactive=True)
        self._hear_sign_of_life(now)
        self.tell(AudioOpened(event.rate_hz))

    def on_tool_start(self, event: ToolStart, _now: float) -> None:
        """Open the block of a requested tool's result."""
        if event.tool_use_id not in self._tools_owed:
            raise Refused(INVALID)
        self._tools_owed.discard(event.tool_use_id)
        block = _Block(ContentType.TOOL, WireRole.TOOL, interactive=False, tool_use_id=event.tool_use_id)
        self._blocks[event.content_name] = block

    def on_text_input(self, event: TextInput, now: float) -> None:
        """Take a piece of text."""
        block = self._blocks[event.content_name]
        block.texts.append(event.content)
        if block.interactive:
            self._hear_sign_of_life(now)

    def on_history_input(self, event: TextInput, now: float) -> None:
        """Take a piece of history, within the documented sizes."""
        size_bytes = len(event.content.encode())
        self._history_bytes += size_bytes
        if size_bytes > self.limits.text_bytes or self._history_bytes > self.limits.history_bytes:
            raise Refused(INVALID)
        self.on_text_input(event, now)

    def on_audio_input(self, event: AudioInput, now: float) -> None:
        """Hand on microphone audio."""
        self._hear_sign_of_life(now)
        self.tell(AudioHeard(event.pcm))

    def on_tool_result(self, event: ToolResult, _now: float) -> None:
        """Take a piece of a tool's result."""
        self._blocks[event.content_name].texts.append(event.content)

    def on_system_end(self, event: ContentEnd, _now: float) -> None:
        """Finish a system prompt; a speech prompt is accepted and not used."""
        block = self._blocks.pop(event.content_name)
        if block.role is WireRole.SYSTEM:
            self.tell(SystemPromptGiven(block.text))

    def on_history_end(self, event: ContentEnd, _now: float) -> None:
        """Finish a history message."""
        block = self._blocks.pop(event.content_name)
        self._history.append(HistoryMessage(block.role, block.text))

    def on_typed_end(self, event: ContentEnd, _now: float) -> None:
        """Finish interactive text."""
        block = self._blocks.pop(event.content_name)
        if block.text.strip():
            self.tell(TextTyped(block.text))

    def on_audio_end(self, event: ContentEnd, _now: float) -> None:
        """Close audio."""
        del self._blocks[event.content_name]
        self.tell(AudioClosed())

    def on_tool_end(self, event: ContentEnd, _now: float) -> None:
        """Finish a tool's result: it must be the JSON text of an object."""
        block = self._blocks.pop(event.content_name)
        if not is_json_object(block.text):
            raise Refused(BAD_TOOL_RESULT)
        self.tell(ToolAnswered(block.tool_use_id, block.text))

    def on_prompt_end(self, _event: PromptEnd, _now: float) -> None:
        """Close the prompt, and what clients that close less carefully left open."""
        if any(block.type is ContentType.AUDIO for block in self._blocks.values()):
            self.tell(AudioClosed())
        self._blocks.clear()
        self._prompt = None
        self.silence_due = None
        self.tell(PromptClosed())

    def on_session_end(self, _event: SessionEnd, _now: float) -> None:
        """Close the session after its prompt."""
        self.silence_due = None
        self.tell(SessionClosed())

    def on_hasty_session_end(self, event: SessionEnd, now: float) -> None:
        """Close the session together with its prompt, which the client left open."""
        self.on_prompt_end(PromptEnd(prompt_name=""), now)
        self.on_session_end(event, now)

    def on_malformed(self, _argument: None, _now: float) -> None:
        """Refuse what is no event."""
        self.counters["malformed"] += 1
        raise Refused(UNREADABLE)

    # --- commands and clocks -----------------------------------------------------------------

    def send(self, event: OutputEvent, _now: float) -> None:
        """Write an event of the service.

        Raises:
            BugError: content outside of a block of its type, a block begun twice, or arguments that are no JSON object.
        """
        match event:
            case OutputStart():
                if event.content_id in self._outputs:
                    raise BugError("An output block with this contentId is open already.")
                self._outputs[event.content_id] = event.type
                if event.type is ContentType.AUDIO and self._prompt is not None:
                    event = replace(event, rate_hz=self._prompt.output_rate_hz)
            case TextOutput():
                self._demand(event.content_id, ContentType.TEXT)
            case AudioOutput():
                self._demand(event.content_id, ContentType.AUDIO)
            case ToolUse():
                self._demand(event.content_id, ContentType.TOOL)
                if not is_json_object(event.content):
                    raise BugError("Tool arguments must be the JSON text of an object.")
                self._tools_owed.add(event.tool_use_id)
            case OutputEnd():
                self._demand(event.content_id, event.type)
                del self._outputs[event.content_id]
            case _:
                pass
        self.write(event)

    def end_life(self, _argument: None, _now: float) -> None:
        """End at the connection's age limit."""
        self.tell(LifeEnded(LIFE_OVER))

    def end_silence(self, _argument: None, _now: float) -> None:
        """End for want of audio and interactive content."""
        self.tell(SilenceEnded(SILENCE_OVER))

    def close(self, _argument: None, _now: float) -> None:
        """Take the link's end: only the state changes."""

    def _hear_sign_of_life(self, now: float) -> None:
        self.silence_due = now + self.limits.silence_s

    def _demand(self, content_id: str, kind: ContentType) -> None:
        if self._outputs.get(content_id) is not kind:
            raise BugError(f"{kind.value} content needs an open output block of its type.")


_ENDS = {
    ContentType.TEXT: Input.GOT_TEXT_END,
    ContentType.AUDIO: Input.GOT_AUDIO_END,
    ContentType.TOOL: Input.GOT_TOOL_END,
}


def refusal(state: State, kind: Input, event: InputEvent) -> str:
    """Return the service's words for an event that the table has no row for."""
    if kind is Input.GOT_STRAY_CONTENT:
        return f"No open content found for content name: {getattr(event, 'content_name', '')}"
    if kind is Input.GOT_STRAY_PROMPT:
        return f"No open prompt found for prompt name: {getattr(event, 'prompt_name', '')}"
    early = state in (State.IDLE, State.STARTED, State.PROMPTED)
    if kind in (Input.GOT_AUDIO_START, Input.GOT_AUDIO_INPUT) and state in _TEXT_BLOCKS:
        return LATE_HISTORY
    if kind is Input.GOT_HISTORY_START and not early and state not in _TEXT_BLOCKS - {State.OPEN_BLOCK}:
        return LATE_HISTORY
    return INVALID
