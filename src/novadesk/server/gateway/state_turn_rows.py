"""Turns and what is owed of them as rows of SQLite: the rules of `state.SessionStore`, inside a transaction."""

import sqlite3

from novadesk.models import Role, SyncState, Turn, no_such_conversation
from novadesk.server.gateway.state import PendingTurn, RemoteChain, follows, renewed, taken_elsewhere

_CHAIN = "session_id, owner, number, bedrock_session_id, predecessor, begun_ms, steps, last_step_ms, conversation"


def append(db: sqlite3.Connection, turn: Turn, gateway: str | None, *, delivered: bool) -> Turn:
    """Add a turn, or replace its older version; return it as it is stored.

    Raises:
        KnownError: `UNKNOWN_CONVERSATION`, `SESSION_TAKEN`.
    """
    if db.execute("SELECT 1 FROM chain WHERE session_id = ?", (turn.conversation,)).fetchone() is None:
        raise no_such_conversation()
    served = db.execute("SELECT gateway FROM session WHERE session_id = ?", (turn.conversation,)).fetchone()
    if gateway is not None and served is not None and served["gateway"] != gateway:
        raise taken_elsewhere()
    stored = _one(db, turn.conversation, turn.turn_id)
    sync = SyncState.SYNCED if delivered else SyncState.PENDING
    if stored is None:
        last = before(db, turn.conversation, None, 1)
        position, last_ms = (last[0].position + 1, last[0].at_ms) if last else (0, 0)
        stored = follows(turn, position, last_ms, sync)
        _insert(db, stored)
    elif turn.replaces(stored):
        stored = renewed(turn, stored, sync)
        db.execute(
            "UPDATE turn SET text = ?, heard_chars = ?, interrupted = ?, typed = ?, voice = ?, tools = ?,"
            " unconfirmed = ?, sync = ?, revision = revision + 1 WHERE session_id = ? AND turn_id = ?",
            (
                turn.text,
                turn.heard_chars,
                turn.interrupted,
                turn.typed,
                turn.voice,
                " ".join(turn.tools),
                turn.unconfirmed,
                sync.value,
                turn.conversation,
                turn.turn_id,
            ),
        )
    db.execute("UPDATE chain SET kept_ms = max(kept_ms, ?) WHERE session_id = ?", (stored.at_ms, stored.conversation))
    return stored


def behind(db: sqlite3.Connection, session_id: str, after: int, limit: int) -> tuple[Turn, ...]:
    """Return up to `limit` turns behind a position, in order."""
    query = "SELECT * FROM turn WHERE session_id = ? AND position > ? ORDER BY position LIMIT ?"
    return tuple(_turn(row) for row in db.execute(query, (session_id, after, limit)))


def before(db: sqlite3.Connection, session_id: str, position: int | None, limit: int) -> tuple[Turn, ...]:
    """Return the newest `limit` turns below a position, in order."""
    query = "SELECT * FROM turn WHERE session_id = ? AND position < ? ORDER BY position DESC LIMIT ?"
    rows = db.execute(query, (session_id, 1 << 62 if position is None else position, limit)).fetchall()
    return tuple(_turn(row) for row in reversed(rows))


def count(db: sqlite3.Connection, session_id: str) -> int:
    """Return how many turns a session has had."""
    (found,) = db.execute("SELECT count(*) FROM turn WHERE session_id = ?", (session_id,)).fetchone()
    return int(found)


def waiting(db: sqlite3.Connection, limit: int) -> tuple[str, ...]:
    """Return the sessions that have undelivered turns, longest waiting first."""
    query = "SELECT session_id FROM turn WHERE sync = 'pending' GROUP BY session_id ORDER BY min(at_ms) LIMIT ?"
    return tuple(row["session_id"] for row in db.execute(query, (limit,)))


