"""A damaged store: what comes back, where the damaged file goes, and what the person is told."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Role, SyncState, Turn
from novadesk.store import copies, outbox, repair, schema
from novadesk.store.conversations import Conversations
from novadesk.store.copies import Health, RecoveryCopies
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation, make_turn

pytestmark = pytest.mark.thorough

PAGE = 4_096
CHATS, TURNS = 4, 60


async def fill(file: Path) -> dict[str, list[Turn]]:
    """Write some conversations, cleanly closed; return their turns."""
    said: dict[str, list[Turn]] = {}
    async with Database(file) as database:
        archive = Conversations(database)
        for chat in range(CHATS):
            made = make_conversation(START_MS + chat)
            await archive.create(made)
            await archive.rename(made.handle, f"Chat {chat}", START_MS)
            said[made.handle] = [
                await archive.append(make_turn(made.handle, f"chat {chat} turn {number} " + "word " * 40))
                for number in range(TURNS)
            ]
    return said


async def stored(file: Path) -> dict[str, list[Turn]]:
    async with Database(file) as database:
        archive = Conversations(database)
        return {
            one.handle: list(await archive.turns(one.handle, limit=10_000)) for one in await archive.conversations()
        }


def same(found: dict[str, list[Turn]], wanted: dict[str, list[Turn]]) -> bool:
    return {handle: texts(turns) for handle, turns in found.items()} == {
        handle: texts(turns) for handle, turns in wanted.items()
    }


def texts(turns: Sequence[Turn]) -> list[tuple[str, int, str]]:
    return [(turn.turn_id, turn.position, turn.text) for turn in turns]


def pages_of(file: Path, table: str) -> list[int]:
    """Return the leaf pages of a table, numbered from 1, by trying: without dbstat, a page's own header tells."""
    with closing(sqlite3.connect(file)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    content = file.read_bytes()

    def below(page: int) -> list[int]:
        start = (page - 1) * PAGE
        kind, cells = content[start], int.from_bytes(content[start + 3 : start + 5])
        if kind == 13:
            return [page]
        assert kind == 5
        places = [int.from_bytes(content[start + 12 + 2 * n : start + 14 + 2 * n]) for n in range(cells)]
        children = [int.from_bytes(content[start + place : start + place + 4]) for place in places]
        children.append(int.from_bytes(content[start + 8 : start + 12]))
        return [leaf for child in children for leaf in below(child)]

    return below(root)


def spoil(file: Path, *pages: int) -> None:
    """Fill pages with noise."""
    with file.open("r+b") as stream:
        for page in pages:
            stream.seek((page - 1) * PAGE)
            stream.write(os.urandom(PAGE))


def is_whole(file: Path) -> bool:
    with closing(sqlite3.connect(file)) as db:
        checks = db.execute("PRAGMA integrity_check").fetchall(), db.execute("PRAGMA foreign_key_check").fetchall()
        return checks == ([("ok",)], [])


async def opened(file: Path) -> repair.Repair:
    """Open a damaged store and return what was done."""
    async with Database(file) as database:
        assert database.repaired is not None
        return database.repaired


async def test_a_whole_store_is_not_repaired(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    await fill(file)
    async with Database(file) as database:
        assert database.repaired is None
    assert not (tmp_path / "damaged").exists()


async def test_of_a_file_that_is_no_store_the_newest_copy_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    RecoveryCopies(file).make(START_MS)
    noise = b"This is no database at all, whatever its name says. " * 100
    file.write_bytes(noise)
    done = await opened(file)
    assert done.kept is not None
    assert done.kept.read_bytes() == noise
    assert done.kept.parent == tmp_path / "damaged"
    assert (done.turns, done.conversations) == (CHATS * TURNS, CHATS)
    assert done.words == (
        f"The store was damaged; 240 turns in 4 conversations came back, and the damaged file is kept as {done.kept}."
    )
    assert same(await stored(file), said)
    assert is_whole(file)
    assert file.stat().st_mode & 0o777 == done.kept.stat().st_mode & 0o777 == 0o600
    assert done.kept.parent.stat().st_mode & 0o777 == 0o700


async def test_without_a_copy_and_without_a_readable_page_an_empty_store_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    file.write_bytes(b"nothing " * 5_000)
    done = await opened(file)
    assert done.words.startswith("The store was damaged; 0 turns in 0 conversations came back")
    assert await stored(file) == {}


async def test_what_was_said_since_the_copy_comes_from_the_damaged_file(tmp_path: Path) -> None:
    """One page of old turns is lost in the file and is in the copy; the new turns are in the file only."""
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    RecoveryCopies(file).make(START_MS)
    first = next(iter(said))
    async with Database(file) as database:
        archive = Conversations(database)
        said[first].append(await archive.append(make_turn(first, "said since")))
        newer = make_conversation(START_MS + 50)
        await archive.create(newer)
        said[newer.handle] = [await archive.append(make_turn(newer.handle, "a new one"))]
        await archive.rename(first, "Renamed", START_MS + 9)
        await archive.star(first, True, START_MS + 9)
    spoil(file, *pages_of(file, "turn")[:2])
    done = await opened(file)
    assert done.turns == CHATS * TURNS + 2
    assert same(await stored(file), said)
    async with Database(file) as database:
        kept = await Conversations(database).find(first)
        assert kept is not None
        assert (kept.title, kept.starred, kept.turns) == ("Renamed", True, TURNS + 1)
    assert is_whole(file)


async def test_without_a_copy_all_comes_back_but_what_lay_on_the_damaged_page(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    leaves = pages_of(file, "turn")
    spoil(file, leaves[0], leaves[-1])
    done = await opened(file)
    lost = CHATS * TURNS - done.turns
    assert 0 < lost <= 2 * PAGE // 200, "no more than two pages hold"
    found = await stored(file)
    for handle, turns in found.items():
        ids = {turn.turn_id: turn.text for turn in said[handle]}
        assert all(ids[turn.turn_id] == turn.text for turn in turns)
        assert [turn.position for turn in turns] == list(range(len(turns)))
    assert is_whole(file)
    async with Database(file) as database:
        archive = Conversations(database)
        assert await archive.pending() == done.turns
        assert len(await archive.search("chat", limit=1_000)) == done.turns


async def test_turns_whose_conversation_is_lost_are_kept_under_its_handle(tmp_path: Path) -> None:
    """The outbox still says whose they are."""
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    spoil(file, *pages_of(file, "conversation"))
    await opened(file)
    found = await stored(file)
    assert {handle: [turn.text for turn in turns] for handle, turns in found.items()} == {
        handle: [turn.text for turn in turns] for handle, turns in said.items()
    }


async def test_what_was_deleted_since_the_copy_stays_deleted(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    RecoveryCopies(file).make(START_MS)
    gone = next(iter(said))
    async with Database(file) as database:
        await Conversations(database).delete(gone, START_MS + 1)
    number = next(iter(said[gone])).text.split()[1]
    spoil(file, pages_of(file, "turn")[0])
    await opened(file)
    found = await stored(file)
    assert gone not in found
    assert set(found) == set(said) - {gone}
    assert f"chat {number} turn".encode() not in file.read_bytes(), "the copy had it"


async def test_what_the_service_confirmed_since_the_copy_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    handle = next(iter(said))
    heard = make_turn(handle, "heard only", role=Role.ASSISTANT, unconfirmed=True)
    async with Database(file) as database:
        await Conversations(database).append(heard)
    RecoveryCopies(file).make(START_MS)
    async with Database(file) as database:
        await Conversations(database).append(replace(heard, text="confirmed at last", unconfirmed=False))
    spoil(file, pages_of(file, "turn")[0])
    await opened(file)
    last = (await stored(file))[handle][-1]
    assert (last.text, last.unconfirmed, last.sync) == ("confirmed at last", False, SyncState.PENDING)


async def test_what_was_delivered_since_the_copy_is_not_delivered_again(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    await fill(file)
    RecoveryCopies(file).make(START_MS)

    def deliver(db: sqlite3.Connection) -> None:
        for held in outbox.lease(db, 10_000, START_MS, 1_000):
            outbox.acknowledge(db, held)

    async with Database(file) as database:
        await database.run(deliver)
    spoil(file, pages_of(file, "turn")[0])
    done = await opened(file)
    assert done.turns == CHATS * TURNS
    async with Database(file) as database:
        pending = await Conversations(database).pending()
    assert 0 < pending < 30, "only the turns of the damaged page"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE turn_text_data SET block = x'ffffffffffffffff' WHERE id = 10",  # its own table of contents
        "DELETE FROM turn_text_data",
        "UPDATE turn_text_config SET v = 99",
        "DELETE FROM turn_text_config",
    ],
)
async def test_a_damaged_search_index_is_made_anew_in_place(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    with closing(sqlite3.connect(file)) as db:
        db.execute(damage)
        db.commit()
    handle = next(iter(said))
    async with Database(file) as database:
        assert database.repaired is None
        archive = Conversations(database)
        assert len(await archive.search("word", limit=1_000)) == CHATS * TURNS
        await archive.append(make_turn(handle, "and it can be written"))
        assert len(await archive.search("written")) == 1
    assert copies.check(file) is Health.WHOLE


async def test_a_missing_or_empty_file_comes_back_from_its_copy(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    RecoveryCopies(file).make(START_MS)
    for lose in (file.unlink, lambda: os.truncate(file, 0)):
        lose()
        done = await opened(file)
        assert done.words == ("The store was missing; 240 turns in 4 conversations came back from a recovery copy.")
        assert same(await stored(file), said)


async def test_a_file_cut_short_is_noticed_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    await fill(file)
    RecoveryCopies(file).make(START_MS)
    os.truncate(file, file.stat().st_size - 3 * PAGE)
    assert (await opened(file)).turns == CHATS * TURNS


async def test_all_of_the_file_is_read_after_a_process_died_with_it_open(tmp_path: Path) -> None:
    """A page in the middle: a clean end is trusted, a -wal file left behind is not."""
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    RecoveryCopies(file).make(START_MS)
    middle = pages_of(file, "turn")[3]
    spoil(file, middle)
    async with Database(file) as database:
        assert database.repaired is None, "not looked at"
        alive = tmp_path / "alive"
        alive.mkdir()
        await database.run(lambda db: db.execute("INSERT INTO setting VALUES ('a', 'b')").rowcount)
        for name in ("novadesk.db", "novadesk.db-wal"):  # as kill -9 leaves them
            shutil.copy(tmp_path / name, alive / name)
    shutil.copytree(tmp_path / "recovery", alive / "recovery")
    done = await opened(alive / "novadesk.db")
    assert done.turns == CHATS * TURNS
    assert same(await stored(alive / "novadesk.db"), said)
    assert done.kept is not None
    assert done.kept.with_name(f"{done.kept.name}-wal").exists(), "what belongs to the damaged file is kept with it"


async def test_damage_met_while_running_is_repaired_by_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    RecoveryCopies(file).make(START_MS)
    spoil(file, pages_of(file, "turn")[3])
    async with Database(file) as database:
        assert database.repaired is None
        with pytest.raises(KnownError) as error:
            await database.read(lambda db: db.execute("SELECT count(length(text)) FROM turn").fetchone())
        assert error.value.reason is Reason.STORE_BROKEN
        assert "Start NovaDesk again" in error.value.advice
    assert (await opened(file)).turns == CHATS * TURNS
    assert same(await stored(file), said)
    async with Database(file) as database:
        assert database.repaired is None, "once is enough"
    assert not repair.is_suspect(file)


async def test_looking_at_a_damaged_store_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    await fill(file)
    spoil(file, *range(2, 30))
    before = file.read_bytes()
    with pytest.raises(KnownError) as error:
        await Database(file, read_only=True).open()
    assert error.value.reason is Reason.STORE_BROKEN
    assert file.read_bytes() == before
    assert not (tmp_path / "damaged").exists()


async def test_a_copy_of_a_newer_novadesk_and_a_damaged_copy_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    found = RecoveryCopies(file)
    found.make(START_MS)
    recovery = tmp_path / "recovery"
    newer = recovery / f"novadesk-{START_MS + 1}.db"
    shutil.copy(file, newer)
    with closing(sqlite3.connect(newer)) as db:
        db.execute(f"PRAGMA user_version = {schema.NEWEST + 1}")
    damaged = recovery / f"novadesk-{START_MS + 2}.db"
    shutil.copy(file, damaged)
    spoil(damaged, 5, 6, 7)
    file.write_bytes(b"x" * 10_000)
    assert (await opened(file)).turns == CHATS * TURNS
    assert same(await stored(file), said)


def no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("at", ["copyfile", "rename"])
async def test_a_repair_that_cannot_be_done_leaves_everything_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    file = tmp_path / "novadesk.db"
    await fill(file)
    RecoveryCopies(file).make(START_MS)
    spoil(file, *range(2, 30))
    before = file.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(shutil if at == "copyfile" else Path, at, no_room)
        with pytest.raises(KnownError) as error:
            await Database(file).open()
    assert error.value.reason is Reason.DISK_FULL
    assert file.read_bytes() == before
    assert (await opened(file)).turns == CHATS * TURNS


async def test_a_process_that_died_between_two_moves_is_followed_by_one_that_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    RecoveryCopies(file).make(START_MS)
    spoil(file, *range(2, 30))
    real: Callable[[Path, Path], Path] = Path.rename

    def die(self: Path, target: Path) -> Path:
        if self.name.endswith(".repaired"):
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            repair.repair(file, START_MS)
    assert not file.exists()
    (tmp_path / "novadesk.db-wal").write_bytes(b"of the damaged file")
    shutil.rmtree(tmp_path / "recovery")
    assert same(await stored(file), said)
    assert len(list((tmp_path / "damaged").iterdir())) >= 2, "the file and what was left of its -wal"


async def test_text_that_is_none_is_shown_with_its_holes_and_quoted_nowhere(tmp_path: Path) -> None:
    """SQLite's own error would carry what was said into the log."""
    file = tmp_path / "novadesk.db"
    handle = next(iter(await fill(file)))
    with closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE turn SET text = CAST(x'736563726574ff' AS TEXT) WHERE number = 1")
        db.commit()
    async with Database(file) as database:
        (turn,) = await Conversations(database).turns(handle, before=1)
        assert turn.text == "secret\ufffd"


async def test_a_row_that_cannot_be_ours_is_damage_and_is_repaired_without_loss(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    said = await fill(file)
    with closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE conversation SET backend = 'bedrocc' WHERE number = 2")
        db.commit()
    async with Database(file) as database:
        with pytest.raises(KnownError) as error:
            await Conversations(database).conversations()
        assert error.value.reason is Reason.STORE_BROKEN
    assert (await opened(file)).turns == CHATS * TURNS
    assert same(await stored(file), said)
    async with Database(file) as database:
        backends = {one.backend for one in await Conversations(database).conversations()}
    assert backends == {BackendKind.PRACTICE}, "what is not known to belong to a service goes to none"
