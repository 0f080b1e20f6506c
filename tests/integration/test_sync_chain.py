"""The sessions behind a conversation: made once whatever answer is lost, followed, replaced when they are gone."""

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import SyncState
from novadesk.server.agentruntime_shapes import ErrorType
from novadesk.store.chain import RollOver
from novadesk.store.metadata import make_metadata
from novadesk.store.names import read_names
from tests.support.leaks import LogWatch
from tests.support.remote_rig import RunningServer, SteppingClock, boto_client, lose_answer, refuse, running_server
from tests.support.store_rig import START_MS, MemoryKeychain, RealClock, make_turn
from tests.support.sync_rig import STEPS, Computer, computer, remote_state

KEY_ARN = "arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012"
CREATE = "PUT /sessions/"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "remote.db") as server:
        yield server


@pytest.fixture(autouse=True)
def _allow_notes(expected_logs: LogWatch) -> None:
    expected_logs.allow(r"put off|refused for good")


def end(server: RunningServer, session: str | None, *, delete: bool = False) -> None:
    with boto_client(server.endpoint) as client:
        client.end_session(sessionIdentifier=session)
        if delete:
            client.delete_session(sessionIdentifier=session)


async def ids(machine: Computer, handle: str, *generations: int) -> list[str]:
    found = [await machine.registry.find(handle, generation) for generation in generations]
    assert None not in found
    return [one for one in found if one is not None]


async def assert_remote_is(server: RunningServer, texts: list[str]) -> None:
    """Check that the service holds these turns, each once, in this order, at strictly increasing times."""
    steps = (await remote_state(server)).steps
    assert [step["text"] for step in steps] == texts
    assert all(one["time"] < other["time"] for one, other in pairwise(steps))


# --- making a session ------------------------------------------------------------------------------------------------


async def test_a_session_says_what_finds_its_conversation_again(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), roll_over=RollOver(max_steps=1)) as here:
        made = await here.talk("a", "b")
        await here.archive.star(made.handle, True, START_MS + 5)
        assert await here.settled()
        first, second = (await remote_state(server)).sessions
        about = first["sessionMetadata"]
        assert (about["app"], about["novadesk.handle"]) == ("novadesk", made.handle)
        assert (about["novadesk.generation"], second["sessionMetadata"]["novadesk.generation"]) == ("0", "1")
        assert about["novadesk.label"] == made.label
        assert about["novadesk.device"] == second["sessionMetadata"]["novadesk.device"] != ""
        assert about["novadesk.successor"] == second["sessionId"]
        assert second["sessionMetadata"]["novadesk.predecessor"] == first["sessionId"]
        assert second["sessionMetadata"]["novadesk.starred"] == "1"


async def test_two_stores_on_one_machine_are_two_devices(tmp_path: Path, server: RunningServer) -> None:
    for name in "ab":
        async with computer(tmp_path / f"{name}.db", server) as machine:
            await machine.talk("x")
            assert await machine.settled()
    sessions = (await remote_state(server)).sessions
    assert len({session["sessionMetadata"]["novadesk.device"] for session in sessions}) == 2


async def test_the_chosen_key_encrypts_new_sessions(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, kms_key=KEY_ARN) as here:
        await here.talk("a")
        assert await here.settled()
    (session,) = (await remote_state(server)).sessions
    assert session["encryptionKeyArn"] == KEY_ARN


async def test_a_key_that_is_refused_puts_sync_off_and_parks_nothing(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, kms_key="alias/mine") as here:
        made = await here.talk("a")
        await here.until(lambda: here.sync.error is not None)
        assert here.sync.error is not None
        assert here.sync.error.reason is Reason.BAD_SETTINGS
        assert here.sync.note.startswith("Sync is off")
        assert "kms_key" in here.sync.note
        assert await here.sync.pending() == 1
        assert [turn.sync for turn in await here.archive.turns(made.handle)] == [SyncState.PENDING]


@pytest.mark.parametrize("with_keyring", [True, False])
async def test_a_session_whose_answer_was_lost_is_adopted_by_the_next_run(
    tmp_path: Path, server: RunningServer, with_keyring: bool
) -> None:
    keychain = MemoryKeychain() if with_keyring else None
    server.faults.set(lose_answer(), times=1_000_000, matches=CREATE)
    async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
        await here.talk("a")
        await here.until(lambda: here.sync.error is not None)
        await here.sync.stop()
    made_by_then = len((await remote_state(server)).sessions)
    assert made_by_then == 1, "nothing is created again before it was looked up"
    server.faults.clear()
    async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
        assert await here.settled()
    assert len((await remote_state(server)).sessions) == 1
    await assert_remote_is(server, ["a"])


