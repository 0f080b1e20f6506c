"""What the client of the session store makes of each fault that the local server commits, over a real socket."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from novadesk.errors import KnownError
from novadesk.server.faults import API_ERRORS, SESSION_FAULTS, Fault
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.remoteclient import RemoteAccess
from tests.support.fault_outcomes import STORE
from tests.support.scripted_partner import Rig, listen, running

STEP_MS = 1_790_000_000_000
PATIENCE_S = 60.0
DEADLINE_S = 2.0  # where something is slow on purpose; all else takes a hundredth of it, half of it on a busy computer
SLOW_S = 2 * DEADLINE_S
FOR_GOOD = frozenset(SESSION_FAULTS)


@asynccontextmanager
async def storing(folder: Path, *, deadline_s: float = PATIENCE_S) -> AsyncIterator[tuple[Rig, RemoteSessions]]:
    async with running(folder, listen) as rig:

        async def access() -> RemoteAccess:
            return RemoteAccess(
                access_key_id=rig.address.access_key_id,
                secret_access_key=rig.address.secret_access_key,
                endpoint=rig.address.agent_runtime,
            )

        remote = RemoteSessions(access, deadline_s=deadline_s)
        try:
            yield rig, remote
        finally:
            await remote.close()


def test_every_fault_of_the_session_store_has_its_row() -> None:
    assert set(STORE) == {fault for fault in Fault if fault.name.startswith("API_")}
    assert set(API_ERRORS) | set(SESSION_FAULTS) <= set(STORE)


def is_as_told(error: KnownError, fault: Fault) -> None:
    told = STORE[fault]
    words = {told.what, STORE[Fault.API_DOWN].what} if fault is Fault.API_SLOW else {told.what}  # whose limit is first
    assert error.reason is told.reason
    assert error.what in words
    assert error.advice == told.advice


@pytest.mark.parametrize(
    "fault", [fault for fault in STORE if fault is not Fault.API_TORN], ids=lambda fault: fault.name
)
async def test_what_a_write_meets(tmp_path: Path, fault: Fault) -> None:
    deadline_s = DEADLINE_S if fault is Fault.API_SLOW else PATIENCE_S
    async with storing(tmp_path, deadline_s=deadline_s) as (rig, remote):
        session, invocation, step = (await remote.create({})).session_id, str(uuid.uuid4()), str(uuid.uuid4())
        await remote.open_invocation(session, invocation)
        rig.server.faults.add(fault, delay_s=SLOW_S)
        with pytest.raises(KnownError) as caught:
            await remote.put_step(session, invocation, step, STEP_MS, "said")
        is_as_told(caught.value, fault)
        assert session not in str(caught.value)
        done = fault in (Fault.API_LOST_ANSWER, Fault.API_SLOW)
        found = await remote.step(session, invocation, step)
        while fault is Fault.API_SLOW and found is None:
            await asyncio.sleep(0.05)
            found = await remote.step(session, invocation, step)
        assert (found is not None) == done, "an answer that is lost or late does not say whether it was done"
        if not done and fault not in FOR_GOOD:
            await remote.put_step(session, invocation, step, STEP_MS, "said")


async def test_half_an_answer_leaves_a_session_behind_that_nobody_knows(tmp_path: Path) -> None:
    async with storing(tmp_path) as (rig, remote):
        rig.server.faults.add(Fault.API_TORN)
        with pytest.raises(KnownError) as caught:
            await remote.create({"name": "left behind"})
        is_as_told(caught.value, Fault.API_TORN)
        (orphan,) = await remote.sessions()
        assert (await remote.session(orphan.session_id)).metadata["name"] == "left behind"
