"""Fifty exchanges in a row in one process leave nothing behind: tasks, threads, processes, sockets, files."""

import asyncio
import contextlib
import json
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from novadesk.app.core import Core, Start
from novadesk.audio.nullio import FileSound
from novadesk.config import BackendSettings, Settings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.models import BackendKind, Role
from novadesk.paths import find_folders
from novadesk.store.remoteclient import MAX_PARALLEL

SCRIPT = """
{"on_text": "", "do": "say", "text": "That is fine.", "ms": 120, "last": true}
{"do": "repeat"}
"""
EXCHANGES = 50
WARM_UP = 5


@dataclass(frozen=True)
class Held:
    """What the process holds; the connections to the session store, and the threads of its calls, counted apart."""

    tasks: int
    threads: int
    children: int
    files: int
    store: int
    store_threads: int

    @classmethod
    def now(cls, store_port: int) -> "Held":
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        store = len(connections(store_port))
        names = [thread.name for thread in threading.enumerate()]
        of_store = [name for name in names if name.startswith("novadesk-sync")]
        return cls(
            tasks=len(asyncio.all_tasks()),
            threads=len(names) - len(of_store),
            children=len(children),
            files=len(os.listdir("/proc/self/fd")) - store,
            store=store,
            store_threads=len(of_store),
        )


def connections(port: int) -> list[str]:
    """Return the descriptors of this process that are connected to a port: proc(5) names each socket's inode."""
    rows = [row.split() for row in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if int(row[2].split(":")[1], 16) == port}
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            if os.readlink(f"/proc/self/fd/{descriptor}") in inodes:
                found.append(descriptor)
    return found


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
            yield json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


async def until(core: Core, phase: Phase, turns: int) -> Snapshot:
    async with asyncio.timeout(60):
        while True:
            snapshot = core.controller.snapshot()
            assert snapshot.phase is not Phase.FAILED, snapshot.error
            if snapshot.phase is phase and len(snapshot.turns) == turns:
                return snapshot
            await asyncio.sleep(0.02)


async def test_fifty_exchanges_leak_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server").mkdir()
    async with serving(tmp_path / "server") as address:
        store_port = int(address["agent_runtime"].rpartition(":")[2])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", address["access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", address["secret_access_key"])
        settings = Settings(
            backend=BackendSettings(
                kind=BackendKind.BEDROCK,
                region=address["region"],
                bedrock_endpoint=address["bedrock"],
                agent_runtime_endpoint=address["agent_runtime"],
            )
        )
        folders = find_folders(home=str(tmp_path / "home")).make()
        core = Core(settings=settings, folders=folders, publish=lambda _: None, on_quit=lambda: None)
        await core.start(Start(role="test", sound=FileSound(None, pace=4.0)))
        try:
            await until(core, Phase.READY, 0)
            before = None
            for number in range(1, EXCHANGES + 1):
                core.controller.say(f"question {number}")
                snapshot = await until(core, Phase.READY, 2 * number)
                assert [turn.role for turn in snapshot.turns[-2:]] == [Role.USER, Role.ASSISTANT]
                if number == WARM_UP:
                    before = Held.now(store_port)
            async with asyncio.timeout(60):
                while core.controller.snapshot().pending_sync:
                    await asyncio.sleep(0.05)
            assert before is not None
            async with asyncio.timeout(60):  # what is under way ends by itself; what has leaked does not
                while (after := Held.now(store_port)).tasks > before.tasks:
                    await asyncio.sleep(0.05)
            assert after.threads <= before.threads
            assert after.children <= before.children
            # SQLite keeps the descriptor of a closed second connection for the next one: to close it would drop the
            # locks of the first, by POSIX.
            assert after.files <= before.files + 1
            assert 0 < after.store <= MAX_PARALLEL  # how many of them are needed at once is the network's business
            assert after.store_threads <= MAX_PARALLEL  # one for each call that is under way at once
        finally:
            await core.stop()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
