"""Conversations and turns on disk, each with its outbox row in the same transaction."""

import dataclasses
import sqlite3
from collections.abc import Callable, Sequence

from novadesk.errors import BugError
from novadesk.models import Conversation, Found, SyncState, Turn, no_such_conversation
from novadesk.protocol.history import well_formed
from novadesk.store import outbox, search, wordindex
from novadesk.store.database import Database
from novadesk.store.outbox import OutboxKind
from novadesk.store.rows import (
    CONVERSATION_QUERY,
    TURN_COLUMNS,
    TURN_TABLES,
    conversation_of,
    find_conversation,
    find_turn,
    turn_of,
)

_CURRENT = "current conversation"


class Conversations:
    """The local truth. Every method returns once the disk has it.

    Args:
        database: open store.
        on_written: called on the loop after each change that leaves something to deliver.
    """

    def __init__(self, database: Database, on_written: Callable[[], None] | None = None) -> None:
        self._database = database
        self._on_written = on_written

    async def create(self, conversation: Conversation) -> None:
        """Add an empty conversation and its outbox row; one that is there already stays as it is."""
        await self._database.run(lambda db: _create(db, conversation))
        self._tell()

    async def append(self, turn: Turn) -> Turn:
        """Add a turn and its outbox row in one transaction; return it with its position.

        A turn whose id exists already replaces the older version of itself, in its place, when the service confirmed
        more of it since; the same content again changes nothing, and an `unconfirmed` one never replaces anything.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`, or a fault of the store; nothing was written.
        """
        stored = await self._database.run(lambda db: _append(db, turn))
        self._tell()
        return stored

    async def find(self, handle: str) -> Conversation | None:
        """Return a conversation, or None."""
        return await self._database.read(lambda db: find_conversation(db, handle))

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        """Return up to `limit` turns below position `before` (None: the newest), in order."""
        return await self._database.read(lambda db: _turns(db, handle, before, limit))

    async def conversations(self, *, offset: int = 0, limit: int = 200) -> Sequence[Conversation]:
        """Return conversations, newest first."""
        query = f"{CONVERSATION_QUERY} ORDER BY c.updated_ms DESC, c.number DESC LIMIT ? OFFSET ?"
        return await self._database.read(
            lambda db: tuple(conversation_of(row) for row in db.execute(query, (limit, offset)))
        )

    async def current(self) -> str | None:
        """Return the handle of the conversation that was open last and not ended, or None."""
        query = "SELECT value FROM setting WHERE name = ? AND value IN (SELECT handle FROM conversation)"
        row = await self._database.read(lambda db: db.execute(query, (_CURRENT,)).fetchone())
        return None if row is None else str(row["value"])

    async def set_current(self, handle: str | None) -> None:
        """Remember which conversation is open."""

        def write(db: sqlite3.Connection) -> None:
            if handle is None:
                db.execute("DELETE FROM setting WHERE name = ?", (_CURRENT,))
            else:
                db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (_CURRENT, handle))

        await self._database.run(write)

    async def pending(self) -> int:
        """Return the number of turns not yet acknowledged remotely."""
        return await self._database.read(outbox.pending_turns)

    async def search(self, text: str, limit: int = 50, offset: int = 0) -> Sequence[Found]:
        """Return turns with these words, those written last first.

        The last word may be the beginning of one; `word*` asks for that anywhere, "some words" for just these in this
        order. Case and diacritics make no difference, and nothing that can be typed is an error.
        """
        return await self._database.read(lambda db: search.search(db, text, limit, offset))

    async def rename(self, handle: str, title: str, now_ms: int) -> None:
        """Give a conversation a title; an older rename never wins over a newer one.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`.
        """
        await self._describe(handle, "title", well_formed(title), "titled_ms", now_ms)

    async def star(self, handle: str, on: bool, now_ms: int) -> None:
        """Star a conversation or take its star away; an older wish never wins over a newer one.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`.
        """
        await self._describe(handle, "starred", on, "starred_ms", now_ms)

    async def delete(self, handle: str, now_ms: int) -> None:
        """Delete a conversation here at once, and remotely through the outbox; a tombstone keeps it from coming back.

        Its words leave the file and the search index too, not only their places in it.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`.
        """
        await self._database.run(lambda db: _delete(db, handle, now_ms))
        await self._database.forget_old_pages()
        self._tell()

    async def _describe(self, handle: str, column: str, value: str | bool, time_column: str, now_ms: int) -> None:
        def write(db: sqlite3.Connection) -> None:
            _number(db, handle)
            changed = db.execute(
                f"UPDATE conversation SET {column} = :value, {time_column} = :now"
                f" WHERE handle = :handle AND {time_column} <= :now",
                {"value": value, "now": now_ms, "handle": handle},
            ).rowcount
            if changed:
                outbox.add(db, handle, OutboxKind.METADATA)

        await self._database.run(write)
        self._tell()

    def _tell(self) -> None:
        if self._on_written is not None:
            self._on_written()


