"""Recovery copies: made in the background, whole, private, few, and without what was deleted."""

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.store import copies, repair
from novadesk.store.caretaker import FRESH_MS, Caretaker
from novadesk.store.conversations import Conversations
from novadesk.store.copies import KEPT, Health, RecoveryCopies, Stopped, copy_store
from novadesk.store.database import Database
from novadesk.store.faults import Damaged
from tests.support.leaks import LogWatch
from tests.support.store_rig import START_MS, make_conversation, make_turn


class Rig:
    """A store with a caretaker and a clock of the test's own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.archive = Conversations(database)
        self.copies = RecoveryCopies(database.file)
        self.now_ms = START_MS
        self.notes: list[str] = []
        self.caretaker = Caretaker(database, unix_ms=lambda: self.now_ms, on_note=self.notes.append)

    async def say(self, *texts: str) -> str:
        made = make_conversation()
        await self.archive.create(made)
        for text in texts:
            await self.archive.append(make_turn(made.handle, text))
        return made.handle


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with Database(tmp_path / "novadesk.db") as database:
        yield Rig(database)


def all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def test_an_empty_store_needs_no_copy(rig: Rig) -> None:
    assert await rig.caretaker.look() is None
    assert rig.copies.files() == []


async def test_there_is_a_copy_of_each_day_and_two_are_kept(rig: Rig) -> None:
    await rig.say("hello")
    for day in range(4):
        rig.now_ms = START_MS + day * FRESH_MS
        assert await rig.caretaker.look() is Health.WHOLE
        rig.now_ms += FRESH_MS - 1
        assert await rig.caretaker.look() is None, "this day has one"
    days = [int(file.stem[-13:]) - START_MS for file in rig.copies.files()]
    assert days == [3 * FRESH_MS, 2 * FRESH_MS]
    assert len(days) == KEPT


async def test_a_copy_is_private_whole_and_has_all_that_is_on_disk(rig: Rig) -> None:
    handle = await rig.say("first", "second")
    await rig.caretaker.look()
    (copy,) = rig.copies.files()
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [file.name for file in copy.parent.iterdir()] == [copy.name]
    assert copies.check(copy) is Health.WHOLE
    async with Database(copy, read_only=True) as opened:
        assert [turn.text for turn in await Conversations(opened).turns(handle)] == ["first", "second"]


async def test_a_clock_that_was_wrong_does_not_leave_a_copy_for_ever(rig: Rig) -> None:
    await rig.say("hello")
    rig.now_ms = START_MS + 1000 * FRESH_MS
    await rig.caretaker.look()
    rig.now_ms = START_MS
    assert await rig.caretaker.look() is Health.WHOLE
    assert [int(file.stem[-13:]) for file in rig.copies.files()] == [START_MS]


async def test_what_was_deleted_leaves_the_copies_too(rig: Rig) -> None:
    handle = await rig.say("a very secret sentinel")
    await rig.say("something else")
    for day in range(2):
        rig.now_ms = START_MS + day * FRESH_MS
        await rig.caretaker.look()
    await rig.archive.delete(handle, rig.now_ms + 5)
    rig.now_ms += 6
    assert b"secret" in all_bytes(rig.database.file.parent)
    assert await rig.caretaker.look() is Health.WHOLE
    assert len(rig.copies.files()) == 1
    assert b"secret" not in all_bytes(rig.database.file.parent)
    assert await rig.caretaker.look() is None


async def test_copies_made_in_the_background_do_not_hold_up_the_store(rig: Rig) -> None:
    """A copy that takes its time: turns are written meanwhile, and the copy is one state of the store."""
    handle = await rig.say(*("word " * 200 for _ in range(300)))
    go, begun = threading.Event(), threading.Event()

    class Slow(threading.Event):
        def is_set(self) -> bool:
            begun.set()
            go.wait(20)
            return False

    copying = asyncio.create_task(asyncio.to_thread(rig.copies.make, START_MS, stop=Slow()))
    await asyncio.to_thread(begun.wait, 20)
    await rig.archive.append(make_turn(handle, "said meanwhile"))
    assert not copying.done()
    go.set()
    assert await copying is Health.WHOLE
    (copy,) = rig.copies.files()
    async with Database(copy, read_only=True) as opened:
        found = await Conversations(opened).find(handle)
        assert found is not None
        assert found.turns == 300


async def test_it_looks_by_itself_and_when_something_was_deleted(rig: Rig) -> None:
    first, second = await rig.say("one"), await rig.say("two")
    caretaker = Caretaker(
        rig.database, unix_ms=lambda: rig.now_ms, on_note=rig.notes.append, first_s=0.01, look_s=3_600.0
    )
    caretaker.start()
    try:
        await until(lambda: rig.copies.newest_ms() == START_MS)
        for now_ms, handle in ((START_MS + 10, first), (START_MS + 20, second)):
            rig.now_ms = now_ms
            await rig.archive.delete(handle, now_ms)
            caretaker.hurry()
            await until(lambda now_ms=now_ms: (rig.copies.newest_ms() or 0) >= now_ms)  # type: ignore[misc]
    finally:
        await caretaker.stop()
        await caretaker.stop()
    assert len(rig.copies.files()) == 1
    assert rig.notes == []


async def test_stopping_gives_up_the_copy_and_leaves_nothing_of_it(rig: Rig) -> None:
    await rig.say(*("word " * 200 for _ in range(50)))
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Stopped):
        rig.copies.make(START_MS, stop=stopped)
    assert rig.copies.files() == []
    assert list((rig.database.file.parent / "recovery").iterdir()) == []


async def test_damage_that_nobody_has_met_yet_is_found_said_and_repaired_by_the_next_start(
    tmp_path: Path, expected_logs: LogWatch
) -> None:
    expected_logs.allow("the store is damaged")
    file = tmp_path / "novadesk.db"
    async with Database(file) as database:
        rig = Rig(database)
        handle = await rig.say(*(f"turn {number} " + "word " * 60 for number in range(200)))
        await rig.caretaker.look()
    with closing(sqlite3.connect(file)) as db:
        (size,) = db.execute("PRAGMA page_size").fetchone()
    content = bytearray(file.read_bytes())
    at = content.index(b"turn 77 ") // size * size
    content[at : at + size] = os.urandom(size)
    file.write_bytes(content)
    async with Database(file) as database:
        assert database.repaired is None
        rig = Rig(database)
        rig.now_ms = START_MS + FRESH_MS
        assert await rig.caretaker.look() is Health.DAMAGED
        assert len(rig.copies.files()) == 1, "a damaged copy is none"
        (note,) = rig.notes
        assert note.startswith(f"The store {file} is damaged.")
    async with Database(file) as database:
        assert database.repaired is not None
        assert database.repaired.turns == 200
        assert len(await Conversations(database).turns(handle, limit=1_000)) == 200
    assert not repair.is_suspect(file)


async def test_words_missing_from_the_search_index_are_put_back(rig: Rig, expected_logs: LogWatch) -> None:
    expected_logs.allow("made anew")
    await rig.say("alpha", "beta")
    await rig.database.run(
        lambda db: db.execute("INSERT INTO turn_text (turn_text, rowid, text) VALUES ('delete', 1, 'alpha')").rowcount
    )
    assert await rig.archive.search("alpha") == ()
    assert await rig.caretaker.look() is Health.INDEX_DAMAGED
    assert len(await rig.archive.search("alpha")) == 1
    assert len(rig.copies.files()) == 1
    assert rig.notes == []


@pytest.mark.parametrize(
    ("verdict", "whole"),
    [
        ("ok", True),
        ("malformed inverted index for FTS5 table main.turn_text", True),
        ("Tree 7 page 12: btreeInitPage() returns error code 11", False),
    ],
)
def test_what_newer_versions_of_sqlite_say_of_the_search_index_is_no_damage(verdict: str, whole: bool) -> None:
    class Checked:
        def execute(self, query: str) -> sqlite3.Cursor:
            return db.execute(f"SELECT '{verdict}'" if "integrity_check" in query else "SELECT 1 WHERE 0")

    with closing(sqlite3.connect(":memory:")) as db:
        if whole:
            copies.read_all(Checked(), thoroughly=True)  # type: ignore[arg-type]
        else:
            with pytest.raises(Damaged):
                copies.read_all(Checked(), thoroughly=True)  # type: ignore[arg-type]


async def test_a_disk_with_little_room_gets_no_copy(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.say("hello")
    usage = shutil.disk_usage(rig.database.file.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=1 << 20))
    with pytest.raises(KnownError) as error:
        await rig.caretaker.look()
    assert error.value.reason is Reason.DISK_FULL
    assert rig.copies.files() == []


async def test_large_copies_are_bounded_together(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MOST_BYTES", 50_000)
    await rig.say("hello " * 10_000)
    for day in range(3):
        rig.now_ms = START_MS + day * FRESH_MS
        await rig.caretaker.look()
        assert len(rig.copies.files()) == 1


async def test_two_stores_of_one_folder_keep_their_copies_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        async with Database(tmp_path / f"{name}.db") as database:
            rig = Rig(database)
            await rig.say(name)
            await rig.caretaker.look()
    assert [len(RecoveryCopies(tmp_path / f"{name}.db").files()) for name in ("one", "two", "three")] == [1, 1, 0]


async def test_a_backup_is_one_file_that_is_on_disk(rig: Rig, tmp_path: Path) -> None:
    await rig.say("hello")
    target = tmp_path / "backup.db"
    copy_store(rig.database.file, target)
    assert copies.check(target) is Health.WHOLE
    assert not target.with_name("backup.db-wal").exists()
    with pytest.raises(KnownError) as error:
        copy_store(rig.database.file, target)
    assert error.value.reason is Reason.BAD_INPUT
    with pytest.raises(KnownError) as error:
        copy_store(tmp_path / "none.db", tmp_path / "other.db")
    assert error.value.reason is Reason.STORE_LOCKED
    assert not (tmp_path / "other.db").exists()


async def until(condition: object) -> None:
    async with asyncio.timeout(60):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)
