"""Wishes and events at the worst moment: while a link dies, while a conversation changes, while a bug bites."""

import asyncio

import pytest

from novadesk.config import LimitSettings, SessionSettings
from novadesk.conversation.api import MicrophoneState, Phase
from novadesk.conversation.soundswitch import SoundSwitch
from novadesk.conversation.toolbox import Toolbox
from novadesk.errors import KnownError, Reason
from novadesk.protocol.events import ToolSpec
from tests.support.bench import LOST, VOICE, Bench, MemorySound, exchange, story
from tests.support.leaks import LogWatch
from tests.support.memory_service import MemoryArchive, MemoryLink
from tests.support.virtual_loop import run_virtually

LIMIT = KnownError(Reason.SESSION_LIMIT, "The session is over.", "It is renewed.")


def slow_to_close(link: MemoryLink, seconds: float) -> None:
    async def close() -> None:
        await asyncio.sleep(seconds)
        link.closed = True

    link.close = close  # type: ignore[method-assign]


def test_text_typed_while_a_dead_link_is_cleared_away_goes_to_the_next_one() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        slow_to_close(bench.linker.newest, 1.0)
        bench.linker.newest.end(LOST)
        await asyncio.sleep(0.5)
        bench.controller.say("are you there")
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.typed() == ["are you there"])
        assert bench.linker.newest.history() == ()

    story(work)


class Tool:
    """Answers after so many seconds."""

    spec = ToolSpec(name="slow", description="", input_schema="{}")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def call(self, arguments: str) -> str:
        await asyncio.sleep(self.seconds)
        return '{"answer": 42}'


@pytest.mark.parametrize("error", [LIMIT, LOST])
@pytest.mark.parametrize("slow_s", [0.2, 0.6, 1.4])
def test_a_tool_result_that_finds_no_link_goes_to_the_next_one(error: KnownError, slow_s: float) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        make = bench.linker.link

        async def late() -> MemoryLink:
            await asyncio.sleep(1.0)
            return await make()

        bench.linker.link = late  # type: ignore[method-assign]
        bench.linker.newest.user_said("ask the slow tool")
        bench.linker.newest.ask_tool("slow", "{}")
        await bench.until(lambda: bench.now.phase is Phase.TOOL)
        bench.linker.newest.end(error)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.until(lambda: bench.linker.newest.typed() == ['The result of slow is {"answer": 42}'])

    story(work, toolbox=Toolbox([Tool(slow_s)]))


def test_a_tool_result_that_went_into_a_dying_link_is_said_to_the_next_one() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        first = bench.linker.newest
        first.user_said("ask the tool")
        first.ask_tool("slow", "{}")
        await bench.until(lambda: first.tool_answers() != [])
        first.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.until(lambda: bench.linker.newest.typed() == ['The result of slow is {"answer": 42}'])
        assert [message.text for message in bench.linker.newest.history()] == ["ask the tool"]

    story(work, toolbox=Toolbox([Tool(0.1)]))


def test_a_link_that_is_being_closed_as_the_conversation_is_left_is_closed() -> None:
    async def work(bench: Bench) -> None:
        for _ in range(5):
            await bench.ready()
            bench.linker.newest.end(LOST)
            slow_to_close(bench.linker.newest, 0.01)
            await asyncio.sleep(0.005)
            await bench.controller.begin_anew()

    story(work)


def test_the_end_of_a_session_that_is_only_now_accepted_is_orderly() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.mutes = [True]
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await asyncio.sleep(0.5)
        bench.controller.end_conversation()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        link = bench.linker.newest
        assert not link.finished
        link.accept()
        await bench.until(lambda: link.closed)
        assert link.finished

    story(work)


@pytest.mark.parametrize("wish", ["talk", "text"])
def test_who_talks_while_a_new_conversation_begins_talks_in_the_new_one(wish: str) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        old = bench.now.conversation
        slow_to_close(bench.linker.newest, 1.0)
        bench.controller.new_conversation()
        await bench.until(lambda: bench.now.phase is Phase.ENDED)
        if wish == "talk":
            bench.controller.press_talk()
        else:
            bench.controller.say("hello")
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        assert bench.now.conversation is not None
        assert old is not None
        assert bench.now.conversation.handle != old.handle
        assert bench.linker.newest.history() == ()
        if wish == "text":
            await bench.until(lambda: bench.linker.newest.typed() == ["hello"])
            await bench.until(lambda: bench.texts == [("user", "hello")])
        assert len(bench.archive.stored[old.handle]) == 2

    story(work)


def test_who_asks_for_a_new_conversation_twice_gets_one_and_after_a_word_another() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        slow_to_close(bench.linker.newest, 1.0)
        bench.controller.new_conversation()
        await asyncio.sleep(0.5)
        bench.controller.new_conversation()
        await bench.controller.begin_anew()
        first = bench.now.conversation
        await bench.ready()
        await asyncio.sleep(5.0)
        assert (len(bench.linker.links), bench.now.conversation) == (2, first)
        slow_to_close(bench.linker.newest, 1.0)
        bench.controller.new_conversation()
        bench.controller.say("hello")
        bench.controller.new_conversation()
        bench.controller.new_conversation(private=True)
        await bench.until(lambda: bench.now.conversation is not None and bench.now.conversation.private)
        assert [[turn.text for turn in turns] for turns in bench.archive.stored.values()] == [
            ["one", "Two."],
            ["hello"],
        ]

    story(work)


