"""Read what can be read of a damaged store into a whole one. What both have is merged by id, newer over older.

A damaged page may yield anything: only what has the shape of a row of ours is taken.
"""

import sqlite3
import time
import uuid
from collections.abc import Iterator
from typing import Any

from novadesk.errors import KnownError
from novadesk.models import BackendKind, check_handle, make_handle
from novadesk.store import faults, outbox
from novadesk.store.outbox import OutboxKind

_MOST_MISSES = 20_000
"""Row numbers in a row that yield nothing, after which there is nothing further on."""

_LATEST_MS = 1 << 43
_BACKENDS = frozenset(kind.value for kind in BackendKind)
_TABLES = ("setting", "conversation", "turn", "step", "remote_session", "tombstone")
_WISHES = (OutboxKind.METADATA.value, OutboxKind.DELETE.value)

type _Row = dict[str, Any]
type _Columns = dict[str, frozenset[str]]


def salvage(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Add to `target`, in its transaction, what of `source` can be read and is not there, or is newer than there.

    Raises:
        sqlite3.DatabaseError: nothing of `source` can be read.
    """
    source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    columns = {table: _columns(target, table) for table in _TABLES}
    source.text_factory = bytes
    source.execute("PRAGMA cell_size_check = ON")
    for row in _rows(source, "tombstone"):
        if _is_handle(row.get("handle")):
            _put(target, columns, "tombstone", row)
    target.execute("DELETE FROM conversation WHERE handle IN (SELECT handle FROM tombstone)")
    target.execute("DELETE FROM outbox WHERE kind <> 'delete' AND conversation IN (SELECT handle FROM tombstone)")
    turns = [row for row in _numbered(source, "turn") if _is_turn(row)]
    wishes = [row for row in _numbered(source, "outbox") if _is_handle(row.get("conversation"))]
    steps = [row for row in _rows(source, "step") if _is_handle(row.get("handle"))]
    places = _take_conversations(source, target, columns, turns, _owners(turns, wishes, steps))
    _take_turns(target, columns, turns, places)
    for row in _rows(source, "remote_session"):
        if _is_handle(row.get("handle")):
            _put(target, columns, "remote_session", row, replace=True)
    for row in steps:
        _put(target, columns, "step", row)
    for row in _rows(source, "setting"):
        _put(target, columns, "setting", row, replace=True)
    # A step without its turn is one to read again.
    target.execute("DELETE FROM step WHERE turn_id IS NOT NULL AND turn_id NOT IN (SELECT turn_id FROM turn)")
    _take_wishes(target, wishes)
    _put_in_order(target)


def _take_conversations(
    source: sqlite3.Connection,
    target: sqlite3.Connection,
    columns: _Columns,
    turns: list[_Row],
    owners: dict[int, str],
) -> dict[int, str]:
    """Return the handle of each conversation number of the source that is not deleted."""
    places: dict[int, str] = {}
    for row in _numbered(source, "conversation"):
        if not _is_handle(row.get("handle")):
            continue
        number = row.pop("number")
        if row.get("backend") not in _BACKENDS:
            row["backend"] = BackendKind.PRACTICE.value  # of whom nothing goes anywhere
        places[number] = row["handle"]
        if not _put(target, columns, "conversation", row):
            for value, time_of in (("title", "titled_ms"), ("starred", "starred_ms")):
                target.execute(
                    f"UPDATE conversation SET {value} = :{value}, {time_of} = :{time_of}"
                    f" WHERE handle = :handle AND {time_of} < :{time_of}",
                    {name: row.get(name, 0) for name in (value, time_of, "handle")},
                )
    for turn in turns:
        number = turn["conversation"]
        if number in places:
            continue
        handle = places[number] = owners.get(number) or make_handle(time.time_ns() // 1_000_000)
        row = {"handle": handle, "label": "recovered", "title": "", "backend": BackendKind.PRACTICE.value}
        _put(target, columns, "conversation", row | {"created_ms": turn["at_ms"], "updated_ms": turn["at_ms"]})
    gone = {row["handle"] for row in target.execute("SELECT handle FROM tombstone")}
    target.execute("DELETE FROM conversation WHERE handle IN (SELECT handle FROM tombstone)")
    return {number: handle for number, handle in places.items() if handle not in gone}


def _owners(turns: list[_Row], wishes: list[_Row], steps: list[_Row]) -> dict[int, str]:
    """Return to which conversation turns belong according to what else is known of them."""
    by_turn = {row["turn"]: row["conversation"] for row in wishes if row.get("turn") is not None}
    by_id = {row["turn_id"]: row["handle"] for row in steps if row.get("turn_id")}
    found = {}
    for turn in turns:
        if handle := by_turn.get(turn["number"]) or by_id.get(turn["turn_id"]):
            found[turn["conversation"]] = handle
    return found


def _take_turns(target: sqlite3.Connection, columns: _Columns, turns: list[_Row], places: dict[int, str]) -> None:
    numbers = {row["handle"]: row["number"] for row in target.execute("SELECT number, handle FROM conversation")}
    for row in turns:
        conversation = numbers.get(places.get(row["conversation"], ""))
        if conversation is None:
            continue
        there = target.execute("SELECT revision, sync FROM turn WHERE turn_id = ?", (row["turn_id"],)).fetchone()
        if there is None:
            fresh = {name: value for name, value in row.items() if name != "number"}
            _put(target, columns, "turn", fresh | {"conversation": conversation})
        elif row["revision"] > there["revision"]:
            target.execute(
                "UPDATE turn SET text = :text, heard_chars = :heard_chars, interrupted = :interrupted,"
                " unconfirmed = :unconfirmed, typed = :typed, voice = :voice, tools = :tools, sync = :sync,"
                " revision = :revision WHERE turn_id = :turn_id",
                {"voice": "", "tools": ""} | row,  # a file of an earlier version has none
            )
        elif row["revision"] == there["revision"] and row.get("sync") == "synced" != there["sync"]:
            target.execute("UPDATE turn SET sync = 'synced' WHERE turn_id = ?", (row["turn_id"],))
        if there is not None and isinstance(row.get("edited"), str):
            target.execute("UPDATE turn SET edited = :edited WHERE turn_id = :turn_id", row)


def _take_wishes(target: sqlite3.Connection, wishes: list[_Row]) -> None:
    """Have delivered what was not; what was delivered and is sent again is recognised by its id."""
    target.execute("DELETE FROM outbox WHERE turn IN (SELECT number FROM turn WHERE sync = 'synced')")
    for row in wishes:
        if row.get("kind") in _WISHES:
            outbox.add(target, row["conversation"], OutboxKind(row["kind"]))
    missing = target.execute(
        "SELECT turn.number, turn_id, revision, handle FROM turn JOIN conversation c ON c.number = turn.conversation"
        " WHERE sync IN ('pending', 'failed') AND turn.number NOT IN (SELECT turn FROM outbox WHERE turn IS NOT NULL)"
        " ORDER BY turn.conversation, position, at_ms"
    ).fetchall()
    for row in missing:
        step_id = row["turn_id"] if row["revision"] == 0 else outbox.new_step_id()
        outbox.add_turn(target, row["handle"], row["number"], step_id, row["revision"])
    target.execute("UPDATE turn SET sync = 'pending' WHERE sync = 'failed'")
    target.execute("UPDATE outbox SET parked = NULL")


def _put_in_order(target: sqlite3.Connection) -> None:
    """Close the gaps that lost turns leave, and count."""
    target.execute(
        "UPDATE turn SET position = place.position FROM ("
        " SELECT number, row_number() OVER (PARTITION BY conversation ORDER BY position, at_ms, number) - 1 AS position"
        " FROM turn) AS place WHERE place.number = turn.number AND place.position <> turn.position"
    )
    target.execute(
        "UPDATE conversation SET"
        " turns = (SELECT count(*) FROM turn WHERE conversation = conversation.number),"
        " updated_ms = max(updated_ms, coalesce((SELECT max(at_ms) FROM turn"
        " WHERE conversation = conversation.number), 0))"
    )


def _put(target: sqlite3.Connection, columns: _Columns, table: str, row: _Row, *, replace: bool = False) -> bool:
    """Insert a row, with the columns that there are; say whether that worked."""
    names = [name for name in row if name in columns[table]]
    marks = ", ".join(f":{name}" for name in names)
    verb = "INSERT OR REPLACE" if replace else "INSERT OR IGNORE"
    try:
        query = f"{verb} INTO {table} ({', '.join(names)}) VALUES ({marks})"
        return bool(target.execute(query, row).rowcount)
    except sqlite3.IntegrityError:  # a row that only looked like one of ours
        return False


def _columns(db: sqlite3.Connection, table: str) -> frozenset[str]:
    return frozenset(column["name"] for column in db.execute(f"PRAGMA table_info({table})"))


def _numbered(db: sqlite3.Connection, table: str) -> Iterator[_Row]:
    """Yield the readable rows of a table, whatever lies between them."""
    last = 0
    try:
        for raw in db.execute(f"SELECT * FROM {table} ORDER BY number"):
            last = raw["number"]
            if (row := _decoded(raw)) is not None:
                yield row
    except faults.SIGNS:
        misses, highest = 0, _highest(db, table)
        while misses < _MOST_MISSES or last < highest:
            last += 1
            raw = _row(db, table, last)
            misses = misses + 1 if raw is None else 0
            if raw is not None and (row := _decoded(raw)) is not None:
                yield row


def _row(db: sqlite3.Connection, table: str, number: int) -> sqlite3.Row | None:
    try:
        found: sqlite3.Row | None = db.execute(f"SELECT * FROM {table} WHERE number = ?", (number,)).fetchone()
    except faults.SIGNS:
        return None
    return found


def _highest(db: sqlite3.Connection, table: str) -> int:
    try:
        (number,) = db.execute(f"SELECT max(number) FROM {table}").fetchone()
    except faults.SIGNS:
        return 0
    return min(int(number or 0), 1 << 24)


def _rows(db: sqlite3.Connection, table: str) -> Iterator[_Row]:
    """Yield the readable rows of a small table without row numbers: from its beginning, then from its end."""
    seen: set[tuple[Any, ...]] = set()
    for order in ("", " DESC"):
        try:
            for raw in db.execute(f"SELECT * FROM {table} ORDER BY 1{order}"):
                if (row := _decoded(raw)) is not None and tuple(raw) not in seen:
                    seen.add(tuple(raw))
                    yield row
        except faults.SIGNS:
            continue
        return


def _decoded(raw: sqlite3.Row) -> _Row | None:
    try:
        return {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in zip(raw.keys(), raw, strict=True)
        }
    except UnicodeDecodeError:
        return None


def _is_handle(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(check_handle(value, _LATEST_MS))
    except KnownError:
        return False


def _is_turn(row: _Row) -> bool:
    try:
        uuid.UUID(row["turn_id"])
    except (ValueError, TypeError, AttributeError, KeyError):
        return False
    numbers = (row.get("conversation"), row.get("position"), row.get("at_ms"), row.get("revision"))
    return all(isinstance(value, int) and 0 <= value < _LATEST_MS for value in numbers)
