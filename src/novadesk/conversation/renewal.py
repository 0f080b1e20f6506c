"""Renewal, make before break: the successor of a live wire session is opened beside it and takes over when it suits.

Pure rules of the lifecycle for the time in which a link is live.
"""

from dataclasses import replace

from novadesk.conversation.api import Phase
from novadesk.conversation.lifecycle_values import (
    DropLink,
    Event,
    GoLive,
    HoldMicrophone,
    Lifecycle,
    LinkEnded,
    LinkReady,
    OpenLink,
    RenewalDue,
    Step,
    Successor,
    Tell,
    TellRenewed,
    Timer,
    WaitUntil,
)
from novadesk.conversation.supervisor import Policy
from novadesk.text import Text


def arm_renewal(state: Lifecycle, now: float, policy: Policy) -> WaitUntil:
    """Return when the live link's successor is to be opened: by its age, or before its keys expire."""
    due = state.opened_at + policy.renew_s
    if state.expires_at is not None:
        due = min(due, state.expires_at - policy.expiry_s)
    if due <= now:  # keys that were short-lived when they were given
        due = now + max(policy.look_s, (_ends_at(state, policy) - now) / 2)
    return WaitUntil(at=due, timer=Timer.RENEWAL)


def renew(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    """Take the next step of a renewal: open the successor, give it up, look again, or hand over."""
    assert isinstance(event, RenewalDue)
    successor = state.successor
    if successor is not None and successor.ready_at is None:  # it took too long
        return _give_up(state, successor, event.jitter, now, policy)
    if successor is None and policy.concurrent > 1:
        return _open_successor(state, now, policy)
    if not _may_hand_over(state, event, now, policy):
        return state, (WaitUntil(at=now + policy.look_s, timer=Timer.RENEWAL),)
    if successor is None:
        return _replace_link(state, now, policy)
    after, actions = hand_over(state, successor, now, policy)
    return after, (*actions, *(() if state.outdated else (TellRenewed(),)))  # a change is told instead


def outdate(state: Lifecycle, _event: Event, now: float, _policy: Policy) -> Step:
    """Renew as soon as it suits; a successor that was opened with what is no longer wanted goes."""
    drop = () if state.successor is None else (DropLink(generation=state.successor.generation),)
    line = Text("The change needs a new wire session. NovaDesk moves on to it in the next quiet moment.")
    return replace(state, successor=None, refused=0, outdated=True), (
        *drop,
        WaitUntil(at=now, timer=Timer.RENEWAL),
        Tell(message=line),
    )


def successor_ready(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    """Note that the successor may take over, and look at once whether it should."""
    assert isinstance(event, LinkReady)
    if (successor := state.successor) is None or event.generation != successor.generation:
        return state, ()
    early = now < state.opened_at + policy.renew_s and not state.outdated
    if early and not _lives_longer(event, state):  # the keys are the same ones still
        return _give_up(state, successor, 1.0, now, policy)
    ready = replace(
        successor, opened_at=event.opened_at, ready_at=now, expires_at=event.expires_at, proven=event.proven
    )
    return replace(state, successor=ready, refused=0), (WaitUntil(at=now, timer=Timer.RENEWAL),)


def successor_lost(state: Lifecycle, successor: Successor, event: LinkEnded, now: float, policy: Policy) -> Step:
    """Try another successor later: the live link is not concerned. Say once what keeps a change from coming."""
    after, actions = _give_up(state, successor, event.jitter, now, policy)
    if not state.outdated or state.refused or event.error is None:
        return after, actions
    line = Text("The change has to wait. {what} {advice}", what=event.error.what, advice=event.error.advice)
    return after, (*actions, Tell(message=line))


def hand_over(state: Lifecycle, successor: Successor, now: float, policy: Policy) -> Step:
    """Let the successor carry the conversation, in the phase it is in; the old link is ended in order."""
    live = replace(
        state,
        phase=Phase.THINKING if state.phase is Phase.TOOL else state.phase,
        generation=successor.generation,
        opened_at=successor.opened_at,
        live_at=now,
        expires_at=successor.expires_at,
        successor=None,
        outdated=False,
    )
    return live, (
        GoLive(generation=successor.generation),
        DropLink(generation=state.generation, goodbye=True),
        arm_renewal(live, now, policy),
        *tell_change(state),
    )


def tell_change(state: Lifecycle) -> tuple[Tell, ...]:
    """Return the line that a change is in force, for a state whose next wire session goes live."""
    return (Tell(message=Text("The change is in force.")),) if state.outdated else ()


def fall_back(state: Lifecycle, successor: Successor, now: float, policy: Policy) -> Step:
    """Carry on with the successor after the live link was lost: at once when it is ready, else when it comes about."""
    if successor.ready_at is not None:
        return hand_over(state, successor, now, policy)
    opening = replace(
        state,
        phase=Phase.RENEWING,
        generation=successor.generation,
        opened_at=successor.opened_at,
        successor=None,
        lost_at=now,
        retry_at=None,
        error=None,
    )
    return opening, (
        HoldMicrophone(),
        DropLink(generation=state.generation),
        WaitUntil(at=max(now, successor.opened_at + policy.connect_s)),
    )


def _open_successor(state: Lifecycle, now: float, policy: Policy) -> Step:
    number = state.newest + 1
    opening = replace(state, newest=number, successor=Successor(generation=number, asked_at=now, opened_at=now))
    return opening, (OpenLink(generation=number), WaitUntil(at=now + policy.connect_s, timer=Timer.RENEWAL))


def _give_up(state: Lifecycle, successor: Successor, jitter: float, now: float, policy: Policy) -> Step:
    refused = state.refused + 1
    return replace(state, successor=None, refused=refused), (
        DropLink(generation=successor.generation),
        WaitUntil(at=now + policy.wait_s(refused, jitter), timer=Timer.RENEWAL),
    )


def _replace_link(state: Lifecycle, now: float, policy: Policy) -> Step:
    """Break before make, where the service takes one wire session only."""
    number = state.newest + 1
    opening = replace(state, phase=Phase.RENEWING, generation=number, newest=number, opened_at=now, retry_at=None)
    return opening, (
        HoldMicrophone(),
        DropLink(generation=state.generation, goodbye=True),
        OpenLink(generation=number),
        WaitUntil(at=now + policy.connect_s),
    )


def _may_hand_over(state: Lifecycle, event: RenewalDue, now: float, policy: Policy) -> bool:
    left_s = _ends_at(state, policy) - now
    if left_s <= policy.life_s - policy.last_s:
        return True
    if state.successor is not None and not state.successor.proven:  # a mute service is no better than an old one
        return False
    if left_s <= policy.life_s - policy.force_s:
        return state.phase is Phase.READY or (state.phase is Phase.THINKING and event.understood)
    return state.phase is Phase.READY and event.quiet


def _lives_longer(event: LinkReady, state: Lifecycle) -> bool:
    return event.expires_at is None or state.expires_at is None or event.expires_at > state.expires_at


def _ends_at(state: Lifecycle, policy: Policy) -> float:
    ends_at = state.opened_at + policy.life_s
    return ends_at if state.expires_at is None else min(ends_at, state.expires_at)
