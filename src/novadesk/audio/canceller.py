"""Taking the answer that the loudspeaker plays out of what the microphone hears."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from novadesk.audio.formats import LISTEN_HZ, Samples
from novadesk.config import EchoSetting

if TYPE_CHECKING:
    from pywebrtc_audio import AudioProcessor

STEP_SAMPLES = LISTEN_HZ // 100
"""Samples of one step: 10 ms, the frame that WebRTC's audio processing works in."""

GAIN_CEILING_DB = 18.0
"""Most that the automatic gain adds: WebRTC's own 50 dB lift a quiet room's residue of echo to the level of speech."""

NOISE_LEVEL = 1
"""Of 0 to 3. About 12 dB; more helps no recogniser."""

NO_CANCELLER = (
    "No echo canceller exists for this system, so NovaDesk does not listen while it speaks. "
    "With a headset, choose Headset to be able to interrupt it."
)

_FAR_ACTIVE = 1e-3  # -60 dBFS: below it there is no echo to measure
_SPEECH_ABSENT = 0.3
_ECHO_TAIL_STEPS = 30
_SMOOTH = 0.01  # a memory of one second
_POWER_FLOOR = 1e-10


class Canceller(Protocol):
    """Cleans the microphone's sound, 10 ms at a time.

    Attributes:
        erle_db: echo return loss enhancement, how much fainter the echo has become over the last second or so of
            echo without speech; 0 while unknown.
        speech: probability of speech in the last step, 0 to 1; 0 without a detector.
        gain_db: automatic gain in the last step.
    """

    erle_db: float
    speech: float
    gain_db: float

    def process(self, near: Samples, far: Samples) -> Samples:
        """Return the cleaned sound.

        Args:
            near: of the microphone, `STEP_SAMPLES` samples at `LISTEN_HZ`.
            far: what was handed to the loudspeaker in the same time, silence included; of the same length.
        """

    def reset(self) -> None:
        """Forget the room, as when a device was opened anew."""


class NullCanceller:
    """Leaves the sound as it is: for a headset, whose microphone does not hear the answer."""

    def __init__(self) -> None:
        self.erle_db = 0.0
        self.speech = 0.0
        self.gain_db = 0.0

    def process(self, near: Samples, far: Samples) -> Samples:  # noqa: ARG002
        """Return `near`."""
        return near

    def reset(self) -> None:
        """Do nothing."""


class WebRtcCanceller:
    """WebRTC's AEC3 with high-pass filter, noise suppression and automatic gain.

    It finds the delay between `far` and its echo by itself, up to half a second.

    Raises:
        ImportError: no such canceller for this system.
    """

    def __init__(self) -> None:
        self._processor = _processor()
        self.reset()

    def process(self, near: Samples, far: Samples) -> Samples:
        """Return the cleaned sound: high-passed, without echo, with less noise, at an even level."""
        clean: Samples = self._processor.process(near, far)
        self.speech = float(self._processor.speech_probability)
        self.gain_db = float(self._processor.gain_db)
        self._measure(near, clean, far)
        return clean

    def reset(self) -> None:
        """Forget the room, the noise and the level of the voice."""
        self._processor.reset()
        self.erle_db = 0.0
        self.speech = 0.0
        self.gain_db = 0.0
        self._before = 0.0
        self._after = 0.0
        self._echo_steps = 0

    def _measure(self, near: Samples, clean: Samples, far: Samples) -> None:
        if float(np.dot(far, far)) > _FAR_ACTIVE**2 * len(far):
            self._echo_steps = _ECHO_TAIL_STEPS
        elif self._echo_steps:
            self._echo_steps -= 1
        if not self._echo_steps or self.speech > _SPEECH_ABSENT:
            return
        gain = 10 ** (self.gain_db / 10)
        self._before += _SMOOTH * (float(np.dot(near, near)) - self._before)
        self._after += _SMOOTH * (float(np.dot(clean, clean)) / gain - self._after)
        if self._before > _POWER_FLOOR:
            self.erle_db = float(10 * np.log10(self._before / max(self._after, _POWER_FLOOR)))


def make_canceller(echo: EchoSetting) -> tuple[Canceller, str]:
    """Return the canceller for what the person hears with, and a sentence when this system has none.

    With a sentence, the sound passes unchanged and has to be kept half-duplex: not listened to while an answer plays.
    """
    if echo is EchoSetting.HEADSET:
        return NullCanceller(), ""
    try:
        return WebRtcCanceller(), ""
    except ImportError:
        return NullCanceller(), NO_CANCELLER


def _processor() -> "AudioProcessor":
    from pywebrtc_audio import AudioProcessor

    return AudioProcessor(
        sample_rate=LISTEN_HZ,
        echo_cancellation=True,
        noise_suppression=True,
        high_pass_filter=True,
        auto_gain_control=True,
        ns_level=NOISE_LEVEL,
        agc_max_gain_db=GAIN_CEILING_DB,
    )
