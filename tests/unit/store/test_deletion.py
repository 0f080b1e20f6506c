"""What is deleted can be brought back for a while, all of it; then it is gone, and old ones go when that is wished."""

import dataclasses
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation, Due, SyncState, Turn
from novadesk.store import conversations, deletion, outbox
from novadesk.store.agentruntime import RemoteSession, RemoteStatus
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.deletion import DAY_MS
from novadesk.store.merge import merge_sessions
from novadesk.store.metadata import Names, make_metadata
from novadesk.store.retention import LOOK_S, UNDO_MS, Keeping, Retention
from tests.support.store_rig import START_MS, make_conversation, make_turn

FAR_MS = 1 << 62
DEVICE = "this computer"


class Rig:
    """A store, what deletes in it, and a clock of the test's own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.told = 0
        self.archive = Conversations(database, self._tell)
        self.now_ms = START_MS
        self.open: str | None = None
        self.deleted = 0
        self.aged: list[str] = []
        self.retention = Retention(
            database,
            self.archive,
            Keeping(),
            unix_ms=lambda: self.now_ms,
            spare=lambda: self.open,
            on_deleted=self._count,
            on_aged=self.aged.append,
        )

    def _tell(self) -> None:
        self.told += 1

    def _count(self) -> None:
        self.deleted += 1

    async def say(
        self,
        text: str,
        *,
        at_ms: int = START_MS,
        star: bool = False,
        delivered: bool = True,
        backend: BackendKind = BackendKind.PRACTICE,
    ) -> str:
        made = make_conversation(at_ms, backend=backend)
        await self.archive.create(made)
        await self.archive.append(make_turn(made.handle, text, at_ms))
        if delivered:
            await self.database.run(lambda db: deliver(db, made.handle))
        if star:
            await self.archive.star(made.handle, True, at_ms)
        return made.handle

    async def here(self) -> set[str]:
        return {one.handle for one in await self.archive.conversations()}

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        return await self.database.read(lambda db: [tuple(row) for row in db.execute(query)])

    async def everything(self, handle: str) -> tuple[Conversation | None, tuple[Turn, ...], list[tuple[object, ...]]]:
        """Return all that there is of a conversation, and what waits to be delivered."""
        waiting = await self.rows(f"SELECT * FROM outbox WHERE conversation = '{handle}' ORDER BY number")
        return await self.archive.find(handle), tuple(await self.archive.turns(handle)), waiting


def deliver(db: sqlite3.Connection, handle: str) -> None:
    db.execute("DELETE FROM outbox WHERE conversation = ?", (handle,))
    (number,) = db.execute("SELECT number FROM conversation WHERE handle = ?", (handle,)).fetchone()
    db.execute("UPDATE turn SET sync = 'synced' WHERE conversation = ?", (number,))
    db.execute(
        "INSERT INTO remote_session (handle, generation, state, in_keyring, created_ms) VALUES (?, 0, 'bound', 0, 0)",
        (handle,),
    )


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with Database(tmp_path / "novadesk.db") as database:
        yield Rig(database)


def all_bytes(rig: Rig) -> bytes:
    return b"".join(file.read_bytes() for file in rig.database.file.parent.rglob("*") if file.is_file())


# --- undo ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delivered", [True, False])
async def test_what_is_set_aside_shows_nowhere_and_comes_back_whole(rig: Rig, delivered: bool) -> None:
    other = await rig.say("violet too")
    handle = await rig.say("violet words", delivered=delivered)
    await rig.archive.set_current(handle)
    before = await rig.everything(handle)
    assert await rig.archive.set_aside([handle, "session_1790000000009_aaaaaaaaa"], START_MS) == (handle,)

    assert await rig.here() == {other}
    assert await rig.archive.find(handle) is None
    assert await rig.archive.turns(handle) == ()
    assert [hit.turn.conversation for hit in await rig.archive.search("violet", limit=1)] == [other]
    assert await rig.archive.current() is None
    assert await rig.archive.set_aside([handle], START_MS) == ()
    assert (await rig.everything(handle))[2] == before[2], "the outbox stays as it was"

    told = rig.told
    assert await rig.archive.bring_back([handle]) == 1
    assert rig.told == told + 1, "what waited may be delivered again"
    assert await rig.everything(handle) == before
    assert await rig.archive.current() == handle
    assert len(await rig.archive.search("violet")) == 2
    assert await rig.rows("SELECT * FROM tombstone") == []
    assert await rig.archive.bring_back([handle]) == 0


async def test_nothing_of_it_is_delivered_meanwhile(rig: Rig) -> None:
    handle = await rig.say("not for others", delivered=False)

    def leased(db: sqlite3.Connection) -> tuple[int, int | None, int]:
        for backend in (None, BackendKind.PRACTICE):
            due_ms = outbox.next_due_ms(db, backend)
            leases = outbox.lease(db, 9, START_MS, 1_000, backend)
            outbox.release(db, leases)
            yielded = len(leases), due_ms, outbox.waiting(db, backend).turns
        return yielded

    assert await rig.database.run(leased) == (2, 0, 1)
    await rig.archive.set_aside([handle], START_MS)
    assert await rig.database.run(leased) == (0, None, 0)
    await rig.archive.bring_back([handle])
    assert await rig.database.run(leased) == (2, 0, 1)


async def test_after_its_time_it_is_gone_for_good(rig: Rig) -> None:
    handle = await rig.say("a very secret sentinel")
    later = await rig.say("another sentinel")
    await rig.archive.set_aside([handle], rig.now_ms)
    rig.now_ms += UNDO_MS - 1
    await rig.archive.set_aside([later], rig.now_ms)
    assert await rig.retention.look() == 0.001
    assert (rig.deleted, b"secret sentinel" in all_bytes(rig)) == (0, True)
    rig.now_ms += 1
    assert await rig.retention.look() == (UNDO_MS - 1) / 1000
    assert (rig.deleted, b"secret sentinel" in all_bytes(rig)) == (1, False)
    assert b"another sentinel" in all_bytes(rig)
    assert await rig.rows("SELECT handle, deleted_ms FROM tombstone") == [(handle, rig.now_ms)]
    assert await rig.rows("SELECT conversation, kind FROM outbox") == [(handle, "delete")]
    assert await rig.archive.bring_back([handle]) == 0
    rig.now_ms += UNDO_MS
    assert await rig.retention.look() == LOOK_S


async def test_the_end_of_the_program_waits_for_no_undo(rig: Rig) -> None:
    handle = await rig.say("a very secret sentinel")
    rig.retention.start()
    await rig.archive.set_aside([handle], rig.now_ms)
    await rig.retention.stop()
    await rig.retention.stop()
    assert b"secret sentinel" not in all_bytes(rig)


async def test_a_clock_that_was_set_back_keeps_nothing_for_ever(rig: Rig) -> None:
    handle = await rig.say("hello")
    await rig.archive.set_aside([handle], rig.now_ms)
    rig.now_ms -= DAY_MS
    assert await rig.retention.look() == LOOK_S
    assert await rig.rows("SELECT handle FROM tombstone") == [(handle,)]


async def test_all_can_be_set_aside_but_those_with_a_star(rig: Rig) -> None:
    starred, plain = await rig.say("one", star=True), await rig.say("two")
    assert await rig.archive.set_aside(None, START_MS, keep_starred=True) == (plain,)
    assert await rig.here() == {starred}
    assert await rig.archive.set_aside(None, START_MS) == (starred,)
    assert await rig.here() == set()
    assert await rig.archive.bring_back([plain, starred]) == 2


# --- for good ------------------------------------------------------------------------------------


async def test_many_are_deleted_in_parts_and_leave_no_word(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "_BATCH_TURNS", 3)
    handles = [await rig.say(f"sentinel {place}") for place in range(5)]
    gone = handles[1]
    await rig.archive.delete(gone, START_MS)
    assert await rig.archive.delete_all(handles, START_MS) == 4
    assert await rig.here() == set()
    assert b"sentinel" not in all_bytes(rig)
    assert len(await rig.rows("SELECT handle FROM tombstone")) == 5


@pytest.mark.parametrize(
    ("backend", "here_only", "stays"),
    [
        (BackendKind.BEDROCK, True, True),
        (BackendKind.GATEWAY, True, True),
        (BackendKind.BEDROCK, False, False),
        (BackendKind.PRACTICE, True, False),  # its copy lies on this computer
        (BackendKind.PRACTICE, False, False),
    ],
)
async def test_the_remote_copy_stays_when_that_is_wished(
    rig: Rig, backend: BackendKind, here_only: bool, stays: bool
) -> None:
    handle = await rig.say("words", backend=backend)
    found = await rig.archive.find(handle)
    assert found is not None
    await rig.archive.set_aside([handle], rig.now_ms, here_only=here_only)
    await rig.archive.delete_left(FAR_MS, rig.now_ms)
    wishes = [] if stays else [(handle, "delete")]
    assert await rig.rows("SELECT conversation, kind FROM outbox") == wishes
    if stays:
        assert await rig.rows("SELECT * FROM remote_session UNION ALL SELECT * FROM remote_session") == []

    # The service's list tells of it again: it neither comes back nor is deleted there after all.
    await rig.database.run(lambda db: db.execute("DELETE FROM outbox").rowcount)
    metadata = make_metadata(found, Names(), generation=0, device=DEVICE)
    session = RemoteSession(session_id="x", status=RemoteStatus.ACTIVE, created_ms=0, updated_ms=0, metadata=metadata)
    assert await rig.database.run(lambda db: merge_sessions(db, {handle: [session]}, DEVICE)) == (0, [])
    assert await rig.here() == set()
    assert await rig.rows("SELECT conversation, kind FROM outbox") == wishes


# --- what is old ---------------------------------------------------------------------------------


async def test_what_is_old_goes_and_what_matters_stays(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    old_ms = START_MS - 30 * DAY_MS - 1
    old = [await rig.say("old", at_ms=old_ms, backend=BackendKind.BEDROCK) for _ in range(2)]
    kept = {
        await rig.say("starred", at_ms=old_ms, star=True),
        await rig.say("not delivered", at_ms=old_ms, delivered=False),
        await rig.say("young", at_ms=START_MS - 30 * DAY_MS),
    }
    rig.open = await rig.say("open", at_ms=old_ms)
    aside = await rig.say("brought back later", at_ms=old_ms)
    await rig.archive.set_aside([aside], rig.now_ms)

    assert await rig.retention.look() == UNDO_MS / 1000
    assert await rig.here() == {*old, *kept, rig.open}, "never by itself"
    rig.retention.keeping = Keeping(days=30)
    await rig.retention.look()
    assert await rig.here() == {*kept, rig.open}
    assert rig.deleted == 1
    assert await rig.archive.bring_back([aside]) == 1
    assert await rig.rows("SELECT kind FROM outbox WHERE kind = 'delete'") == []
    assert [record.getMessage() for record in caplog.records] == [
        "2 conversations without a turn for 30 days deleted, copies on other computers stay;"
        " kept: 1 with a star, 1 not delivered yet"
    ]
    await rig.archive.set_aside([aside], rig.now_ms)
    await rig.retention.look()
    assert len(caplog.records) == 1, "nothing deleted, nothing said"


async def test_what_would_go_is_told_before_and_what_went_after(rig: Rig) -> None:
    for _ in range(2):
        await rig.say("old", at_ms=START_MS - 8 * DAY_MS)
    await rig.say("old", at_ms=START_MS - 8 * DAY_MS, star=True)
    await rig.say("old", at_ms=START_MS - 8 * DAY_MS, delivered=False)
    await rig.say("new")
    assert await rig.retention.due(0) == Due()
    assert await rig.retention.due(7) == Due(going=2, starred=1, undelivered=1)
    assert (len(await rig.here()), rig.aged) == (5, [])
    rig.retention.keep(Keeping(days=7))
    await rig.retention.look()
    assert (len(await rig.here()), rig.aged) == (3, ["2 conversations older than 7 days deleted."])
    assert await rig.retention.due(7) == Due(starred=1, undelivered=1)


async def test_the_remote_copies_of_what_is_old_go_too_when_that_is_wished(rig: Rig) -> None:
    handle = await rig.say("old", at_ms=START_MS - 2 * DAY_MS)
    rig.retention.keeping = Keeping(days=1, remotely_too=True)
    await rig.retention.look()
    assert await rig.rows("SELECT conversation, kind FROM outbox") == [(handle, "delete")]


# --- edits ---------------------------------------------------------------------------------------


async def test_an_edit_keeps_the_original_and_goes_nowhere(rig: Rig) -> None:
    handle = await rig.say("Asprin, please")
    (turn,) = await rig.archive.turns(handle)
    waiting = await rig.rows("SELECT * FROM outbox")
    edited = await rig.archive.edit(turn.turn_id, "  Aspirin, please\ud800 ")
    assert edited == dataclasses.replace(turn, edited="Aspirin, please\ufffd")
    assert await rig.archive.turns(handle) == (edited,)
    assert (edited.shown_text, edited.heard_text) == ("Aspirin, please\ufffd", "Asprin, please")
    assert await rig.rows("SELECT * FROM outbox") == waiting
    assert edited.sync is SyncState.SYNCED
    assert [len(await rig.archive.search(word)) for word in ("aspirin", "asprin")] == [1, 0]

    # The confirmed version of the turn comes late, from here or from the remote store: the edit stays.
    await rig.archive.append(dataclasses.replace(turn, text="Asprin, please!", unconfirmed=False))
    (after,) = await rig.archive.turns(handle)
    assert (after.text, after.edited) == ("Asprin, please!", "Aspirin, please\ufffd")

    assert await rig.archive.edit(turn.turn_id, None) == dataclasses.replace(after, edited=None)
    assert (await rig.archive.edit(turn.turn_id, after.heard_text)).edited is None
    assert [len(await rig.archive.search(word)) for word in ("aspirin", "asprin")] == [0, 1]


@pytest.mark.parametrize("words", ["", " \n", "x" * (conversations.MAX_EDIT_CHARS + 1)])
async def test_an_edit_that_makes_no_sense_changes_nothing(rig: Rig, words: str) -> None:
    handle = await rig.say("hello")
    (turn,) = await rig.archive.turns(handle)
    with pytest.raises(KnownError) as error:
        await rig.archive.edit(turn.turn_id, words)
    assert error.value.reason is Reason.BAD_INPUT
    assert await rig.archive.turns(handle) == (turn,)
    with pytest.raises(KnownError) as error:
        await rig.archive.edit(deletion.__name__, "words")
    assert error.value.reason is Reason.UNKNOWN_CONVERSATION
