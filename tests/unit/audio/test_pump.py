"""The watch over running streams, and what happens when a device does not open."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from novadesk.audio import opening, wire
from novadesk.audio import pump as pumping
from novadesk.audio.canceller import NullCanceller
from novadesk.audio.devices import Device, DeviceList, Direction
from novadesk.audio.drift import DriftEstimator
from novadesk.audio.duplex import CaptureSide, Duplex, OpenFailure, Pulse, Trying
from novadesk.audio.formats import Samples
from novadesk.audio.outbox import Outbox
from novadesk.audio.playout import Playout
from novadesk.audio.pump import FIRST_CALLBACK_S, MOST_STALLED_S, PLAYED_EVERY_S, STALLED_S, Pump
from novadesk.audio.wire import (
    Clip,
    Failed,
    Flush,
    Frame,
    Input,
    Interruption,
    Open,
    Opened,
    Play,
    Played,
    PlayOn,
    Report,
    Statistics,
    Volume,
    Watch,
)
from novadesk.config import EchoSetting
from novadesk.errors import KnownError, Reason
from novadesk.models import BargeIn, InputTrouble
from novadesk.text import Text

GOOD = Device(index=0, host_api="ALSA", name="Good", inputs=1, outputs=2, rate_hz=48_000)
BROKEN = Device(index=1, host_api="ALSA", name="Broken", inputs=1, outputs=2, rate_hz=48_000)
FOUND = DeviceList(devices=(GOOD, BROKEN), default_microphone=0, default_speaker=0, host_apis=("ALSA",))


class FakeStream:
    latency = (0.02, 0.03)
    closed = False

    def close(self, ignore_errors: bool = True) -> None:
        self.closed = True


class Rig:
    """A pump over streams that call back when the test says so, at a time that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1_000_000_000
        self.reports: list[Report] = []
        self.tried: list[Report] = []
        self.outbox = Outbox(-1)
        self.broken: set[tuple[str, str]] = set()
        self.cause = "Device unavailable"
        self.pulse = Pulse()
        self.speaker = self.pulse  # of a stream of its own where the test says so
        self.dead: set[str] = set()
        self.sound = 0.1
        self.underflows = 0
        self.stream = FakeStream()
        monkeypatch.setattr("novadesk.audio.pump.time.monotonic_ns", lambda: self.now_ns)
        monkeypatch.setattr("novadesk.audio.pump.time.monotonic", lambda: self.now_ns / 1e9)
        self.told_ns: list[int] = []
        monkeypatch.setattr(self.outbox, "put", self.put)
        self.stages: list[BargeIn | None] = []
        self.note = ""
        monkeypatch.setattr(pumping, "make_detector", lambda: self)
        monkeypatch.setattr(pumping, "make_canceller", lambda _echo: (NullCanceller(), self.note))
        monkeypatch.setattr(pumping, "list_devices", lambda: FOUND)
        monkeypatch.setattr(opening, "open_duplex", self.open_duplex)

    def put(self, *reports: Report) -> None:
        if isinstance(reports[0], wire.Trying):
            self.tried += reports
            return
        self.reports += reports
        self.told_ns += [self.now_ns] * len(reports)

    def open_duplex(
        self, microphone: Device | None, speaker: Device | None, generation: int, *, apart: bool, trying: Trying
    ) -> Duplex:
        trying(Direction.MICROPHONE)
        bad_in = microphone is not None and ("in", microphone.name) in self.broken
        bad_out = speaker is not None and ("out", speaker.name) in self.broken
        self.apart = apart
        if bad_in or bad_out:
            raise OpenFailure(microphone=bad_in, speaker=bad_out, cause=self.cause)
        self.capture, self.playout = CaptureSide(48_000, 1), Playout(48_000, generation)
        pulses = (self.pulse,) if self.speaker is self.pulse else (self.pulse, self.speaker)
        return Duplex(
            capture=self.capture,
            playout=self.playout,
            streams=(self.stream,) * len(pulses),
            pulses=pulses,
            output_underflows=lambda: self.underflows,
        )

    def pump(self, microphone: str = "", speaker: str = "", **how: Any) -> Pump:
        return Pump(self.outbox, Open(microphone=microphone, speaker=speaker, generation=0, **how))

    def feed(self, near: Samples, near_clean: Samples, playing: bool, gain_db: float = 0.0) -> BargeIn | None:
        return self.stages.pop(0) if self.stages else None

    def call_back(self) -> None:
        self.spoken = np.zeros((480, 1), np.float32)
        if "speaker" not in self.dead:
            self.playout.fill(self.spoken, self.now_ns)
        if "microphone" not in self.dead:
            self.capture.take(np.full((480, 1), self.sound, np.float32), self.now_ns)
            self.pulse.beat(self.now_ns)
        if self.speaker is not self.pulse and "speaker" not in self.dead:
            self.speaker.beat(self.now_ns)

    def run(self, pump: Pump, seconds: float, *, alive: bool, step_s: float = 0.01) -> None:
        for _ in range(round(seconds / step_s)):
            self.now_ns += round(step_s * 1e9)
            if alive:
                self.call_back()
            pump.turn()

    def live(self, pump: Pump, seconds: float, late_s: float = 0.0) -> int:
        """Call back every 10 ms, every other time too late; turn the pump when it is due, return how often that was."""
        turns, begun_ns = 0, self.now_ns
        for step in range(round(seconds / 0.0005)):
            self.now_ns = begun_ns + step * 500_000
            if step % 20 == (round(late_s / 0.0005) if step // 20 % 2 else 0):
                self.call_back()
            if not pump.wait_s:
                pump.turn()
                turns += 1
        return turns

    def told[T](self, kind: type[T]) -> list[T]:
        return [report for report in self.reports if isinstance(report, kind)]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_open_is_told_with_the_first_callback_and_frames_follow(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 0.5, alive=False)
    assert rig.reports == []
    rig.run(pump, 1.0, alive=True)
    assert isinstance(rig.reports[0], Opened)
    assert rig.reports[0].microphone == "ALSA: Good"
    assert len(rig.told(Frame)) == 31
    assert rig.told(Failed) == []


def test_a_stream_that_never_calls_back_is_told_as_stalled_once(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, FIRST_CALLBACK_S + 1, alive=False)
    (failed,) = rig.reports
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.cause) == (Reason.DEVICE_STALLED, "no callback in the first 1.8 s")


