"""Two devices, two clocks: how far they run apart, and the speaker's sound brought to the microphone's clock."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from novadesk.audio.formats import Samples

MOST_PPM = 1_000.0
"""More is no clock of a sound device (crystals stay within 100 ppm, poor ones within 500), but a fault of counting."""

_MEMORY_S = 120.0
_FIRST_S = 5.0
_TRUST_S2 = 8.0  # spread of the times at which half of the slope is believed: ten seconds
_JUMP_S = 0.05
_SETTLE_S = 0.5  # after a gap that a device has told: what it lost, and what it then asks for at once
_TAPS = 32
_PHASES = 1_024


class DriftEstimator:
    """Finds the ratio of two clocks from what they have counted: the slope of straight lines in the last two minutes.

    Counters move by whole blocks and callbacks are late, which a line evens out. Frames lost on one side begin another
    line of the same slope. A long gap is seen; a short one has to be told, for it is no longer than a block.

    Args:
        capture_hz: nominal rate of the microphone's frames.
        playout_hz: nominal rate of the speaker's frames.
    """

    def __init__(self, capture_hz: int, playout_hz: int) -> None:
        self._capture_hz = capture_hz
        self._playout_hz = playout_hz
        self.reset()

    def reset(self) -> None:
        """Forget both clocks."""
        self._begun_ns: int | None = None
        self._last_ns = 0
        self._gaps = 0
        self._settled_ns = 0
        self._weight = self._mean_s = self._mean_ahead_s = 0.0  # of this line
        self._count = self._spread_s2 = self._common_s2 = 0.0  # of all of them
        self._ppm = 0.0

    @property
    def ppm(self) -> float:
        """Return how much faster the speaker's clock runs, in millionths; 0 while unknown."""
        return self._ppm

    @property
    def ratio(self) -> float:
        """Return the speaker's clock over the microphone's."""
        return 1 + self._ppm * 1e-6

    def feed(self, capture_frames: int, playout_frames: int, monotonic_ns: int, gaps: int = 0) -> float:
        """Take both counts as they stood at one time; return the ratio as far as it is known.

        `gaps` counts those that the devices have told so far, overflows and underflows.
        """
        if self._begun_ns is None:
            self._begun_ns = self._last_ns = monotonic_ns
        if gaps != self._gaps:
            self._gaps, self._settled_ns, self._weight = gaps, monotonic_ns + round(_SETTLE_S * 1e9), 0.0
        if monotonic_ns < self._settled_ns:
            return self.ratio
        captured_s = capture_frames / self._capture_hz
        ahead_s = playout_frames / self._playout_hz - captured_s
        expected_s = self._mean_ahead_s + (captured_s - self._mean_s) * self._ppm * 1e-6
        if abs(ahead_s - expected_s) > _JUMP_S:
            self._weight = 0.0
        self._add(captured_s, ahead_s, (monotonic_ns - self._last_ns) / 1e9)
        self._last_ns = monotonic_ns
        if monotonic_ns - self._begun_ns >= _FIRST_S * 1e9:
            self._ppm = self._slope_ppm()
        return self.ratio

    def _add(self, captured_s: float, ahead_s: float, after_s: float) -> None:
        kept = float(np.exp(-after_s / _MEMORY_S))
        self._weight = self._weight * kept + 1
        self._count = self._count * kept + 1
        off_s, off_ahead_s = captured_s - self._mean_s, ahead_s - self._mean_ahead_s
        self._mean_s += off_s / self._weight
        self._mean_ahead_s += off_ahead_s / self._weight
        self._spread_s2 = self._spread_s2 * kept + off_s * (captured_s - self._mean_s)
        self._common_s2 = self._common_s2 * kept + off_s * (ahead_s - self._mean_ahead_s)

    def _slope_ppm(self) -> float:
        if self._spread_s2 <= 0:
            return 0.0
        spread_s2 = self._spread_s2 / self._count
        slope_ppm = 1e6 * self._common_s2 / self._spread_s2 * spread_s2 / (spread_s2 + _TRUST_S2)
        return min(MOST_PPM, max(-MOST_PPM, slope_ppm))


class DriftResampler:
    """Reads one channel a little faster or slower than it came, by a ratio that may change; `delay_frames` late."""

    delay_frames = _TAPS // 2

    def __init__(self) -> None:
        self._filters = _fractions()
        self.reset()

    def reset(self) -> None:
        """Forget the signal so far."""
        self._history = np.zeros(_TAPS - 1, np.float32)
        self._place = 0.0  # of the next output, in input frames from the next block's begin

    def feed(self, samples: Samples, ratio: float) -> Samples:
        """Return the outputs that `samples` complete: about len(samples) / ratio.

        Args:
            samples: of the clock in the ratio's numerator.
            ratio: how much faster it runs than the clock of what comes out.
        """
        joined = np.concatenate((self._history, samples))
        count = max(0, int(np.ceil((len(samples) - self._place) / ratio)))
        begin, self._place = self._place, self._place + ratio * count - len(samples)
        self._history = joined[len(samples) :].copy()
        if not count or not joined.any():
            return np.zeros(count, np.float32)
        (start, phase), end = divmod(round(begin * _PHASES), _PHASES), begin + ratio * (count - 1)
        if divmod(round(end * _PHASES), _PHASES) == (start + count - 1, phase) and start + count <= len(samples):
            return np.correlate(joined[start : start + count + _TAPS - 1], self._filters[phase], "valid")
        places = begin + ratio * np.arange(count)
        whole = np.minimum(places.astype(np.intp), len(samples) - 1)
        phases = np.rint((places - whole) * _PHASES).astype(np.intp)
        result: Samples = np.einsum("ij,ij->i", sliding_window_view(joined, _TAPS)[whole], self._filters[phases])
        return result


def _fractions() -> NDArray[np.float32]:
    """Return a filter for each fraction of a frame, (phase, tap), the oldest sample first."""
    phases = np.arange(_PHASES + 1)[:, None] / _PHASES
    distance = np.arange(_TAPS)[None, :] - (_TAPS // 2 - 1) - phases
    taps = np.sinc(distance) * np.cos(np.pi * distance / (_TAPS + 2)) ** 2
    taps /= taps.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(taps, dtype=np.float32)
