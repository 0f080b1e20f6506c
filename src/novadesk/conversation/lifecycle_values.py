"""What the lifecycle takes, wants done, and is: events, actions and its state, all frozen values."""

from dataclasses import dataclass
from enum import Enum

from novadesk.conversation.api import Phase
from novadesk.errors import KnownError

# --- events ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequested:
    """The person wants to talk: open the conversation's link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRequested:
    """The person ends the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRequested:
    """The person takes a break: nothing is sent or heard until they go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningChanged:
    """What a wire session opens with is another than before: the one that there is cannot learn it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryNowRequested:
    """The person asks not to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReady:
    """The service accepted the wire session: history and audio may follow.

    Attributes:
        opened_at: monotonic time at which it was connected; its life is counted from then on.
        expires_at: monotonic time at which its keys expire, or None.
        proven: the service said so itself; otherwise it is only supposed, after a wait.
    """

    generation: int
    opened_at: float
    expires_at: float | None = None
    proven: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEnded:
    """A link failed to open, broke, or was closed by the service. `jitter` is random in [0, 1]."""

    generation: int
    error: KnownError | None
    jitter: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """The time of `Timer.STEP` has come."""

    jitter: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalDue:
    """The time of `Timer.RENEWAL` has come.

    Attributes:
        quiet: nobody is speaking, and nothing waits for an answer.
        understood: what waits for an answer is known as text, and can be asked again.
    """

    quiet: bool
    understood: bool = False
    jitter: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleDue:
    """The time of `Timer.IDLE` has come. `quiet`: no voice comes through the microphone now."""

    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChanged:
    """The computer got another way to the network: what was being tried goes nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The computer slept: no connection has outlived that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechBegan:
    """The person began to talk, as far as we know: the gate opened."""


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
class AnswerDeclined:
    """The person does not want the answer that is due, of which nothing has come yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFinished:
    """The last sound of the answer was played."""


type Event = (
    StartRequested
    | EndRequested
    | PauseRequested
    | OpeningChanged
    | TryNowRequested
    | LinkReady
    | LinkEnded
    | DeadlinePassed
    | RenewalDue
    | IdleDue
    | NetworkChanged
    | Resumed
    | SpeechBegan
    | SpeechEnded
    | NothingSaid
    | UserUnderstood
    | ToolAsked
    | AnswerBegan
    | AnswerDeclined
    | AnswerInterrupted
    | AnswerFinished
)

# --- actions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLink:
    """Open a new link and wire session of this generation, as far as `LinkReady`."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GoLive:
    """Replay history, unanswered questions and kept speech into this generation; it carries the conversation now."""

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
    """Keep what the person says until the next `GoLive`, up to the policy's limit."""


class Timer(Enum):
    """What the machine can be woken for, each by an event of its own."""

    STEP = "step"  # the watchdog of a waiting phase, or the next attempt: `DeadlinePassed`
    RENEWAL = "renewal"  # `RenewalDue`
    IDLE = "idle"  # `IdleDue`


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntil:
    """Wake the machine at this monotonic time; replaces the timer's wait before; None cancels it."""

    at: float | None
    timer: Timer = Timer.STEP


@dataclass(frozen=True, slots=True, kw_only=True)
class TellBack:
    """Say in one line that an outage of `after_s` is over, and what it cost.

    `began_at` tells one outage from another: a link that goes live and breaks at once has not ended it.
    """

    after_s: float
    began_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TellRenewed:
    """Say that a wire session was renewed, for no other reason than its age."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Show one passing line."""

    message: str


type Action = (
    OpenLink
    | GoLive
    | DropLink
    | OpenSound
    | CloseSound
    | FlushSpeaker
    | HoldMicrophone
    | WaitUntil
    | TellBack
    | TellRenewed
    | Tell
)

# --- state -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """The wire session that is to follow the live one.

    Attributes:
        asked_at: monotonic time at which it was asked for.
        opened_at: monotonic time at which it was connected.
        ready_at: monotonic time at which it was accepted, None before.
        expires_at: monotonic time at which its keys expire, or None.
        proven: the service itself has accepted it.
    """

    generation: int
    asked_at: float
    opened_at: float
    ready_at: float | None = None
    expires_at: float | None = None
    proven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """Where the conversation stands.

    Attributes:
        generation: number of the link that carries the conversation, or is opened to; events of others are late.
        newest: the highest number given to a link so far.
        opened_at: monotonic time at which the link was asked for, then at which it was connected.
        live_at: monotonic time at which it went live.
        expires_at: monotonic time at which its keys expire, None when unknown or never.
        successor: the link that is prepared beside it, or None.
        refused: successors in a row that did not come about.
        attempt: failed tries since the last live link.
        empty_links: links in a row that ended soon and without an exchange.
        retry_at: monotonic time of the next try, in `RECONNECTING`.
        lost_at: monotonic time at which the link was lost, until the next one is live.
        back_from: the `lost_at` of the outage that the live link ended.
        outdated: what wire sessions open with has changed since the live one was opened.
        paused: the person took a break, until a wire session is live again.
        error: why the phase is `FAILED` or `RECONNECTING`.
    """

    phase: Phase = Phase.IDLE
    generation: int = 0
    newest: int = 0
    opened_at: float = 0.0
    live_at: float | None = None
    expires_at: float | None = None
    successor: Successor | None = None
    refused: int = 0
    attempt: int = 0
    empty_links: int = 0
    retry_at: float | None = None
    lost_at: float | None = None
    back_from: float | None = None
    outdated: bool = False
    paused: bool = False
    error: KnownError | None = None


type Step = tuple[Lifecycle, tuple[Action, ...]]

LIVE = frozenset({Phase.READY, Phase.LISTENING, Phase.THINKING, Phase.TOOL, Phase.SPEAKING, Phase.INTERRUPTED})
OPENING = frozenset({Phase.CONNECTING, Phase.RENEWING, Phase.RECONNECTING})
"""Phases without a live link in which one is opened or waited for."""