def test_a_stream_that_falls_silent_is_told_as_stalled_once(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 1.0, alive=True)
    rig.run(pump, STALLED_S * 0.9, alive=False)
    assert rig.told(Failed) == []
    rig.run(pump, 1.0, alive=False)
    (failed,) = rig.told(Failed)
    assert failed.reason is Reason.DEVICE_STALLED
    assert failed.cause == "no callback of the microphone for 510 ms after 100"


def test_a_computer_that_let_a_stream_wait_before_gets_more_patience(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 1.0, alive=True)
    rig.run(pump, 0.3, alive=False)
    rig.run(pump, 1.0, alive=True)
    rig.run(pump, 0.85, alive=False)
    assert rig.told(Failed) == []
    rig.run(pump, 0.2, alive=False)
    assert len(rig.told(Failed)) == 1


def test_patience_has_an_end(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 1.0, alive=True)
    rig.run(pump, 60.0, alive=False, step_s=60.0)
    rig.run(pump, 1.0, alive=True)
    rig.run(pump, MOST_STALLED_S + 0.02, alive=False)
    assert len(rig.told(Failed)) == 1


def test_a_process_that_was_stopped_itself_has_seen_no_stall(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 1.0, alive=True)
    rig.run(pump, 60.0, alive=False, step_s=60.0)
    rig.run(pump, 1.0, alive=True)
    assert rig.told(Failed) == []


