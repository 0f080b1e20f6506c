"""The delays of the microphone's way, measured in the running conversation."""

import asyncio

import pytest

from novadesk.conversation.promptness import Delays
from tests.support.bench import Bench, MemorySound, story
from tests.support.memory_service import MemoryLink
from tests.support.virtual_loop import run_virtually


def test_of_the_newest_delays_there_are_percentiles() -> None:
    delays = Delays()
    assert delays.percentile_ms(50) is None
    for number in range(2_000):
        delays.add(9.0 if number < 1_488 else (number - 1_488) / 1000)
    assert (delays.percentile_ms(50), delays.percentile_ms(99)) == (255, 506)
    delays.add(-1.0)
    assert delays.percentile_ms(1) == 5


def test_a_press_is_timed_to_the_first_real_sample_that_it_lets_through() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        key = bench.controller.promptness.key
        bench.controller.press_talk()
        await bench.sound.stream(0.32, 0.0)
        assert key.percentile_ms(50) is None, "a headset that is still waking up brings zeros"
        await bench.sound.stream(0.32, 0.01)
        assert key.percentile_ms(50) == pytest.approx(352)
        bench.controller.release_talk()
        await bench.sound.stream(1.0, 0.01)
        bench.controller.set_muted(True)
        bench.controller.press_talk()
        await bench.sound.stream(1.0, 0.01)
        bench.controller.set_muted(False)
        await bench.sound.stream(1.0, 0.01)
        assert key.percentile_ms(99) == pytest.approx(352), "who unmutes does not wait since the press"

    story(work)


def test_a_press_that_opens_the_devices_is_timed_with_their_opening() -> None:
    async def run() -> None:
        bench = Bench(sound=MemorySound())
        await bench.controller.start()
        bench.controller.press_talk()
        await bench.until(lambda: bool(bench.linker.links) and bench.linker.newest.listening)
        await bench.sound.stream(1.5, 0.0)
        bench.sound.talk()
        assert bench.controller.promptness.key.percentile_ms(50) == pytest.approx(1_500, abs=100)
        await bench.controller.end()
        await bench.controller.stop()

    run_virtually(run())


def test_a_frame_is_timed_until_the_link_has_taken_it(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = MemoryLink.send

    async def slow(self: MemoryLink, payload: bytes) -> None:
        await asyncio.sleep(0.012)
        await taken(self, payload)

    monkeypatch.setattr(MemoryLink, "send", slow)

    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.sound.stream(2.0, 0.01)
        wire = bench.controller.promptness.wire
        assert wire.percentile_ms(50) == pytest.approx(12, abs=1)
        assert wire.percentile_ms(100) == pytest.approx(12, abs=1), "what waits for the opening does not count"

    story(work)
