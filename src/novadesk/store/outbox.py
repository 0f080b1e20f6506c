"""The outbox: wishes for the remote side, written with what they are about, leased, acknowledged or put off.

Rules over an open transaction; no loop, no clock. Within one conversation the order of writing is the order of
delivery: a row that waits or is leased holds back those behind it. A parked row (refused for good) holds back nothing.
"""

import secrets
import sqlite3
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from novadesk.models import BackendKind, SyncState, Turn
from novadesk.store import links
from novadesk.store.rows import TURN_COLUMNS, TURN_TABLES, turn_of

# What belongs to the backend, or to a conversation that is gone and was at no gateway, which has a courier of its own;
# nothing of one that the person has just deleted.
_DELIVERABLE = (
    "coalesce((SELECT NOT leaving_ms AND (:backend IS NULL OR backend = :backend) FROM conversation"
    " WHERE handle = o.conversation), :backend IS NULL OR NOT EXISTS (SELECT 1 FROM remote_session"
    f" WHERE handle = o.conversation AND {links.AT_GATEWAY}))"
)


LONGEST_MS = 600_000
"""Nothing is put off or leased for longer: what seems to be was written before the clock was set back, and is due."""


class OutboxKind(Enum):
    """What is wished for: that the session exists, a step, the session's metadata renewed, everything deleted."""

    SESSION = "session"
    TURN = "turn"
    METADATA = "metadata"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One row in somebody's hands.

    Attributes:
        number: the row; rows of one conversation are delivered in this order.
        token: tells this lease from later ones of the same row.
        revision: version of the turn's content that this lease carries.
        attempts: earlier tries that failed.
        step_ms: the time of the step, the same at every try, so that steps sent side by side stay in order.
        again: the service had the turn already, and lost it.
    """

    number: int
    token: int
    conversation: str
    kind: OutboxKind
    revision: int
    attempts: int
    step_id: str | None = None
    turn: Turn | None = None
    step_ms: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How much waits: turns that can be delivered to a backend, and rows it refused for good."""

    turns: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A conversation that a gateway is to delete; `attempts` are those that failed."""

    number: int
    handle: str
    attempts: int


def new_step_id() -> str:
    """Return a random UUID for a step."""
    return str(uuid.uuid4())


_COPYING = frozenset(kind.value for kind in BackendKind if kind.copies_itself)


def add(db: sqlite3.Connection, handle: str, kind: OutboxKind) -> None:
    """Add a wish that is not about a turn, unless the same one waits untouched."""
    same = "SELECT 1 FROM outbox WHERE conversation = ? AND kind = ? AND lease IS NULL AND parked IS NULL"
    if not _delivered_from_here(db, handle):
        return
    if db.execute(same, (handle, kind.value)).fetchone() is None:
        db.execute("INSERT INTO outbox (conversation, kind) VALUES (?, ?)", (handle, kind.value))


def add_turn(db: sqlite3.Connection, handle: str, turn: int, step_id: str, revision: int) -> None:
    """Add the delivery of a turn, given by its row number; without one the turn is of this computer only."""
    if not _delivered_from_here(db, handle):
        db.execute("UPDATE turn SET sync = 'local' WHERE number = ?", (turn,))
        return
    db.execute(
        "INSERT INTO outbox (conversation, kind, turn, step_id, revision) VALUES (?, 'turn', ?, ?, ?)",
        (handle, turn, step_id, revision),
    )


def _delivered_from_here(db: sqlite3.Connection, handle: str) -> bool:
    """Return whether copies of a conversation are this program's business; of one that is gone they are."""
    row = db.execute("SELECT backend FROM conversation WHERE handle = ?", (handle,)).fetchone()
    return row is None or row["backend"] not in _COPYING


def renew_turn(
    db: sqlite3.Connection, handle: str, turn: int, revision: int, make_id: Callable[[], str] = new_step_id
) -> None:
    """Have the new content of a turn delivered: in its waiting row, or in a new row under a new step id."""
    changed = db.execute(
        "UPDATE outbox SET revision = ?, parked = NULL, due_ms = CASE WHEN parked IS NULL THEN due_ms ELSE 0 END"
        " WHERE turn = ?",
        (revision, turn),
    ).rowcount
    if not changed:
        add_turn(db, handle, turn, make_id(), revision)