async def test_a_stop_between_creation_and_keyring_makes_no_second_session(
    tmp_path: Path, server: RunningServer
) -> None:
    class StuckKeychain(MemoryKeychain):
        async def set(self, name: str, value: str) -> None:
            self.calls += 1
            await asyncio.Event().wait()

    stuck = StuckKeychain()
    async with computer(tmp_path / "a.db", server, keychain=stuck) as here:
        made = await here.talk("a")
        await here.until(lambda: stuck.calls > 0)
        await here.sync.stop()
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        assert await here.settled()
        assert len(await ids(here, made.handle, 0)) == 1
    assert len((await remote_state(server)).sessions) == 1


async def double(machine: Computer, handle: str, *, device: str) -> str:
    """Make a second session for the first place of a conversation, as a late CreateSession does; return its id."""
    conversation = await machine.archive.find(handle)
    assert conversation is not None
    names = await machine.database.read(lambda db: read_names(db, handle))
    made = await machine.remote.create(make_metadata(conversation, names, generation=0, device=device))
    return made.session_id


async def own_device(server: RunningServer) -> str:
    return str((await remote_state(server)).sessions[0]["sessionMetadata"]["novadesk.device"])


async def test_an_empty_double_of_ours_is_ended_and_deleted(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        assert await here.settled()
        (bound,) = await ids(here, made.handle, 0)
        await double(here, made.handle, device=await own_device(server))
        assert len((await remote_state(server)).sessions) == 2
        await here.sync.discover()
        assert [session["sessionId"] for session in (await remote_state(server)).sessions] == [bound]


async def test_a_double_of_ours_with_steps_is_kept_and_read(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        assert await here.settled()
        late = await double(here, made.handle, device=await own_device(server))
        turn = make_turn(made.handle)
        await here.remote.open_invocation(late, turn.wire_session)
        text = json.dumps({"role": "user", "text": "late", "at_ms": START_MS + 9})
        await here.remote.put_step(late, turn.wire_session, turn.turn_id, START_MS + 9, text)
        await here.sync.discover()
        assert await here.sync.pull(made.handle) == 1
        assert await here.texts(made.handle) == ["a", "late"]
        assert len((await remote_state(server)).sessions) == 2


async def test_an_empty_session_of_another_machine_is_left_alone(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        assert await here.settled()
        theirs = await double(here, made.handle, device="another")
        await here.sync.discover()
        await here.sync.pull(made.handle)
        assert theirs in [session["sessionId"] for session in (await remote_state(server)).sessions]


async def test_one_secret_for_each_conversation_made_once(tmp_path: Path, server: RunningServer) -> None:
    keychain = MemoryKeychain()
    async with computer(tmp_path / "a.db", server, keychain=keychain, roll_over=RollOver(max_steps=1)) as here:
        one, other = await here.talk("a"), await here.talk("b")
        assert await here.settled()
        before = [await here.registry.secret(made.handle) for made in (one, other)]
        assert len(set(before)) == 2
        assert all(len(secret) >= 32 for secret in before)
        await here.say(one.handle, "c", START_MS + 9)
        assert await here.settled()
        assert [await here.registry.secret(made.handle) for made in (one, other)] == before
    assert set(json.loads(keychain.entries[one.handle])) == {"0", "1", "secret"}
    for file in (tmp_path / "a.db", tmp_path / "a.db-wal", tmp_path / "remote.db"):
        content = file.read_bytes() if file.exists() else b""
        assert before[0].encode() not in content


async def test_a_quota_on_sessions_is_shown_and_stops_only_what_needs_a_new_one(
    tmp_path: Path, server: RunningServer
) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        old = await here.talk("a")
        assert await here.settled()
        refuse_new_sessions(server)
        new = await here.talk("b")
        await here.say(old.handle, "c", START_MS + 9)
        await here.until(lambda: here.sync.note.startswith("Sync waits"))
        async with asyncio.timeout(60.0):
            while await here.sync.pending() != 1:
                await asyncio.sleep(0.01)
        assert await here.texts(new.handle) == ["b"]
        server.faults.clear()
        assert await here.settled()
        await here.until(lambda: here.sync.note == "")


def refuse_new_sessions(server: RunningServer) -> None:
    """Refuse exactly CreateSession, whose path is the beginning of others."""

    async def answer(request: Any, carry_out: Any) -> Any:
        if f"{request.method} {request.path}" == CREATE:
            return await refuse(ErrorType.QUOTA)(request, carry_out)
        return await carry_out()

    server.faults.set(answer, times=1_000_000)


# --- replacing one ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_keyring", [True, False])
async def test_opening_what_the_service_lost_brings_it_back_and_says_so(
    tmp_path: Path, server: RunningServer, with_keyring: bool
) -> None:
    keychain = MemoryKeychain() if with_keyring else None
    texts = [str(number) for number in range(12)]
    async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
        made = await here.talk(*texts)
        assert await here.settled()
        end(server, (await ids(here, made.handle, 0))[0], delete=True)
    async with computer(tmp_path / "a.db", server, keychain=keychain, reading=True) as here:
        here.sync.opened(made.handle)
        await here.until(lambda: here.recovered == [12])
        assert await here.settled()
        assert await here.texts(made.handle) == texts
        assert {turn.sync for turn in await here.archive.turns(made.handle)} == {SyncState.SYNCED}
        await assert_remote_is(server, texts)
        here.recovered.clear()
        here.sync.opened(made.handle)
        assert await here.sync.pull(made.handle) == 0
        await here.say(made.handle, "more", START_MS + 99)
        assert await here.settled()
        assert here.recovered == []
    (session,) = (await remote_state(server)).sessions
    assert session["sessionMetadata"]["novadesk.generation"] == "1"
    await assert_remote_is(server, [*texts, "more"])


async def test_opening_what_has_expired_goes_on_in_a_successor_and_says_so(tmp_path: Path) -> None:
    clock = SteppingClock()
    with running_server(tmp_path / "remote.db", clock=clock, idle_timeout_s=3_600.0) as server:
        keychain = MemoryKeychain()
        async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
            made = await here.talk("a", "b", "c")
            assert await here.settled()
        clock.now += 3_601.0
        async with computer(tmp_path / "a.db", server, keychain=keychain, reading=True) as here:
            here.sync.opened(made.handle)
            await here.until(lambda: here.recovered == [3])
            await here.say(made.handle, "d", START_MS + 9)
            assert await here.settled()
            assert await here.texts(made.handle) == list("abcd"), "expiry deletes nothing here"
        old, new = (await remote_state(server)).sessions
        assert (old["sessionStatus"], new["sessionStatus"]) == ("EXPIRED", "ACTIVE")
        assert new["sessionMetadata"]["novadesk.predecessor"] == old["sessionId"]
        await assert_remote_is(server, list("abcd"))
        async with computer(tmp_path / "b.db", server) as other:
            await other.sync.pull()
            assert await other.texts(made.handle) == list("abcd"), "the old one is still read"


async def test_a_session_that_goes_in_mid_conversation_loses_and_reorders_nothing(
    tmp_path: Path, server: RunningServer
) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("0", "1", "2")
        here.sync.opened(made.handle)
        assert await here.settled()
        await here.sync.stop()
        for number in range(3, 20):
            await here.say(made.handle, str(number), START_MS + number)
        end(server, (await ids(here, made.handle, 0))[0], delete=True)
        here.sync.start(reading=False)
        assert await here.settled()
        assert here.recovered == [20]
        assert await here.sync.pending() == 0
    await assert_remote_is(server, [str(number) for number in range(20)])


async def test_an_older_session_of_the_chain_that_goes_is_delivered_again_to_the_newest(
    tmp_path: Path, server: RunningServer
) -> None:
    roll_over = RollOver(max_steps=4)
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), roll_over=roll_over) as here:
        made = await here.talk(*"abcdef")
        assert await here.settled()
        first, second = await ids(here, made.handle, 0, 1)
        end(server, first, delete=True)
        assert await here.sync.pull(made.handle) == 0
        assert await here.settled()
        there = await remote_state(server)
        assert sorted(there.texts) == list("abcdef")
        assert first not in [session["sessionId"] for session in there.sessions]
        assert second in [session["sessionId"] for session in there.sessions]
        async with computer(tmp_path / "b.db", server) as other:
            await other.sync.pull()
            assert await other.texts(made.handle) == list("abcdef"), "by the time it was said, not delivered"


async def test_what_two_machines_deliver_again_is_there_once(tmp_path: Path, server: RunningServer) -> None:
    async with (
        computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here,
        computer(tmp_path / "b.db", server, keychain=MemoryKeychain()) as other,
    ):
        made = await here.talk("a", "b", "c")
        assert await here.settled()
        await other.sync.pull()
        end(server, (await ids(here, made.handle, 0))[0], delete=True)
        for machine in (here, other):
            await machine.sync.pull(made.handle)
            assert await machine.settled()
        for machine in (here, other):
            await machine.sync.pull(made.handle)
            assert await machine.texts(made.handle) == list("abc")
            assert await machine.sync.pending() == 0
    assert sorted(set((await remote_state(server)).texts)) == list("abc")


async def test_a_service_that_cannot_be_reached_is_not_one_that_lost_everything(
    tmp_path: Path, server: RunningServer
) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        assert await here.settled()
        for kind in (ErrorType.DENIED, ErrorType.INTERNAL, ErrorType.THROTTLED):
            server.faults.set(refuse(kind), times=1_000_000)
            with pytest.raises(KnownError):
                await here.sync.pull(made.handle)
        server.stop()
        with pytest.raises(KnownError):
            await here.sync.pull(made.handle)
        server.faults.clear()
        server.start()
        here.sync.try_now()
        assert await here.sync.pull(made.handle) == 0
        assert await here.sync.pending() == 0
    assert len((await remote_state(server)).sessions) == 1


async def test_a_session_is_rolled_over_before_it_is_thirty_days_old(tmp_path: Path, server: RunningServer) -> None:
    class LaterClock(RealClock):
        later_ms = 0

        def unix_ms(self) -> int:
            return super().unix_ms() + self.later_ms

    clock = LaterClock()
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), clock=clock) as here:
        made = await here.talk("a")
        assert await here.settled()
        for days, sessions in ((28, 1), (29.5, 2)):
            clock.later_ms = round(days * 86_400_000)
            await here.say(made.handle, f"day {days}", START_MS + clock.later_ms)
            assert await here.settled()
            assert len((await remote_state(server)).sessions) == sessions
    await assert_remote_is(server, ["a", "day 28", "day 29.5"])


