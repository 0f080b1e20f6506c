"""Sync against the real local Agent Runtime over a socket, with boto3, through every fault of the way."""

import asyncio
import contextlib
import dataclasses
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import Role, SyncState, Turn
from novadesk.server.agentruntime_shapes import ErrorType
from novadesk.store.chain import RollOver
from novadesk.store.remoteclient import MAX_PARALLEL
from tests.support.leaks import LogWatch
from tests.support.remote_rig import RunningServer, boto_client, cut, delay, lose_answer, refuse, running_server
from tests.support.store_rig import START_MS, MemoryKeychain, make_turn
from tests.support.sync_rig import QUICK, STEPS, computer, remote_state


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "remote.db") as server:
        yield server


@pytest.fixture(autouse=True)
def _allow_notes(expected_logs: LogWatch) -> None:
    expected_logs.allow(r"put off|refused for good")


async def test_a_conversation_arrives_as_session_invocation_and_steps(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("Hello.", "Hi, Grüße 🙂!", "Bye.")
        assert await here.settled()
        turns = await here.archive.turns(made.handle)
        found = await here.archive.find(made.handle)
        assert found is not None
        assert (found.sync, found.pending) == (SyncState.SYNCED, 0)
        assert {turn.sync for turn in turns} == {SyncState.SYNCED}
        assert here.changes
        assert here.sync.note == ""
    there = await remote_state(server)
    (session,) = there.sessions
    assert session["sessionMetadata"]["app"] == "novadesk"
    assert session["sessionMetadata"]["novadesk.handle"] == made.handle
    assert session["sessionMetadata"]["novadesk.label"] == made.label
    assert there.texts == ["Hello.", "Hi, Grüße 🙂!", "Bye."]
    assert [step["step_id"] for step in there.steps] == [turn.turn_id for turn in turns]
    assert {step["invocation"] for step in there.steps} == {turn.wire_session for turn in turns}
    times = [step["time"] for step in there.steps]
    assert times == sorted(set(times))


async def test_the_session_id_lies_in_the_keyring_and_not_in_the_store(tmp_path: Path, server: RunningServer) -> None:
    keychain = MemoryKeychain()
    async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
        made = await here.talk("one", "two")
        assert await here.settled()
    session = (await remote_state(server)).sessions[0]["sessionId"]
    assert json.loads(keychain.entries[made.handle])["0"] == session
    assert keychain.calls == 1
    for name in ("a.db", "a.db-wal"):
        content = (tmp_path / name).read_bytes() if (tmp_path / name).exists() else b""
        assert session.encode() not in content
    async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
        await here.archive.append(make_turn(made.handle, "three"))
        assert await here.settled()
        assert keychain.calls == 2
    assert len((await remote_state(server)).sessions) == 1


@pytest.mark.parametrize("failing", [False, True])
async def test_without_a_keyring_the_session_is_found_again_by_its_metadata(
    tmp_path: Path, server: RunningServer, failing: bool
) -> None:
    keychain = MemoryKeychain()
    keychain.failure = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it.")
    for text in ("first run", "second run"):
        async with computer(tmp_path / "a.db", server, keychain=keychain if failing else None) as here:
            found = await here.archive.conversations()
            made = await here.talk(text, conversation=found[0] if found else None)
            assert await here.settled()
            assert ("locked" if failing else "no keyring") in here.sync.note
    there = await remote_state(server)
    assert len(there.sessions) == 1
    assert there.texts == ["first run", "second run"]
    assert made.handle == there.sessions[0]["sessionMetadata"]["novadesk.handle"]


FAULTS = {
    "throttled": refuse(ErrorType.THROTTLED),
    "internal error": refuse(ErrorType.INTERNAL),
    "cut before": cut(),
    "lost answer": lose_answer(),
}


@pytest.mark.parametrize("place", ["create", "invocation", "step", "any"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_passing_fault_loses_and_doubles_nothing(
    tmp_path: Path, server: RunningServer, fault: str, place: str
) -> None:
    matches = {"create": "PUT /sessions/", "invocation": "/invocations/", "step": STEPS, "any": ""}[place]
    server.faults.set(FAULTS[fault], times=3, matches=matches)
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a", "b", "c", "d")
        assert await here.settled()
        assert server.faults.left == 0
        assert await here.texts(made.handle) == ["a", "b", "c", "d"]
        assert here.sync.note == ""
    there = await remote_state(server)
    assert there.texts == ["a", "b", "c", "d"]
    assert len(there.sessions) == 1


async def test_down_from_the_start_then_up(tmp_path: Path, server: RunningServer) -> None:
    server.stop()
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a", "b")
        await here.until(lambda: here.sync.error is not None)
        assert here.sync.error is not None
        assert here.sync.error.reason is Reason.SYNC_UNREACHABLE
        assert here.sync.note.startswith("Sync waits")
        assert await here.archive.pending() == 2
        server.start()
        assert await here.settled()
        assert here.sync.error is None
        found = await here.archive.find(made.handle)
        assert found is not None
        assert found.sync is SyncState.SYNCED
    assert (await remote_state(server)).texts == ["a", "b"]


async def test_a_slow_service_is_given_up_and_recognised_later(tmp_path: Path, server: RunningServer) -> None:
    server.faults.set(delay(1.2), times=3, matches=STEPS)
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), deadline_s=0.5) as here:
        await here.talk("a", "b")
        await here.until(lambda: here.sync.error is not None)
        assert await here.settled()
    there = await remote_state(server)
    assert there.texts == ["a", "b"]


async def test_denied_means_local_only_and_few_requests_until_rights_are_given(
    tmp_path: Path, server: RunningServer
) -> None:
    server.faults.set(refuse(ErrorType.DENIED), times=1_000_000)
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        await here.until(lambda: here.sync.error is not None)
        asked = len(server.faults.requests)
        for text in "bcdefgh":
            await here.archive.append(make_turn(made.handle, text))
            await asyncio.sleep(0.02)
        assert len(server.faults.requests) == asked
        assert here.sync.note.startswith("Sync is off")
        assert await here.archive.pending() == 8
        server.faults.clear()
        here.sync.try_now()
        assert await here.settled()
        assert here.sync.note == ""
    assert (await remote_state(server)).texts == list("abcdefgh")


async def test_a_refused_row_is_parked_and_blocks_nothing(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk()
        assert await here.settled()
        await here.archive.append(make_turn(made.handle, "bad", wire_session="no uuid"))
        await here.archive.append(make_turn(made.handle, "good"))
        assert await here.settled()
        states = {turn.text: turn.sync for turn in await here.archive.turns(made.handle)}
        assert states == {"bad": SyncState.FAILED, "good": SyncState.SYNCED}
        assert await here.archive.pending() == 1
    assert (await remote_state(server)).texts == ["good"]


async def test_a_taken_step_id_with_other_content_leads_to_a_new_one(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk()
        assert await here.settled()
        session = await here.registry.find(made.handle, 0)
        assert session is not None
        turn = make_turn(made.handle, "mine")
        await here.remote.open_invocation(session, turn.wire_session)
        other = json.dumps({"role": "user", "text": "other"})
        await here.remote.put_step(session, turn.wire_session, turn.turn_id, START_MS, other)
        await here.archive.append(turn)
        assert await here.settled()
    there = await remote_state(server)
    assert there.texts == ["other", "mine"]
    assert there.steps[1]["step_id"] != turn.turn_id
    assert there.steps[1]["turn_id"] == turn.turn_id


async def test_a_confirmed_turn_follows_its_unconfirmed_version(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk()
        heard = make_turn(made.handle, "I th", role=Role.ASSISTANT, unconfirmed=True)
        await here.archive.append(heard)
        assert await here.settled()
        await here.archive.append(dataclasses.replace(heard, text="I think so.", unconfirmed=False))
        assert await here.settled()
        async with computer(tmp_path / "b.db", server) as other:
            assert await other.sync.discover() == 1
            assert await other.sync.pull(made.handle) == 1
            (turn,) = await other.archive.turns(made.handle)
            assert (turn.text, turn.unconfirmed) == ("I think so.", False)
    assert (await remote_state(server)).texts == ["I th", "I think so."]


@pytest.mark.parametrize("end", ["ended", "deleted"])
async def test_a_closed_remote_session_gets_a_successor(tmp_path: Path, server: RunningServer, end: str) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a", "b")
        assert await here.settled()
        session = await here.registry.find(made.handle, 0)
        with boto_client(server.endpoint) as client:
            client.end_session(sessionIdentifier=session)
            if end == "deleted":
                client.delete_session(sessionIdentifier=session)
        await here.archive.append(make_turn(made.handle, "c", at_ms=START_MS + 9))
        await here.archive.append(make_turn(made.handle, "d", wire_session=str(uuid.uuid4()), at_ms=START_MS + 10))
        assert await here.settled()
        assert await here.texts(made.handle) == ["a", "b", "c", "d"]
    there = await remote_state(server)
    assert there.texts == ["a", "b", "c", "d"]
    newest = there.sessions[-1]
    assert newest["sessionMetadata"].get("novadesk.predecessor") == (session if end == "ended" else None)
    assert newest["sessionMetadata"]["novadesk.generation"] == "1"


async def test_an_expired_session_and_one_that_is_full_get_successors(tmp_path: Path) -> None:
    with running_server(tmp_path / "quota.db", max_steps=3) as server:
        async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
            made = await here.talk(*"abcdefgh")
            assert await here.settled()
            async with computer(tmp_path / "b.db", server) as other:
                assert await other.sync.discover() == 1
                assert await other.sync.pull(made.handle) == 8
                assert await other.texts(made.handle) == list("abcdefgh")
        assert len((await remote_state(server)).sessions) == 3


async def test_a_session_is_rolled_over_before_its_limits(tmp_path: Path, server: RunningServer) -> None:
    roll_over = RollOver(max_steps=2)
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), roll_over=roll_over) as here:
        made = await here.talk(*"abcde")
        assert await here.settled()
        there = await remote_state(server)
        counts = Counter(step["session"] for step in there.steps)
        assert [counts[session["sessionId"]] for session in there.sessions] == [2, 2, 1]
        successors = [session["sessionMetadata"].get("novadesk.successor") for session in there.sessions]
        assert successors == [there.sessions[1]["sessionId"], there.sessions[2]["sessionId"], None]
        async with computer(tmp_path / "b.db", server) as other:
            await other.sync.discover()
            await other.sync.pull(made.handle)
            assert await other.texts(made.handle) == list("abcde")


async def test_two_computers_see_each_other_and_lose_nothing(tmp_path: Path, server: RunningServer) -> None:
    async with (
        computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here,
        computer(tmp_path / "b.db", server, keychain=MemoryKeychain()) as other,
    ):
        made = await here.talk("one", "two")
        await here.archive.rename(made.handle, "Holiday", START_MS)
        assert await here.settled()
        assert await other.sync.discover() == 1
        (seen,) = await other.archive.conversations()
        assert (seen.handle, seen.label, seen.title, seen.turns) == (made.handle, made.label, "Holiday", 0)
        assert await other.sync.pull(made.handle) == 2
        assert await other.archive.turns(made.handle) == await here.archive.turns(made.handle)

        at = START_MS + 10
        await here.archive.append(make_turn(made.handle, "here 1", at_ms=at))
        await other.archive.append(make_turn(made.handle, "there 1", at_ms=at + 5))
        await here.archive.append(make_turn(made.handle, "here 2", at_ms=at + 9))
        assert await here.settled()
        assert await other.settled()
        assert await here.sync.pull(made.handle) == 1
        assert await other.sync.pull(made.handle) == 2
        merged = ["one", "two", "here 1", "there 1", "here 2"]
        assert await here.texts(made.handle) == await other.texts(made.handle) == merged
        assert [turn.position for turn in await other.archive.turns(made.handle)] == list(range(5))
        before = len(server.faults.requests)
        assert await here.sync.pull(made.handle) == await other.sync.pull(made.handle) == 0
        assert len(server.faults.requests) == before + 4
    assert len((await remote_state(server)).sessions) == 1


async def test_pulling_pages_through_and_puts_turns_in_order(
    tmp_path: Path, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novadesk.store.pull.PAGE", 7)
    monkeypatch.setattr("novadesk.store.pull._KNOWN_PAGE", 9)
    texts = [str(number) for number in range(70)]
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk(*texts)
        assert await here.settled()
        async with computer(tmp_path / "b.db", server) as other:
            await other.sync.discover()
            other.changes.clear()
            assert await other.sync.pull(made.handle) == 70
            assert len(other.changes) == 2
            assert await other.texts(made.handle) == texts
            await here.say(made.handle, "one more", START_MS + 100)
            assert await here.settled()
            assert await other.sync.pull(made.handle) == 1
            assert await other.texts(made.handle) == [*texts, "one more"]


class Crowd:
    """Holds answers back until as many requests as may be are there at the same time; counts the most that were."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._full = asyncio.Event()

    async def __call__(self, _request: Any, carry_out: Any) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        if self.now >= MAX_PARALLEL:
            self._full.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._full.wait(), 2.0)
        await asyncio.sleep(0.05)  # One too many would come now.
        self.now -= 1
        return await carry_out()


async def test_as_many_steps_are_read_at_once_as_there_are_connections(tmp_path: Path, server: RunningServer) -> None:
    texts = [str(number) for number in range(5 * MAX_PARALLEL)]
    async with computer(tmp_path / "a.db", server) as here:
        made = await here.talk(*texts)
        assert await here.settled()
    crowd = Crowd()
    async with computer(tmp_path / "b.db", server, start=False) as other:
        await other.sync.discover()
        server.faults.set(crowd, times=1_000_000, matches=STEPS)
        assert await other.sync.pull(made.handle) == len(texts)
        assert other.remote._client._opened.meta.config.max_pool_connections == MAX_PARALLEL
    assert crowd.most == MAX_PARALLEL


async def test_torn_and_foreign_steps_are_passed_over_and_not_read_again(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("whole")
        assert await here.settled()
        session = await here.registry.find(made.handle, 0)
        assert session is not None
        wire = make_turn(made.handle).wire_session
        for text in ('{"role":"user","te', "[]", '{"role":"nobody","text":"x"}', "plain"):
            await here.remote.put_step(session, wire, str(uuid.uuid4()), START_MS, text)
        minimal = json.dumps({"role": "assistant", "text": "from elsewhere"})
        step = str(uuid.uuid4())
        await here.remote.put_step(session, wire, step, START_MS + 50, minimal)
        assert await here.sync.pull(made.handle) == 1
        assert await here.texts(made.handle) == ["whole", "from elsewhere"]
        added = (await here.archive.turns(made.handle))[1]
        assert (added.turn_id, added.at_ms, added.sync) == (step, START_MS + 50, SyncState.SYNCED)
        before = len(server.faults.requests)
        assert await here.sync.pull(made.handle) == 0
        assert len(server.faults.requests) == before + 2


async def test_a_pull_that_breaks_off_keeps_what_it_read(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk(*(str(number) for number in range(20)))
        assert await here.settled()
    async with computer(tmp_path / "b.db", server, start=False) as other:
        await other.sync.discover()
        one_step = f"{STEPS}{(await remote_state(server)).steps[0]['step_id']}"
        server.faults.set(refuse(ErrorType.THROTTLED), matches=STEPS)
        with pytest.raises(KnownError) as error:
            await other.sync.pull(made.handle)
        assert error.value.reason is Reason.THROTTLED
        server.faults.set(refuse(ErrorType.THROTTLED), matches=one_step)
        with pytest.raises(KnownError):
            await other.sync.pull(made.handle)
        assert len(await other.texts(made.handle)) == 19
        server.faults.clear()
        assert await other.sync.pull(made.handle) == 1
        assert await other.texts(made.handle) == [str(number) for number in range(20)]


async def test_pulling_never_replaces_what_is_newer_here(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk()
        heard = make_turn(made.handle, "old", unconfirmed=True)
        await here.archive.append(heard)
        assert await here.settled()
        await here.sync.stop()
        await here.archive.append(dataclasses.replace(heard, text="new", unconfirmed=False))
        await here.database.run(lambda db: db.execute("DELETE FROM step").rowcount)
        assert await here.sync.pull(made.handle) == 0
        assert await here.texts(made.handle) == ["new"]
        assert await here.archive.pending() == 1


async def test_deleting_reaches_the_service_and_nothing_comes_back(tmp_path: Path, server: RunningServer) -> None:
    keychain = MemoryKeychain()
    async with computer(tmp_path / "a.db", server, keychain=keychain, roll_over=RollOver(max_steps=1)) as here:
        made = await here.talk("a", "b", "c")
        kept = await here.talk("kept")
        assert await here.settled()
        assert len((await remote_state(server)).sessions) == 4
        await here.archive.delete(made.handle, START_MS)
        assert await here.settled()
        assert await here.sync.discover() == 0
        assert [one.handle for one in await here.archive.conversations()] == [kept.handle]
        assert set(keychain.entries) == {kept.handle}
    assert (await remote_state(server)).texts == ["kept"]


async def test_a_conversation_deleted_while_offline_does_not_come_back(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        assert await here.settled()
        await here.sync.stop()
        await here.archive.delete(made.handle, START_MS)
        assert await here.sync.discover() == 0
        assert await here.archive.conversations() == ()
        here.sync.start(reading=False)
        assert await here.settled()
    assert (await remote_state(server)).sessions == []


async def test_renaming_reaches_the_service(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        assert await here.settled()
        await here.archive.rename(made.handle, "Ünïcode", START_MS)
        assert await here.settled()
    (session,) = (await remote_state(server)).sessions
    assert session["sessionMetadata"]["novadesk.title"] == "Ünïcode"


async def test_what_a_stopped_process_had_in_its_hands_is_delivered_by_the_next(
    tmp_path: Path, server: RunningServer
) -> None:
    keychain, released = MemoryKeychain(), threading.Event()

    async def hold(_request: Any, carry_out: Any) -> Any:
        await asyncio.to_thread(released.wait)
        return await carry_out()

    server.faults.set(hold, times=2, matches=STEPS)
    async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
        made = await here.talk("a", "b")
        await here.until(lambda: any(STEPS in name for name in server.faults.requests))
        await here.sync.stop()
        assert await here.archive.pending() == 2
        released.set()
    async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
        assert await here.settled()
        assert await here.texts(made.handle) == ["a", "b"]
    assert (await remote_state(server)).texts == ["a", "b"]


async def test_a_bad_network_for_a_while_ends_in_equal_copies(tmp_path: Path, server: RunningServer) -> None:
    """Every third request or so meets some fault while three conversations go on."""
    faults = list(FAULTS.values())
    count = 0

    async def sometimes(request: Any, carry_out: Any) -> Any:
        nonlocal count
        count += 1
        if count % 3 == 0:
            return await faults[count // 3 % len(faults)](request, carry_out)
        return await carry_out()

    server.faults.set(sometimes, times=1_000_000)
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = [await here.talk(*(f"{name}{number}" for number in range(12))) for name in "xyz"]
        server_turns: list[Turn] = []
        await here.sync.settle(3.0)
        server.faults.clear()
        here.sync.try_now()
        assert await here.settled()
        for one in made:
            server_turns += await here.archive.turns(one.handle)
    there = await remote_state(server)
    assert sorted(there.texts) == sorted(turn.text for turn in server_turns)
    assert len(there.sessions) == 3


async def test_a_store_that_fails_for_a_while_is_asked_seldom_and_sync_goes_on(
    tmp_path: Path, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), start=False) as here:
        asked = 0

        async def fail(_job: object) -> None:
            nonlocal asked
            asked += 1
            raise KnownError(Reason.DISK_FULL, "The disk is full.", "Free some space.")

        await here.talk("a")
        with monkeypatch.context() as broken:
            broken.setattr(here.database, "read", fail)
            here.sync.start(reading=False)
            await here.until(lambda: here.sync.error is not None)
            began = time.monotonic()
            for _ in range(50):
                here.sync.kick()
                await asyncio.sleep(0.002)
            assert 1 <= asked <= 20 + (time.monotonic() - began) / QUICK.longest_pause_s, "pauses lie between them"
            assert here.sync.error is not None and here.sync.error.reason is Reason.DISK_FULL  # noqa: PT018 one fact
        assert await here.settled()
    assert (await remote_state(server)).texts == ["a"]
