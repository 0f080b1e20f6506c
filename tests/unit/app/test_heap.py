"""What is loaded leaves the collector's sight; what comes later is collected again and again."""

import asyncio
import gc
import weakref

import pytest

from novadesk.app import heap


class Knot:
    """An object that only a collection can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_LOADED_S", 0.01)
    monkeypatch.setattr(heap, "_EVERY_S", 0.01)


async def test_what_is_loaded_leaves_the_collectors_sight_once(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append("frozen"))  # a real one would outlive this test
    with heap.settled_heap(asyncio.get_running_loop()):
        await asyncio.sleep(0.1)
    assert frozen == ["frozen"]


async def test_what_comes_later_is_collected_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "freeze", lambda: None)
    gc.disable()
    try:
        with heap.settled_heap(asyncio.get_running_loop()):
            for _ in range(2):
                knot = Knot()
                freed = asyncio.Event()
                weakref.finalize(knot, freed.set)
                del knot
                async with asyncio.timeout(60):
                    await freed.wait()
    finally:
        gc.enable()


@pytest.mark.parametrize("automatic", [True, False])
async def test_nothing_is_collected_in_another_thread_meanwhile(automatic: bool) -> None:
    before = gc.isenabled()
    (gc.enable if automatic else gc.disable)()
    try:
        with heap.settled_heap(asyncio.get_running_loop()):
            assert not gc.isenabled()
        assert gc.isenabled() is automatic
    finally:
        (gc.enable if before else gc.disable)()


async def test_a_program_that_ends_early_freezes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append("frozen"))
    with heap.settled_heap(asyncio.get_running_loop()):
        pass
    await asyncio.sleep(0.05)
    assert frozen == []
