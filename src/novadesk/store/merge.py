"""How remote state comes into the store, over an open transaction: it adds and confirms, and never replaces."""

import sqlite3
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from novadesk.models import SyncState, Turn
from novadesk.store import outbox
from novadesk.store.agentruntime import RemoteSession, RemoteStep, StepSummary
from novadesk.store.conversations import insert_turn
from novadesk.store.metadata import KEY_DEVICE, backend_of, created_ms_of, generation_of, names_of, newest_names
from novadesk.store.names import merge_names, read_names
from novadesk.store.outbox import OutboxKind
from novadesk.store.rows import find_turn
from novadesk.store.steps import decode_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStep:
    """A step of a session of a chain, with its content once that has been read."""

    generation: int
    session_id: str = field(repr=False)
    summary: StepSummary
    content: RemoteStep | None = None


def unknown_steps(db: sqlite3.Connection, listed: Sequence[FoundStep]) -> list[FoundStep]:
    """Return the steps that are not known here."""
    known = "SELECT 1 FROM step WHERE step_id = ?"
    return [step for step in listed if db.execute(known, (step.summary.step_id,)).fetchone() is None]


def knows_steps(db: sqlite3.Connection, handle: str, generation: int) -> bool:
    """Return whether steps of a session are known here."""
    known = "SELECT 1 FROM step WHERE handle = ? AND generation = ?"
    return db.execute(known, (handle, generation)).fetchone() is not None


def merge_steps(db: sqlite3.Connection, handle: str, found: Sequence[FoundStep]) -> int:
    """Add the turns of steps that were read; return how many turns were added or confirmed."""
    if db.execute("SELECT 1 FROM conversation WHERE handle = ?", (handle,)).fetchone() is None:
        return 0  # Deleted meanwhile.
    changed, new = 0, dict[str, Turn]()
    for step in sorted(found, key=lambda one: one.summary.step_ms):
        if step.content is None:
            continue
        summary = step.summary
        turn = decode_turn(
            step.content.text,
            conversation=handle,
            step_id=summary.step_id,
            step_ms=summary.step_ms,
            wire_session=summary.invocation,
        )
        turn_id = None if turn is None else turn.turn_id
        outbox.note_step(db, handle, summary.step_id, turn_id, step.generation, summary.step_ms)
        if turn is None:
            continue
        if (stored := find_turn(db, turn.turn_id)) is not None:
            changed += _renew(db, turn, stored, summary.step_ms)
        elif (known := new.get(turn.turn_id)) is None or turn.replaces(known):
            new[turn.turn_id] = turn
    _insert_by_time(db, handle, sorted(new.values(), key=lambda turn: (turn.at_ms, turn.turn_id)))
    return changed + len(new)


def merge_sessions(
    db: sqlite3.Connection, ours: Mapping[str, Sequence[RemoteSession]], device: str
) -> tuple[int, list[str]]:
    """Take over what the sessions of an account say about their conversations.

    A conversation that is not known here is added, unless it was deleted here: then sessions that this device made for
    it, and that came up late, are deleted as well, but for those that shall stay there. Names that are newer here are
    sent there again.

    Returns:
        How many conversations are new or have new names, and the handles of those that are here now.
    """
    changed, here = 0, []
    for handle, sessions in ours.items():
        gone = db.execute("SELECT remote_kept FROM tombstone WHERE handle = ?", (handle,)).fetchone()
        if gone is not None:
            if not gone["remote_kept"] and any(session.metadata.get(KEY_DEVICE) == device for session in sessions):
                outbox.add(db, handle, OutboxKind.DELETE)
            continue
        added = _add_conversation(db, handle, sessions)
        renamed = [merge_names(db, handle, names_of(session.metadata)) for session in sessions]
        changed += added or any(renamed)
        here.append(handle)
        newest = max(sessions, key=lambda one: (generation_of(one.metadata), one.created_ms))
        there = names_of(newest.metadata)
        if newest_names(read_names(db, handle), there) != there:
            outbox.add(db, handle, OutboxKind.METADATA)
    return changed, here


