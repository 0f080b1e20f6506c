import asyncio
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from novadesk.errors import BugError, KnownError, Reason
from novadesk.store import schema
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import make_conversation, make_turn


async def value(database: Database, query: str) -> object:
    row = await database.read(lambda db: db.execute(query).fetchone())
    return row[0]


async def test_a_new_file_is_private_durable_and_current(tmp_path: Path) -> None:
    file = tmp_path / "new" / "novadesk.db"
    async with Database(file) as database:
        await database.run(lambda db: db.execute("INSERT INTO setting VALUES ('a', 'b')").rowcount)
        modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
        assert modes == {"novadesk.db": 0o600, "novadesk.db-wal": 0o600, "novadesk.db-shm": 0o600}
        assert await value(database, "PRAGMA journal_mode") == "wal"
        assert await value(database, "PRAGMA synchronous") == 2
        assert await value(database, "PRAGMA foreign_keys") == 1
        assert await value(database, "PRAGMA user_version") == schema.NEWEST


async def test_a_file_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    file.touch(0o644)
    async with Database(file):
        assert file.stat().st_mode & 0o777 == 0o600


async def test_sql_runs_on_the_store_thread_only_and_the_thread_ends(tmp_path: Path) -> None:
    async with Database(tmp_path / "a.db") as database:
        names = {await database.run(lambda _db: threading.current_thread().name) for _ in range(3)}
        assert names == {"novadesk-store"}
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "novadesk-store")
    assert "novadesk-store" not in {thread.name for thread in threading.enumerate()}