def test_what_was_said_before_a_long_history_was_sent_is_replayed() -> None:
    archive = MemoryArchive()

    async def first(bench: Bench) -> None:
        await bench.ready()
        for number in range(40):
            await exchange(bench, f"question {number}", f"Answer {number}.")

    async def second(bench: Bench) -> None:
        bench.controller.press_talk()
        await bench.until(lambda: bench.sound.listener is not None)
        link_open = asyncio.Event()
        await bench.until(lambda: bool(bench.linker.links))
        link = bench.linker.newest
        send = link.send

        async def slow_send(payload: bytes) -> None:
            await link_open.wait()
            await send(payload)

        link.send = slow_send  # type: ignore[method-assign]
        bench.sound.talk(40)
        await bench.until(lambda: bench.now.phase is Phase.LISTENING)
        link_open.set()
        await bench.until(lambda: VOICE * 40 in link.heard())
        assert len(link.history()) == 80

    story(first, archive)
    story(second, archive)


def test_a_bug_in_sending_ends_the_link_and_is_logged(expected_logs: LogWatch) -> None:
    expected_logs.allow("sending")

    async def work(bench: Bench) -> None:
        await bench.ready()

        async def broken(payload: bytes) -> None:
            raise ZeroDivisionError

        link = bench.linker.newest
        link.send = broken  # type: ignore[method-assign]
        bench.sound.talk(2)
        await bench.until(lambda: len(bench.linker.links) == 2, most_s=10)
        await bench.ready()

    story(work)


def test_a_bug_in_a_write_costs_one_turn_and_not_the_record(expected_logs: LogWatch) -> None:
    expected_logs.allow("could not be written")

    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.archive.failures = [ZeroDivisionError()]  # type: ignore[list-item]
        bench.linker.newest.user_said("lost by a bug")
        bench.linker.newest.user_said("kept")
        await bench.until(lambda: bench.texts == [("user", "kept")], most_s=5)
        async with asyncio.timeout(60):
            await bench.controller.begin_anew()

    story(work)


def test_a_conversation_that_goes_on_after_its_end_is_the_open_one_again() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        await bench.controller.end()
        assert bench.archive.open is None
        bench.controller.connect()
        await bench.ready()
        await exchange(bench, "three", "Four.")
        assert bench.now.conversation is not None
        assert bench.archive.open == bench.now.conversation.handle

    story(work)


@pytest.mark.parametrize("wish", ["talk", "text"])
def test_a_wish_that_comes_while_the_program_ends_opens_nothing(wish: str) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        slow_to_close(bench.linker.newest, 1.0)
        stopping = asyncio.create_task(bench.controller.stop())
        await asyncio.sleep(0.5)
        if wish == "talk":
            bench.controller.press_talk()
        else:
            bench.controller.say("hello")
        await stopping
        assert len(bench.linker.links) == 1
        await bench.controller.start()

    story(work)


def test_devices_released_and_wanted_again_at_once_are_opened_anew() -> None:
    async def work() -> None:
        sound = MemorySound()
        lost: list[KnownError] = []

        class Ears:
            opened = 0

            def on_opened(self, microphone: str, speaker: str, note: str) -> None:
                self.opened += 1

        ears = Ears()
        switch = SoundSwitch(sound=sound, listener=ears, on_error=lost.append)  # type: ignore[arg-type]
        switch.start()
        switch.set(wanted=True)
        await asyncio.sleep(0.1)
        switch.set(wanted=False)
        switch.set(wanted=True)
        await asyncio.sleep(0.1)
        assert ears.opened == 2, "who let go of the devices is told that they are there again"
        await switch.stop()

    run_virtually(work())


def test_devices_wanted_for_no_time_at_all_are_not_left_open() -> None:
    async def work() -> None:
        sound = MemorySound()
        switch = SoundSwitch(sound=sound, listener=Bench().controller, on_error=lambda _: None)
        switch.start()
        await asyncio.sleep(0.1)
        switch.set(wanted=True)
        switch.set(wanted=False)
        await asyncio.sleep(0.1)
        assert sound.listener is None
        assert not switch.wanted
        await switch.stop()

    run_virtually(work())


def test_devices_that_fail_are_tried_soon_at_first_and_then_seldom() -> None:
    async def work() -> None:
        sound, loop = MemorySound(), asyncio.get_running_loop()
        sound.fail = KnownError(Reason.DEVICE_STALLED, "Nothing.", "Wait.")
        failed_at: list[float] = []
        switch = SoundSwitch(sound=sound, listener=Bench().controller, on_error=lambda _: failed_at.append(loop.time()))
        switch.start()
        switch.set(wanted=True)
        await asyncio.sleep(13)
        await switch.stop()
        assert failed_at == [0.0, 0.25, 0.75, 1.75, 3.75, 6.75, 9.75, 12.75]

    run_virtually(work())


def test_a_service_that_accepts_and_drops_at_once_is_not_hammered() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        began = asyncio.get_running_loop().time()
        for _ in range(8):
            links = len(bench.linker.links)
            bench.linker.newest.end(LOST)
            await bench.until(lambda before=links: len(bench.linker.links) > before, most_s=100)
            await bench.ready()
        assert asyncio.get_running_loop().time() - began > 30

    story(work)


def test_an_idle_conversation_whose_sessions_end_at_their_limit_goes_on_quietly() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        for _ in range(6):
            await asyncio.sleep(128)
            links = len(bench.linker.links)
            bench.linker.newest.end(LIMIT)
            await bench.until(lambda before=links: len(bench.linker.links) > before, most_s=1)
            assert bench.now.error is None
            await bench.ready()
        assert bench.now.microphone is MicrophoneState.GATED

    story(work, session=SessionSettings(idle_s=0.0), limits=LimitSettings(connection_s=128.0))
