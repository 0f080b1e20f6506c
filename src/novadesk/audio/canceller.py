"""Taking the answer that the loudspeaker plays out of what the microphone hears."""

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from novadesk.audio.formats import LISTEN_HZ, Samples
from novadesk.config import EchoSetting
from novadesk.text import Text

if TYPE_CHECKING:
    from pywebrtc_audio import AudioProcessor

STEP_SAMPLES = LISTEN_HZ // 100
"""Samples of one step: 10 ms, the frame that WebRTC's audio processing works in."""

GAIN_CEILING_DB = 18.0
"""Most that the automatic gain adds: more lifts a quiet room's residue of echo to the level of speech."""

VOICE_DBFS = -26.0
"""Level to which the gain lifts a voice that is fainter; a louder one passes as it is."""

NOISE_LEVEL = 1
"""Of 0 to 3. About 12 dB; more helps no recogniser."""

HISS_DBFS = -75.0
"""Level of the hiss that stands for a quiet room before the first real sound: under that of any microphone's own."""

PLAYED_DBFS = -20.0
"""Level of the noise that was played into that room, and of which nothing came back."""

BEFORE_STEPS = 700
"""The noise suppressor takes its first two seconds for noise; the canceller believes for six that there is an echo."""

REST_STEPS = 500
"""AEC3 rests when nothing was played for so long: no echo is left to follow in any room, and it takes 75 µs of every
10 ms."""

LEAST_ECHO = 1e-6
"""Power at the microphone, -60 dBFS: fainter than that, an echo is noise."""

NO_CANCELLER = Text(
    "No echo canceller exists for this system, so NovaDesk does not listen while it speaks. "
    "With a headset, choose Headset to be able to interrupt it."
)

_ECHO_DELAY_SAMPLES = 128  # how late AEC3 gives its sound back, measured with white noise
_SILENCE = np.zeros(STEP_SAMPLES, np.float32)
_RISING = np.linspace(0.0, 1.0, STEP_SAMPLES, dtype=np.float32)
_FAR_ACTIVE = 1e-3  # -60 dBFS: below it there is no echo to measure
_SPEECH_SURE = 0.6
_ECHO_TAIL_STEPS = 50
_SMOOTH = 0.05  # a memory of 0.2 s
_ERLE_STEP_DB = 0.1
_VOICE_LEAST_DBFS = -60.0
_VOICE_SMOOTH = 0.02
_GAIN_UP_DB = 0.03  # a step: 3 dB a second
_GAIN_DOWN_DB = 0.2
_PEAK = 0.9
_POWER_FLOOR = 1e-10


class Canceller(Protocol):
    """Cleans the microphone's sound, 10 ms at a time.

    Attributes:
        erle_db: echo return loss enhancement, how much fainter the echo has become of late; 0 while unknown.
        speech: probability of speech in the last step of the microphone, an echo's included, 0 to 1; 0 without a
            detector.
        gain_db: automatic gain in the last step.
    """

    erle_db: float
    speech: float
    gain_db: float

    def process(self, near: Samples, far: Samples, echoes: bool = True) -> Samples:
        """Return the cleaned sound.

        Args:
            near: of the microphone, `STEP_SAMPLES` samples at `LISTEN_HZ`.
            far: what was handed to the loudspeaker in the same time, silence included; of the same length.
            echoes: an answer can be in `near`. Without one no echo is taken out, a cue's neither: that would cost a
                voice under the cue some of its consonants, and a recogniser takes no beep for a word.
        """

    def reset(self) -> None:
        """Forget the room, as when a device was opened anew."""


class NullCanceller:
    """Leaves the sound as it is: for a headset, whose microphone does not hear the answer."""

    def __init__(self) -> None:
        self.erle_db = 0.0
        self.speech = 0.0
        self.gain_db = 0.0

    def process(self, near: Samples, far: Samples, echoes: bool = True) -> Samples:  # noqa: ARG002
        """Return `near`."""
        return near

    def reset(self) -> None:
        """Do nothing."""


