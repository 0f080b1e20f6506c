"""The lifecycle table: every (phase, event) cell, and the stories that matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.conversation import lifecycle as m
from novadesk.conversation.api import Phase
from novadesk.conversation.lifecycle import Lifecycle, step
from novadesk.conversation.supervisor import VERDICTS, Policy, Verdict, judge
from novadesk.errors import KnownError, Reason

POLICY = Policy()
LOST = KnownError(Reason.LINK_LOST, "The connection broke.", "It comes back.")
DENIED = KnownError(Reason.ACCESS_DENIED, "Not allowed.", "Ask.")
LIMIT = KnownError(Reason.SESSION_LIMIT, "Eight minutes.", "Renewed.")

errors = st.sampled_from([None, LOST, DENIED, LIMIT])
events = st.one_of(
    st.builds(m.StartRequested),
    st.builds(m.EndRequested),
    st.builds(m.TryNowRequested),
    st.builds(m.LinkReady, generation=st.integers(0, 4), opened_at=st.floats(0, 100)),
    st.builds(m.LinkEnded, generation=st.integers(0, 4), error=errors, jitter=st.floats(0, 1)),
    st.builds(m.DeadlinePassed, jitter=st.floats(0, 1)),
    st.builds(m.RenewalDue, quiet=st.booleans(), jitter=st.floats(0, 1)),
    st.builds(m.IdleDue, quiet=st.booleans()),
    st.builds(m.NetworkChanged),
    st.builds(m.Resumed),
    st.builds(m.SpeechBegan),
    st.builds(m.SpeechEnded),
    st.builds(m.NothingSaid),
    st.builds(m.UserUnderstood),
    st.builds(m.ToolAsked),
    st.builds(m.AnswerBegan),
    st.builds(m.AnswerInterrupted),
    st.builds(m.AnswerDeclined),
    st.builds(m.AnswerFinished),
)


@st.composite
def make_state(draw: st.DrawFn) -> Lifecycle:
    """Any state that the machine can be in."""
    phase, generation = draw(st.sampled_from(Phase)), draw(st.integers(0, 3))
    newest, successor = generation, None
    if phase in m.LIVE and draw(st.booleans()):
        newest += 1
        ready_at = draw(st.none() | st.floats(0, 100))
        opened_at, proven = draw(st.floats(0, 100)), draw(st.booleans())
        successor = m.Successor(
            generation=newest, asked_at=opened_at, opened_at=opened_at, ready_at=ready_at, proven=proven
        )
    return Lifecycle(
        phase=phase,
        generation=generation,
        newest=newest,
        successor=successor,
        opened_at=draw(st.floats(0, 100)),
        expires_at=draw(st.none() | st.floats(0, 1000)),
        attempt=draw(st.integers(0, 40)),
        refused=draw(st.integers(0, 40)),
        empty_links=draw(st.integers(0, 5)),
        live_at=draw(st.none() | st.floats(0, 100)),
        retry_at=draw(st.none() | st.floats(0, 100)) if phase is Phase.RECONNECTING else None,
        lost_at=draw(st.none() | st.floats(0, 100)),
    )


states = make_state()


def run(*steps: m.Event, state: Lifecycle | None = None, now: float = 0.0) -> tuple[Lifecycle, list[m.Action]]:
    state = state or Lifecycle()
    done: list[m.Action] = []
    for event in steps:
        state, actions = step(state, event, now, POLICY)
        done += actions
    return state, done


@given(state=states, event=events, now=st.floats(0, 1000))
def test_every_cell_yields_a_sound_state(state: Lifecycle, event: m.Event, now: float) -> None:
    after, actions = step(state, event, now, POLICY)
    assert after.generation >= state.generation
    opened = [action for action in actions if isinstance(action, m.OpenLink)]
    assert len(opened) <= 1
    assert all(action.generation == after.newest > state.newest for action in opened)
    if (state.phase, type(event)) not in m._TABLE:
        assert (after, actions) == (state, ())
    waits = [action for action in actions if isinstance(action, m.WaitUntil)]
    assert all(wait.at is None or wait.at >= now for wait in waits)
    waits = [wait for wait in waits if wait.timer is m.Timer.STEP]
    if after.phase in m.OPENING and after != state:
        assert waits, "a waiting phase always has a watchdog"
        assert waits[-1].at is not None
    assert after.successor is None or after.phase in m.LIVE
    if after.phase is Phase.FAILED and state.phase is not Phase.FAILED:
        assert after.error is not None


@given(state=states, generation=st.integers(0, 9), error=errors)
def test_events_of_another_generation_change_nothing(state: Lifecycle, generation: int, error: KnownError) -> None:
    if generation in (state.generation, state.newest):
        return
    for event in (
        m.LinkReady(generation=generation, opened_at=0.0),
        m.LinkEnded(generation=generation, error=error, jitter=0.5),
    ):
        assert step(state, event, 5.0, POLICY) == (state, ())


@given(story=st.lists(events, max_size=60), concurrent=st.sampled_from([1, 2]))
def test_never_more_links_than_allowed_and_never_two_attempts(story: list[m.Event], concurrent: int) -> None:
    state, policy = Lifecycle(), Policy(concurrent=concurrent)
    opened: set[int] = set()
    for at, event in enumerate(story):
        state, actions = step(state, event, at * 20.0, policy)
        for action in actions:
            match action:
                case m.OpenLink(generation=generation):
                    opened.add(generation)
                case m.DropLink(generation=generation):
                    opened.discard(generation)
            if concurrent == 1:
                assert len(opened) <= 1
        assert len(opened) <= 2
        present = {state.generation} | ({state.successor.generation} if state.successor else set())
        assert opened <= present, "what is neither the present link nor its successor is dropped"
        if state.phase in m.OPENING:
            assert len(opened) <= 1, "at most one attempt in flight"


def test_start_opens_sound_then_link() -> None:
    state, actions = run(m.StartRequested())
    assert state.phase is Phase.CONNECTING
    assert actions[:3] == [m.OpenSound(), m.HoldMicrophone(), m.OpenLink(generation=1)]


def test_a_lost_link_waits_then_opens_once_and_says_how_long_it_took() -> None:
    live, _ = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0))
    waiting, actions = step(live, m.LinkEnded(generation=1, error=LOST, jitter=1.0), 10.0, POLICY)
    assert waiting.phase is Phase.RECONNECTING
    assert waiting.attempt == 1
    assert waiting.retry_at == pytest.approx(10.5)
    assert m.DropLink(generation=1) in actions
    assert not any(isinstance(action, m.OpenLink) for action in actions)
    opening, actions = step(waiting, m.DeadlinePassed(jitter=0.0), 10.5, POLICY)
    assert actions[0] == m.OpenLink(generation=2)
    assert step(opening, m.TryNowRequested(), 10.6, POLICY) == (opening, ())
    back, actions = step(opening, m.LinkReady(generation=2, opened_at=0.0), 14.0, POLICY)
    assert back.phase is Phase.READY
    assert (back.attempt, back.error, back.lost_at) == (0, None, None)
    assert m.TellBack(after_s=4.0, began_at=10.0) in actions
    assert m.GoLive(generation=2) in actions


def test_try_now_cuts_the_wait_short() -> None:
    live, _ = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0))
    waiting, _ = step(live, m.LinkEnded(generation=1, error=LOST, jitter=1.0), 0.0, POLICY)
    opening, actions = step(waiting, m.TryNowRequested(), 0.1, POLICY)
    assert opening.retry_at is None
    assert actions[0] == m.OpenLink(generation=2)


def test_the_eight_minute_limit_renews_at_once_but_not_for_ever() -> None:
    state, _ = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0))
    for generation in range(1, POLICY.renewals + 1):
        state, actions = step(state, m.LinkEnded(generation=generation, error=LIMIT, jitter=0.0), 0.0, POLICY)
        assert state.phase is Phase.RENEWING
        assert m.OpenLink(generation=generation + 1) in actions
        state, _ = step(state, m.LinkReady(generation=generation + 1, opened_at=0.0), 0.0, POLICY)
    state, actions = step(state, m.LinkEnded(generation=state.generation, error=LIMIT, jitter=0.0), 0.0, POLICY)
    assert state.phase is Phase.RECONNECTING
    assert not any(isinstance(action, m.OpenLink) for action in actions)


def test_an_exchange_resets_the_count_of_renewals() -> None:
    live, _ = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0))
    renewed, _ = run(
        m.LinkEnded(generation=1, error=LIMIT, jitter=0.0), m.LinkReady(generation=2, opened_at=0.0), state=live
    )
    assert renewed.empty_links == 1
    talked, _ = run(m.UserUnderstood(), m.AnswerBegan(), m.AnswerFinished(), state=renewed)
    assert talked.empty_links == 0


def test_a_link_that_breaks_at_once_has_not_ended_the_outage() -> None:
    live, _ = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0))
    waiting, _ = step(live, m.LinkEnded(generation=1, error=LOST, jitter=0.0), 100.0, POLICY)
    opening, _ = step(waiting, m.DeadlinePassed(jitter=0.0), 101.0, POLICY)
    back, actions = step(opening, m.LinkReady(generation=2, opened_at=101.0), 102.0, POLICY)
    assert m.TellBack(after_s=2.0, began_at=100.0) in actions
    again, _ = step(back, m.LinkEnded(generation=2, error=LOST, jitter=0.0), 102.0 + POLICY.proof_s / 2, POLICY)
    assert again.lost_at == 100.0
    other, _ = step(back, m.LinkEnded(generation=2, error=LOST, jitter=0.0), 102.0 + POLICY.proof_s, POLICY)
    assert other.lost_at == 102.0 + POLICY.proof_s


def test_what_only_the_person_can_mend_fails_and_releases_the_devices() -> None:
    state, actions = run(m.StartRequested(), m.LinkEnded(generation=1, error=DENIED, jitter=0.0))
    assert state.phase is Phase.FAILED
    assert state.error is DENIED
    assert m.CloseSound() in actions
    again, actions = run(m.TryNowRequested(), state=state)
    assert again.phase is Phase.CONNECTING
    assert m.OpenLink(generation=2) in actions
    _, actions = step(again, m.LinkReady(generation=2, opened_at=0.0), 90.0, POLICY)
    assert m.TellBack(after_s=90.0, began_at=0.0) in actions, "the outage is over only now"


def test_a_mute_service_is_given_up() -> None:
    connecting, _ = run(m.StartRequested())
    state, actions = step(connecting, m.DeadlinePassed(jitter=0.0), POLICY.connect_s, POLICY)
    assert state.phase is Phase.RECONNECTING
    assert state.error is not None
    assert state.error.reason is Reason.TIMED_OUT
    assert m.DropLink(generation=1) in actions


def test_one_exchange_walks_through_its_phases() -> None:
    state, _ = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0))
    seen = []
    for event in (
        m.SpeechBegan(),
        m.SpeechEnded(),
        m.UserUnderstood(),
        m.AnswerBegan(),
        m.AnswerInterrupted(),
        m.SpeechBegan(),
        m.SpeechEnded(),
        m.ToolAsked(),
        m.AnswerBegan(),
        m.AnswerFinished(),
    ):
        state, _ = step(state, event, 1.0, POLICY)
        seen.append(state.phase.value)
    assert seen == [
        "listening", "thinking", "thinking", "speaking", "interrupted", "listening", "thinking", "tool", "speaking",
        "ready",
    ]  # fmt: skip


def test_an_unanswered_question_does_not_wait_for_ever() -> None:
    state, actions = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0), m.SpeechBegan(), m.SpeechEnded())
    assert m.WaitUntil(at=POLICY.answer_s) in actions
    state, _ = step(state, m.DeadlinePassed(jitter=0.0), POLICY.answer_s, POLICY)
    assert state.phase is Phase.READY


def test_end_says_goodbye_and_releases_everything() -> None:
    live, _ = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0))
    ended, actions = run(m.EndRequested(), state=live)
    assert ended.phase is Phase.ENDED
    assert m.DropLink(generation=1, goodbye=True) in actions
    assert m.CloseSound() in actions
    assert run(m.LinkEnded(generation=1, error=LOST, jitter=0.0), state=ended) == (ended, [])


@given(attempt=st.integers(1, 200), jitter=st.floats(0, 1))
def test_backoff_stays_within_its_bounds(attempt: int, jitter: float) -> None:
    assert 0.5 <= POLICY.wait_s(attempt, jitter) <= 30.0


def test_backoff_grows_to_its_ceiling() -> None:
    waits = [POLICY.wait_s(attempt, 1.0) for attempt in range(1, 10)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@pytest.mark.parametrize(("reason", "verdict"), list(VERDICTS.items()))
def test_each_row_of_the_verdicts_is_obeyed(reason: Reason, verdict: Verdict) -> None:
    error = KnownError(reason, "Something.", "Something.")
    live, _ = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0))
    state, _ = step(live, m.LinkEnded(generation=1, error=error, jitter=0.5), 0.0, POLICY)
    expected = {Verdict.RENEW: Phase.RENEWING, Verdict.RETRY: Phase.RECONNECTING, Verdict.FAIL: Phase.FAILED}
    assert state.phase is expected[verdict]


def test_a_link_that_ends_without_an_error_is_renewed_and_an_unlisted_one_fails() -> None:
    assert judge(None) is Verdict.RENEW
    assert judge(KnownError(Reason.DISK_FULL, "x", "y")) is Verdict.FAIL


MEANINGS = {
    Verdict.RENEW: "SESSION_LIMIT INPUT_SILENCE STREAM_CLOSED",
    Verdict.RETRY: "UNREACHABLE LINK_LOST TIMED_OUT UNSTABLE THROTTLED UNAVAILABLE PROTOCOL_ORDER BAD_EVENT_BYTES"
    " PRACTICE_FAILED",
    Verdict.FAIL: "QUOTA TLS_REFUSED PROXY_REFUSED NO_CREDENTIALS CREDENTIALS_EXPIRED ACCESS_DENIED BAD_SIGNATURE"
    " MODEL_NOT_FOUND BAD_REQUEST BAD_REGION BAD_SETTINGS BAD_MODEL PRACTICE_PARTS_MISSING SESSION_TAKEN"
    " SIGN_IN_FAILED KEYRING_ABSENT",
}


def test_who_asks_to_be_left_alone_for_a_while_is() -> None:
    error = KnownError(Reason.THROTTLED, "Something.", "Something.").after(70)
    live, _ = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0))
    state, _ = step(live, m.LinkEnded(generation=1, error=error, jitter=0.5), 5.0, POLICY)
    assert state.retry_at == 75.0


def test_what_each_reason_means_is_written_twice() -> None:
    expected = {Reason[name]: verdict for verdict, names in MEANINGS.items() for name in names.split()}
    assert expected == VERDICTS


@pytest.mark.parametrize("phase", [Phase.THINKING, Phase.TOOL, Phase.INTERRUPTED])
def test_no_phase_of_an_exchange_waits_for_ever(phase: Phase) -> None:
    begun = {
        Phase.THINKING: [m.SpeechBegan(), m.SpeechEnded()],
        Phase.TOOL: [m.SpeechBegan(), m.SpeechEnded(), m.ToolAsked()],
        Phase.INTERRUPTED: [m.UserUnderstood(), m.AnswerBegan(), m.AnswerInterrupted()],
    }[phase]
    state, actions = run(m.StartRequested(), m.LinkReady(generation=1, opened_at=0.0), *begun)
    assert state.phase is phase
    waits = [action for action in actions if isinstance(action, m.WaitUntil) and action.timer is m.Timer.STEP]
    assert waits[-1].at == POLICY.answer_s
    state, _ = step(state, m.DeadlinePassed(jitter=0.0), POLICY.answer_s, POLICY)
    assert state.phase is Phase.READY


@given(attempt=st.integers(1, 30))
def test_the_jitter_spreads_every_wait_over_half_of_it(attempt: int) -> None:
    shortest, longest = POLICY.wait_s(attempt, 0.0), POLICY.wait_s(attempt, 1.0)
    assert shortest == max(longest / 2, 0.5)
    assert shortest <= POLICY.wait_s(attempt, 0.5) <= longest
