"""What came of a repair of the store is a passing line and a lasting note."""

from tests.support.bench import Bench, story


def test_a_note_about_the_store_is_shown_once_and_kept() -> None:
    async def work(bench: Bench) -> None:
        words = "The store was damaged; 12 turns in 1 conversation came back."
        bench.controller.set_extra(store_note=words)
        bench.controller.set_extra(hotkeys=("F9",))
        snapshot = bench.controller.snapshot()
        assert snapshot.store_note == words
        assert snapshot.notices.count(words) == 1

    story(work)
