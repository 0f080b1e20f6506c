"""Delays as they are met, and their percentiles."""

import numpy as np

_REMEMBERED = 512


class Latencies:
    """The last few hundred of one kind of delay. One thread adds, any may read."""

    def __init__(self) -> None:
        self._values_ms = np.zeros(_REMEMBERED, np.float32)
        self._count = 0

    def add(self, begun_ns: int, ended_ns: int) -> None:
        """Take one, from monotonic nanoseconds; the clocks of two processes may differ by a breath."""
        self._values_ms[self._count % _REMEMBERED] = max(0, ended_ns - begun_ns) / 1e6
        self._count += 1

    def percentiles_ms(self) -> tuple[float, float]:
        """Return median and 99th percentile; zeros when there is none."""
        count = min(self._count, _REMEMBERED)
        if not count:
            return 0.0, 0.0
        ordered = np.sort(self._values_ms[:count])
        return float(ordered[(count - 1) // 2]), float(ordered[(99 * (count - 1) + 99) // 100])
