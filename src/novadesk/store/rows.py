"""How rows of the store become values."""

import sqlite3
from sys import intern

from novadesk.models import BackendKind, Conversation, Role, SyncState, Turn
from novadesk.store.faults import Damaged

TURN_COLUMNS = "turn.*, conversation.handle AS handle"
TURN_TABLES = "turn JOIN conversation ON conversation.number = turn.conversation"

CONVERSATION_QUERY = """
SELECT c.*,
  (SELECT at_ms FROM turn WHERE turn.conversation = c.number ORDER BY position LIMIT 1) AS begun_ms,
  (SELECT count(*) FROM outbox o WHERE o.conversation = c.handle AND o.kind = 'turn') AS pending,
  EXISTS (SELECT 1 FROM outbox o WHERE o.conversation = c.handle AND o.parked IS NOT NULL) AS parked,
  EXISTS (SELECT 1 FROM outbox o WHERE o.conversation = c.handle) AS waiting,
  EXISTS (SELECT 1 FROM remote_session r WHERE r.handle = c.handle AND r.state <> 'intended') AS remote
FROM conversation c
"""
SHOWN = "NOT c.leaving_ms"
"""The condition that leaves out the conversations that the person has just deleted and may bring back."""


def turn_of(row: sqlite3.Row) -> Turn:
    """Return the turn of a row with `TURN_COLUMNS`.

    Raises:
        Damaged: no row of ours.
    """
    try:
        return _turn_of(row)
    except ValueError:
        raise Damaged from None


def conversation_of(row: sqlite3.Row) -> Conversation:
    """Return the conversation of a row of `CONVERSATION_QUERY`.

    Raises:
        Damaged: no row of ours.
    """
    try:
        return _conversation_of(row)
    except ValueError:
        raise Damaged from None


def _turn_of(row: sqlite3.Row) -> Turn:
    return Turn(
        turn_id=row["turn_id"],
        conversation=intern(row["handle"]),  # many turns share it, as they do their wire session
        position=row["position"],
        role=Role(row["role"]),
        text=row["text"],
        at_ms=row["at_ms"],
        wire_session=intern(row["wire_session"]),
        heard_chars=row["heard_chars"],
        interrupted=bool(row["interrupted"]),
        unconfirmed=bool(row["unconfirmed"]),
        typed=bool(row["typed"]),
        sync=SyncState(row["sync"]),
        edited=row["edited"],
        voice=intern(row["voice"]),
        tools=tuple(map(intern, row["tools"].split())),
    )


def _conversation_of(row: sqlite3.Row) -> Conversation:
    if row["parked"]:
        sync = SyncState.FAILED
    elif row["waiting"]:
        sync = SyncState.PENDING
    else:
        sync = SyncState.SYNCED if row["remote"] else SyncState.LOCAL
    return Conversation(
        handle=row["handle"],
        label=row["label"],
        title=row["title"],
        backend=BackendKind(row["backend"]),
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        turns=row["turns"],
        begun_ms=row["begun_ms"] or 0,
        pending=row["pending"],
        sync=sync,
        starred=bool(row["starred"]),
        elsewhere=row["origin"] == "remote",
        scenario=row["scenario"],
    )


def find_conversation(db: sqlite3.Connection, handle: str) -> Conversation | None:
    """Return one conversation."""
    row = db.execute(f"{CONVERSATION_QUERY} WHERE c.handle = ?", (handle,)).fetchone()
    return None if row is None else conversation_of(row)


def find_turn(db: sqlite3.Connection, turn_id: str) -> Turn | None:
    """Return one turn."""
    row = db.execute(f"SELECT {TURN_COLUMNS} FROM {TURN_TABLES} WHERE turn_id = ?", (turn_id,)).fetchone()
    return None if row is None else turn_of(row)