def _add_conversation(db: sqlite3.Connection, handle: str, sessions: Sequence[RemoteSession]) -> bool:
    first = min(sessions, key=lambda one: (generation_of(one.metadata), one.created_ms))
    names = names_of(first.metadata)
    return bool(
        db.execute(
            "INSERT OR IGNORE INTO conversation (handle, label, title, backend, origin, created_ms, updated_ms)"
            " VALUES (?,?,?,?,'remote',?,?)",
            (
                handle,
                names.label,
                names.title,
                backend_of(first.metadata).value,
                created_ms_of(first.metadata, first.created_ms),
                max(session.updated_ms for session in sessions),
            ),
        ).rowcount
    )


def _renew(db: sqlite3.Connection, turn: Turn, stored: Turn, step_ms: int) -> int:
    """Take a later version of a turn that has nothing left to deliver: its newest step, or the first confirmed text."""
    if turn.unconfirmed and not turn.replaces(stored):
        return 0
    return db.execute(
        "UPDATE turn SET text = :text, heard_chars = :heard, interrupted = :interrupted, typed = :typed,"
        " voice = iif(:voice = '', voice, :voice), tools = iif(:tools = '', tools, :tools),"
        " unconfirmed = :unconfirmed, revision = revision + 1 WHERE turn_id = :id AND sync = 'synced'"
        " AND (unconfirmed OR :step_ms >= (SELECT max(step_ms) FROM step WHERE handle = :handle AND turn_id = :id))"
        " AND (unconfirmed OR text <> :text OR heard_chars IS NOT :heard OR interrupted <> :interrupted)",
        {
            "id": turn.turn_id,
            "handle": turn.conversation,
            "step_ms": step_ms,
            "text": turn.text,
            "heard": turn.heard_chars,
            "interrupted": turn.interrupted,
            "typed": turn.typed,
            "unconfirmed": turn.unconfirmed,
            "voice": turn.voice,
            "tools": " ".join(turn.tools),
        },
    ).rowcount


def _insert_by_time(db: sqlite3.Connection, handle: str, new: Sequence[Turn]) -> None:
    """Insert turns, in order of time, behind the last one that is older; those that are here keep their order.

    At equal times the id decides, so that every machine comes to the same order. What comes later is moved up once.
    """
    if not new:
        return
    (number,) = db.execute("SELECT number FROM conversation WHERE handle = ?", (handle,)).fetchone()
    earliest = new[0]
    (first,) = db.execute(
        "SELECT coalesce(max(position) + 1, 0) FROM turn"
        " WHERE conversation = ? AND (at_ms < ? OR (at_ms = ? AND turn_id < ?))",
        (number, earliest.at_ms, earliest.at_ms, earliest.turn_id),
    ).fetchone()
    later = db.execute(
        "SELECT at_ms, turn_id FROM turn WHERE conversation = ? AND position >= ? ORDER BY position", (number, first)
    ).fetchall()
    slots = slots_by_time([(row["at_ms"], row["turn_id"]) for row in later], [(t.at_ms, t.turn_id) for t in new])
    ends = [*slots[1:], len(later)]
    for count, (begin, end) in reversed(list(enumerate(zip(slots, ends, strict=True), 1))):
        db.execute(
            "UPDATE turn SET position = position + ? WHERE conversation = ? AND position >= ? AND position < ?",
            (count, number, first + begin, first + end),
        )
    for count, (turn, slot) in enumerate(zip(new, slots, strict=True)):
        insert_turn(db, turn, SyncState.SYNCED, first + slot + count)


def slots_by_time(here: Sequence[tuple[int, str]], new: Sequence[tuple[int, str]]) -> list[int]:
    """Return before which of the turns here each new one belongs: behind the last one that is older.

    Args:
        here: times and ids in the order they are kept in, which need not be that of time.
        new: times and ids in order of time.
    """
    earliest_from_here_on = list(accumulate(reversed(here), min))[::-1]
    return [bisect_left(earliest_from_here_on, key) for key in new]
