"""Run NovaDesk's window and write down how late both of its loops are: `lag.py FILE`, then as the command `novadesk`.

Each line is `main|core MONOTONIC_SECONDS LATE_MS WAITED_MS`: a tick that was due at a time, how much later it came, and
how long since the tick before it the thread was ready to run and had no processor.
"""

import asyncio
import os
import sys
from typing import Any

EVERY_S = 0.02


class Ticks:
    """Ticks on a loop, and writes how late each of them is."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, file: int) -> None:
        self._loop, self._name, self._file = loop, name, file
        self._due = 0.0
        self._waited_ms = waited_ms()
        self._next()

    def _next(self) -> None:
        self._due = self._loop.time() + EVERY_S
        self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        late_ms = (self._loop.time() - self._due) * 1000
        before, self._waited_ms = self._waited_ms, waited_ms()
        line = f"{self._name} {self._due:.3f} {late_ms:.3f} {self._waited_ms - before:.3f}\n"
        os.write(self._file, line.encode())
        self._next()


def waited_ms() -> float:
    """Return how long this thread has waited for a processor so far: schedstat of proc(5)."""
    with open("/proc/thread-self/schedstat", encoding="ascii") as told:
        return int(told.read().split()[1]) / 1e6


def watch(file: int) -> None:
    """Tick on both loops as soon as they run."""
    from novadesk.app import corethread, heap

    start, settled = corethread.CoreThread.start, heap.settled_heap

    def watched_start(self: corethread.CoreThread) -> asyncio.AbstractEventLoop:
        loop = start(self)
        loop.call_soon_threadsafe(Ticks, loop, "core", file)
        return loop

    def watched_heap(loop: asyncio.AbstractEventLoop) -> Any:
        Ticks(loop, "main", file)
        return settled(loop)

    corethread.CoreThread.start = watched_start  # type: ignore[method-assign]
    heap.settled_heap = watched_heap


if __name__ == "__main__":
    watch(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    from novadesk.cli import main

    sys.exit(main(sys.argv[2:]))
