"""Sessions as rows of SQLite: the rules of `state.SessionStore`, inside a transaction."""

import dataclasses
import sqlite3
from collections.abc import Mapping
from enum import Enum
from typing import Any

from novadesk.errors import BugError
from novadesk.server.gateway.state import (
    KEEP_TURNS_S,
    Limits,
    Scope,
    SessionRecord,
    SessionStatus,
    TooMany,
)

ALIVE = "expires_at_s > :now_s"
_NAMES = tuple(field.name for field in dataclasses.fields(SessionRecord))


def find(db: sqlite3.Connection, condition: str, given: Mapping[str, object]) -> tuple[SessionRecord, ...]:
    """Return the sessions that meet an SQL condition, oldest first."""
    rows = db.execute(f"SELECT {', '.join(_NAMES)} FROM session WHERE {condition} ORDER BY number", given)
    return tuple(_record(row) for row in rows)


def count(db: sqlite3.Connection, condition: str, given: Mapping[str, object]) -> int:
    """Return how many sessions meet an SQL condition."""
    (found,) = db.execute(f"SELECT count(*) FROM session WHERE {condition}", given).fetchone()
    return int(found)


def create(db: sqlite3.Connection, record: SessionRecord, limits: Limits) -> SessionRecord:
    """Add a session, or return the live one that its request made before.

    Raises:
        TooMany: a limit is reached.
    """
    given = {"now_s": record.created_ms / 1000, "owner": record.owner, "request_id": record.request_id}
    _drop_dead(db, record.created_ms / 1000)
    if record.request_id:
        before = find(db, f"owner = :owner AND request_id = :request_id AND {ALIVE}", given)
        if before:
            return before[0]
    if count(db, f"owner = :owner AND {ALIVE}", given) >= limits.per_owner:
        raise TooMany(Scope.OWNER, limits.per_owner)
    if count(db, ALIVE, given) >= limits.in_all:
        raise TooMany(Scope.ALL, limits.in_all)
    if db.execute("SELECT 1 FROM chain WHERE session_id = ?", (record.session_id,)).fetchone() is not None:
        raise BugError("a session id was given twice")
    columns, values = ", ".join(_NAMES), ", ".join(f":{name}" for name in _NAMES)
    db.execute(f"INSERT INTO session ({columns}) VALUES ({values})", _plain(record))
    db.execute(
        "INSERT INTO chain (session_id, owner, kept_ms, conversation) VALUES (?, ?, ?, ?)",
        (record.session_id, record.owner, record.created_ms, record.conversation),
    )
    return record


def change(
    db: sqlite3.Connection, session_id: str, generation: int, fields: Mapping[str, Any], *, now_ms: int | None = None
) -> SessionRecord | None:
    """Change a session of this generation, given `now_ms` only when it is alive; return it as it is now, or None."""
    condition = "session_id = :of AND generation = :held" + ("" if now_ms is None else f" AND {ALIVE}")
    given = {"of": session_id, "held": generation, "now_s": (now_ms or 0) / 1000}
    if not count(db, condition, given):
        return None
    changes = ", ".join(f"{name} = :{name}" for name in fields)
    if changes:
        values = {name: _plain_value(value) for name, value in fields.items()}
        db.execute(f"UPDATE session SET {changes} WHERE session_id = :of", values | {"of": session_id})
    return find(db, "session_id = :of", {"of": session_id})[0]


def take_over(
    db: sqlite3.Connection, session_id: str, generation: int, fields: Mapping[str, Any], *, now_ms: int
) -> SessionRecord | None:
    """Change the generation and the connection of a live session; the same wish again finds itself fulfilled."""
    taken = change(db, session_id, generation, fields, now_ms=now_ms)
    if taken is not None:
        return taken
    condition = f"session_id = :of AND generation = :generation AND connection = :connection AND {ALIVE}"
    there = find(db, condition, {**fields, "of": session_id, "now_s": now_ms / 1000})
    return there[0] if there else None


def kept_of(db: sqlite3.Connection, owner: str, conversation: str) -> tuple[str, ...]:
    """Return the sessions of a conversation of which something is kept."""
    query = "SELECT session_id FROM chain WHERE owner = ? AND conversation = ?"
    return tuple(row["session_id"] for row in db.execute(query, (owner, conversation)))


def forget(db: sqlite3.Connection, session_id: str, owner: str) -> bool:
    """Delete a session, and with its chain its turns."""
    given = (session_id, owner)
    if db.execute("SELECT 1 FROM chain WHERE session_id = ? AND owner = ?", given).fetchone() is None:
        return False
    db.execute("DELETE FROM session WHERE session_id = ?", (session_id,))
    db.execute("DELETE FROM turn WHERE session_id = ?", (session_id,))
    db.execute("DELETE FROM chain WHERE session_id = ?", (session_id,))
    return True


def sweep(db: sqlite3.Connection, now_s: float) -> int:
    """Delete what is over; return how many sessions."""
    gone = _drop_dead(db, now_s)
    oldest_ms = (now_s - KEEP_TURNS_S) * 1000
    db.execute(
        "DELETE FROM chain WHERE kept_ms < ? AND session_id NOT IN (SELECT session_id FROM session)", (oldest_ms,)
    )
    return gone


def _drop_dead(db: sqlite3.Connection, now_s: float) -> int:
    return db.execute(f"DELETE FROM session WHERE NOT ({ALIVE})", {"now_s": now_s}).rowcount


def _record(row: sqlite3.Row) -> SessionRecord:
    return SessionRecord(**{**dict(row), "status": SessionStatus(row["status"]), "private": bool(row["private"])})


def _plain(record: SessionRecord) -> dict[str, object]:
    return {name: _plain_value(getattr(record, name)) for name in _NAMES}


def _plain_value(value: object) -> object:
    return value.value if isinstance(value, Enum) else value