@pytest.mark.parametrize("open_s", [0.0, 1.0])
@pytest.mark.parametrize(
    ("dead", "what"),
    [
        ({"microphone"}, "The microphone brings no sound at all."),
        ({"speaker"}, "The speaker takes no sound any more."),
        ({"microphone", "speaker"}, "The sound device has stopped delivering sound."),
    ],
)
def test_a_dead_device_is_told_by_its_name_in_less_than_two_seconds(
    rig: Rig, dead: set[str], what: str, open_s: float
) -> None:
    rig.speaker = Pulse()
    pump = rig.pump()
    rig.run(pump, open_s, alive=True)
    rig.dead, died_ns = dead, rig.now_ns
    while not rig.told(Failed):
        rig.run(pump, 0.01, alive=True)
        assert rig.now_ns - died_ns < 2_000_000_000
    (failed,) = rig.told(Failed)
    assert (failed.reason, failed.what) == (Reason.DEVICE_STALLED, what)
    blamed = (failed.dead.value, failed.device) if failed.dead else None
    assert blamed == (None if len(dead) > 1 else (*dead, "ALSA: Good"))


def test_a_stream_that_ended_by_itself_is_told_at_once(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 1.0, alive=True)
    rig.pulse.end()
    rig.run(pump, 0.1, alive=False)
    assert [failed.cause for failed in rig.told(Failed)] == ["PortAudio ended a stream"]


def test_what_was_played_is_told(rig: Rig) -> None:
    pump = rig.pump()
    rig.run(pump, 0.1, alive=True)
    pump.take(Play(generation=0, pcm=bytes(2 * 2_400)))
    rig.run(pump, 1.0, alive=True)
    assert rig.told(Played)[-1].samples == 2_400
    pump.close()
    assert rig.stream.closed


def test_it_turns_once_a_frame_right_behind_the_callback_that_makes_it_whole(rig: Rig) -> None:
    pump = rig.pump()
    rig.live(pump, 0.5)
    rig.reports.clear()
    rig.told_ns.clear()
    assert rig.live(pump, 4.0) <= 4.0 / 0.032 + 1
    waits_ms = [
        (at_ns - report.captured_ns) / 1e6
        for report, at_ns in zip(rig.reports, rig.told_ns, strict=True)
        if isinstance(report, Frame)
    ]
    assert len(waits_ms) == 125
    assert max(waits_ms) <= 1.5


def test_a_late_callback_is_waited_for_in_short_turns(rig: Rig) -> None:
    pump = rig.pump()
    rig.live(pump, 0.5)
    rig.reports.clear()
    rig.told_ns.clear()
    turns = rig.live(pump, 1.0, late_s=0.005)
    assert turns <= 4 / 0.032
    late = [at - told.captured_ns for told, at in zip(rig.reports, rig.told_ns, strict=True) if isinstance(told, Frame)]
    assert max(late) <= 3_000_000


@pytest.mark.parametrize("outage_ms", [6, 14, 303])
def test_callbacks_at_another_time_after_an_outage_are_waited_for_there(rig: Rig, outage_ms: int) -> None:
    pump = rig.pump()
    rig.live(pump, 0.5)
    rig.now_ns += outage_ms * 1_000_000
    rig.live(pump, 5.0)
    rig.reports.clear()
    rig.told_ns.clear()
    assert rig.live(pump, 2.0) <= 2.0 / 0.032 + 1


def test_who_speaks_into_an_answer_is_heeded_within_two_blocks(rig: Rig) -> None:
    pump = rig.pump()
    rig.live(pump, 0.5)
    pump.take(Play(generation=0, pcm=loud(9.0)))
    rig.live(pump, 0.5)
    rig.reports.clear()
    rig.told_ns.clear()
    rig.stages = [None, BargeIn.SUSPECTED, BargeIn.WITHDRAWN] * 100
    turns = rig.live(pump, 3.0)
    stages = [(told, at) for told, at in zip(rig.reports, rig.told_ns, strict=True) if isinstance(told, Interruption)]
    assert len(stages) > 150
    assert max(at - told.at_ns for told, at in stages) <= 12_000_000
    assert turns <= 2 * 3.0 / 0.032 + 2


