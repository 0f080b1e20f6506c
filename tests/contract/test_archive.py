"""`Conversations` as the core needs it: every promise of `conversation.ports.Archive`, on a real file."""

import dataclasses
import inspect
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from novadesk.conversation.ports import Archive
from novadesk.errors import KnownError, Reason
from novadesk.models import Role, SyncState
from novadesk.store import outbox
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation, make_turn


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(tmp_path / "novadesk.db") as database:
        yield database


@pytest.fixture
def archive(database: Database) -> Conversations:
    return Conversations(database)


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def all_bytes(folder: Path) -> bytes:
    return b"".join(part.read_bytes() for part in folder.iterdir())


async def deliver_all(database: Database) -> None:
    def work(db: sqlite3.Connection) -> None:
        while leases := outbox.lease(db, 100, START_MS, 1000):
            for held in leases:
                outbox.acknowledge(db, held, step_ms=START_MS)

    await database.run(work)


def signatures(kind: type) -> dict[str, inspect.Signature]:
    return {name: inspect.signature(method) for name, method in vars(kind).items() if name[0] != "_" and name != "mro"}


def without_options(offered: inspect.Signature, wanted: inspect.Signature) -> inspect.Signature:
    """Return a signature less what it takes beyond another and need not be given."""
    kept = [one for name, one in offered.parameters.items() if name in wanted.parameters or one.default is one.empty]
    return offered.replace(parameters=kept)


def test_it_fits_the_port() -> None:
    wanted, offered = signatures(Archive), signatures(Conversations)
    assert len(wanted) == 9
    assert {name: without_options(offered[name], wanted[name]) for name in wanted} == wanted


