"""The rows behind a chain of remote sessions, and which listed session belongs to which row."""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from novadesk.models import no_such_conversation
from novadesk.store.agentruntime import RemoteSession, RemoteStatus
from novadesk.store.metadata import KEY_DEVICE, generation_of, mark_of

AT_GATEWAY = "mark LIKE 'gateway:%'"
"""The condition that a row is about a copy at a gateway, which deletes it when asked."""


def gateway_mark(address: str) -> str:
    """Return what a gateway is recognised by, without saying where it is."""
    return f"gateway:{hashlib.sha256(address.strip().encode()).hexdigest()[:32]}"


class LinkState(Enum):
    """State of one session of a chain, as stored: wished for, known to exist, takes no more steps."""

    INTENDED = "intended"
    BOUND = "bound"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One session of a chain as stored: without its id, which lies in the keyring.

    Attributes:
        mark: tells the session from others, see `mark_of`; empty until it is known to exist.
        steps: steps known of.
        gone: the service has it no more.
    """

    generation: int
    state: LinkState
    mark: str = ""
    created_ms: int = 0
    steps: int = 0
    last_step_ms: int = 0
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Which session is which: those with a place in the chain, and doubles that a lost answer left behind."""

    places: dict[int, RemoteSession] = field(default_factory=dict)
    doubles: tuple[RemoteSession, ...] = ()


def place(links: Sequence[Link], sessions: Iterable[RemoteSession], device: str) -> Placement:
    """Give every listed session of one conversation its place.

    A session known by its mark keeps its place. Another one takes the place its metadata names, when nothing else is
    there. Of several for one place the open and oldest one counts; another machine's is put at the end of the chain,
    since it may hold turns; one of this `device` is a double.
    """
    by_mark = {link.mark: link.generation for link in links if link.mark}
    unmarked = {link.generation for link in links if not link.mark}
    taken = {link.generation for link in links if link.mark}
    places: dict[int, RemoteSession] = {}
    strangers = []
    for session in sorted(sessions, key=_age):
        if (known := by_mark.get(mark_of(session.session_id))) is not None:
            places[known] = session
        else:
            strangers.append(session)
    doubles = []
    for session in strangers:
        generation = generation_of(session.metadata)
        if generation not in taken:
            taken.add(generation)
            places[generation] = session
        elif session.metadata.get(KEY_DEVICE) == device:
            doubles.append(session)
        else:
            last = max(taken | unmarked) + 1
            taken.add(last)
            places[last] = session
    return Placement(places=places, doubles=tuple(doubles))


def _age(session: RemoteSession) -> tuple[int, bool, int, str]:
    closed = session.status is not RemoteStatus.ACTIVE
    return generation_of(session.metadata), closed, session.created_ms, session.session_id


def left_in_keyring(db: sqlite3.Connection) -> list[str]:
    """Return the conversations that are deleted, but for an entry that the keyring did not let go of."""
    query = (
        "SELECT DISTINCT handle FROM remote_session WHERE in_keyring AND handle IN (SELECT handle FROM tombstone)"
        " AND handle NOT IN (SELECT conversation FROM outbox WHERE kind = 'delete')"
    )
    return [row["handle"] for row in db.execute(query)]


def links_of(db: sqlite3.Connection, handle: str) -> tuple[Link, ...]:
    """Return the chain of a conversation, oldest first."""
    rows = db.execute(
        f"SELECT * FROM remote_session WHERE handle = ? AND NOT {AT_GATEWAY} ORDER BY generation", (handle,)
    )
    return tuple(
        Link(
            generation=row["generation"],
            state=LinkState(row["state"]),
            mark=row["mark"],
            created_ms=row["created_ms"],
            steps=row["steps"],
            last_step_ms=row["last_step_ms"],
            gone=bool(row["gone"]),
        )
        for row in rows
    )


def intend(db: sqlite3.Connection, handle: str, generation: int, now_ms: int) -> None:
    """Write down that a session is about to be created.

    Raises:
        KnownError: `UNKNOWN_CONVERSATION` when the conversation has been deleted.
    """
    if db.execute("SELECT 1 FROM conversation WHERE handle = ?", (handle,)).fetchone() is None:
        raise no_such_conversation()
    db.execute(
        "INSERT OR IGNORE INTO remote_session (handle, generation, state, created_ms) VALUES (?, ?, 'intended', ?)",
        (handle, generation, now_ms),
    )


def bind(db: sqlite3.Connection, handle: str, generation: int, session: RemoteSession) -> None:
    """Write down that the session of a generation exists, and what it is recognised by."""
    db.execute(
        "INSERT INTO remote_session (handle, generation, state, mark, created_ms)"
        " VALUES (:handle, :gen, 'bound', :mark, :at)"
        " ON CONFLICT DO UPDATE SET mark = :mark, gone = 0, state = iif(state = 'intended', 'bound', state)",
        {"handle": handle, "gen": generation, "mark": mark_of(session.session_id), "at": session.created_ms},
    )


def note_gateway(db: sqlite3.Connection, handle: str, mark: str) -> None:
    """Write down that the gateway of a mark has a copy of a conversation; of several gateways, each."""
    marks = "SELECT mark FROM remote_session WHERE handle = ?"
    if mark not in {row["mark"] for row in db.execute(marks, (handle,))}:
        db.execute(  # below the chain, which may be there as well: a conversation goes on wherever it is opened
            "INSERT INTO remote_session (handle, generation, state, mark, created_ms)"
            " SELECT :handle, min(0, coalesce(min(generation), 0)) - 1, 'bound', :mark, 0"
            " FROM remote_session WHERE handle = :handle",
            {"handle": handle, "mark": mark},
        )


def forget_gateway(db: sqlite3.Connection, handle: str, mark: str) -> bool:
    """Forget that a gateway has a copy; return whether nobody else has one."""
    others = "SELECT 1 FROM remote_session WHERE handle = ? AND mark <> ?"
    if db.execute(others, (handle, mark)).fetchone() is None:
        return True
    db.execute("DELETE FROM remote_session WHERE handle = ? AND mark = ?", (handle, mark))
    return False


def close(db: sqlite3.Connection, handle: str, generation: int, *, gone: bool = False) -> None:
    """Write down that a session takes no more steps, and with `gone` that the service has lost it."""
    db.execute(
        "UPDATE remote_session SET state = 'closed', gone = max(gone, ?) WHERE handle = ? AND generation = ?",
        (gone, handle, generation),
    )


def forget(db: sqlite3.Connection, handle: str) -> None:
    """Forget that there were any sessions, but not that the keyring has still an entry."""
    db.execute("DELETE FROM remote_session WHERE handle = ? AND NOT in_keyring", (handle,))
    db.execute("UPDATE remote_session SET state = 'closed', gone = 1 WHERE handle = ?", (handle,))
    db.execute("DELETE FROM step WHERE handle = ?", (handle,))


def owed_deletions(db: sqlite3.Connection, mark: str) -> tuple[int, int]:
    """Return how many copies are still to be deleted: at the gateway of this mark, and at others."""
    query = (
        "SELECT coalesce(sum(mark = :mark), 0), coalesce(sum(mark <> :mark), 0) FROM remote_session"
        f" WHERE {AT_GATEWAY} AND handle IN (SELECT conversation FROM outbox WHERE kind = 'delete')"
    )
    here, elsewhere = db.execute(query, {"mark": mark}).fetchone()
    return int(here), int(elsewhere)
