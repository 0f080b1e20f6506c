"""Renewal, rest and resume: the rules as a table, and whole conversations on virtual time."""

import asyncio

import pytest

from novadesk.config import LimitSettings, SessionSettings, Settings
from novadesk.conversation import lifecycle as m
from novadesk.conversation.api import MicrophoneState, Phase, TalkMode
from novadesk.conversation.lifecycle import Lifecycle, step
from novadesk.conversation.supervisor import Policy, make_policy
from novadesk.conversation.toolbox import Toolbox
from novadesk.errors import KnownError, Reason
from novadesk.protocol.events import ToolSpec
from tests.support.bench import DENIED, LOST, VOICE, Bench, exchange, story
from tests.support.virtual_loop import LoopClock

POLICY = Policy()
LIMIT = KnownError(Reason.SESSION_LIMIT, "The session is over.", "It is renewed.")
NEVER = SessionSettings(idle_s=0.0)


def live(phase: Phase = Phase.READY, **values: object) -> Lifecycle:
    return Lifecycle(**({"phase": phase, "generation": 1, "newest": 1, "live_at": 0.0} | values))  # type: ignore[arg-type]


def renewal_wait(actions: tuple[m.Action, ...]) -> float | None:
    (wait,) = [a for a in actions if isinstance(a, m.WaitUntil) and a.timer is m.Timer.RENEWAL]
    return wait.at


def prepared(phase: Phase) -> Lifecycle:
    return live(
        phase,
        newest=2,
        successor=m.Successor(generation=2, asked_at=360.0, opened_at=360.0, ready_at=360.1, proven=True),
    )


# --- the rules -------------------------------------------------------------------------------


def test_the_successor_is_opened_at_six_minutes_and_nothing_else_changes() -> None:
    opening = Lifecycle(phase=Phase.CONNECTING, generation=1, newest=1, opened_at=10.0)
    ready, actions = step(opening, m.LinkReady(generation=1, opened_at=10.0), 12.0, POLICY)
    assert renewal_wait(actions) == 370.0
    after, actions = step(ready, m.RenewalDue(quiet=True, jitter=0.0), 370.0, POLICY)
    assert after.phase is Phase.READY
    assert actions[0] == m.OpenLink(generation=2)
    assert not any(isinstance(action, m.DropLink) for action in actions)


@pytest.mark.parametrize("phase", sorted(m.LIVE, key=lambda phase: phase.value))
@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize("age_s", [361.0, 441.0, 466.0])
def test_the_hand_over_waits_for_a_quiet_moment_then_for_the_end_of_an_exchange_then_for_nothing(
    phase: Phase, quiet: bool, age_s: float
) -> None:
    state, actions = step(prepared(phase), m.RenewalDue(quiet=quiet, understood=not quiet, jitter=0.0), age_s, POLICY)
    handed = m.GoLive(generation=2) in actions
    assert (
        handed
        is {
            361.0: phase is Phase.READY and quiet,
            441.0: phase is Phase.READY or (phase is Phase.THINKING and not quiet),
            466.0: True,
        }[age_s]
    )
    if handed:
        assert actions.index(m.GoLive(generation=2)) < actions.index(m.DropLink(generation=1, goodbye=True))
        assert state.generation == 2
        assert state.successor is None
        assert state.phase is (Phase.THINKING if phase is Phase.TOOL else phase)
        assert renewal_wait(actions) == 360.0 + POLICY.renew_s
    else:
        assert renewal_wait(actions) == age_s + POLICY.look_s


def test_a_successor_that_does_not_come_about_is_tried_again_and_the_live_link_stays() -> None:
    state = live(newest=2, successor=m.Successor(generation=2, asked_at=360.0, opened_at=360.0))
    for error in (LOST, DENIED, LIMIT, None):
        after, actions = step(state, m.LinkEnded(generation=2, error=error, jitter=1.0), 361.0, POLICY)
        assert after.phase is Phase.READY
        assert after.error is None
        assert after.successor is None
        assert m.DropLink(generation=2) in actions
        assert renewal_wait(actions) == 361.5
    late, actions = step(state, m.RenewalDue(quiet=True, jitter=1.0), 360.0 + POLICY.connect_s, POLICY)
    assert late.successor is None
    assert m.DropLink(generation=2) in actions


