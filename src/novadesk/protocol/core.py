"""What both sides of a wire session share: the queues, the counters, and how a peer's fault is said."""

from collections import Counter
from collections.abc import Callable

from novadesk.protocol.codec import encode
from novadesk.protocol.events import InputEvent, OutputEvent, UnknownEvent
from novadesk.protocol.limits import Limits
from novadesk.protocol.session_events import SessionEvent, UnknownReceived


class Refused(Exception):
    """The peer sent something that the protocol forbids; the session closes with this message."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Core:
    """The queues of one wire session. Rules of either side fill them; `NovaSession` hands them out."""

    def __init__(self, limits: Limits, new_id: Callable[[], str]) -> None:
        self.limits = limits
        self.new_id = new_id
        self.outgoing: list[bytes] = []
        self.happened: list[SessionEvent] = []
        self.counters: Counter[str] = Counter()

    def write(self, event: InputEvent | OutputEvent) -> None:
        """Queue an event for the peer."""
        self.outgoing.append(encode(event))

    def tell(self, event: SessionEvent) -> None:
        """Queue an event for the owner."""
        self.happened.append(event)

    def on_unknown(self, event: UnknownEvent, _now: float) -> None:
        """Count an event that this version does not know."""
        self.counters["unknown"] += 1
        self.tell(UnknownReceived(event.name))
