"""Whole conversations across renewal, loss, rest and sleep, on virtual time."""

import asyncio

import pytest

from novadesk.config import LimitSettings, SessionSettings
from novadesk.conversation.api import RENEWED, MicrophoneState, Phase, TalkMode
from novadesk.conversation.supervisor import Policy
from novadesk.errors import KnownError, Reason
from tests.support.bench import DENIED, LOST, VOICE, Bench, exchange, story
from tests.support.virtual_loop import LoopClock

pytestmark = pytest.mark.thorough

POLICY = Policy()
LIMIT = KnownError(Reason.SESSION_LIMIT, "The session is over.", "It is renewed.")
NEVER = SessionSettings(idle_s=0.0)


@pytest.mark.parametrize(("limit_s", "renewals"), [(480.0, 2), (48.0, 6)])
def test_an_idle_conversation_is_renewed_before_every_limit_and_nobody_notices(limit_s: float, renewals: int) -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        for _ in range(renewals):
            await asyncio.sleep(0.76 * limit_s)
            assert bench.now.phase is Phase.READY
            assert sum(not link.closed for link in bench.linker.links) == 1
        assert bench.now.renewals == len(bench.linker.links) - 1 == renewals
        assert bench.now.notices == (RENEWED,), "once, however often"
        assert bench.now.reconnects == 0
        for link in bench.linker.links[1:]:
            assert [message.text for message in link.history()] == ["one", "Two."]
            assert link.typed() == []
        for link in bench.linker.links[:-1]:
            assert link.finished, "ended in order"

    story(work, session=NEVER, limits=LimitSettings(connection_s=limit_s))


def test_a_sentence_across_a_forced_hand_over_is_heard_without_a_hole() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.press_talk()
        sent = []
        for number in range(int(47 / 0.032)):
            frame = number.to_bytes(4, "big") * 256
            sent.append(number)
            assert bench.sound.listener is not None
            bench.sound.listener.on_frame(frame, 0.2)
            await asyncio.sleep(0.032)
        assert bench.now.renewals == 1
        old, new = (numbers(link.heard()) for link in bench.linker.links)
        assert sorted({*old, *new}) == sent
        overlap = {*old} & {*new}
        assert 0 < len(overlap) <= 94
        assert new == sorted(new)
        assert bench.now.lost_s == 0.0

    story(work, limits=LimitSettings(connection_s=48.0))


def numbers(pcm: bytes) -> list[int]:
    frames = [pcm[at : at + 1024] for at in range(0, len(pcm), 1024)]
    return [int.from_bytes(frame[:4], "big") for frame in frames if frame == frame[:4] * 256]


def test_an_answer_is_not_cut_by_a_renewal() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await asyncio.sleep(359)
        bench.linker.newest.user_said("tell me a long story")
        link = bench.linker.newest
        link.plan("Once upon a time.")
        link.speak(24_000, last=False)
        await asyncio.sleep(5)
        assert len(bench.linker.links) == 2, "the successor is ready"
        assert bench.now.phase is Phase.SPEAKING
        link.speak(24_000, last=True)
        link.spoken("Once upon a time.", last=True)
        await asyncio.sleep(1)
        assert not link.closed
        bench.sound.play_out()
        await bench.until(lambda: bench.now.renewals == 1 and bench.linker.newest.listening)
        assert bench.sound.flushes == []
        assert [message.text for message in bench.linker.newest.history()] == [
            "tell me a long story",
            "Once upon a time.",
        ]

    story(work, session=NEVER)


def test_a_played_answer_whose_text_is_not_confirmed_yet_is_waited_for() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await asyncio.sleep(359)
        link = bench.linker.newest
        link.user_said("tell me")
        link.plan("Answer number four.")
        link.speak(2_400, last=True)
        await asyncio.sleep(0.5)
        bench.sound.play_out()
        await asyncio.sleep(5)
        assert bench.now.renewals == 0
        link.spoken("Answer number four.", last=True)
        await bench.until(lambda: bench.now.renewals == 1, most_s=2)
        assert bench.texts[-1] == ("assistant", "Answer number four.")
        assert not bench.now.turns[-1].unconfirmed

    story(work, session=NEVER)


def test_an_answer_that_was_cut_off_holds_up_no_renewal() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await asyncio.sleep(350)
        link = bench.linker.newest
        link.user_said("tell me")
        link.plan("Part one.")
        link.plan("Part two.")
        link.speak(24_000, last=False)
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.sound.play_out()
        link.interrupt()
        link.user_said("stop")
        link.answer("Fine.")
        await bench.until(lambda: len(bench.now.turns) == 4)
        bench.sound.play_out()
        await asyncio.sleep(15)
        assert bench.now.renewals == 1

    story(work, session=NEVER)


