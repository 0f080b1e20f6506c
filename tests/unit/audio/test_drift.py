"""Two clocks are told apart in a minute or two, and the speaker's sound keeps step with the microphone's."""

import numpy as np
import pytest

from novadesk.audio.drift import DriftEstimator, DriftResampler
from novadesk.audio.formats import Samples


def run_clocks(
    estimator: DriftEstimator, ppm: float, begin_s: float, end_s: float, lost_frames: int = 0, *,
    gap_every_s: float = 1e9, told: bool = True,
) -> None:  # fmt: skip
    """Count for a while: blocks of 20 and 10 ms, looked at every 20 ms or a little later. A gap costs 20 ms of sound.

    With a gap the counts stand still for a tenth of a second, and then come at once.
    """
    random = np.random.default_rng(5)
    for number in range(int(begin_s * 50), int(end_s * 50)):
        at_s = number / 50 + random.uniform(0, 0.004)
        captured = int(at_s * 50) * 960
        gaps, since_s = divmod(at_s, gap_every_s)
        seen_s = at_s - since_s if gaps and since_s < 0.1 else at_s
        played = int((seen_s * (1 + ppm * 1e-6) + 0.007) * 100) * 441 + lost_frames - int(gaps) * 882
        estimator.feed(captured, played, round(at_s * 1e9), int(gaps) if told else 0)


@pytest.mark.parametrize("ppm", [0, 50, -300, 900])
def test_the_ratio_is_found_within_two_minutes(ppm: float) -> None:
    estimator = DriftEstimator(48_000, 44_100)
    run_clocks(estimator, ppm, 0, 120)
    assert estimator.ppm == pytest.approx(ppm, abs=15)
    assert estimator.ratio == 1 + estimator.ppm * 1e-6


def test_nothing_is_said_before_it_is_known() -> None:
    estimator = DriftEstimator(48_000, 44_100)
    run_clocks(estimator, 300, 0, 4)
    assert estimator.ppm == 0


def test_lost_frames_are_a_jump_and_no_slope() -> None:
    estimator = DriftEstimator(48_000, 44_100)
    run_clocks(estimator, 50, 0, 120)
    run_clocks(estimator, 50, 120, 180, lost_frames=44_100)
    assert estimator.ppm == pytest.approx(50, abs=15)


@pytest.mark.parametrize(("ppm", "gap_every_s", "off_ppm"), [(0, 3.0, 15), (100, 20.0, 60), (300, 60.0, 25)])
def test_short_gaps_that_the_speaker_tells_are_no_slope(ppm: float, gap_every_s: float, off_ppm: float) -> None:
    estimator = DriftEstimator(48_000, 44_100)
    run_clocks(estimator, ppm, 0, 180, gap_every_s=gap_every_s)
    assert estimator.ppm == pytest.approx(ppm, abs=off_ppm)


def test_many_gaps_that_nobody_tells_do_not_add_up_to_a_slope() -> None:
    estimator = DriftEstimator(48_000, 44_100)
    run_clocks(estimator, 0, 0, 60, gap_every_s=3.0, told=False)
    assert abs(estimator.ppm) < 150


def test_a_change_of_clocks_is_followed() -> None:
    estimator = DriftEstimator(48_000, 44_100)
    run_clocks(estimator, 0, 0, 60)
    estimator.reset()
    assert estimator.ppm == 0
    run_clocks(estimator, -100, 60, 180)
    assert estimator.ppm == pytest.approx(-100, abs=25)


def tone(frames: int, speed: float = 1.0, late: float = 0.0) -> Samples:
    return (0.5 * np.sin(2 * np.pi * 1_000 / 16_000 * (np.arange(frames) * speed - late))).astype(np.float32)


@pytest.mark.parametrize("ratio", [1.0, 1.0003, 0.999])
def test_a_resampled_tone_is_the_tone_of_the_other_clock(ratio: float) -> None:
    resampler = DriftResampler()
    out = np.concatenate([resampler.feed(part, ratio) for part in np.array_split(tone(32_000), 173)])
    assert abs(len(out) - 32_000 / ratio) <= 1
    expected = tone(len(out), ratio, DriftResampler.delay_frames)
    assert np.abs(out[64:] - expected[64:]).max() < 1e-3


@pytest.mark.parametrize("place", [0.0, 0.3, 0.9999])
@pytest.mark.parametrize("ratio", [1.0, 1.000_001, 1.0002])
def test_pieces_give_what_the_whole_gives(ratio: float, place: float) -> None:
    sound = np.random.default_rng(2).uniform(-1, 1, 5_000).astype(np.float32)
    resampler, whole = DriftResampler(), DriftResampler()
    resampler._place = whole._place = place
    pieces = [resampler.feed(part, ratio) for part in np.split(sound, [0, 1, 7, 400, 401, 3_000])]
    np.testing.assert_allclose(np.concatenate(pieces), whole.feed(sound, ratio), atol=1e-4)


def test_the_silence_between_two_sounds_changes_nothing_of_them() -> None:
    sound = np.concatenate((tone(960), np.zeros(3_040, np.float32), tone(1_000)))
    resampler, whole = DriftResampler(), DriftResampler()
    out = np.concatenate([resampler.feed(part, 1.0002) for part in np.split(sound, range(160, 5_000, 160))])
    np.testing.assert_allclose(out, whole.feed(sound, 1.0002), atol=1e-4)
