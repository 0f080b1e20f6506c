"""One computer's store with sync against a running server, and what the server holds, read by a client of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from novadesk.models import BackendKind, Conversation, Role, Turn
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.chain import RollOver
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.pause import SyncPolicy
from novadesk.store.registry import Keychain, Registry
from novadesk.store.remoteclient import RemoteAccess
from novadesk.store.sync import Sync
from tests.support.remote_rig import RunningServer, boto_client
from tests.support.store_rig import START_MS, RealClock, make_conversation, make_turn

QUICK = SyncPolicy(first_pause_s=0.02, longest_pause_s=0.1, off_pause_s=60.0)
STEPS = "/invocationSteps/"
SETTLE_S = 60.0


class SkewedClock(RealClock):
    """The clock of a machine that is wrong by so many milliseconds."""

    def __init__(self, skew_ms: int) -> None:
        self._skew_ms = skew_ms

    def unix_ms(self) -> int:
        return super().unix_ms() + self._skew_ms


@dataclass
class Computer:
    """All that one computer has of the store, with sync running."""

    database: Database
    archive: Conversations
    registry: Registry
    remote: RemoteSessions
    sync: Sync
    changes: list[int]
    recovered: list[int]
    progress: list[tuple[int, int] | None]

    async def talk(self, *texts: str, conversation: Conversation | None = None) -> Conversation:
        made = conversation or make_conversation(START_MS)
        await self.archive.create(made)
        for number, text in enumerate(texts):
            role = Role.ASSISTANT if number % 2 else Role.USER
            await self.archive.append(make_turn(made.handle, text, at_ms=START_MS + number, role=role))
        return made

    async def say(self, handle: str, text: str, at_ms: int, **given: Any) -> Turn:
        return await self.archive.append(make_turn(handle, text, at_ms=at_ms, **given))

    async def settled(self) -> bool:
        delivered = await self.sync.settle(SETTLE_S)
        await self.until(lambda: self.sync.error is None)
        return delivered

    async def texts(self, handle: str) -> list[str]:
        return [turn.text for turn in await self.archive.turns(handle, limit=10_000)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SETTLE_S):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def computer(
    file: Path,
    server: RunningServer,
    *,
    keychain: Keychain | None = None,
    policy: SyncPolicy = QUICK,
    roll_over: RollOver | None = None,
    deadline_s: float = SETTLE_S,
    start: bool = True,
    reading: bool = False,
    clock: RealClock | None = None,
    backend: BackendKind | None = None,
    kms_key: str = "",
) -> AsyncIterator[Computer]:
    async def access() -> RemoteAccess:
        return RemoteAccess(access_key_id="AKIDEXAMPLE", secret_access_key="practice", endpoint=server.endpoint)

    changes: list[int] = []
    recovered: list[int] = []
    progress: list[tuple[int, int] | None] = []
    async with Database(file) as database:
        remote = RemoteSessions(access, deadline_s=deadline_s, kms_key=kms_key)
        registry = Registry(database, keychain)
        archive = Conversations(database, lambda: sync.kick())
        sync = Sync(
            database,
            archive,
            registry,
            remote,
            clock or RealClock(),
            lambda: changes.append(1),
            backend=backend,
            policy=policy,
            roll_over=roll_over,
            on_progress=progress.append,
            on_recovered=recovered.append,
        )
        if start:
            sync.start(reading=reading)
        try:
            yield Computer(database, archive, registry, remote, sync, changes, recovered, progress)
        finally:
            await sync.stop()
            await remote.close()


@dataclass(frozen=True)
class RemoteState:
    """What the service holds, read with a client of its own."""

    sessions: list[dict[str, Any]]
    steps: list[dict[str, Any]]

    @property
    def texts(self) -> list[str]:
        return [step["text"] for step in self.steps]


def read_remote(server: RunningServer) -> RemoteState:
    sessions: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    with boto_client(server.endpoint) as client:
        for page in client.get_paginator("list_sessions").paginate():
            ids = [summary["sessionId"] for summary in page["sessionSummaries"]]
            sessions += [client.get_session(sessionIdentifier=ident) for ident in ids]
        sessions.sort(key=lambda one: one["createdAt"])
        for session in sessions:
            ident = session["sessionId"]
            for page in client.get_paginator("list_invocation_steps").paginate(sessionIdentifier=ident):
                for one in page["invocationStepSummaries"]:
                    got = client.get_invocation_step(
                        sessionIdentifier=ident,
                        invocationIdentifier=one["invocationId"],
                        invocationStepId=one["invocationStepId"],
                    )["invocationStep"]
                    (block,) = got["payload"]["contentBlocks"]
                    steps.append(
                        json.loads(block["text"])
                        | {
                            "session": ident,
                            "step_id": one["invocationStepId"],
                            "invocation": one["invocationId"],
                            "time": got["invocationStepTime"],
                        }
                    )
    return RemoteState(sessions, sorted(steps, key=lambda step: step["time"]))


async def remote_state(server: RunningServer) -> RemoteState:
    return await asyncio.to_thread(read_remote, server)
