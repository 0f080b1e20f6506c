"""Whether the microphone hears the speaker, in rooms made of numbers."""

import numpy as np
import pytest

from novadesk.app.soundcheck import judge_leak
from novadesk.audio.formats import LISTEN_HZ, Samples, to_samples
from novadesk.audio.leak import Leak, find_leak, loudness_db
from novadesk.config import EchoSetting
from tests.support.voices import Speaker, speech

NOISE_DB = -60.0
PLAYED = "Hello. This is how loud I am. Do you hear me well?"


def played() -> Samples:
    return to_samples(speech(Speaker.SLT, PLAYED))


def noise(length: int, seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0, 10 ** (NOISE_DB / 20), length).astype(np.float32)


def room(sound: Samples, echo_db: float, delay_s: float, t60_s: float = 0.4) -> Samples:
    """Return a sound as a microphone hears it: late, reverberated, at a level."""
    random = np.random.default_rng(5)
    tail = np.arange(round(t60_s * LISTEN_HZ)) / LISTEN_HZ
    walls = random.normal(size=len(tail)) * np.exp(-6.9 * tail / t60_s)
    walls[0] = 3.0
    echo = np.convolve(sound, walls)[: len(sound)]
    echo *= 10 ** (echo_db / 20) / np.sqrt(np.mean(echo**2))
    heard = noise(len(sound) + LISTEN_HZ, seed=2)
    late = round(delay_s * LISTEN_HZ)
    heard[late : late + len(echo)] += echo
    return heard


@pytest.mark.parametrize("delay_s", [0.02, 0.35])
@pytest.mark.parametrize("echo_db", [-12.0, -30.0, -45.0])
def test_a_speaker_is_found_at_any_delay_and_loudness(echo_db: float, delay_s: float) -> None:
    leak = find_leak(played(), noise(LISTEN_HZ, seed=1), room(played(), echo_db, delay_s))
    assert leak.heard
    assert leak.loud_db == pytest.approx(echo_db + 4, abs=4)  # the loudest third of a speech is above its mean
    assert leak.over_noise_db == pytest.approx(leak.loud_db - NOISE_DB, abs=1)


@pytest.mark.parametrize("voice", [None, Speaker.RMS, Speaker.SLT])
def test_a_headset_is_told_from_it_also_when_somebody_talks(voice: Speaker | None) -> None:
    heard = noise(len(played()) + LISTEN_HZ, seed=3)
    if voice is not None:
        talk = to_samples(speech(voice, "So I told him that the study was from last spring."))[: len(heard)]
        heard[: len(talk)] += talk
    assert not find_leak(played(), noise(LISTEN_HZ, seed=1), heard).heard


def test_zeros_and_clipping_are_noticed() -> None:
    silent = find_leak(played(), np.zeros(LISTEN_HZ, np.float32), np.zeros(4 * LISTEN_HZ, np.float32))
    assert (silent.silent, silent.heard) == (True, False)
    loud = np.clip(room(played(), 0.0, 0.1), -1.0, 1.0)
    assert find_leak(played(), noise(LISTEN_HZ, seed=1), loud).clipped


def test_nothing_heard_has_no_loudness() -> None:
    assert loudness_db(np.empty(0, np.float32)) == -100.0


HEARD = Leak(score=40.0, over_noise_db=30.0, loud_db=-30.0, silent=False, clipped=False)


@pytest.mark.parametrize(
    ("leak", "voice_db", "heard", "advice"),
    [
        (HEARD, None, True, EchoSetting.SPEAKERS),
        (HEARD, -34.0, True, EchoSetting.SPEAKERS),
        (HEARD, -42.0, True, EchoSetting.HALF_DUPLEX),
        (Leak(score=40.0, over_noise_db=60.0, loud_db=-2.0, silent=False, clipped=True), None, True,
         EchoSetting.HALF_DUPLEX),
        (Leak(score=4.0, over_noise_db=0.0, loud_db=-60.0, silent=False, clipped=False), -30.0, False,
         EchoSetting.HEADSET),
        (Leak(score=0.0, over_noise_db=0.0, loud_db=-100.0, silent=True, clipped=False), None, None, None),
    ],
    ids=["speakers", "a loud voice", "drowned", "clipped", "headset", "muted"],
)  # fmt: skip
def test_what_is_advised(leak: Leak, voice_db: float | None, heard: bool | None, advice: EchoSetting | None) -> None:
    found = judge_leak(leak, voice_db)
    assert (found.heard, found.advice) == (heard, advice)
    assert found.what.endswith(".")
