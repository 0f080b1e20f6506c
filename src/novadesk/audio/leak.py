"""How much of the speaker's sound is in the microphone's: a matched filter, and levels beside the noise. Pure."""

from dataclasses import dataclass

import numpy as np

from novadesk.audio.formats import FRAME_SAMPLES, LISTEN_HZ, Samples

CLEAR = 12.0
"""Peak of the matched filter over its rest: noise gives up to 7, an echo that stands out of the noise 17 to 70."""

_NEAR_S = 0.05  # around the peak: what the room adds to it
_LOUD_SHARE = 0.3  # the loudest frames, in which speech is spoken
_FLOOR_DB = -100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """What was found.

    Attributes:
        score: peak of the matched filter over its rest.
        over_noise_db: loud frames of what was heard over the room's noise before.
        loud_db: level of those frames, in dB of full scale.
        silent: the microphone sent exact zeros.
        clipped: it was at its limit.
    """

    score: float
    over_noise_db: float
    loud_db: float
    silent: bool
    clipped: bool

    @property
    def heard(self) -> bool:
        """Return whether the played sound is in the microphone's beyond doubt."""
        return self.score >= CLEAR


def find_leak(played: Samples, before: Samples, heard: Samples) -> Leak:
    """Look for a played sound in what the microphone heard.

    Args:
        played: what the speaker was given, at `LISTEN_HZ`.
        before: the microphone before that, for the room's noise.
        heard: the microphone from then on, longer than `played` by the longest delay.
    """
    loud_db = loudness_db(heard)
    noise = _levels(before)
    noise_db = float(np.median(noise)) if len(noise) else _FLOOR_DB
    return Leak(
        score=_score(played, heard),
        over_noise_db=loud_db - noise_db,
        loud_db=loud_db,
        silent=not np.any(heard),
        clipped=bool(len(heard)) and float(np.max(np.abs(heard))) >= 0.99,
    )


def loudness_db(samples: Samples) -> float:
    """Return the level of the loudest third of the frames, in dB of full scale: of a voice where somebody speaks."""
    levels = np.sort(_levels(samples))
    return float(np.mean(levels[-max(1, round(len(levels) * _LOUD_SHARE)) :])) if len(levels) else _FLOOR_DB


def _levels(samples: Samples) -> Samples:
    """Return the level of each frame in dB of full scale."""
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    rms = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1)) if len(frames) else np.empty(0)
    levels: Samples = np.maximum(20 * np.log10(np.maximum(rms, 1e-12)), _FLOOR_DB).astype(np.float32)
    return levels


def _score(played: Samples, heard: Samples) -> float:
    if not np.any(played) or not np.any(heard):
        return 0.0
    size = 1 << (len(played) + len(heard) - 1).bit_length()
    # Whitened: speech repeats itself at its pitch, and would answer to any other voice of the same pitch.
    one, other = np.fft.rfft(played, size), np.fft.rfft(heard, size)
    cross = other * np.conj(one)
    found = np.abs(np.fft.irfft(cross / np.maximum(np.abs(cross), 1e-12), size))[: len(heard)]
    peak = int(np.argmax(found))
    near = round(_NEAR_S * LISTEN_HZ)
    rest = np.concatenate((found[: max(0, peak - near)], found[peak + near :]))
    spread = float(np.sqrt(np.mean(np.square(rest)))) if len(rest) else 0.0
    return float(found[peak]) / spread if spread else 0.0
