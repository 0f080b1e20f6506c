"""The microphone's sound, 10 ms at a time: the echo taken out, and watched for who speaks into an answer."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from novadesk.audio.canceller import LEAST_ECHO, STEP_SAMPLES, Canceller
from novadesk.audio.formats import LISTEN_HZ, Samples
from novadesk.models import BargeIn

STEP_S = STEP_SAMPLES / LISTEN_HZ
DEAF_AFTER_S = 0.2
"""Half-duplex: the echo of a room that counts has died away this long after the sound (T60 0.6 s: by 20 dB)."""

ECHO_STEPS = round(0.5 / STEP_S)
"""So long after an answer its echo is taken out: in a room of T60 0.6 s it has fallen by 50 dB by then."""

_AUDIBLE = 1e-4  # -80 dBFS
_NO_SPEECH = 0.3
_SPEECH = 0.6
_SMOOTH = 0.02  # a memory of half a second
_ECHO_GONE_STEPS = round(0.3 / STEP_S)


class Detector(Protocol):
    """Finds out that somebody speaks into an answer; see `bargein.BargeInDetector`."""

    def feed(self, near: Samples, near_clean: Samples, playing: bool, gain_db: float = 0.0) -> BargeIn | None:
        """Take a step; return what it changes."""


class Hearing:
    """The way of one microphone's sound.

    Args:
        canceller: takes the echo out.
        detector: None looks for no barge-in.
        playing: tells whether an answer is played now that can be interrupted.
        interrupt: is told of a change and the step's time in monotonic nanoseconds.
        deaf_s: silence the microphone while an answer is played and so long after it; None never does (no half-duplex).
            A cue silences nothing: who speaks on hearing it would lose the first words.

    Attributes:
        watching: whether a barge-in is looked for.
    """

    def __init__(
        self,
        canceller: Canceller,
        detector: Detector | None,
        playing: Callable[[], bool],
        interrupt: Callable[[BargeIn, int], None],
        deaf_s: float | None = None,
    ) -> None:
        self.watching = True
        self._canceller = canceller
        self._detector = detector
        self._playing = playing
        self._interrupt = interrupt
        self._deaf_steps = 0 if deaf_s is None else round(deaf_s / STEP_S)
        self._deaf_left = 0
        self._echo_left = 0
        self._silence = np.zeros(STEP_SAMPLES, np.float32)
        self._suspecting = False
        self._echo = self._voice = self._noise = 0.0
        self._since_far = _ECHO_GONE_STEPS

    @property
    def erle_db(self) -> float:
        """Return how much fainter the canceller makes the echo; 0 while unknown."""
        return self._canceller.erle_db

    @property
    def echo_over_voice_db(self) -> float:
        """Return how much louder the echo reaches the microphone than the voice; 0 while one of them is unknown.

        An echo no louder than the room's noise is unknown, however loud the voice.
        """
        echo = self._echo - self._noise
        if echo < max(LEAST_ECHO, self._noise) or not self._voice:
            return 0.0
        return float(10 * np.log10(echo / self._voice))

    def hear(self, near: Samples, far: Samples, captured_ns: int) -> Samples:
        """Take a step; return what of it is for the wire."""
        audible = float(np.dot(far, far)) > _AUDIBLE**2 * len(far)
        playing = self._playing()
        self._echo_left = ECHO_STEPS if playing else max(0, self._echo_left - 1)
        clean = self._canceller.process(near, far, self._echo_left > 0)
        if self._deaf_steps:
            echoes = playing or (audible and self._deaf_left)
            self._deaf_left = self._deaf_steps if echoes else max(0, self._deaf_left - 1)
            return self._silence if self._deaf_left else clean
        self._watch(near, clean, playing, captured_ns)
        self._compare(near, audible, playing)
        return clean

    def _watch(self, near: Samples, clean: Samples, playing: bool, captured_ns: int) -> None:
        if self._detector is None:
            return
        stage = self._detector.feed(near, clean, self.watching and playing, self._canceller.gain_db)
        if stage is not None:
            self._suspecting = stage is BargeIn.SUSPECTED
            self._interrupt(stage, captured_ns)

    def _compare(self, near: Samples, audible: bool, playing: bool) -> None:
        """Follow the power of an answer's echo, and of a voice and of noise that no echo lies over.

        A cue counts as neither: people begin to speak while they hear it.
        """
        self._since_far = 0 if audible else self._since_far + 1
        if self._suspecting:
            return
        power = float(np.dot(near, near)) / len(near)
        if audible and playing:
            self._echo += _SMOOTH * (power - self._echo)
        elif audible or self._since_far <= _ECHO_GONE_STEPS:
            return
        elif self._canceller.speech > _SPEECH:
            self._voice += _SMOOTH * (power - self._voice)
        elif self._canceller.speech < _NO_SPEECH:
            self._noise += _SMOOTH * (power - self._noise)
