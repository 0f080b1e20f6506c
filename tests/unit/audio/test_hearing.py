"""The way of the microphone's sound through canceller, detector and half-duplex, each of them pretended."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from novadesk.audio.canceller import STEP_SAMPLES
from novadesk.audio.formats import Samples
from novadesk.audio.hearing import STEP_S, Detector, Hearing
from novadesk.models import BargeIn

SILENCE = np.zeros(STEP_SAMPLES, np.float32)


class HalvingCanceller:
    erle_db, speech, gain_db = 7.0, 0.0, 3.0

    def __init__(self) -> None:
        self.echoes: list[bool] = []

    def process(self, near: Samples, far: Samples, echoes: bool = True) -> Samples:
        self.echoes.append(echoes)
        return near / np.float32(2)

    def reset(self) -> None:
        pass


@dataclass
class ScriptedDetector:
    script: list[BargeIn | None]
    fed: list[tuple[float, float, bool, float]] = field(default_factory=list)

    def feed(self, near: Samples, near_clean: Samples, playing: bool, gain_db: float = 0.0) -> BargeIn | None:
        self.fed.append((near[0], near_clean[0], playing, gain_db))
        return self.script.pop(0) if self.script else None


class Ear:
    def __init__(self, detector: Detector | None = None, deaf_s: float | None = None) -> None:
        self.told: list[tuple[BargeIn, int]] = []
        self.canceller = HalvingCanceller()
        self.playing = True
        self.hearing = Hearing(
            self.canceller,
            detector,
            lambda: self.playing,
            lambda stage, at_ns: self.told.append((stage, at_ns)),
            deaf_s,
        )

    def hear(self, near: float, far: float, at_ns: int = 0) -> float:
        clean = self.hearing.hear(SILENCE + np.float32(near), SILENCE + np.float32(far), at_ns)
        assert len(clean) == STEP_SAMPLES
        return float(clean[-1])

    def hear_for(self, seconds: float, near: float, far: float) -> list[float]:
        return [self.hear(near, far) for _ in range(round(seconds / STEP_S))]


def test_the_wire_gets_what_the_canceller_leaves() -> None:
    ear = Ear()
    assert ear.hear(0.5, 0.25) == 0.25
    assert ear.hearing.erle_db == 7.0


def test_the_detector_hears_both_sides_of_the_canceller_and_whether_an_answer_is_played() -> None:
    detector = ScriptedDetector([])
    ear = Ear(detector)
    ear.hear(0.5, 0.125)
    ear.playing = False
    ear.hear(0.5, 0.125)
    ear.playing, ear.hearing.watching = True, False
    ear.hear(0.5, 0.125)
    assert detector.fed == [(0.5, 0.25, playing, 3.0) for playing in (True, False, False)]


def test_each_stage_is_told_with_the_time_of_its_sound() -> None:
    ear = Ear(ScriptedDetector([None, BargeIn.SUSPECTED, None, BargeIn.CONFIRMED]))
    for number in range(5):
        ear.hear(0.5, 0.5, number)
    assert ear.told == [(BargeIn.SUSPECTED, 1), (BargeIn.CONFIRMED, 3)]


def test_half_duplex_is_deaf_while_an_answer_is_played_and_for_as_long_as_told_after_it() -> None:
    detector = ScriptedDetector([BargeIn.CONFIRMED])
    ear = Ear(detector, deaf_s=0.2)
    ear.playing = False
    assert ear.hear(0.5, 0.0) == 0.25
    ear.playing = True
    assert set(ear.hear_for(0.5, 0.5, 0.01)) == {0.0}
    assert set(ear.hear_for(0.5, 0.5, 0.0)) == {0.0}, "a pause of the answer is no turn of the person"
    ear.playing = False
    assert set(ear.hear_for(0.05, 0.5, 0.01)) == {0.0}, "the end of it is heard later than it was played"
    assert set(ear.hear_for(0.19, 0.5, 0.0)) == {0.0}
    ear.hear(0.5, 0.0)
    assert ear.hear(0.5, 0.0) == 0.25
    assert detector.fed == []


def test_half_duplex_hears_who_speaks_on_hearing_the_listening_cue() -> None:
    ear = Ear(deaf_s=0.2)
    ear.playing = False
    assert set(ear.hear_for(0.3, 0.5, 0.1)) == {0.25}


def test_how_loud_the_echo_is_over_the_voice_is_known_once_both_were_heard() -> None:
    ear = Ear()
    ear.hear_for(5.0, 0.1, 0.5)
    assert ear.hearing.echo_over_voice_db == 0
    ear.hear_for(0.3, 0.1, 0.0)
    ear.canceller.speech = 0.9
    ear.hear_for(5.0, 0.01, 0.0)
    assert ear.hearing.echo_over_voice_db == pytest.approx(20, abs=1)


def test_what_may_be_a_voice_over_the_echo_counts_as_neither() -> None:
    ear = Ear(ScriptedDetector([None] * 500 + [BargeIn.SUSPECTED] + [None] * 100 + [BargeIn.WITHDRAWN]))
    ear.hear_for(5.0, 0.1, 0.5)
    ear.canceller.speech = 0.9
    ear.hear_for(1.0, 0.9, 0.5)
    ear.hear_for(0.3, 0.0, 0.0)
    ear.hear_for(5.0, 0.01, 0.0)
    assert ear.hearing.echo_over_voice_db == pytest.approx(20, abs=2)


def test_a_voice_over_a_cue_is_no_echo() -> None:
    ear = Ear()
    ear.canceller.speech, ear.playing = 0.9, False
    for _ in range(3):
        ear.hear_for(0.2, 0.9, 0.5)
        ear.hear_for(0.5, 0.1, 0.0)
    assert ear.hearing.echo_over_voice_db == 0


@pytest.mark.parametrize(
    ("noise", "heard", "over_voice_db"),
    [
        (0.0, 0.000_5, 0),  # -66 dB: too faint to be an echo
        (0.01, 0.01, 0),
        (0.01, 0.013, 0),
        (0.01, 0.1, 0),
        (0.0, 0.01, -20),
        (0.001, 0.2, 6),
    ],
)
def test_an_echo_no_louder_than_the_noise_is_unknown(noise: float, heard: float, over_voice_db: float) -> None:
    ear = Ear()
    ear.hear_for(5.0, noise, 0.0)
    ear.canceller.speech = 0.9
    ear.hear_for(5.0, 0.1, 0.0)
    ear.hear_for(5.0, heard, 0.5)
    assert ear.hearing.echo_over_voice_db == pytest.approx(over_voice_db, abs=1)


def test_an_echo_is_taken_out_while_an_answer_is_played_and_half_a_second_longer_but_not_of_a_cue() -> None:
    ear = Ear()
    ear.playing = False
    ear.hear_for(0.2, near=0.1, far=0.5)
    assert set(ear.canceller.echoes) == {False}
    ear.playing = True
    ear.hear(near=0.1, far=0.5)
    ear.playing = False
    ear.hear_for(1.0, near=0.1, far=0.0)
    assert ear.canceller.echoes[20:] == [True] * 50 + [False] * 51