def test_what_was_played_is_told_now_and_then(rig: Rig) -> None:
    pump = rig.pump()
    rig.live(pump, 0.5)
    pump.take(Play(generation=0, pcm=loud(1.0)))
    rig.live(pump, 2.0)
    told_ns = [at for told, at in zip(rig.reports, rig.told_ns, strict=True) if isinstance(told, Played)]
    gaps_ms = [(later - earlier) / 1e6 for earlier, later in itertools.pairwise(told_ns)]
    assert max(gaps_ms[:-2]) <= 1e3 * PLAYED_EVERY_S + 21
    assert 10 <= len(told_ns) <= 1 / PLAYED_EVERY_S + 4
    frames_ns = {at for told, at in zip(rig.reports, rig.told_ns, strict=True) if isinstance(told, Frame)}
    assert set(told_ns[1:-2]) <= frames_ns, "the app wakes for both at once"


@pytest.mark.parametrize("wait_ms", range(500, 560, 5))
def test_the_begin_and_the_end_of_what_is_played_are_told_at_once(rig: Rig, wait_ms: int) -> None:
    pump = rig.pump()
    rig.live(pump, wait_ms / 1000)
    pump.take(Play(generation=0, pcm=loud(0.3)))
    rig.live(pump, 0.6)
    told = [(at, told.samples) for told, at in zip(rig.reports, rig.told_ns, strict=True) if isinstance(told, Played)]
    begun_ns = rig.playout.begun_ns
    assert told[0][0] - begun_ns <= 41_000_000
    over_ns = next(at for at, samples in told if samples == 7_200)
    assert over_ns - begun_ns <= 300_000_000 + 25_000_000


def loud(seconds: float) -> bytes:
    return np.full(round(24_000 * seconds), 16_384, "<i2").tobytes()


def speaking(rig: Rig, **how: Any) -> Pump:
    pump = rig.pump(**how)
    rig.run(pump, 0.1, alive=True)
    pump.take(Play(generation=0, pcm=loud(5.0), asked_ns=rig.now_ns))
    rig.run(pump, 0.2, alive=True)
    return pump


def test_a_suspicion_ducks_the_answer_at_once_and_its_withdrawal_undoes_it(rig: Rig) -> None:
    pump = speaking(rig)
    rig.stages = [BargeIn.SUSPECTED]
    rig.run(pump, 0.02, alive=True)
    assert rig.spoken[-1, 0] == pytest.approx(0.5 * 10 ** (-15 / 20), rel=0.02)
    rig.stages = [BargeIn.WITHDRAWN]
    rig.run(pump, 0.02, alive=True)
    assert rig.spoken[-1, 0] == pytest.approx(0.5, rel=0.02)
    assert [told.stage for told in rig.told(Interruption)] == [BargeIn.SUSPECTED, BargeIn.WITHDRAWN]


def test_a_confirmed_barge_in_pauses_the_answer_until_it_is_to_play_on(rig: Rig) -> None:
    pump = speaking(rig)
    rig.stages = [BargeIn.SUSPECTED, BargeIn.CONFIRMED]
    rig.run(pump, 0.04, alive=True)
    assert not rig.spoken.any()
    confirmed = rig.told(Interruption)[-1]
    assert (confirmed.generation, confirmed.stage, confirmed.at_ns) == (0, BargeIn.CONFIRMED, rig.now_ns - 20_000_000)
    pump.take(PlayOn(generation=0))
    rig.run(pump, 0.02, alive=True)
    assert rig.spoken[-1, 0] == pytest.approx(0.5, rel=0.02)


