"""Fifty exchanges in a row in one process leave nothing behind: tasks, threads, processes, sockets, files."""

import asyncio
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

SCRIPT = """
{"on_text": "", "do": "say", "text": "That is fine.", "ms": 120, "last": true}
{"do": "repeat"}
"""
EXCHANGES = 50
WARM_UP = 5


@dataclass(frozen=True)
class Held:
    """What the process holds."""

    tasks: int
    threads: int
    children: int
    files: int

    @classmethod
    def now(cls) -> "Held":
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return cls(
            tasks=len(asyncio.all_tasks()),
            threads=threading.active_count(),
            children=len(children),
            files=len(os.listdir("/proc/self/fd")),
        )


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
        async with asyncio.timeout(30):
            yield json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


async def until(core: Core, phase: Phase, turns: int) -> Snapshot:
    async with asyncio.timeout(20):
        while True:
            snapshot = core.controller.snapshot()
            assert snapshot.phase is not Phase.FAILED, snapshot.error
            if snapshot.phase is phase and len(snapshot.turns) == turns:
                return snapshot
            await asyncio.sleep(0.02)


async def test_fifty_exchanges_leak_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server").mkdir()
    async with serving(tmp_path / "server") as address:
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
                    before = Held.now()
            async with asyncio.timeout(20):
                while core.controller.snapshot().pending_sync:
                    await asyncio.sleep(0.05)
            after = Held.now()
            assert before is not None
            assert after.tasks <= before.tasks
            assert after.threads <= before.threads
            assert after.children <= before.children
            assert after.files <= before.files + 1  # the pool of connections to the session store may grow by one
        finally:
            await core.stop()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
