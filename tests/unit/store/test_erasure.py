"""What is deleted here is deleted at the gateway, at once or as soon as that can be, and never forgotten."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation
from novadesk.store import links, outbox
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.erasure import Erasure
from novadesk.store.links import gateway_mark
from novadesk.store.pause import SyncPolicy
from novadesk.store.registry import Registry
from tests.support.store_rig import START_MS, MemoryKeychain, RealClock, make_conversation, make_turn

HERE, ELSEWHERE = "wss://gateway.example", "wss://other.example"
QUICK = SyncPolicy(first_pause_s=0.01, longest_pause_s=0.02, off_pause_s=0.02)
OFFLINE = KnownError(Reason.UNREACHABLE, "Nothing answers there.", "Look after the network.")
LOCKED = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it.")


class Gateway:
    """Deletes; `failure` is raised while it is set."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.asked = 0
        self.failure: KnownError | None = None

    async def delete(self, handle: str) -> None:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        self.deleted.append(handle)


class World:
    """A store, a keyring, a gateway, and what stands between them for as long as a program runs."""

    def __init__(self, database: Database, keychain: MemoryKeychain, gateway: Gateway, address: str = HERE) -> None:
        self.database, self.keychain, self.gateway = database, keychain, gateway
        self.archive = Conversations(database)
        self.registry = Registry(database, keychain, rest_s=0.0)
        self.erasure = Erasure(database, self.registry, gateway, address, RealClock(), policy=QUICK)

    async def hold(self, *gateways: str) -> Conversation:
        """Hold a conversation at gateways."""
        conversation = make_conversation(backend=BackendKind.GATEWAY)
        await self.archive.create(conversation)
        await self.archive.append(make_turn(conversation.handle))
        for address in gateways:
            await self.registry.note_gateway(conversation.handle, gateway_mark(address))
        if gateways:
            await self.registry.bind(conversation.handle, "session-1", "secret-1")
        return conversation

    async def owes(self) -> int:
        query = "SELECT count(*) FROM outbox"
        return int(await self.database.read(lambda db: db.execute(query).fetchone()[0]))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture
async def world(tmp_path: Path) -> "World":
    async with Database(tmp_path / "a.db") as database:
        made = World(database, MemoryKeychain(), Gateway())
        yield made  # type: ignore[misc]
        await made.erasure.stop()


async def gone(world: World) -> None:
    async with asyncio.timeout(60):
        while await world.owes():
            await asyncio.sleep(0.005)


async def test_a_deletion_is_done_and_nothing_is_left(world: World) -> None:
    conversation = await world.hold(HERE)
    assert world.keychain.entries
    await world.archive.delete(conversation.handle, START_MS)
    world.erasure.start()
    await gone(world)
    await until(lambda: world.keychain.entries == {})
    assert world.gateway.deleted == [conversation.handle]
    rows = "SELECT count(*) FROM remote_session"
    async with asyncio.timeout(60):
        while await world.database.read(lambda db: db.execute(rows).fetchone()[0]):
            await asyncio.sleep(0.005)


async def test_what_was_never_there_is_not_asked_for(world: World) -> None:
    conversation = await world.hold()
    await world.archive.delete(conversation.handle, START_MS)
    assert await world.owes() == 0


async def test_what_is_deleted_here_only_stays_there(world: World) -> None:
    conversation = await world.hold(HERE)
    await world.archive.delete(conversation.handle, START_MS, here_only=True)
    assert await world.owes() == 0


async def test_a_deletion_is_owed_through_an_outage_a_locked_keyring_and_an_exit(
    tmp_path: Path, expected_logs: Any
) -> None:
    expected_logs.allow("is put off")
    keychain, gateway = MemoryKeychain(), Gateway()
    async with Database(tmp_path / "a.db") as database:
        first = World(database, keychain, gateway)
        conversation = await first.hold(HERE)
        keychain.failure, gateway.failure = LOCKED, OFFLINE
        await first.archive.delete(conversation.handle, START_MS)
        first.erasure.start()
        await until(lambda: gateway.asked > 2)
        assert first.erasure.error is OFFLINE
        gateway.failure = LOCKED  # there is no token without it
        await until(lambda: first.erasure.error is LOCKED)
        await first.erasure.stop()
        assert await first.owes() == 1
    async with Database(tmp_path / "a.db") as database:
        gateway.failure = None  # the token is in the environment this time, the keyring is locked still
        second = World(database, keychain, gateway)
        second.erasure.start()
        await gone(second)
        assert gateway.deleted == [conversation.handle]
        assert keychain.entries
        await second.erasure.stop()
    async with Database(tmp_path / "a.db") as database:
        keychain.failure = None
        third = World(database, keychain, gateway)
        third.erasure.start()
        await until(lambda: keychain.entries == {})
        await third.erasure.stop()
    assert gateway.deleted == [conversation.handle]


async def test_what_another_gateway_is_owed_waits_for_it(world: World) -> None:
    conversation = await world.hold(ELSEWHERE)
    both = await world.hold(HERE, ELSEWHERE)
    await world.archive.delete(conversation.handle, START_MS)
    await world.archive.delete(both.handle, START_MS)
    world.erasure.start()
    await until(lambda: world.gateway.deleted == [both.handle])
    await world.erasure.stop()
    assert await world.owes() == 2
    other = World(world.database, world.keychain, Gateway(), ELSEWHERE)
    other.erasure.start()
    await gone(other)
    await other.erasure.stop()
    assert other.gateway.deleted == [conversation.handle, both.handle]


async def test_one_that_is_refused_does_not_hold_up_the_others(world: World, expected_logs: Any) -> None:
    expected_logs.allow("is put off")
    first, second = await world.hold(HERE), await world.hold(HERE)
    for conversation in (first, second):
        await world.archive.delete(conversation.handle, START_MS)
    delete = world.gateway.delete

    async def but_for_the_first(handle: str) -> None:
        if handle == first.handle and second.handle not in world.gateway.deleted:
            raise KnownError(Reason.BAD_REQUEST, "No.", "Stop.")
        await delete(handle)

    world.gateway.delete = but_for_the_first  # type: ignore[method-assign]
    world.erasure.start()
    await gone(world)
    assert world.gateway.deleted == [second.handle, first.handle]


async def test_sync_leaves_it_to_whoever_has_the_copy(world: World) -> None:
    conversation = await world.hold(HERE)
    await world.archive.delete(conversation.handle, START_MS)
    for backend in BackendKind:
        leased = await world.database.run(lambda db, at=backend: outbox.lease(db, 9, START_MS, 1_000, at))  # type: ignore[misc]
        assert leased == ()
        assert await world.database.read(lambda db, at=backend: outbox.next_due_ms(db, at)) is None  # type: ignore[misc]


async def test_a_conversation_that_went_on_at_a_gateway_is_deleted_there_and_then_where_it_began(world: World) -> None:
    conversation = make_conversation(backend=BackendKind.BEDROCK)
    await world.archive.create(conversation)
    await world.archive.append(make_turn(conversation.handle))
    await world.database.run(lambda db: links.intend(db, conversation.handle, 0, START_MS))
    await world.registry.note_gateway(conversation.handle, gateway_mark(HERE))
    chain = await world.database.read(lambda db: links.links_of(db, conversation.handle))
    assert [link.generation for link in chain] == [0]
    await world.archive.delete(conversation.handle, START_MS)
    world.erasure.start()
    await until(lambda: world.gateway.deleted == [conversation.handle])
    async with asyncio.timeout(60):
        while await world.database.read(lambda db: outbox.next_due_ms(db, BackendKind.BEDROCK)) is None:
            await asyncio.sleep(0.005)
