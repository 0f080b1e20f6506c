"""What is said while an answer is played: it pauses, plays on when nothing comes of it, and ends when words do."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from novadesk.conversation import bargein
from novadesk.conversation.api import Phase, TalkMode
from novadesk.conversation.bargein import Pause
from novadesk.models import BargeIn
from tests.support.bench import Bench, story

QUIET = 0.001


async def answering(bench: Bench, mode: TalkMode = TalkMode.HANDS_FREE, *, last: bool = False) -> None:
    """Let an answer of 4 s be played, of which half a second was heard."""
    await bench.ready()
    bench.controller.set_talk_mode(mode)
    bench.linker.newest.user_said("tell me a story")
    bench.linker.newest.plan("Once upon a time there was a fox and a hare and nothing else at all.")
    bench.linker.newest.speak(96_000, last=last)
    await bench.until(lambda: bool(bench.sound.queued))
    play(bench, 12_000)


def play(bench: Bench, samples: int) -> None:
    assert bench.sound.listener is not None
    bench.sound.listener.on_played(generation_of(bench), samples, 0.1)


def generation_of(bench: Bench) -> int:
    return bench.sound.flushes[-1] if bench.sound.flushes else 0


def cut_in(bench: Bench) -> None:
    assert bench.sound.listener is not None
    bench.sound.listener.on_barge_in(BargeIn.SUSPECTED)
    bench.sound.listener.on_barge_in(BargeIn.CONFIRMED)


def test_an_answer_plays_on_after_a_second_when_the_service_does_not_interrupt_it() -> None:
    async def work(bench: Bench) -> None:
        await answering(bench)
        flushes = len(bench.sound.flushes)
        cut_in(bench)
        await asyncio.sleep(bargein.PATIENCE_S - 0.05)
        assert bench.sound.played_on == []
        await asyncio.sleep(0.1)
        assert bench.sound.played_on == [generation_of(bench)]
        assert len(bench.sound.flushes) == flushes
        assert bench.now.phase is Phase.SPEAKING
        assert bench.now.speaker_level == 0.0

    story(work)


def test_a_voice_that_goes_on_is_not_talked_over_and_does_not_silence_the_answer_for_ever() -> None:
    async def work(bench: Bench) -> None:
        await answering(bench)
        cut_in(bench)
        await bench.sound.stream(bargein.MOST_S - 0.1, 0.2)
        assert bench.sound.played_on == []
        await bench.sound.stream(0.2, 0.2)
        assert len(bench.sound.played_on) == 1

    story(work)


def test_an_interruption_within_the_second_ends_the_answer_and_keeps_what_was_heard() -> None:
    async def work(bench: Bench) -> None:
        await answering(bench)
        flushes = len(bench.sound.flushes)
        cut_in(bench)
        await asyncio.sleep(0.5)
        bench.linker.newest.interrupt()
        await bench.until(lambda: len(bench.sound.flushes) == flushes + 1)
        await asyncio.sleep(bargein.MOST_S)
        assert bench.sound.played_on == []
        answer = bench.now.turns[-1]
        assert answer.interrupted
        assert answer.heard_text == "Once upon", "an eighth of it"
        bench.linker.newest.user_said("stop it")
        await bench.until(lambda: bench.texts[-1] == ("user", "stop it"))

    story(work)


def test_words_that_cut_in_end_an_answer_that_the_service_had_sent_whole() -> None:
    async def work(bench: Bench) -> None:
        await answering(bench, last=True)
        bench.linker.newest.spoken("Once upon a time there was a fox and a hare and nothing else at all.", last=True)
        cut_in(bench)
        await asyncio.sleep(bargein.PATIENCE_S + 0.5)
        assert len(bench.sound.played_on) == 1, "no word came yet"
        flushes = len(bench.sound.flushes)
        bench.linker.newest.user_said("what is a hare")
        await bench.until(lambda: len(bench.now.turns) == 3)
        assert len(bench.sound.flushes) == flushes + 1
        assert bench.sound.queued == []
        assert bench.now.phase is Phase.THINKING
        assert [turn.text for turn in bench.now.turns if turn.interrupted] == [bench.now.turns[1].text]
        bench.linker.newest.answer("An animal.")
        await bench.until(lambda: bool(bench.sound.queued))

    story(work)


def test_the_device_looks_for_a_barge_in_exactly_while_the_person_can_be_heard() -> None:
    async def work(bench: Bench) -> None:
        await answering(bench)
        bench.sound.talk()
        assert bench.sound.watching
        bench.controller.set_muted(True)
        bench.sound.talk()
        assert not bench.sound.watching
        bench.controller.set_muted(False)
        bench.controller.set_talk_mode(TalkMode.HOLD)
        bench.sound.talk()
        assert not bench.sound.watching
        bench.controller.press_talk()
        bench.sound.talk()
        assert bench.sound.watching

    story(work)


def test_nobody_can_cut_in_through_a_closed_gate() -> None:
    async def work(bench: Bench) -> None:
        await answering(bench, TalkMode.HOLD)
        cut_in(bench)
        assert len(bench.sound.played_on) == 1
        bench.controller.set_talk_mode(TalkMode.HANDS_FREE)
        bench.controller.set_muted(True)
        cut_in(bench)
        assert len(bench.sound.played_on) == 2

    story(work)


def test_a_pause_that_comes_after_the_answer_does_not_hold_up_the_next_one() -> None:
    async def work(bench: Bench) -> None:
        await answering(bench, last=True)
        play(bench, 96_000)
        await bench.until(lambda: bench.now.phase is Phase.READY)
        cut_in(bench)
        assert len(bench.sound.played_on) == 1

    story(work)


def test_stop_talk_key_and_typing_end_a_paused_answer_at_once() -> None:
    async def work(bench: Bench) -> None:
        wishes = (bench.controller.stop_speaking, bench.controller.press_talk, lambda: bench.controller.say("stop"))
        for wish in wishes:
            await answering(bench)
            cut_in(bench)
            flushes = len(bench.sound.flushes)
            wish()
            assert len(bench.sound.flushes) == flushes + 1
            bench.linker.newest.speak(24_000, last=False)
            await asyncio.sleep(bargein.MOST_S)
            assert bench.sound.queued == [], "the rest of it is thrown away"
            assert bench.sound.played_on == []
            bench.linker.newest.interrupt()
            bench.controller.release_talk()

    story(work)


def test_an_assistant_that_hears_itself_is_told_once() -> None:
    async def work(bench: Bench) -> None:
        await answering(bench)
        for heard in ("once upon a time there was a fox", "and a hare and nothing else at all"):
            bench.linker.newest.user_said(heard)
        await bench.until(lambda: len(bench.now.turns) == 3)
        assert bench.now.hears_itself
        assert [line for line in bench.now.notices if "own voice" in line] == [
            "NovaDesk seems to hear its own voice. Use a headset, or choose Speakers in Settings."
        ]

    story(work)


def test_pauses_that_nobodys_words_follow_are_told_as_hearing_itself() -> None:
    async def work(bench: Bench) -> None:
        await answering(bench)
        for _ in range(4):
            assert not bench.now.hears_itself
            cut_in(bench)
            await asyncio.sleep(bargein.PATIENCE_S + 0.1)
            play(bench, 12_000 + 1_000 * len(bench.sound.played_on))
        assert bench.now.hears_itself

    story(work)


@given(st.integers(0, 100), st.lists(st.floats(0, 10), max_size=20))
def test_a_pause_lasts_a_second_and_never_more_than_three_whatever_is_heard(since: int, steps: list[float]) -> None:
    pause, spoken_at = Pause(since=since), since - 1.0
    for step in steps:
        spoken_at += step
        at = bargein.play_on_at(pause, spoken_at)
        assert since + bargein.PATIENCE_S <= at <= since + bargein.MOST_S
    assert bargein.pause_again(pause, since + 1) is pause
    over = bargein.play_on(pause, since + 2)
    assert bargein.cuts_in(over, since + 2 + bargein.LATE_S)
    assert not bargein.cuts_in(over, since + 3 + bargein.LATE_S)
    assert bargein.pause_again(over, since + 3) == Pause(since=since + 3)
    assert not bargein.cuts_in(None, since)
