"""Files of earlier versions, with data in them, become files of this one and lose nothing."""

import dataclasses
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from novadesk.models import Choices, Filter, SyncState
from novadesk.store import schema
from novadesk.store.conversations import Conversations, _append, _create
from novadesk.store.copies import RecoveryCopies, connect
from novadesk.store.database import Database
from novadesk.store.salvage import salvage
from tests.support.store_rig import make_conversation, make_turn

DATA = Path(__file__).parents[2] / "data"
FIRST = "session_1790000000000_0000000000000000000000000a"
SECOND = "session_1790000000500_0000000000000000000000000b"
TABLES = ("setting", "conversation", "turn", "step", "outbox", "remote_session", "tombstone")


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A file as version 1 left it: a title, typed, cut and unconfirmed turns, an outbox, a deletion."""
    file = tmp_path / "novadesk.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.executescript((DATA / "store_version_1.sql").read_text(encoding="utf-8"))
        db.execute("PRAGMA journal_mode = WAL")
        assert schema.version(db) == 1
    return file


def columns(file: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(file)) as db:
        return {table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")] for table in TABLES}


def content(file: Path, of: dict[str, list[str]]) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of every table, with the columns that version 1 had."""
    with closing(sqlite3.connect(file)) as db:
        return {table: db.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall() for table, names in of.items()}


def found(file: Path, words: str) -> list[int]:
    with closing(sqlite3.connect(file)) as db:
        query = "SELECT rowid FROM turn_text WHERE turn_text MATCH ? ORDER BY rowid"
        return [number for (number,) in db.execute(query, (words,))]


async def test_version_1_is_brought_up_to_date_and_loses_nothing(old_file: Path) -> None:
    first_columns = columns(old_file)
    before = content(old_file, first_columns)
    assert [len(rows) for rows in before.values()] == [1, 2, 4, 1, 5, 2, 1]
    async with Database(old_file) as database:
        archive = Conversations(database)
        assert await archive.current() == SECOND
        first = await archive.find(FIRST)
        assert first is not None
        assert (first.title, first.turns, first.starred) == ("Holiday", 3, False)
        assert [turn.heard_text for turn in await archive.turns(FIRST)] == [
            "Où est le café?",
            "The café is around the corner,",
            "Unconfirmed words",
        ]
        states = [turn.sync for turn in await archive.turns(FIRST)]
        assert states == [SyncState.SYNCED, SyncState.PENDING, SyncState.PENDING]
    assert content(old_file, first_columns) == before
    with closing(sqlite3.connect(old_file)) as db:
        assert schema.version(db) == schema.NEWEST
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("SELECT count(*) FROM measurement").fetchone() == (0,)


async def test_the_older_file_is_kept_as_it_was(old_file: Path) -> None:
    first_columns = columns(old_file)
    before = content(old_file, first_columns)
    async with Database(old_file):
        pass
    (copy,) = RecoveryCopies(old_file).files()
    assert content(copy, first_columns) == before
    with closing(sqlite3.connect(copy)) as db:
        assert schema.version(db) == 1
    async with Database(old_file):
        pass
    assert RecoveryCopies(old_file).files() == [copy]


def spoil(file: Path) -> None:
    file.write_bytes(b"noise " * 1_000)


async def test_a_damaged_file_comes_back_from_a_copy_of_an_older_version(old_file: Path) -> None:
    async with Database(old_file):
        pass
    spoil(old_file)
    async with Database(old_file) as database:
        assert database.repaired is not None
        assert database.repaired.turns == 4
        assert [hit.turn.conversation for hit in await Conversations(database).search("typed")] == [SECOND]


async def test_what_version_1_held_can_be_searched_for(old_file: Path) -> None:
    async with Database(old_file):
        pass
    assert found(old_file, "cafe") == [1, 2]
    assert found(old_file, "corner") == [2]
    assert found(old_file, "cathedral") == [], "nobody heard that"
    assert found(old_file, "typed") == [4]
    assert found(old_file, "deleted") == []


async def test_version_1_is_read_without_being_changed(old_file: Path) -> None:
    first_columns = columns(old_file)
    before = content(old_file, first_columns)
    async with Database(old_file, read_only=True) as database:
        handles = {one.handle for one in await Conversations(database).conversations()}
    assert handles == {FIRST, SECOND}
    assert content(old_file, first_columns) == before
    with closing(sqlite3.connect(old_file)) as db:
        assert schema.version(db) == 1


