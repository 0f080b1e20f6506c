"""An asyncio loop on virtual time: a wait costs nothing, and every test of a timer is exact."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return []  # Something runs: what comes from outside is asked for once nothing does.
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("nothing will ever happen: every task waits for another one")
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time stands still while something runs and jumps to the next timer when nothing does."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def stall(self, seconds: float) -> None:
        """Let time pass in which nothing runs, as for a process that gets no processor."""
        self._jumping.now += seconds


class LoopClock:
    """The clock of the running loop."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def unix_ms(self) -> int:
        return 1_795_000_000_000 + round(self.now() * 1000)


def run_virtually[T](work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
