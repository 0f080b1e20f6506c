"""Stop and Mute in every phase, and an answer that is stopped before anything of it has come."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from novadesk.conversation.api import MicrophoneState, Phase, TalkMode
from novadesk.conversation.stopping import LATE_S
from novadesk.conversation.toolbox import Toolbox
from novadesk.errors import KnownError, Reason
from novadesk.models import Role
from novadesk.protocol.events import ToolSpec
from tests.support.bench import DENIED, LOST, Bench, MemorySound, exchange
from tests.support.virtual_loop import run_virtually

LIMIT = KnownError(Reason.SESSION_LIMIT, "The session is over.", "It is renewed.")
STORY = "Once upon a time there was a fox and a hare."
SECRET = b"\x22\x22" * 512
WORDS = b"\x11\x11" * 512


class SlowTool:
    """Takes its time."""

    spec = ToolSpec(name="slow", description="", input_schema="{}")

    async def call(self, arguments: str) -> str:
        await asyncio.sleep(5)
        return '{"answer": 42}'


class Speaker(MemorySound):
    """Counts what it was ever given to play."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    def play(self, pcm: bytes, generation: int) -> None:
        super().play(pcm, generation)
        self.given += 1


def given(bench: Bench) -> int:
    assert isinstance(bench.sound, Speaker)
    return bench.sound.given


def run(work: Callable[[Bench], Awaitable[None]]) -> None:
    """Run a story on a bench that nobody has connected yet."""

    async def told() -> None:
        bench = Bench(toolbox=Toolbox([SlowTool()]), sound=Speaker())
        await bench.controller.start()
        try:
            await work(bench)
        finally:
            await bench.controller.stop()
        assert bench.sound.listener is None

    run_virtually(told())


# --- how to get into each phase ---


async def idle(bench: Bench) -> None:
    """Do nothing."""


async def connecting(bench: Bench) -> None:
    bench.linker.stuck = [True]
    bench.controller.connect()
    await bench.until(lambda: bench.sound.listener is not None)


async def ready(bench: Bench) -> None:
    bench.controller.connect()
    await bench.ready()
    await exchange(bench, "hello", "Good morning.")


async def listening(bench: Bench) -> None:
    await ready(bench)
    bench.controller.press_talk()
    bench.sound.talk(3)


async def asking(bench: Bench) -> None:
    """Let go of the key; the service has not understood yet."""
    await listening(bench)
    bench.controller.release_talk()
    await asyncio.sleep(0.3)


async def thinking(bench: Bench) -> None:
    await asking(bench)
    bench.linker.newest.user_said("tell me a story")
    await bench.until(lambda: bench.texts[-1:] == [("user", "tell me a story")])


async def tool(bench: Bench) -> None:
    await thinking(bench)
    bench.linker.newest.ask_tool("slow", "{}")
    await bench.until(lambda: bench.now.phase is Phase.TOOL)


async def speaking(bench: Bench) -> None:
    await thinking(bench)
    before = given(bench)
    bench.linker.newest.plan(STORY)
    bench.linker.newest.speak(24_000, last=False)
    await bench.until(lambda: given(bench) > before)


async def interrupted(bench: Bench) -> None:
    await speaking(bench)
    bench.linker.newest.interrupt()
    await bench.until(lambda: bench.now.phase is Phase.INTERRUPTED)


async def renewing(bench: Bench) -> None:
    await ready(bench)
    bench.linker.stuck = [True]
    bench.linker.newest.end(LIMIT)
    await bench.until(lambda: bench.now.phase is Phase.RENEWING)


async def reconnecting(bench: Bench) -> None:
    await ready(bench)
    bench.linker.refusals = [LOST, LOST]
    bench.linker.newest.end(LOST)
    await bench.until(lambda: bench.now.attempt == 2)


async def failed(bench: Bench) -> None:
    await ready(bench)
    bench.linker.newest.end(DENIED)
    await bench.until(lambda: bench.now.phase is Phase.FAILED)


async def ended(bench: Bench) -> None:
    await ready(bench)
    await bench.controller.end()


PHASES: dict[Phase, Callable[[Bench], Awaitable[None]]] = {
    Phase.IDLE: idle,
    Phase.CONNECTING: connecting,
    Phase.READY: ready,
    Phase.LISTENING: listening,
    Phase.THINKING: thinking,
    Phase.TOOL: tool,
    Phase.SPEAKING: speaking,
    Phase.INTERRUPTED: interrupted,
    Phase.RENEWING: renewing,
    Phase.RECONNECTING: reconnecting,
    Phase.FAILED: failed,
    Phase.ENDED: ended,
}
AFTER_STOP = {phase: phase for phase in PHASES} | {
    Phase.THINKING: Phase.INTERRUPTED,
    Phase.TOOL: Phase.INTERRUPTED,
    Phase.SPEAKING: Phase.INTERRUPTED,
}


