"""Settings: everything a person can set, typed, with what makes sense of it."""

import math
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind

DEFAULT_MODEL = "amazon.nova-2-sonic-v1:0"
DEFAULT_PROMPT = (
    "You are a warm, concise voice partner. Answer in short spoken sentences and ask when something is unclear."
)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")


class TalkModeSetting(Enum):
    """How the person talks."""

    HOLD = "hold"
    HANDS_FREE = "hands_free"


class PressSetting(Enum):
    """What a press of the talk key does.

    HOLD talks while it is down; TOGGLE begins, and ends with the next press; HOLD_OR_LOCK does as HOLD, and a double
    press locks the talk until the next press.
    """

    HOLD = "hold"
    TOGGLE = "toggle"
    HOLD_OR_LOCK = "hold_or_lock"


class SensitivitySetting(Enum):
    """How short a pause ends a turn: 1.5 s, 1.75 s, 2.0 s."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSettings:
    """Where the voice leads. Empty endpoints mean AWS's own; `kms_key` is the ARN that encrypts the remote copy.

    `gateway` is the address of a gateway, such as wss://voice.example.com.
    """

    kind: BackendKind = BackendKind.PRACTICE
    profile: str = ""
    region: str = "us-east-1"
    model: str = DEFAULT_MODEL
    bedrock_endpoint: str = ""
    agent_runtime_endpoint: str = ""
    ca_bundle: str = ""
    kms_key: str = ""
    gateway: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceSettings:
    """What the model is told at the start of each wire session. `tools` offers it NovaDesk's built-in ones."""

    voice: str = "matthew"
    prompt: str = DEFAULT_PROMPT
    sensitivity: SensitivitySetting = SensitivitySetting.MEDIUM
    max_tokens: int = 1024
    temperature: float = 0.7
    top_p: float = 0.9
    tools: bool = False


class EchoSetting(Enum):
    """What is done about the speaker's sound in the microphone.

    SPEAKERS cancels the echo; HEADSET has none to cancel; HALF_DUPLEX takes turns: nothing is heard of the person
    while an answer is played, whatever the room does.
    """

    SPEAKERS = "speakers"
    HEADSET = "headset"
    HALF_DUPLEX = "half_duplex"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSettings:
    """Devices and loudness.

    Attributes:
        microphone: preferred device, "host API: device"; empty means the system's default. Likewise `speaker`.
        echo: what is done about the speaker's sound in the microphone.
        volume: of answers, 0 to 1. Likewise `cue_volume`, of the short sounds that tell what happens.
        messages_aloud: answers to typed messages are heard; else they are read only.
    """

    microphone: str = ""
    speaker: str = ""
    echo: EchoSetting = EchoSetting.SPEAKERS
    volume: float = 1.0
    cue_volume: float = 0.5
    messages_aloud: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkSettings:
    """Push-to-talk.

    Attributes:
        mode: how the person talks.
        key: names such as "f9" or "right_ctrl, mouse_back", each of which talks; empty means none.
        mute_key: likewise; the microphone is muted while one of them is down.
        press: what a press of the talk key does.
        release_tail_ms: how long the gate stays open after release.
        max_talk_s: longest talk with a key; then it ends by itself, for keys may get stuck.
    """

    mode: TalkModeSetting = TalkModeSetting.HOLD
    key: str = "f9"
    mute_key: str = ""
    press: PressSetting = PressSetting.HOLD
    release_tail_ms: int = 200
    max_talk_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """Wire sessions: when they rest, and how many there may be.

    Attributes:
        idle_s: time without a turn after which the wire session ends and the microphone is released; 0 means never.
        concurrent: most wire sessions open at once; with one, renewal closes the old one before it opens the next.
    """

    idle_s: float = 300.0
    concurrent: int = 2


KEEP_DAYS = (0, 1, 7, 30, 90, 365)
"""How long conversations may be kept after their last turn; 0 means for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """How long conversations are kept.

    Attributes:
        private: nothing is written of those that are begun.
        keep_days: one of `KEEP_DAYS`; those with a star stay, and those that the remote store has not in full.
        delete_remotely: when they get too old, delete the remote copies as well.
    """

    private: bool = False
    keep_days: int = 0
    delete_remotely: bool = False


class SchemeSetting(Enum):
    """Colours of the window."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