def test_what_arrived_of_an_answer_is_played_though_its_link_dies_and_is_kept_as_heard() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        link = bench.linker.newest
        link.user_said("tell me")
        link.plan("All of this was sent.")
        link.speak(24_000, last=False)
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        link.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2)
        await bench.until(lambda: bench.linker.newest.listening)
        assert bench.sound.flushes == []
        assert bench.now.phase is Phase.SPEAKING
        assert [message.text for message in bench.linker.newest.history()] == ["tell me", "All of this was sent."]
        assert bench.linker.newest.typed() == [], "it is being answered"
        bench.sound.play_out()
        await bench.until(lambda: bench.now.phase is Phase.READY and len(bench.now.turns) == 2)
        assert bench.texts[-1] == ("assistant", "All of this was sent.")
        assert bench.now.turns[-1].unconfirmed

    story(work)


def test_a_question_that_was_understood_as_its_link_died_is_asked_again_once() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.press_talk()
        bench.sound.talk(20)
        bench.controller.release_talk()
        bench.linker.newest.user_said("what time is it")
        await bench.until(lambda: len(bench.now.turns) == 1)
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.typed() == ["what time is it"])
        assert bench.linker.newest.history() == (), "not told and asked at once"
        assert VOICE not in bench.linker.newest.heard(), "the service has understood that sound"
        bench.linker.newest.answer("Nine.")
        await bench.until(lambda: len(bench.now.turns) == 2)
        bench.sound.play_out()

    story(work)


def test_a_question_whose_answer_began_but_was_never_heard_is_asked_again() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.say("what time is it")
        await bench.until(lambda: bench.linker.newest.typed() == ["what time is it"])
        bench.linker.newest.plan("Nine.")
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.typed() == ["what time is it"])
        bench.linker.newest.answer("Ten.")
        await bench.until(lambda: len(bench.now.turns) == 2)
        bench.sound.play_out()
        await bench.until(lambda: bench.now.phase is Phase.READY)
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 3 and bench.linker.newest.listening)
        await asyncio.sleep(1)
        assert bench.linker.newest.typed() == []

    story(work)


def test_a_sentence_on_a_dying_link_is_heard_whole_by_the_next_one() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.press_talk()
        bench.sound.talk(40)
        bench.linker.newest.end(LOST)
        await asyncio.sleep(0.1)
        bench.sound.talk(30)
        bench.controller.release_talk()
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        await asyncio.sleep(0.1)
        assert bench.linker.newest.heard().count(VOICE) == 70
        assert bench.now.phase is Phase.THINKING
        assert bench.now.lost_s == 0.0

    story(work)


def test_speech_beyond_what_is_kept_is_counted_and_said() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.newest.end(LOST)
        await asyncio.sleep(0.1)
        bench.controller.press_talk()
        bench.sound.talk(94 + 50)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        assert bench.now.lost_s == pytest.approx(1.6)
        assert "1.6 s of what you said were lost." in bench.now.notices[-1]

    story(work)


def test_what_is_lost_before_the_first_link_is_said_then_and_not_later() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await bench.controller.end()
        bench.linker.mutes = [True]
        bench.controller.press_talk()
        await asyncio.sleep(0.1)
        bench.sound.talk(94 + 25)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        assert sum("0.8 s of what you said were lost." in line for line in bench.now.notices) == 1
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 3 and bench.linker.newest.listening)
        assert bench.now.notices[-1].startswith("Back after 1 s.")
        assert "lost" not in bench.now.notices[-1]

    story(work)


def test_an_outage_of_many_attempts_is_told_in_one_line_also_when_the_person_had_to_help() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        bench.linker.refusals = [LOST] * 6 + [DENIED]
        bench.linker.newest.end(LOST)
        await bench.until(lambda: bench.now.phase is Phase.FAILED, most_s=200)
        assert bench.now.notices == ()
        bench.controller.try_now()
        await bench.ready()
        assert len(bench.now.notices) == 1
        assert "2 turns carried over." in bench.now.notices[0]

    story(work)


def test_an_answer_that_waits_for_the_speaker_outlives_two_links() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.say("what time is it")
        await bench.until(lambda: bench.linker.newest.typed() == ["what time is it"])
        bench.linker.newest.plan("Nine.")
        bench.linker.newest.speak(24_000, last=False)
        await bench.until(lambda: bench.now.phase is Phase.SPEAKING)
        for links in (2, 3):
            bench.linker.newest.end(LIMIT)
            await bench.until(lambda links=links: len(bench.linker.links) == links and bench.linker.newest.listening)
        bench.sound.play_out()
        await bench.until(lambda: len(bench.now.turns) == 2)
        assert bench.texts[-1] == ("assistant", "Nine.")

    story(work)


