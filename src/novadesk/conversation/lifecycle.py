"""The machine across wire sessions: `step(state, event, now) -> (state, actions)`; a table, no I/O, no clock.

What is not in the table changes nothing: wishes that make no sense in a phase are ignored, and events of an older
generation have nowhere to go.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from novadesk.conversation.api import Phase
from novadesk.conversation.supervisor import Policy, Verdict, judge
from novadesk.errors import KnownError, Reason

# --- events ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequested:
    """The person wants to talk: open the conversation's link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRequested:
    """The person ends the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryNowRequested:
    """The person, a network that came up, or a resume from sleep asks not to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReady:
    """The service accepted the wire session; history is replayed and audio is open."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEnded:
    """A link failed to open, broke, or was closed by the service. `jitter` is random in [0, 1]."""

    generation: int
    error: KnownError | None
    jitter: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """The time of the last `WaitUntil` has come."""

    jitter: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechBegan:
    """The person began to talk, as far as we know: the gate opened, or the service heard speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded:
    """The person stopped talking: the gate closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingSaid:
    """The gate closed after silence: there is nothing to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUnderstood:
    """The service returned the person's words, or typed text was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAsked:
    """The model waits for a tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerBegan:
    """The first words or sound of an answer arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerInterrupted:
    """The answer was cut off: by the service, by Stop, or by the talk key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFinished:
    """The last sound of the answer was played."""


type Event = (
    StartRequested
    | EndRequested
    | TryNowRequested
    | LinkReady
    | LinkEnded
    | DeadlinePassed
    | SpeechBegan
    | SpeechEnded
    | NothingSaid
    | UserUnderstood
    | ToolAsked
    | AnswerBegan
    | AnswerInterrupted
    | AnswerFinished
)

