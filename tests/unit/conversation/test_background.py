"""Chores that somebody waits for: done, failed, or dropped, the wait always ends."""

import asyncio

import pytest

from novadesk.conversation.background import Background
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