def test_the_table_has_every_phase_that_there_is() -> None:
    assert set(PHASES) == set(Phase) - {Phase.OFFLINE}, "nothing leads into OFFLINE"


async def go_on(bench: Bench) -> None:
    """Talk as if nothing had happened, and be answered."""
    if bench.now.talking:
        bench.controller.release_talk()
    if not bench.linker.links or bench.linker.newest.closed:
        bench.controller.connect()
        bench.controller.try_now()
    async with asyncio.timeout(120):
        while bench.now.phase not in (Phase.READY, Phase.INTERRUPTED, Phase.THINKING) or bench.now.sound_opening:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    before = given(bench)
    bench.controller.press_talk()
    bench.sound.talk(3)
    bench.controller.release_talk()
    bench.linker.newest.user_said("what is next")
    await bench.until(lambda: bench.texts[-1:] == [("user", "what is next")])
    bench.linker.newest.answer("The next thing.")
    await bench.until(lambda: given(bench) > before)
    bench.sound.play_out()
    await bench.until(lambda: bench.now.phase is Phase.READY and bench.texts[-1:] == [("assistant", "The next thing.")])


@pytest.mark.parametrize("phase", PHASES)
def test_stop_works_in_every_phase(phase: Phase) -> None:
    async def work(bench: Bench) -> None:
        await PHASES[phase](bench)
        assert bench.now.phase is phase
        before = given(bench)
        for _ in range(2):
            bench.controller.stop_speaking()
            assert bench.now.phase is AFTER_STOP[phase]
        if phase is Phase.SPEAKING:
            assert bench.sound.queued == []
        if phase in (Phase.THINKING, Phase.TOOL, Phase.SPEAKING):
            if phase is not Phase.SPEAKING:
                bench.linker.newest.plan(STORY)
            bench.linker.newest.speak(24_000, last=True)
            bench.linker.newest.spoken(STORY, last=True)
            await bench.until(lambda: bench.now.phase is Phase.READY, most_s=1.0)
            assert given(bench) == before
            assert bench.now.turns[-1].heard_text == ""
            assert bench.now.live == ()
        await go_on(bench)

    run(work)


@pytest.mark.parametrize("mode", TalkMode)
@pytest.mark.parametrize("phase", PHASES)
def test_mute_works_in_every_phase(phase: Phase, mode: TalkMode) -> None:
    async def work(bench: Bench) -> None:
        await PHASES[phase](bench)
        bench.controller.set_talk_mode(mode)
        absent = bench.now.microphone is MicrophoneState.ABSENT
        bench.controller.set_muted(True)
        if phase is not Phase.LISTENING:
            bench.controller.press_talk()
        assert bench.now.microphone is (MicrophoneState.ABSENT if absent else MicrophoneState.MUTED)
        assert bench.now.muted, "also of a microphone that is still to come: who sees it can unmute"
        for _ in range(20):
            if bench.sound.listener is not None:
                bench.sound.listener.on_frame(SECRET, 0.2)
            await asyncio.sleep(0.032)
        bench.controller.release_talk()
        bench.controller.set_muted(False)
        bench.controller.set_talk_mode(TalkMode.HOLD)
        bench.controller.stop_speaking()
        if phase is Phase.SPEAKING:  # the key has stopped it, and the service has not noticed yet
            bench.linker.newest.interrupt()
        await go_on(bench)
        assert all(SECRET[:2] not in link.heard() for link in bench.linker.links)
        assert WORDS[:2] in bench.linker.newest.heard()

    run(work)


# --- an answer that is due ---


async def answered(bench: Bench, text: str = STORY) -> bool:
    """Let the service answer; return whether anything of it is played."""
    before = given(bench)
    bench.linker.newest.answer(text)
    await asyncio.sleep(0.2)
    return given(bench) > before


def test_words_that_are_understood_after_the_stop_and_were_said_before_it_are_not_answered() -> None:
    async def work(bench: Bench) -> None:
        await asking(bench)
        bench.controller.stop_speaking()
        await asyncio.sleep(1.0)
        bench.linker.newest.user_said("tell me")
        bench.linker.newest.user_said("a story")
        await bench.until(lambda: bench.texts[-1:] == [("user", "a story")])
        assert bench.now.phase is Phase.INTERRUPTED
        assert not await answered(bench)
        assert bench.now.phase is Phase.READY
        await go_on(bench)

    run(work)


