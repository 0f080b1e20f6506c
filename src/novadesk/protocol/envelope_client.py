"""What a client says to the gateway, as frozen values. Fields are camelCase in JSON."""

from dataclasses import dataclass, field
from typing import Annotated

from novadesk.protocol.envelope_kinds import Also, Whole, Words
from novadesk.protocol.envelope_values import (
    INPUT_RATE_HZ,
    NOTHING_SET,
    AudioForm,
    AudioFormat,
    Configuration,
    Count,
    Id,
    Label,
    Language,
    Line,
    Milliseconds,
    Played,
    QualityTier,
    Secret,
    Sound,
    Token,
    sound_problem,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSession:
    """Begins a session. The same request id of the same owner gives the same session, once made.

    `conversation` is the client's own name of what the session belongs to; under it all that was said can be deleted.
    What is said in a `private` one goes no further than this gateway, and is deleted when the session is over.
    """

    request_id: Id | None = None
    language: Language | None = None
    quality_tier: QualityTier = QualityTier.STANDARD
    configuration: Annotated[Configuration, Also("scenario")] = NOTHING_SET
    history: tuple[Line, ...] = ()
    audio: AudioForm = AudioForm.BINARY
    title: Label | None = None
    conversation: Id | None = None
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeSession:
    """Takes a session over. Output after `last_sequence` is sent again."""

    session_id: Id
    resume_secret: Secret = field(repr=False)
    last_sequence: Count = 0
    audio: AudioForm = AudioForm.BINARY


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Tells what was said before, or the next part of it. Only before the first sound or text of a session."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """Sets the call configuration, also field by field beside `revision`.

    Without a revision, what is in force already is no new one.
    """

    configuration: Configuration
    revision: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """Microphone sound in JSON. Without a sequence number it is the next one; empty only at the end of what is said."""

    audio_data: Annotated[Sound, Also("audio")] = field(repr=False)
    sequence: Count | None = None
    format: AudioFormat = AudioFormat.PCM
    sample_rate: Annotated[int, Whole(INPUT_RATE_HZ, INPUT_RATE_HZ)] = INPUT_RATE_HZ
    channels: Annotated[int, Whole(1, 1)] = 1
    end: Annotated[bool, Also("isEndOfUtterance")] = False
    session_id: Id | None = None

    def problem(self) -> str:
        """Return what the sound would have to be, or nothing when it is."""
        if not (self.audio_data or self.end):
            return "one with sound in audioData, unless it is the end of what is said"
        wrong = sound_problem(self.audio_data)
        return f"one whose audioData is {wrong}" if wrong else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioEnd:
    """Ends what is said."""

    session_id: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextInput:
    """Says something by writing it. The same request id is taken once in a session, by whichever process."""

    text: Annotated[str, Words(1, 40_960)] = field(repr=False)
    request_id: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Notes that all output up to a number has arrived, and how much of an answer was heard."""

    sequence: Count
    played: Played | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Drops the running answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Pauses the call: nothing is heard, and nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Goes on after a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartListening:
    """Opens the session's ear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopListening:
    """Closes the session's ear; answers are still given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """Shows a newer token of the same owner."""

    token: Token = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSessionStatus:
    """Asks how the session stands."""

    session_id: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Shows that the client lives."""

    timestamp: Milliseconds = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """Ends the session for good. With an id, only that one."""

    session_id: Id | None = None
    reason: Label | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetSessions:
    """Ends every session of this owner, and nobody else's."""


type ClientMessage = (
    CreateSession
    | ResumeSession
    | History
    | Configure
    | Audio
    | AudioEnd
    | TextInput
    | Ack
    | Stop
    | Pause
    | Resume
    | StartListening
    | StopListening
    | RefreshToken
    | GetSessionStatus
    | Heartbeat
    | EndSession
    | ResetSessions
)
