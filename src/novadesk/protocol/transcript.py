"""The client's record of a wire session: what is being said now, and what was said."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from novadesk.models import Role
from novadesk.protocol.session_events import SessionEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnText:
    """A finished turn. The same `turn_id` again replaces the earlier one; it is never another turn.

    Attributes:
        heard_chars: characters of `text` that the person heard; None means all.
        interrupted: the user spoke over it, or the person stopped it.
        unconfirmed: `text` is planned text cut at the heard position; the service never confirmed it.
    """

    turn_id: str
    role: Role
    text: str
    interrupted: bool = False
    heard_chars: int | None = None
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class LivePiece:
    """Text in the making: `spoken` has been played, `planned` has not yet."""

    role: Role
    spoken: str
    planned: str = ""


class Transcript:
    """Pairs planned text, the speech after it and final text by their order."""

    def __init__(self, new_id: Callable[[], str] = lambda: str(uuid4())) -> None:
        raise NotImplementedError

    def feed(self, event: SessionEvent) -> tuple[TurnText, ...]:
        """Take an event of the client side (others are ignored); return the turns that it finished or replaced."""
        raise NotImplementedError

    def played(self, samples: int) -> None:
        """Take the 24 kHz samples played since the last `Interrupted` or `stop()` (the engine's count of a generation).

        A count that begins anew with each answer works as well: a falling count means the current answer's beginning.
        """
        raise NotImplementedError

    def stop(self) -> tuple[TurnText, ...]:
        """Note that the person stopped playback: what is not played by now is never heard.

        The turn goes on; its FINAL texts are still collected, and `heard_chars` says how far the person heard it.
        """
        raise NotImplementedError

    def stored(self, turn_id: str) -> None:
        """Note that a finished turn is on disk: `live()` no longer shows it."""
        raise NotImplementedError

    def live(self) -> tuple[LivePiece, ...]:
        """Return the text in the making, the user's first."""
        raise NotImplementedError

    def close(self) -> tuple[TurnText, ...]:
        """Note that the link is over; return what is left: FINAL texts, or heard planned text as unconfirmed."""
        raise NotImplementedError
