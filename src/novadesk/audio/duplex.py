"""The PortAudio callbacks: between the device and two rings, with a few counters, and nothing else.

Nothing in a callback locks, logs, does input or output, or lets a container grow.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sounddevice
from numpy.typing import NDArray

from novadesk.audio.devices import Device, Direction
from novadesk.audio.formats import FRAME_SAMPLES, LISTEN_HZ
from novadesk.audio.playout import Playout
from novadesk.audio.ringbuffer import RingBuffer

BLOCK_S = 0.01
"""Asked of the device with `latency='low'` (measured: called back every 10 to 18 ms, buffers of 20 ms)."""

CAPTURE_BLOCK_S = FRAME_SAMPLES / LISTEN_HZ / 2
"""Asked of a microphone with a stream of its own: every other callback ends a frame, and none comes for nothing."""

DEVICE_HZ = 48_000
# With ALSA a single xrun ends a stream of both directions for good (measured: 3 of 28 openings under load), and a pair
# of devices with two clocks must come to one; a stream of one direction recovers.
_FRAGILE_IN_ONE = frozenset({"ALSA"})
_CAPTURE_RING_S = 4.0
_STAMPS = 1024
_LONGEST_BLOCKS = 16  # in one callback
_FLOAT = np.dtype(np.float32)  # made once: a type is looked up at every call

type Trying = Callable[[Direction | None], None]
"""Told which direction is being opened from now on; None for both in one stream, and when that is done."""

type Meanwhile = Callable[[int, int], None]
"""What stands for the other direction where that has no device; takes the frames of a callback and its time."""


class CaptureSide:
    """What the callback leaves behind of the microphone.

    Args:
        rate_hz: of the device.
        channels: of the device.
        block_s: what is asked of the device at once.
    """

    __slots__ = ("_stamps", "block_frames", "overflows", "rate_hz", "ring")

    def __init__(self, rate_hz: int, channels: int, block_s: float = BLOCK_S) -> None:
        self.rate_hz = rate_hz
        self.block_frames = round(rate_hz * block_s)
        self.ring = RingBuffer(round(rate_hz * _CAPTURE_RING_S), channels)
        self.overflows = 0
        self._stamps = np.zeros(_STAMPS, np.int64)

    def take(self, block: NDArray[np.float32], now_ns: int) -> None:
        """Add a block. Callback only."""
        self._stamps[(self.ring.written // self.block_frames) % _STAMPS] = now_ns
        self.ring.write(block)

    def time_of(self, position: int) -> int:
        """Return the monotonic nanoseconds of the callback that brought the last frame before `position`."""
        return int(self._stamps[(max(0, position - 1) // self.block_frames) % _STAMPS])


class Pulse:
    """When a stream last called back."""

    __slots__ = ("callbacks", "ended", "last_ns", "late_callbacks", "late_ns", "worst_gap_ns")

    def __init__(self, block_s: float = BLOCK_S) -> None:
        self.callbacks = 0
        self.last_ns = 0
        self.worst_gap_ns = 0
        self.late_callbacks = 0
        self.late_ns = round((block_s + BLOCK_S) * 1e9)
        self.ended = False

    def beat(self, now_ns: int) -> None:
        """Note a callback. Callback only."""
        if self.callbacks:
            gap = now_ns - self.last_ns
            if gap > self.worst_gap_ns:
                self.worst_gap_ns = gap
            if gap > self.late_ns:
                self.late_callbacks += 1
        self.last_ns = now_ns
        self.callbacks += 1

    def end(self) -> None:
        """Note that PortAudio has ended the stream."""
        self.ended = True


@dataclass(slots=True, kw_only=True)
class Duplex:
    """Running streams: one for both directions, or one for each."""

    capture: CaptureSide
    playout: Playout
    streams: tuple[Any, ...]
    pulses: tuple[Pulse, ...]
    output_underflows: Callable[[], int]

    @property
    def one_clock(self) -> bool:
        """Return whether one stream carries both directions."""
        return len(self.streams) == 1

    def gaps(self) -> int:
        """Return how often PortAudio told of sound that was lost, in either direction."""
        return self.capture.overflows + self.output_underflows()

    @property
    def capture_latency_s(self) -> float:
        """Return what PortAudio states."""
        latency = self.streams[0].latency
        return float(latency[0] if isinstance(latency, tuple) else latency)

    @property
    def playout_latency_s(self) -> float:
        """Return what PortAudio states."""
        latency = self.streams[-1].latency
        return float(latency[1] if isinstance(latency, tuple) else latency)

    def close(self) -> None:
        """End the streams at once; what is queued is not played."""
        for stream in self.streams:
            with contextlib.suppress(sounddevice.PortAudioError):
                stream.close(ignore_errors=True)


class OpenFailure(Exception):
    """PortAudio does not open a device.

    Args:
        microphone: the microphone is (also) to blame.
        speaker: the speaker is (also) to blame.
        cause: PortAudio's own words.
    """

    def __init__(self, *, microphone: bool, speaker: bool, cause: str) -> None:
        super().__init__(cause)
        self.microphone = microphone
        self.speaker = speaker
        self.cause = cause


class _Underflows:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        return self.count


def open_duplex(
    microphone: Device | None,
    speaker: Device | None,
    generation: int,
    *,
    apart: bool = False,
    trying: Trying = lambda _direction: None,
) -> Duplex:
    """Open and start both devices; one stream for both where that is sound and they are not wanted `apart`, else two.

    One of them may be None: silence stands for a microphone, and a speaker that nobody hears for a speaker, both called
    back with the other device. A driver may hang in here.

    Raises:
        OpenFailure: with which of the two is to blame.
    """
    if microphone is None:
        assert speaker is not None
        trying(Direction.SPEAKER)
        return _open_speaker_alone(speaker, generation)
    if speaker is None:
        trying(Direction.MICROPHONE)
        return _open_microphone_alone(microphone, generation)
    if not apart and microphone.host_api == speaker.host_api and speaker.host_api not in _FRAGILE_IN_ONE:
        for channels_in, channels_out in _channel_choices(microphone, speaker):
            with contextlib.suppress(sounddevice.PortAudioError, ValueError):
                return _open_one(microphone, speaker, channels_in, channels_out, generation)
    return _open_two(microphone, speaker, generation, trying)


def _open_one(microphone: Device, speaker: Device, channels_in: int, channels_out: int, generation: int) -> Duplex:
    capture = CaptureSide(DEVICE_HZ, channels_in)
    playout = Playout(DEVICE_HZ, generation)
    pulse, underflows = Pulse(), _Underflows()
    play = _player(playout, channels_out)

    def callback(indata: Any, outdata: Any, frames: int, _time: Any, status: Any) -> None:
        now_ns = time.monotonic_ns()
        play(outdata, frames, now_ns)
        capture.take(_in_place(indata, channels_in), now_ns)  # behind `play`: with it goes what is played meanwhile
        if status:
            capture.overflows += status.input_overflow
            underflows.count += status.output_underflow
        pulse.beat(now_ns)

    stream = sounddevice.RawStream(
        samplerate=DEVICE_HZ,
        blocksize=capture.block_frames,
        device=(microphone.index, speaker.index),
        channels=(channels_in, channels_out),
        dtype="float32",
        latency="low",
        callback=callback,
        finished_callback=pulse.end,
    )
    _start(stream)
    return Duplex(capture=capture, playout=playout, streams=(stream,), pulses=(pulse,), output_underflows=underflows)


def _open_two(microphone: Device, speaker: Device, generation: int, trying: Trying) -> Duplex:
    causes: dict[str, str] = {}
    listening = speaking = None
    trying(Direction.MICROPHONE)
    try:
        listening = _open_side(microphone, microphone.inputs, _open_capture)
    except sounddevice.PortAudioError as error:
        causes["microphone"] = str(error)
    trying(Direction.SPEAKER)
    try:
        speaking = _open_side(
            speaker, speaker.outputs, lambda device, rate, channels: _open_playout(device, rate, channels, generation)
        )
    except sounddevice.PortAudioError as error:
        causes["speaker"] = str(error)
    if listening is None or speaking is None:
        for opened in (listening, speaking):
            if opened is not None:
                opened[1].close(ignore_errors=True)
        raise OpenFailure(
            microphone="microphone" in causes, speaker="speaker" in causes, cause="; ".join(causes.values())
        )
    capture, capture_stream, capture_pulse = listening
    (playout, underflows), playout_stream, playout_pulse = speaking
    return Duplex(
        capture=capture,
        playout=playout,
        streams=(capture_stream, playout_stream),
        pulses=(capture_pulse, playout_pulse),
        output_underflows=underflows,
    )


def _open_speaker_alone(speaker: Device, generation: int) -> Duplex:
    def opener(device: Device, rate_hz: int, channels: int) -> Duplex:
        capture = CaptureSide(rate_hz, 1)
        silence = np.zeros((_LONGEST_BLOCKS * capture.block_frames, 1), np.float32)

        def meanwhile(frames: int, now_ns: int) -> None:
            capture.take(silence[:frames], now_ns)

        (playout, underflows), stream, pulse = _open_playout(device, rate_hz, channels, generation, meanwhile)
        return Duplex(
            capture=capture, playout=playout, streams=(stream,), pulses=(pulse,), output_underflows=underflows
        )

    try:
        return _open_side(speaker, speaker.outputs, opener)
    except sounddevice.PortAudioError as error:
        raise OpenFailure(microphone=False, speaker=True, cause=str(error)) from error


def _open_microphone_alone(microphone: Device, generation: int) -> Duplex:
    def opener(device: Device, rate_hz: int, channels: int) -> Duplex:
        playout = Playout(rate_hz, generation)
        unheard = np.zeros((_LONGEST_BLOCKS * round(rate_hz * CAPTURE_BLOCK_S), 1), np.float32)

        def meanwhile(frames: int, now_ns: int) -> None:
            playout.fill(unheard[:frames], now_ns)

        capture, stream, pulse = _open_capture(device, rate_hz, channels, meanwhile)
        return Duplex(capture=capture, playout=playout, streams=(stream,), pulses=(pulse,), output_underflows=int)

    try:
        return _open_side(microphone, microphone.inputs, opener)
    except sounddevice.PortAudioError as error:
        raise OpenFailure(microphone=True, speaker=False, cause=str(error)) from error


def _open_side[T](device: Device, most: int, opener: Callable[[Device, int, int], T]) -> T:
    """Open one direction at the first rate and channel count that the device takes."""
    trouble: sounddevice.PortAudioError | None = None
    for rate_hz in dict.fromkeys((DEVICE_HZ, device.rate_hz)):
        for channels in _channels(most):
            try:
                return opener(device, rate_hz, channels)
            except sounddevice.PortAudioError as error:
                trouble = error
    raise trouble or sounddevice.PortAudioError("no channels")


def _open_capture(
    device: Device, rate_hz: int, channels: int, meanwhile: Meanwhile | None = None
) -> tuple[CaptureSide, Any, Pulse]:
    capture, pulse = CaptureSide(rate_hz, channels, CAPTURE_BLOCK_S), Pulse(CAPTURE_BLOCK_S)

    def callback(indata: Any, frames: int, _time: Any, status: Any) -> None:
        now_ns = time.monotonic_ns()
        if meanwhile is not None:
            meanwhile(frames, now_ns)
        capture.take(_in_place(indata, channels), now_ns)
        if status:
            capture.overflows += status.input_overflow
        pulse.beat(now_ns)

    stream = sounddevice.RawInputStream(
        samplerate=rate_hz,
        blocksize=capture.block_frames,
        device=device.index,
        channels=channels,
        dtype="float32",
        latency="low",
        callback=callback,
        finished_callback=pulse.end,
    )
    _start(stream)
    return capture, stream, pulse


def _open_playout(
    device: Device, rate_hz: int, channels: int, generation: int, meanwhile: Meanwhile | None = None
) -> tuple[tuple[Playout, _Underflows], Any, Pulse]:
    playout, pulse, underflows = Playout(rate_hz, generation), Pulse(), _Underflows()
    play = _player(playout, channels)

    def callback(outdata: Any, frames: int, _time: Any, status: Any) -> None:
        now_ns = time.monotonic_ns()
        play(outdata, frames, now_ns)
        if meanwhile is not None:
            meanwhile(frames, now_ns)
        if status:
            underflows.count += status.output_underflow
        pulse.beat(now_ns)

    stream = sounddevice.RawOutputStream(
        samplerate=rate_hz,
        blocksize=round(rate_hz * BLOCK_S),
        device=device.index,
        channels=channels,
        dtype="float32",
        latency="low",
        callback=callback,
        finished_callback=pulse.end,
    )
    _start(stream)
    return (playout, underflows), stream, pulse


def _in_place(buffer: Any, channels: int) -> NDArray[np.float32]:
    """Return a device's buffer as frames in place. `sounddevice` does so with a warning at every call, which costs."""
    return np.frombuffer(buffer, _FLOAT).reshape(-1, channels)


def _player(playout: Playout, channels: int) -> Callable[[Any, int, int], None]:
    """Return what fills a device's buffer of so many frames, at a time in monotonic nanoseconds, for the callback."""
    heard = np.zeros((round(playout.rate_hz * BLOCK_S) * _LONGEST_BLOCKS, 1), np.float32)

    def play(buffer: Any, frames: int, now_ns: int) -> None:
        block = _in_place(buffer, channels)
        mono = block if channels == 1 else heard[:frames]
        playout.fill(mono, now_ns)
        if channels > 1:
            block[:] = mono

    return play


def _start(stream: Any) -> None:
    try:
        stream.start()
    except sounddevice.PortAudioError:
        stream.close(ignore_errors=True)
        raise


def _channels(most: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys(count for count in (1, 2, most) if count <= most))


def _channel_choices(microphone: Device, speaker: Device) -> list[tuple[int, int]]:
    return list(
        dict.fromkeys(((1, 1), (1, min(2, speaker.outputs)), (min(2, microphone.inputs), min(2, speaker.outputs))))
    )
