"""A private conversation in a running controller: remembered while it lasts, nowhere afterwards."""

import asyncio

import pytest

from novadesk.config import HistorySettings
from novadesk.conversation.api import Phase
from novadesk.models import SyncState
from tests.support.bench import LOST, VOICE, Bench, exchange, story
from tests.support.memory_service import MemoryArchive
from tests.support.virtual_loop import run_virtually


def test_the_model_is_told_of_it_again_after_an_outage() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.controller.begin_anew(private=True)
        await bench.ready()
        await exchange(bench, "my name is anna", "Hello Anna.")
        assert [turn.sync for turn in bench.now.turns] == [SyncState.LOCAL] * 2
        bench.linker.newest.end(LOST)
        await bench.until(lambda: bench.now.phase is Phase.RECONNECTING)
        await bench.ready()
        assert [message.text for message in bench.linker.newest.history()] == ["my name is anna", "Hello Anna."]
        conversation = bench.now.conversation
        assert conversation is not None
        assert conversation.private

    bench = story(work)
    assert (bench.archive.rows, bench.archive.open, bench.saves) == ({}, None, 0)


@pytest.mark.parametrize("way", ["new", "open", "end"])
def test_nothing_of_it_goes_anywhere_once_it_is_left(way: str) -> None:
    archive = MemoryArchive()

    async def before(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "an open word", "Indeed.")

    story(before, archive)
    stored = {handle: list(turns) for handle, turns in archive.stored.items()}
    (handle,) = stored

    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.controller.begin_anew(private=True)
        await bench.ready()
        await exchange(bench, "a secret", "Under the rose.")
        bench.linker.newest.user_said("half a question")  # understood, not answered
        await bench.until(lambda: len(bench.now.turns) == 3)
        bench.linker.newest.end(LOST)
        await bench.until(lambda: bench.now.phase is Phase.RECONNECTING)
        bench.controller.press_talk()
        bench.sound.talk(20)  # held for the next wire session
        bench.controller.say("a typed secret")
        if way == "new":
            await bench.controller.begin_anew()
        elif way == "open":
            await bench.controller.resume(handle)
        else:
            await bench.controller.end()
            assert bench.now.conversation is not None
            assert not bench.now.conversation.private
            bench.controller.connect()
        bench.controller.release_talk()
        await bench.ready()
        known = ["an open word", "Indeed."] if way == "open" else []
        assert [message.text for message in bench.linker.newest.history()] == known
        assert [text for _, text in bench.texts] == known
        await asyncio.sleep(5.0)
        assert bench.linker.newest.typed() == []
        assert VOICE not in bench.linker.newest.heard()

    story(work, archive)
    assert archive.stored == stored


def test_who_wants_all_of_them_private_never_goes_on_in_one_that_is_stored() -> None:
    archive = MemoryArchive()

    async def before(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "an open word", "Indeed.")

    story(before, archive)
    stored = {handle: list(turns) for handle, turns in archive.stored.items()}

    async def work() -> None:
        bench = Bench(archive, history=HistorySettings(private=True))
        await bench.controller.start()
        try:
            for _ in range(2):
                bench.controller.connect()
                await bench.ready()
                await exchange(bench, "a secret", "Under the rose.")
                assert bench.now.conversation is not None
                assert bench.now.conversation.private
                await bench.controller.begin_anew()
            (handle,) = stored
            await bench.controller.resume(handle)  # that is what was asked for
            assert bench.now.conversation is not None
            assert not bench.now.conversation.private
        finally:
            await bench.controller.stop()
        bench = Bench(archive, history=HistorySettings(private=True))
        await bench.controller.start(go_on=True)  # as before a change of other settings
        try:
            assert bench.now.conversation is not None
            assert bench.now.conversation.handle == handle
        finally:
            await bench.controller.stop()

    run_virtually(work())
    assert archive.stored == stored