FONT_SCALES = (0.5, 3.0)
"""Least and most of `WindowSettings.font_scale`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSettings:
    """How the window looks.

    Attributes:
        scheme: light, dark, or as the system says.
        language: a code such as "de"; empty for the system's.
        high_contrast: also where the system does not ask for it.
        font_scale: times the size of the system's font.
        reduced_motion: also where the system does not ask for it.
        tray: show an icon there, where the desktop has one.
        close_to_tray: closing the window leaves NovaDesk running, in the tray or minimised where there is none.
        notifications: tell of what happens while the window is not in front.
        told_of_tray: the person was told so.
        first_step: page of the first steps, counted from 0, with which a first start that was broken off goes on;
            0 when there is nothing to go on with.
        told_of_keys: why talk keys do not work everywhere, as the person was told and closed it.
    """

    scheme: SchemeSetting = SchemeSetting.SYSTEM
    language: str = ""
    high_contrast: bool = False
    font_scale: float = 1.0
    reduced_motion: bool = False
    tray: bool = True
    close_to_tray: bool = True
    notifications: bool = True
    told_of_tray: bool = False
    first_step: int = 0
    told_of_keys: str = ""


DEFAULT_FEED = ""
"""Where packages ask what is new; `{channel}` in it stands for theirs. Empty: the project has no public host yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSettings:
    """Word of new versions; NovaDesk never replaces itself.

    Attributes:
        check: ask the feed once a week, where the package manager does not bring new versions.
        feed: its address; empty means that there is none.
        skipped: version of which the person wants to hear no more.
    """

    check: bool = True
    feed: str = DEFAULT_FEED
    skipped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """The local server's timers, in seconds, so that tests can shorten them together."""

    connection_s: float = 480.0
    silence_s: float = 55.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeSettings:
    """The practice partner. `llm` is the base URL of an OpenAI-compatible local endpoint, or empty."""

    llm: str = ""
    llm_model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a person can set."""

    backend: BackendSettings = field(default_factory=BackendSettings)
    voice: VoiceSettings = field(default_factory=VoiceSettings)
    audio: AudioSettings = field(default_factory=AudioSettings)
    talk: TalkSettings = field(default_factory=TalkSettings)
    session: SessionSettings = field(default_factory=SessionSettings)
    history: HistorySettings = field(default_factory=HistorySettings)
    window: WindowSettings = field(default_factory=WindowSettings)
    updates: UpdateSettings = field(default_factory=UpdateSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    practice: PracticeSettings = field(default_factory=PracticeSettings)


def check_settings(settings: Settings, file: Path) -> Settings:
    """Return `settings` when its values make sense.

    Raises:
        KnownError: `BAD_REGION`, `BAD_MODEL` or `BAD_SETTINGS`.
    """
    if not _REGION.fullmatch(settings.backend.region):
        raise KnownError(
            Reason.BAD_REGION,
            "“{region}” is not an AWS region.",
            "Set AWS_REGION or [backend] region to a name such as us-east-1.",
            region=settings.backend.region,
        )
    if not settings.backend.model.strip():
        raise KnownError(
            Reason.BAD_MODEL, "No model id is set.", "Set [backend] model, for example {model}.", model=DEFAULT_MODEL
        )
    checks = {
        "[voice] temperature must be between 0 and 1": 0 <= settings.voice.temperature <= 1,
        "[voice] top_p must be between 0 and 1": 0 <= settings.voice.top_p <= 1,
        "[voice] max_tokens must be at least 1": settings.voice.max_tokens >= 1,
        "[audio] volume must be between 0 and 1": 0 <= settings.audio.volume <= 1,
        "[audio] cue_volume must be between 0 and 1": 0 <= settings.audio.cue_volume <= 1,
        "[talk] release_tail_ms must be between 0 and 1000": 0 <= settings.talk.release_tail_ms <= 1000,
        "[talk] max_talk_s must be between 10 and 3600": 10 <= settings.talk.max_talk_s <= 3600,
        "[session] idle_s must be between 0 (never) and 86400": 0 <= settings.session.idle_s <= 86_400,
        "[session] concurrent must be at least 1": settings.session.concurrent >= 1,
        f"[history] keep_days must be one of {', '.join(map(str, KEEP_DAYS))}": settings.history.keep_days in KEEP_DAYS,
        "[window] first_step must not be negative": settings.window.first_step >= 0,
        f"[window] font_scale must be between {FONT_SCALES[0]} and {FONT_SCALES[1]}": FONT_SCALES[0]
        <= settings.window.font_scale
        <= FONT_SCALES[1],
        "[limits] values must be positive": all(
            0 < value < math.inf
            for value in (settings.limits.connection_s, settings.limits.silence_s, settings.limits.scale)
        ),
    }
    for sentence, holds in checks.items():
        if not holds:
            raise bad_file(file, f"is wrong: {sentence}")
    return settings


def bad_file(file: Path, why: str) -> KnownError:
    """Return the error for a settings file that makes no sense."""
    return KnownError(
        Reason.BAD_SETTINGS,
        "The settings file {file} {why}.",
        "Mend that line, or move the file away to start afresh.",
        file=str(file),
        why=why,
    )
