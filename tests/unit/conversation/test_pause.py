"""A break: what is shown of it follows what the service has agreed to."""

import asyncio

import pytest

from novadesk.conversation.api import MicrophoneState, Pause, Phase
from tests.support.bench import Bench, exchange, story
from tests.support.memory_service import MemoryLink


def shown(bench: Bench) -> tuple[Pause, Phase]:
    return bench.now.pause, bench.now.phase


def take_time(link: MemoryLink) -> None:
    """Let the service answer the goodbye after a while."""
    answer = link.finish

    async def finish() -> None:
        await asyncio.sleep(0.2)
        await answer()

    link.finish = finish  # type: ignore[method-assign]


@pytest.mark.parametrize("way", ["resume", "talk", "type"])
def test_it_is_a_break_once_the_service_has_said_goodbye_and_over_once_it_accepts(way: str) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "hello", "Hi.")
        before, link = bench.now.conversation, bench.linker.newest
        take_time(link)
        bench.controller.pause_conversation()
        await bench.until(lambda: bench.now.pause is not Pause.OFF)
        assert shown(bench) == (Pause.PAUSING, Phase.IDLE)
        await bench.until(lambda: bench.now.pause is not Pause.PAUSING)
        assert shown(bench) == (Pause.PAUSED, Phase.IDLE)
        assert link.finished
        assert link.closed
        assert bench.sound.listener is None
        assert bench.now.microphone is MicrophoneState.ABSENT
        match way:
            case "resume":
                bench.controller.resume_conversation()
            case "talk":
                bench.controller.press_talk()
            case _:
                bench.controller.say("and now")
        assert shown(bench) == (Pause.RESUMING, Phase.CONNECTING)
        await bench.until(lambda: bench.now.pause is Pause.OFF)
        assert bench.now.phase is not Phase.IDLE
        assert bench.now.conversation == before or way == "type"
        assert [message.text for message in bench.linker.newest.history()] == ["hello", "Hi."]
        assert bench.now.notices == ()

    story(work)


def test_a_service_that_does_not_say_goodbye_is_left_and_the_person_told() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        silent = bench.linker.newest

        async def finish() -> None:
            silent.finished = True

        silent.finish = finish  # type: ignore[method-assign]
        pausing = asyncio.create_task(bench.controller.pause())
        await asyncio.sleep(1.0)
        assert bench.now.pause is Pause.PAUSING, "not before the service has agreed"
        await pausing
        assert bench.now.pause is Pause.PAUSED
        assert bench.now.notices == ("The service did not confirm the pause. Nothing is sent to it any more.",)

    story(work)


def test_nothing_is_resumed_that_is_not_paused_and_an_end_is_an_end() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.controller.pause()
        await bench.controller.end()
        assert shown(bench) == (Pause.OFF, Phase.ENDED)
        bench.controller.resume_conversation()
        bench.controller.pause_conversation()
        await asyncio.sleep(1.0)
        assert shown(bench) == (Pause.OFF, Phase.ENDED)
        assert len(bench.linker.links) == 1

    story(work)


def test_a_break_that_cannot_be_ended_is_a_failure_no_break() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.controller.pause()
        bench.linker.stuck = [True, True]
        bench.controller.resume_conversation()
        await asyncio.sleep(1.0)
        assert bench.now.pause is Pause.RESUMING
        bench.controller.pause_conversation()
        await bench.until(lambda: bench.now.pause is Pause.PAUSED)

    story(work)
