import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.store.database import Database
from novadesk.store.device import device_name
from novadesk.store.registry import Registry
from tests.support.store_rig import MemoryKeychain

LOCKED = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it.")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(tmp_path / "a.db") as database:
        yield database


async def intend(database: Database, handle: str, generation: int = 0) -> None:
    await database.run(
        lambda db: (
            db.execute(
                "INSERT INTO remote_session (handle, generation, state, created_ms) VALUES (?, ?, 'intended', 0)",
                (handle, generation),
            ).rowcount
        )
    )


def ids(keychain: MemoryKeychain, handle: str) -> dict[str, str]:
    entry = json.loads(keychain.entries[handle])
    assert len(entry.pop("secret")) >= 32
    return entry


async def test_ids_are_kept_in_one_entry_a_conversation(database: Database) -> None:
    keychain = MemoryKeychain()
    registry = Registry(database, keychain)
    for generation in (0, 1):
        await intend(database, "h", generation)
        await registry.remember("h", generation, f"id {generation}")
    assert ids(keychain, "h") == {"0": "id 0", "1": "id 1"}
    later = Registry(database, keychain)
    assert [await later.find("h", generation) for generation in (0, 1, 2)] == ["id 0", "id 1", None]
    assert later.note == ""


async def test_the_keyring_is_not_touched_for_what_it_cannot_know(database: Database) -> None:
    keychain = MemoryKeychain()
    registry = Registry(database, keychain)
    assert await registry.find("h", 0) is None
    await registry.forget("h")
    assert keychain.calls == 0
    await intend(database, "h")
    await registry.remember("h", 0, "id")
    await registry.remember("h", 0, "id")
    assert await registry.find("h", 0) == "id"
    assert keychain.calls == 1


async def test_without_a_keyring_ids_last_for_the_run(database: Database) -> None:
    registry = Registry(database, None)
    await intend(database, "h")
    await registry.remember("h", 0, "id")
    assert await registry.find("h", 0) == "id"
    assert "this run only" in registry.note
    assert await Registry(database, None).find("h", 0) is None
    await database.run(lambda db: db.execute("UPDATE remote_session SET in_keyring = 1").rowcount)
    with pytest.raises(KnownError):
        await registry.forget_all()


async def test_a_failing_keyring_is_left_alone_for_a_while(database: Database) -> None:
    keychain, now = MemoryKeychain(), 0.0
    registry = Registry(database, keychain, now=lambda: now, rest_s=60.0)
    keychain.failure = LOCKED
    for handle in "abc":
        await intend(database, handle)
        await registry.remember(handle, 0, f"id {handle}")
    assert keychain.calls == 1
    assert registry.note.startswith("The keyring is locked.")
    assert await registry.find("a", 0) == "id a"
    keychain.failure, now = None, 61.0
    await registry.remember("c", 1, "id c1")
    assert ids(keychain, "c") == {"0": "id c", "1": "id c1"}
    assert registry.note == ""


async def test_a_keyring_that_does_not_answer_is_given_up(database: Database) -> None:
    class StuckKeychain(MemoryKeychain):
        async def set(self, name: str, value: str) -> None:
            await asyncio.Event().wait()

    registry = Registry(database, StuckKeychain(), deadline_s=0.01)
    await intend(database, "h")
    await registry.remember("h", 0, "id")
    assert await registry.find("h", 0) == "id"
    assert "does not answer" in registry.note


@pytest.mark.parametrize("content", ["not json", "[]", '{"x": 1}', ""])
async def test_an_entry_that_makes_no_sense_counts_as_none(database: Database, content: str) -> None:
    keychain = MemoryKeychain()
    await intend(database, "h")
    await database.run(lambda db: db.execute("UPDATE remote_session SET in_keyring = 1").rowcount)
    keychain.entries["h"] = content
    assert await Registry(database, keychain).find("h", 0) is None