def test_an_answer_that_was_paused_in_the_process_before_waits_in_this_one(rig: Rig) -> None:
    pump = speaking(rig, paused=True)
    assert not rig.spoken.any()
    pump.take(PlayOn(generation=0))
    rig.run(pump, 0.02, alive=True)
    assert rig.spoken.any()


def test_the_volume_is_that_of_the_opening_and_then_the_newest(rig: Rig) -> None:
    pump = speaking(rig, volume=0.5)
    assert rig.spoken[-1, 0] == pytest.approx(0.25, rel=0.02)
    pump.take(Volume(volume=1.0))
    pump.take(Clip(pcm=loud(0.1), volume=0.2))
    rig.run(pump, 0.03, alive=True)
    assert rig.spoken[-1, 0] == pytest.approx(0.6, rel=0.02)


def test_without_a_canceller_the_microphone_is_silent_while_an_answer_is_played_and_that_is_said(rig: Rig) -> None:
    rig.note = "No echo canceller."
    pump = speaking(rig)
    opened = rig.told(Opened)[0]
    assert (opened.half_duplex, opened.half_duplex_note, opened.note) == (True, "No echo canceller.", "")
    rig.run(pump, 0.1, alive=True)
    rig.reports.clear()
    rig.stages = [BargeIn.CONFIRMED]
    rig.run(pump, 1.0, alive=True)
    assert {frame.level for frame in rig.told(Frame)} == {0.0}
    assert rig.told(Interruption) == []
    pump.take(Flush(generation=1))
    rig.run(pump, 0.5, alive=True)
    assert rig.told(Frame)[-1].level == pytest.approx(0.1, rel=0.01)


def test_who_takes_turns_is_not_heard_while_an_answer_is_played_and_needs_no_reason(rig: Rig) -> None:
    pump = speaking(rig, echo=EchoSetting.HALF_DUPLEX)
    opened = rig.told(Opened)[0]
    assert (opened.half_duplex, opened.half_duplex_note, opened.note) == (True, "", "")
    rig.reports.clear()
    rig.run(pump, 1.0, alive=True)
    assert {frame.level for frame in rig.told(Frame)} == {0.0}
    pump.take(Flush(generation=1))
    rig.run(pump, 0.5, alive=True)
    assert rig.told(Frame)[-1].level == pytest.approx(0.1, rel=0.01)
    rig.reports.clear()
    pump.take(Clip(pcm=loud(0.2), volume=0.5))
    rig.run(pump, 0.2, alive=True)
    assert min(frame.level for frame in rig.told(Frame)) == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("echo", [EchoSetting.SPEAKERS, EchoSetting.HEADSET])
def test_who_does_not_take_turns_is_heard_over_an_answer(rig: Rig, echo: EchoSetting) -> None:
    pump = speaking(rig, echo=echo)
    assert not rig.told(Opened)[0].half_duplex
    rig.run(pump, 0.5, alive=True)
    assert rig.told(Frame)[-1].level == pytest.approx(0.1, rel=0.01)


def test_what_is_wrong_with_the_microphone_is_told_once_and_when_it_is_over(rig: Rig) -> None:
    pump = rig.pump()
    rig.sound = 0.0
    rig.run(pump, 3.0, alive=True)
    rig.sound = 0.1
    rig.run(pump, 1.0, alive=True)
    assert [told.trouble for told in rig.told(Input)] == [InputTrouble.ZEROS, InputTrouble.NONE]


