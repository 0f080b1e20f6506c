"""Every wire event of Nova Sonic 2 and 2.5, both directions, as frozen values.

Field meanings: Amazon Nova user guide, "Input events" and "Output events" of speech to speech.
Identifiers are UUID strings. Audio payloads are raw s16le mono; `codec` does the base64.
"""

import re
from dataclasses import dataclass, field
from enum import Enum


class WireRole(Enum):
    """Role names as the wire spells them."""

    SYSTEM = "SYSTEM"
    SYSTEM_SPEECH = "SYSTEM_SPEECH"
    USER = "USER"
    ASSISTANT = "ASSISTANT"
    TOOL = "TOOL"


class ContentType(Enum):
    """What a content block carries."""

    TEXT = "TEXT"
    AUDIO = "AUDIO"
    TOOL = "TOOL"


class Stage(Enum):
    """Whether assistant text is planned or was spoken."""

    SPECULATIVE = "SPECULATIVE"
    FINAL = "FINAL"


class StopReason(Enum):
    """Why a content block or completion ended."""

    PARTIAL_TURN = "PARTIAL_TURN"
    END_TURN = "END_TURN"
    INTERRUPTED = "INTERRUPTED"
    TOOL_USE = "TOOL_USE"


class Sensitivity(Enum):
    """How short a pause ends the user's turn: 1.5 s, 1.75 s, 2.0 s."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a tool can be called; Amazon Bedrock API reference, `ToolSpecification`, "name"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool offered to the model. `input_schema` is JSON text, as the wire wants it."""

    name: str
    description: str
    input_schema: str


# --- client to service -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStart:
    """Opens the wire session: once, first."""

    max_tokens: int = 1024
    top_p: float = 0.9
    temperature: float = 0.7
    sensitivity: Sensitivity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStart:
    """Fixes voice, output rate and tools for the wire session: once."""

    prompt_name: str
    voice_id: str
    output_rate_hz: int = 24_000
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStart:
    """Opens a text block: system prompt, history, or typed text (interactive)."""

    prompt_name: str
    content_name: str
    role: WireRole
    interactive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStart:
    """Opens the one audio block of the wire session."""

    prompt_name: str
    content_name: str
    rate_hz: int = 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStart:
    """Opens the block of one tool result."""

    prompt_name: str
    content_name: str
    tool_use_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextInput:
    """A piece of text of an open text block, at most 1 KB of UTF-8."""

    prompt_name: str
    content_name: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInput:
    """A frame of microphone audio: raw s16le mono at the block's rate."""

    prompt_name: str
    content_name: str
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """A tool's answer; `content` must be the JSON text of an object."""

    prompt_name: str
    content_name: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentEnd:
    """Closes an input block."""

    prompt_name: str
    content_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptEnd:
    """Closes the prompt."""

    prompt_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """Closes the wire session: last."""


type InputEvent = (
    SessionStart
    | PromptStart
    | TextStart
    | AudioStart
    | ToolStart
    | TextInput
    | AudioInput
    | ToolResult
    | ContentEnd
    | PromptEnd
    | SessionEnd
    | UnknownEvent
)


# --- service to client -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionStart:
    """The service began to answer the prompt."""

    session_id: str
    prompt_name: str
    completion_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStart:
    """An output block began. `stage` is known for text only, `rate_hz` means something for audio only."""

    session_id: str
    prompt_name: str
    completion_id: str
    content_id: str
    type: ContentType
    role: WireRole
    stage: Stage | None = None
    rate_hz: int = 24_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOutput:
    """Text of a block. The barge-in marker `{ "interrupted" : true }` also arrives as content."""

    session_id: str
    prompt_name: str
    completion_id: str
    content_id: str
    role: WireRole
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioOutput:
    """Speech of a block: raw s16le mono at the prompt's output rate, faster than real time."""

    session_id: str
    prompt_name: str
    completion_id: str
    content_id: str
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """The model asks for a tool; `content` is JSON text, at times doubly encoded (codec undoes it)."""

    session_id: str
    prompt_name: str
    completion_id: str
    content_id: str
    tool_name: str
    tool_use_id: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputEnd:
    """An output block ended."""

    session_id: str
    prompt_name: str
    completion_id: str
    content_id: str
    type: ContentType
    stop_reason: StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """Tokens by direction and modality."""

    speech_in: int = 0
    text_in: int = 0
    speech_out: int = 0
    text_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens since the last report, and since the connection began."""

    session_id: str
    prompt_name: str
    completion_id: str
    delta: TokenCount
    total: TokenCount


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSpeechEnd:
    """The service heard the end of the user's speech (seen on 2.5 only, from one source)."""

    session_id: str
    prompt_name: str
    completion_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionEnd:
    """The prompt is over. This is not the end of a turn."""

    session_id: str
    prompt_name: str
    completion_id: str
    stop_reason: StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent:
    """An event that this version does not know: kept and counted, never fatal."""

    name: str
    body: dict[str, object] = field(default_factory=dict)


type OutputEvent = (
    CompletionStart
    | OutputStart
    | TextOutput
    | AudioOutput
    | ToolUse
    | OutputEnd
    | Usage
    | UserSpeechEnd
    | CompletionEnd
    | UnknownEvent
)
