"""What the gateway says to a client, as frozen values. Fields are camelCase in JSON.

A message with a `sequence` is counted, from 1 on, and sent again to who resumes a session until it is acknowledged.
"""

from dataclasses import dataclass, field
from typing import Annotated

from novadesk.models import Role
from novadesk.protocol.envelope_kinds import Words
from novadesk.protocol.envelope_values import (
    AT_REST,
    OUTPUT_RATE_HZ,
    AudioFormat,
    CallStatus,
    Configuration,
    ContentId,
    ContentKind,
    Count,
    ErrorCode,
    Id,
    Label,
    Milliseconds,
    Party,
    Pipeline,
    QualityTier,
    Said,
    Seconds,
    Secret,
    Services,
    Sound,
    TextStage,
    Tokens,
)
from novadesk.protocol.events import StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCreated:
    """There is a session, and this connection has it."""

    session_id: Id
    resume_secret: Secret = field(repr=False)
    request_id: Id | None = None
    generation: Count = 1
    language: Annotated[str, Words(0, 40)] | None = None
    quality_tier: QualityTier = QualityTier.STANDARD
    revision: Count = 0
    created_at: Milliseconds
    expires_at: Milliseconds
    heartbeat_s: Seconds
    title: Label | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResumed:
    """This connection has the session now. `last_audio` is the newest microphone frame that was taken, or 0."""

    session_id: Id
    generation: Count
    history_length: Count = 0
    revision: Count = 0
    last_audio: Count = 0
    expires_at: Milliseconds
    heartbeat_s: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryTaken:
    """What was said before is known; so many turns there are now."""

    history_length: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """A revision of the call configuration was taken; if it is not in force, then from the next wire session on."""

    revision: Count
    configuration: Configuration
    in_force: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioAck:
    """All microphone frames up to a number were taken; `dropped` counts those lost since the session began."""

    sequence: Count
    dropped: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAccepted:
    """A written text was taken."""

    request_id: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentStart:
    """A piece of what is said began. The stage is that of text."""

    sequence: Count = 0
    content_id: ContentId
    kind: ContentKind
    role: Party
    stage: TextStage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Text of an open content."""

    sequence: Count = 0
    content_id: ContentId
    role: Role
    text: Said = field(repr=False)
    stage: TextStage = TextStage.FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioResponse:
    """Speech of an open content, for a client that takes no binary messages."""

    sequence: Count = 0
    content_id: ContentId
    audio_data: Sound = field(repr=False)
    format: AudioFormat = AudioFormat.PCM
    sample_rate: Count = OUTPUT_RATE_HZ
    channels: Count = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """The model asked for a tool, which the gateway answers itself. `input` is JSON text."""

    sequence: Count = 0
    content_id: ContentId
    tool_name: Label
    tool_use_id: ContentId
    input: Said = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentEnd:
    """A piece of what is said is over. INTERRUPTED: drop what was not heard yet."""

    sequence: Count = 0
    content_id: ContentId
    kind: ContentKind
    stop_reason: StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSpeechEnded:
    """The end of what the person says was heard."""

    sequence: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens since the last report, and since the wire session began."""

    sequence: Count = 0
    delta: Tokens
    total: Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The model's answer to the whole wire session is over."""

    sequence: Count = 0
    stop_reason: StopReason = StopReason.END_TURN


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A side's finished utterance is written where it survives the gateway."""

    sequence: Count = 0
    turn_id: Id
    role: Role
    text: Said = field(repr=False)
    interrupted: bool = False
    heard_chars: Count | None = None
    unconfirmed: bool = False
    at: Milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatusChanged:
    """The call stands somewhere else now."""

    sequence: Count = 0
    status: CallStatus
    reason: Label | None = None
    session_id: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineState:
    """The running exchange stands somewhere else now."""

    sequence: Count = 0
    state: Pipeline
    services: Services = AT_REST


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatAck:
    """The gateway lives; the timestamp is that of the heartbeat."""

    timestamp: Milliseconds = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """The call is paused now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The call goes on now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The running answer is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningStarted:
    """The session's ear is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningStopped:
    """The session's ear is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefreshed:
    """The newer token holds."""

    expires_at: Milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionWarning:
    """The connection will be over soon: `tokenExpiring`."""

    reason: Label
    remaining_s: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRefreshRequired:
    """Come back: another process takes the session (`draining`)."""

    reason: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """How the session stands."""

    session_id: Id
    status: CallStatus
    history_length: Count = 0
    duration_s: Seconds = 0
    buffered_ms: Count = 0
    dropped_frames: Count = 0
    revision: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """The session is over, for good."""

    session_id: Id
    reason: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsReset:
    """So many sessions of this owner were ended."""

    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """Something cannot be done. After a fatal one the connection closes."""

    code: ErrorCode
    layer: Label
    message: Annotated[str, Words(0, 1_000)]
    advice: Annotated[str, Words(0, 1_000)] = ""
    request_id: Id | None = None
    retry_after_s: Seconds | None = None
    fatal: bool = False


type Sequenced = (
    ContentStart
    | Transcript
    | AudioResponse
    | ToolUse
    | ContentEnd
    | UserSpeechEnded
    | Usage
    | Completed
    | Turn
    | CallStatusChanged
    | PipelineState
)
"""What is counted, kept until it is acknowledged, and sent again to who resumes the session."""

type ServerMessage = (
    Sequenced
    | SessionCreated
    | SessionResumed
    | HistoryTaken
    | Configured
    | AudioAck
    | TextAccepted
    | HeartbeatAck
    | Paused
    | Resumed
    | Stopped
    | ListeningStarted
    | ListeningStopped
    | TokenRefreshed
    | ConnectionWarning
    | ConnectionRefreshRequired
    | SessionStatus
    | SessionEnded
    | SessionsReset
    | Error
)
