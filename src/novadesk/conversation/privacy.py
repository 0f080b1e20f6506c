"""The turns of a private conversation: in memory only, gone with the object."""

from dataclasses import replace

from novadesk.models import SyncState, Turn


class PrivateTurns:
    """Keeps turns in order as the archive would, and writes nothing anywhere."""

    def __init__(self) -> None:
        self._turns: list[Turn] = []

    def add(self, turn: Turn) -> Turn:
        """Add a turn, or replace its older version as the archive does; return it with its place."""
        for position, older in enumerate(self._turns):
            if older.turn_id == turn.turn_id:
                if turn.replaces(older):
                    self._turns[position] = replace(turn, position=position, at_ms=older.at_ms, sync=SyncState.LOCAL)
                return self._turns[position]
        placed = replace(turn, position=len(self._turns), sync=SyncState.LOCAL)
        self._turns.append(placed)
        return placed