async def test_version_3_gets_edits_and_deletions_that_can_be_undone(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file, isolation_level=None)) as db:
        for number in (1, 2):
            db.executescript(f"BEGIN; {schema._SCRIPTS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
    async with Database(old_file, read_only=True) as database:
        assert [turn.edited for turn in await Conversations(database).turns(FIRST)] == [None] * 3
    async with Database(old_file) as database:
        archive = Conversations(database)
        second = (await archive.turns(FIRST))[1]
        await archive.edit(second.turn_id, "The tearoom")
        assert [len(await archive.search(word)) for word in ("cafe", "tearoom", "corner")] == [1, 1, 0]
        await archive.set_aside([FIRST], 1)
        assert [one.handle for one in await archive.conversations()] == [SECOND]
        assert await archive.delete_left(1, 1) == 1
        assert await archive.search("tearoom") == ()
    with closing(sqlite3.connect(old_file)) as db:
        db.execute("INSERT INTO turn_text (turn_text, rank) VALUES ('integrity-check', 1)")
        assert db.execute("SELECT remote_kept FROM tombstone").fetchall() == [(0,), (0,)]


async def test_version_4_gets_voices_and_tools_that_are_not_known_yet(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file, isolation_level=None)) as db:
        for number in (1, 2, 3):
            db.executescript(f"BEGIN; {schema._SCRIPTS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
    async with Database(old_file, read_only=True) as database:
        archive = Conversations(database)
        assert [(turn.voice, turn.tools) for turn in await archive.turns(FIRST)] == [("", ())] * 3
        assert (await archive.choices(), await archive.conversations(only=Filter(voice="amy"))) == (Choices(), ())
    async with Database(old_file) as database:
        archive = Conversations(database)
        assert [(turn.voice, turn.tools) for turn in await archive.turns(FIRST)] == [("", ())] * 3
        await archive.append(make_turn(FIRST, "Noon.", 1 << 42, voice="amy", tools=("clock",)))
        assert [one.handle for one in await archive.conversations(only=Filter(voice="amy", tool="clock"))] == [FIRST]
    with closing(sqlite3.connect(old_file)) as db:
        assert schema.version(db) == schema.NEWEST
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("known", [True, False])
def test_a_repair_brings_back_voices_and_tools(known: bool) -> None:
    turn = make_turn(FIRST, "Noon.", voice="amy", tools=("clock", "sums"))
    newer = dataclasses.replace(turn, text="It is noon.")
    with closing(connect(":memory:")) as damaged, closing(connect(":memory:")) as whole:
        for db in (damaged, whole):
            schema.migrate(db)
            _create(db, make_conversation(handle=FIRST))
        _append(damaged, newer)
        damaged.execute("UPDATE turn SET revision = 1")
        if known:
            _append(whole, dataclasses.replace(turn, voice="", tools=(), unconfirmed=True))
        salvage(damaged, whole)
        (row,) = whole.execute("SELECT text, voice, tools FROM turn")
        assert tuple(row) == ("It is noon.", "amy", "clock sums")


def test_a_repair_from_a_file_of_version_4_does_without() -> None:
    turn = make_turn(FIRST, "It is noon.", unconfirmed=True)
    with closing(connect(":memory:")) as damaged, closing(connect(":memory:")) as whole:
        damaged.executescript("".join(schema._SCRIPTS[:4]))
        damaged.execute(
            "INSERT INTO conversation (handle, label, title, backend, created_ms, updated_ms)"
            " VALUES (?, '', '', 'practice', 0, 0)",
            (FIRST,),
        )
        damaged.execute(
            "INSERT INTO turn (turn_id, conversation, position, role, text, at_ms, wire_session, sync, revision)"
            " VALUES (?, 1, 0, 'assistant', 'It is noon.', 0, '', 'synced', 1)",
            (turn.turn_id,),
        )
        schema.migrate(whole)
        _create(whole, make_conversation(handle=FIRST))
        _append(whole, dataclasses.replace(turn, text="It is"))
        salvage(damaged, whole)
        (row,) = whole.execute("SELECT text, voice, tools FROM turn")
        assert tuple(row) == ("It is noon.", "", "")


def test_a_repair_finds_the_edit_of_a_turn_that_both_have() -> None:
    with closing(connect(":memory:")) as damaged, closing(connect(":memory:")) as whole:
        for db in (damaged, whole):
            schema.migrate(db)
            db.execute(
                "INSERT INTO conversation (handle, label, title, backend, created_ms, updated_ms)"
                " VALUES (?, '', '', 'practice', 0, 0)",
                (FIRST,),
            )
            db.execute(
                "INSERT INTO turn (turn_id, conversation, position, role, text, at_ms, wire_session, sync)"
                " VALUES ('11111111-1111-4111-8111-111111111111', 1, 0, 'user', 'asprin', 0, '', 'synced')"
            )
        damaged.execute("UPDATE turn SET edited = 'aspirin'")
        salvage(damaged, whole)
        (row,) = whole.execute("SELECT text, edited FROM turn")
        assert tuple(row) == ("asprin", "aspirin")


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        schema.migrate(db)
        yield db


def test_the_index_follows_every_change_of_a_turn(db: sqlite3.Connection) -> None:
    def hits(words: str) -> int:
        db.execute("INSERT INTO turn_text (turn_text, rank) VALUES ('integrity-check', 1)")
        (count,) = db.execute("SELECT count(*) FROM turn_text WHERE turn_text MATCH ?", (words,)).fetchone()
        return int(count)

    db.execute(
        "INSERT INTO conversation (number, handle, label, title, backend, created_ms, updated_ms)"
        " VALUES (1, 'h', '', '', 'practice', 0, 0)"
    )
    db.execute(
        "INSERT INTO turn (turn_id, conversation, position, role, text, at_ms, wire_session, sync)"
        " VALUES ('t', 1, 0, 'user', 'alpha beta gamma', 0, '', 'local')"
    )
    assert (hits("alpha"), hits("gamma")) == (1, 1)
    db.execute("UPDATE turn SET heard_chars = 10")
    assert (hits("beta"), hits("gamma")) == (1, 0)
    db.execute("UPDATE turn SET text = 'delta epsilon', heard_chars = NULL")
    assert (hits("alpha"), hits("epsilon")) == (0, 1)
    db.execute("UPDATE turn SET sync = 'synced', position = 4")
    assert hits("delta") == 1
    db.execute("DELETE FROM conversation")
    assert (hits("delta"), hits("epsilon")) == (0, 0)
