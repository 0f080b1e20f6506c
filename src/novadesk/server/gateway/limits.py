"""How often somebody may do something. Pure."""

import math
from collections import OrderedDict
from dataclasses import dataclass

_KNOWN = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many in a span of seconds; as many at once after a pause of that length."""

    most: int
    span_s: float


class RateLimiter:
    """A bucket of permissions for everybody who asks; those who have asked for nothing longest are forgotten.

    Args:
        rate: how fast each bucket fills, and how much it holds.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # permissions, and when they were so many

    def ask(self, who: str, now: float) -> int:
        """Take a permission.

        Returns:
            0 when there was one; else the whole seconds until there will be one.
        """
        rate = self._rate
        left, since = self._buckets.pop(who, (float(rate.most), now))
        left = min(float(rate.most), left + (now - since) * rate.most / rate.span_s)
        granted = left >= 1.0
        self._buckets[who] = (left - 1.0 if granted else left, now)
        while len(self._buckets) > _KNOWN:
            self._buckets.popitem(last=False)
        return 0 if granted else max(1, math.ceil((1.0 - left) * rate.span_s / rate.most))
