"""Deletion: with a time in which it can be undone, for good, and of what is older than the person wants to keep.

Rules over an open transaction; no loop, no clock. A conversation that is set aside shows nowhere and nothing of it is
delivered, but all of it is there. Deleted for good, it leaves a tombstone that keeps it from coming back.

"Here only" spares copies on other computers. A copy that a backend keeps on this one goes in any case.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from novadesk.models import BackendKind, no_such_conversation
from novadesk.store import links, outbox
from novadesk.store.outbox import OutboxKind

DAY_MS = 86_400_000

ELSEWHERE = "backend IN ({})".format(", ".join(f"'{kind.value}'" for kind in BackendKind if not kind.keeps_here))
"""The condition that copies of a conversation lie on other computers."""

_OLD = (
    "SELECT handle, turns, starred, EXISTS (SELECT 1 FROM outbox o WHERE o.conversation = c.handle AND o.kind = 'turn')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """Conversations that are older than what shall be kept.

    Attributes:
        handles: those that may be deleted.
        starred: how many are kept for their star.
        undelivered: how many are kept because the remote store has not all of their turns.
    """

    handles: tuple[str, ...] = ()
    starred: int = 0
    undelivered: int = 0


def set_aside(
    db: sqlite3.Connection, handles: Sequence[str] | None, now_ms: int, *, keep_starred: bool, here_only: bool
) -> tuple[str, ...]:
    """Delete conversations (None: all) so that they can be brought back; return which were there."""
    rows = db.execute("SELECT handle, starred FROM conversation WHERE NOT leaving_ms ORDER BY number").fetchall()
    wanted = None if handles is None else frozenset(handles)
    chosen = tuple(
        row["handle"]
        for row in rows
        if (wanted is None or row["handle"] in wanted) and not (keep_starred and row["starred"])
    )
    db.executemany(
        "UPDATE conversation SET leaving_ms = ?, leaving_here = ? WHERE handle = ?",
        [(max(1, now_ms), here_only, handle) for handle in chosen],
    )
    return chosen


def bring_back(db: sqlite3.Connection, handles: Sequence[str]) -> int:
    """Undo `set_aside`; return how many were still there."""
    change = "UPDATE conversation SET leaving_ms = 0, leaving_here = 0 WHERE handle = ? AND leaving_ms"
    return sum(db.execute(change, (handle,)).rowcount for handle in handles)


def left(db: sqlite3.Connection, until_ms: int, now_ms: int) -> tuple[tuple[str, bool], ...]:
    """Return what was set aside at or before a time, each with whether it goes from here only.

    What seems to be set aside in the future was so before the clock was set back, and is not waited for.
    """
    rows = db.execute(
        "SELECT handle, leaving_here FROM conversation WHERE leaving_ms AND (leaving_ms <= ? OR leaving_ms > ?)"
        " ORDER BY leaving_ms",
        (until_ms, now_ms),
    )
    return tuple((row["handle"], bool(row["leaving_here"])) for row in rows)


def first_left_ms(db: sqlite3.Connection) -> int | None:
    """Return when the oldest of those that are set aside was, or None."""
    (found,) = db.execute("SELECT min(leaving_ms) FROM conversation WHERE leaving_ms").fetchone()
    return None if found is None else int(found)


def old(db: sqlite3.Connection, before_ms: int, spare: str | None) -> Old:
    """Return the conversations whose last turn is older than a time; `spare` is the open one."""
    rows = db.execute(
        f"{_OLD} AS waiting FROM conversation c"
        " WHERE updated_ms < ? AND NOT leaving_ms AND handle IS NOT ? ORDER BY updated_ms",
        (before_ms, spare),
    ).fetchall()
    return Old(
        handles=tuple(row["handle"] for row in rows if not row["starred"] and not row["waiting"]),
        starred=sum(row["starred"] for row in rows),
        undelivered=sum(row["waiting"] and not row["starred"] for row in rows),
    )


def delete(db: sqlite3.Connection, handle: str, now_ms: int, *, here_only: bool = False) -> int:
    """Delete a conversation for good, and its copies through the outbox, as far as `here_only` does not spare them.

    Its words stay in the search index until that is merged.

    Returns:
        How many turns it had.

    Raises:
        KnownError: `UNKNOWN_CONVERSATION`.
    """
    query = f"DELETE FROM conversation WHERE handle = ? RETURNING turns, {ELSEWHERE} AS elsewhere"
    row = db.execute(query, (handle,)).fetchone()
    if row is None:
        raise no_such_conversation()
    here_only = here_only and bool(row["elsewhere"])
    db.execute("DELETE FROM outbox WHERE conversation = ?", (handle,))
    db.execute(
        "INSERT OR REPLACE INTO tombstone (handle, deleted_ms, remote_kept) VALUES (?, ?, ?)",
        (handle, now_ms, here_only),
    )
    if here_only:
        links.forget(db, handle)
    elif db.execute("SELECT 1 FROM remote_session WHERE handle = ?", (handle,)).fetchone() is not None:
        outbox.add(db, handle, OutboxKind.DELETE)
    return int(row["turns"])
