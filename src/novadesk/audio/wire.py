"""The messages between the app and its audio process. How they become bytes, `framing` knows."""

from dataclasses import dataclass

from novadesk.audio.devices import Direction
from novadesk.config import EchoSetting
from novadesk.errors import KnownError, Reason
from novadesk.models import BargeIn, InputTrouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Start capture and playout on these devices (see `devices.choose`).

    Attributes:
        generation: the newest one.
        paused: what is played of it waits for `PlayOn`, as in the process before.
        volume: of answers, 0 to 1.
        watching: whether a barge-in is looked for; see `Watch`.
        only: the one direction to open, or None for both.
        apart: in a stream for each direction, which tells the dead one of two.
        whole: fail rather than open one direction alone, unless the other one is dead.
        dead_microphones: titles of those to use no more; where none is left, the speaker is opened alone. Likewise
            `dead_speakers`.
    """

    microphone: str
    speaker: str
    generation: int
    echo: EchoSetting = EchoSetting.SPEAKERS
    volume: float = 1.0
    paused: bool = False
    watching: bool = True
    only: Direction | None = None
    apart: bool = False
    whole: bool = False
    dead_microphones: tuple[str, ...] = ()
    dead_speakers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Queue s16le mono at 24 kHz; `asked_ns` is when the app was given it, in monotonic nanoseconds."""

    generation: int
    pcm: bytes
    asked_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """Silence everything older than `generation`; `asked_ns` is when the app wanted it, in monotonic nanoseconds."""

    generation: int
    asked_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """Ask for the device list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Set the loudness of answers, 0 to 1."""

    volume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOn:
    """Take back the pause of a confirmed barge-in, when it is this generation that waits."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Play a short sound, s16le mono at 24 kHz, over whatever is played; it is counted nowhere."""

    pcm: bytes
    volume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Look for a barge-in from now on, or no longer: nobody can interrupt through a closed gate."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The process has started and takes commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying:
    """A device is being opened from now on: if nothing else is told, it is the one that hangs.

    Attributes:
        direction: how it will be used; None once the devices are open, or for two in one stream.
        device: its title.
    """

    direction: Direction | None = None
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Sound flows.

    Attributes:
        microphone: what is in use, or empty for silence in the place of one that is not there, dead, or does not open.
            Likewise `speaker`.
        note: why these are not the devices asked for, in words, or empty.
        capture_latency_s: what PortAudio states for the microphone.
        playout_latency_s: what PortAudio states for the speaker.
        one_clock: both directions run in one stream.
        half_duplex: the microphone is silenced while an answer is played; `half_duplex_note` says why, in words, where
            nobody has chosen it.
        closed_microphones: titles of those that are there and do not open now. Likewise `closed_speakers`.
    """

    microphone: str
    speaker: str
    note: str
    capture_hz: int
    playout_hz: int
    capture_latency_s: float
    playout_latency_s: float
    one_clock: bool
    half_duplex: bool = False
    half_duplex_note: str = ""
    closed_microphones: tuple[str, ...] = ()
    closed_speakers: tuple[str, ...] = ()

    @property
    def closed(self) -> tuple[tuple[Direction, str], ...]:
        """Return all devices that do not open now."""
        titles = zip(Direction, (self.closed_microphones, self.closed_speakers), strict=True)
        return tuple((direction, title) for direction, closed in titles for title in closed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """32 ms of microphone.

    Attributes:
        level: root mean square, 0 to 1.
        captured_ns: monotonic nanoseconds of the callback that delivered the frame's last sample.
    """

    level: float
    captured_ns: int
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Count of 24 kHz samples of a generation that the speaker has played since the stream was opened."""

    generation: int
    samples: int
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The device could not be opened, listed, or kept.

    Attributes:
        cause: what the audio process has seen of it, for the log.
        dead: the direction that does nothing while the other one works, or None.
        device: its device.
    """

    reason: Reason
    what: str
    advice: str
    cause: str = ""
    dead: Direction | None = None
    device: str = ""

    def error(self) -> KnownError:
        """Return it as the error to raise or report, its cause as a note."""
        error = KnownError(self.reason, self.what, self.advice)
        if self.cause:
            error.add_note(self.cause)
        return error


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Names of the devices, the system's default first."""

    microphones: tuple[str, ...]
    speakers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """Somebody begins to speak while an answer is played, or did not after all.

    Attributes:
        generation: of the answer.
        stage: SUSPECTED has ducked the answer, CONFIRMED has paused it, WITHDRAWN has undone the first.
        at_ns: monotonic nanoseconds of the callback that brought the sound which tells it.
    """

    generation: int
    stage: BargeIn
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What is wrong with the microphone's sound from now on."""

    trouble: InputTrouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts since the stream was opened, and figures of the last minutes.

    Attributes:
        dropped_frames: device frames of the microphone overwritten before they were fetched.
        dropped_messages: finished 32 ms frames that the app did not fetch in time.
        input_overflows: callbacks that PortAudio marked so; likewise `output_underflows`.
        underruns: gaps within an answer because its sound came too late.
        late_callbacks: callbacks that came more than one block late; `worst_gap_us` is the longest wait for one.
        slips: times at which the echo's reference had to jump because the clocks of two devices had run apart.
        frame_ms_p50: from the callback with a frame's last sample until it is written to the app; likewise `_p99`.
        start_ms_p50: from `Play.asked_ns` to the callback with the first sample of the answer; likewise `_p99`.
        silence_ms_p50: from `Flush.asked_ns` to the last sample of the fade in the callback; likewise `_p99`.
        prefill_ms: sound that is waited for before an answer begins.
        drift_ppm: how much faster the speaker's clock runs than the microphone's; 0 with one clock.
        erle_db: how much fainter the canceller makes the echo; 0 while unknown.
        echo_over_voice_db: how much louder the echo reaches the microphone than the voice; 0 while unknown.
    """

    callbacks: int = 0
    dropped_frames: int = 0
    dropped_messages: int = 0
    input_overflows: int = 0
    output_underflows: int = 0
    underruns: int = 0
    late_callbacks: int = 0
    worst_gap_us: int = 0
    slips: int = 0
    frame_ms_p50: float = 0.0
    frame_ms_p99: float = 0.0
    start_ms_p50: float = 0.0
    start_ms_p99: float = 0.0
    silence_ms_p50: float = 0.0
    silence_ms_p99: float = 0.0
    prefill_ms: float = 0.0
    drift_ppm: float = 0.0
    erle_db: float = 0.0
    echo_over_voice_db: float = 0.0


type Command = Open | Play | Flush | List | Volume | PlayOn | Clip | Watch
type Report = Ready | Trying | Opened | Frame | Played | Failed | Listed | Statistics | Interruption | Input
type Message = Command | Report
