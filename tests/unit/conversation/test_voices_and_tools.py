"""Whose voice an answer has and what the model asked for on the way to it are kept with its turn."""

import pytest

from novadesk.config import VoiceSettings
from novadesk.conversation.api import Phase
from novadesk.conversation.toolbox import Toolbox
from novadesk.models import Role, Turn
from tests.support.bench import LOST, Bench, exchange, story
from tests.support.memory_service import MemoryArchive
from tests.unit.conversation.test_controller import SlowTool

USUAL = VoiceSettings().voice
AMY = VoiceSettings(voice="amy")


def kept(bench: Bench) -> list[Turn]:
    """Return the turns of the one conversation that the archive has."""
    (turns,) = bench.archive.stored.values()
    return turns


def voices(bench: Bench) -> list[tuple[Role, str]]:
    return [(turn.role, turn.voice) for turn in kept(bench)]


async def answered(bench: Bench, text: str) -> None:
    bench.linker.newest.answer(text)
    await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
    bench.sound.play_out()
    await bench.until(lambda: bench.now.phase is Phase.READY and bench.now.turns[-1].text == text)


def test_an_answer_has_the_voice_of_the_wire_session_that_spoke_it() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "hello", "Good day.")
        bench.controller.use_voice(AMY)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        await exchange(bench, "and now", "Still a good day.")

    assert voices(story(work)) == [(Role.USER, ""), (Role.ASSISTANT, USUAL), (Role.USER, ""), (Role.ASSISTANT, "amy")]


@pytest.mark.parametrize("last", [False, True])
def test_what_is_played_to_its_end_after_a_lost_link_has_the_voice_that_spoke_it(last: bool) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        old = bench.linker.newest
        old.user_said("hello")
        old.plan("Good day.")
        old.speak(48_000, last=last)
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.controller.use_voice(AMY)
        old.end(LOST)
        await bench.until(lambda: len(bench.linker.links) > 1 and bench.linker.newest.listening)
        bench.sound.play_out()
        await bench.until(lambda: len(bench.now.turns) == 2)

    (_, answer) = kept(story(work))
    assert (answer.text, answer.voice) == ("Good day.", USUAL)


def test_the_answer_that_follows_a_tool_says_so_and_no_other_does() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "hello", "Good day.")
        link = bench.linker.newest
        link.user_said("ask the slow tool")
        for _ in range(2):
            link.ask_tool("slow", "{}")
        await bench.until(lambda: len(link.tool_answers()) == 2)
        await answered(bench, "Forty-two.")
        await exchange(bench, "thanks", "You are welcome.")

    turns = kept(story(work, toolbox=Toolbox([SlowTool()])))
    assert [turn.tools for turn in turns] == [(), (), (), ("slow",), (), ()]


def test_a_tool_that_a_lost_link_asked_for_is_one_of_the_answer_on_the_next() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.user_said("ask the slow tool")
        bench.linker.newest.ask_tool("slow", "{}")
        await bench.until(lambda: bench.now.phase is Phase.TOOL)
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.until(lambda: bool(bench.linker.newest.typed()))
        await answered(bench, "Forty-two.")

    assert [turn.tools for turn in kept(story(work, toolbox=Toolbox([SlowTool()])))] == [(), ("slow",)]


def test_a_new_conversation_has_no_tool_of_the_one_before() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.user_said("ask the slow tool")
        bench.linker.newest.ask_tool("slow", "{}")
        await bench.until(lambda: bench.now.phase is Phase.TOOL)
        await bench.controller.begin_anew()
        await bench.ready()
        await exchange(bench, "hello", "Good day.")

    bench = story(work, toolbox=Toolbox([SlowTool()]))
    assert [[turn.tools for turn in turns] for turns in bench.archive.stored.values()] == [[()], [(), ()]]


def test_a_private_conversation_shows_them_and_writes_nothing() -> None:
    archive = MemoryArchive()

    async def work(bench: Bench) -> None:
        await bench.controller.begin_anew(private=True)
        await bench.ready()
        bench.linker.newest.user_said("ask the slow tool")
        bench.linker.newest.ask_tool("slow", "{}")
        await bench.until(lambda: bool(bench.linker.newest.tool_answers()))
        await answered(bench, "Forty-two.")
        assert [(turn.voice, turn.tools) for turn in bench.now.turns] == [("", ()), (USUAL, ("slow",))]

    story(work, archive, toolbox=Toolbox([SlowTool()]))
    assert (archive.rows, archive.stored) == ({}, {})
