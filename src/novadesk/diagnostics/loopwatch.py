"""How late a loop runs: a timer that should fire four times a second, and what is to be said when it does not."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

EVERY_S = 0.25
"""Time between two looks. A stall shows shorter than it was by up to this much, and one below it may not show.

Every look wakes a processor that sleeps."""

RESTING_S = 10.0
"""The same while nobody waits for the loop: a program in the tray is there all day long."""

CORE_STALL_S = 0.1
"""Lateness of the core's loop that counts: three frames of the microphone wait by then."""

WINDOW_STALL_S = 0.25
"""Lateness of the window's loop that counts: a person sees it."""

SLEEP_S = 30.0
"""Lateness from which on the computer slept rather than the loop; nobody waited for it."""


class Timers(Protocol):
    """The part of an asyncio loop that a watch needs."""

    def time(self) -> float:
        """Return the loop's monotonic seconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Call back at a time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """What a watch has seen since it began."""

    looks: int = 0
    count: int = 0
    longest_s: float = 0.0


class LoopWatch:
    """Watches the loop that it is started on.

    Args:
        timers: the running loop.
        on_stall: told the lateness in seconds, on that loop; must return at once.
        threshold_s: the least lateness that counts.
        every_s: time between two looks.
        resting: returns whether nobody waits for the loop now; then it is looked at each `RESTING_S`.
    """

    def __init__(
        self,
        timers: Timers,
        on_stall: Callable[[float], None],
        *,
        threshold_s: float,
        every_s: float = EVERY_S,
        resting: Callable[[], bool] = lambda: False,
    ) -> None:
        self._timers, self._on_stall = timers, on_stall
        self._threshold_s, self._every_s, self._resting = threshold_s, every_s, resting
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0
        self.stalls = Stalls()

    def start(self) -> None:
        """Begin to watch."""
        self.stop()
        self._due = self._timers.time() + (RESTING_S if self._resting() else self._every_s)
        self._handle = self._timers.call_at(self._due, self._look)

    def stop(self) -> None:
        """Stop watching. Idempotent."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> None:
        late_s = self._timers.time() - self._due
        counts = self._threshold_s <= late_s < SLEEP_S
        self.stalls = Stalls(
            looks=self.stalls.looks + 1,
            count=self.stalls.count + counts,
            longest_s=max(self.stalls.longest_s, late_s) if counts else self.stalls.longest_s,
        )
        self.start()
        if counts:
            self._on_stall(late_s)
