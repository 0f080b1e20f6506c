import numpy as np
import pytest
from numpy.typing import NDArray

from novadesk.audio.capture import FrameCutter
from novadesk.audio.duplex import CAPTURE_BLOCK_S, CaptureSide
from novadesk.audio.formats import FRAME_SAMPLES, Samples, to_samples
from novadesk.audio.playout import Playout
from novadesk.audio.reference import OneClock
from novadesk.audio.wire import Frame


def as_heard(near: Samples, far: Samples, captured_ns: int) -> Samples:
    return near


def cutter_of(side: CaptureSide) -> FrameCutter:
    return FrameCutter(side, OneClock(Playout(side.rate_hz)), as_heard)


def feed(side: CaptureSide, signal: NDArray[np.float32], cutter: FrameCutter) -> list[Frame]:
    frames: list[Frame] = []
    for number, start in enumerate(range(0, len(signal) - side.block_frames + 1, side.block_frames)):
        side.take(signal[start : start + side.block_frames], 1_000_000 * (number + 1))
        if number % 3 == 0:
            frames += cutter.frames()
    return frames + list(cutter.frames())


@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 1), (44_100, 2), (16_000, 1), (8_000, 2), (96_000, 8)])
def test_a_second_of_a_device_becomes_31_frames_of_32_milliseconds(rate_hz: int, channels: int) -> None:
    side = CaptureSide(rate_hz, channels)
    angle = 2 * np.pi * 440 * np.arange(rate_hz) / rate_hz
    signal = np.repeat((0.5 * np.sin(angle)).astype(np.float32)[:, np.newaxis], channels, axis=1)
    frames = feed(side, signal, cutter_of(side))
    assert len(frames) == 16_000 // FRAME_SAMPLES
    assert {len(frame.pcm) for frame in frames} == {2 * FRAME_SAMPLES}
    assert frames[-1].level == pytest.approx(0.5 / np.sqrt(2), abs=0.01)
    heard = to_samples(b"".join(frame.pcm for frame in frames))[4_000:]
    angle = 2 * np.pi * 440 * np.arange(len(heard)) / 16_000
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    weights, *_ = np.linalg.lstsq(waves, heard, rcond=None)
    assert np.corrcoef(waves @ weights, heard)[0, 1] > 0.9999
    assert np.hypot(*weights) == pytest.approx(0.5, rel=0.01)


def test_a_frame_knows_when_its_last_sample_was_captured() -> None:
    side = CaptureSide(16_000, 1)
    cutter = cutter_of(side)
    stamps = []
    for number in range(1, 33):
        side.take(np.zeros((160, 1), np.float32), number)
        stamps += [frame.captured_ns for frame in cutter.frames()]
    assert stamps == [-(-512 * count // 160) for count in range(1, 11)]


def test_blocks_that_are_fetched_together_keep_their_times() -> None:
    side = CaptureSide(16_000, 1)
    heard: list[int] = []

    def hear(near: Samples, far: Samples, captured_ns: int) -> Samples:
        heard.append(captured_ns)
        return near

    cutter = FrameCutter(side, OneClock(Playout(16_000)), hear)
    assert cutter.missing_frames == 640
    for number in range(1, 17):
        side.take(np.zeros((160, 1), np.float32), number)
    assert cutter.missing_frames == 0
    assert [frame.captured_ns for frame in cutter.frames()] == [4, 7, 10, 13, 16]
    assert heard == list(range(1, 17))
    assert cutter.missing_frames == 640


def test_what_was_not_fetched_in_time_is_counted() -> None:
    side = CaptureSide(48_000, 1)
    for _ in range(500):
        side.take(np.zeros((480, 1), np.float32), 1)
    assert sum(1 for _ in cutter_of(side).frames()) == 4 * 16_000 // FRAME_SAMPLES
    assert side.ring.dropped_frames == 48_000


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_every_other_block_of_a_microphone_of_its_own_ends_a_frame(rate_hz: int) -> None:
    side = CaptureSide(rate_hz, 1, CAPTURE_BLOCK_S)
    cutter = cutter_of(side)
    for number in range(1, 101):
        assert -(-cutter.missing_frames // side.block_frames) == 2 - (number - 1) % 2
        side.take(np.zeros((side.block_frames, 1), np.float32), number)
        assert [frame.captured_ns for frame in cutter.frames()] == [number] * (number % 2 == 0)
