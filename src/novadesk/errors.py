"""The two kinds of error: the world's (`KnownError`, shown with advice) and ours (`BugError`, reported)."""

from enum import Enum
from typing import Self

from novadesk.text import Text, Value


class Layer(Enum):
    """The part of the system that an error sentence names."""

    INPUT = "input"
    SETTINGS = "settings"
    AUDIO = "audio"
    NETWORK = "network"
    CREDENTIALS = "credentials"
    SERVICE = "service"
    PRACTICE = "practice"
    STORE = "store"
    SYNC = "sync"
    KEYRING = "keyring"
    CONTROL = "control"
    DESKTOP = "desktop"
    UPDATE = "update"


class Reason(Enum):
    """Every cause that NovaDesk tells apart. The first part of the value is its `Layer`."""

    BAD_INPUT = "input.bad"
    FILE_MISSING = "input.file_missing"
    BAD_WAV = "input.bad_wav"
    UNKNOWN_CONVERSATION = "input.unknown_conversation"

    BAD_SETTINGS = "settings.bad"
    BAD_REGION = "settings.bad_region"
    BAD_MODEL = "settings.bad_model"

    NO_MICROPHONE = "audio.no_microphone"
    NO_SPEAKER = "audio.no_speaker"
    UNKNOWN_DEVICE = "audio.unknown_device"
    SOUND_SERVER_GONE = "audio.server_gone"
    ENGINE_DIED = "audio.engine_died"
    DEVICE_STALLED = "audio.device_stalled"

    UNREACHABLE = "network.unreachable"
    LINK_LOST = "network.link_lost"
    TIMED_OUT = "network.timed_out"
    TLS_REFUSED = "network.tls_refused"
    PROXY_REFUSED = "network.proxy_refused"

    NO_CREDENTIALS = "credentials.none"
    CREDENTIALS_EXPIRED = "credentials.expired"
    ACCESS_DENIED = "credentials.access_denied"
    BAD_SIGNATURE = "credentials.bad_signature"
    SIGN_IN_FAILED = "credentials.sign_in_failed"

    SESSION_LIMIT = "service.session_limit"
    INPUT_SILENCE = "service.input_silence"
    STREAM_CLOSED = "service.stream_closed"
    UNSTABLE = "service.unstable"
    THROTTLED = "service.throttled"
    QUOTA = "service.quota"
    UNAVAILABLE = "service.unavailable"
    MODEL_NOT_FOUND = "service.model_not_found"
    PROTOCOL_ORDER = "service.protocol_order"
    BAD_REQUEST = "service.bad_request"
    BAD_EVENT_BYTES = "service.bad_event_bytes"
    SESSION_TAKEN = "service.session_taken"

    PRACTICE_FAILED = "practice.failed"
    PRACTICE_PARTS_MISSING = "practice.parts_missing"

    STORE_LOCKED = "store.locked"
    STORE_BROKEN = "store.broken"
    DISK_FULL = "store.disk_full"

    SYNC_DENIED = "sync.denied"
    SYNC_CONFLICT = "sync.conflict"
    SYNC_SESSION_CLOSED = "sync.session_closed"
    SYNC_UNREACHABLE = "sync.unreachable"

    KEYRING_ABSENT = "keyring.absent"
    KEYRING_LOCKED = "keyring.locked"
    KEYRING_DENIED = "keyring.denied"
    KEYRING_TIMED_OUT = "keyring.timed_out"

    NOT_RUNNING = "control.not_running"
    CONTROL_REFUSED = "control.refused"
    ALREADY_RUNNING = "control.already_running"
    PORT_TAKEN = "control.port_taken"

    NO_DISPLAY = "desktop.no_display"
    HOTKEY_UNAVAILABLE = "desktop.hotkey_unavailable"
    AUTOSTART_REFUSED = "desktop.autostart_refused"
    NO_WINDOW = "desktop.no_window"

    FEED_REFUSED = "update.feed_refused"
    FEED_BROKEN = "update.feed_broken"

    @property
    def layer(self) -> Layer:
        """Return the layer that the cause belongs to."""
        return Layer(self.value.split(".", 1)[0])


class KnownError(Exception):
    """A fault of the world: shown to the person as one sentence and one next step, never as a traceback.

    Args:
        reason: the cause, from the closed list.
        what: one plain sentence saying what happened, without ids, keys, tokens or transcript text.
        advice: one plain sentence saying what to do next.
        values: what the named placeholders of both sentences stand for.

    Attributes:
        retry_after_s: how long the other side asks to be left alone; 0 when it does not.
    """

    retry_after_s: float = 0.0

    def __init__(self, reason: Reason, what: str, advice: str, /, **values: Value) -> None:
        self.reason = reason
        self.what = what if isinstance(what, Text) else Text(what, **values)
        self.advice = advice if isinstance(advice, Text) else Text(advice, **values)
        super().__init__(f"{self.what} {self.advice}".strip())

    @property
    def layer(self) -> Layer:
        """Return the layer to name."""
        return self.reason.layer

    def after(self, seconds: float) -> Self:
        """Return this error, not to be tried again before so many seconds."""
        self.retry_after_s = seconds
        return self

    @property
    def whole(self) -> Text:
        """Return what happened and what to do, for a line that shows both."""
        return Text.joined(self.what, self.advice)


def unusable(error: OSError) -> KnownError:
    """Return what is said of the file that an error of the system names."""
    return KnownError(
        Reason.STORE_LOCKED,
        "{file} cannot be used ({why}).",
        "Make it writable for you, or name another folder with --home.",
        file=str(error.filename),
        why=error.strerror or type(error).__name__,
    )


class BugError(Exception):
    """A fault of NovaDesk itself: recorded with its traceback and reported."""
