"""What was played, cut to the microphone's time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from novadesk.audio.canceller import WebRtcCanceller
from novadesk.audio.capture import FrameCutter
from novadesk.audio.duplex import CaptureSide
from novadesk.audio.formats import Samples
from novadesk.audio.playout import Playout
from novadesk.audio.reference import SLACK_S, OneClock, TwoClocks

pytestmark = pytest.mark.thorough


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


@settings(max_examples=40)
@given(blocks=st.lists(st.integers(0, 20), min_size=1, max_size=8), rate_hz=st.sampled_from([44_100, 48_000]))
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
    reference = TwoClocks(side, playout)
    cutter = FrameCutter(side, reference, pair.hear)
    angle = np.cumsum(np.random.default_rng(3).uniform(0.0, 0.2, 400))  # one value for each 10 ms: a common sound
    for number, value in enumerate(np.sin(angle)):
        playout.heard.write(np.full((playout_hz // 100, 1), value, np.float32))
        if number >= 7:  # the microphone begins to be called back later
            side.take(np.full((capture_hz // 100, 1), value, np.float32), 1)
            list(cutter.frames())
    near, far = pair.both()
    assert 0 < lag_of(near, far) <= (SLACK_S + 0.003) * 16_000
    assert reference.slips == 0


class Devices:
    """Two streams of 48 kHz that play and capture the same sound, each called back when the test says so."""

    def __init__(self) -> None:
        self.side, self.playout, self.pair = CaptureSide(48_000, 1), Playout(48_000), Pair()
        self.reference = TwoClocks(self.side, self.playout)
        self.cutter = FrameCutter(self.side, self.reference, self.pair.hear)
        rng = np.random.default_rng(5)
        self.sound = np.repeat(rng.uniform(-0.5, 0.5, 4_000), 480).astype(np.float32)[:, np.newaxis]
        self.played = self.captured = 0

    def play(self, blocks: int = 1) -> None:
        self.playout.heard.write(self.sound[480 * self.played : 480 * (self.played + blocks)])
        self.played += blocks

    def capture(self, blocks: int = 1, *, fetch: bool = True) -> None:
        for _ in range(blocks):
            self.side.take(self.sound[480 * self.captured : 480 * (self.captured + 1)], 1)
            self.captured += 1
        if fetch:
            list(self.cutter.frames())

    def run(self, blocks: int) -> None:
        for _ in range(blocks):
            self.play()
            self.capture()

    def lag_ms(self, seconds: float = 1.0) -> float:
        """Return how far the reference lies behind at the end."""
        near, far = (side[-round(seconds * 16_000) :] for side in self.pair.both())
        return lag_of(near, far) / 16


def test_the_reference_of_a_speaker_called_back_late_is_soon_where_it_was() -> None:
    devices = Devices()
    devices.run(100)
    before = devices.lag_ms(0.5)
    devices.capture(8)  # of which the speaker's blocks come late, and all at once
    devices.play(8)
    devices.run(150)
    assert devices.lag_ms(0.5) == pytest.approx(before, abs=11)
    assert devices.reference.slips == 1


def test_a_thread_that_was_held_up_leaves_the_reference_where_it_was() -> None:
    devices = Devices()
    devices.run(100)
    before = devices.lag_ms(0.5)
    for _ in range(50):
        devices.play()
        devices.capture(fetch=False)
    devices.run(100)
    near, far = devices.pair.both()
    assert lag_of(near, far) / 16 == pytest.approx(before, abs=1)
    assert devices.reference.slips == 0


def test_a_speaker_that_stood_still_leaves_the_echo_where_it_was() -> None:
    devices = Devices()
    devices.run(100)
    before = devices.lag_ms(0.5)
    for _ in range(6):
        devices.sound = np.concatenate(
            (
                devices.sound[: 480 * devices.played],
                np.zeros((3_840, 1), np.float32),
                devices.sound[480 * devices.played :],
            )
        )
        devices.capture(8)
        devices.played += 8
        devices.run(100)
    assert 0 < devices.lag_ms(0.5) <= before  # ahead of its echo, and not six times 80 ms off
    assert devices.reference.slips == 0


def test_a_microphone_that_has_lost_sound_is_followed_by_one_jump() -> None:
    devices = Devices()
    devices.run(100)
    before = devices.lag_ms(0.5)
    devices.play(20)
    devices.captured += 20
    devices.run(250)
    assert devices.lag_ms(0.5) == pytest.approx(before, abs=11)
    assert devices.reference.slips == 1


@pytest.mark.parametrize("extra", [1, -1])
def test_clocks_that_run_apart_are_followed_without_a_jump(extra: int) -> None:
    devices = Devices()
    devices.run(100)
    for number in range(3_800):
        frames = 480 + (extra if number % 8 == 0 else 0)  # 260 ppm: 10 ms in this time
        devices.playout.heard.write(np.repeat(devices.sound[480 * devices.played], frames)[:, np.newaxis])
        devices.played += 1
        devices.capture()
    assert 8 < devices.lag_ms() < 28
    assert devices.reference.slips == 0


def test_a_speaker_that_is_not_called_back_is_silence() -> None:
    side, pair = CaptureSide(48_000, 1), Pair()
    cutter = FrameCutter(side, TwoClocks(side, Playout(48_000)), pair.hear)
    for _ in range(10):
        side.take(noise(480), 1)
    list(cutter.frames())
    near, far = pair.both()
    assert len(far) == len(near) == 1_600
    assert not far.any()


@pytest.mark.parametrize("trouble", ["none", "bursts", "late callbacks", "held up"])
def test_the_canceller_finds_the_echo_however_the_two_sides_are_called_back(trouble: str) -> None:
    """A room with 40 ms of delay, 4 s; each millisecond brings what is called back then."""
    rng = np.random.default_rng(9)
    played = np.repeat(np.abs(np.sin(np.arange(400) * 0.2)), 480) * rng.standard_normal(192_000) * 0.1
    room = 0.5 * np.concatenate((np.zeros(1_920), played[:-1_920])) + 1e-4 * rng.standard_normal(192_000)
    late = {side: rng.uniform(0, 8, 400) for side in ("playout", "capture")}
    if trouble == "bursts":
        late = dict.fromkeys(late, np.tile((10.0, 0.0), 200))
    if trouble == "late callbacks":
        late["playout"] = late["playout"] + 60 * (rng.uniform(size=400) < 0.01)
    side, playout, canceller, powers = CaptureSide(48_000, 1), Playout(48_000), WebRtcCanceller(), []

    def hear(near: Samples, far: Samples, captured_ns: int) -> Samples:
        clean = canceller.process(near, far) * np.float32(10 ** (-canceller.gain_db / 20))
        powers.append((np.dot(near, near), np.dot(clean, clean)))
        return clean

    reference = TwoClocks(side, playout)
    cutter = FrameCutter(side, reference, hear)
    blocks = [side_.astype(np.float32).reshape(400, 480, 1) for side_ in (played, room)]
    done = {"playout": 0, "capture": 0}
    for now_ms in range(4_000):
        while (at := done["playout"]) < 400 and 10 * at + late["playout"][at] <= now_ms:
            playout.heard.write(blocks[0][at])
            done["playout"] += 1
        while (at := done["capture"]) < 400 and 10 * at + 13 + late["capture"][at] <= now_ms:
            side.take(blocks[1][at], 1)
            done["capture"] += 1
        if now_ms % 8 == 0 and not (trouble == "held up" and now_ms % 1_000 < 200):
            list(cutter.frames())
    before, after = np.array(powers[len(powers) // 2 :]).sum(axis=0)
    assert 10 * np.log10(before / after) > 14
    assert reference.slips <= 8
