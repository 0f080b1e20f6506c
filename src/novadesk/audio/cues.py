"""The four short sounds that tell of the microphone and of errors without words; each has its twin in the window.

They differ in direction, rhythm and pitch, so that none is taken for another: listening rises, stopped falls,
muted taps twice on one low note, error is one low, rough note.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from novadesk.audio.formats import SPEAK_HZ, Samples, to_pcm
from novadesk.models import Cue

LONGEST_MS = 250
"""No cue is longer: it may cover the first word of who speaks at once."""

FADE_MS = 5
"""Raised cosine at both ends of every note: no cue clicks."""

PEAK = 0.22
"""Highest sample of a cue, 13 dB below full scale: an answer at -18 dBFS plus a cue does not clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """One note.

    Attributes:
        start_ms, length_ms: where it lies in the cue.
        tones: (frequency in Hz, share) of each partial.
        halving_ms: time in which it loses half of its strength.
    """

    start_ms: int
    length_ms: int
    tones: tuple[tuple[float, float], ...]
    halving_ms: float


def _soft(hz: float) -> tuple[tuple[float, float], ...]:
    return (hz, 1.0), (2 * hz, 0.18), (3 * hz, 0.06)


_ROUGH = tuple((hz * order, share / order) for order, share in ((1, 1.0), (2, 0.7), (3, 0.9)) for hz in (233.1, 246.9))

_NOTES: dict[Cue, tuple[_Note, ...]] = {
    Cue.LISTENING: (
        _Note(start_ms=0, length_ms=80, tones=_soft(659.3), halving_ms=45),
        _Note(start_ms=65, length_ms=105, tones=_soft(987.8), halving_ms=40),
    ),
    Cue.STOPPED: (
        _Note(start_ms=0, length_ms=80, tones=_soft(587.3), halving_ms=45),
        _Note(start_ms=65, length_ms=115, tones=_soft(392.0), halving_ms=40),
    ),
    Cue.MUTED: (
        _Note(start_ms=0, length_ms=60, tones=_soft(311.1), halving_ms=25),
        _Note(start_ms=110, length_ms=70, tones=_soft(311.1), halving_ms=25),
    ),
    Cue.ERROR: (_Note(start_ms=0, length_ms=240, tones=_ROUGH, halving_ms=90),),
}


@cache
def sound_of(cue: Cue) -> bytes:
    """Return a cue as s16le mono at 24 kHz, at most `LONGEST_MS` long and `PEAK` loud; its volume is the player's."""
    notes = _NOTES[cue]
    mixed = np.zeros(_count(max(note.start_ms + note.length_ms for note in notes)), np.float32)
    for note in notes:
        begin = _count(note.start_ms)
        sound = _play(note)
        mixed[begin : begin + len(sound)] += sound
    return to_pcm(mixed * np.float32(PEAK / np.abs(mixed).max()))


def _play(note: _Note) -> Samples:
    at_s = np.arange(_count(note.length_ms)) / SPEAK_HZ
    sound = np.zeros(len(at_s))
    for hz, share in note.tones:
        sound += share * np.sin(2 * np.pi * hz * at_s)
    sound *= 0.5 ** (at_s * 1000 / note.halving_ms)
    fade = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, _count(FADE_MS)))
    sound[: len(fade)] *= fade
    sound[-len(fade) :] *= fade[::-1]
    return sound.astype(np.float32)


def _count(length_ms: int) -> int:
    return length_ms * SPEAK_HZ // 1000
