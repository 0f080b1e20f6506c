"""Measure sync against a local Agent Runtime with latency on every request; exit 1 when a gate is missed.

usage: python benchmarks/sync.py [--turns 1000] [--latency-ms 30] [--repeat 3] [--gates 1] [--json FILE]
The server is a process of its own. One computer writes the turns, others that know nothing read them. Of each figure
the best of the repetitions is judged: the others say how busy the machine was.
"""

import argparse
import asyncio
import math
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

from benchmarks.sheet import Sheet, parser_of
from novadesk.models import Role
from novadesk.server.agentruntime import AgentRuntime
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.registry import Registry
from novadesk.store.remoteclient import MAX_PARALLEL, RemoteAccess
from novadesk.store.sync import Sync
from tests.support.store_rig import START_MS, MemoryKeychain, RealClock, make_conversation, make_turn

NEWEST = 50


ALL_GATE_MS, ALL_GOAL_MS, NEWEST_GATE_MS, NOTHING_GATE_MS = 4_000.0, 1_300.0, 500.0, 300.0


def main() -> int:
    """Print each figure beside its limits; return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("--turns", type=int, default=1_000)
    parser.add_argument("--latency-ms", type=float, default=30.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(serve(Path(chosen.serve), chosen.latency_ms / 1000))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--serve", str(Path(folder, "remote.db"))]
        command += ["--latency-ms", str(chosen.latency_ms)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                rounds = asyncio.run(measure(Path(folder), port, chosen.turns, chosen.repeat))
            finally:
                server.terminate()
    sheet = Sheet(chosen.gates)
    tell(sheet, rounds, chosen.turns, chosen.latency_ms)
    return sheet.finish(chosen.json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one repetition took, in milliseconds; of the pull also the processor time of this process."""

    deliver_ms: float
    newest_ms: float
    all_ms: float
    processor_ms: float
    nothing_ms: float


def tell(sheet: Sheet, rounds: list[Round], turns: int, latency_ms: float) -> None:
    """Print the figures of all rounds."""
    sheet.note(
        f"{turns:,} turns in sessions of 950, {latency_ms:g} ms on every request, {MAX_PARALLEL} requests at once;"
        f" the best of {len(rounds)}"
    )
    pulled = f"{turns:,} turns pulled"
    for name, took, gate_ms, goal_ms in (
        (f"newest {min(NEWEST, turns)} readable", [one.newest_ms for one in rounds], NEWEST_GATE_MS, None),
        (pulled, [one.all_ms for one in rounds], ALL_GATE_MS, ALL_GOAL_MS),
        ("nothing new", [one.nothing_ms for one in rounds], NOTHING_GATE_MS, None),
        (f"{turns:,} turns delivered", [one.deliver_ms for one in rounds], None, None),
        (f"processor time of {pulled}", [one.processor_ms for one in rounds], None, None),
    ):
        sheet.row(name, min(took), gate_ms, goal_ms, worst_ms=max(took))
    sheet.row(f"latency alone of {pulled}", (1 + math.ceil(turns / MAX_PARALLEL)) * latency_ms)


async def measure(folder: Path, port: int, turns: int, repeat: int) -> list[Round]:
    """Return what each repetition took."""
    rounds = []
    for number in range(repeat):
        async with computer(folder / f"writer{number}.db", port) as writer:
            handle = await writer.write(turns)
            began = time.monotonic()
            writer.sync.start(reading=False)
            assert await writer.sync.settle(600.0)
            deliver_ms = since_ms(began)
        async with computer(folder / f"reader{number}.db", port) as reader:
            await reader.sync.discover()
            began, processor_s = time.monotonic(), time.process_time()
            pull = asyncio.create_task(reader.sync.pull(handle))
            while (await reader.archive.find(handle)).turns < min(NEWEST, turns):  # type: ignore[union-attr]
                reader.changed.clear()
                await reader.changed.wait()
            await reader.archive.turns(handle, limit=NEWEST)
            newest_ms = since_ms(began)
            assert await pull == turns
            all_ms, processor_s = since_ms(began), time.process_time() - processor_s
            began = time.monotonic()
            assert await reader.sync.pull(handle) == 0
            nothing_ms = since_ms(began)
            texts = [turn.text for turn in await reader.archive.turns(handle, limit=turns + 1)]
            assert texts == [f"turn {number}" for number in range(turns)], "order or content is wrong"
        rounds.append(
            Round(
                deliver_ms=deliver_ms,
                newest_ms=newest_ms,
                all_ms=all_ms,
                processor_ms=processor_s * 1000,
                nothing_ms=nothing_ms,
            )
        )
    return rounds


def since_ms(began: float) -> float:
    """Return the milliseconds since a time of the monotonic clock."""
    return (time.monotonic() - began) * 1000


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
    raise SystemExit(main())
