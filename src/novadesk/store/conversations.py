"""Conversations and turns on disk, each with its outbox row in the same transaction."""

import dataclasses
import sqlite3
from collections.abc import Callable, Sequence

from novadesk.errors import BugError, KnownError, Reason
from novadesk.models import (
    EVERYTHING,
    Choices,
    Conversation,
    Filter,
    Found,
    SyncState,
    Totals,
    Turn,
    no_such_conversation,
)
from novadesk.protocol.history import well_formed
from novadesk.store import deletion, filtering, outbox, search, wordindex
from novadesk.store.database import Database
from novadesk.store.outbox import OutboxKind
from novadesk.store.rows import (
    CONVERSATION_QUERY,
    SHOWN,
    TURN_COLUMNS,
    TURN_TABLES,
    conversation_of,
    find_turn,
    turn_of,
)

MAX_EDIT_CHARS = 20_000

_CURRENT = "current conversation"
_BATCH_TURNS = 5_000
"""Turns deleted in one transaction, more or less: what is said meanwhile waits that long for its place."""


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

        A turn whose id exists already replaces the older version of itself, in its place, as `Turn.replaces` has it.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`, or a fault of the store; nothing was written.
        """
        stored = await self._database.run(lambda db: _append(db, turn))
        self._tell()
        return stored

    async def find(self, handle: str) -> Conversation | None:
        """Return a conversation, or None."""
        query = f"{CONVERSATION_QUERY} WHERE c.handle = ? AND {SHOWN}"
        row = await self._database.read(lambda db: db.execute(query, (handle,)).fetchone())
        return None if row is None else conversation_of(row)

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        """Return up to `limit` turns below position `before` (None: the newest), in order."""
        return await self._database.read(lambda db: _turns(db, handle, before, limit))

    async def conversations(
        self, *, offset: int = 0, limit: int = 200, name: str = "", only: Filter = EVERYTHING
    ) -> Sequence[Conversation]:
        """Return conversations, newest first: those with every word of `name` in their title or label."""
        wanted, values = filtering.condition(name, only)
        query = (
            f"{CONVERSATION_QUERY} WHERE {wanted} ORDER BY c.updated_ms DESC, c.number DESC LIMIT :limit OFFSET :offset"
        )
        values |= {"limit": limit, "offset": offset}
        return await self._database.read(lambda db: tuple(conversation_of(row) for row in db.execute(query, values)))

    async def totals(self) -> Totals:
        """Return how many conversations there are."""
        query = (
            "SELECT count(*) AS conversations, coalesce(sum(starred), 0) AS starred,"
            f" coalesce(sum(handles.handle IS NOT NULL AND {deletion.ELSEWHERE}), 0) AS remote"
            " FROM conversation c LEFT JOIN (SELECT DISTINCT handle FROM remote_session WHERE state <> 'intended')"
            f" AS handles ON handles.handle = c.handle WHERE {SHOWN}"
        )
        row = await self._database.read(lambda db: db.execute(query).fetchone())
        return Totals(conversations=row["conversations"], starred=row["starred"], remote=row["remote"])

    async def choices(self) -> Choices:
        """Return the voices and tools that conversations can be narrowed to."""
        return await self._database.read(filtering.choices)

    async def current(self) -> str | None:
        """Return the handle of the conversation that was open last and not ended, or None."""
        query = (
            f"SELECT value FROM setting WHERE name = ? AND value IN (SELECT handle FROM conversation c WHERE {SHOWN})"
        )
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

    async def search(
        self, text: str, limit: int = 50, offset: int = 0, *, only: Filter = EVERYTHING
    ) -> Sequence[Found]:
        """Return turns with these words, those written last first.

        The last word may be the beginning of one; `word*` asks for that anywhere, "some words" for just these in this
        order. Case and diacritics make no difference, and nothing that can be typed is an error.
        """
        return await self._database.read(lambda db: search.search(db, text, limit, offset, only))

    async def rename(self, handle: str, title: str, now_ms: int) -> None:
        """Give a conversation a title; an older rename never wins over a newer one.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`.
        """
        await self._describe(handle, "title", well_formed(title), "titled_ms", now_ms)

    async def set_scenario(self, handle: str, scenario: str) -> None:
        """Remember what a conversation goes on with; nothing when it is not there any more."""
        await self._database.run(
            lambda db: db.execute("UPDATE conversation SET scenario = ? WHERE handle = ?", (scenario, handle))
        )

    async def star(self, handle: str, on: bool, now_ms: int) -> None:
        """Star a conversation or take its star away; an older wish never wins over a newer one.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`.
        """
        await self._describe(handle, "starred", on, "starred_ms", now_ms)

    async def edit(self, turn_id: str, text: str | None) -> Turn:
        """Show other words for a turn, or (None) its own again; what was said stays stored beside them.

        Nothing is delivered for it, and the model is told what was heard.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION` for no such turn, `BAD_INPUT` for an edit without or with too many words.
        """
        words = None if text is None else well_formed(text).strip()
        if words is not None and not 0 < len(words) <= MAX_EDIT_CHARS:
            raise KnownError(
                Reason.BAD_INPUT,
                "A turn needs words, {n} characters of them at most.",
                "Write some, or take its own words back.",
                n=MAX_EDIT_CHARS,
            )
        return await self._database.run(lambda db: _edit(db, turn_id, words))

    async def set_aside(
        self, handles: Sequence[str] | None, now_ms: int, *, keep_starred: bool = False, here_only: bool = False
    ) -> tuple[str, ...]:
        """Delete conversations (None: all) so that `bring_back` undoes it until `delete_left` makes it final.

        Args:
            handles: which; those that are not here are passed over.
            now_ms: Unix time.
            keep_starred: leave those with a star.
            here_only: leave the remote copies, when it comes to that.

        Returns:
            The handles of those that were there.
        """
        return await self._database.run(
            lambda db: deletion.set_aside(db, handles, now_ms, keep_starred=keep_starred, here_only=here_only)
        )

    async def bring_back(self, handles: Sequence[str]) -> int:
        """Undo `set_aside` of these, and have delivered what waited; return how many were still there."""
        count = await self._database.run(lambda db: deletion.bring_back(db, handles))
        self._tell()
        return count

    async def delete_left(self, until_ms: int, now_ms: int) -> int:
        """Delete for good what was set aside at or before a time; return how many conversations that were."""
        left = await self._database.read(lambda db: deletion.left(db, until_ms, now_ms))
        for here_only in (False, True):
            await self.delete_all([handle for handle, here in left if here is here_only], now_ms, here_only=here_only)
        return len(left)

    async def delete(self, handle: str, now_ms: int, *, here_only: bool = False) -> None:
        """Delete a conversation here at once; a tombstone keeps it from coming back.

        Its words leave the file and the search index too, not only their places in it.

        Args:
            handle: which.
            now_ms: Unix time.
            here_only: leave the remote copy; else it is deleted through the outbox.

        Raises:
            KnownError: `UNKNOWN_CONVERSATION`.
        """

        def write(db: sqlite3.Connection) -> None:
            deletion.delete(db, handle, now_ms, here_only=here_only)
            wordindex.merge(db)

        await self._database.run(write)
        await self._database.forget_old_pages()
        self._tell()

    async def delete_all(self, handles: Sequence[str], now_ms: int, *, here_only: bool = False) -> int:
        """Do as `delete` with many; return how many of them were there. What was done before a fault stays done."""
        waiting, count = list(reversed(handles)), 0

        def write(db: sqlite3.Connection) -> int:
            turns = deleted = 0
            while waiting and turns < _BATCH_TURNS:
                try:
                    turns += 1 + deletion.delete(db, waiting[-1], now_ms, here_only=here_only)
                    deleted += 1
                except KnownError:  # somebody else has deleted it
                    pass
                waiting.pop()
            wordindex.merge(db)
            return deleted

        while waiting:
            count += await self._database.run(write)
        if count:
            await self._database.forget_old_pages()
            self._tell()
        return count

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
        "INSERT OR IGNORE INTO conversation (handle, label, title, backend, created_ms, updated_ms, scenario)"
        " VALUES (?,?,?,?,?,?,?)",
        (
            conversation.handle,
            conversation.label,
            conversation.title,
            conversation.backend.value,
            conversation.created_ms,
            conversation.updated_ms,
            conversation.scenario,
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
    elif turn.replaces(stored):
        number, revision = db.execute(
            "UPDATE turn SET text = ?, heard_chars = ?, interrupted = ?, typed = ?, unconfirmed = ?, sync = 'pending',"
            " voice = ?, tools = ?, revision = revision + 1 WHERE turn_id = ? RETURNING number, revision",
            (
                turn.text,
                turn.heard_chars,
                turn.interrupted,
                turn.typed,
                turn.unconfirmed,
                turn.voice,
                " ".join(turn.tools),
                turn.turn_id,
            ),
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
        " unconfirmed, typed, voice, tools, sync) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
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
            turn.voice,
            " ".join(turn.tools),
            sync.value,
        ),
    )
    db.execute(
        "UPDATE conversation SET turns = turns + 1, updated_ms = max(updated_ms, ?) WHERE number = ?",
        (turn.at_ms, number),
    )


def _turns(db: sqlite3.Connection, handle: str, before: int | None, limit: int) -> tuple[Turn, ...]:
    rows = db.execute(
        f"SELECT {TURN_COLUMNS} FROM {TURN_TABLES} WHERE handle = ? AND position < ? AND NOT leaving_ms"
        " ORDER BY position DESC LIMIT ?",
        (handle, (1 << 62) if before is None else before, limit),
    ).fetchall()
    return tuple(turn_of(row) for row in reversed(rows))


def _edit(db: sqlite3.Connection, turn_id: str, words: str | None) -> Turn:
    stored = find_turn(db, turn_id)
    if stored is None:
        raise KnownError(Reason.UNKNOWN_CONVERSATION, "There is no such turn here.", "It may have been deleted.")
    edited = None if words == stored.heard_text else words
    db.execute("UPDATE turn SET edited = ? WHERE turn_id = ?", (edited, turn_id))
    return dataclasses.replace(stored, edited=edited)


def _number(db: sqlite3.Connection, handle: str) -> int:
    row = db.execute("SELECT number FROM conversation WHERE handle = ?", (handle,)).fetchone()
    if row is None:
        raise no_such_conversation()
    return int(row["number"])