def test_nothing_is_looked_for_through_a_closed_gate(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(rig, "feed", lambda near, clean, playing, gain_db: seen.append(playing))
    pump = speaking(rig)
    pump.take(Watch(on=False))
    rig.run(pump, 0.02, alive=True)
    assert seen[-4:] == [True, True, False, False]


def test_the_reference_of_two_clocks_learns_of_gaps_in_either_direction(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(DriftEstimator, "feed", lambda _self, _captured, _played, _at, gaps: told.append(gaps))
    rig.speaker = Pulse()
    pump = rig.pump()
    rig.run(pump, 0.2, alive=True)
    rig.underflows, rig.capture.overflows = 2, 3
    rig.run(pump, 0.1, alive=True)
    assert (told[0], told[-1]) == (0, 5)


def test_the_delays_are_told(rig: Rig) -> None:
    pump = speaking(rig)
    pump.take(Flush(generation=1, asked_ns=rig.now_ns))
    rig.run(pump, 1.1, alive=True)
    told = rig.told(Statistics)[-1]
    assert told.start_ms_p50 == pytest.approx(10)
    assert told.silence_ms_p99 == pytest.approx(15)
    assert told.prefill_ms == pytest.approx(40)


@pytest.mark.parametrize(
    ("side", "expected"), [("in", ("ALSA: Good", "ALSA: Broken")), ("out", ("ALSA: Broken", "ALSA: Good"))]
)
def test_a_preferred_device_that_does_not_open_is_replaced_and_that_is_said(
    rig: Rig, side: str, expected: tuple[str, str]
) -> None:
    rig.broken = {(side, "Broken")}
    rig.run(rig.pump("ALSA: Broken", "ALSA: Broken"), 0.1, alive=True)
    opened = rig.told(Opened)[0]
    assert (opened.microphone, opened.speaker) == expected
    assert "“ALSA: Broken” does not open; using “ALSA: Good”" in opened.note


@pytest.mark.parametrize(
    ("broken", "how", "reason"),
    [
        ({("in", "Good")}, {"whole": True}, Reason.NO_MICROPHONE),
        ({("out", "Good")}, {"whole": True}, Reason.NO_SPEAKER),
        ({("in", "Good")}, {"only": Direction.MICROPHONE}, Reason.NO_MICROPHONE),
        ({("out", "Good")}, {"only": Direction.SPEAKER}, Reason.NO_SPEAKER),
        ({("out", "Good")}, {"dead_microphones": ("ALSA: Good", "ALSA: Broken")}, Reason.NO_SPEAKER),
        ({("in", "Good"), ("out", "Good")}, {}, Reason.SOUND_SERVER_GONE),
    ],
)
def test_when_nothing_opens_the_error_names_the_device(
    rig: Rig, broken: set[tuple[str, str]], how: dict[str, Any], reason: Reason
) -> None:
    rig.broken = broken
    with pytest.raises(KnownError) as caught:
        rig.pump(**how)
    assert caught.value.reason is reason


def test_where_the_system_forbids_both_that_is_said(rig: Rig) -> None:
    rig.broken, rig.cause = {("in", "Good"), ("out", "Good")}, "Permission denied"
    with pytest.raises(KnownError, match="not permitted to use the microphone"):
        rig.pump()


@pytest.mark.parametrize(
    ("side", "cause", "note"),
    [
        ("in", None, "There is no microphone. Connect a microphone. Until then you can type and listen."),
        ("out", None, "There is no speaker. Connect a speaker. Until then you can talk and read."),
        ("in", "Busy", "The microphone “ALSA: Good” does not open (Busy). Close other programs that use it, or choose"),
        ("out", "Busy", "The speaker “ALSA: Good” does not open (Busy). Close other programs that use it, or choose"),
        ("in", "Permission denied", "NovaDesk is not permitted to use the microphone. Allow it in"),
    ],
)
def test_what_can_be_had_is_opened_alone_with_a_word_on_what_is_missing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, side: str, cause: str | None, note: str
) -> None:
    if cause is None:
        channels = "inputs" if side == "in" else "outputs"
        none = replace(FOUND, devices=tuple(replace(device, **{channels: 0}) for device in FOUND.devices))
        monkeypatch.setattr(pumping, "list_devices", lambda: none)
    else:
        rig.broken, rig.cause = {(side, "Good")}, cause
    rig.run(rig.pump(), 0.1, alive=True)
    (told,) = rig.told(Opened)
    assert (told.microphone, told.speaker) == (("", "ALSA: Good") if side == "in" else ("ALSA: Good", ""))
    assert told.note.startswith(note)
    assert told.note.endswith("Until then you can type and listen." if side == "in" else "talk and read.")
    assert isinstance(told.note, Text)
    direction = Direction.MICROPHONE if side == "in" else Direction.SPEAKER
    assert told.closed == (() if cause is None else ((direction, "ALSA: Good"), (direction, "ALSA: Broken")))
    assert rig.told(Input) == []


def test_what_is_being_opened_is_told_before_and_that_it_is_over(rig: Rig) -> None:
    rig.pump()
    assert rig.tried == [
        wire.Trying(direction=Direction.MICROPHONE, device="ALSA: Good"),
        wire.Trying(),
    ]


@pytest.mark.parametrize(
    ("wanted", "dead", "opened", "note"),
    [
        ("ALSA: Broken", ("ALSA: Broken",), "ALSA: Good", "“ALSA: Broken” {}; using “ALSA: Good”."),
        ("", ("ALSA: Good",), "ALSA: Broken", "“ALSA: Good” {}; using “ALSA: Broken”."),
        ("Broken", ("ALSA: Broken", "ALSA: Good"), "", "“ALSA: Broken” {}."),
    ],
)
@pytest.mark.parametrize("side", Direction)
def test_in_the_place_of_a_dead_device_another_is_opened_or_none(
    rig: Rig, side: Direction, wanted: str, dead: tuple[str, ...], opened: str, note: str
) -> None:
    rig.run(rig.pump(**{side.value: wanted, f"dead_{side.value}s": dead}), 2.5, alive=True)
    (told,) = rig.told(Opened)
    other = Direction.SPEAKER if side is Direction.MICROPHONE else Direction.MICROPHONE
    assert {way: getattr(told, way.value) for way in Direction} == {side: opened, other: "ALSA: Good"}
    silent = {Direction.MICROPHONE: "brings no sound at all", Direction.SPEAKER: "takes no sound any more"}
    assert told.note == f"The {side.value} {note.format(silent[side])}"
    dead_microphone = side is Direction.MICROPHONE and not opened
    assert [news.trouble for news in rig.told(Input)] == [InputTrouble.DEAD] * dead_microphone


@pytest.mark.parametrize("third", ["Third", None])
def test_what_is_in_the_place_of_a_dead_device_and_does_not_open_gives_way_to_the_next(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, third: str | None
) -> None:
    more = [replace(GOOD, index=2 + at, name=name) for at, name in enumerate(("Bad", third)) if name]
    monkeypatch.setattr(pumping, "list_devices", lambda: replace(FOUND, devices=(GOOD, BROKEN, *more)))
    rig.broken = {("in", "Good"), ("in", "Bad")}
    rig.run(rig.pump("ALSA: Broken", dead_microphones=("ALSA: Broken",)), 0.1, alive=True)
    assert [(told.microphone, told.speaker) for told in rig.told(Opened)] == [
        (f"ALSA: {third}" if third else "", "ALSA: Good")
    ]


def test_where_all_is_dead_nothing_is_opened(rig: Rig) -> None:
    dead = ("ALSA: Good", "ALSA: Broken")
    with pytest.raises(KnownError) as caught:
        rig.pump(dead_microphones=dead, dead_speakers=dead)
    assert caught.value.reason is Reason.DEVICE_STALLED


@pytest.mark.parametrize(("only", "opened"), [(Direction.MICROPHONE, ("Good", "")), (Direction.SPEAKER, ("", "Good"))])
def test_one_direction_is_opened_alone_when_that_is_wanted(rig: Rig, only: Direction, opened: tuple[str, str]) -> None:
    rig.run(rig.pump("Good", "Good", only=only), 0.1, alive=True)
    (told,) = rig.told(Opened)
    assert (told.microphone.removeprefix("ALSA: "), told.speaker.removeprefix("ALSA: ")) == opened
