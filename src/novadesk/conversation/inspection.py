"""What the program tells of itself: ids of a session, what happened when, numbers, reports. Part of `api`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from novadesk.diagnostics.bundle import BundlePart
from novadesk.diagnostics.metrics import Metric
from novadesk.models import SyncState
from novadesk.text import Text


class EventKind(Enum):
    """What an event of the log is about."""

    CONVERSATION = "conversation"
    LINK = "link"
    SCENARIO = "scenario"
    TALK = "talk"
    SOUND = "sound"
    TURN = "turn"
    SYNC = "sync"
    NOTICE = "notice"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One event of the log; `turn_id` names the turn that it tells of. Numbers grow by one."""

    number: int
    at_ms: int
    kind: EventKind
    words: Text
    turn_id: str = ""


class Carries(Enum):
    """What a wire session does for the conversation."""

    OPENING = "opening"
    READY = "ready"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFacts:
    """A wire session: `wire_id` is also the id of its remote invocation, `prompt` the name that its events carry.

    Attributes:
        age_s: seconds since it was connected, None before.
        left_s: seconds until its keys expire, None when they do not or nobody knows.
    """

    generation: int
    carries: Carries
    wire_id: str
    prompt: str
    age_s: float | None = None
    left_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFacts:
    """A remote session behind the conversation; `session_id` is empty while only the keyring knows it."""

    generation: int
    state: str
    session_id: str
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The ids of the open conversation and how they belong together, oldest first; of a private one only the wire.

    Attributes:
        turn_id: of the newest turn, which is also the id of its remote step.
        turn_sync: where that turn is.
        closing: wire sessions that are being torn down.
    """

    handle: str = ""
    label: str = ""
    turn_id: str = ""
    turn_sync: SyncState = SyncState.LOCAL
    wires: tuple[WireFacts, ...] = ()
    closing: int = 0
    remote: tuple[RemoteFacts, ...] = ()


class Quality(Enum):
    """How good the connection is; UNKNOWN until it was measured."""

    UNKNOWN = "unknown"
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How good the connection is, and why, in words."""

    quality: Quality = Quality.UNKNOWN
    why: str = Text("Not measured yet")


NOT_MEASURED = Connection()


class InsightRequests(Protocol):
    """Questions about the program itself, and what it does for its own health."""

    async def sound_figures(self) -> Sequence[Metric]:
        """Return how the sound has done since the devices were opened; nothing while they are closed."""
        ...

    async def sign_in(self, tell: Callable[[str], None]) -> bool:
        """Sign in again, then try now: to AWS with its own program (False without it), or to the gateway.

        Args:
            tell: takes the address of the page to sign in on, on the core loop; must return at once. AWS's program
                opens it by itself; that of a gateway is to be opened.
        """
        ...

    async def metrics(self) -> Sequence[Metric]:
        """Return what the last 24 hours say about the program's promises."""
        ...

    async def events(self, *, newest: int = 200) -> Sequence[str]:
        """Return the newest protocol events in words, oldest first; what was said is not in them."""
        ...

    async def report(self) -> str:
        """Return a report about the present state that can be sent to others."""
        ...

    async def inspect(self) -> Inspection:
        """Return the ids of the open conversation; the keyring is not asked for any."""
        ...

    async def happened(self, *, after: int = 0) -> Sequence[Happened]:
        """Return what happened after the event of this number, oldest first; what was said is not in it."""
        ...

    async def bundle(self, tell: Callable[[float], None]) -> Sequence[BundlePart]:
        """Return what the diagnostics bundle would hold now, to be read before it is saved.

        Args:
            tell: takes the share that is done, 0 to 1, on the core loop; must return at once.
        """
        ...

    async def save_bundle(self, file: str, parts: Sequence[BundlePart]) -> None:
        """Write these parts, and nothing else, as a ZIP archive."""
        ...