def test_without_a_wish_a_session_is_rolled_over_before_its_limits() -> None:
    usual = RollOver()
    assert 500 <= usual.max_steps < 1_000
    assert 20 <= usual.max_age_ms / 86_400_000 < 30


# --- deleting one ----------------------------------------------------------------------------------------------------

MOMENTS = ("PATCH /sessions/", "DELETE /sessions/", "POST /sessions/")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_deletion_goes_on_wherever_it_was_broken_off(
    tmp_path: Path, server: RunningServer, moment: str, carried_out: bool
) -> None:
    keychain = MemoryKeychain()
    async with computer(tmp_path / "a.db", server, keychain=keychain, roll_over=RollOver(max_steps=1)) as here:
        made, kept = await here.talk("a", "b", "c"), await here.talk("kept")
        assert await here.settled()
        fault = lose_answer() if carried_out else refuse(ErrorType.INTERNAL)
        server.faults.set(fault, times=1_000_000, matches=moment)
        await here.archive.delete(made.handle, START_MS)
        await here.until(lambda: here.sync.error is not None)
        await here.sync.stop()
    server.faults.clear()
    async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
        assert await here.settled()
        await here.sync.pull()
        assert [one.handle for one in await here.archive.conversations()] == [kept.handle]
        assert set(keychain.entries) == {kept.handle}
    assert (await remote_state(server)).texts == ["kept"]