def test_a_live_link_that_dies_is_followed_by_its_successor_at_once() -> None:
    state, actions = step(prepared(Phase.LISTENING), m.LinkEnded(generation=1, error=DENIED, jitter=0.0), 362.0, POLICY)
    assert state.phase is Phase.LISTENING
    assert state.generation == 2
    assert m.GoLive(generation=2) in actions


def test_a_live_link_that_dies_while_its_successor_opens_waits_for_that_one() -> None:
    state = live(newest=2, successor=m.Successor(generation=2, asked_at=360.0, opened_at=360.0))
    state, actions = step(state, m.LinkEnded(generation=1, error=LOST, jitter=0.0), 361.0, POLICY)
    assert state.phase is Phase.RENEWING
    assert state.generation == 2
    assert not any(isinstance(action, m.OpenLink) for action in actions), "one attempt is in flight"
    assert m.HoldMicrophone() in actions
    state, actions = step(state, m.LinkReady(generation=2, opened_at=0.0), 362.0, POLICY)
    assert state.phase is Phase.READY
    assert m.TellBack(after_s=1.0) in actions


def test_keys_that_expire_bring_the_renewal_forward() -> None:
    opening = Lifecycle(phase=Phase.CONNECTING, generation=1, newest=1, opened_at=0.0)
    state, actions = step(opening, m.LinkReady(generation=1, opened_at=0.0, expires_at=300.0), 1.0, POLICY)
    assert renewal_wait(actions) == 300.0 - POLICY.expiry_s
    _, actions = step(opening, m.LinkReady(generation=1, opened_at=0.0, expires_at=61.0), 1.0, POLICY)
    assert renewal_wait(actions) == 31.0, "half of what is left"
    state, _ = step(state, m.RenewalDue(quiet=True, jitter=0.0), 120.0, POLICY)
    state, _ = step(state, m.LinkReady(generation=2, opened_at=120.0, expires_at=3720.0), 121.0, POLICY)
    state, actions = step(state, m.RenewalDue(quiet=True, jitter=0.0), 121.0, POLICY)
    assert state.expires_at == 3720.0
    assert renewal_wait(actions) == 120.0 + POLICY.renew_s


def test_with_one_session_at_a_time_the_old_one_ends_first() -> None:
    policy = Policy(concurrent=1)
    busy, actions = step(live(Phase.THINKING), m.RenewalDue(quiet=True, jitter=0.0), 361.0, policy)
    assert busy.phase is Phase.THINKING
    assert actions == (m.WaitUntil(at=361.25, timer=m.Timer.RENEWAL),)
    state, actions = step(live(), m.RenewalDue(quiet=True, jitter=0.0), 361.0, policy)
    assert state.phase is Phase.RENEWING
    assert actions.index(m.DropLink(generation=1, goodbye=True)) < actions.index(m.OpenLink(generation=2))
    assert m.HoldMicrophone() in actions


def test_a_shorter_limit_shortens_every_age_alike() -> None:
    policy = make_policy(Settings(limits=LimitSettings(connection_s=48.0), session=SessionSettings(concurrent=1)))
    assert (policy.life_s, policy.renew_s, policy.force_s, policy.last_s) == pytest.approx((48.0, 36.0, 44.0, 46.5))
    assert policy.concurrent == 1


def test_rest_ends_everything_and_a_wish_begins_anew() -> None:
    state, actions = step(prepared(Phase.READY), m.IdleDue(quiet=True), 400.0, POLICY)
    assert state.phase is Phase.IDLE
    for expected in (m.DropLink(generation=1, goodbye=True), m.DropLink(generation=2, goodbye=True), m.CloseSound()):
        assert expected in actions
    assert all(m.WaitUntil(at=None, timer=timer) in actions for timer in m.Timer)
    state, actions = step(state, m.StartRequested(), 500.0, POLICY)
    assert m.OpenLink(generation=state.generation) in actions
    assert state.generation > 2, "events of the sessions before are late"


@pytest.mark.parametrize("phase", [Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.INTERRUPTED])
def test_nobody_rests_in_the_middle_of_an_exchange_and_the_timer_goes_on(phase: Phase) -> None:
    again = m.WaitUntil(at=400.0 + POLICY.idle_s, timer=m.Timer.IDLE)
    assert step(live(phase), m.IdleDue(quiet=True), 400.0, POLICY) == (live(phase), (again,))