@pytest.mark.parametrize("mode", TalkMode)
def test_the_next_words_are_answered_though_the_stopped_answer_never_came(mode: TalkMode) -> None:
    async def work(bench: Bench) -> None:
        await thinking(bench)
        bench.controller.set_talk_mode(mode)
        bench.controller.stop_speaking()
        await asyncio.sleep(0.5)
        if mode is TalkMode.HOLD:
            bench.controller.press_talk()
        await bench.sound.stream(0.5, 0.2 if mode is TalkMode.HANDS_FREE else 0.003)
        bench.controller.release_talk()
        bench.linker.newest.user_said("no, a joke")
        assert await answered(bench, "A horse walks into a bar.")
        assert bench.now.phase is Phase.SPEAKING

    run(work)


def test_a_faint_voice_is_answered_all_the_same_once_words_said_before_would_have_come() -> None:
    async def work(bench: Bench) -> None:
        await thinking(bench)
        bench.controller.set_talk_mode(TalkMode.HANDS_FREE)
        bench.controller.stop_speaking()
        await bench.sound.stream(LATE_S + 0.5, 0.005)
        bench.linker.newest.user_said("no, a joke")
        assert await answered(bench, "A horse walks into a bar.")

    run(work)


def test_a_voice_in_the_room_does_not_count_while_the_gate_is_closed() -> None:
    async def work(bench: Bench) -> None:
        await asking(bench)
        bench.controller.stop_speaking()
        await bench.sound.stream(2.0, 0.2)
        bench.linker.newest.user_said("tell me a story")
        assert not await answered(bench)

    run(work)


def test_what_is_typed_next_is_answered_though_the_stopped_answer_never_came() -> None:
    async def work(bench: Bench) -> None:
        await thinking(bench)
        bench.controller.stop_speaking()
        bench.controller.say("a joke, please")
        await bench.until(lambda: bench.linker.newest.typed() == ["a joke, please"])
        assert await answered(bench, "A horse walks into a bar.")
        bench.sound.play_out()
        await bench.until(lambda: bench.texts[-1:] == [("assistant", "A horse walks into a bar.")])

    run(work)


def test_what_is_typed_while_the_stopped_answer_comes_is_answered_after_it() -> None:
    async def work(bench: Bench) -> None:
        await thinking(bench)
        bench.controller.stop_speaking()
        before = given(bench)
        bench.linker.newest.plan(STORY)
        bench.linker.newest.speak(24_000, last=False)
        await asyncio.sleep(0.1)
        bench.controller.say("a joke, please")
        bench.linker.newest.spoken(STORY, last=True)
        await asyncio.sleep(0.1)
        assert given(bench) == before
        assert await answered(bench, "A horse walks into a bar.")

    run(work)


def test_an_interruption_by_the_service_ends_the_stop_too() -> None:
    async def work(bench: Bench) -> None:
        await thinking(bench)
        bench.controller.stop_speaking()
        bench.linker.newest.plan(STORY)
        bench.linker.newest.interrupt()
        assert await answered(bench, "A horse walks into a bar.")

    run(work)


@pytest.mark.parametrize("bring", [asking, thinking])
def test_a_question_whose_answer_was_stopped_is_not_asked_again_over_another_link(
    bring: Callable[[Bench], Awaitable[None]],
) -> None:
    async def work(bench: Bench) -> None:
        await bring(bench)
        bench.controller.stop_speaking()
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.ready()
        await asyncio.sleep(2.0)
        assert bench.now.phase is Phase.READY
        assert bench.linker.newest.typed() == []
        assert WORDS[:2] not in bench.linker.newest.heard(), "nor heard again"
        await go_on(bench)

    run(work)