async def test_forgetting_removes_entries_and_ids(database: Database) -> None:
    keychain = MemoryKeychain()
    registry = Registry(database, keychain)
    for handle in "abc":
        await intend(database, handle)
        await registry.remember(handle, 0, "id")
    await registry.forget("a")
    assert set(keychain.entries) == {"b", "c"}
    assert await registry.find("a", 0) is None
    assert await registry.forget_all() >= 2
    assert keychain.entries == {}
    assert [await registry.find(handle, 0) for handle in "abc"] == [None] * 3
    assert await registry.forget_all() == 0


async def test_a_long_chain_fits_the_smallest_keyring(database: Database) -> None:
    keychain = MemoryKeychain()
    registry = Registry(database, keychain)
    for generation in range(60):
        await intend(database, "h", generation)
        await registry.remember("h", generation, "11111111-1111-4111-8111-111111111111")
    assert len(keychain.entries["h"]) <= 1280
    assert await Registry(database, keychain).find("h", 59) is not None


async def test_an_id_that_a_list_told_stays_in_memory_until_it_is_kept(database: Database) -> None:
    keychain = MemoryKeychain()
    registry = Registry(database, keychain)
    await intend(database, "h")
    registry.learn("h", 0, "id")
    assert await registry.find("h", 0) == "id"
    assert keychain.calls == 0
    await registry.keep("h")
    assert ids(keychain, "h") == {"0": "id"}
    calls = keychain.calls
    await registry.keep("h")
    assert keychain.calls == calls
    await registry.keep("nobody")
    assert set(keychain.entries) == {"h"}


async def test_the_secret_stays_the_same_through_changes_and_restarts(database: Database) -> None:
    keychain = MemoryKeychain()
    registry = Registry(database, keychain)
    for handle in ("h", "other"):
        await intend(database, handle)
        await registry.remember(handle, 0, "id")
    secret = await registry.secret("h")
    assert len(secret) >= 32
    assert secret != await registry.secret("other")
    later = Registry(database, keychain)
    await intend(database, "h", 1)
    await later.remember("h", 1, "id 1")
    assert await later.secret("h") == secret
    assert ids(keychain, "h") == {"0": "id", "1": "id 1"}
    assert await registry.secret("nobody") == ""


async def test_a_session_that_is_gone_leaves_the_entry(database: Database) -> None:
    keychain = MemoryKeychain()
    registry = Registry(database, keychain)
    for generation in (0, 1):
        await intend(database, "h", generation)
        await registry.remember("h", generation, f"id {generation}")
    later = Registry(database, keychain)
    await later.drop("h", 0)
    assert ids(keychain, "h") == {"1": "id 1"}
    assert [await later.find("h", generation) for generation in (0, 1)] == [None, "id 1"]


async def test_an_entry_that_cannot_be_read_is_not_written_over(database: Database) -> None:
    keychain, now = MemoryKeychain(), 0.0
    registry = Registry(database, keychain, now=lambda: now, rest_s=60.0)
    await intend(database, "h")
    await registry.remember("h", 0, "id 0")
    before = keychain.entries["h"]
    later = Registry(database, keychain, now=lambda: now, rest_s=60.0)
    keychain.failure = LOCKED
    await intend(database, "h", 1)
    await later.remember("h", 1, "id 1")
    assert keychain.entries["h"] == before
    assert await later.find("h", 1) == "id 1"
    keychain.failure, now = None, 61.0
    await later.keep("h")
    assert ids(keychain, "h") == {"0": "id 0", "1": "id 1"}
    assert json.loads(keychain.entries["h"])["secret"] == json.loads(before)["secret"]


async def test_all_who_ask_at_once_hear_the_same_device_name(tmp_path: Path) -> None:
    async with Database(tmp_path / "one.db") as one, Database(tmp_path / "other.db") as other:
        names = await asyncio.gather(*(device_name(one) for _ in range(8)))
        assert len(set(names)) == 1
        assert await device_name(one) == names[0]
        assert await device_name(other) != names[0]
