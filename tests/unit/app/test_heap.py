import asyncio
import gc

import pytest

from novadesk.app import heap


async def test_what_is_loaded_leaves_the_collectors_sight_and_the_collector_is_as_before_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frozen = asyncio.Event()
    monkeypatch.setattr(gc, "freeze", frozen.set)  # a real one would outlive this test
    monkeypatch.setattr(heap, "_LOADED_S", 0.01)
    before = gc.get_threshold()
    with heap.settled_heap(asyncio.get_running_loop()):
        assert gc.get_threshold()[2] < before[2]
        async with asyncio.timeout(5.0):
            await frozen.wait()
    assert gc.get_threshold() == before


async def test_a_program_that_ends_early_freezes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = asyncio.Event()
    monkeypatch.setattr(gc, "freeze", frozen.set)
    monkeypatch.setattr(heap, "_LOADED_S", 0.01)
    with heap.settled_heap(asyncio.get_running_loop()):
        pass
    await asyncio.sleep(0.05)
    assert not frozen.is_set()