@pytest.mark.parametrize("phase", [Phase.READY, Phase.LISTENING, *sorted(m.OPENING, key=lambda phase: phase.value)])
def test_who_speaks_is_not_cut_off_by_rest(phase: Phase) -> None:
    again = m.WaitUntil(at=400.0 + POLICY.look_s, timer=m.Timer.IDLE)
    assert step(live(phase), m.IdleDue(quiet=False), 400.0, POLICY) == (live(phase), (again,))
    assert step(live(phase), m.IdleDue(quiet=True), 400.0, POLICY)[0].phase is Phase.IDLE


def test_a_mute_successor_replaces_a_living_link_at_the_very_last_only() -> None:
    mute = m.Successor(generation=2, asked_at=360.0, opened_at=360.0, ready_at=366.0)
    state = live(newest=2, successor=mute)
    for now, handed in ((367.0, False), (445.0, False), (466.0, True)):
        _, actions = step(state, m.RenewalDue(quiet=True, jitter=0.0), now, POLICY)
        assert (m.GoLive(generation=2) in actions) is handed


def test_keys_that_are_still_the_same_bring_no_storm() -> None:
    state = Lifecycle(phase=Phase.READY, generation=1, newest=1, live_at=0.0, expires_at=200.0)
    now, opened = 20.0, 0
    while now < 200.0:
        state, actions = step(state, m.RenewalDue(quiet=True, jitter=0.5), now, POLICY)
        opened += sum(isinstance(action, m.OpenLink) for action in actions)
        ready = m.LinkReady(generation=state.newest, opened_at=now, expires_at=200.0)
        state, actions = step(state, ready, now, POLICY)
        assert not any(isinstance(action, m.GoLive) for action in actions)
        now = renewal_wait(actions) or 1_000.0
    assert opened < 15
    assert state.generation == 1


def test_a_new_network_gives_up_an_attempt_and_begins_the_backoff_anew() -> None:
    stuck = Lifecycle(phase=Phase.RECONNECTING, generation=7, newest=7, attempt=6, lost_at=1.0)
    state, actions = step(stuck, m.NetworkChanged(), 60.0, POLICY)
    assert state.attempt == 0
    assert actions[:2] == (m.DropLink(generation=7), m.OpenLink(generation=8))
    waiting = Lifecycle(phase=Phase.RECONNECTING, generation=7, newest=7, attempt=6, retry_at=80.0)
    _, actions = step(waiting, m.NetworkChanged(), 60.0, POLICY)
    assert actions[0] == m.OpenLink(generation=8)
    assert step(live(), m.NetworkChanged(), 60.0, POLICY) == (live(), ())


def test_no_link_outlives_the_computers_sleep() -> None:
    state, actions = step(prepared(Phase.SPEAKING), m.Resumed(), 4000.0, POLICY)
    assert state.phase is Phase.RENEWING
    assert actions[:4] == (
        m.HoldMicrophone(),
        m.DropLink(generation=1),
        m.DropLink(generation=2),
        m.OpenLink(generation=3),
    )


# --- conversations ---------------------------------------------------------------------------


def test_an_idle_conversation_is_renewed_before_the_limit_for_hours_and_nobody_notices() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        await exchange(bench, "one", "Two.")
        for _ in range(20):
            await asyncio.sleep(365)
            assert bench.now.phase is Phase.READY
            assert sum(not link.closed for link in bench.linker.links) == 1
        assert bench.now.renewals == len(bench.linker.links) - 1 == 20
        assert bench.now.notices == ()
        assert bench.now.reconnects == 0
        for link in bench.linker.links[1:]:
            assert [message.text for message in link.history()] == ["one", "Two."]
            assert link.typed() == []
        for link in bench.linker.links[:-1]:
            assert link.finished, "ended in order"

    story(work, session=NEVER)


def test_a_sentence_across_a_forced_hand_over_is_heard_without_a_hole() -> None:
    async def work(bench: Bench) -> None:
        await bench.ready()
        bench.controller.press_talk()
        sent = []
        for number in range(int(470 / 0.032)):
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

    story(work)


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


# --- what a hostile reader tried -------------------------------------------------------------


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
