"""A gateway's turns on their way to Agent Runtime over real sockets: outages, and a process that is killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from novadesk import permission
from novadesk.errors import KnownError
from novadesk.models import SyncState
from novadesk.server.gateway.delivery import TurnDelivery
from novadesk.server.gateway.remote_chain import forget_conversation
from novadesk.server.gateway.remote_history import HistoryReader
from novadesk.server.gateway.state_sqlite import SqliteSessions
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.chain import RollOver
from novadesk.store.pause import SyncPolicy
from novadesk.store.remoteclient import AccessSource, RemoteAccess
from tests.support.gateway_state import PLENTY, make_record, make_turn
from tests.support.leaks import LogWatch
from tests.support.remote_rig import RunningServer, boto_client, lose_answer, running_server
from tests.support.store_rig import RealClock

QUICK = SyncPolicy(first_pause_s=0.02, longest_pause_s=0.1, lease_s=1.0)
SETTLE_S = 60.0
SHIPPED = Path(__file__).parents[2] / "packaging" / "gateway"

# Says turns, tells of each once it is on the disk, and delivers meanwhile; it is killed in the middle of that.
_GATEWAY = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_gateway_delivery_sockets import QUICK, access_to
from tests.support.gateway_state import make_turn
from tests.support.store_rig import RealClock
from novadesk.server.gateway.delivery import TurnDelivery
from novadesk.server.gateway.state_sqlite import SqliteSessions
from novadesk.store.agentruntime import RemoteSessions

async def main(file, session_id, endpoint):
    store, remote = SqliteSessions(Path(file)), RemoteSessions(access_to(endpoint))
    delivery = TurnDelivery(store, remote, RealClock(), gateway="doomed", policy=QUICK)
    delivery.start()
    for number in range(30):
        await store.append_turn(make_turn(session_id, f"turn {number}"))
        print(number, flush=True)
        delivery.kick()
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


def access_to(endpoint: str) -> AccessSource:
    async def access() -> RemoteAccess:
        return RemoteAccess(access_key_id="AKIDEXAMPLE", secret_access_key="practice", endpoint=endpoint)

    return access


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "agentruntime.sqlite") as running:
        yield running


def _start_gateway(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _GATEWAY, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


async def _settle(store: SqliteSessions, delivery: TurnDelivery) -> None:
    async with asyncio.timeout(SETTLE_S):
        while await store.waiting() or delivery.error is not None:
            delivery.kick()
            await asyncio.sleep(0.02)


async def test_what_was_said_during_an_outage_is_there_once_and_in_order(
    tmp_path: Path, server: RunningServer, expected_logs: LogWatch
) -> None:
    expected_logs.allow("turns are not delivered for now: sync.unreachable")
    store, remote, clock = (
        SqliteSessions(tmp_path / "s.sqlite"),
        RemoteSessions(access_to(server.endpoint)),
        RealClock(),
    )
    delivery = TurnDelivery(store, remote, clock, gateway="g1", policy=QUICK)
    session_id = (await store.create(make_record(), limits=PLENTY)).session_id
    told = await delivery.begin(session_id)
    delivery.start()
    await store.append_turn(make_turn(session_id, "before"))
    await _settle(store, delivery)
    await asyncio.to_thread(server.stop)
    for number in range(5):
        await store.append_turn(make_turn(session_id, f"during {number}"))
        delivery.kick()
    async with asyncio.timeout(SETTLE_S):
        while delivery.error is None:
            await asyncio.sleep(0.02)
    await asyncio.to_thread(server.start)
    await _settle(store, delivery)
    history = await HistoryReader(remote, clock).load("ann", told)
    kept = await store.turns(session_id)
    assert [(turn.turn_id, turn.text, turn.at_ms) for turn in history.turns] == [
        (turn.turn_id, turn.text, turn.at_ms) for turn in kept
    ]
    await delivery.stop()
    await remote.close()
    await store.close()


async def test_a_gateway_that_is_killed_in_the_middle_loses_no_turn_and_doubles_none(
    tmp_path: Path, server: RunningServer, expected_logs: LogWatch
) -> None:
    file = tmp_path / "s.sqlite"
    store = SqliteSessions(file)
    session_id = (await store.create(make_record(), limits=PLENTY)).session_id
    doomed = _start_gateway(file, session_id, server.endpoint)
    assert doomed.stdout is not None
    written = -1
    try:
        while written < 5:
            written = int(await asyncio.to_thread(doomed.stdout.readline))
        while not any(request.startswith("PUT") and "invocationSteps" in request for request in server.faults.requests):
            await asyncio.sleep(0.001)
    finally:
        doomed.send_signal(signal.SIGKILL)
        rest = doomed.communicate()[0]
    written = int(rest.split()[-1]) if rest.split() else written
    remote, clock = RemoteSessions(access_to(server.endpoint)), RealClock()
    heir = TurnDelivery(store, remote, clock, gateway="heir", policy=QUICK)
    heir.start()
    await _settle(store, heir)
    kept = await store.turns(session_id, limit=100)
    assert [turn.text for turn in kept][: written + 1] == [f"turn {number}" for number in range(written + 1)]
    assert {turn.sync for turn in kept} == {SyncState.SYNCED}
    with boto_client(server.endpoint) as client:
        (only,) = client.list_sessions()["sessionSummaries"]
    steps = await remote.steps(only["sessionId"])
    assert sorted(step.step_id for step in steps) == sorted(turn.turn_id for turn in kept)
    history = await HistoryReader(remote, clock).load("ann", only["sessionId"])
    assert [(turn.turn_id, turn.at_ms) for turn in history.turns] == [(turn.turn_id, turn.at_ms) for turn in kept]
    await heir.stop()
    await remote.close()
    await store.close()


async def test_a_remote_session_that_is_deleted_or_expired_is_not_found(tmp_path: Path, server: RunningServer) -> None:
    store, remote, clock = (
        SqliteSessions(tmp_path / "s.sqlite"),
        RemoteSessions(access_to(server.endpoint)),
        RealClock(),
    )
    delivery = TurnDelivery(store, remote, clock, gateway="g1")
    session_id = (await store.create(make_record(), limits=PLENTY)).session_id
    told = await delivery.begin(session_id)
    reader = HistoryReader(remote, clock)
    assert (await reader.load("ann", told)).turns == ()
    with boto_client(server.endpoint) as client:
        client.end_session(sessionIdentifier=told)
        with pytest.raises(Exception, match="no such conversation"):
            await reader.load("ann", told)
        client.delete_session(sessionIdentifier=told)
    for unknown in (told, "not a uuid", "../sessions"):
        with pytest.raises(Exception, match="no such conversation"):
            await reader.load("ann", unknown)
    await remote.close()
    await store.close()


async def test_the_policy_allows_the_calls_that_a_gateway_makes_and_no_more(
    tmp_path: Path, server: RunningServer, monkeypatch: pytest.MonkeyPatch, expected_logs: LogWatch
) -> None:
    expected_logs.allow("turns are not delivered for now")
    called: set[str] = set()
    call = RemoteSessions._call

    async def noted(self: RemoteSessions, operation: str, *given: Any, **named: Any) -> Any:
        called.add("".join(part.capitalize() for part in operation.split("_")))
        return await call(self, operation, *given, **named)

    monkeypatch.setattr(RemoteSessions, "_call", noted)
    store, remote, clock = (
        SqliteSessions(tmp_path / "s.sqlite"),
        RemoteSessions(access_to(server.endpoint)),
        RealClock(),
    )
    delivery = TurnDelivery(store, remote, clock, gateway="g1", policy=QUICK, roll_over=RollOver(max_steps=1))
    session_id = (await store.create(make_record(conversation="talk"), limits=PLENTY)).session_id
    server.faults.set(lose_answer(), times=1, matches="PUT /sessions")  # the session is looked up
    with pytest.raises(KnownError):
        await delivery.begin(session_id)
    told = await delivery.begin(session_id)
    for text in ("one", "two"):  # a successor is made
        await store.append_turn(make_turn(session_id, text))
    server.faults.set(lose_answer(), times=1, matches="invocationSteps")  # the step is looked up
    delivery.start()
    await _settle(store, delivery)
    assert len((await HistoryReader(remote, clock).load("ann", told)).turns) == 2
    await forget_conversation(remote, "ann", "talk", since_ms=0)
    assert await remote.sessions() == ()
    policy = json.loads((SHIPPED / "policy.json").read_text(encoding="utf-8"))
    allowed = {action for one in policy["Statement"] for action in one["Action"]}
    voice = {f"bedrock:{name}" for name in permission.VOICE_ACTIONS}
    assert {one for one in allowed if one.startswith("bedrock:")} - voice == {f"bedrock:{name}" for name in called}
    await delivery.stop()
    await remote.close()
    await store.close()
