"""Streaming change of rate by a polyphase filter: nothing held back but the filter's own delay.

Block splits do not matter: the output of a signal fed in pieces is the output of the whole.
"""

from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from novadesk.audio.formats import Samples

_CROSSINGS = 48
_KAISER_BETA = 8.0
_CUTOFF = 0.92
_CHUNK_FRAMES = 16_384
_TOGETHER = 16  # windows, which overlap: their product is copied and computed faster in one piece


class Resampler:
    """One channel from one rate to another, by a Kaiser-windowed sinc.

    Args:
        from_hz: rate of what is fed.
        to_hz: rate of what comes out.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        divisor = gcd(from_hz, to_hz)
        self.from_hz = from_hz
        self.to_hz = to_hz
        self._up = to_hz // divisor
        self._down = from_hz // divisor
        self._phases = _filter_phases(self._up, self._down)
        self._taps = self._phases.shape[1]
        self._together = _in_a_row(self._phases, self._down) if 1 in (self._up, self._down) else self._phases
        self._centre = _CROSSINGS * max(self._up, self._down) // 2
        self.reset()

    @property
    def delay_frames(self) -> int:
        """Return how many output frames the output lies behind, rounded."""
        return 0 if self._up == self._down else round(self._centre / self._down)

    @property
    def tail_frames(self) -> int:
        """Return how many more input frames must follow until the last one has come out whole."""
        return 0 if self._up == self._down else -(-(self._centre + self._down) // self._up)

    def reset(self, level: float = 0.0) -> None:
        """Forget the signal so far; pretend that it has long stood at `level`, so that what follows begins there."""
        self._history = np.full(self._taps - 1, level, np.float32)
        self._next = 0  # where the next output lies, in input frames times `up`, from the next block's begin

    def feed(self, samples: Samples) -> Samples:
        """Return the outputs that `samples` complete.

        After n frames in total, exactly ceil(n * to_hz / from_hz) frames have come out.
        """
        if self._up == self._down:
            return samples
        if len(samples) <= _CHUNK_FRAMES:
            return self._feed(samples)
        chunks = range(0, len(samples), _CHUNK_FRAMES)
        return np.concatenate([self._feed(samples[start : start + _CHUNK_FRAMES]) for start in chunks])

    def _feed(self, samples: Samples) -> Samples:
        joined = np.concatenate((self._history, samples))
        end = len(samples) * self._up
        first, count = self._next, max(0, -(-(end - self._next) // self._down))
        self._next += count * self._down - end
        self._history = joined[len(samples) :].copy()
        if not count or not joined.any():
            return np.zeros(count, np.float32)
        result: Samples
        if self._up == 1:
            result = self._filtered(joined, first, count)
        elif self._down == 1:
            result = self._filtered(joined, 0, len(samples))
        else:
            places = first + self._down * np.arange(count)
            windows = sliding_window_view(joined, self._taps)
            result = np.einsum("ij,ij->i", windows[places // self._up], self._phases[places % self._up])
        return result

    def _filtered(self, joined: Samples, first: int, count: int) -> Samples:
        """Return what the filter's phases give in `count` windows."""
        rows, singles = divmod(count, _TOGETHER)
        length, begin = len(self._together), first + rows * _TOGETHER * self._down
        together = _windows(joined, first, rows, _TOGETHER * self._down, length) @ self._together
        if not singles:
            return together.reshape(-1)
        singly = _windows(joined, begin, singles, self._down, self._taps) @ self._phases.T
        return np.concatenate((together.reshape(-1), singly.reshape(-1)))


def convert(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Return a whole signal at another rate, its filter delay removed: ceil(n * to_hz / from_hz) frames."""
    resampler = Resampler(from_hz, to_hz)
    frames = -(-len(samples) * to_hz // from_hz)
    tail = np.zeros(resampler.tail_frames, np.float32)
    late = resampler.delay_frames
    return resampler.feed(np.concatenate((samples, tail)))[late : late + frames]


def _windows(joined: Samples, first: int, count: int, step: int, length: int) -> NDArray[np.float32]:
    """Return `count` stretches of a length, `step` apart, as rows that a product takes as they are."""
    size = joined.itemsize
    return np.ascontiguousarray(
        np.ndarray((count, length), np.float32, joined, first * size if count else 0, (step * size, size))
    )


def _in_a_row(phases: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return the filter of `_TOGETHER` windows that lie `step` apart, for a stretch that holds them all."""
    up, taps = phases.shape
    together = np.zeros((taps + (_TOGETHER - 1) * step, _TOGETHER, up), np.float32)
    for place in range(_TOGETHER):
        together[place * step : place * step + taps, place] = phases.T
    return together.reshape(len(together), -1)


def _filter_phases(up: int, down: int) -> NDArray[np.float32]:
    """Return the filter as (phase, tap), taps reversed so that a window of the signal can be multiplied by it."""
    widest = max(up, down)
    length = _CROSSINGS * widest + 1
    centred = np.arange(length) - (length - 1) / 2
    taps = np.sinc(centred * _CUTOFF / widest) * np.kaiser(length, _KAISER_BETA)
    taps *= up / taps.sum()
    padded = np.concatenate((taps, np.zeros(-length % up)))
    return np.ascontiguousarray(padded.reshape(-1, up).T[:, ::-1], dtype=np.float32)