def lease(
    db: sqlite3.Connection, count: int, now_ms: int, lease_ms: int, backend: BackendKind | None = None
) -> tuple[Lease, ...]:
    """Lease up to `count` of the oldest rows that nothing holds back, for `lease_ms`.

    With `backend` only rows of conversations that began there (or that are gone): what was said to the practice partner
    never reaches another service.
    """
    rows = db.execute(
        f"SELECT * FROM outbox AS o WHERE parked IS NULL AND {_DELIVERABLE} AND NOT EXISTS ("
        " SELECT 1 FROM outbox AS p WHERE p.conversation = o.conversation AND p.number <= o.number"
        " AND p.parked IS NULL AND (p.due_ms > :now AND p.due_ms <= :latest"
        "  OR p.leased_until_ms > :now AND p.leased_until_ms <= :latest)"
        ") ORDER BY number LIMIT :count",
        {
            "now": now_ms,
            "latest": now_ms + LONGEST_MS,
            "count": count,
            "backend": None if backend is None else backend.value,
        },
    ).fetchall()
    leases = []
    latest_ms: dict[str, int] = {}
    for row in rows:
        token, step_ms = secrets.randbits(62), row["step_ms"]
        if row["turn"] is not None and not step_ms:
            handle = row["conversation"]
            if handle not in latest_ms:
                latest_ms[handle] = latest_step_ms(db, handle)
            step_ms = latest_ms[handle] = max(now_ms, latest_ms[handle] + 1)
        db.execute(
            "UPDATE outbox SET lease = ?, leased_until_ms = ?, step_ms = ? WHERE number = ?",
            (token, now_ms + lease_ms, step_ms, row["number"]),
        )
        leases.append(_lease(db, row, token, step_ms))
    return tuple(leases)


def next_step_ms(db: sqlite3.Connection, handle: str, now_ms: int) -> int:
    """Return a time for a step that is later than every step known or promised of the conversation."""
    return max(now_ms, latest_step_ms(db, handle) + 1)


def latest_step_ms(db: sqlite3.Connection, handle: str) -> int:
    """Return the latest time of a step that is known or promised of the conversation; 0 without one."""
    query = (
        "SELECT max(coalesce((SELECT max(last_step_ms) FROM remote_session WHERE handle = :handle), 0),"
        " coalesce((SELECT max(step_ms) FROM outbox WHERE conversation = :handle), 0))"
    )
    (found,) = db.execute(query, {"handle": handle}).fetchone()
    return int(found)


def acknowledge(
    db: sqlite3.Connection,
    held: Lease,
    *,
    generation: int = 0,
    step_ms: int = 0,
    make_id: Callable[[], str] = new_step_id,
) -> bool:
    """Take note that what `held` carries was delivered; late and repeated calls do no harm.

    A turn whose content changed meanwhile stays in the outbox under a new step id.

    Returns:
        Whether the row left the outbox by this call.
    """
    if held.turn is not None and held.step_id is not None:
        note_step(db, held.conversation, held.step_id, held.turn.turn_id, generation, step_ms)
    gone = db.execute("DELETE FROM outbox WHERE number = ? AND revision = ?", (held.number, held.revision)).rowcount
    if gone:
        if held.turn is not None:
            db.execute("UPDATE turn SET sync = 'synced' WHERE turn_id = ?", (held.turn.turn_id,))
        return True
    db.execute(
        "UPDATE outbox SET step_id = ?, step_ms = 0, attempts = 0, due_ms = 0, lease = NULL, leased_until_ms = 0"
        " WHERE number = ? AND step_id = ? AND (lease IS NULL OR lease = ?)",
        (make_id(), held.number, held.step_id, held.token),
    )
    return False


def note_step(
    db: sqlite3.Connection, handle: str, step_id: str, turn_id: str | None, generation: int, step_ms: int
) -> None:
    """Remember a remote step and the newest remote time of its session."""
    fresh = db.execute(
        "INSERT OR IGNORE INTO step (step_id, handle, turn_id, generation, step_ms) VALUES (?,?,?,?,?)",
        (step_id, handle, turn_id, generation, step_ms),
    ).rowcount
    db.execute(
        "UPDATE remote_session SET last_step_ms = max(last_step_ms, ?), steps = steps + ?"
        " WHERE handle = ? AND generation = ?",
        (step_ms, fresh, handle, generation),
    )


