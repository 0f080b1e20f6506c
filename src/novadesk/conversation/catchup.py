"""What was said while no link told of it comes into the record: in its place, and once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol
from uuid import uuid4

from novadesk.conversation.downlink import Downlink
from novadesk.models import Role, Turn
from novadesk.protocol.transcript import TurnText

_LOOKED_AT = 16


class Book(Protocol):
    """The record, as far as it is needed here."""

    def newest(self, count: int) -> Sequence[Turn]:
        """Return the newest turns in order, those on their way to the disk too."""
        ...

    def keep(self, text: TurnText, *, wire_session: str, typed: bool) -> None:
        """Write a finished turn."""
        ...


def catch_up(
    missed: TurnText, *, record: Book, downlink: Downlink, wire: str, new_id: Callable[[], object] = uuid4
) -> None:
    """Write a turn that the other side has: in the place of the part that is here, or as a new one.

    Args:
        missed: the turn; its id is theirs.
        record: the open conversation.
        downlink: knows the answer during which its link was lost.
        wire: the wire session that brought it.
        new_id: makes the identity of a turn.
    """
    newest = record.newest(_LOOKED_AT)
    begun = downlink.take_over() if missed.role is Role.ASSISTANT else ""
    if not begun:
        if any(_is(missed, turn) for turn in newest):
            return
        part = missed.role is Role.ASSISTANT and newest and _is_part(newest[-1])
        begun = newest[-1].turn_id if part else str(new_id())
    record.keep(replace(missed, turn_id=begun), wire_session=wire, typed=False)


def _is(missed: TurnText, turn: Turn) -> bool:
    same = (turn.role, turn.text.split()) == (missed.role, missed.text.split())
    return same and not turn.unconfirmed


def _is_part(turn: Turn) -> bool:
    return turn.role is Role.ASSISTANT and turn.unconfirmed
