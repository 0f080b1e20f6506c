"""A voice that cuts in is suspected, then confirmed or taken back; an echo is neither."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novadesk.audio.bargein import WINDOW_SAMPLES, WITHDRAW_STEPS, BargeInDetector, make_detector
from novadesk.audio.formats import Samples, to_samples
from novadesk.models import BargeIn

pytestmark = pytest.mark.thorough

STEP = 160


class Model:
    """Takes for speech what is louder, or nothing."""

    def __init__(self, believes: bool = True, speech: float = 0.9, louder_than: float = 0.01) -> None:
        self.believes = believes
        self.speech = speech
        self.louder_than = louder_than
        self.asked = 0
        self.resets = 0

    def __call__(self, audio: bytes) -> float:
        assert len(audio) == 2 * WINDOW_SAMPLES
        self.asked += 1
        return self.speech if self.believes and np.abs(to_samples(audio)).max() > self.louder_than else 0.1

    def reset(self) -> None:
        self.resets += 1


def noise(level: float, seed: int = 1) -> Samples:
    return (level * np.random.default_rng(seed).standard_normal(STEP)).astype(np.float32)


def feed(detector: BargeInDetector, near: float, clean: float, steps: int, playing: bool = True) -> list[BargeIn]:
    """Feed steps of such levels; return what was found."""
    found = []
    for number in range(steps):
        stage = detector.feed(noise(near, number), noise(clean, number), playing)
        found += [] if stage is None else [stage]
    return found


def ready(model: Model | None) -> BargeInDetector:
    detector = BargeInDetector(model)
    assert feed(detector, 0.05, 0.0002, 1_200) == []
    return detector


def test_a_voice_is_suspected_and_then_certain() -> None:
    model = Model()
    detector = ready(model)
    assert feed(detector, 0.06, 0.05, 12) == [BargeIn.SUSPECTED, BargeIn.CONFIRMED]
    assert model.resets == 1


def test_what_the_model_takes_for_no_speech_is_taken_back_in_time() -> None:
    detector = ready(Model(believes=False))
    assert feed(detector, 0.06, 0.05, 8) == [BargeIn.SUSPECTED]
    assert feed(detector, 0.05, 0.0002, WITHDRAW_STEPS) == [BargeIn.WITHDRAWN]
    assert feed(detector, 0.05, 0.0002, 200) == []


def test_an_echo_that_the_canceller_takes_away_is_no_voice_and_the_model_is_not_asked() -> None:
    model = Model()
    detector = ready(model)
    assert feed(detector, 0.2, 0.004, 300) == []
    assert model.asked == 0


@pytest.mark.parametrize(
    ("left", "heard", "times_nearer", "suspected"),
    [
        (0.0002, 0.0004, 5, False),
        (0.0002, 0.0008, 25, True),
        (0.0002, 0.0008, 40, False),
        (0.003, 0.006, 5, False),
        (0.003, 0.012, 25, True),
        (0.003, 0.012, 40, False),
    ],
)
def test_a_voice_is_louder_than_what_was_left_and_hardly_taken_away(
    left: float, heard: float, times_nearer: int, suspected: bool
) -> None:
    detector = BargeInDetector(Model(believes=False))
    feed(detector, 0.05, left, 1_200)
    assert feed(detector, heard * times_nearer, heard, 3) == [BargeIn.SUSPECTED] * suspected


@pytest.mark.parametrize(("heard", "believes", "suspected"), [(0.0002, True, 0), (0.0004, True, 1), (0.0004, False, 0)])
def test_the_model_may_suspect_what_is_hardly_louder_than_what_was_left(
    heard: float, believes: bool, suspected: int
) -> None:
    model = Model(believes, louder_than=0.0)
    detector = ready(model)
    assert feed(detector, 0.05 if heard < 0.0003 else 5 * heard, heard, 1) == [BargeIn.SUSPECTED] * suspected
    assert (model.asked > 0) == (heard > 0.0003)


@pytest.mark.parametrize(
    ("left", "known_steps", "speech", "soon", "later"),
    [
        (0.0002, 1_200, 0.45, False, False),
        (0.0002, 1_200, 0.55, True, True),
        (0.0002, 120, 0.75, False, True),
        (0.003, 1_200, 0.55, False, False),
        (0.003, 1_200, 0.65, False, True),
        (0.003, 1_200, 0.95, False, True),
    ],
)
def test_where_much_was_or_may_be_left_the_answer_is_ducked_before_the_model_is_believed(
    left: float, known_steps: int, speech: float, soon: bool, later: bool
) -> None:
    model = Model(believes=False, speech=speech)
    detector = BargeInDetector(model)
    feed(detector, 0.05, left, known_steps)
    model.believes = True
    assert feed(detector, 0.1, 0.05, 10) == [BargeIn.SUSPECTED, BargeIn.CONFIRMED][: 1 + soon]
    assert feed(detector, 0.1, 0.05, 25) == [BargeIn.CONFIRMED] * (later and not soon)


@pytest.mark.parametrize("left", [0.0002, 0.003])
@pytest.mark.parametrize(
    ("times_louder", "speech", "believed"), [(6, 0.8, False), (6, 0.9, True), (20, 0.8, True), (20, 0.3, False)]
)
def test_what_is_hardly_louder_than_what_was_left_has_to_be_surer(
    left: float, times_louder: float, speech: float, believed: bool
) -> None:
    model = Model(believes=False, speech=speech, louder_than=0.0)
    detector = BargeInDetector(model)
    feed(detector, 0.05, left, 1_200)
    model.believes = True
    heard = left * times_louder
    assert (BargeIn.CONFIRMED in feed(detector, 2 * heard, heard, 40)) is believed


def test_what_the_duck_makes_fainter_is_an_echo() -> None:
    model = Model(believes=False, speech=0.75, louder_than=0.0)
    detector = BargeInDetector(model)
    feed(detector, 0.05, 0.003, 600)
    model.believes = True
    assert feed(detector, 0.1, 0.05, 5) == [BargeIn.SUSPECTED]
    assert feed(detector, 0.05, 0.003, WITHDRAW_STEPS - 5) == []


def test_the_model_is_told_what_went_before_or_it_would_be_slow_to_believe() -> None:
    model = Model()
    detector = ready(model)
    assert feed(detector, 0.06, 0.05, 1) == [BargeIn.SUSPECTED]
    assert model.asked == 12


def test_hum_that_the_canceller_leaves_out_hides_no_voice() -> None:
    detector, hum = (
        ready(Model(louder_than=0.005)),
        0.3 * np.sin(2 * np.pi * 50 * np.arange(40 * STEP) / 16_000).astype(np.float32),
    )
    found = []
    for number in range(40):
        near = noise(0.006, number) + hum[number * STEP : (number + 1) * STEP]
        found.append(detector.feed(near, noise(0.005, number), True))
    assert BargeIn.CONFIRMED in found


def test_automatic_gain_does_not_make_a_residue_of_echo_a_voice() -> None:
    detector = ready(Model())
    lifted = [detector.feed(noise(0.1, n), noise(0.024, n), True, gain_db=18.0) for n in range(50)]
    assert not any(lifted)


def test_a_loudspeaker_whose_echo_is_left_over_is_believed_less_each_time() -> None:
    detector = ready(Model(believes=False))
    assert feed(detector, 0.05, 0.0105, 600) == [BargeIn.SUSPECTED, BargeIn.WITHDRAWN] * 4
    assert feed(detector, 0.05, 0.0002, 3_000) == []
    assert feed(detector, 0.05, 0.0105, 4) == [BargeIn.SUSPECTED]


def test_a_confirmed_voice_is_told_once_and_again_if_the_answer_goes_on() -> None:
    detector = ready(Model())
    found = feed(detector, 0.06, 0.05, 90)
    assert found == [BargeIn.SUSPECTED, BargeIn.CONFIRMED]
    assert feed(detector, 0.06, 0.05, 40) == [BargeIn.SUSPECTED, BargeIn.CONFIRMED]


def test_an_answer_that_ends_under_a_suspicion_takes_it_back() -> None:
    detector = ready(Model(believes=False))
    assert feed(detector, 0.06, 0.05, 8) == [BargeIn.SUSPECTED]
    assert feed(detector, 0.06, 0.05, 1, playing=False) == [BargeIn.WITHDRAWN]
    assert feed(detector, 0.06, 0.05, 50, playing=False) == []


def test_without_a_model_only_what_lasts_is_certain() -> None:
    detector = ready(None)
    assert feed(detector, 0.06, 0.05, 10) == [BargeIn.SUSPECTED]
    assert feed(detector, 0.05, 0.0002, WITHDRAW_STEPS) == [BargeIn.WITHDRAWN]
    assert feed(detector, 0.06, 0.05, 40) == [BargeIn.SUSPECTED, BargeIn.CONFIRMED]


def test_the_first_second_of_the_first_answer_is_for_the_canceller_to_learn_the_room() -> None:
    detector = BargeInDetector(Model())
    assert feed(detector, 0.06, 0.05, 60) == []
    assert feed(detector, 0.06, 0.05, 200, playing=False) == []
    assert feed(detector, 0.06, 0.05, 40) == []
    assert feed(detector, 0.06, 0.05, 20) == [BargeIn.SUSPECTED, BargeIn.CONFIRMED]


def test_a_reset_detector_is_a_new_one() -> None:
    detector = ready(Model())
    feed(detector, 0.06, 0.05, 20)
    detector.reset()
    assert feed(detector, 0.05, 0.0002, 100) == []
    assert feed(detector, 0.06, 0.05, 20) == [BargeIn.SUSPECTED, BargeIn.CONFIRMED]


@settings(max_examples=30, deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.sampled_from([0.0, 0.0002, 0.004, 0.05]), st.integers(1, 70), st.booleans()), max_size=8
    ),
    believes=st.booleans(),
)
def test_stages_come_in_their_order(parts: list[tuple[float, int, bool]], believes: bool) -> None:
    detector, suspected_for = BargeInDetector(Model(believes)), None
    feed(detector, 0.05, 0.0002, 100)
    for level, steps, playing in parts:
        for number in range(steps):
            stage = detector.feed(noise(level, number), noise(level, number), playing)
            suspected_for = None if suspected_for is None else suspected_for + 1
            assert playing or stage in (None, BargeIn.WITHDRAWN)
            if stage is BargeIn.SUSPECTED:
                assert suspected_for is None
                suspected_for = 0
            elif stage is not None:
                assert suspected_for is not None
                suspected_for = None
            assert suspected_for is None or suspected_for <= WITHDRAW_STEPS
    assert believes or suspected_for is None or suspected_for < WITHDRAW_STEPS


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_the_real_model_takes_noise_for_no_speech(level: float) -> None:
    detector = make_detector()
    found = feed(detector, 0.05, 0.0002, 150) + feed(detector, level, level, 80)
    assert BargeIn.CONFIRMED not in found
