"""Two complete cores with one account, as on two computers: each goes on where the other one stopped."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from novadesk.app.core import Core, Start
from novadesk.audio.nullio import FileSound
from novadesk.config import BackendSettings, Settings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.desktop.control import send
from novadesk.models import BackendKind, SyncState
from novadesk.paths import Folders, find_folders
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.remoteclient import RemoteAccess

SCRIPT = """
{"on_text": "", "do": "say", "text": "That is fine.", "ms": 120, "last": true}
{"do": "repeat"}
"""


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[dict[str, str]]:
    script = folder / "script.jsonl"
    script.write_text(SCRIPT)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "novadesk", "--home", str(folder), "serve", "--persona", str(script)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            address = json.loads(await process.stdout.readline())
        yield address
    finally:
        process.terminate()
        await process.wait()


def make_settings(address: dict[str, str]) -> Settings:
    return Settings(
        backend=BackendSettings(
            kind=BackendKind.BEDROCK,
            region=address["region"],
            bedrock_endpoint=address["bedrock"],
            agent_runtime_endpoint=address["agent_runtime"],
        )
    )


@asynccontextmanager
async def running(home: Path, address: dict[str, str]) -> AsyncIterator[tuple[Core, Folders]]:
    folders = find_folders(home=str(home)).make()
    core = Core(settings=make_settings(address), folders=folders, publish=lambda _: None, on_quit=lambda: None)
    await core.start(Start(role="test", sound=FileSound(None, pace=4.0)))
    try:
        yield core, folders
    finally:
        await core.stop()


async def until(core: Core, condition: Callable[[Snapshot], bool]) -> Snapshot:
    async with asyncio.timeout(60):
        while not condition(snapshot := core.controller.snapshot()):
            assert snapshot.phase is not Phase.FAILED, snapshot.error
            await asyncio.sleep(0.02)
    return snapshot


async def talk(core: Core, text: str) -> Snapshot:
    """Ask something, wait for the answer and until both are delivered."""
    turns = len(core.controller.snapshot().turns)
    core.controller.say(text)

    def is_over(now: Snapshot) -> bool:
        delivered = all(turn.sync is SyncState.SYNCED for turn in now.turns)
        return now.phase is Phase.READY and len(now.turns) == turns + 2 and delivered and not now.pending_sync

    return await until(core, is_over)


@pytest.fixture
async def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, str]]:
    (tmp_path / "server").mkdir()
    async with serving(tmp_path / "server") as found:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", found["access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", found["secret_access_key"])
        yield found


async def test_one_goes_on_where_the_other_stopped(tmp_path: Path, address: dict[str, str]) -> None:
    async with running(tmp_path / "a", address) as (here, _), running(tmp_path / "b", address) as (there, folders):
        await until(here, lambda now: now.phase is Phase.READY)
        await until(there, lambda now: now.phase is Phase.READY)
        spoken = await talk(here, "question 1")
        assert spoken.conversation is not None
        handle = spoken.conversation.handle
        await here.rename(handle, "Holiday")
        await until(here, lambda now: now.conversation is not None and now.conversation.title == "Holiday")

        answer = await asyncio.to_thread(lambda: send(folders.control_socket, {"do": "pull"}, deadline_s=60.0))
        assert answer["came"] >= 2
        listed = {one.handle: (one.title, one.turns) for one in await there.conversations()}
        assert listed[handle][1] == 2
        await there.controller.resume(handle)
        resumed = there.controller.snapshot()
        assert resumed.recovered_turns == 2
        assert resumed.turns == spoken.turns
        await until(there, lambda now: now.phase is Phase.READY)
        await talk(there, "question 2")
        assert await here.pull(handle) == 2
        merged = await until(here, lambda now: len(now.turns) == 4)
        assert [turn.turn_id for turn in merged.turns] == [turn.turn_id for turn in there.controller.snapshot().turns]
        assert merged.pulling is None
        async with asyncio.timeout(60):
            while (there.controller.snapshot().conversation or spoken.conversation).title != "Holiday":
                await there.pull()  # the name may still have been on its way when all was read before


async def test_what_another_machine_began_is_here_before_it_is_resumed(tmp_path: Path, address: dict[str, str]) -> None:
    async with running(tmp_path / "a", address) as (here, _):
        await until(here, lambda now: now.phase is Phase.READY)
        spoken = await talk(here, "question 1")
        assert spoken.conversation is not None
    async with running(tmp_path / "b", address) as (there, _):
        async with asyncio.timeout(60):
            while not [one for one in await there.conversations() if one.handle == spoken.conversation.handle]:
                await asyncio.sleep(0.02)
        await there.controller.resume(spoken.conversation.handle)
        assert there.controller.snapshot().turns == spoken.turns, "the model is told what was said elsewhere"


async def test_what_the_service_lost_is_said_and_made_good(tmp_path: Path, address: dict[str, str]) -> None:
    async with running(tmp_path / "a", address) as (here, _):
        await until(here, lambda now: now.phase is Phase.READY)
        spoken = await talk(here, "question 1")
        assert spoken.conversation is not None

    async def access() -> RemoteAccess:
        return RemoteAccess(
            access_key_id=address["access_key_id"],
            secret_access_key=address["secret_access_key"],
            region=address["region"],
            endpoint=address["agent_runtime"],
        )

    remote = RemoteSessions(access)
    try:
        for session in await remote.sessions():
            await remote.delete(session.session_id)
        async with running(tmp_path / "a", address) as (here, _):
            await until(here, lambda now: "Recovered 2 turns." in now.notices)
            async with asyncio.timeout(60):
                while not [one for one in await remote.sessions() if len(await remote.steps(one.session_id)) == 2]:
                    await asyncio.sleep(0.02)
            await until(here, lambda now: not now.pending_sync)
    finally:
        await remote.close()