# --- actions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLink:
    """Open a new link and wire session of this generation, with the history replayed."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropLink:
    """Tear down whatever there is of this generation; with `goodbye` the wire session is ended in order first."""

    generation: int
    goodbye: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSound:
    """Open microphone and speaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSound:
    """Release microphone and speaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushSpeaker:
    """Silence what is being played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldMicrophone:
    """Keep what the person says until the next `ReplayMicrophone`, up to the policy's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayMicrophone:
    """Send what was held, then live audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil:
    """Wake the machine at this monotonic time; replaces the wait before; None cancels it."""

    at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Show one passing line."""

    message: str


type Action = (
    OpenLink | DropLink | OpenSound | CloseSound | FlushSpeaker | HoldMicrophone | ReplayMicrophone | WaitUntil | Tell
)

# --- state -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """Where the conversation stands.

    Attributes:
        generation: number of the newest link; events of another one are late.
        attempt: failed tries since the last live link.
        empty_links: links in a row that ended soon and without an exchange.
        live_at: monotonic time at which the newest link went live.
        retry_at: monotonic time of the next try, in `RECONNECTING`.
        lost_at: monotonic time at which the link was lost, until the next one is live.
        error: why the phase is `FAILED` or `RECONNECTING`.
    """

    phase: Phase = Phase.IDLE
    generation: int = 0
    attempt: int = 0
    empty_links: int = 0
    live_at: float | None = None
    retry_at: float | None = None
    lost_at: float | None = None
    error: KnownError | None = None


type Step = tuple[Lifecycle, tuple[Action, ...]]

LIVE = frozenset({Phase.READY, Phase.LISTENING, Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.INTERRUPTED})
OPENING = frozenset({Phase.CONNECTING, Phase.RENEWING})
_WAITING = frozenset({Phase.RECONNECTING})
_AWAITING = frozenset({Phase.THINKING, Phase.TOOL, Phase.INTERRUPTED})
_RESTING = frozenset({Phase.IDLE, Phase.OFFLINE, Phase.ENDED, Phase.FAILED})


def step(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    """Return the next state and what to do, in order.

    Args:
        state: the state so far.
        event: what happened.
        now: monotonic seconds.
        policy: the numbers of reconnecting.
    """
    if isinstance(event, LinkReady | LinkEnded) and event.generation != state.generation:
        return state, ()
    rule = _TABLE.get((state.phase, type(event)))
    return (state, ()) if rule is None else rule(state, event, now, policy)


def _start(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    fresh = Lifecycle(phase=Phase.CONNECTING, generation=state.generation + 1)
    return fresh, (
        OpenSound(),
        HoldMicrophone(),
        OpenLink(generation=fresh.generation),
        WaitUntil(at=now + policy.connect_s),
    )


def _end(state: Lifecycle, _event: Event, _now: float, _policy: Policy) -> Step:
    ended = Lifecycle(phase=Phase.ENDED, generation=state.generation + 1)
    return ended, (
        WaitUntil(at=None),
        FlushSpeaker(),
        DropLink(generation=state.generation, goodbye=True),
        CloseSound(),
    )


def _try_now(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    if state.retry_at is None:  # an attempt is in flight: never two at once
        return state, ()
    return _open_next(state, now, policy)


def _open_next(state: Lifecycle, now: float, policy: Policy) -> Step:
    phase = Phase.RENEWING if state.phase is Phase.RENEWING else Phase.RECONNECTING
    opening = replace(state, phase=phase, generation=state.generation + 1, retry_at=None)
    return opening, (OpenLink(generation=opening.generation), WaitUntil(at=now + policy.connect_s))


def _ready(state: Lifecycle, _event: Event, now: float, _policy: Policy) -> Step:
    actions: tuple[Action, ...] = (WaitUntil(at=None), ReplayMicrophone())
    if state.phase is Phase.RENEWING:
        actions += (Tell(message="Session renewed."),)
    elif state.lost_at is not None:
        actions += (Tell(message=f"Back after {max(1, round(now - state.lost_at))} s."),)
    live = replace(state, phase=Phase.READY, attempt=0, retry_at=None, lost_at=None, live_at=now, error=None)
    return live, actions


def _lost(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    assert isinstance(event, LinkEnded)
    verdict = judge(event.error)
    lost_at = now if state.lost_at is None else state.lost_at
    drop = DropLink(generation=state.generation)
    silence: tuple[Action, ...] = (FlushSpeaker(),) if state.phase in LIVE else ()
    if verdict is Verdict.FAIL:
        failed = replace(state, phase=Phase.FAILED, error=event.error, retry_at=None, lost_at=lost_at)
        return failed, (WaitUntil(at=None), *silence, drop, CloseSound())
    steady = state.phase in LIVE and state.live_at is not None and now - state.live_at >= policy.steady_s
    empty_links = 0 if steady else state.empty_links + 1
    if verdict is Verdict.RENEW and empty_links <= policy.renewals:
        renewing = replace(state, phase=Phase.RENEWING, empty_links=empty_links, lost_at=lost_at, error=None)
        opening, actions = _open_next(renewing, now, policy)
        return opening, (*silence, HoldMicrophone(), drop, *actions)
    attempt = state.attempt + 1
    wait_s = policy.wait_s(max(attempt, empty_links), event.jitter)
    waiting = replace(
        state,
        phase=Phase.RECONNECTING,
        attempt=attempt,
        empty_links=empty_links,
        retry_at=now + wait_s,
        lost_at=lost_at,
        error=event.error,
    )
    return waiting, (*silence, HoldMicrophone(), drop, WaitUntil(at=now + wait_s))


def _deadline(state: Lifecycle, event: Event, now: float, policy: Policy) -> Step:
    assert isinstance(event, DeadlinePassed)
    if state.retry_at is not None:
        return _open_next(state, now, policy)
    late = KnownError(Reason.TIMED_OUT, "The service did not answer in time.", "NovaDesk tries again by itself.")
    return _lost(state, LinkEnded(generation=state.generation, error=late, jitter=event.jitter), now, policy)


def _move(phase: Phase) -> Callable[[Lifecycle, Event, float, Policy], Step]:
    def rule(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
        at = now + policy.answer_s if phase in _AWAITING else None
        return replace(state, phase=phase, empty_links=0), (WaitUntil(at=at),)

    return rule


def _interrupted(state: Lifecycle, _event: Event, now: float, policy: Policy) -> Step:
    if state.phase is not Phase.SPEAKING:
        return state, (FlushSpeaker(),)
    return replace(state, phase=Phase.INTERRUPTED), (FlushSpeaker(), WaitUntil(at=now + policy.answer_s))


def _unanswered(state: Lifecycle, _event: Event, _now: float, _policy: Policy) -> Step:
    return replace(state, phase=Phase.READY), (WaitUntil(at=None),)


_REST_RULES = dict.fromkeys(_RESTING, _start)
_TABLE: dict[tuple[Phase, type], Callable[[Lifecycle, Event, float, Policy], Step]] = {
    **{(phase, StartRequested): rule for phase, rule in _REST_RULES.items()},
    (Phase.FAILED, TryNowRequested): _start,
    (Phase.OFFLINE, TryNowRequested): _start,
    (Phase.RECONNECTING, TryNowRequested): _try_now,
    **{(phase, EndRequested): _end for phase in Phase if phase not in {Phase.IDLE, Phase.ENDED}},
    **{(phase, LinkReady): _ready for phase in OPENING | _WAITING},
    **{(phase, LinkEnded): _lost for phase in LIVE | OPENING | _WAITING},
    **{(phase, DeadlinePassed): _deadline for phase in OPENING | _WAITING},
    **{(phase, DeadlinePassed): _unanswered for phase in _AWAITING},
    **{(phase, SpeechBegan): _move(Phase.LISTENING) for phase in (Phase.READY, Phase.THINKING, Phase.INTERRUPTED)},
    (Phase.LISTENING, SpeechEnded): _move(Phase.THINKING),
    (Phase.LISTENING, NothingSaid): _unanswered,
    **{(phase, UserUnderstood): _move(Phase.THINKING) for phase in LIVE - {Phase.SPEAKING, Phase.TOOL}},
    **{(phase, ToolAsked): _move(Phase.TOOL) for phase in LIVE},
    **{(phase, AnswerBegan): _move(Phase.SPEAKING) for phase in LIVE - {Phase.SPEAKING}},
    **{(phase, AnswerInterrupted): _interrupted for phase in LIVE},
    **{
        (phase, AnswerFinished): _move(Phase.READY)
        for phase in (Phase.SPEAKING, Phase.INTERRUPTED, Phase.THINKING, Phase.TOOL)
    },
}