async def test_a_new_conversation_is_on_disk_with_its_outbox_row(database: Database, archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    assert await archive.find(made.handle) == dataclasses.replace(made, sync=SyncState.PENDING)
    assert rows(database.file, "SELECT conversation, kind FROM outbox") == [(made.handle, "session")]


async def test_creating_twice_changes_nothing(database: Database, archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    await archive.create(dataclasses.replace(made, label="other"))
    found = await archive.find(made.handle)
    assert found is not None
    assert found.label == made.label
    assert len(rows(database.file, "SELECT * FROM outbox")) == 1


async def test_a_turn_comes_back_as_it_was_with_its_position(database: Database, archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    first = make_turn(made.handle, "Grüße 🙂\0", typed=True)
    second = make_turn(
        made.handle, "Long answer", role=Role.ASSISTANT, heard_chars=4, interrupted=True, at_ms=START_MS + 9
    )
    assert (await archive.append(first)).position == 0
    stored = await archive.append(second)
    assert stored == dataclasses.replace(second, position=1)
    assert await archive.turns(made.handle) == (first, stored)
    assert stored.heard_text == "Long"
    found = await archive.find(made.handle)
    assert found is not None
    assert (found.turns, found.pending, found.updated_ms) == (2, 2, START_MS + 9)
    steps = rows(database.file, "SELECT step_id FROM outbox WHERE kind = 'turn' ORDER BY number")
    assert steps == [(first.turn_id,), (second.turn_id,)]


async def test_appending_again_changes_nothing(database: Database, archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    turn = make_turn(made.handle)
    stored = await archive.append(turn)
    assert await archive.append(dataclasses.replace(turn, at_ms=turn.at_ms + 5, typed=not turn.typed)) == stored
    assert await archive.append(dataclasses.replace(turn, unconfirmed=True)) == stored
    assert len(rows(database.file, "SELECT * FROM outbox WHERE kind = 'turn'")) == 1


async def test_a_turn_without_its_conversation_is_refused_and_leaves_nothing(
    database: Database, archive: Conversations
) -> None:
    with pytest.raises(KnownError) as error:
        await archive.append(make_turn(make_conversation().handle))
    assert error.value.reason is Reason.UNKNOWN_CONVERSATION
    assert rows(database.file, "SELECT * FROM turn") == rows(database.file, "SELECT * FROM outbox") == []


async def test_the_confirmed_version_replaces_an_unconfirmed_turn_in_its_place(
    database: Database, archive: Conversations
) -> None:
    made = make_conversation()
    await archive.create(made)
    heard = make_turn(made.handle, "I think", role=Role.ASSISTANT, unconfirmed=True)
    await archive.append(heard)
    await archive.append(make_turn(made.handle, "next"))
    confirmed = dataclasses.replace(heard, text="I think so.", unconfirmed=False, heard_chars=7, interrupted=True)
    assert await archive.append(confirmed) == dataclasses.replace(confirmed, position=0)
    assert [turn.text for turn in await archive.turns(made.handle)] == ["I think so.", "next"]
    steps = rows(database.file, "SELECT step_id FROM outbox WHERE kind = 'turn' ORDER BY number")
    assert steps[0] == (heard.turn_id,)
    assert len(steps) == 2


async def test_an_unconfirmed_turn_grows_until_it_is_confirmed(archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    heard = make_turn(made.handle, "I think", role=Role.ASSISTANT, unconfirmed=True)
    await archive.append(heard)
    more = dataclasses.replace(heard, text="I think so")
    cut = dataclasses.replace(more, interrupted=True)
    for version in (more, heard, cut, more):
        await archive.append(version)
    assert await archive.turns(made.handle) == (dataclasses.replace(cut, position=0),)
    confirmed = dataclasses.replace(heard, text="I think.", unconfirmed=False)
    for version in (confirmed, cut):
        assert await archive.append(version) == dataclasses.replace(confirmed, position=0)


async def test_a_delivered_unconfirmed_turn_is_delivered_again_under_a_new_step_id(
    database: Database, archive: Conversations
) -> None:
    made = make_conversation()
    await archive.create(made)
    heard = make_turn(made.handle, "I think", role=Role.ASSISTANT, unconfirmed=True)
    await archive.append(heard)
    await deliver_all(database)
    assert (await archive.turns(made.handle))[0].sync is SyncState.SYNCED
    confirmed = await archive.append(dataclasses.replace(heard, text="I think so.", unconfirmed=False))
    assert confirmed.sync is SyncState.PENDING
    ((step,),) = rows(database.file, "SELECT step_id FROM outbox")
    assert step != heard.turn_id
    assert await archive.pending() == 1


async def test_what_the_service_confirms_late_replaces_the_turn_and_is_delivered(
    database: Database, archive: Conversations
) -> None:
    made = make_conversation()
    await archive.create(made)
    first = make_turn(made.handle, "One.", role=Role.ASSISTANT)
    await archive.append(first)
    await deliver_all(database)
    longer = await archive.append(dataclasses.replace(first, text="One. Two.", interrupted=True, heard_chars=6))
    assert (longer.position, longer.text, longer.heard_chars) == (0, "One. Two.", 6)
    assert await archive.pending() == 1
    assert await archive.append(dataclasses.replace(first, text="One", unconfirmed=True)) == longer


async def test_turns_are_paged_from_the_newest_back(archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    for number in range(7):
        await archive.append(make_turn(made.handle, str(number)))

    async def texts(before: int | None, limit: int) -> str:
        return "".join(turn.text for turn in await archive.turns(made.handle, before=before, limit=limit))

    assert await texts(None, 3) == "456"
    assert await texts(4, 3) == "123"
    assert await texts(1, 3) == "0"
    assert await texts(0, 3) == ""
    assert await texts(None, 200) == "0123456"


async def test_conversations_come_newest_first_in_pages(archive: Conversations) -> None:
    made = [make_conversation(START_MS + number) for number in range(5)]
    for one in made:
        await archive.create(one)
    await archive.append(make_turn(made[1].handle, at_ms=START_MS + 100))
    order = [made[1], made[4], made[3], made[2], made[0]]
    assert [one.handle for one in await archive.conversations()] == [one.handle for one in order]
    assert [one.handle for one in await archive.conversations(offset=1, limit=2)] == [made[4].handle, made[3].handle]


async def test_the_open_conversation_is_remembered(tmp_path: Path) -> None:
    made = make_conversation()
    async with Database(tmp_path / "a.db") as database:
        archive = Conversations(database)
        assert await archive.current() is None
        await archive.create(made)
        await archive.set_current(made.handle)
    async with Database(tmp_path / "a.db") as database:
        archive = Conversations(database)
        assert await archive.current() == made.handle
        await archive.set_current(None)
        assert await archive.current() is None
        await archive.set_current(made.handle)
        await archive.delete(made.handle, START_MS)
        assert await archive.current() is None


async def test_pending_and_sync_state_follow_the_outbox(database: Database, archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    await archive.append(make_turn(made.handle))
    assert await archive.pending() == 1
    await deliver_all(database)
    assert await archive.pending() == 0
    found = await archive.find(made.handle)
    assert found is not None
    assert found.sync is SyncState.LOCAL
    await archive.append(make_turn(made.handle))

    def refuse(db: sqlite3.Connection) -> None:
        (held,) = outbox.lease(db, 1, START_MS, 1000)
        outbox.park(db, held, "service.bad_request")

    await database.run(refuse)
    found = await archive.find(made.handle)
    assert found is not None
    assert (found.sync, found.pending) == (SyncState.FAILED, 1)
    assert (await archive.turns(made.handle))[1].sync is SyncState.FAILED


async def test_the_last_rename_wins(archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    await archive.rename(made.handle, "Holiday", START_MS + 5)
    await archive.rename(made.handle, "late but older", START_MS + 4)
    found = await archive.find(made.handle)
    assert found is not None
    assert found.title == "Holiday"
    with pytest.raises(KnownError):
        await archive.rename(make_conversation().handle, "x", START_MS)


async def test_the_last_star_wins(database: Database, archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)

    async def starred() -> bool:
        found = await archive.find(made.handle)
        assert found is not None
        return found.starred

    assert not await starred()
    await archive.star(made.handle, True, START_MS + 5)
    assert await starred()
    await archive.star(made.handle, False, START_MS + 4)
    assert await starred(), "an older wish"
    await archive.star(made.handle, False, START_MS + 6)
    assert not await starred()
    assert rows(database.file, "SELECT kind FROM outbox") == [("session",), ("metadata",)]
    with pytest.raises(KnownError):
        await archive.star(make_conversation().handle, True, START_MS)


async def test_a_title_may_be_anything(archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    for place, (title, kept) in enumerate((("\ud83d half", "\ufffd half"), ("a\0b", "a\0b"), ("", ""))):
        await archive.rename(made.handle, title, START_MS + place)
        found = await archive.find(made.handle)
        assert found is not None
        assert found.title == kept


async def test_deleting_leaves_a_tombstone_and_no_text(database: Database, archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    await archive.append(make_turn(made.handle, "sentinel text"))
    await archive.delete(made.handle, START_MS + 7)
    assert await archive.find(made.handle) is None
    assert await archive.turns(made.handle) == ()
    assert rows(database.file, "SELECT handle, deleted_ms FROM tombstone") == [(made.handle, START_MS + 7)]
    assert rows(database.file, "SELECT * FROM turn") == rows(database.file, "SELECT * FROM outbox") == []
    with pytest.raises(KnownError):
        await archive.delete(made.handle, START_MS)


async def test_the_remote_copy_is_deleted_through_the_outbox(database: Database, archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    await database.run(
        lambda db: (
            db.execute(
                "INSERT INTO remote_session (handle, generation, state, created_ms) VALUES (?, 0, 'bound', 0)",
                (made.handle,),
            ).rowcount
        )
    )
    await archive.delete(made.handle, START_MS)
    assert rows(database.file, "SELECT conversation, kind FROM outbox") == [(made.handle, "delete")]


async def test_deleted_text_is_gone_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    made = make_conversation()
    async with Database(file) as database:
        archive = Conversations(database)
        await archive.create(made)
        await archive.append(make_turn(made.handle, "a very secret sentinel"))
        await archive.delete(made.handle, START_MS)
    assert b"secret sentinel" not in all_bytes(tmp_path)


async def test_each_write_tells_that_there_is_something_to_deliver(database: Database) -> None:
    told: list[int] = []
    archive = Conversations(database, lambda: told.append(1))
    made = make_conversation()
    await archive.create(made)
    await archive.append(make_turn(made.handle))
    await archive.rename(made.handle, "x", START_MS)
    await archive.delete(made.handle, START_MS)
    assert len(told) == 4
