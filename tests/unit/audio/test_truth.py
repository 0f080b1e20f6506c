import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.audio.formats import Samples
from novadesk.audio.truth import InputTruth
from novadesk.models import InputTrouble

RATES = (16_000, 44_100, 48_000)
TOLD_S = 2.0


def noise(seconds: float, rate_hz: int, dbfs: float) -> Samples:
    random = np.random.default_rng(1)
    return (random.standard_normal(round(seconds * rate_hz)) * 10 ** (dbfs / 20)).astype(np.float32)


def speech(seconds: float, rate_hz: int, dbfs: float, room_dbfs: float = -90.0) -> Samples:
    """Return syllables, four a second, of which the loudest 20 ms have this level, in a room of this level."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    voice = np.sin(2 * np.pi * 180 * time_s) * np.clip(np.sin(2 * np.pi * 4 * time_s), 0, None)
    return (voice * np.sqrt(2) * 10 ** (dbfs / 20)).astype(np.float32) + noise(seconds, rate_hz, room_dbfs)


def typing(seconds: float, dbfs: float) -> Samples:
    """Return clicks of 15 ms, seven a second, at 16 kHz."""
    clicks = noise(seconds, 16_000, dbfs)
    clicks[np.arange(len(clicks)) % (16_000 // 7) >= 240] = 0
    return clicks


def told_after_s(truth: InputTruth, samples: Samples, rate_hz: int, wanted: InputTrouble) -> float:
    """Feed in blocks of 10 ms; return when it was told, or infinity."""
    step = rate_hz // 100
    for start in range(0, len(samples), step):
        if truth.feed(samples[start : start + step]) is wanted:
            return (start + step) / rate_hz
    return float("inf")


def all_told(samples: Samples, rate_hz: int) -> set[InputTrouble]:
    truth = InputTruth(rate_hz)
    step = rate_hz // 100
    return {truth.feed(samples[start : start + step]) for start in range(0, len(samples), step)}


@pytest.mark.parametrize("rate_hz", RATES)
def test_exact_silence_is_told_in_time_and_taken_back_with_the_first_sound(rate_hz: int) -> None:
    truth = InputTruth(rate_hz)
    assert told_after_s(truth, np.zeros(3 * rate_hz, np.float32), rate_hz, InputTrouble.ZEROS) < TOLD_S
    assert told_after_s(truth, noise(1.0, rate_hz, -60), rate_hz, InputTrouble.NONE) <= 0.04
    assert truth.feed(noise(3.0, rate_hz, -60)) is InputTrouble.NONE


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("dbfs", [3.0, 24.0])
def test_clipped_speech_is_told_in_time(rate_hz: int, dbfs: float) -> None:
    loud = np.clip(speech(3.0, rate_hz, dbfs), -1, 1)
    assert told_after_s(InputTruth(rate_hz), loud, rate_hz, InputTrouble.CLIPPED) < TOLD_S


def test_clipping_ends_when_the_voice_does_not_reach_the_end_of_the_scale() -> None:
    truth = InputTruth(16_000)
    truth.feed(np.clip(speech(2.0, 16_000, 12), -1, 1))
    assert truth.trouble is InputTrouble.CLIPPED
    assert told_after_s(truth, speech(3.0, 16_000, -20), 16_000, InputTrouble.NONE) < TOLD_S


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("dbfs", [-53.0, -60.0, -66.0, -72.0, -79.0])
def test_a_voice_too_faint_is_told_in_time_and_taken_back_when_it_is_loud_enough(rate_hz: int, dbfs: float) -> None:
    truth = InputTruth(rate_hz)
    assert told_after_s(truth, speech(3.0, rate_hz, dbfs, -100), rate_hz, InputTrouble.QUIET) < TOLD_S
    assert truth.feed(noise(5.0, rate_hz, -85)) is InputTrouble.QUIET
    assert told_after_s(truth, speech(1.0, rate_hz, -30), rate_hz, InputTrouble.NONE) < 0.5


def test_nothing_but_the_converters_noise_is_quiet() -> None:
    assert told_after_s(InputTruth(16_000), noise(3.0, 16_000, -88), 16_000, InputTrouble.QUIET) < TOLD_S


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(noise(6.0, 16_000, -62), id="a silent room"),
        pytest.param(speech(6.0, 16_000, -38, -65), id="a soft voice"),
        pytest.param(speech(6.0, 16_000, -9, -50), id="a loud voice"),
        pytest.param(np.concatenate([noise(2.0, 16_000, -62), speech(2.0, 16_000, -25, -62)]), id="a pause"),
        pytest.param(noise(6.0, 16_000, -70) + typing(6.0, -55), id="somebody types and says nothing"),
        pytest.param(noise(6.0, 16_000, -58) + speech(6.0, 16_000, -57), id="somebody far away in a louder room"),
    ],
)
def test_a_working_microphone_has_no_trouble(samples: Samples) -> None:
    assert all_told(samples, 16_000) == {InputTrouble.NONE}


def test_one_knock_is_no_clipping() -> None:
    knock = noise(3.0, 16_000, -60)
    knock[20_000:20_400] = 1.0
    assert all_told(knock, 16_000) == {InputTrouble.NONE}


def test_peaks_that_just_reach_full_scale_are_no_clipping() -> None:
    peaks = noise(3.0, 16_000, -40)
    peaks[::160] = 1.0
    assert all_told(peaks, 16_000) == {InputTrouble.NONE}


def test_a_pause_of_a_noise_gate_that_is_shorter_than_the_window_is_no_trouble() -> None:
    gated = np.concatenate([speech(1.0, 16_000, -20), np.zeros(20_000, np.float32)] * 3)
    assert all_told(gated, 16_000) == {InputTrouble.NONE}


@given(st.lists(st.integers(1, 4_000), min_size=1, max_size=30))
def test_the_cut_of_the_blocks_does_not_change_the_judgement(lengths: list[int]) -> None:
    wave = np.concatenate([noise(1.0, 16_000, -60), np.zeros(60_000, np.float32)])
    truth, whole = InputTruth(16_000), InputTruth(16_000)
    at = 0
    for length in lengths:
        truth.feed(wave[at : at + length])
        at += length
    whole.feed(wave[:at])
    assert truth.trouble is whole.trouble
