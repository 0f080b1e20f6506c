"""What waits for a core that is still being made."""

import asyncio

import pytest

from novadesk.app.later import Doorstep, Later, Questions, Wishes


class Core:
    def __init__(self) -> None:
        self.done: list[str] = []

    def do(self, what: str, *, how: str = "") -> None:
        self.done.append(what + how)

    async def answer(self, question: str) -> str:
        return question.upper()


async def test_wishes_wait_and_keep_their_order() -> None:
    core, later = Core(), Later[Core]()
    wishes = Wishes(later, lambda core: core)
    wishes.do("one")
    wishes.do("two", how="!")
    await asyncio.sleep(0)
    assert core.done == []
    later.arrive(core)
    wishes.do("three")
    await asyncio.sleep(0)
    assert core.done == ["one", "two!", "three"]


async def test_questions_wait_and_one_that_is_given_up_ends_no_other() -> None:
    later = Later[Core]()
    questions = Questions(later, lambda core: core)
    first, second = (asyncio.create_task(questions.answer(word)) for word in ("a", "b"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    later.arrive(Core())
    assert await second == "B"
    assert first.cancelled()


async def test_who_waits_for_what_never_comes_is_told() -> None:
    later = Later[Core]()
    waiting = asyncio.create_task(Questions(later, lambda core: core).answer("a"))
    Wishes(later, lambda core: core).do("one")
    await asyncio.sleep(0)
    later.give_up()
    later.give_up()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_is_called_before_there_is_a_loop_waits_in_order_for_it() -> None:
    door, done = Doorstep(), list[int]()
    door.call_soon_threadsafe(done.append, 1)
    door.call_soon_threadsafe(done.append, 2)
    door.lead_to(asyncio.get_running_loop())
    door.call_soon_threadsafe(done.append, 3)
    assert done == []
    await asyncio.sleep(0)
    assert done == [1, 2, 3]
