"""Two computers with one account, each with its own database, keyring and clock: both have the same conversations."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from novadesk.models import Role, SyncState
from novadesk.store.chain import RollOver
from tests.support.leaks import LogWatch
from tests.support.remote_rig import RunningServer, running_server
from tests.support.store_rig import START_MS, MemoryKeychain
from tests.support.sync_rig import QUICK, Computer, SkewedClock, computer, remote_state

HOUR_MS = 3_600_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "remote.db") as server:
        yield server


@pytest.fixture(autouse=True)
def _allow_notes(expected_logs: LogWatch) -> None:
    expected_logs.allow(r"put off")


@asynccontextmanager
async def pair(
    tmp_path: Path, server: RunningServer, *, skew_ms: int = 0, roll_over: RollOver | None = None
) -> AsyncIterator[tuple[Computer, Computer]]:
    async with AsyncExitStack() as stack:
        here, there = [
            await stack.enter_async_context(
                computer(
                    tmp_path / f"{name}.db",
                    server,
                    keychain=MemoryKeychain(),
                    roll_over=roll_over,
                    clock=SkewedClock(clock_ms),
                )
            )
            for name, clock_ms in (("here", 0), ("there", skew_ms))
        ]
        yield here, there


async def speak(machine: Computer, handle: str, text: str, *, skew_ms: int = 0, at_ms: int = 0) -> None:
    """Say something at `at_ms` by a right clock, as a machine dates it whose clock is wrong."""
    role = Role.USER if int(text.split()[-1]) % 2 else Role.ASSISTANT
    await machine.say(handle, text, at_ms + skew_ms, role=role)


async def assert_equal_copies(one: Computer, other: Computer, handle: str, server: RunningServer) -> list[str]:
    """Return the texts, the same on both machines and, each once, at the service."""
    mine, theirs = await one.archive.turns(handle, limit=1000), await other.archive.turns(handle, limit=1000)
    assert [(turn.turn_id, turn.text) for turn in mine] == [(turn.turn_id, turn.text) for turn in theirs]
    assert [turn.position for turn in mine] == [turn.position for turn in theirs] == list(range(len(mine)))
    assert all(turn.sync is SyncState.SYNCED for turn in (*mine, *theirs))
    there = await remote_state(server)
    assert sorted(step["turn_id"] for step in there.steps) == sorted(turn.turn_id for turn in mine)
    for copy in (one, other):
        found = await copy.archive.find(handle)
        assert found is not None
        assert (found.turns, found.pending) == (len(mine), 0)
    return [turn.text for turn in mine]


async def test_each_sees_the_others_conversations_in_its_history(tmp_path: Path, server: RunningServer) -> None:
    async with pair(tmp_path, server) as (here, there):
        mine, theirs = await here.talk("mine 1"), await there.talk("theirs 1", "theirs 2")
        await here.archive.rename(mine.handle, "Holiday", START_MS)
        assert await here.settled()
        assert await there.settled()
        assert await here.sync.pull() == 2
        assert await there.sync.pull() == 1
        for machine in (here, there):
            listed = {one.handle: (one.title, one.turns) for one in await machine.archive.conversations()}
            assert listed == {mine.handle: ("Holiday", 1), theirs.handle: ("", 2)}
        assert await here.sync.pull() == await there.sync.pull() == 0


@pytest.mark.parametrize("skew_ms", [0, -HOUR_MS, HOUR_MS, -1, 400 * 24 * HOUR_MS])
async def test_a_conversation_continued_on_both_is_in_the_order_it_was_said(
    tmp_path: Path, server: RunningServer, skew_ms: int
) -> None:
    async with pair(tmp_path, server, skew_ms=skew_ms) as (here, there):
        made = await here.talk()
        assert await here.settled()
        now_ms = START_MS
        for number in range(1, 7):
            machine, skew = ((here, 0), (there, skew_ms))[number % 2]
            await machine.sync.discover()
            await machine.sync.pull(made.handle)
            now_ms += 1_000
            await speak(machine, made.handle, f"turn {number}", skew_ms=skew, at_ms=now_ms)
            assert await machine.settled()
        await here.sync.pull(made.handle)
        await there.sync.pull(made.handle)
        texts = await assert_equal_copies(here, there, made.handle, server)
        assert texts == [f"turn {number}" for number in range(1, 7)]
        steps = (await remote_state(server)).steps
        assert [step["text"] for step in steps] == texts, "the service has them in the same order"
        assert all(one["time"] < other["time"] for one, other in pairwise(steps))


@pytest.mark.parametrize("skew_ms", [0, -HOUR_MS, HOUR_MS])
async def test_what_both_said_at_the_same_time_is_merged_alike_on_both(
    tmp_path: Path, server: RunningServer, skew_ms: int
) -> None:
    async with pair(tmp_path, server, skew_ms=skew_ms) as (here, there):
        made = await here.talk()
        await speak(here, made.handle, "both 1", at_ms=START_MS)
        assert await here.settled()
        await there.sync.discover()
        await there.sync.pull(made.handle)
        await here.sync.stop()
        await there.sync.stop()
        for number in range(2, 6):
            await speak(here, made.handle, f"here {number}", at_ms=START_MS + number * 1_000)
            await speak(there, made.handle, f"there {number}", skew_ms=skew_ms, at_ms=START_MS + number * 1_000)
        for machine in (here, there):
            machine.sync.start(reading=False)
            assert await machine.settled()
        await asyncio.gather(here.sync.pull(made.handle), there.sync.pull(made.handle))
        texts = await assert_equal_copies(here, there, made.handle, server)
        assert texts[0] == "both 1"
        assert [text for text in texts if text.startswith("here")] == [f"here {number}" for number in range(2, 6)]
        assert [text for text in texts if text.startswith("there")] == [f"there {number}" for number in range(2, 6)]


async def test_both_roll_over_at_the_same_time_and_read_each_others_successor(
    tmp_path: Path, server: RunningServer
) -> None:
    async with pair(tmp_path, server, roll_over=RollOver(max_steps=2)) as (here, there):
        made = await here.talk("a", "b")
        assert await here.settled()
        await there.sync.discover()
        await there.sync.pull(made.handle)
        await asyncio.gather(
            here.say(made.handle, "here 1", START_MS + 10), there.say(made.handle, "there 1", START_MS + 11)
        )
        assert await here.settled()
        assert await there.settled()
        for machine in (here, there):
            await machine.sync.pull()
        texts = await assert_equal_copies(here, there, made.handle, server)
        assert texts == ["a", "b", "here 1", "there 1"]
        for number in range(2, 8):
            for machine in (here, there):
                await machine.say(made.handle, f"more {number}", START_MS + 10 * number)
                assert await machine.settled()
                await machine.sync.pull()
        for machine in (here, there):
            await machine.sync.pull()
        assert len(await assert_equal_copies(here, there, made.handle, server)) == 16


async def test_a_successor_that_the_other_made_is_followed_and_not_made_twice(
    tmp_path: Path, server: RunningServer
) -> None:
    async with pair(tmp_path, server, roll_over=RollOver(max_steps=3)) as (here, there):
        made = await here.talk("a", "b", "c")
        assert await here.settled()
        await there.sync.discover()
        await there.sync.pull(made.handle)
        await here.say(made.handle, "d", START_MS + 10)
        assert await here.settled()
        assert await there.sync.pull(made.handle) == 1, "the pointer to the successor is followed without a scan"
        await there.say(made.handle, "e", START_MS + 20)
        assert await there.settled()
        assert await here.sync.pull(made.handle) == 1
        assert len((await remote_state(server)).sessions) == 2
        assert await assert_equal_copies(here, there, made.handle, server) == list("abcde")


async def test_a_closed_session_whose_successor_it_could_not_name_is_followed_by_a_scan(
    tmp_path: Path, server: RunningServer
) -> None:
    async with pair(tmp_path, server) as (here, there):
        made = await here.talk("a")
        assert await here.settled()
        await there.sync.discover()
        await there.sync.pull(made.handle)
        session = await here.registry.find(made.handle, 0)
        assert session is not None
        await here.remote.end(session)
        await here.say(made.handle, "b", START_MS + 10)
        assert await here.settled()
        assert await there.sync.pull(made.handle) == 1
        await there.say(made.handle, "c", START_MS + 20)
        assert await there.settled()
        assert await here.sync.pull(made.handle) == 1
        assert len((await remote_state(server)).sessions) == 2
        assert await assert_equal_copies(here, there, made.handle, server) == list("abc")


async def test_who_learns_late_of_a_successor_makes_none(tmp_path: Path, server: RunningServer) -> None:
    async with pair(tmp_path, server) as (here, there):
        made = await here.talk("a")
        assert await here.settled()
        await there.sync.discover()
        await there.sync.pull(made.handle)
        session = await here.registry.find(made.handle, 0)
        assert session is not None
        await here.remote.end(session)
        await here.say(made.handle, "b", START_MS + 10)
        assert await here.settled()
        await there.say(made.handle, "c", START_MS + 20)
        assert await there.settled()
        assert len((await remote_state(server)).sessions) == 2
        assert await here.sync.pull(made.handle) == await there.sync.pull(made.handle) == 1
        assert await assert_equal_copies(here, there, made.handle, server) == list("abc")


async def test_title_and_star_are_their_last_writers(tmp_path: Path, server: RunningServer) -> None:
    async def names(machine: Computer) -> tuple[str, bool]:
        (one,) = await machine.archive.conversations()
        return one.title, one.starred

    async with pair(tmp_path, server) as (here, there):
        made = await here.talk("a")
        assert await here.settled()
        await there.sync.discover()
        await here.archive.rename(made.handle, "older", START_MS + 1)
        await there.archive.rename(made.handle, "newer", START_MS + 2)
        await there.archive.star(made.handle, True, START_MS + 3)
        assert await there.settled()
        assert await here.settled()
        for machine in (here, there, here):
            await machine.sync.discover()
            assert await machine.settled()
        assert await names(here) == await names(there) == ("newer", True)
        (session,) = (await remote_state(server)).sessions
        assert session["sessionMetadata"]["novadesk.title"] == "newer"
        assert session["sessionMetadata"]["novadesk.starred"] == "1"


async def test_a_name_given_here_is_sent_again_when_an_older_one_took_its_place(
    tmp_path: Path, server: RunningServer
) -> None:
    async with pair(tmp_path, server) as (here, there):
        made = await here.talk("a")
        await here.archive.rename(made.handle, "mine", START_MS + 9)
        assert await here.settled()
        session = await here.registry.find(made.handle, 0)
        assert session is not None
        metadata = dict((await here.remote.session(session)).metadata)
        await here.remote.update(session, metadata | {"novadesk.title": "stale", "novadesk.titled_ms": "1"})
        await here.sync.discover()
        assert await here.settled()
        await there.sync.discover()
        assert [one.title for one in await there.archive.conversations()] == ["mine"]


async def test_a_name_given_later_wins_though_the_other_clock_is_ahead(tmp_path: Path, server: RunningServer) -> None:
    async with pair(tmp_path, server, skew_ms=HOUR_MS) as (here, there):
        made = await here.talk("a")
        assert await here.settled()
        await there.sync.discover()
        await there.archive.rename(made.handle, "theirs", await there.sync.name_time_ms(made.handle))
        assert await there.settled()
        await here.sync.discover()
        await here.archive.rename(made.handle, "mine, later", await here.sync.name_time_ms(made.handle))
        assert await here.settled()
        await there.sync.discover()
        for machine in (here, there):
            assert [one.title for one in await machine.archive.conversations()] == ["mine, later"]


async def test_the_list_is_matched_without_the_keyring(tmp_path: Path, server: RunningServer) -> None:
    keychain = MemoryKeychain()
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = [await here.talk(f"a {number}") for number in range(3)]
        assert await here.settled()
    for _ in range(2):
        async with computer(tmp_path / "b.db", server, keychain=keychain, policy=QUICK) as there:
            await there.sync.discover()
            await there.sync.discover()
            assert len(await there.archive.conversations()) == 3
            assert keychain.calls == 0
    async with computer(tmp_path / "b.db", server, keychain=keychain) as there:
        await there.sync.pull(made[0].handle)
        assert set(keychain.entries) == {made[0].handle}
        assert set(json.loads(keychain.entries[made[0].handle])) == {"0", "secret"}
