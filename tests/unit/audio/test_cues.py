"""Cues: short, quiet, without clicks, and none like another."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from novadesk.audio.cues import FADE_MS, LONGEST_MS, sound_of
from novadesk.audio.formats import SPEAK_HZ, Samples, to_samples
from novadesk.models import Cue

FADE = FADE_MS * SPEAK_HZ // 1000
BANDS_HZ = np.geomspace(150, 6_000, 41)


def heard(cue: Cue) -> Samples:
    return to_samples(sound_of(cue))


def strongest_hz(sound: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 15))
    return float(np.argmax(spectrum) * SPEAK_HZ / (1 << 15))


def bands(sound: Samples) -> NDArray[np.float64]:
    """Return how much of the sound lies in each eighth of an octave, as a vector of length one."""
    spectrum = np.abs(np.fft.rfft(sound, 1 << 15)) ** 2
    hz = np.fft.rfftfreq(1 << 15, 1 / SPEAK_HZ)
    shares = np.sqrt(np.histogram(hz, BANDS_HZ, weights=spectrum)[0])
    return np.asarray(shares / np.linalg.norm(shares))


@pytest.mark.parametrize("cue", Cue)
def test_a_cue_is_short_and_quiet_but_audible(cue: Cue) -> None:
    sound = heard(cue)
    assert 100 <= len(sound) * 1000 / SPEAK_HZ <= LONGEST_MS <= 250
    peak_db = 20 * np.log10(np.abs(sound).max())
    level_db = 20 * np.log10(np.sqrt(np.mean(sound**2)))
    assert -18 <= peak_db <= -12
    assert -32 <= level_db <= -18
    assert abs(sound.mean()) < 0.002


@pytest.mark.parametrize("cue", Cue)
def test_a_cue_begins_and_ends_without_a_click(cue: Cue) -> None:
    sound = np.abs(heard(cue))
    peak = sound.max()
    for edge in (sound, sound[::-1]):
        assert edge[0] < 0.001
        assert edge[: FADE // 4].max() < 0.2 * peak
    assert np.abs(np.diff(heard(cue))).max() < 0.5 * peak


def test_the_cues_are_of_one_loudness() -> None:
    levels_db = [20 * np.log10(np.sqrt(np.mean(heard(cue) ** 2))) for cue in Cue]
    assert max(levels_db) - min(levels_db) < 6


@pytest.mark.parametrize(("one", "other"), list(combinations(Cue, 2)))
def test_no_cue_is_like_another(one: Cue, other: Cue) -> None:
    assert float(bands(heard(one)) @ bands(heard(other))) < 0.4


def test_listening_rises_stopped_falls_and_muted_taps_twice() -> None:
    def halves(cue: Cue) -> tuple[float, float]:
        sound = heard(cue)
        return strongest_hz(sound[: len(sound) // 3]), strongest_hz(sound[-len(sound) // 2 :])

    first, last = halves(Cue.LISTENING)
    assert last > 1.3 * first
    first, last = halves(Cue.STOPPED)
    assert last < 0.77 * first
    tapped = np.abs(heard(Cue.MUTED))
    pause = tapped[70 * SPEAK_HZ // 1000 : 105 * SPEAK_HZ // 1000]
    assert pause.max() == 0
    first, last = halves(Cue.MUTED)
    assert last == pytest.approx(first, rel=0.05)


def test_a_cue_is_made_once() -> None:
    assert sound_of(Cue.ERROR) is sound_of(Cue.ERROR)
