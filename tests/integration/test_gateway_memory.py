"""Document 001's recovery over true HTTP: a session ends, and another one goes on with what Agent Runtime has of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from novadesk.models import Role
from novadesk.server.gateway.metrics import GatewayMetrics
from novadesk.server.gateway.remote_memory import AgentRuntimeMemory
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.remoteclient import RemoteAccess
from tests.support.gateway_host import Host
from tests.support.gateway_memory import MemorySessions
from tests.support.gateway_state import HOUR_S, PLENTY, make_record, make_turn
from tests.support.gateway_table import TableServer
from tests.support.remote_rig import running_server


async def _ask(host: Host, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
    async with host.http.request(method, f"{host.urls[-1]}{path}", json=body) as response:
        return response.status, await response.json()


def _history(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(turn["role"], turn["text"], turn["timestamp"]) for turn in answer["history"]]


@pytest.fixture(scope="module")
def tables() -> Iterator[TableServer]:
    server = TableServer()
    yield server
    server.stop()


@pytest.mark.parametrize("kind", ["sqlite", "dynamodb"])
async def test_a_session_that_is_over_goes_on_with_the_same_turns_in_order_and_with_their_times(
    tmp_path: Path, tables: TableServer, kind: str
) -> None:
    store = MemorySessions() if kind == "sqlite" else tables.opener(tables.make_table())()
    with running_server(tmp_path / "agentruntime.sqlite") as server:

        async def access() -> RemoteAccess:
            return RemoteAccess(access_key_id="AKIDEXAMPLE", secret_access_key="practice", endpoint=server.endpoint)

        host, metrics, remote = Host(tmp_path, store), GatewayMetrics(), RemoteSessions(access)
        memory = AgentRuntimeMemory(host.store, remote, host.clock, gateway="g1", meter=metrics)
        await host.add(dev=True, memory=memory, metrics=metrics)
        try:
            user = {"userId": "test-user"}
            _, first = await _ask(host, "POST", "/session/start", user)
            told = first["bedrockSessionId"]
            for number, text in enumerate(("I met with Dr. Smith", "Which product?", "Amlodipine")):
                role = (Role.USER, Role.ASSISTANT)[number % 2]
                await host.store.append_turn(make_turn(first["sessionId"], text, role=role))
            before = _history((await _ask(host, "GET", f"/conversation/{first['sessionId']}/history"))[1])
            await _ask(host, "DELETE", f"/session/{first['sessionId']}")

            status, second = await _ask(host, "POST", "/session/start", {**user, "existingBedrockSessionId": told})
            assert (status, second["historyLength"], second["bedrockSessionId"]) == (200, 3, told)
            assert second["sessionId"] != first["sessionId"]
            after = _history((await _ask(host, "GET", f"/conversation/{second['sessionId']}/history"))[1])
            assert after == before
            assert [text for _, text, _ in after] == ["I met with Dr. Smith", "Which product?", "Amlodipine"]

            thief = {"userId": "eve", "existingBedrockSessionId": told}
            assert (await _ask(host, "POST", "/session/start", thief))[0] == 404
            shown = metrics.text().decode()
            assert 'novadesk_gateway_recoveries_total{outcome="tried"} 1.0' in shown
            assert 'novadesk_gateway_recoveries_total{outcome="complete"} 1.0' in shown
            assert "novadesk_gateway_history_load_seconds_count 1.0" in shown
            assert 'novadesk_gateway_turns_total{outcome="delivered"} 3.0' in shown
        finally:
            await memory.stop()
            await host.stop()
            await remote.close()


async def test_a_conversation_is_deleted_from_agent_runtime_too_also_one_that_the_store_forgot(tmp_path: Path) -> None:
    with running_server(tmp_path / "agentruntime.sqlite") as server:

        async def access() -> RemoteAccess:
            return RemoteAccess(access_key_id="AKIDEXAMPLE", secret_access_key="practice", endpoint=server.endpoint)

        host, remote = Host(tmp_path, MemorySessions()), RemoteSessions(access)
        memory = AgentRuntimeMemory(host.store, remote, host.clock, gateway="g1")
        try:
            for owner, conversation in (("ann", "talk"), ("ann", "talk"), ("ann", "another"), ("ben", "talk")):
                now_ms = host.clock.unix_ms()
                record = make_record(
                    owner, conversation=conversation, created_ms=now_ms, expires_at_s=now_ms // 1000 + HOUR_S
                )
                await host.store.create(record, limits=PLENTY)
                await host.store.append_turn(make_turn(record.session_id, at_ms=now_ms))
                assert await memory.delivery.flush(record.session_id)
            for session_id in await host.store.kept_of("ann", "talk"):
                await host.store.forget(session_id, owner="ann")
            await memory.forget("ann", "talk")
            assert len(await remote.sessions()) == 2
            await memory.forget("ann", "talk")
            assert len(await remote.sessions()) == 2
        finally:
            await remote.close()
            await host.stop()
