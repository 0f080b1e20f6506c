"""Questions, presses and silences at the worst moment: what is asked is answered, what is said is heard."""

import asyncio

import pytest

from novadesk.config import SessionSettings
from novadesk.conversation.api import MicrophoneState, Phase, TalkMode
from novadesk.conversation.supervisor import Policy
from novadesk.conversation.toolbox import Toolbox
from novadesk.errors import KnownError, Reason
from novadesk.protocol.events import ToolSpec
from tests.support.bench import LOST, VOICE, Bench, story

POLICY = Policy()
LIMIT = KnownError(Reason.SESSION_LIMIT, "The session is over.", "It is renewed.")
NEVER = SessionSettings(idle_s=0.0)


def test_a_question_typed_over_an_answer_is_not_settled_by_the_end_of_that_answer() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await asyncio.sleep(361)
        link = next(link for link in bench.linker.links if not link.closed)
        link.user_said("tell me")
        link.plan("A long answer.")
        link.speak(24_000, last=False)
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.controller.say("what about Paris?")
        link.speak(2_400, last=True)
        link.spoken("A long answer.", last=True)
        await asyncio.sleep(1)
        assert bench.now.phase is Phase.THINKING, "the answer to Paris is owed"
        link.end(LOST)
        await bench.until(lambda: bench.linker.newest.typed() == ["what about Paris?"])

    story(work, session=NEVER)


def test_a_silent_tap_does_not_forget_what_was_asked() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.say("what about Paris?")
        bench.controller.press_talk()
        assert bench.sound.listener is not None
        bench.sound.listener.on_frame(VOICE, 0.0)
        bench.controller.release_talk()
        assert bench.now.phase is Phase.THINKING
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.typed() == ["what about Paris?"])

    story(work)


@pytest.mark.parametrize("wish", ["press_talk", "stop_speaking", "say"])
def test_an_answer_that_plays_during_an_outage_is_silenced_by_the_person(wish: str) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.user_said("tell me")
        bench.linker.newest.plan("A long answer.")
        bench.linker.newest.speak(240_000, last=False)
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.linker.refusals = [LOST] * 20
        bench.linker.newest.end(LOST)
        await bench.until(lambda: bench.now.phase is Phase.RECONNECTING)
        assert bench.sound.flushes == []
        getattr(bench.controller, wish)(*(["stop"] if wish == "say" else []))
        assert len(bench.sound.flushes) == 1
        assert bench.sound.queued == []

    story(work)


def test_speech_during_an_outage_outlives_the_sound_of_the_old_answer_and_another_loss() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.user_said("tell me")
        bench.linker.newest.plan("A long answer.")
        bench.linker.newest.speak(240_000, last=False)
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.linker.newest.end(LOST)
        await asyncio.sleep(0.1)
        bench.controller.press_talk()
        bench.sound.talk(30)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        await asyncio.sleep(0.1)
        bench.linker.newest.end(LIMIT)
        await bench.until(lambda: len(bench.linker.links) == 3 and bench.linker.newest.listening)
        await asyncio.sleep(0.1)
        assert bench.linker.newest.heard().count(VOICE) == 30

    story(work)


def test_silence_that_nobody_heard_is_no_loss() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.set_talk_mode(TalkMode.HANDS_FREE)
        bench.linker.refusals = [LOST] * 4
        bench.linker.newest.end(LOST)
        assert bench.sound.listener is not None
        while bench.now.reconnects == 0:
            bench.sound.listener.on_frame(VOICE, 0.001)
            await asyncio.sleep(0.032)
        assert bench.now.lost_s == 0.0
        assert "lost" not in bench.now.notices[-1]

    story(work)


def test_a_microphone_that_was_toggled_open_and_left_is_released() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.toggle_talk()
        assert bench.sound.listener is not None
        for _ in range(310):
            if bench.sound.listener is None:
                break
            bench.sound.listener.on_frame(VOICE, 0.001)
            await asyncio.sleep(1)
        assert bench.now.phase is Phase.IDLE
        assert bench.now.microphone is MicrophoneState.ABSENT

    story(work)


def test_a_tool_that_is_slow_after_its_announcement_is_waited_for_as_a_tool() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        link = bench.linker.newest
        link.user_said("look it up")
        link.plan("Let me look.")
        link.speak(2_400, last=False)
        link.ask_tool("slow", "{}")
        await bench.until(lambda: bench.now.phase is Phase.TOOL)
        bench.sound.play_out()
        await asyncio.sleep(7.5)
        assert bench.now.phase is Phase.TOOL

    story(work, toolbox=Toolbox([Slow()]))


class Slow:
    """Answers after nine seconds."""

    spec = ToolSpec(name="slow", description="", input_schema="{}")

    async def call(self, _arguments: str) -> str:
        await asyncio.sleep(9)
        return "{}"


def test_a_question_that_nobody_will_answer_is_said_to_be_open() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.say("what about Paris?")
        for links in range(2, 5):
            await bench.until(lambda: bench.linker.newest.typed() == ["what about Paris?"])
            bench.linker.newest.end(LOST)
            await bench.until(lambda links=links: len(bench.linker.links) == links and bench.linker.newest.listening)
        assert "A question was not answered. Please ask it again." in bench.now.notices

    story(work)
