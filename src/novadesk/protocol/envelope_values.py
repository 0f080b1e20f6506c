"""What the gateway's messages are made of: names, sizes, the call configuration."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from novadesk.config import SensitivitySetting
from novadesk.models import Role
from novadesk.protocol.envelope_kinds import Also, Bytes, Number, Whole, Words
from novadesk.scenario import MAX_PROMPT_CHARS, SpeakingPace

MAX_MESSAGE_BYTES = 131_072
"""Size of a text message; Amazon API Gateway quotas, "WebSocket API" (message payload 128 KB)."""

MAX_FRAME_BYTES = 32_768
"""Size of a binary message; Amazon API Gateway quotas, "WebSocket API" (frame 32 KB)."""

MAX_PCM_BYTES = MAX_FRAME_BYTES - 4
"""Sound of one message: a whole number of samples."""

INPUT_RATE_HZ = 16_000
OUTPUT_RATE_HZ = 24_000

Count = Annotated[int, Whole()]
Milliseconds = Annotated[int, Whole(0, 253_402_300_799_999)]
Seconds = Annotated[int, Whole(0, 31_536_000)]
Id = Annotated[str, Words(1, 128)]
ContentId = Annotated[str, Words(0, 200)]
Label = Annotated[str, Words(0, 200)]
Language = Annotated[str, Words(0, 40), Also("sourceLanguage")]
Said = Annotated[str, Words(0, 40_960)]
Secret = Annotated[str, Words(1, 256)]
Token = Annotated[str, Words(1, 16_384)]
Sound = Annotated[bytes, Bytes(MAX_PCM_BYTES)]


class QualityTier(Enum):
    """How good an answer's voice is asked for."""

    STANDARD = "standard"
    PREMIUM = "premium"


class AudioForm(Enum):
    """How a client takes sound: in binary frames, or as base64 in JSON."""

    BINARY = "binary"
    JSON = "json"


class AudioFormat(Enum):
    """How sound in JSON is coded: s16le mono, and nothing else."""

    PCM = "pcm"


class Party(Enum):
    """Who a content belongs to."""

    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class ContentKind(Enum):
    """What a content carries."""

    TEXT = "text"
    AUDIO = "audio"
    TOOL = "tool"


class TextStage(Enum):
    """Whether text is planned, or was said."""

    SPECULATIVE = "speculative"
    FINAL = "final"


class CallStatus(Enum):
    """Where a call stands, as the gateway knows it."""

    STARTING = "starting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    PAUSED = "paused"
    ENDING = "ending"
    ENDED = "ended"
    FAILED = "failed"


class Pipeline(Enum):
    """Where the running exchange stands."""

    IDLE = "idle"
    LISTENING = "listening"
    PROCESSING = "processing"
    COMPLETE = "complete"
    ERROR = "error"


class ServiceState(Enum):
    """What one part of the pipeline does."""

    IDLE = "idle"
    WAITING = "waiting"
    EXECUTING = "executing"
    COMPLETE = "complete"
    ERROR = "error"


class ErrorCode(Enum):
    """Every cause that the gateway tells apart."""

    INVALID_MESSAGE = "INVALID_MESSAGE"
    INVALID_ACTION = "INVALID_ACTION"
    INVALID_PARAMETERS = "INVALID_PARAMETERS"
    INVALID_CONFIGURATION = "INVALID_CONFIGURATION"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    UNAUTHORIZED = "UNAUTHORIZED"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    FORBIDDEN = "FORBIDDEN"
    SESSION_NOT_FOUND = "SESSION_NOT_FOUND"
    SESSION_TAKEN = "SESSION_TAKEN"
    SESSION_LIMIT = "SESSION_LIMIT"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    UNSUPPORTED_LANGUAGE = "UNSUPPORTED_LANGUAGE"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    DRAINING = "DRAINING"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The call configuration. What is None stays as the gateway has it.

    `prompt`, `voice`, `language`, `pace`, `sensitivity` and `title` are those of a scenario; the job is that of an
    interview to practise, which needs both its title and its company.
    """

    prompt: Annotated[str, Words(0, 2 * MAX_PROMPT_CHARS)] | None = None
    voice: Label | None = None
    language: Annotated[str, Words(0, 200)] | None = None
    pace: SpeakingPace | None = None
    sensitivity: SensitivitySetting | None = None
    title: Label | None = None
    tools: bool | None = None
    max_tokens: Annotated[int, Whole(1, 65_536)] | None = None
    temperature: Annotated[float, Number(0, 1)] | None = None
    top_p: Annotated[float, Number(0, 1)] | None = None
    job_title: Annotated[str, Words(2, 100)] | None = None
    company: Annotated[str, Words(2, 100)] | None = None
    job_description: Annotated[str, Words(0, 5_000)] | None = None

    def problem(self) -> str:
        """Return what the configuration would have to be, or nothing when it is."""
        named = (self.job_title is not None, self.company is not None)
        whole = all(named) or not (any(named) or self.job_description)
        return "" if whole else "complete: a job has both jobTitle and company"


NOTHING_SET = Configuration()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one side said before."""

    role: Role
    text: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How much of a piece of speech was heard, in 24 kHz samples; `last`: of what has come nothing more will be."""

    content_id: ContentId
    samples: Count
    last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens by direction and modality."""

    speech_in: Count = 0
    text_in: Count = 0
    speech_out: Count = 0
    text_out: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the parts of the pipeline do: hearing, thinking, speaking."""

    stt: ServiceState = ServiceState.IDLE
    llm: ServiceState = ServiceState.IDLE
    tts: ServiceState = ServiceState.IDLE


AT_REST = Services()

# The first bytes of what people have sent as PCM by mistake: a WAV file, Matroska/WebM, Ogg.
_CONTAINERS = (b"RIFF", b"\x1a\x45\xdf\xa3", b"OggS")


def sound_problem(pcm: bytes) -> str:
    """Return what sound would have to be to be s16le samples, or nothing when it can be."""
    if len(pcm) % 2:
        return "a whole number of 16-bit samples"
    return "bare samples, without a container" if pcm.startswith(_CONTAINERS) else ""
