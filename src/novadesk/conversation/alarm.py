"""A timer that is set again and again on the running loop."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls back once at a time; setting it anew replaces the time before.

    Args:
        ring: called on the loop.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        """Return whether it will ring."""
        return self._timer is not None

    def set_in(self, seconds: float) -> None:
        """Ring in so many seconds, at once when that is not positive."""
        self.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self._go)

    def cancel(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go(self) -> None:
        self._timer = None
        self._ring()
