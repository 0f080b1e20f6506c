"""The trial of the session store, with a real one: whichever permission is missing is named, and nothing stays."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from novadesk.app import access
from novadesk.app.access import try_store
from novadesk.app.practice import PracticeServer
from novadesk.config import BackendSettings, Settings
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.permission import SESSION_ACTIONS
from novadesk.server.agentruntime import error_response
from novadesk.server.agentruntime_shapes import ErrorType
from novadesk.store.remoteclient import RemoteAccess
from tests.support.remote_rig import RunningServer, boto_client, running_server

KEY = "arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012"
CALLS = {
    "ListSessions": r"POST /sessions/",
    "CreateSession": r"PUT /sessions/",
    "UpdateSession": r"PUT /sessions/[^/]+/",
    "GetSession": r"GET /sessions/[^/]+/",
    "CreateInvocation": r"PUT .*/invocations/",
    "PutInvocationStep": r"PUT .*/invocationSteps/",
    "ListInvocationSteps": r"POST .*/invocationSteps/",
    "GetInvocationStep": r"POST .*/invocationSteps/[^/]+",
    "EndSession": r"PATCH /sessions/[^/]+",
    "DeleteSession": r"DELETE /sessions/[^/]+/",
}
UNUSED = cast(PracticeServer, SimpleNamespace(address=None))
STAYS = {"EndSession", "DeleteSession"}
"""Without these nobody can take the trial away again."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    with running_server(tmp_path / "remote.db") as server:

        async def find() -> RemoteAccess:
            return RemoteAccess(access_key_id="AKIDEXAMPLE", secret_access_key="practice", endpoint=server.endpoint)

        monkeypatch.setattr(access, "make_access", lambda *_: find)
        yield server


def denying(call: str, action: str) -> Callable[[web.Request, Callable[[], Any]], Any]:
    """Refuse one kind of call as AWS words it, and carry out the others."""

    async def answer(request: web.Request, carry_out: Callable[[], Any]) -> web.StreamResponse:
        if re.fullmatch(call, f"{request.method} {request.path}") is None:
            return await carry_out()
        who = "User: arn:aws:sts::123456789012:assumed-role/Sales/anna"
        return error_response(ErrorType.DENIED, f"{who} is not authorized to perform: {action} on resource: *")

    return answer


async def run(kms_key: str = "") -> str:
    backend = BackendSettings(kind=BackendKind.BEDROCK, kms_key=kms_key)
    return await try_store(Settings(backend=backend), UNUSED)


def stored(server: RunningServer) -> list[dict[str, Any]]:
    with boto_client(server.endpoint) as client:
        return list(client.list_sessions()["sessionSummaries"])


def test_every_session_permission_of_the_policy_is_needed_by_a_call() -> None:
    assert set(CALLS) == {*SESSION_ACTIONS, "ListSessions"}


async def test_with_all_permissions_it_works_and_leaves_nothing(server: RunningServer) -> None:
    assert await run() == "the session store answers, 0 sessions"
    made = [name for name in server.faults.requests if name == "PUT /sessions/"]
    assert len(made) == 1
    assert stored(server) == []


@pytest.mark.parametrize("name", CALLS)
async def test_the_permission_that_is_missing_is_named(server: RunningServer, name: str) -> None:
    server.faults.set(denying(CALLS[name], f"bedrock:{name}"), times=1_000)
    with pytest.raises(KnownError) as refused:
        await run()
    assert refused.value.reason is Reason.SYNC_DENIED
    assert refused.value.advice == f"Ask whoever manages the account for the permission bedrock:{name}."
    server.faults.clear()
    assert bool(stored(server)) is (name in STAYS)


async def test_a_key_that_may_not_be_used_is_found_by_it(server: RunningServer) -> None:
    async def answer(request: web.Request, carry_out: Callable[[], Any]) -> web.StreamResponse:
        if b"encryptionKeyArn" not in await request.read():
            return await carry_out()
        return error_response(ErrorType.DENIED, f"You are not authorized to perform: kms:GenerateDataKey on {KEY}")

    server.faults.set(answer, times=1_000)
    with pytest.raises(KnownError) as refused:
        await run(KEY)
    assert refused.value.advice.endswith("kms:GenerateDataKey.")