def test_five_quiet_minutes_end_the_session_and_release_the_microphone_until_somebody_talks() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        await asyncio.sleep(200)
        await exchange(bench, "three", "Four.")
        await asyncio.sleep(290)
        assert bench.now.phase is Phase.READY
        await asyncio.sleep(20)
        assert bench.now.phase is Phase.IDLE
        assert bench.now.microphone is MicrophoneState.ABSENT
        assert bench.sound.listener is None
        assert all(link.closed for link in bench.linker.links)
        assert "Resting after 5 min" in bench.now.notices[-1]
        await asyncio.sleep(8 * 3600)
        links = len(bench.linker.links)
        bench.controller.press_talk()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        bench.sound.talk(5)
        await bench.until(lambda: len(bench.linker.links) == links + 1 and bench.linker.newest.listening)
        await asyncio.sleep(0.1)
        assert bench.linker.newest.heard().count(VOICE) == 5, "audio from the press on"
        assert [message.text for message in bench.linker.newest.history()] == ["one", "Two.", "three", "Four."]

    story(work)


def test_typed_text_wakes_a_resting_conversation() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await asyncio.sleep(301)
        assert bench.now.phase is Phase.IDLE
        bench.controller.say("are you there")
        await bench.until(lambda: bench.linker.newest.typed() == ["are you there"])

    story(work)


def test_a_service_that_is_gone_all_night_does_not_keep_the_microphone() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.linker.refusals = [LOST] * 10_000
        bench.linker.newest.end(LOST)
        await asyncio.sleep(12 * 3600)
        assert bench.now.phase is Phase.IDLE
        assert bench.sound.listener is None
        assert len(bench.linker.links) < 30

    story(work)


def test_both_links_may_die_at_once() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        bench.controller.press_talk()
        await asyncio.sleep(361)
        live_link, successor = bench.linker.links
        live_link.end(LOST)
        successor.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 3 and bench.linker.newest.listening)
        assert [message.text for message in bench.linker.newest.history()] == ["one", "Two."]

    story(work, session=NEVER)


def test_an_endless_answer_is_left_behind_at_last_and_nobody_speaks_for_ever() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await asyncio.sleep(350)
        link = bench.linker.links[0]
        link.user_said("go on")
        while bench.now.renewals == 0:
            link.plan("And so.")
            link.speak(24_000, last=False)
            await asyncio.sleep(1)
            bench.sound.play_out()
        assert asyncio.get_running_loop().time() == pytest.approx(POLICY.last_s, abs=2)
        await bench.until(lambda: bench.now.phase is Phase.READY and len(bench.now.turns) == 2, most_s=1)
        assert bench.now.turns[-1].unconfirmed

    story(work, session=NEVER)


def test_keys_of_ten_minutes_are_renewed_before_they_expire() -> None:
    async def work(bench: Bench) -> None:
        first_ms = LoopClock().unix_ms()
        bench.linker.expiries_ms = [first_ms + 200_000, first_ms + 800_000]
        bench.controller.connect()
        await bench.ready()
        await asyncio.sleep(60)
        assert bench.now.renewals == 1
        assert bench.now.phase is Phase.READY

    story(work, session=NEVER)


def test_hands_free_hands_over_only_after_a_pause() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.set_talk_mode(TalkMode.HANDS_FREE)
        for at in range(370 * 4):
            assert bench.sound.listener is not None
            bench.sound.listener.on_frame(VOICE, 0.2)
            await asyncio.sleep(0.25)
            assert bench.now.renewals == 0, at
        for _ in range(20):
            bench.sound.listener.on_frame(VOICE, 0.001)
            await asyncio.sleep(0.25)
        assert bench.now.renewals == 1

    story(work, session=NEVER)


def test_resuming_from_sleep_replaces_the_link_at_once() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        bench.controller.on_resumed()
        await bench.until(lambda: len(bench.linker.links) == 2, most_s=0.2)
        await bench.ready()
        assert bench.now.notices[-1] == "Back after 1 s. 2 turns carried over."

    story(work)


def test_speech_into_a_connection_that_was_dead_already_is_counted_as_lost() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.press_talk()
        assert bench.sound.listener is not None
        for _ in range(round(7 / 0.032)):
            bench.sound.listener.on_frame(VOICE, 0.2)
            await asyncio.sleep(0.032)
        bench.linker.newest.unheard_s = 7.0
        bench.linker.newest.end(LOST)
        await bench.until(lambda: len(bench.linker.links) == 2 and bench.linker.newest.listening)
        assert bench.now.lost_s == pytest.approx(4.0, abs=0.1)
        assert "of what you said were lost" in bench.now.notices[-1]

    story(work)
