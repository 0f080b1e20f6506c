"""What was played, cut to the microphone's time: what the echo canceller compares the microphone with."""

from typing import Protocol

import numpy as np

from novadesk.audio.formats import LISTEN_HZ, Samples
from novadesk.audio.playout import Playout
from novadesk.audio.resampler import Resampler

SLACK_S = 0.02
"""Sound of the speaker kept in hand when the two directions are called back apart from each other; less than the way
through both devices takes (two buffers of 20 ms), so that no echo comes before what it is the echo of."""

MOST_SLACK_S = 0.12


class Reference(Protocol):
    """Gives the speaker's sound for a stretch of the microphone's.

    Attributes:
        slips: how often it had to jump.
        drift_ppm: how much faster the speaker's clock runs than the microphone's.
    """

    slips: int
    drift_ppm: float

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

    Args:
        playout: of any rate.
    """

    def __init__(self, playout: Playout) -> None:
        self.slips = 0
        self.drift_ppm = 0.0
        self._ring = playout.heard
        self._resampler = Resampler(playout.rate_hz, LISTEN_HZ)
        self._block = np.zeros((playout.rate_hz // 10, 1), np.float32)
        self._waiting = np.zeros(0, np.float32)
        self._slack = round(SLACK_S * LISTEN_HZ)
        self._most = round(MOST_SLACK_S * LISTEN_HZ)
        self._begun = False

    def take(self, begin: int, frames: int, samples: int) -> Samples:  # noqa: ARG002
        """Return what was played `SLACK_S` before; silence for what has not been played yet."""
        while fetched := self._ring.read_into(self._block):
            self._waiting = np.concatenate((self._waiting, self._resampler.feed(self._block[:fetched, 0])))
        if len(self._waiting) > samples + (self._most if self._begun else self._slack):
            self._waiting = self._waiting[-samples - self._slack :]
            self.slips += self._begun
        self._begun = self._begun or len(self._waiting) >= samples
        missing = samples - len(self._waiting)
        if missing > 0:
            self._waiting = np.concatenate((np.zeros(missing, np.float32), self._waiting))
        taken, self._waiting = self._waiting[:samples], self._waiting[samples:]
        return taken


def _exactly(signal: Samples, samples: int) -> Samples:
    if len(signal) == samples:
        return signal
    return np.concatenate((signal, np.zeros(max(0, samples - len(signal)), np.float32)))[:samples]