@pytest.mark.parametrize("stopped", [True, False])
@pytest.mark.parametrize("end", [LOST, LIMIT])
@pytest.mark.parametrize("when", ["understood", "not understood", "said meanwhile"])
def test_nothing_is_asked_again_that_was_stopped_while_there_was_no_link(
    when: str, end: KnownError, stopped: bool
) -> None:
    async def work(bench: Bench) -> None:
        await (thinking(bench) if when == "understood" else asking(bench) if when == "not understood" else ready(bench))
        bench.linker.stuck = [True]
        bench.linker.newest.end(end)
        away = Phase.RECONNECTING if end is LOST else Phase.RENEWING
        await bench.until(lambda: bench.now.phase is away)
        if when == "said meanwhile":
            bench.controller.press_talk()
            bench.sound.talk(3)
            bench.controller.release_talk()
        if stopped:
            bench.controller.stop_speaking()
            assert bench.now.phase is away
            assert bench.now.notices[-1] == "What you asked is not asked again."
        await bench.until(lambda: len(bench.linker.links) > 2 and bench.linker.newest.listening)
        await asyncio.sleep(1.0)
        asked = bool(bench.linker.newest.typed()) or WORDS[:2] in bench.linker.newest.heard()
        assert asked is not stopped
        assert bench.now.lost_s == 0.0
        await go_on(bench)

    run(work)


def test_what_was_typed_while_there_was_no_link_is_asked_in_spite_of_a_stop() -> None:
    async def work(bench: Bench) -> None:
        await reconnecting(bench)
        bench.controller.say("what is next")
        bench.controller.stop_speaking()
        await bench.until(lambda: bench.linker.newest.typed() == ["what is next"])

    run(work)


def test_a_tool_is_answered_though_nobody_waits_for_what_follows() -> None:
    async def work(bench: Bench) -> None:
        await tool(bench)
        bench.controller.stop_speaking()
        await bench.until(lambda: bench.linker.newest.tool_answers() == ['{"answer": 42}'])
        assert not await answered(bench)
        assert bench.now.phase is Phase.READY

    run(work)


@pytest.mark.parametrize("stopped", [True, False])
def test_a_tool_of_a_stopped_answer_asks_nothing_over_another_link(stopped: bool) -> None:
    async def work(bench: Bench) -> None:
        await tool(bench)
        before = given(bench)
        if stopped:
            bench.controller.stop_speaking()
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.ready()
        await asyncio.sleep(6.0)
        assert bool(bench.linker.newest.typed()) is not stopped
        assert (bench.now.phase is Phase.READY) is stopped
        assert given(bench) == before
        await go_on(bench)

    run(work)


def test_a_tool_asked_for_after_the_stop_changes_nothing_that_is_shown() -> None:
    async def work(bench: Bench) -> None:
        await thinking(bench)
        bench.controller.stop_speaking()
        bench.linker.newest.ask_tool("slow", "{}")
        await bench.until(lambda: bench.linker.newest.tool_answers() == ['{"answer": 42}'])
        assert bench.now.phase is Phase.INTERRUPTED
        assert not await answered(bench)
        assert bench.now.phase is Phase.READY

    run(work)


def test_a_stopped_answer_that_never_comes_holds_nothing_up() -> None:
    async def work(bench: Bench) -> None:
        await thinking(bench)
        bench.controller.stop_speaking()
        await bench.until(lambda: bench.now.phase is Phase.READY, most_s=31.0)
        assert not bench.controller._driver.downlink.owed, "a renewal need not wait for it"
        await go_on(bench)

    run(work)


@pytest.mark.parametrize("spoken", [True, False])
def test_of_a_stopped_answer_nothing_was_heard_whatever_was_heard_before(spoken: bool) -> None:
    async def work(bench: Bench) -> None:
        bench.controller.connect()
        await bench.ready()
        bench.linker.newest.user_said("tell me a story")
        await bench.until(lambda: bench.now.phase is Phase.THINKING)
        bench.controller.stop_speaking()
        if spoken:
            assert not await answered(bench)
        else:
            bench.linker.newest.plan(STORY)
            bench.linker.newest.spoken(STORY, last=True)
            await bench.until(lambda: len(bench.now.turns) == 2)
        assert [(turn.role, turn.text, turn.heard_chars, turn.interrupted) for turn in bench.now.turns] == [
            (Role.USER, "tell me a story", None, False),
            (Role.ASSISTANT, STORY, 0, True),
        ]
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.ready()
        assert [message.text for message in bench.linker.newest.history()] == ["tell me a story"]

    run(work)


def test_a_stopped_answer_has_no_part_in_how_fast_answers_come() -> None:
    async def work(bench: Bench) -> None:
        await thinking(bench)
        known = bench.now.answer_s
        bench.controller.stop_speaking()
        assert not await answered(bench)
        await asyncio.sleep(20)
        bench.controller.set_talk_mode(TalkMode.HANDS_FREE)
        bench.linker.newest.user_said("no, a joke")
        assert await answered(bench, "A horse.")
        bench.sound.play_out()
        assert bench.now.answer_s in (None, known)

    run(work)