async def test_a_session_that_comes_up_after_its_conversation_was_deleted_is_deleted_too(
    tmp_path: Path, server: RunningServer
) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made, kept = await here.talk("a"), await here.talk("kept")
        assert await here.settled()
        conversation = await here.archive.find(made.handle)
        assert conversation is not None
        device = await own_device(server)
        await here.archive.delete(made.handle, START_MS)
        assert await here.settled()
        names = await here.database.read(lambda db: read_names(db, kept.handle))
        await here.remote.create(make_metadata(conversation, names, generation=0, device=device))
        assert await here.sync.pull() == 0
        assert await here.settled()
        assert [one.handle for one in await here.archive.conversations()] == [kept.handle]
    assert len((await remote_state(server)).sessions) == 1


async def test_an_entry_that_the_keyring_held_on_to_goes_when_it_lets_go(tmp_path: Path, server: RunningServer) -> None:
    keychain = MemoryKeychain()
    async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
        made, kept = await here.talk("a"), await here.talk("kept")
        assert await here.settled()
        keychain.failure = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it.")
        await here.archive.delete(made.handle, START_MS)
        assert await here.settled()
        assert made.handle in keychain.entries
        assert len((await remote_state(server)).sessions) == 1
    keychain.failure = None
    async with computer(tmp_path / "a.db", server, keychain=keychain) as here:
        await here.sync.discover()
        assert set(keychain.entries) == {kept.handle}
        calls = keychain.calls
        await here.sync.discover()
        assert keychain.calls == calls


async def test_deleting_on_one_machine_takes_nothing_from_the_other(tmp_path: Path, server: RunningServer) -> None:
    async with (
        computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here,
        computer(tmp_path / "b.db", server, keychain=MemoryKeychain()) as other,
    ):
        made = await here.talk("a", "b")
        assert await here.settled()
        await other.sync.pull()
        await here.archive.delete(made.handle, START_MS)
        assert await here.settled()
        await other.sync.pull(made.handle)
        assert await other.settled()
        assert await other.texts(made.handle) == ["a", "b"]
        await here.sync.pull()
        assert await here.archive.conversations() == (), "what was deleted here stays deleted"


async def test_no_step_is_put_anywhere_while_nothing_is_said(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        assert await here.settled()
        server.faults.requests.clear()
        await here.sync.pull()
        await here.sync.pull(made.handle)
        assert [name for name in server.faults.requests if name.startswith("PUT") and STEPS in name] == []
