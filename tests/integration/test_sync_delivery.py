"""Delivery of many turns side by side: nothing is lost, doubled or put out of order, wherever it breaks off."""

import asyncio
import random
import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from novadesk.diagnostics.metrics import Measure
from novadesk.models import SyncState
from novadesk.server.agentruntime_shapes import ErrorType
from novadesk.store.chain import RollOver
from novadesk.store.pause import SyncPolicy
from novadesk.store.sync import Sync
from tests.support.leaks import LogWatch
from tests.support.remote_rig import RunningServer, cut, delay, lose_answer, refuse, running_server
from tests.support.store_rig import START_MS, MemoryKeychain, RealClock, make_turn
from tests.support.sync_rig import QUICK, STEPS, Computer, SkewedClock, computer, remote_state

FAULTS = (refuse(ErrorType.THROTTLED), refuse(ErrorType.INTERNAL), cut(), lose_answer(), delay(0.01))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "remote.db") as server:
        yield server


@pytest.fixture(autouse=True)
def _allow_notes(expected_logs: LogWatch) -> None:
    expected_logs.allow(r"put off|refused for good")


async def assert_delivered(server: RunningServer, machine: Computer, handle: str) -> list[str]:
    """Check that the service has each turn once, in order; return the texts."""
    turns = await machine.archive.turns(handle, limit=10_000)
    steps = [step for step in (await remote_state(server)).steps if step["turn_id"] in {t.turn_id for t in turns}]
    assert [step["turn_id"] for step in steps] == [turn.turn_id for turn in turns]
    assert [step["text"] for step in steps] == [turn.text for turn in turns]
    assert all(one["time"] < other["time"] for one, other in pairwise(steps))
    assert {turn.sync for turn in turns} <= {SyncState.SYNCED}
    return [turn.text for turn in turns]


@pytest.mark.parametrize("seed", range(6))
async def test_a_backlog_through_a_bad_network_and_sudden_ends(
    tmp_path: Path, server: RunningServer, seed: int
) -> None:
    """Any request may fail in any way; the process ends at any moment and another one goes on."""
    chance = random.Random(seed)
    keychain = MemoryKeychain()

    async def sometimes(request: Any, carry_out: Any) -> Any:
        fault = chance.choice(FAULTS) if chance.random() < 0.15 else None
        return await (carry_out() if fault is None else fault(request, carry_out))

    roll_over = RollOver(max_steps=chance.choice([7, 25, 950]))
    wires = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
    async with computer(tmp_path / "a.db", server, start=False) as here:
        made = await here.talk()
        for number in range(60):
            await here.say(made.handle, str(number), START_MS + number, wire_session=wires[number // 30])
    server.faults.set(sometimes, times=1_000_000)
    for _ in range(4):
        async with computer(tmp_path / "a.db", server, keychain=keychain, roll_over=roll_over) as here:
            asked = len(server.faults.requests)
            enough = chance.randrange(5, 60)
            while len(server.faults.requests) - asked <= enough and await here.sync.pending():
                await asyncio.sleep(0.01)
            await here.sync.stop()
    server.faults.clear()
    async with computer(tmp_path / "a.db", server, keychain=keychain, roll_over=roll_over) as here:
        await here.say(made.handle, "last", START_MS + 100)
        assert await here.settled()
        assert await assert_delivered(server, here, made.handle) == [*map(str, range(60)), "last"]


async def test_many_turns_are_on_their_way_at_once_and_arrive_in_order(tmp_path: Path, server: RunningServer) -> None:
    together = most = 0

    async def count(request: Any, carry_out: Any) -> Any:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(random.uniform(0.0, 0.02))
        together -= 1
        return await carry_out()

    server.faults.set(count, times=1_000_000, matches=STEPS)
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk(*(str(number) for number in range(80)))
        assert await here.settled()
        assert 8 <= most <= 16
        await assert_delivered(server, here, made.handle)


async def test_a_turn_said_late_by_a_clock_that_went_back_comes_last(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a", "b")
        assert await here.settled()
    clock = SkewedClock(-86_400_000)
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), clock=clock) as here:
        await here.say(made.handle, "c", START_MS - 86_400_000)
        assert await here.settled()
        assert await assert_delivered(server, here, made.handle) == ["a", "b", "c"]


async def test_a_service_that_is_down_is_asked_by_one_request_at_a_time(tmp_path: Path, server: RunningServer) -> None:
    lazy = SyncPolicy(first_pause_s=3_600.0, longest_pause_s=3_600.0)
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain()) as here:
        made = await here.talk("a")
        assert await here.settled()
        await here.sync.stop()
        for number in range(50):
            await here.say(made.handle, str(number), START_MS + 10 + number)
    server.faults.requests.clear()
    server.faults.set(refuse(ErrorType.INTERNAL), times=1_000_000)
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), policy=lazy) as here:
        await here.until(lambda: here.sync.error is not None)
        for _ in range(20):
            here.sync.kick()
            await asyncio.sleep(0.005)
        assert len(server.faults.requests) == 1
        assert await here.sync.pending() == 50