def change_step(db: sqlite3.Connection, held: Lease, step_id: str, step_ms: int) -> bool:
    """Record another id and time for the step of a turn, because the old ones are refused.

    Returns:
        False when the lease has passed to somebody else: then nothing may be delivered under the new id.
    """
    change = "UPDATE outbox SET step_id = ?, step_ms = ? WHERE number = ? AND lease = ?"
    return bool(db.execute(change, (step_id, step_ms, held.number, held.token)).rowcount)


def deliver_again(db: sqlite3.Connection, handle: str, generation: int) -> int:
    """Put the turns back into the outbox whose steps went with a remote session; return how many.

    What waits already is put behind them in the order of the conversation, in rows of its own: leases of the old rows
    can do nothing any more.
    """
    steps = "SELECT turn_id, generation FROM step WHERE handle = ? AND turn_id IS NOT NULL ORDER BY generation, step_ms"
    newest = {row["turn_id"]: row["generation"] for row in db.execute(steps, (handle,))}
    db.execute("DELETE FROM step WHERE handle = ? AND generation = ?", (handle, generation))
    elsewhere = {row["turn_id"] for row in db.execute(steps, (handle,))}
    query = (
        "SELECT turn.number, turn.turn_id, turn.sync, turn.revision, o.number AS row, o.step_id, o.attempts, o.again"
        f" FROM {TURN_TABLES} LEFT JOIN outbox o ON o.turn = turn.number AND o.parked IS NULL"
        " WHERE conversation.handle = ? ORDER BY position"
    )
    rows = db.execute(query, (handle,)).fetchall()
    lost_rows = [
        row
        for row in rows
        if row["row"] is None
        and row["sync"] == SyncState.SYNCED.value
        and newest.get(row["turn_id"]) == generation  # to lose an older version is no loss
        and (row["turn_id"] not in elsewhere or row["revision"])
    ]
    if not lost_rows:
        return 0
    again = {row["number"] for row in lost_rows}
    for row in rows:
        if row["row"] is not None:
            db.execute("DELETE FROM outbox WHERE number = ?", (row["row"],))
        elif row["number"] not in again:
            continue
        db.execute("UPDATE turn SET sync = 'pending' WHERE number = ?", (row["number"],))
        db.execute(
            "INSERT INTO outbox (conversation, kind, turn, step_id, revision, attempts, again)"
            " VALUES (?, 'turn', ?, ?, ?, ?, ?)",
            (
                handle,
                row["number"],
                row["step_id"] or row["turn_id"],
                row["revision"],
                row["attempts"] or 0,
                row["again"] if row["row"] is not None else True,
            ),
        )
    return len(lost_rows)


def fail(db: sqlite3.Connection, held: Lease, due_ms: int) -> None:
    """Put a row off until `due_ms`; nothing happens when the lease has passed to somebody else."""
    db.execute(
        "UPDATE outbox SET attempts = attempts + 1, due_ms = ?, lease = NULL, leased_until_ms = 0"
        " WHERE number = ? AND lease = ?",
        (due_ms, held.number, held.token),
    )


def release(db: sqlite3.Connection, leases: Iterable[Lease]) -> None:
    """Give rows back untried."""
    for held in leases:
        db.execute(
            "UPDATE outbox SET lease = NULL, leased_until_ms = 0 WHERE number = ? AND lease = ?",
            (held.number, held.token),
        )


def park(db: sqlite3.Connection, held: Lease, reason: str) -> None:
    """Set a row aside that is refused for good, with the reason; it blocks nothing and is never dropped.

    A turn whose content changed meanwhile is given back instead.
    """
    parked = db.execute(
        "UPDATE outbox SET parked = ?, lease = NULL, leased_until_ms = 0"
        " WHERE number = ? AND lease = ? AND revision = ?",
        (reason, held.number, held.token, held.revision),
    ).rowcount
    if parked and held.turn is not None:
        db.execute("UPDATE turn SET sync = 'failed' WHERE turn_id = ?", (held.turn.turn_id,))
    release(db, (held,))


def recover(db: sqlite3.Connection) -> None:
    """Free what a process that is gone had leased. Only for the one process that delivers."""
    db.execute("UPDATE outbox SET lease = NULL, leased_until_ms = 0")


def retry_all(db: sqlite3.Connection) -> None:
    """Make every row due now, parked ones too."""
    db.execute("UPDATE turn SET sync = 'pending' WHERE number IN (SELECT turn FROM outbox WHERE parked IS NOT NULL)")
    db.execute("UPDATE outbox SET due_ms = 0, step_ms = iif(parked IS NULL, step_ms, 0), parked = NULL")


