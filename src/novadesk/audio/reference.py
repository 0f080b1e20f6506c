"""What was played, cut to the microphone's time: what the echo canceller compares the microphone with."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from novadesk.audio.drift import DriftEstimator, DriftResampler
from novadesk.audio.duplex import CaptureSide
from novadesk.audio.formats import LISTEN_HZ, Samples
from novadesk.audio.playout import Playout
from novadesk.audio.resampler import Resampler

SLACK_S = 0.02
"""Sound of the speaker kept in hand when the two directions are called back apart from each other; less than the way
through both devices takes (two buffers of 20 ms), so that no echo comes before what it is the echo of."""

MOST_CORRECTION_PPM = 150.0
"""What the canceller follows without harm (measured: 35 dB at 50 ppm, 27 dB at 300 ppm)."""

TRUSTED_AFTER_S = 30.0

_SLACK = round(SLACK_S * LISTEN_HZ)
_LEAST = _SLACK // 2
_JUMP = round(0.02 * LISTEN_HZ)
_LOOK = round(0.3 * LISTEN_HZ)
_EVEN = round(0.004 * LISTEN_HZ)
_PPM_PER_SAMPLE = 1e6 / LISTEN_HZ / 20.0
_MANY = 1 << 30


class Reference(Protocol):
    """Gives the speaker's sound for a stretch of the microphone's."""

    @property
    def slips(self) -> int:
        """Return how often it had to jump."""
        ...

    @property
    def drift_ppm(self) -> float:
        """Return how much faster the speaker's clock runs than the microphone's."""
        ...

    def take(self, begin: int, frames: int, samples: int) -> Samples:
        """Return what was played meanwhile, at `LISTEN_HZ`.

        Args:
            begin: place of the stretch among the device frames captured so far.
            frames: its length in device frames.
            samples: its length at `LISTEN_HZ`, which is the length returned.
        """


class OneClock:
    """For one stream of both directions: every frame captured has its frame played.

    Args:
        playout: at the microphone's rate.
    """

    def __init__(self, playout: Playout) -> None:
        self.slips = 0
        self.drift_ppm = 0.0
        self._ring = playout.heard
        self._resampler = Resampler(playout.rate_hz, LISTEN_HZ)
        self._block = np.zeros((playout.rate_hz // 10, 1), np.float32)

    def take(self, begin: int, frames: int, samples: int) -> Samples:
        """Return what was played in the same callbacks."""
        block = self._block[:frames]
        self._ring.skip_to(begin)
        missing = min(frames, max(0, self._ring.written - self._ring.capacity_frames - begin))  # overwritten
        block[:missing] = 0
        fetched = missing + self._ring.read_into(block[missing:])
        block[fetched:] = 0
        return _exactly(self._resampler.feed(block[:, 0]), samples)


class TwoClocks:
    """For two streams, called back apart from each other by clocks of their own.

    While the speaker is not called back, silence stands for what it plays. When it was only late, and all comes at
    once, too much lies in hand soon after, and is passed over: else the echo would overtake what it is the echo of.
    The clocks' difference is followed by changing the rate.

    Args:
        capture: where the callback leaves the microphone.
        playout: of any rate.
        gaps: tells how many gaps the devices have told so far.

    Attributes:
        slips: how often it had to jump, because frames were lost on one side.
    """

    def __init__(self, capture: CaptureSide, playout: Playout, gaps: Callable[[], int] = int) -> None:
        self.slips = 0
        self._capture = capture
        self._gaps = gaps
        self._ring = playout.heard
        self._rate_hz = playout.rate_hz
        self._resampler = Resampler(playout.rate_hz, LISTEN_HZ)
        self._block = np.zeros((playout.rate_hz // 10, 1), np.float32)
        self._drift = DriftEstimator(LISTEN_HZ, LISTEN_HZ)
        self._stretch = DriftResampler()
        self._correction = 0.0
        self._put = self._taken = 0
        self._waiting = np.zeros(0, np.float32)
        self._begun = False
        self._lowest = _MANY
        self._looked = 0

    @property
    def drift_ppm(self) -> float:
        """Return how much faster the speaker's clock runs; 0 until it is known well."""
        return self._drift.ppm if self._taken > TRUSTED_AFTER_S * LISTEN_HZ else 0.0

    def take(self, begin: int, frames: int, samples: int) -> Samples:
        """Return what was played `SLACK_S` before; silence for what has not been played yet."""
        # What the microphone has brought beyond this stretch, the speaker has played beyond it: it is not in hand yet.
        later = (self._capture.ring.written - begin - frames) * self._rate_hz // self._capture.rate_hz
        self._fetch(self._ring.available_frames - max(0, later))
        self._taken += samples
        self._drift.feed(self._taken, self._put, self._taken * 1_000_000_000 // LISTEN_HZ, self._gaps())
        if not self._begun:
            if len(self._waiting) < samples + _SLACK:
                return np.zeros(samples, np.float32)
            self._begun = True
            self._waiting = self._waiting[-samples - _SLACK :]
        taken, self._waiting = self._waiting[:samples], self._waiting[samples:]
        missing = samples - len(taken)
        self._level(samples)
        return _exactly(taken, samples) if missing else taken

    def _fetch(self, frames: int) -> None:
        while frames > 0 and (fetched := self._ring.read_into(self._block[:frames])):
            frames -= fetched
            sound = self._resampler.feed(self._block[:fetched, 0])
            self._put += len(sound)
            sound = self._stretch.feed(sound, 1 + (self.drift_ppm + self._correction) * 1e-6)
            self._waiting = np.concatenate((self._waiting, sound))

    def _level(self, samples: int) -> None:
        """Every now and then, look at the least that lay in hand; mend much by a jump, a little by another rate."""
        self._lowest = min(self._lowest, len(self._waiting))
        self._looked += samples
        if self._looked < _LOOK:
            return
        excess = self._lowest - _LEAST
        if excess > _JUMP:
            self._waiting = self._waiting[excess:]
            self.slips += 1
        self._correction = min(MOST_CORRECTION_PPM, max(-MOST_CORRECTION_PPM, excess * _PPM_PER_SAMPLE))
        if abs(excess) < _EVEN or excess > _JUMP:
            self._correction = 0.0
        self._looked, self._lowest = 0, _MANY


def _exactly(signal: Samples, samples: int) -> Samples:
    if len(signal) == samples:
        return signal
    return np.concatenate((signal, np.zeros(max(0, samples - len(signal)), np.float32)))[:samples]
