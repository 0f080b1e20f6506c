"""Chores that somebody waits for: done, failed, or dropped, the wait always ends."""

import asyncio

import pytest

from novadesk.conversation.background import Background
from novadesk.errors import KnownError
from tests.support.bench import FULL
from tests.support.virtual_loop import run_virtually


def test_whoever_waits_for_a_chore_that_fails_by_a_bug_is_told() -> None:
    async def work() -> None:
        background = Background(on_error=lambda _: None, on_done=lambda: None)
        background.start()

        async def broken() -> None:
            raise ZeroDivisionError

        async with asyncio.timeout(1):
            with pytest.raises(ZeroDivisionError):
                await background.do(broken)
        await background.stop()

    run_virtually(work())


def test_whoever_waits_for_a_chore_that_is_dropped_is_not_left_waiting() -> None:
    async def work() -> None:
        background = Background(on_error=lambda _: None, on_done=lambda: None)
        background.start()
        background.queue(lambda: asyncio.sleep(100))
        waiting = [asyncio.create_task(background.do(lambda: asyncio.sleep(0))) for _ in range(2)]
        await asyncio.sleep(0.1)
        await background.stop()
        async with asyncio.timeout(1):
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)

    run_virtually(work())


def test_the_same_wish_again_before_it_is_done_is_the_same_chore_until_there_is_another() -> None:
    async def work() -> None:
        background = Background(on_error=lambda _: None, on_done=lambda: None)
        done: list[str] = []

        async def bring(what: str) -> None:
            await asyncio.sleep(1)
            done.append(what)

        background.queue(bring, "tea")
        background.queue(bring, "tea")
        background.start()
        await asyncio.sleep(0.5)
        await asyncio.gather(background.do(bring, "tea"), background.do(bring, "tea"))
        assert done == ["tea"]
        for what in ("tea", "milk", "tea", "tea"):
            background.queue(bring, what)
        background.in_turn(lambda: done.append("thanks"))
        await background.do(bring, "tea")
        assert done == ["tea", "tea", "milk", "tea", "thanks", "tea"]
        await background.stop()

    run_virtually(work())


def test_everybody_who_waits_for_the_same_chore_is_told_of_its_fault() -> None:
    async def work() -> None:
        faults: list[KnownError] = []
        background = Background(on_error=faults.append, on_done=lambda: None)
        background.start()

        async def fail() -> None:
            await asyncio.sleep(1)
            raise FULL

        outcomes = await asyncio.gather(background.do(fail), background.do(fail), return_exceptions=True)
        assert (outcomes, faults) == ([FULL, FULL], [])
        background.queue(fail)
        await asyncio.sleep(2)
        assert faults == [FULL]
        await background.stop()

    run_virtually(work())
