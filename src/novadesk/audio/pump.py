"""Carries sound between the streams and the messages, in the engine's own thread."""

import enum
import time
from dataclasses import replace

from novadesk.audio.bargein import make_detector
from novadesk.audio.canceller import make_canceller
from novadesk.audio.capture import FrameCutter
from novadesk.audio.devices import SILENT, Direction, list_devices
from novadesk.audio.duplex import BLOCK_S
from novadesk.audio.feeder import Feeder
from novadesk.audio.formats import Samples
from novadesk.audio.hearing import DEAF_AFTER_S, Hearing
from novadesk.audio.opening import ALL_DEAD, STALLED_ADVICE, open_devices
from novadesk.audio.outbox import Outbox
from novadesk.audio.reference import OneClock, Reference, TwoClocks
from novadesk.audio.truth import InputTruth
from novadesk.audio.wire import (
    Clip,
    Failed,
    Flush,
    Input,
    Interruption,
    Open,
    Play,
    Played,
    PlayOn,
    Report,
    Statistics,
    Volume,
    Watch,
)
from novadesk.config import EchoSetting
from novadesk.errors import Reason
from novadesk.models import BargeIn, InputTrouble

FIRST_CALLBACK_S = 1.8
"""A stream that delivers nothing for this long after opening does not work (measured: 17 to 64 ms); that is told in
less than two seconds."""

STALLED_S = max(10 * BLOCK_S, 0.5)
"""Ten silent blocks are a stall, but never less than a busy computer explains (measured: gaps of 18 ms at most on one
with time to spare, of 227 ms on two cores with nine programs that want them)."""

MOST_STALLED_S = 1.8
"""A computer that has let a stream wait for long before gets up to this much patience: another process takes longer."""

PLAYED_EVERY_S = 0.05
"""Least time between two counts of what was played, a sixth of a spoken word. They go with the next microphone frame,
so that the app wakes for both at once; what begins or ends is told at once."""

_STATISTICS_EVERY_S = 1.0
_OPENING_S = 0.008
_HEED_S = 0.02  # at most between two looks for somebody who speaks into an answer
_BEHIND_S = 0.001  # a turn behind the callback that it waits for, which comes at its time within half a millisecond
_OUTAGE_BLOCKS = 3  # callbacks that are late by this much have another time from then on
_FORGET_NS = 100_000  # in a turn: follows any clock
_LATE_S = 0.002  # between two looks for a callback that is late
_STALLED_GAPS = 3  # as long as the longest wait for a callback so far
_AWAKE_S = 0.04  # most that one turn can have waited

_DEAD: dict[tuple[bool, ...], Direction] = {(True, False): Direction.MICROPHONE, (False, True): Direction.SPEAKER}
"""The dead direction by which of two streams are, microphone first."""

type Order = Play | Flush | Volume | PlayOn | Clip | Watch
"""What a pump that is open can be told."""


class State(enum.Enum):
    """Where the pump stands."""

    OPENING = "opening"
    RUNNING = "running"
    BROKEN = "broken"


