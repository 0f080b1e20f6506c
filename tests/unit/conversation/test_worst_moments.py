"""Questions, presses and silences at the worst moment: what is asked is answered, what is said is heard."""

import asyncio

import pytest

from novadesk.config import SessionSettings
from novadesk.conversation.api import MicrophoneState, Phase, TalkMode
from novadesk.conversation.supervisor import Policy
from novadesk.conversation.toolbox import Toolbox
from novadesk.conversation.uplink import FRAME_BYTES, FRAME_S
from novadesk.conversation.wire import TEARDOWN_S
from novadesk.errors import KnownError, Reason
from novadesk.models import InputTrouble
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


def test_silence_is_news_only_where_somebody_meant_to_be_heard_and_could_be() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        sound = bench.sound.listener
        assert sound is not None
        said = []
        for trouble, meant in ((InputTrouble.NONE, False), (InputTrouble.MONITOR, True), (InputTrouble.NONE, True)):
            bench.controller.press_talk()
            sound.on_frame(VOICE, 0.0)
            sound.on_input(trouble)
            bench.controller.release_talk(meant=meant)
            said.append(any("Nothing heard" in line for line in bench.now.notices))
        assert said == [False, False, True]

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
        bench.controller.press_talk()
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


@pytest.mark.parametrize("how", ["lost", "handed over", "slept"])
def test_what_a_slow_reader_never_took_is_replayed_or_counted(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        old = bench.linker.newest
        bench.controller.press_talk()
        if how == "handed over":
            await asyncio.sleep(POLICY.last_s - 4.0)
        monkeypatch.setattr(old, "send", never)
        spoken = await say_numbers(bench, 6.0 if how != "handed over" else 4.5)
        if how == "lost":
            old.end(LOST)
        elif how == "slept":
            bench.controller.on_resumed()
        await bench.until(lambda: bench.linker.newest is not old and bench.linker.newest.listening)
        await asyncio.sleep(0.1)
        heard = numbers(bench.linker.newest.heard())
        assert heard == list(range(spoken - len(heard) + 1, spoken + 1)), "the newest stretch, without a hole"
        assert bench.now.lost_s == pytest.approx((spoken - len(heard)) * FRAME_S)
        assert f"{bench.now.lost_s:.1f} s of what you said were lost." in " ".join(bench.now.notices)

    story(work, session=NEVER)


def test_what_still_waits_to_be_written_is_not_understood_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        old = bench.linker.newest
        bench.controller.press_talk()
        written = await say_numbers(bench, 1.0)
        await asyncio.sleep(0)
        monkeypatch.setattr(old, "send", never)
        spoken = await say_numbers(bench, 1.0, after=written)
        bench.controller.release_talk()
        old.user_said("the first words")
        await bench.until(lambda: len(bench.now.turns) == 1)
        old.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        await asyncio.sleep(0.1)
        assert numbers(bench.linker.newest.heard()) == list(range(written + 1, spoken + 1))
        assert bench.now.lost_s == 0.0

    story(work)


def test_a_hole_that_a_slow_reader_made_is_told_with_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        link, reads = bench.linker.newest, asyncio.Event()
        send = link.send

        async def late(payload: bytes) -> None:
            await reads.wait()
            await send(payload)

        monkeypatch.setattr(link, "send", late)
        bench.controller.press_talk()
        spoken = await say_numbers(bench, 4.0)
        bench.controller.release_talk()
        reads.set()
        link.user_said("what got through")
        await bench.until(lambda: len(bench.now.turns) == 1)
        assert bench.now.lost_s == pytest.approx((spoken - len(numbers(link.heard()))) * FRAME_S)
        assert bench.now.lost_s > 0.5
        assert bench.now.notices == (f"{bench.now.lost_s:.1f} s of what you said were lost.",)
        link.answer("Good.")
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)

    story(work)


@pytest.mark.parametrize("close_s", [2.0, 600.0])
@pytest.mark.parametrize("wish", ["on_resumed", "on_network_up"])
def test_a_link_is_gone_before_the_next_is_opened_but_is_not_waited_for_without_end(
    wish: str, close_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        if wish == "on_network_up":
            bench.linker.stuck = [True]
            bench.linker.newest.end(LOST)
            await bench.until(lambda: len(bench.linker.links) == 2)
            await asyncio.sleep(0.1)
        dropped, links = bench.linker.newest, len(bench.linker.links)
        close = dropped.close

        async def slow() -> None:
            await asyncio.sleep(close_s)
            await close()

        monkeypatch.setattr(dropped, "close", slow)
        getattr(bench.controller, wish)()
        await bench.until(lambda: len(bench.linker.links) == links + 1, most_s=TEARDOWN_S + 0.1)
        assert dropped.closed == (close_s < TEARDOWN_S)
        await bench.ready()

    story(work, session=NEVER)


def test_the_time_that_a_dead_connection_takes_to_close_hides_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        dead = bench.linker.newest
        close = dead.close

        async def slow() -> None:
            await asyncio.sleep(2.0)
            await close()

        monkeypatch.setattr(dead, "close", slow)
        bench.controller.press_talk()
        await say_numbers(bench, 7.0)
        dead.unheard_s = 7.0
        dead.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        assert bench.now.lost_s == pytest.approx(4.0, abs=0.1)

    story(work)


async def never(_payload: bytes) -> None:
    await asyncio.Event().wait()


async def say_numbers(bench: Bench, seconds: float, after: int = 0) -> int:
    """Speak frames that carry a running number, at the microphone's pace; return the last number."""
    assert bench.sound.listener is not None
    for number in range(after + 1, after + 1 + round(seconds / FRAME_S)):
        bench.sound.listener.on_frame(number.to_bytes(4, "big") * 256, 0.2)
        await asyncio.sleep(FRAME_S)
    return number


def numbers(pcm: bytes) -> list[int]:
    frames = [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]
    return [int.from_bytes(frame[:4], "big") for frame in frames if any(frame)]
