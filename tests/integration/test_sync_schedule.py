"""When the remote side is read, how that is shown, stopped and repeated, and that it never disturbs anything else."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.server.agentruntime_shapes import ErrorType
from novadesk.store.pause import SyncPolicy
from tests.support.leaks import LogWatch
from tests.support.remote_rig import RunningServer, cut, delay, refuse, running_server
from tests.support.store_rig import START_MS, MemoryKeychain, make_conversation, make_turn
from tests.support.sync_rig import QUICK, STEPS, Computer, computer

LAZY = SyncPolicy(first_pause_s=3_600.0, longest_pause_s=3_600.0, off_pause_s=3_600.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "remote.db") as server:
        yield server


@pytest.fixture(autouse=True)
def _allow_notes(expected_logs: LogWatch) -> None:
    expected_logs.allow(r"put off|refused for good")


async def written(tmp_path: Path, server: RunningServer, *lengths: int) -> list[str]:
    """Have another computer write conversations of so many turns; return their handles."""
    async with computer(tmp_path / "other.db", server, keychain=MemoryKeychain()) as other:
        made = [await other.talk(*(str(number) for number in range(length))) for length in lengths]
        assert await other.settled()
    server.faults.requests.clear()
    return [one.handle for one in made]


def steps_read(server: RunningServer) -> list[str]:
    """Return the ids of the steps that were asked for, in order."""
    names = [name.split(STEPS)[1] for name in server.faults.requests if name.startswith("POST") and STEPS in name]
    return [name for name in names if name]


async def has(machine: Computer, handle: str, turns: int) -> None:
    async with asyncio.timeout(60.0):
        while len(await machine.texts(handle)) != turns:
            await asyncio.sleep(0.01)


async def test_the_start_finds_conversations_and_then_reads_the_open_one(tmp_path: Path, server: RunningServer) -> None:
    first, second = await written(tmp_path, server, 3, 4)
    async with computer(tmp_path / "a.db", server, start=False) as here:
        await here.sync.discover()
        server.faults.requests.clear()
        here.sync.opened(second)
        here.sync.start()
        await has(here, second, 4)
        assert await here.texts(first) == []
        listing = next(i for i, name in enumerate(server.faults.requests) if name == "POST /sessions/")
        reading = next(i for i, name in enumerate(server.faults.requests) if STEPS in name)
        assert listing < reading
        assert len(steps_read(server)) == 4


async def test_opening_reads_a_conversation_and_stops_reading_the_one_before(
    tmp_path: Path, server: RunningServer
) -> None:
    first, second = await written(tmp_path, server, 150, 3)
    async with computer(tmp_path / "a.db", server, reading=True) as here:
        await here.sync.discover()
        server.faults.set(delay(0.05), times=1_000_000, matches=STEPS)
        here.sync.opened(first)
        await here.until(lambda: len(steps_read(server)) > 20)
        here.sync.opened(second)
        await has(here, second, 3)
        assert len(await here.texts(first)) < 150
        server.faults.clear()
        here.sync.opened(first)
        await has(here, first, 150)
        await here.until(lambda: here.progress[-1] is None)


async def test_every_five_turns_the_open_conversation_is_read_again(tmp_path: Path, server: RunningServer) -> None:
    (handle,) = await written(tmp_path, server, 1)
    async with computer(tmp_path / "a.db", server, reading=True, keychain=MemoryKeychain()) as here:
        await here.sync.discover()
        here.sync.opened(handle)
        await has(here, handle, 1)
        await here.until(lambda: here.progress[-1] is None)
        async with computer(tmp_path / "b.db", server) as other:
            await other.sync.discover()
            await other.sync.pull(handle)
            await other.say(handle, "news", START_MS + 50)
            assert await other.settled()
        for number in range(4):
            await here.say(handle, f"turn {number}", START_MS + 100 + number)
            here.sync.turn_kept()
        assert await here.settled()
        assert "news" not in await here.texts(handle)
        await here.say(handle, "turn 4", START_MS + 104)
        here.sync.turn_kept()
        await has(here, handle, 7)
        assert (await here.texts(handle))[1] == "news"


async def test_every_five_turns_new_conversations_are_found(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, reading=True, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        here.sync.opened(made.handle)
        assert await here.settled()
        await written(tmp_path, server, 1)
        for number in range(5):
            await here.say(made.handle, f"turn {number}", START_MS + 100 + number)
            here.sync.turn_kept()
        async with asyncio.timeout(60.0):
            while len(await here.archive.conversations()) < 2:
                await asyncio.sleep(0.01)


async def test_progress_is_told_from_nothing_to_all_and_then_no_more(tmp_path: Path, server: RunningServer) -> None:
    (handle,) = await written(tmp_path, server, 130)
    async with computer(tmp_path / "a.db", server) as here:
        await here.sync.discover()
        assert await here.sync.pull(handle) == 130
        assert here.progress[0] == (0, 130)
        assert here.progress[-2:] == [(130, 130), None]
        read = [one[0] for one in here.progress[:-1] if one is not None]
        assert read == sorted(read)
        here.progress.clear()
        assert await here.sync.pull(handle) == 0
        assert here.progress == []


async def test_two_who_want_the_same_wait_for_one_pull(tmp_path: Path, server: RunningServer) -> None:
    (handle,) = await written(tmp_path, server, 40)
    async with computer(tmp_path / "a.db", server, reading=True) as here:
        await here.sync.discover()
        server.faults.set(delay(0.02), times=1_000_000, matches=STEPS)
        here.sync.opened(handle)
        results = await asyncio.gather(*(here.sync.pull(handle) for _ in range(4)))
        assert set(results) <= {0, 40}
        assert len(steps_read(server)) == len(set(steps_read(server))) == 40
        lists = [name for name in server.faults.requests if name.startswith("POST") and name.endswith(STEPS)]
        assert len(lists) <= 2, "the others waited along"


async def test_who_gives_up_stops_the_reading_and_what_came_in_stays(tmp_path: Path, server: RunningServer) -> None:
    (handle,) = await written(tmp_path, server, 150)
    async with computer(tmp_path / "a.db", server) as here:
        await here.sync.discover()
        server.faults.set(delay(0.05), times=1_000_000, matches=STEPS)
        pull = asyncio.create_task(here.sync.pull(handle))
        await here.until(lambda: any(here.progress) and here.progress[-1] is not None and here.progress[-1][0] > 0)
        pull.cancel()
        await asyncio.gather(pull, return_exceptions=True)
        assert here.progress[-1] is None
        kept = len(await here.texts(handle))
        assert 0 < kept < 150
        asked = len(server.faults.requests)
        await asyncio.sleep(0.2)
        assert len(server.faults.requests) <= asked + 16, "what was under way already"
        server.faults.clear()
        assert await here.sync.pull(handle) == 150 - kept


async def test_one_who_gives_up_does_not_stop_the_other(tmp_path: Path, server: RunningServer) -> None:
    (handle,) = await written(tmp_path, server, 40)
    async with computer(tmp_path / "a.db", server) as here:
        await here.sync.discover()
        server.faults.set(delay(0.02), times=1_000_000, matches=STEPS)
        impatient, patient = (asyncio.create_task(here.sync.pull(handle)) for _ in range(2))
        await here.until(lambda: bool(steps_read(server)))
        impatient.cancel()
        assert await patient == 40
        assert impatient.cancelled()


async def test_everything_is_read_on_demand(tmp_path: Path, server: RunningServer) -> None:
    handles = await written(tmp_path, server, 3, 0, 5, 2, 1, 4)
    async with computer(tmp_path / "a.db", server) as here:
        assert await here.sync.pull() == 15
        assert [len(await here.texts(handle)) for handle in handles] == [3, 0, 5, 2, 1, 4]
        assert here.progress[-1] is None
        assert await here.sync.pull() == 0


@pytest.mark.parametrize("fault", ["down", "throttled", "cut"])
async def test_a_failing_pull_is_shown_and_repeated_and_raises_nothing(
    tmp_path: Path, server: RunningServer, fault: str
) -> None:
    (handle,) = await written(tmp_path, server, 3)
    async with computer(tmp_path / "a.db", server, start=False) as here:
        await here.sync.discover()
        if fault == "down":
            server.stop()
        else:
            server.faults.set(refuse(ErrorType.THROTTLED) if fault == "throttled" else cut(), times=1_000_000)
        here.sync.opened(handle)
        here.sync.start()
        await here.until(lambda: here.sync.error is not None)
        assert here.sync.note.startswith("Sync waits")
        if fault == "down":
            server.start()
        server.faults.clear()
        await has(here, handle, 3)
        await here.until(lambda: here.sync.error is None)
        assert here.sync.note.startswith("There is no keyring")


async def test_reading_that_is_denied_is_asked_for_seldom_and_delivery_goes_on(
    tmp_path: Path, server: RunningServer
) -> None:
    (handle,) = await written(tmp_path, server, 3)
    async with computer(tmp_path / "a.db", server, start=False, keychain=MemoryKeychain(), policy=LAZY) as here:
        await here.sync.discover()
        server.faults.set(refuse(ErrorType.DENIED), times=1_000_000, matches="POST /sessions/")
        here.sync.start()
        here.sync.opened(handle)
        await here.until(lambda: here.sync.error is not None)
        assert here.sync.note.startswith("Sync is off")
        made = await here.talk("still delivered")
        assert await here.sync.settle(60.0)
        assert await here.sync.pending() == 0
        asked = sum(name.startswith("POST /sessions/") for name in server.faults.requests)
        for _ in range(7):
            here.sync.turn_kept()
            await asyncio.sleep(0.01)
        assert sum(name.startswith("POST /sessions/") for name in server.faults.requests) == asked
        assert here.sync.error is not None, "what is denied stays shown"
        server.faults.clear()
        here.sync.try_now()
        await has(here, handle, 3)
        await here.until(lambda: here.sync.error is None)
        assert await here.texts(made.handle) == ["still delivered"]


async def test_a_pull_on_demand_tells_who_asked_and_ends_the_pause(tmp_path: Path, server: RunningServer) -> None:
    (handle,) = await written(tmp_path, server, 3)
    async with computer(tmp_path / "a.db", server, policy=LAZY) as here:
        await here.sync.discover()
        server.faults.set(refuse(ErrorType.DENIED), times=1)
        with pytest.raises(KnownError) as error:
            await here.sync.pull(handle)
        assert error.value.reason is Reason.SYNC_DENIED
        assert here.sync.note.startswith("Sync is off")
        assert await here.sync.pull(handle) == 3
        assert here.sync.error is None


async def test_what_was_refused_is_delivered_again_on_demand(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        assert await here.settled()
        server.faults.set(refuse(ErrorType.VALIDATION), times=1, matches=STEPS)
        await here.say(made.handle, "b", START_MS + 10)
        assert await here.sync.settle(60.0)
        assert await here.sync.pending() == 0
        assert "refuses a part" in here.sync.note
        await here.sync.pull()
        assert await here.sync.settle(60.0)
        assert await here.sync.pending() == 0
        assert here.sync.note == ""
        assert [turn.sync.value for turn in await here.archive.turns(made.handle)] == ["synced", "synced"]


async def test_the_number_that_waits_is_of_this_backend_only(tmp_path: Path, server: RunningServer) -> None:
    async with computer(
        tmp_path / "a.db", server, keychain=MemoryKeychain(), backend=BackendKind.PRACTICE, start=False
    ) as here:
        for backend, turns in ((BackendKind.PRACTICE, 2), (BackendKind.BEDROCK, 5)):
            made = make_conversation(backend=backend)
            await here.archive.create(made)
            for number in range(turns):
                await here.archive.append(make_turn(made.handle, str(number)))
        assert await here.sync.pending() == 2
        here.sync.start(reading=False)
        assert await here.settled()
        assert await here.sync.pending() == 0
        assert await here.archive.pending() == 5


async def test_a_conversation_of_another_backend_is_not_looked_for_here(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a", "b")
        assert await here.settled()
    with running_server(tmp_path / "elsewhere.db") as elsewhere:
        async with computer(tmp_path / "a.db", elsewhere, backend=BackendKind.BEDROCK, policy=QUICK) as here:
            here.sync.start()
            here.sync.opened(made.handle)
            await here.until(lambda: "POST /sessions/" in elsewhere.faults.requests)
            assert await here.sync.pull(made.handle) == 0
            assert await here.sync.pending() == 0
            assert elsewhere.faults.requests == ["POST /sessions/"]
            assert here.recovered == []


async def test_what_is_open_and_was_never_synced_costs_no_request(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, start=False) as here:
        made = make_conversation()
        assert await here.sync.pull(made.handle) == 0
        await here.archive.create(made)
        assert await here.sync.pull(made.handle) == 0
        assert server.faults.requests == []