def next_deletion(db: sqlite3.Connection, mark: str, now_ms: int) -> Deletion | None:
    """Return the oldest deletion that a gateway is owed and that is due, or None."""
    row = db.execute(
        "SELECT o.number, o.conversation, o.attempts FROM outbox o JOIN remote_session r ON r.handle = o.conversation"
        " WHERE o.kind = 'delete' AND r.mark = :mark AND NOT (o.due_ms > :now AND o.due_ms <= :latest)"
        " ORDER BY o.number LIMIT 1",
        {"mark": mark, "now": now_ms, "latest": now_ms + LONGEST_MS},
    ).fetchone()
    return None if row is None else Deletion(number=row["number"], handle=row["conversation"], attempts=row["attempts"])


def deletion_due_ms(db: sqlite3.Connection, mark: str) -> int | None:
    """Return when the first of the deletions that a gateway is owed is due, or None."""
    due = db.execute(
        "SELECT min(o.due_ms) FROM outbox o JOIN remote_session r ON r.handle = o.conversation"
        " WHERE o.kind = 'delete' AND r.mark = ?",
        (mark,),
    ).fetchone()[0]
    return None if due is None else int(due)


def put_off(db: sqlite3.Connection, deletion: Deletion, due_ms: int) -> None:
    """Put a deletion off until `due_ms`."""
    db.execute("UPDATE outbox SET attempts = attempts + 1, due_ms = ? WHERE number = ?", (due_ms, deletion.number))


def deleted_there(db: sqlite3.Connection, deletion: Deletion, mark: str) -> bool:
    """Take note that a gateway has deleted its copy; return whether that was the last one."""
    last = links.forget_gateway(db, deletion.handle, mark)
    if last:
        db.execute("DELETE FROM outbox WHERE number = ?", (deletion.number,))
    return last


def next_due_ms(db: sqlite3.Connection, backend: BackendKind | None = None, now_ms: int = 1 << 60) -> int | None:
    """Return when the next row (of a backend) may be leased; None when nothing waits.

    A row that has to wait holds back those behind it in its conversation: the first one of each tells.
    """
    query = (
        "SELECT min(max(iif(due_ms <= :latest, due_ms, 0), iif(leased_until_ms <= :latest, leased_until_ms, 0)))"
        f" FROM outbox AS o WHERE parked IS NULL AND {_DELIVERABLE} AND NOT EXISTS ("
        " SELECT 1 FROM outbox AS p WHERE p.conversation = o.conversation AND p.number < o.number AND p.parked IS NULL)"
    )
    given = {"backend": None if backend is None else backend.value, "latest": now_ms + LONGEST_MS}
    found: int | None = db.execute(query, given).fetchone()[0]
    return found


def pending_turns(db: sqlite3.Connection) -> int:
    """Return the number of turns not acknowledged, parked ones included."""
    (count,) = db.execute("SELECT count(*) FROM outbox WHERE kind = 'turn'").fetchone()
    return int(count)


def waiting(db: sqlite3.Connection, backend: BackendKind | None = None) -> Waiting:
    """Return how much waits for a backend; what was said to another one is not counted."""
    query = (
        "SELECT coalesce(sum(kind = 'turn' AND parked IS NULL), 0) AS turns,"
        f" coalesce(sum(parked IS NOT NULL), 0) AS refused FROM outbox AS o WHERE {_DELIVERABLE}"
    )
    row = db.execute(query, {"backend": None if backend is None else backend.value}).fetchone()
    return Waiting(turns=row["turns"], refused=row["refused"])


def _lease(db: sqlite3.Connection, row: sqlite3.Row, token: int, step_ms: int) -> Lease:
    turn = None
    if row["turn"] is not None:
        query = f"SELECT {TURN_COLUMNS} FROM {TURN_TABLES} WHERE turn.number = ?"
        turn = turn_of(db.execute(query, (row["turn"],)).fetchone())
    return Lease(
        number=row["number"],
        token=token,
        conversation=row["conversation"],
        kind=OutboxKind(row["kind"]),
        revision=row["revision"],
        attempts=row["attempts"],
        step_id=row["step_id"],
        turn=turn,
        step_ms=step_ms,
        again=bool(row["again"]),
    )