async def test_a_failing_job_leaves_nothing(tmp_path: Path) -> None:
    def write_then_fail(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO setting VALUES ('a', 'b')")
        raise LookupError

    async with Database(tmp_path / "a.db") as database:
        with pytest.raises(LookupError):
            await database.run(write_then_fail)
        assert await value(database, "SELECT count(*) FROM setting") == 0
        with pytest.raises(BugError):
            await database.run(lambda db: db.execute("no sql"))


async def test_giving_up_the_wait_does_not_disturb_the_next_job(tmp_path: Path) -> None:
    go = threading.Event()
    async with Database(tmp_path / "a.db") as database:
        slow = asyncio.create_task(database.run(lambda _db: go.wait(60)))
        await asyncio.sleep(0)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        go.set()
        assert await database.run(lambda _db: 7) == 7


async def test_after_closing_every_job_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    await database.open()
    await database.close()
    await database.close()
    with pytest.raises(KnownError) as error:
        await database.run(lambda _db: 1)
    assert error.value.reason is Reason.STORE_LOCKED


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    async with Database(file) as database:
        await database.run(lambda db: db.execute("INSERT INTO setting VALUES ('a', 'b')").rowcount)
    db = sqlite3.connect(file)
    db.execute(f"PRAGMA user_version = {schema.NEWEST + 1}")
    db.close()
    before = file.read_bytes()
    for read_only in (False, True):
        with pytest.raises(KnownError) as error:
            await Database(file, read_only=read_only).open()
        assert error.value.reason is Reason.STORE_BROKEN
        assert "newer" in error.value.what
    assert file.read_bytes() == before


@pytest.mark.parametrize("damage", ["not a database", "hole"])
async def test_a_damaged_file_is_refused_to_a_reader_by_name_and_left_alone(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "a.db"
    if damage == "hole":
        async with Database(file) as database:
            archive = Conversations(database)
            made = make_conversation()
            await archive.create(made)
            for _ in range(50):
                await archive.append(make_turn(made.handle, "text " * 200))
        content = bytearray(file.read_bytes())
        content[8192:-4096] = os.urandom(len(content) - 12288)
        file.write_bytes(content)
    else:
        file.write_bytes(b"This is no database at all, whatever its name says. " * 100)
    before = file.read_bytes()
    with pytest.raises(KnownError) as error:
        await Database(file, read_only=True).open()
    assert error.value.reason is Reason.STORE_BROKEN
    assert str(file) in error.value.what
    assert error.value.advice
    assert file.read_bytes() == before


async def test_a_file_held_by_another_program_is_said_to_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novadesk.store.database._BUSY_MS", 10)
    file = tmp_path / "a.db"
    async with Database(file) as database:
        other = sqlite3.connect(file, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(KnownError) as error:
                await database.run(lambda _db: None)
            assert error.value.reason is Reason.STORE_LOCKED
            other.execute("ROLLBACK")
            assert await database.run(lambda _db: 5) == 5
        finally:
            other.close()


async def test_a_full_disk_is_said_and_writing_goes_on_once_there_is_space(tmp_path: Path) -> None:
    made = make_conversation()
    async with Database(tmp_path / "a.db") as database:
        archive = Conversations(database)
        await archive.create(made)
        pages = await value(database, "PRAGMA page_count")
        await database.read(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        turn = make_turn(made.handle, "x" * 100_000)
        with pytest.raises(KnownError) as error:
            await archive.append(turn)
        assert error.value.reason is Reason.DISK_FULL
        assert await archive.turns(made.handle) == ()
        await database.read(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchone())
        await archive.append(turn)
        assert await archive.pending() == 1


async def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KnownError) as error:
        await Database(tmp_path / "file" / "a.db").open()
    assert error.value.reason is Reason.STORE_LOCKED
    (tmp_path / "folder").mkdir()
    with pytest.raises(KnownError) as error:
        await Database(tmp_path / "folder").open()
    assert error.value.reason is Reason.STORE_LOCKED


async def test_it_is_read_beside_the_writer_without_a_lock(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    made = make_conversation()
    async with Database(file) as database, Database(file, read_only=True) as reader:
        await Conversations(database).create(made)
        writer = sqlite3.connect(file, isolation_level=None)
        try:
            writer.execute("BEGIN IMMEDIATE")
            assert [one.handle for one in await Conversations(reader).conversations()] == [made.handle]
            writer.execute("ROLLBACK")
        finally:
            writer.close()
        with pytest.raises((KnownError, BugError)):
            await Conversations(reader).create(make_conversation())
    async with Database(file, read_only=True) as reader:
        assert len(await Conversations(reader).conversations()) == 1


async def test_reading_what_does_not_exist_yet_shows_an_empty_store_and_makes_no_file(tmp_path: Path) -> None:
    async with Database(tmp_path / "a.db", read_only=True) as reader:
        assert await Conversations(reader).conversations() == ()
    (tmp_path / "b.db").touch()
    async with Database(tmp_path / "b.db", read_only=True) as reader:
        assert await Conversations(reader).conversations() == ()
    assert os.listdir(tmp_path) == ["b.db"]
    assert (tmp_path / "b.db").stat().st_size == 0


def test_a_migration_that_fails_leaves_the_file_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        schema.migrate(db)
        first = schema._SCRIPTS
        monkeypatch.setattr(schema, "_SCRIPTS", (*first, "CREATE TABLE extra (a); CREATE TABLE setting (b);"))
        monkeypatch.setattr(schema, "NEWEST", len(first) + 1)
        with pytest.raises(sqlite3.OperationalError):
            schema.migrate(db)
        assert schema.version(db) == len(first)
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'").fetchone() == (0,)
        monkeypatch.setattr(schema, "_SCRIPTS", (*first, "CREATE TABLE extra (a);"))
        schema.migrate(db)
        assert schema.version(db) == len(first) + 1
        schema.migrate(db)
    finally:
        db.close()


async def test_a_backup_opens_by_itself(tmp_path: Path) -> None:
    made = make_conversation()
    target = tmp_path / "backup.db"
    async with Database(tmp_path / "a.db") as database:
        archive = Conversations(database)
        await archive.create(made)
        await archive.append(make_turn(made.handle, "kept"))
        await database.back_up(target)
        with pytest.raises(KnownError) as error:
            await database.back_up(target)
        assert error.value.reason is Reason.BAD_INPUT
    assert target.stat().st_mode & 0o777 == 0o600
    async with Database(target) as copy:
        assert [turn.text for turn in await Conversations(copy).turns(made.handle)] == ["kept"]


async def test_sqlite_keeps_little_of_the_file_in_memory(tmp_path: Path) -> None:
    async with Database(tmp_path / "a.db") as database:
        (kept,) = await database.read(lambda db: db.execute("PRAGMA cache_size").fetchone())
    assert kept == -256, "KiB; a positive number would be pages"