async def test_one_refused_turn_among_many_is_parked_and_the_rest_arrives(
    tmp_path: Path, server: RunningServer
) -> None:
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), start=False) as here:
        made = await here.talk()
        for number in range(30):
            wire = "no uuid" if number in (0, 11, 29) else make_turn("").wire_session
            await here.say(made.handle, str(number), START_MS + number, wire_session=wire)
        here.sync.start(reading=False)
        assert await here.settled()
        states = {turn.text: turn.sync for turn in await here.archive.turns(made.handle)}
        assert {text for text, state in states.items() if state is SyncState.FAILED} == {"0", "11", "29"}
        assert await here.sync.pending() == 0
        assert "refuses" in here.sync.note
    assert (await remote_state(server)).texts == [str(n) for n in range(30) if n not in (0, 11, 29)]


@pytest.mark.parametrize("answered", [True, False])
async def test_a_time_that_is_refused_is_not_the_turns_fault(
    tmp_path: Path, server: RunningServer, answered: bool
) -> None:
    """A service might not take a step that is older than one it has, whether we know of that one or not.

    The step gets a later time, and is not parked.
    """
    late, latest, refused = "", "", 0
    passed = asyncio.Event()

    async def only_later(request: Any, carry_out: Any) -> Any:
        nonlocal late, latest, refused
        if request.method != "PUT":
            return await carry_out()
        body = await request.json()
        moment, text = body["invocationStepTime"], body["payload"]["contentBlocks"][0]["text"]
        if '"text":"5"' in text and not late:
            late = moment
            await passed.wait()
            return await refuse(ErrorType.THROTTLED)(request, carry_out)
        if moment < latest:
            refused += 1
            return await refuse(ErrorType.VALIDATION)(request, carry_out)
        answer = await carry_out()
        latest = max(latest, moment)
        if not late or moment < late:
            return answer
        passed.set()
        return answer if answered or refused else await refuse(ErrorType.INTERNAL)(request, carry_out)

    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), start=False) as here:
        made = await here.talk(*(str(number) for number in range(30)))
        server.faults.set(only_later, times=1_000_000, matches=STEPS)
        here.sync.start(reading=False)
        assert await here.settled()
        assert refused
        assert {turn.sync for turn in await here.archive.turns(made.handle)} == {SyncState.SYNCED}
        assert await here.sync.pending() == 0
    server.faults.clear()
    assert sorted((await remote_state(server)).texts, key=int) == [str(number) for number in range(30)]


async def test_how_long_delivery_took_is_measured_once_for_each_turn(tmp_path: Path, server: RunningServer) -> None:
    class Notes:
        def __init__(self) -> None:
            self.values: list[tuple[Measure, float]] = []

        def note(self, measure: Measure, value: float = 1.0) -> None:
            self.values.append((measure, value))

    notes = Notes()
    async with computer(tmp_path / "a.db", server, keychain=MemoryKeychain(), start=False) as here:
        sync = Sync(
            here.database,
            here.archive,
            here.registry,
            here.remote,
            RealClock(),
            lambda: None,
            policy=QUICK,
            meter=notes,
        )
        sync.start(reading=False)
        now_ms = RealClock().unix_ms()
        made = await here.talk()
        for number in range(20):
            await here.say(made.handle, str(number), now_ms - 20 + number)
        assert await sync.settle(60.0)
        session = await here.registry.find(made.handle, 0)
        assert session is not None
        await here.remote.delete(session)
        await sync.pull(made.handle)
        assert await sync.settle(60.0)
        await sync.stop()
    assert [measure for measure, _ in notes.values] == [Measure.TURN_DELIVERED] * 20
    assert all(0 <= value < 60_000 for _, value in notes.values)


async def test_a_turn_of_a_wire_session_of_long_ago_is_delivered(tmp_path: Path, server: RunningServer) -> None:
    async with computer(tmp_path / "a.db", server) as here:
        made = await here.talk()
        wires = [str(uuid.uuid4()) for _ in range(70)]
        for number, wire in enumerate([*wires, wires[0]]):
            await here.say(made.handle, str(number), START_MS + number, wire_session=wire)
            if number >= len(wires) - 1:
                assert await here.sync.settle(60.0)
        assert await assert_delivered(server, here, made.handle) == [str(number) for number in range(71)]
        assert len(here.sync._delivery._invocations) == 64