def undelivered(db: sqlite3.Connection, session_id: str, limit: int) -> tuple[PendingTurn, ...]:
    """Return undelivered turns of a session, in order."""
    query = "SELECT * FROM turn WHERE session_id = ? AND sync = 'pending' ORDER BY position LIMIT ?"
    rows = db.execute(query, (session_id, limit))
    return tuple(PendingTurn(turn=_turn(row), revision=row["revision"]) for row in rows)


def mark_delivered(db: sqlite3.Connection, session_id: str, turn_id: str, revision: int, sync: SyncState) -> bool:
    """Note what became of a version of a turn; return whether it was owed."""
    query = "UPDATE turn SET sync = ? WHERE session_id = ? AND turn_id = ? AND revision = ? AND sync = 'pending'"
    return bool(db.execute(query, (sync.value, session_id, turn_id, revision)).rowcount)


def redeliver(db: sqlite3.Connection, session_id: str) -> int:
    """Owe all turns of a session again."""
    return db.execute("UPDATE turn SET sync = 'pending' WHERE session_id = ?", (session_id,)).rowcount


def lease_chain(db: sqlite3.Connection, session_id: str, holder: str, now_ms: int, until_ms: int) -> RemoteChain | None:
    """Give a chain to a holder, unless another one has it."""
    leased = db.execute(
        "UPDATE chain SET holder = :holder, held_until_ms = :until WHERE session_id = :of"
        " AND (holder IN ('', :holder) OR held_until_ms <= :now)",
        {"holder": holder, "of": session_id, "now": now_ms, "until": until_ms},
    ).rowcount
    if not leased:
        return None
    row = db.execute(f"SELECT {_CHAIN} FROM chain WHERE session_id = ?", (session_id,)).fetchone()
    return RemoteChain(**dict(row))


def save_chain(db: sqlite3.Connection, chain: RemoteChain, holder: str) -> bool:
    """Write a chain back while `holder` has it."""
    saved = db.execute(
        "UPDATE chain SET number = ?, bedrock_session_id = ?, predecessor = ?, begun_ms = ?, steps = ?,"
        " last_step_ms = ? WHERE session_id = ? AND holder = ?",
        (
            chain.number,
            chain.bedrock_session_id,
            chain.predecessor,
            chain.begun_ms,
            chain.steps,
            chain.last_step_ms,
            chain.session_id,
            holder,
        ),
    )
    return bool(saved.rowcount)


def free_chain(db: sqlite3.Connection, session_id: str, holder: str) -> None:
    """Give a chain back."""
    query = "UPDATE chain SET holder = '', held_until_ms = 0 WHERE session_id = ? AND holder = ?"
    db.execute(query, (session_id, holder))


def _one(db: sqlite3.Connection, session_id: str, turn_id: str) -> Turn | None:
    query = "SELECT * FROM turn WHERE session_id = ? AND turn_id = ?"
    row = db.execute(query, (session_id, turn_id)).fetchone()
    return None if row is None else _turn(row)


def _insert(db: sqlite3.Connection, turn: Turn) -> None:
    db.execute(
        "INSERT INTO turn (turn_id, session_id, position, role, text, at_ms, wire_session, heard_chars, interrupted,"
        " unconfirmed, typed, voice, tools, sync) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            turn.turn_id,
            turn.conversation,
            turn.position,
            turn.role.value,
            turn.text,
            turn.at_ms,
            turn.wire_session,
            turn.heard_chars,
            turn.interrupted,
            turn.unconfirmed,
            turn.typed,
            turn.voice,
            " ".join(turn.tools),
            turn.sync.value,
        ),
    )


def _turn(row: sqlite3.Row) -> Turn:
    return Turn(
        turn_id=row["turn_id"],
        conversation=row["session_id"],
        position=row["position"],
        role=Role(row["role"]),
        text=row["text"],
        at_ms=row["at_ms"],
        wire_session=row["wire_session"],
        heard_chars=row["heard_chars"],
        interrupted=bool(row["interrupted"]),
        unconfirmed=bool(row["unconfirmed"]),
        typed=bool(row["typed"]),
        voice=row["voice"],
        tools=tuple(row["tools"].split()),
        sync=SyncState(row["sync"]),
    )