class WebRtcCanceller:
    """WebRTC's AEC3 while an answer is played; its high-pass filter and noise suppression; a gain for faint voices.

    AEC3 finds the delay between `far` and its echo by itself, up to half a second. It is fed from the begin of anything
    played until `REST_STEPS` after its end, and remembers the room in between. WebRTC's own gain is left off: it
    begins with 15 dB and presses a voice of ordinary level into its limiter, which costs a recogniser words.

    Neither begins with nothing learnt, but with seconds of a quiet room without echo:
    the suppressor would take the first half second of a voice out of digital silence for noise (11 dB fainter;
    PocketSphinx got 10 % of words wrong instead of 5 %, 90 phrases of three voices), and AEC3 would take a voice over
    the first answer for its echo where there is none (30 dB fainter). An echo is still taken away within 0.5 s.

    Raises:
        ImportError: no such canceller for this system.
    """

    def __init__(self) -> None:
        self._echo, self._noise = _processor(echo_cancellation=True), _processor(noise_suppression=True)
        self._gain = _Gain()
        self.reset()

    def process(self, near: Samples, far: Samples, echoes: bool = True) -> Samples:
        """Return the cleaned sound: high-passed, without echo, with less noise, no fainter than need be."""
        clean: Samples = self._noise.process(self._without_echo(near, far, echoes), _SILENCE)
        self.speech = float(self._noise.speech_probability)
        if float(np.dot(far, far)) > _FAR_ACTIVE**2 * len(far):
            self._echo_steps = _ECHO_TAIL_STEPS
        elif self._echo_steps:
            self._echo_steps -= 1
        power = float(np.dot(clean, clean)) / len(clean)
        if self._echo_steps:
            self._measure(float(np.dot(near, near)) / len(near), power)
        elif self.speech > _SPEECH_SURE:
            self._gain.learn(power)
        louder = self._gain.apply(clean)
        self.gain_db = self._gain.gain_db
        return louder

    def reset(self) -> None:
        """Forget the room, the noise and the level of the voice."""
        self._echo.reset()
        self._noise.reset()
        for near, far in zip(_white(HISS_DBFS, 0), _white(PLAYED_DBFS, 1), strict=True):
            self._noise.process(self._echo.process(near, far), _SILENCE)
        self._gain.reset()
        self._echoes = False
        self._silent_steps = 0
        self._resting: Samples | None = None  # the newest step that it was not given
        self._late = np.zeros(_ECHO_DELAY_SAMPLES, np.float32)
        self.erle_db = 0.0
        self.speech = 0.0
        self.gain_db = 0.0
        self._before = 0.0
        self._after = 0.0
        self._echo_steps = 0

    def _without_echo(self, near: Samples, far: Samples, echoes: bool) -> Samples:
        self._silent_steps = 0 if echoes or far.any() else self._silent_steps + 1
        heard = np.concatenate((self._late, near))
        untouched, self._late = heard[:STEP_SAMPLES], heard[STEP_SAMPLES:]
        before, self._echoes = self._echoes, echoes
        if self._silent_steps > REST_STEPS:
            self._resting = near
            return untouched
        if self._resting is not None:  # what it gives back first is the end of what it was given last
            self._echo.process(self._resting, _SILENCE)
            self._resting = None
        cancelled: Samples = self._echo.process(near, far)  # without an answer too: it follows the room
        if before is not echoes:
            return untouched + (cancelled - untouched) * (_RISING if echoes else 1 - _RISING)
        return cancelled if echoes else untouched

    def _measure(self, before: float, after: float) -> None:
        """Follow the median of what is taken away: who talks over the echo for a while does not change it."""
        self._before += _SMOOTH * (before - self._before)
        self._after += _SMOOTH * (after - self._after)
        if self._before < LEAST_ECHO:
            return
        taken_db = max(0.0, 10 * math.log10(self._before / max(self._after, _POWER_FLOOR)))
        self.erle_db += min(_ERLE_STEP_DB, max(-_ERLE_STEP_DB, taken_db - self.erle_db))


class _Gain:
    """Lifts a faint voice slowly to `VOICE_DBFS`, by the level of its speech without echo. Never clips."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.gain_db = 0.0
        self._voice_dbfs = VOICE_DBFS
        self._factor = 1.0

    def learn(self, power: float) -> None:
        """Take the power of 10 ms of speech."""
        level_dbfs = 10 * math.log10(power + _POWER_FLOOR)
        if level_dbfs > max(_VOICE_LEAST_DBFS, self._voice_dbfs - 15):
            self._voice_dbfs += _VOICE_SMOOTH * (level_dbfs - self._voice_dbfs)
        wanted_db = min(GAIN_CEILING_DB, max(0.0, VOICE_DBFS - self._voice_dbfs))
        self.gain_db += min(_GAIN_UP_DB, max(-_GAIN_DOWN_DB, wanted_db - self.gain_db))

    def apply(self, sound: Samples) -> Samples:
        """Return the sound with the gain, moved evenly to what it is now."""
        if self.gain_db == 0.0 and self._factor == 1.0:
            return sound
        most = max(1.0, _PEAK / max(float(np.abs(sound).max()), _PEAK / 100))
        factor = min(most, 10 ** (self.gain_db / 20))
        before, self._factor = min(most, self._factor), factor
        if before == factor == 1.0:
            return sound
        return sound * np.linspace(before, factor, len(sound), dtype=np.float32)


def make_canceller(echo: EchoSetting) -> tuple[Canceller, str]:
    """Return the canceller for what the person hears with, and a sentence when this system has none.

    With a sentence, the sound passes unchanged and has to be kept half-duplex: not listened to while an answer plays.
    """
    if echo is not EchoSetting.SPEAKERS:
        return NullCanceller(), ""
    try:
        return WebRtcCanceller(), ""
    except ImportError:
        return NullCanceller(), NO_CANCELLER


def _white(dbfs: float, seed: int) -> Samples:
    """Return `BEFORE_STEPS` steps of white noise, always the same."""
    noise = np.random.default_rng(seed).standard_normal((BEFORE_STEPS, STEP_SAMPLES), np.float32)
    return noise * np.float32(10 ** (dbfs / 20))


def _processor(*, echo_cancellation: bool = False, noise_suppression: bool = False) -> "AudioProcessor":
    from pywebrtc_audio import AudioProcessor

    return AudioProcessor(
        sample_rate=LISTEN_HZ,
        echo_cancellation=echo_cancellation,
        noise_suppression=noise_suppression,
        high_pass_filter=noise_suppression,  # AEC3 has its own
        ns_level=NOISE_LEVEL,
    )
