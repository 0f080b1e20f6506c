"""The messages between the app and its audio process: length-prefixed, over pipes.

A message is one byte of kind, three of nothing, four of payload length (little endian), and the payload.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from novadesk.errors import KnownError, Reason

HEADER = struct.Struct("<BxxxI")
MAX_PAYLOAD_BYTES = 16_000_000

_GENERATION = struct.Struct("<q")
_FRAME = struct.Struct("<fq")
_PLAYED = struct.Struct("<qqf")
_OPENED = struct.Struct("<IIff?")
_STATISTICS = struct.Struct("<8q")
_TEXT_LENGTH = struct.Struct("<H")
_TEXT_COUNT = struct.Struct("<H")


class FramingError(Exception):
    """The other side does not speak this protocol, or the pipe was torn."""


class Kind(Enum):
    """What a message is; the first four go down to the engine, the others come up."""

    OPEN = 1
    PLAY = 2
    FLUSH = 3
    LIST = 4
    READY = 16
    OPENED = 17
    FRAME = 18
    PLAYED = 19
    FAILED = 20
    LISTED = 21
    STATISTICS = 22


_KINDS = frozenset(kind.value for kind in Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Start capture and playout on these devices (see `devices.choose`), with this generation as the newest."""

    microphone: str
    speaker: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Queue s16le mono at 24 kHz."""

    generation: int
    pcm: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """Silence everything older than `generation`."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """Ask for the device list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The process has started and takes commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Sound flows.

    Attributes:
        note: why these are not the devices asked for, in words, or empty.
        capture_latency_s: what PortAudio states for the microphone.
        playout_latency_s: what PortAudio states for the speaker.
        one_clock: both directions run in one stream.
    """

    microphone: str
    speaker: str
    note: str
    capture_hz: int
    playout_hz: int
    capture_latency_s: float
    playout_latency_s: float
    one_clock: bool


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
    """The device could not be opened, listed, or kept."""

    reason: Reason
    what: str
    advice: str

    def error(self) -> KnownError:
        """Return it as the error to raise or report."""
        return KnownError(self.reason, self.what, self.advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Names of the devices, the system's default first."""

    microphones: tuple[str, ...]
    speakers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts since the stream was opened.

    Attributes:
        dropped_frames: device frames of the microphone overwritten before they were fetched.
        dropped_messages: finished 32 ms frames that the app did not fetch in time.
        input_overflows: callbacks that PortAudio marked so; likewise `output_underflows`.
        underruns: gaps within an answer because its sound came too late.
        late_callbacks: callbacks that came more than one block late; `worst_gap_us` is the longest wait for one.
    """

    callbacks: int = 0
    dropped_frames: int = 0
    dropped_messages: int = 0
    input_overflows: int = 0
    output_underflows: int = 0
    underruns: int = 0
    late_callbacks: int = 0
    worst_gap_us: int = 0


type Command = Open | Play | Flush | List
type Report = Ready | Opened | Frame | Played | Failed | Listed | Statistics
type Message = Command | Report


def encode(message: Message) -> bytes:
    """Return a message as bytes, header included."""
    kind, payload = _payload(message)
    return HEADER.pack(kind.value, len(payload)) + payload


def payload_bytes(header: bytes) -> int:
    """Return the length of the payload behind a header.

    Raises:
        FramingError: the header is none.
    """
    if len(header) != HEADER.size:
        raise FramingError("a message was cut short")
    kind, length = HEADER.unpack(header)
    if header[1:4] != b"\0\0\0" or kind not in _KINDS or length > MAX_PAYLOAD_BYTES:
        raise FramingError("the bytes are no message")
    return int(length)


def decode_command(header: bytes, payload: bytes) -> Command:
    """Return the command of a header and its payload.

    Raises:
        FramingError: they do not fit, or are a report.
    """
    return _decode(_COMMANDS, header, payload)


def decode_report(header: bytes, payload: bytes) -> Report:
    """Return the report of a header and its payload.

    Raises:
        FramingError: they do not fit, or are a command.
    """
    return _decode(_REPORTS, header, payload)


def _decode[T](decoders: Mapping[int, Callable[[bytes], T]], header: bytes, payload: bytes) -> T:
    if payload_bytes(header) != len(payload) or header[0] not in decoders:
        raise FramingError("the message was cut short or goes the other way")
    try:
        return decoders[header[0]](payload)
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise FramingError("the payload does not fit its kind") from error


def _payload(message: Message) -> tuple[Kind, bytes]:
    match message:
        case Open():
            texts = _pack_texts(message.microphone, message.speaker)
            return Kind.OPEN, _GENERATION.pack(message.generation) + texts
        case Play():
            return Kind.PLAY, _GENERATION.pack(message.generation) + message.pcm
        case Flush():
            return Kind.FLUSH, _GENERATION.pack(message.generation)
        case List():
            return Kind.LIST, b""
        case Ready():
            return Kind.READY, b""
        case Frame():
            return Kind.FRAME, _FRAME.pack(message.level, message.captured_ns) + message.pcm
        case Played():
            return Kind.PLAYED, _PLAYED.pack(message.generation, message.samples, message.level)
        case _:
            return _rare_payload(message)


def _rare_payload(message: Opened | Failed | Listed | Statistics) -> tuple[Kind, bytes]:
    match message:
        case Opened():
            numbers = _OPENED.pack(
                message.capture_hz,
                message.playout_hz,
                message.capture_latency_s,
                message.playout_latency_s,
                message.one_clock,
            )
            return Kind.OPENED, numbers + _pack_texts(message.microphone, message.speaker, message.note)
        case Failed():
            return Kind.FAILED, _pack_texts(message.reason.value, message.what, message.advice)
        case Listed():
            count = _TEXT_COUNT.pack(len(message.microphones))
            return Kind.LISTED, count + _pack_texts(*message.microphones, *message.speakers)
        case Statistics():
            numbers = _STATISTICS.pack(*(getattr(message, name) for name in Statistics.__dataclass_fields__))
            return Kind.STATISTICS, numbers


def _pack_texts(*texts: str) -> bytes:
    packed = [text.encode("utf-8", "replace")[:0xFFFF] for text in texts]
    return b"".join(_TEXT_LENGTH.pack(len(text)) + text for text in packed)


def _unpack_texts(payload: bytes, start: int) -> tuple[str, ...]:
    texts = []
    while start < len(payload):
        (length,) = _TEXT_LENGTH.unpack_from(payload, start)
        start += _TEXT_LENGTH.size
        if start + length > len(payload):
            raise ValueError(length)
        texts.append(payload[start : start + length].decode("utf-8", "replace"))
        start += length
    return tuple(texts)


def _open(payload: bytes) -> Open:
    (generation,) = _GENERATION.unpack_from(payload)
    microphone, speaker = _unpack_texts(payload, _GENERATION.size)
    return Open(microphone=microphone, speaker=speaker, generation=generation)


def _play(payload: bytes) -> Play:
    (generation,) = _GENERATION.unpack_from(payload)
    pcm = payload[_GENERATION.size :]
    if len(pcm) % 2:
        raise ValueError(len(pcm))
    return Play(generation=generation, pcm=pcm)


def _flush(payload: bytes) -> Flush:
    (generation,) = _GENERATION.unpack(payload)
    return Flush(generation=generation)


def _list(payload: bytes) -> List:
    _expect_nothing(payload)
    return List()


def _ready(payload: bytes) -> Ready:
    _expect_nothing(payload)
    return Ready()


def _expect_nothing(payload: bytes) -> None:
    if payload:
        raise ValueError(len(payload))


def _opened(payload: bytes) -> Opened:
    capture_hz, playout_hz, capture_s, playout_s, one_clock = _OPENED.unpack_from(payload)
    microphone, speaker, note = _unpack_texts(payload, _OPENED.size)
    return Opened(
        microphone=microphone,
        speaker=speaker,
        note=note,
        capture_hz=capture_hz,
        playout_hz=playout_hz,
        capture_latency_s=capture_s,
        playout_latency_s=playout_s,
        one_clock=one_clock,
    )


def _frame(payload: bytes) -> Frame:
    level, captured_ns = _FRAME.unpack_from(payload)
    return Frame(level=level, captured_ns=captured_ns, pcm=payload[_FRAME.size :])


def _played(payload: bytes) -> Played:
    generation, samples, level = _PLAYED.unpack(payload)
    return Played(generation=generation, samples=samples, level=level)


def _failed(payload: bytes) -> Failed:
    reason, what, advice = _unpack_texts(payload, 0)
    return Failed(reason=Reason(reason), what=what, advice=advice)


def _listed(payload: bytes) -> Listed:
    (microphones,) = _TEXT_COUNT.unpack_from(payload)
    names = _unpack_texts(payload, _TEXT_COUNT.size)
    if microphones > len(names):
        raise ValueError(microphones)
    return Listed(microphones=names[:microphones], speakers=names[microphones:])


def _statistics(payload: bytes) -> Statistics:
    return Statistics(**dict(zip(Statistics.__dataclass_fields__, _STATISTICS.unpack(payload), strict=True)))


_COMMANDS: dict[int, Callable[[bytes], Command]] = {
    Kind.OPEN.value: _open,
    Kind.PLAY.value: _play,
    Kind.FLUSH.value: _flush,
    Kind.LIST.value: _list,
}
_REPORTS: dict[int, Callable[[bytes], Report]] = {
    Kind.READY.value: _ready,
    Kind.OPENED.value: _opened,
    Kind.FRAME.value: _frame,
    Kind.PLAYED.value: _played,
    Kind.FAILED.value: _failed,
    Kind.LISTED.value: _listed,
    Kind.STATISTICS.value: _statistics,
}
