"""Measure sync against a local Agent Runtime with latency on every request; exit 1 when a gate is missed.

usage: python benchmarks/sync.py [--turns 1000] [--latency-ms 30] [--repeat 3]
The server is a process of its own. One computer writes the turns, others that know nothing read them. Of each figure
the best of the repetitions is judged: the others say how busy the machine was.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aiohttp import web

from novadesk.models import Role
from novadesk.server.agentruntime import AgentRuntime
from novadesk.store.agentruntime import MAX_PARALLEL, RemoteAccess, RemoteSessions
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.registry import Registry
from novadesk.store.sync import Sync
from tests.support.store_rig import START_MS, MemoryKeychain, RealClock, make_conversation, make_turn

NEWEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A figure that must not be passed, and one to strive for."""

    name: str
    gate_s: float | None
    goal_s: float | None = None


LIMITS = {
    "deliver": Limit(name="turns delivered", gate_s=None),
    "all": Limit(name="turns pulled", gate_s=4.0, goal_s=1.3),
    "newest": Limit(name=f"newest {NEWEST} readable", gate_s=0.5),
    "nothing": Limit(name="nothing new", gate_s=0.3),
}


def main() -> None:
    """Print each figure beside its limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=1_000)
    parser.add_argument("--latency-ms", type=float, default=30.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(serve(Path(chosen.serve), chosen.latency_ms / 1000))
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--serve", str(Path(folder, "remote.db"))]
        command += ["--latency-ms", str(chosen.latency_ms)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                figures = asyncio.run(measure(Path(folder), port, chosen.turns, chosen.repeat))
            finally:
                server.terminate()
    print(
        f"{chosen.turns} turns in sessions of 950, {chosen.latency_ms:g} ms on every request,"
        f" {MAX_PARALLEL} requests at once, {chosen.repeat} times"
    )
    sys.exit(1 if any([report(LIMITS[name], values) for name, values in figures.items()]) else 0)


def report(limit: Limit, values: list[float]) -> bool:
    """Print one line; return whether the gate was missed."""
    best = min(values)
    missed = limit.gate_s is not None and best > limit.gate_s
    gate = "no limit" if limit.gate_s is None else f"limit {limit.gate_s:.1f} s"
    goal = "" if limit.goal_s is None else f", goal {limit.goal_s:.1f} s"
    verdict = "MISSED" if missed else "ok"
    print(f"{limit.name:20s} best {best:6.3f} s   worst {max(values):6.3f} s   {gate}{goal}   {verdict}")
    return missed


async def measure(folder: Path, port: int, turns: int, repeat: int) -> dict[str, list[float]]:
    """Return seconds by figure."""
    figures: dict[str, list[float]] = {name: [] for name in LIMITS}
    handle = ""
    for round_ in range(repeat):
        async with computer(folder / f"writer{round_}.db", port) as writer:
            handle = await writer.write(turns)
            began = time.monotonic()
            writer.sync.start(reading=False)
            assert await writer.sync.settle(600.0)
            figures["deliver"].append(time.monotonic() - began)
        async with computer(folder / f"reader{round_}.db", port) as reader:
            await reader.sync.discover()
            began = time.monotonic()
            pull = asyncio.create_task(reader.sync.pull(handle))
            while (await reader.archive.find(handle)).turns < min(NEWEST, turns):  # type: ignore[union-attr]
                reader.changed.clear()
                await reader.changed.wait()
            await reader.archive.turns(handle, limit=NEWEST)
            figures["newest"].append(time.monotonic() - began)
            assert await pull == turns
            figures["all"].append(time.monotonic() - began)
            began = time.monotonic()
            assert await reader.sync.pull(handle) == 0
            figures["nothing"].append(time.monotonic() - began)
            texts = [turn.text for turn in await reader.archive.turns(handle, limit=turns + 1)]
            assert texts == [f"turn {number}" for number in range(turns)], "order or content is wrong"
    return figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Computer:
    """The store of one computer."""

    archive: Conversations
    sync: Sync
    changed: asyncio.Event

    async def write(self, turns: int) -> str:
        """Write a conversation of so many turns; return its handle."""
        made = make_conversation(START_MS)
        await self.archive.create(made)
        for number in range(turns):
            role = Role.ASSISTANT if number % 2 else Role.USER
            await self.archive.append(
                make_turn(made.handle, f"turn {number}", at_ms=START_MS + number * 4_000, role=role)
            )
        return made.handle


@asynccontextmanager
async def computer(file: Path, port: int) -> AsyncIterator[Computer]:
    """Open a store with sync that is not started."""

    async def access() -> RemoteAccess:
        return RemoteAccess(
            access_key_id="AKIDEXAMPLE", secret_access_key="practice", endpoint=f"http://127.0.0.1:{port}"
        )

    changed = asyncio.Event()
    async with Database(file) as database:
        remote = RemoteSessions(access)
        archive = Conversations(database)
        sync = Sync(database, archive, Registry(database, MemoryKeychain()), remote, RealClock(), changed.set)
        try:
            await remote.sessions()  # The client library takes its time to load; that is not sync's.
            yield Computer(archive=archive, sync=sync, changed=changed)
        finally:
            await sync.stop()
            await remote.close()


async def serve(file: Path, latency_s: float) -> None:
    """Serve until the process is ended; print the port."""

    @web.middleware
    async def late(request: web.Request, handler: "web.Handler") -> web.StreamResponse:
        await asyncio.sleep(latency_s)
        return await handler(request)

    runner = web.AppRunner(AgentRuntime(file).application([late]), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
