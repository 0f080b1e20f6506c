"""What every link reports to its owner, whatever carries it: values only."""

from dataclasses import dataclass

from novadesk.errors import KnownError
from novadesk.protocol.transcript import TurnText


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service answered the request (HTTP 200): audio may be opened from here on."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One event of the service: the bytes of its JSON."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The link is over; nothing follows. `failure` is None after a clean end asked for by us or the service."""

    failure: KnownError | None


@dataclass(frozen=True, slots=True)
class Missed:
    """A turn of this conversation that the other side has written while no link told of it; its id is theirs."""

    turn: TurnText


type LinkMessage = Accepted | Arrived | Missed | Closed
