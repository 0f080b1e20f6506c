"""What is said while an answer is played: it pauses, plays on when nothing comes of it, and ends when words do."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.config import EchoSetting
from novadesk.conversation import bargein, echolevel
from novadesk.conversation.api import Phase, TalkMode
from novadesk.conversation.bargein import Pause
from novadesk.conversation.controller import WATCH_S
from novadesk.conversation.echolevel import EchoLevel
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
        bench.controller.use_echo(EchoSetting.SPEAKERS)
        await answering(bench)
        await hear_itself(bench)
        assert bench.now.hears_itself
        assert advice(bench) == ["NovaDesk seems to hear its own voice. Use a headset, or turn the volume down."]

    story(work)


async def hear_itself(bench: Bench) -> None:
    """Let the service take an answer for the person's words."""
    before = len(bench.now.turns)
    for heard in ("once upon a time there was a fox", "and a hare and nothing else at all"):
        bench.linker.newest.user_said(heard)
    await bench.until(lambda: len(bench.now.turns) == before + 2)


def advice(bench: Bench) -> list[str]:
    return [line for line in bench.now.notices if "own voice" in line]


def test_advice_follows_what_is_done_about_the_echo_and_is_given_anew_when_that_does_not_help() -> None:
    async def work(bench: Bench) -> None:
        bench.controller.use_echo(EchoSetting.SPEAKERS)
        await answering(bench)
        bench.controller.use_echo(EchoSetting.HEADSET)
        await hear_itself(bench)
        assert bench.now.echo is EchoSetting.HEADSET
        assert [line.split(". ")[1] for line in advice(bench)] == ["Use a headset, or choose Speakers in Settings."]
        bench.controller.use_echo(EchoSetting.HEADSET)
        assert bench.now.hears_itself, "nothing changed"
        bench.controller.use_echo(EchoSetting.HALF_DUPLEX)
        assert (bench.now.echo, bench.now.hears_itself) == (EchoSetting.HALF_DUPLEX, False)
        assert bench.now.notices[-1] == "You take turns now: NovaDesk does not listen while it speaks."
        bench.controller.use_echo(EchoSetting.SPEAKERS)
        assert sum("take turns" in line for line in bench.now.notices) == 1

    story(work)


def test_an_echo_far_above_the_voice_is_told_once_with_its_figure() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        told = (
            "The speaker reaches the microphone 14 dB louder than your voice. Turn the volume down, or use a headset."
        )
        for number in range(20):
            assert bench.now.loud_echo_db is None or number >= echolevel.LOOKS
            bench.echo_over_voice_db = 14.0 + number / 100
            await asyncio.sleep(WATCH_S)
        assert list(bench.now.notices) == [told]
        assert bench.now.loud_echo_db == pytest.approx(14, abs=0.1)
        bench.controller.use_echo(EchoSetting.HALF_DUPLEX)
        assert bench.now.loud_echo_db is None, "whether that helps is to be heard"

    story(work)


@pytest.mark.parametrize(
    ("figures", "found"),
    [
        ([11.0, 12.0, 11.0, 12.0, 11.0], True),
        ([11.0, 12.0, 11.0, 12.0], False),
        ([11.0, 11.0, 11.0, 11.0, 11.0, 11.0], False),  # one bang, and silence after it
        ([11.0, 12.0, 11.0, 9.0, 11.0, 12.0, 11.0], False),
        ([11.0, 12.0, 0.0, 12.0, 11.0, 13.0], False),
        ([9.0, 9.9, 9.0, 9.9, 9.0, 9.9], False),
        ([-14.0, 11.0, 11.0, 12.0, 12.0, 13.0, 14.0, 15.0], True),
    ],
)
def test_an_echo_is_loud_when_it_stays_so_while_it_is_measured(figures: list[float], found: bool) -> None:
    level = EchoLevel()
    assert any([level.look(figure) for figure in figures]) is found
    assert (level.found_db is not None) is found


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
