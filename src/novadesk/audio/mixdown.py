"""Many channels to one: only those that carry sound count, and a change among them makes no click."""

import numpy as np
from numpy.typing import NDArray

from novadesk.audio.formats import Samples

_LIVE_RATIO = 0.01
"""Power, against the loudest channel's, from which a channel counts: an empty input is fainter by more than 20 dB."""

_GONE_RATIO = 0.0025
_FORGET_S = 5.0


class Mixdown:
    """Mixes what a device captures: one microphone at one of eight inputs is as loud as at a single one.

    Args:
        channels: of the device.
        rate_hz: frames per second.
    """

    def __init__(self, channels: int, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._power = np.zeros(channels)
        self._live = np.ones(channels, np.bool_)
        self._weights = np.full(channels, 1 / channels, np.float32)

    def mix(self, block: NDArray[np.float32]) -> Samples:
        """Return the mean of the live columns of a block of shape (frames, channels)."""
        frames, channels = block.shape
        if channels == 1 or not frames:
            return block[:, 0]
        self._weigh(block)
        weights = (self._live / self._live.sum()).astype(np.float32)
        if (weights == self._weights).all():
            mixed: Samples = block @ weights
            return mixed
        ramp = np.linspace(0, 1, frames, dtype=np.float32)
        mixed = block @ self._weights * (1 - ramp) + block @ weights * ramp
        self._weights = weights
        return mixed

    def _weigh(self, block: NDArray[np.float32]) -> None:
        kept = np.exp(-len(block) / self._rate_hz / _FORGET_S)
        self._power = np.maximum(self._power * kept, np.square(block, dtype=np.float64).mean(axis=0))
        loudest = self._power.max()
        if loudest > 0:
            self._live = self._power >= loudest * np.where(self._live, _GONE_RATIO, _LIVE_RATIO)
