"""The machine across wire sessions: `step(state, event, now) -> (state, actions)`; a table, no I/O, no clock.

What is not in the table changes nothing: wishes that make no sense in a phase are ignored, and events of a link that
is neither the present one nor its successor have nowhere to go.
"""

from collections.abc import Callable
from dataclasses import replace

from novadesk.conversation.api import Phase
from novadesk.conversation.lifecycle_values import (
    LIVE,
    OPENING,
    Action,
    AnswerBegan,
    AnswerDeclined,
    AnswerFinished,
    AnswerInterrupted,
    CloseSound,
    DeadlinePassed,
    DropLink,
    EndRequested,
    Event,
    FlushSpeaker,
    GoLive,
    HoldMicrophone,
    IdleDue,
    Lifecycle,
    LinkEnded,
    LinkReady,
    NetworkChanged,
    NothingSaid,
    OpeningChanged,
    OpenLink,
    OpenSound,
    PauseRequested,
    RenewalDue,
    Resumed,
    SpeechBegan,
    SpeechEnded,
    StartRequested,
    Step,
    Successor,
    Tell,
    TellBack,
    TellRenewed,
    Timer,
    ToolAsked,
    TryNowRequested,
    UserUnderstood,
    WaitUntil,
)
from novadesk.conversation.renewal import (
    arm_renewal,
    fall_back,
    outdate,
    renew,
    successor_lost,
    successor_ready,
    tell_change,
)
from novadesk.conversation.supervisor import Policy, Verdict, judge
from novadesk.errors import KnownError, Reason
from novadesk.text import Text

__all__ = [
    "LIVE",
    "OPENING",
    "Action",
    "AnswerBegan",
    "AnswerDeclined",
    "AnswerFinished",
    "AnswerInterrupted",
    "CloseSound",
    "DeadlinePassed",
    "DropLink",
    "EndRequested",
    "Event",
    "FlushSpeaker",
    "GoLive",
    "HoldMicrophone",
    "IdleDue",
    "Lifecycle",
    "LinkEnded",
    "LinkReady",
    "NetworkChanged",
    "NothingSaid",
    "OpenLink",
    "OpenSound",
    "OpeningChanged",
    "PauseRequested",
    "RenewalDue",
    "Resumed",
    "SpeechBegan",
    "SpeechEnded",
    "StartRequested",
    "Step",
    "Successor",
    "Tell",
    "TellBack",
    "TellRenewed",
    "Timer",
    "ToolAsked",
    "TryNowRequested",
    "UserUnderstood",
    "WaitUntil",
    "step",
]

_AWAITING = frozenset({Phase.THINKING, Phase.TOOL, Phase.INTERRUPTED})
_RESTING = frozenset({Phase.IDLE, Phase.OFFLINE, Phase.ENDED, Phase.FAILED})
_NO_TIMERS = tuple(WaitUntil(at=None, timer=timer) for timer in Timer)


