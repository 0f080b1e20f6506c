"""Carries sound between the streams and the messages, in the engine's own thread."""

import enum
import time

from novadesk.audio.capture import FrameCutter
from novadesk.audio.devices import (
    Choice,
    Device,
    DeviceList,
    Direction,
    choose,
    list_devices,
    no_sound,
)
from novadesk.audio.duplex import BLOCK_S, Duplex, OpenFailure, open_duplex
from novadesk.audio.outbox import Outbox
from novadesk.audio.playout import Feeder
from novadesk.audio.wire import Failed, Opened, Played, Statistics
from novadesk.errors import KnownError, Reason

FIRST_CALLBACK_S = 2.0
"""A stream that delivers nothing for this long after opening does not work (measured: 17 to 64 ms)."""

STALLED_S = max(10 * BLOCK_S, 0.5)
"""Ten silent blocks are a stall, but never less than a busy computer explains (measured: gaps of 18 ms at most on one
with time to spare, of 227 ms on two cores with nine programs that want them)."""

_PLAYED_EVERY_S = 0.02
_STATISTICS_EVERY_S = 0.5


class State(enum.Enum):
    """Where the pump stands."""

    OPENING = "opening"
    RUNNING = "running"
    BROKEN = "broken"


class Pump:
    """One opening of microphone and speaker.

    Args:
        outbox: takes the messages for the app.
        generation: the newest generation at the start.
    """

    def __init__(self, outbox: Outbox, microphone: str, speaker: str, generation: int) -> None:
        self._outbox = outbox
        self._duplex, self._opened = open_devices(list_devices(), microphone, speaker, generation)
        self._feeder = Feeder(self._duplex.playout)
        self._cutter = FrameCutter(self._duplex.capture)
        self._state = State.OPENING
        self._opened_ns = time.monotonic_ns()
        self._looked_ns = self._opened_ns
        self._awake_ns = [0] * len(self._duplex.pulses)
        self._beats = [0] * len(self._duplex.pulses)
        self._played_at = 0.0
        self._statistics_at = 0.0

    def play(self, pcm: bytes, generation: int) -> None:
        """Queue s16le mono at 24 kHz."""
        self._feeder.play(pcm, generation)

    def flush(self, generation: int) -> None:
        """Silence everything older than `generation`."""
        self._feeder.flush(generation)

    def turn(self) -> None:
        """Move what can be moved now. To be called every few milliseconds."""
        if self._state is State.BROKEN:
            return
        self._watch(time.monotonic_ns())
        if self._state is not State.RUNNING:
            return
        for frame in self._cutter.frames():
            self._outbox.put(frame)
        self._feeder.feed()
        now = time.monotonic()
        if now - self._played_at >= _PLAYED_EVERY_S:
            self._played_at = now
            for generation, samples, level in self._feeder.take_played():
                self._outbox.put(Played(generation=generation, samples=samples, level=level))
        if now - self._statistics_at >= _STATISTICS_EVERY_S:
            self._statistics_at = now
            self._outbox.put(self._statistics())

    def close(self) -> None:
        """Release the devices."""
        self._duplex.close()

    def _watch(self, now_ns: int) -> None:
        pulses = self._duplex.pulses
        step_ns, self._looked_ns = now_ns - self._looked_ns, now_ns
        if any(pulse.ended for pulse in pulses):
            self._break(_stalled())  # whether the sound server is gone, the next process sees for itself
            return
        if self._state is State.OPENING:
            if all(pulse.callbacks for pulse in pulses):
                self._state = State.RUNNING
                self._outbox.put(self._opened)
            elif now_ns - self._opened_ns > FIRST_CALLBACK_S * 1e9:
                self._break(_stalled())
            return
        for place, pulse in enumerate(pulses):
            if pulse.callbacks != self._beats[place]:
                self._beats[place], self._awake_ns[place] = pulse.callbacks, 0
            else:
                # Only time in which this thread ran counts: a process that was stopped has not seen a stall.
                self._awake_ns[place] += min(step_ns, round(2 * BLOCK_S * 1e9))
            if self._awake_ns[place] > STALLED_S * 1e9:
                self._break(_stalled())
                return

    def _break(self, error: KnownError) -> None:
        self._state = State.BROKEN
        self._outbox.put(Failed(reason=error.reason, what=error.what, advice=error.advice))

    def _statistics(self) -> Statistics:
        pulses, capture = self._duplex.pulses, self._duplex.capture
        return Statistics(
            callbacks=min(pulse.callbacks for pulse in pulses),
            dropped_frames=capture.ring.dropped_frames,
            dropped_messages=self._outbox.dropped_frames,
            input_overflows=capture.overflows,
            output_underflows=self._duplex.output_underflows(),
            underruns=self._duplex.playout.underruns,
            late_callbacks=sum(pulse.late_callbacks for pulse in pulses),
            worst_gap_us=max(pulse.worst_gap_ns for pulse in pulses) // 1000,
        )


def open_devices(found: DeviceList, microphone: str, speaker: str, generation: int) -> tuple[Duplex, Opened]:
    """Open the preferred devices, or the defaults with a note where those do not open.

    Raises:
        KnownError: see `devices.choose`; `NO_MICROPHONE`, `NO_SPEAKER` or `SOUND_SERVER_GONE` when nothing opens.
    """
    listening = choose(found, Direction.MICROPHONE, microphone)
    speaking = choose(found, Direction.SPEAKER, speaker)
    try:
        duplex = open_duplex(listening.device, speaking.device, generation)
    except OpenFailure as failure:
        fallback_in = _instead(found, listening, Direction.MICROPHONE) if failure.microphone else listening
        fallback_out = _instead(found, speaking, Direction.SPEAKER) if failure.speaker else speaking
        if (fallback_in, fallback_out) == (listening, speaking):
            raise _not_opened(failure, listening.device, speaking.device) from failure
        listening, speaking = fallback_in, fallback_out
        try:
            duplex = open_duplex(listening.device, speaking.device, generation)
        except OpenFailure as second:
            raise _not_opened(second, listening.device, speaking.device) from second
    return duplex, Opened(
        microphone=listening.device.title,
        speaker=speaking.device.title,
        note=" ".join(note for note in (listening.note, speaking.note) if note),
        capture_hz=duplex.capture.rate_hz,
        playout_hz=duplex.playout.rate_hz,
        capture_latency_s=duplex.capture_latency_s,
        playout_latency_s=duplex.playout_latency_s,
        one_clock=duplex.one_clock,
    )


def _instead(found: DeviceList, choice: Choice, direction: Direction) -> Choice:
    default = found.default(direction)
    if default is None or default.index == choice.device.index:
        return choice
    note = f"The {direction.value} “{choice.device.title}” does not open; using “{default.title}”."
    return Choice(device=default, note=note)


def _not_opened(failure: OpenFailure, microphone: Device, speaker: Device) -> KnownError:
    if failure.microphone and failure.speaker:
        return no_sound()
    if failure.microphone:
        reason, what = Reason.NO_MICROPHONE, f"The microphone “{microphone.title}” does not open"
    else:
        reason, what = Reason.NO_SPEAKER, f"The speaker “{speaker.title}” does not open"
    return KnownError(
        reason, f"{what} ({failure.cause}).", "Close other programs that use it, or choose another device in Settings."
    )


def _stalled() -> KnownError:
    return KnownError(
        Reason.DEVICE_STALLED,
        "The sound device has stopped delivering sound.",
        "NovaDesk opens it again by itself; if that does not help, choose another device in Settings.",
    )
