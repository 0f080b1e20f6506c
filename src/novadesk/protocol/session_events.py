"""What a wire session tells its owner: frozen values named in the past tense."""

from dataclasses import dataclass

from novadesk.protocol.events import PromptStart, SessionStart, StopReason, TokenCount
from novadesk.protocol.history import HistoryMessage

# --- client side -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UserTextReceived:
    """The service wrote down one finished utterance of the user. Store it right away."""

    content_id: str
    text: str


@dataclass(frozen=True, slots=True)
class TextPlanned:
    """The assistant plans to say this next (SPECULATIVE). Several with the same `content_id` are one text."""

    content_id: str
    text: str


@dataclass(frozen=True, slots=True)
class TextSpoken:
    """The assistant said this (FINAL). Comes after the audio, at times seconds later, at times after `TurnEnded`."""

    content_id: str
    text: str
    stop_reason: StopReason


@dataclass(frozen=True, slots=True)
class SpeechReceived:
    """Speech of the assistant: raw s16le mono at the output rate, whole samples, faster than real time."""

    content_id: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """A block of speech is complete. END_TURN here may be a barge-in: only `TurnEnded` and `Interrupted` end a turn."""

    content_id: str
    stop_reason: StopReason


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The assistant's turn is complete. A turn ends with this or with `Interrupted`."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The user spoke over the assistant: silence the speaker now. Once per barge-in."""


@dataclass(frozen=True, slots=True)
class ToolRequested:
    """The model asks for a tool; `arguments` is JSON text."""

    tool_use_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class UsageReported:
    """Tokens since the last report, and since this connection began."""

    delta: TokenCount
    total: TokenCount


@dataclass(frozen=True, slots=True)
class UserSpeechEnded:
    """The service heard the end of the user's speech (not every model says so)."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The service closed the prompt. This is not the end of a turn."""

    stop_reason: StopReason


@dataclass(frozen=True, slots=True)
class UnknownReceived:
    """An event came that this version does not know or cannot read; it was counted and left aside."""

    name: str


# --- server side -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The client sent sessionStart."""

    start: SessionStart


@dataclass(frozen=True, slots=True)
class PromptOpened:
    """The client sent promptStart."""

    start: PromptStart


@dataclass(frozen=True, slots=True)
class SystemPromptGiven:
    """The system prompt is complete."""

    text: str


@dataclass(frozen=True, slots=True)
class HistoryGiven:
    """The history is complete (at times empty): once, when audio opens or the first interactive text begins."""

    messages: tuple[HistoryMessage, ...]


@dataclass(frozen=True, slots=True)
class AudioOpened:
    """The client opened the audio block."""

    rate_hz: int


@dataclass(frozen=True, slots=True)
class AudioHeard:
    """Microphone audio: raw s16le mono at the rate of `AudioOpened`."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class TextTyped:
    """An interactive text of the user is complete."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolAnswered:
    """A tool result is complete; `content` is the JSON text of an object."""

    tool_use_id: str
    content: str


@dataclass(frozen=True, slots=True)
class AudioClosed:
    """The client closed the audio block."""


@dataclass(frozen=True, slots=True)
class PromptClosed:
    """The client closed the prompt."""


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The client closed the wire session in order."""


@dataclass(frozen=True, slots=True)
class LifeEnded:
    """The connection reached its age limit (ModelTimeoutException with this message). The session is CLOSED."""

    message: str


@dataclass(frozen=True, slots=True)
class SilenceEnded:
    """Audio and interactive content stayed away too long (ValidationException with this message). CLOSED."""

    message: str


# --- both sides ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Violated:
    """The peer broke the protocol (server: ValidationException with this message). The session is CLOSED."""

    message: str


type SessionEvent = (
    UserTextReceived
    | TextPlanned
    | TextSpoken
    | SpeechReceived
    | SpeechEnded
    | TurnEnded
    | Interrupted
    | ToolRequested
    | UsageReported
    | UserSpeechEnded
    | Completed
    | UnknownReceived
    | SessionOpened
    | PromptOpened
    | SystemPromptGiven
    | HistoryGiven
    | AudioOpened
    | AudioHeard
    | TextTyped
    | ToolAnswered
    | AudioClosed
    | PromptClosed
    | SessionClosed
    | LifeEnded
    | SilenceEnded
    | Violated
)