def _create(db: sqlite3.Connection, conversation: Conversation) -> None:
    added = db.execute(
        "INSERT OR IGNORE INTO conversation (handle, label, title, backend, created_ms, updated_ms)"
        " VALUES (?,?,?,?,?,?)",
        (
            conversation.handle,
            conversation.label,
            conversation.title,
            conversation.backend.value,
            conversation.created_ms,
            conversation.updated_ms,
        ),
    ).rowcount
    if added:
        outbox.add(db, conversation.handle, OutboxKind.SESSION)


def _append(db: sqlite3.Connection, turn: Turn) -> Turn:
    stored = find_turn(db, turn.turn_id)
    if stored is None:
        insert_turn(db, dataclasses.replace(turn, at_ms=_after_the_last(db, turn)), SyncState.PENDING)
        (number,) = db.execute("SELECT number FROM turn WHERE turn_id = ?", (turn.turn_id,)).fetchone()
        outbox.add_turn(db, turn.conversation, number, turn.turn_id, 0)
    elif not turn.unconfirmed and _content(turn) != _content(stored):
        number, revision = db.execute(
            "UPDATE turn SET text = ?, heard_chars = ?, interrupted = ?, typed = ?, unconfirmed = 0, sync = 'pending',"
            " revision = revision + 1 WHERE turn_id = ? RETURNING number, revision",
            (turn.text, turn.heard_chars, turn.interrupted, turn.typed, turn.turn_id),
        ).fetchone()
        outbox.renew_turn(db, stored.conversation, number, revision)
    else:
        return stored
    found = find_turn(db, turn.turn_id)
    if found is None:
        raise BugError("a turn that was just written is not there")
    return found


def _after_the_last(db: sqlite3.Connection, turn: Turn) -> int:
    """Return the turn's time, moved behind the turn it follows: clocks go back, and those of two machines differ."""
    query = f"SELECT at_ms FROM {TURN_TABLES} WHERE handle = ? ORDER BY position DESC LIMIT 1"
    row = db.execute(query, (turn.conversation,)).fetchone()
    return turn.at_ms if row is None else max(turn.at_ms, row["at_ms"] + 1)


def _content(turn: Turn) -> tuple[str, int | None, bool, bool]:
    return turn.text, turn.heard_chars, turn.interrupted, turn.unconfirmed


def insert_turn(db: sqlite3.Connection, turn: Turn, sync: SyncState, position: int | None = None) -> None:
    """Insert a turn at `position` (None: at the end) and count it. Positions behind it are the caller's business.

    Raises:
        KnownError: `UNKNOWN_CONVERSATION`.
    """
    number = _number(db, turn.conversation)
    if position is None:
        (position,) = db.execute(
            "SELECT coalesce(max(position) + 1, 0) FROM turn WHERE conversation = ?", (number,)
        ).fetchone()
    db.execute(
        "INSERT INTO turn (turn_id, conversation, position, role, text, at_ms, wire_session, heard_chars, interrupted,"
        " unconfirmed, typed, sync) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            turn.turn_id,
            number,
            position,
            turn.role.value,
            turn.text,
            turn.at_ms,
            turn.wire_session,
            turn.heard_chars,
            turn.interrupted,
            turn.unconfirmed,
            turn.typed,
            sync.value,
        ),
    )
    db.execute(
        "UPDATE conversation SET turns = turns + 1, updated_ms = max(updated_ms, ?) WHERE number = ?",
        (turn.at_ms, number),
    )


def _turns(db: sqlite3.Connection, handle: str, before: int | None, limit: int) -> tuple[Turn, ...]:
    rows = db.execute(
        f"SELECT {TURN_COLUMNS} FROM {TURN_TABLES} WHERE handle = ? AND position < ? ORDER BY position DESC LIMIT ?",
        (handle, (1 << 62) if before is None else before, limit),
    ).fetchall()
    return tuple(turn_of(row) for row in reversed(rows))


def _delete(db: sqlite3.Connection, handle: str, now_ms: int) -> None:
    number = _number(db, handle)
    db.execute("DELETE FROM conversation WHERE number = ?", (number,))
    wordindex.merge(db)
    db.execute("DELETE FROM outbox WHERE conversation = ?", (handle,))
    db.execute("INSERT OR REPLACE INTO tombstone VALUES (?, ?)", (handle, now_ms))
    if db.execute("SELECT 1 FROM remote_session WHERE handle = ?", (handle,)).fetchone() is not None:
        outbox.add(db, handle, OutboxKind.DELETE)


def _number(db: sqlite3.Connection, handle: str) -> int:
    row = db.execute("SELECT number FROM conversation WHERE handle = ?", (handle,)).fetchone()
    if row is None:
        raise no_such_conversation()
    return int(row["number"])
