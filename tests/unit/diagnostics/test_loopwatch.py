"""Lateness of a loop, on a clock that the test moves and on a real loop."""

import asyncio
import time
from collections.abc import Callable

import pytest

from novadesk.diagnostics.loopwatch import RESTING_S, SLEEP_S, LoopWatch, Timers


class Handle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class HandTimers:
    """Time and timers moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waiting: list[tuple[float, Callable[[], object], Handle]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> Handle:
        handle = Handle()
        self.waiting.append((when, callback, handle))
        return handle

    def run_late(self, late_s: float) -> None:
        (when, callback, _), *rest = [entry for entry in self.waiting if not entry[2].cancelled]
        assert rest == []
        self.waiting.clear()
        self.now = when + late_s
        callback()


@pytest.fixture
def timers() -> HandTimers:
    return HandTimers()


@pytest.fixture
def told() -> list[float]:
    return []


def watch_on(timers: HandTimers, told: list[float]) -> LoopWatch:
    loop: Timers = timers  # type: ignore[assignment]
    return LoopWatch(loop, told.append, threshold_s=0.1, every_s=0.05)


def test_a_loop_in_time_is_not_told_of(timers: HandTimers, told: list[float]) -> None:
    watch = watch_on(timers, told)
    watch.start()
    for late_s in (0.0, 0.002, 0.0999):
        timers.run_late(late_s)
    assert told == []
    assert (watch.stalls.looks, watch.stalls.count, watch.stalls.longest_s) == (3, 0, 0.0)


def test_each_stall_is_told_with_its_length(timers: HandTimers, told: list[float]) -> None:
    watch = watch_on(timers, told)
    watch.start()
    for late_s in (0.125, 0.0, 2.5, 0.25):
        timers.run_late(late_s)
    assert told == pytest.approx([0.125, 2.5, 0.25])
    assert (watch.stalls.looks, watch.stalls.count) == (4, 3)
    assert watch.stalls.longest_s == pytest.approx(2.5)


def test_a_stall_does_not_make_the_next_look_late(timers: HandTimers, told: list[float]) -> None:
    watch_on(timers, told).start()
    timers.run_late(5.0)
    (when, _, _), *_ = timers.waiting
    assert when == pytest.approx(timers.now + 0.05)


def test_a_computer_that_slept_is_no_stall(timers: HandTimers, told: list[float]) -> None:
    watch = watch_on(timers, told)
    watch.start()
    timers.run_late(SLEEP_S)
    timers.run_late(3_600.0)
    assert told == []
    assert watch.stalls.count == 0


def test_a_loop_that_nobody_waits_for_is_seldom_looked_at(timers: HandTimers, told: list[float]) -> None:
    resting = True
    loop: Timers = timers  # type: ignore[assignment]
    LoopWatch(loop, told.append, threshold_s=0.1, every_s=0.05, resting=lambda: resting).start()
    before = timers.now
    timers.run_late(0.0)
    assert timers.now == pytest.approx(before + RESTING_S)
    resting = False
    timers.run_late(0.2)
    (when, _, _), *_ = timers.waiting
    assert when == pytest.approx(timers.now + 0.05)
    assert told == pytest.approx([0.2])


def test_nothing_is_left_after_the_end(timers: HandTimers, told: list[float]) -> None:
    watch = watch_on(timers, told)
    watch.start()
    watch.start()
    watch.stop()
    watch.stop()
    assert [handle.cancelled for _, _, handle in timers.waiting] == [True, True]


async def test_a_real_loop_that_is_blocked_is_seen() -> None:
    told: list[float] = []
    watch = LoopWatch(asyncio.get_running_loop(), told.append, threshold_s=0.05, every_s=0.01)
    watch.start()
    await asyncio.sleep(0.03)
    told.clear()  # the machine may be busy
    time.sleep(0.2)  # noqa: ASYNC251 the blocked loop is what is tested
    async with asyncio.timeout(60):
        while not told:
            await asyncio.sleep(0.005)
    watch.stop()
    assert told[0] > 0.15
    looks = watch.stalls.looks
    await asyncio.sleep(0.05)
    assert watch.stalls.looks == looks