def step(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    """Return the next state and what to do, in order.

    Args:
        state: the state so far.
        event: what happened.
        now: monotonic seconds.
        policy: the numbers of reconnecting, renewal and rest.
    """
    if isinstance(event, LinkReady | LinkEnded) and event.generation not in _known(state):
        return state, ()
    rule = _TABLE.get((state.phase, type(event)))
    return (state, ()) if rule is None else rule(state, event, now, policy)


def _known(state: Lifecycle) -> tuple[int, ...]:
    return (state.generation,) if state.successor is None else (state.generation, state.successor.generation)


def _drop_all(state: Lifecycle, *, goodbye: bool) -> tuple[Action, ...]:
    return tuple(DropLink(generation=generation, goodbye=goodbye) for generation in _known(state))


def _arm_idle(now: float, policy: Policy) -> WaitUntil:
    return WaitUntil(at=now + policy.idle_s if policy.idle_s else None, timer=Timer.IDLE)


def _start(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    number = state.newest + 1
    lost_at = state.lost_at if state.phase is Phase.FAILED else None  # the outage goes on
    fresh = Lifecycle(
        phase=Phase.CONNECTING,
        generation=number,
        newest=number,
        opened_at=now,
        lost_at=lost_at,
        paused=state.paused,
    )
    return fresh, (
        OpenSound(),
        HoldMicrophone(),
        OpenLink(generation=number),
        WaitUntil(at=now + policy.connect_s),
        _arm_idle(now, policy),
    )


def _end(state: Lifecycle, _event: Event, _now: float, _policy: Policy) -> Step:
    return _over(state, Phase.ENDED)


def _pause(state: Lifecycle, _event: Event, _now: float, _policy: Policy) -> Step:
    resting, actions = _over(state, Phase.IDLE)
    return replace(resting, paused=True), actions


def _reopen(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    """Begin an attempt anew that has sent what is no longer wanted."""
    if state.retry_at is not None:
        return state, ()
    opening, actions = _open_next(state, now, policy)
    return replace(opening, phase=state.phase), (DropLink(generation=state.generation), *actions)


def _rest(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    assert isinstance(event, IdleDue)
    if not event.quiet:  # somebody speaks: look again in a moment
        return state, (WaitUntil(at=now + policy.look_s, timer=Timer.IDLE),)
    resting, actions = _over(state, Phase.IDLE)
    minutes = max(1, round(policy.idle_s / 60))
    line = Text("Resting after {n} min without a turn. The conversation goes on when you talk.", n=minutes)
    return resting, (*actions, Tell(message=line))


def _stay(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    return state, (_arm_idle(now, policy),)


def _silence(state: Lifecycle, _event: Event, _now: float, _policy: Policy) -> Step:
    return state, (FlushSpeaker(),)


def _over(state: Lifecycle, phase: Phase) -> Step:
    """End all that there is, in order. The number after the newest makes every event still to come a late one."""
    over = Lifecycle(phase=phase, generation=state.newest + 1, newest=state.newest + 1)
    return over, (*_NO_TIMERS, FlushSpeaker(), *_drop_all(state, goodbye=True), CloseSound())


def _try_now(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    if state.retry_at is None:  # an attempt is in flight: never two at once
        return state, ()
    return _open_next(replace(state, attempt=0, empty_links=0), now, policy)


def _speak_up(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    """Take a press of the talk key without a link as the wish to have one now."""
    opening, actions = _try_now(state, event, now, policy)
    return opening, (*actions, _arm_idle(now, policy))


def _try_anew(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    """Give up an attempt that goes nowhere and begin at once, with the backoff from its beginning."""
    drop = () if state.retry_at is not None else (DropLink(generation=state.generation),)
    opening, actions = _open_next(replace(state, attempt=0, empty_links=0), now, policy)
    return opening, (*drop, *actions)


def _woke(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    """Replace a link that cannot have outlived the computer's sleep."""
    renewing = replace(state, phase=Phase.RENEWING, successor=None, lost_at=now, error=None)
    opening, actions = _open_next(renewing, now, policy)
    return opening, (HoldMicrophone(), *_drop_all(state, goodbye=False), *actions)


def _open_next(state: Lifecycle, now: float, policy: Policy) -> Step:
    phase = Phase.RENEWING if state.phase is Phase.RENEWING else Phase.RECONNECTING
    number = state.newest + 1
    opening = replace(state, phase=phase, generation=number, newest=number, opened_at=now, retry_at=None)
    return opening, (OpenLink(generation=number), WaitUntil(at=now + policy.connect_s))


def _ready(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    assert isinstance(event, LinkReady)
    live = replace(
        state,
        phase=Phase.READY,
        opened_at=event.opened_at,
        attempt=0,
        retry_at=None,
        lost_at=None,
        back_from=state.lost_at,
        live_at=now,
        expires_at=event.expires_at,
        refused=0,
        outdated=False,
        paused=False,
        error=None,
    )
    back = () if state.lost_at is None else (TellBack(after_s=now - state.lost_at, began_at=state.lost_at),)
    return live, (
        WaitUntil(at=None),
        *back,
        GoLive(generation=state.generation),
        arm_renewal(live, now, policy),
        *tell_change(state),
    )


def _link_ended(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    assert isinstance(event, LinkEnded)
    if (successor := state.successor) is None:
        return _lost(state, event, now, policy)
    if event.generation == successor.generation:
        return successor_lost(state, successor, event, now, policy)
    return fall_back(state, successor, now, policy)


def _lost(state: Lifecycle, event: LinkEnded, now: float, policy: Policy) -> Step:
    verdict = judge(event.error)
    lost_at = _outage_since(state, now, policy)
    drop = DropLink(generation=state.generation)
    if verdict is Verdict.FAIL:
        failed = replace(state, phase=Phase.FAILED, error=event.error, retry_at=None, lost_at=lost_at)
        return failed, (*_NO_TIMERS, FlushSpeaker(), drop, CloseSound())
    steady = state.phase in LIVE and state.live_at is not None and now - state.live_at >= policy.steady_s
    empty = not steady and (state.phase in LIVE or verdict is Verdict.RENEW)  # an opening that fails is an attempt
    empty_links = 0 if steady else state.empty_links + empty
    if verdict is Verdict.RENEW and empty_links <= policy.renewals:
        renewing = replace(state, phase=Phase.RENEWING, empty_links=empty_links, lost_at=lost_at, error=None)
        opening, actions = _open_next(renewing, now, policy)
        return opening, (HoldMicrophone(), drop, *actions)
    attempt = state.attempt + 1
    asked_s = 0.0 if event.error is None else event.error.retry_after_s
    wait_s = max(policy.wait_s(max(attempt, empty_links), event.jitter), asked_s)
    waiting = replace(
        state,
        phase=Phase.RECONNECTING,
        attempt=attempt,
        empty_links=empty_links,
        retry_at=now + wait_s,
        lost_at=lost_at,
        error=event.error,
    )
    return waiting, (HoldMicrophone(), drop, WaitUntil(at=now + wait_s))


def _outage_since(state: Lifecycle, now: float, policy: Policy) -> float:
    """Return when the outage began that goes on now; a link that lived for a moment did not end it."""
    if state.lost_at is not None:
        return state.lost_at
    momentary = state.live_at is not None and now - state.live_at < policy.proof_s
    return state.back_from if momentary and state.back_from is not None else now


def _deadline(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    assert isinstance(event, DeadlinePassed)
    if state.retry_at is not None:
        return _open_next(state, now, policy)
    late = KnownError(Reason.TIMED_OUT, "The service did not answer in time.", "NovaDesk tries again by itself.")
    return _lost(state, LinkEnded(generation=state.generation, error=late, jitter=event.jitter), now, policy)


def _move(phase: Phase) -> Callable[[Lifecycle, Event, float, Policy], Step]:
    def rule(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
        at = now + policy.answer_s if phase in _AWAITING else None
        return replace(state, phase=phase, empty_links=0), (WaitUntil(at=at), _arm_idle(now, policy))

    return rule


def _interrupted(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    if state.phase is not Phase.SPEAKING:
        return state, (FlushSpeaker(),)
    return replace(state, phase=Phase.INTERRUPTED), (FlushSpeaker(), WaitUntil(at=now + policy.answer_s))


def _unanswered(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    return replace(state, phase=Phase.READY), (WaitUntil(at=None), _arm_idle(now, policy))


_REST_RULES = dict.fromkeys(_RESTING, _start)
_TABLE: dict[tuple[Phase, type], Callable[[Lifecycle, Event, float, Policy], Step]] = {
    **{(phase, StartRequested): rule for phase, rule in _REST_RULES.items()},
    **{(phase, TryNowRequested): rule for phase, rule in _REST_RULES.items()},
    (Phase.RECONNECTING, TryNowRequested): _try_now,
    **{(phase, SpeechBegan): _speak_up for phase in OPENING},
    **{(phase, NetworkChanged): _try_anew for phase in OPENING},
    **{(phase, Resumed): _try_anew for phase in OPENING},
    **{(phase, Resumed): _woke for phase in LIVE},
    **{(phase, EndRequested): _end for phase in Phase if phase is not Phase.ENDED},
    **{(phase, PauseRequested): _pause for phase in LIVE | OPENING},
    **{(phase, OpeningChanged): outdate for phase in LIVE},
    **{(phase, OpeningChanged): _reopen for phase in OPENING},
    **{(phase, LinkReady): _ready for phase in OPENING},
    **{(phase, LinkReady): successor_ready for phase in LIVE},
    **{(phase, LinkEnded): _link_ended for phase in LIVE | OPENING},
    **{(phase, DeadlinePassed): _deadline for phase in OPENING},
    **{(phase, DeadlinePassed): _unanswered for phase in _AWAITING},
    **{(phase, RenewalDue): renew for phase in LIVE},
    **{(phase, IdleDue): _rest for phase in {Phase.READY, Phase.LISTENING} | OPENING},
    **{(phase, IdleDue): _stay for phase in LIVE - {Phase.READY, Phase.LISTENING}},
    **{(phase, SpeechBegan): _move(Phase.LISTENING) for phase in (Phase.READY, Phase.THINKING, Phase.INTERRUPTED)},
    (Phase.LISTENING, SpeechEnded): _move(Phase.THINKING),
    (Phase.LISTENING, NothingSaid): _unanswered,
    **{(phase, UserUnderstood): _move(Phase.THINKING) for phase in LIVE - {Phase.SPEAKING, Phase.TOOL}},
    **{(phase, ToolAsked): _move(Phase.TOOL) for phase in LIVE},
    **{(phase, AnswerBegan): _move(Phase.SPEAKING) for phase in LIVE - {Phase.SPEAKING}},
    **{(phase, AnswerInterrupted): _interrupted for phase in LIVE},
    **{(phase, AnswerInterrupted): _silence for phase in OPENING},
    **{(phase, AnswerDeclined): _move(Phase.INTERRUPTED) for phase in _AWAITING},
    **{(phase, AnswerFinished): _move(Phase.READY) for phase in (Phase.SPEAKING, Phase.INTERRUPTED)},
}
