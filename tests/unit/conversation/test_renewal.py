"""Renewal, rest and resume: the rules, one step at a time."""

import pytest

from novadesk.config import BackendSettings, LimitSettings, SessionSettings, Settings
from novadesk.conversation import lifecycle as m
from novadesk.conversation.api import Phase
from novadesk.conversation.lifecycle import Lifecycle, step
from novadesk.conversation.supervisor import Policy, make_policy
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from tests.support.bench import DENIED, LOST

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
    assert m.TellBack(after_s=1.0, began_at=361.0) in actions


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


def test_keys_that_expired_while_the_link_came_about_are_renewed_at_once() -> None:
    opening = Lifecycle(phase=Phase.CONNECTING, generation=1, newest=1, opened_at=0.0)
    state, actions = step(opening, m.LinkReady(generation=1, opened_at=0.5, expires_at=9.0), 12.0, POLICY)
    assert state.expires_at == 9.0
    assert renewal_wait(actions) == 12.0 + POLICY.look_s


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


def test_a_gateway_renews_by_itself() -> None:
    policy = make_policy(Settings(backend=BackendSettings(kind=BackendKind.GATEWAY)))
    assert min(policy.renew_s, policy.force_s, policy.last_s, policy.life_s) > 365 * 86_400
    assert (policy.look_s, policy.quiet_s) == (Policy().look_s, Policy().quiet_s)