class Pump:
    """One opening of microphone and speaker.

    Args:
        outbox: takes the messages for the app.
        wanted: the devices, and how to use them.
    """

    def __init__(self, outbox: Outbox, wanted: Open) -> None:
        self._outbox = outbox
        canceller, note = make_canceller(wanted.echo)
        self._duplex, opened = open_devices(list_devices(), wanted, outbox.put)
        half_duplex = bool(note) or wanted.echo is EchoSetting.HALF_DUPLEX
        self._dead = bool(wanted.dead_microphones) and not opened.microphone
        self._opened = replace(opened, half_duplex=half_duplex, half_duplex_note=note)
        self._feeder = Feeder(self._duplex.playout)
        self._feeder.set_volume(wanted.volume)
        if wanted.paused:
            self._feeder.pause()
        capture = self._duplex.capture
        playout = self._duplex.playout
        self._reference: Reference = (
            OneClock(playout) if self._duplex.one_clock else TwoClocks(capture, playout, self._duplex.gaps)
        )
        delay_s = self._duplex.capture_latency_s + self._duplex.playout_latency_s
        self._hearing = Hearing(
            canceller, make_detector(), lambda: self._feeder.playing, self._interrupt,
            deaf_s=DEAF_AFTER_S + delay_s if half_duplex else None,
        )  # fmt: skip
        self._hearing.watching = wanted.watching
        self._truth = InputTruth(capture.rate_hz)
        self._trouble = InputTrouble.NONE
        self._cutter = FrameCutter(
            capture, self._reference, self._hearing.hear, self._look if opened.microphone else len
        )
        self._state = State.OPENING
        self._opened_ns = time.monotonic_ns()
        self._looked_ns = self._opened_ns
        self._next_ns = 0
        self._begun_ns = 0
        self._told: tuple[int, bool] = self._feeder.state()
        self._awake_ns = [0] * len(self._duplex.pulses)
        self._beats = [0] * len(self._duplex.pulses)
        self._played_at = 0.0
        self._statistics_at = 0.0

    def take(self, order: Order) -> None:
        """Do what the app wants."""
        match order:
            case Play():
                self._feeder.play(order.pcm, order.generation, order.asked_ns)
            case Flush():
                self._feeder.flush(order.generation, order.asked_ns)
            case PlayOn():
                self._feeder.play_on(order.generation)
            case Volume():
                self._feeder.set_volume(order.volume)
            case Clip():
                self._feeder.clip(order.pcm, order.volume)
            case Watch():
                self._hearing.watching = order.on

    @property
    def wait_s(self) -> float:
        """Return how long the next turn may wait, in seconds; 0 when it is due."""
        return max(0, self._next_ns - time.monotonic_ns()) / 1e9

    def turn(self) -> None:
        """Move what can be moved now, and set the time of the next turn."""
        if self._state is not State.BROKEN:
            self._watch(time.monotonic_ns())
        if self._state is not State.RUNNING:
            self._next_ns = time.monotonic_ns() + round(_OPENING_S * 1e9)
            return
        reports: list[Report] = [*self._cutter.frames()]
        self._feeder.feed()
        self._feeder.measure()
        reports += self._news(time.monotonic(), bool(reports))
        if reports:
            self._outbox.put(*reports)
        self._next_ns = self._due_ns(time.monotonic_ns())

    def _due_ns(self, now_ns: int) -> int:
        """Return when the callback comes that makes a frame whole, or with which it is time to heed a voice.

        Callbacks come at even times; waking for each of them costs more than what there is to do.
        """
        capture = self._duplex.capture
        missing = self._cutter.missing_frames
        if self._feeder.playing:
            heed_frames = round(_HEED_S * capture.rate_hz) // capture.block_frames * capture.block_frames
            missing = min(missing, heed_frames - capture.ring.available_frames)
        due_ns = self._callback_ns(max(1, -(-missing // capture.block_frames))) + round(_BEHIND_S * 1e9)
        return max(due_ns, now_ns + round(_LATE_S * 1e9))

    def _callback_ns(self, blocks: int) -> int:
        """Return when the microphone's callback with so many more blocks comes; one late does not put off the next."""
        pulse, capture = self._duplex.pulses[0], self._duplex.capture
        block_ns = round(capture.block_frames / capture.rate_hz * 1e9)
        begun_ns = pulse.last_ns - pulse.callbacks * block_ns  # the earliest is the truth
        if begun_ns - self._begun_ns > _OUTAGE_BLOCKS * block_ns:
            self._begun_ns = begun_ns
        self._begun_ns = min(self._begun_ns + _FORGET_NS, begun_ns)
        return self._begun_ns + (pulse.callbacks + blocks) * block_ns

    def _news(self, now_s: float, with_frame: bool) -> list[Report]:
        news: list[Report] = []
        state = self._feeder.state()
        if (with_frame and now_s - self._played_at >= PLAYED_EVERY_S) or state != self._told:
            self._played_at, self._told = now_s, state
            for generation, samples, level in self._feeder.take_played():
                news.append(Played(generation=generation, samples=samples, level=level))
        if with_frame and now_s - self._statistics_at >= _STATISTICS_EVERY_S:
            self._statistics_at = now_s
            news.append(self._statistics())
        return news

    def close(self) -> None:
        """Release the devices."""
        self._duplex.close()

    def _look(self, samples: Samples) -> None:
        trouble = self._truth.feed(samples)
        if trouble is not self._trouble:
            self._trouble = trouble
            self._outbox.put(Input(trouble=trouble))

    def _interrupt(self, stage: BargeIn, at_ns: int) -> None:
        """Act at once on somebody who speaks into an answer; what follows from it, the app decides."""
        if stage is BargeIn.CONFIRMED:
            self._feeder.pause(at_ns)
        else:
            self._feeder.duck(stage is BargeIn.SUSPECTED)
        self._outbox.put(Interruption(generation=self._feeder.generation, stage=stage, at_ns=at_ns))

    def _watch(self, now_ns: int) -> None:
        pulses = self._duplex.pulses
        step_ns, self._looked_ns = now_ns - self._looked_ns, now_ns
        if any(pulse.ended for pulse in pulses):
            self._break("PortAudio ended a stream")  # whether the sound server is gone, the next process sees
            return
        if self._state is State.OPENING:
            if all(pulse.callbacks for pulse in pulses):
                self._state = State.RUNNING
                self._outbox.put(self._opened)
                if self._dead:
                    self._outbox.put(Input(trouble=InputTrouble.DEAD))
            elif now_ns - self._opened_ns > FIRST_CALLBACK_S * 1e9:
                silent = tuple(not pulse.callbacks for pulse in pulses)
                self._break(f"no callback in the first {FIRST_CALLBACK_S:g} s", silent)
            return
        worst_ns = _STALLED_GAPS * max(pulse.worst_gap_ns for pulse in pulses)
        patience_ns = min(max(round(STALLED_S * 1e9), worst_ns), round(MOST_STALLED_S * 1e9))
        for place, pulse in enumerate(pulses):
            if pulse.callbacks != self._beats[place]:
                self._beats[place], self._awake_ns[place] = pulse.callbacks, 0
            else:
                # Only time in which this thread ran counts: a process that was stopped has not seen a stall.
                self._awake_ns[place] += min(step_ns, round(_AWAKE_S * 1e9))
            if self._awake_ns[place] > patience_ns:
                which = "speaker" if place else "microphone"
                silent_ms = (now_ns - pulse.last_ns) / 1e6
                silent = tuple(awake_ns > patience_ns // 2 for awake_ns in self._awake_ns)
                self._break(f"no callback of the {which} for {silent_ms:.0f} ms after {pulse.callbacks}", silent)
                return

    def _break(self, cause: str, silent: tuple[bool, ...] = ()) -> None:
        """Give up; `silent` says which of the streams are dead, microphone first."""
        self._state = State.BROKEN
        dead = _DEAD.get(silent)
        names = {Direction.MICROPHONE: self._opened.microphone, Direction.SPEAKER: self._opened.speaker}
        self._outbox.put(
            Failed(
                reason=Reason.DEVICE_STALLED,
                what=SILENT[dead] if dead else ALL_DEAD,
                advice=STALLED_ADVICE,
                cause=cause,
                dead=dead,
                device=names[dead] if dead else "",
            )
        )

    def _statistics(self) -> Statistics:
        pulses, capture, playout = self._duplex.pulses, self._duplex.capture, self._duplex.playout
        frame_ms, start_ms, silence_ms = (
            latencies.percentiles_ms()
            for latencies in (
                self._outbox.frame_latencies,
                self._feeder.start_latencies,
                self._feeder.silence_latencies,
            )
        )
        return Statistics(
            callbacks=min(pulse.callbacks for pulse in pulses),
            dropped_frames=capture.ring.dropped_frames,
            dropped_messages=self._outbox.dropped_frames,
            input_overflows=capture.overflows,
            output_underflows=self._duplex.output_underflows(),
            underruns=playout.underruns,
            late_callbacks=sum(pulse.late_callbacks for pulse in pulses),
            worst_gap_us=max(pulse.worst_gap_ns for pulse in pulses) // 1000,
            slips=self._reference.slips,
            frame_ms_p50=frame_ms[0],
            frame_ms_p99=frame_ms[1],
            start_ms_p50=start_ms[0],
            start_ms_p99=start_ms[1],
            silence_ms_p50=silence_ms[0],
            silence_ms_p99=silence_ms[1],
            prefill_ms=playout.prefill_s * 1e3,
            drift_ppm=self._reference.drift_ppm,
            erle_db=self._hearing.erle_db,
            echo_over_voice_db=self._hearing.echo_over_voice_db,
        )
