"""Push-to-talk against endpointing: while the key is held an answer waits; it starts at the release or is dropped."""

import asyncio

import pytest

from novadesk.conversation.api import Phase
from novadesk.conversation.holdback import SPOKE_ON_FRAMES, HoldBack
from tests.support.bench import LOST, Bench, story

QUIET = 0.001
LOUD = 0.2


async def paused_while_talking(bench: Bench, *, last: bool = True) -> None:
    """Speak, pause with the key held until the service answers, with an answer of a second."""
    await bench.ready()
    bench.controller.press_talk()
    await bench.sound.stream(0.5, LOUD)
    await bench.sound.stream(2.0, QUIET)
    bench.linker.newest.user_said("what is")
    bench.linker.newest.plan("What is what?")
    bench.linker.newest.speak(24_000, last=last)
    if last:
        bench.linker.newest.spoken("What is what?", last=True)
    await bench.until(lambda: bench.now.phase is Phase.THINKING)
    await asyncio.sleep(0.1)


def test_an_answer_waits_for_the_release_and_starts_with_it() -> None:
    async def work(bench: Bench) -> None:
        await paused_while_talking(bench)
        await bench.sound.stream(7.0, QUIET)
        assert bench.sound.queued == [], "longer than a speaker may stand still"
        assert bench.now.phase is Phase.THINKING
        bench.controller.release_talk()
        assert bench.now.phase is Phase.SPEAKING
        assert [len(pcm) for pcm, _ in bench.sound.queued] == [48_000]
        await asyncio.sleep(0.3)
        bench.sound.play_out()
        await bench.until(lambda: bench.now.phase is Phase.READY)
        assert bench.texts == [("user", "what is"), ("assistant", "What is what?")]
        delay = bench.now.answer_delay
        assert delay is not None
        assert (delay.endpointing_s, delay.model_s) == (0.0, 0.0), "both were over before the release"
        assert delay.client_s == pytest.approx(0.3)
        assert bench.now.answer_s == pytest.approx(0.3)

    story(work)


def test_what_still_arrives_after_the_release_is_played_behind() -> None:
    async def work(bench: Bench) -> None:
        await paused_while_talking(bench, last=False)
        bench.controller.release_talk()
        bench.linker.newest.speak(12_000, last=True)
        await bench.until(lambda: len(bench.sound.queued) == 2)

    story(work)


def test_an_answer_is_dropped_when_the_person_speaks_on() -> None:
    async def work(bench: Bench) -> None:
        await paused_while_talking(bench)
        await bench.sound.stream(SPOKE_ON_FRAMES * 0.032, LOUD)
        assert bench.now.phase is Phase.LISTENING
        bench.controller.release_talk()
        await asyncio.sleep(0.5)
        assert bench.sound.queued == []
        bench.linker.newest.user_said("the capital of france")
        bench.linker.newest.answer("Paris.")
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.sound.play_out()
        await bench.until(lambda: bench.now.phase is Phase.READY)
        dropped = bench.now.turns[1]
        assert dropped.interrupted
        assert dropped.heard_text == "", "nobody has heard it"
        heard = [text for _, text in bench.texts if text]
        assert heard == ["what is", "the capital of france", "Paris."]

    story(work)


def test_words_that_the_service_understands_meanwhile_overtake_the_answer() -> None:
    async def work(bench: Bench) -> None:
        await paused_while_talking(bench)
        bench.linker.newest.user_said("the capital of france")
        await bench.until(lambda: len(bench.texts) >= 3)
        bench.controller.release_talk()
        await asyncio.sleep(0.5)
        assert bench.sound.queued == []

    story(work)


def test_an_interruption_by_the_service_drops_the_answer() -> None:
    async def work(bench: Bench) -> None:
        await paused_while_talking(bench, last=False)
        bench.linker.newest.interrupt()
        await asyncio.sleep(0.1)
        bench.controller.release_talk()
        assert bench.sound.queued == []

    story(work)


def test_an_answer_that_waits_outlives_its_link() -> None:
    async def work(bench: Bench) -> None:
        await paused_while_talking(bench)
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.until(lambda: bench.linker.newest.listening)
        assert bench.sound.queued == []
        assert bench.now.phase is Phase.LISTENING, "the key is still held"
        assert bench.linker.newest.typed() == [], "what has its answer is not asked again"
        bench.controller.release_talk()
        assert len(bench.sound.queued) == 1
        assert bench.now.phase is Phase.SPEAKING

    story(work)


def test_the_delay_of_an_answer_is_told_in_its_parts() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.press_talk()
        await bench.sound.stream(0.5, LOUD)
        bench.controller.release_talk()
        await asyncio.sleep(1.75)
        bench.linker.newest.user_said("hello")
        await asyncio.sleep(0.5)
        bench.linker.newest.answer("Hi.")
        await bench.until(lambda: bool(bench.sound.queued))
        await asyncio.sleep(0.1)
        bench.sound.play_out()
        delay = bench.now.answer_delay
        assert delay is not None
        assert delay.endpointing_s == pytest.approx(1.75, abs=0.02)
        assert delay.model_s == pytest.approx(0.5, abs=0.02)
        assert delay.client_s == pytest.approx(0.1, abs=0.02)
        assert bench.now.answer_s == delay.endpointing_s + delay.model_s + delay.client_s

    story(work)


def test_a_breath_is_no_speech_and_neither_is_a_loud_room() -> None:
    hold = HoldBack()
    for level in [LOUD] * 20 + [QUIET] * 40:
        hold.note_level(level)
    hold.begin()
    for _ in range(SPOKE_ON_FRAMES - 1):
        hold.note_level(LOUD)
    assert not hold.spoke_on
    hold.note_level(LOUD)
    assert hold.spoke_on
    room = HoldBack()
    for _ in range(40):
        room.note_level(0.05)
    room.begin()
    for _ in range(100):
        room.note_level(0.08)
    assert not room.spoke_on


def test_words_on_the_way_to_the_service_when_its_answer_comes_are_said_after_it() -> None:
    hold = HoldBack()
    for level in [QUIET] * 30 + [LOUD] * SPOKE_ON_FRAMES:
        hold.note_level(level)
    assert not hold.spoke_on
    hold.begin()
    assert hold.spoke_on
    hold.drop()
    assert not hold.spoke_on
    hold.begin()
    assert not hold.spoke_on, "the next press begins anew"
