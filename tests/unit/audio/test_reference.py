"""What was played, cut to the microphone's time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from novadesk.audio.capture import FrameCutter
from novadesk.audio.duplex import CaptureSide
from novadesk.audio.formats import Samples
from novadesk.audio.playout import Playout
from novadesk.audio.reference import MOST_SLACK_S, SLACK_S, OneClock, TwoClocks


class Pair:
    """Collects what the two sides of each step were."""

    def __init__(self) -> None:
        self.near: list[Samples] = []
        self.far: list[Samples] = []

    def hear(self, near: Samples, far: Samples, captured_ns: int) -> Samples:
        self.near.append(near)
        self.far.append(far)
        return near

    def both(self) -> tuple[Samples, Samples]:
        return np.concatenate(self.near), np.concatenate(self.far)


def noise(frames: int) -> NDArray[np.float32]:
    return np.random.default_rng(7).uniform(-0.5, 0.5, (frames, 1)).astype(np.float32)


def lag_of(near: Samples, far: Samples) -> int:
    """Return how many samples later the same sound comes in `far`."""
    product = np.fft.irfft(np.fft.rfft(far, 2 * len(near)) * np.conj(np.fft.rfft(near, 2 * len(near))))
    place = int(np.argmax(product))
    return place if place < len(near) else place - 2 * len(near)


@given(blocks=st.lists(st.integers(0, 30), min_size=1, max_size=12), rate_hz=st.sampled_from([44_100, 48_000]))
def test_with_one_clock_every_sample_meets_the_one_played_in_its_callback(blocks: list[int], rate_hz: int) -> None:
    side, playout, pair = CaptureSide(rate_hz, 1), Playout(rate_hz), Pair()
    cutter = FrameCutter(side, OneClock(playout), pair.hear)
    sound = noise(rate_hz // 100 * sum(blocks))
    for count in blocks:
        for block in np.split(sound[: count * rate_hz // 100], count) if count else []:
            playout.heard.write(block)
            side.take(block, 1)
        sound = sound[count * rate_hz // 100 :]
        list(cutter.frames())
    if pair.near:
        assert np.array_equal(*pair.both())


def test_with_one_clock_a_microphone_that_was_not_fetched_in_time_keeps_its_place() -> None:
    side, playout, pair = CaptureSide(48_000, 1), Playout(48_000), Pair()
    cutter = FrameCutter(side, OneClock(playout), pair.hear)
    for block in np.split(noise(48_000 * 9), 900):
        playout.heard.write(block)
        side.take(block, 1)
    list(cutter.frames())
    near, far = pair.both()
    assert len(near) == 4 * 16_000
    assert np.array_equal(near, far)


def test_with_one_clock_what_is_passed_over_of_the_microphone_is_passed_over_of_the_speaker() -> None:
    side, playout, pair = CaptureSide(48_000, 1), Playout(48_000), Pair()
    cutter = FrameCutter(side, OneClock(playout), pair.hear)
    for block in np.split(noise(48_000), 100):
        playout.heard.write(block)
        side.take(block, 1)
    side.ring.skip_to(4_800)
    list(cutter.frames())
    assert np.array_equal(*pair.both())


@pytest.mark.parametrize(("capture_hz", "playout_hz"), [(48_000, 48_000), (16_000, 44_100)])
def test_with_two_clocks_the_reference_lies_a_little_behind_and_nothing_is_missing(
    capture_hz: int, playout_hz: int
) -> None:
    side, playout, pair = CaptureSide(capture_hz, 1), Playout(playout_hz), Pair()
    reference = TwoClocks(playout)
    cutter = FrameCutter(side, reference, pair.hear)
    angle = np.cumsum(np.random.default_rng(3).uniform(0.0, 0.2, 400))  # one value for each 10 ms: a common sound
    for number, value in enumerate(np.sin(angle)):
        playout.heard.write(np.full((playout_hz // 100, 1), value, np.float32))
        if number >= 7:  # the microphone begins to be called back later
            side.take(np.full((capture_hz // 100, 1), value, np.float32), 1)
            list(cutter.frames())
    near, far = pair.both()
    assert 0 < lag_of(near, far) <= (SLACK_S + 0.002) * 16_000
    assert reference.slips == 0


def test_two_clocks_that_have_run_apart_slip_once_and_not_at_every_block() -> None:
    side, playout, pair = CaptureSide(48_000, 1), Playout(48_000), Pair()
    reference = TwoClocks(playout)
    cutter = FrameCutter(side, reference, pair.hear)
    ahead = 0
    for number in range(1_000):
        count = 2 if number % 20 == 0 else 1  # five hundred times worse than any clock
        ahead += count - 1
        for _ in range(count):
            playout.heard.write(noise(480))
        side.take(noise(480), 1)
        list(cutter.frames())
    assert len(pair.both()[1]) == 160_000
    assert 0 < reference.slips <= ahead * 0.01 / (MOST_SLACK_S - SLACK_S) + 1


def test_a_speaker_that_is_not_called_back_is_silence() -> None:
    side, pair = CaptureSide(48_000, 1), Pair()
    cutter = FrameCutter(side, TwoClocks(Playout(48_000)), pair.hear)
    for _ in range(10):
        side.take(noise(480), 1)
    list(cutter.frames())
    near, far = pair.both()
    assert len(far) == len(near) == 1_600
    assert not far.any()
