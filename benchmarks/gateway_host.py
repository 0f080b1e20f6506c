"""What the gateway's benchmark measures, each a process of its own on a core of its own.

usage: python benchmarks/gateway_host.py gateway|echo|upstream --folder DIR --core N [--scripted]
Its first line on standard output says where it is and who it is. Each line on standard input is answered with counts of
what it holds. SIGTERM ends it, a gateway as `novadesk gateway` ends: every client is sent elsewhere first.
"""

import argparse
import asyncio
import gc
import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aiohttp import web

from benchmarks.gateway_echo import EchoLinker, EchoPartner, bare_echo
from novadesk.app.clock import SystemClock
from novadesk.config import Settings
from novadesk.paths import find_folders
from novadesk.server.address import find_server
from novadesk.server.gateway.app import Gateway, GatewayOptions, make_runner
from novadesk.server.gateway.issuer import LocalIssuer
from novadesk.server.gateway.limits import Rate
from novadesk.server.gateway.options import GatewayLimits
from novadesk.server.gateway.session import GatewaySession
from novadesk.server.gateway.state_sqlite import SqliteSessions
from novadesk.server.gateway.upstream import UpstreamParts
from novadesk.server.runner import LocalServer, ServerOptions
from novadesk.server.stopsignals import stop_signals
from novadesk.transport.bedrock import PracticeLinker, load_sdk

_MANY = 100_000
_OFTEN = Rate(most=_MANY, span_s=1.0)
LIMITS = GatewayLimits(
    sessions=_MANY, sessions_per_owner=_MANY, connections=_OFTEN, creations=_OFTEN, messages=_OFTEN, requests=_OFTEN
)
"""As many and as often as anybody likes: what is measured is where the processor ends it."""

type Counts = Callable[[], Awaitable[dict[str, int]]]


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*_SERVE])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--core", type=int, required=True)
    parser.add_argument("--scripted", action="store_true", help="the voice service is in the gateway's own process")
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {chosen.core})
    asyncio.run(_SERVE[chosen.what](chosen))


async def _gateway(chosen: argparse.Namespace) -> None:
    folders, clock = find_folders(home=str(chosen.folder)).make(), SystemClock()
    store = SqliteSessions(folders.gateway / "sessions.db")
    issuer = LocalIssuer(folders.gateway, clock=lambda: clock.unix_ms() / 1000)
    server = find_server(folders.practice)

    async def address() -> dict[str, Any]:
        assert server is not None
        return {name: getattr(server, name) for name in ("bedrock", "region", "access_key_id", "secret_access_key")}

    parts = UpstreamParts(
        linker=EchoLinker() if chosen.scripted else PracticeLinker(address, Settings()),
        clock=clock,
        store=store,
        local_time=lambda: datetime.now(UTC),
    )
    gateway = Gateway(GatewayOptions(upstream=parts, verifier=issuer.verifier(), issuer=issuer, limits=LIMITS))

    async def counts() -> dict[str, int]:
        sessions = sum(isinstance(one, GatewaySession) for one in gc.get_objects())
        return _process() | {"sessions": sessions, "records": await store.count(now_s=clock.unix_ms() / 1000)}

    await load_sdk()  # as the command does before it listens
    await _serve(gateway.application, counts, gateway.drain)
    issuer.close()
    await store.close()


async def _echo(_: argparse.Namespace) -> None:
    async def counts() -> dict[str, int]:
        return _process()

    await _serve(bare_echo(), counts, _at_once)


async def _upstream(chosen: argparse.Namespace) -> None:
    folders = find_folders(home=str(chosen.folder)).make()
    server = LocalServer(ServerOptions(folder=folders.practice, sessions=_MANY), EchoPartner)
    address = await server.start()

    async def counts() -> dict[str, int]:
        return _process() | {"streams": server.open_sessions}

    await _until_told(address.bedrock, counts, _at_once)
    await server.stop()


_SERVE = {"gateway": _gateway, "echo": _echo, "upstream": _upstream}


async def _serve(application: web.Application, counts: Counts, drain: Callable[[], Awaitable[None]]) -> None:
    runner = make_runner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1_024).start()
    await _until_told(f"ws://127.0.0.1:{runner.addresses[0][1]}/ws", counts, drain)
    await runner.cleanup()


async def _until_told(url: str, counts: Counts, drain: Callable[[], Awaitable[None]]) -> None:
    loop, over, asked = asyncio.get_running_loop(), asyncio.Event(), asyncio.Queue[None]()

    def read() -> None:
        if os.read(0, 4_096):
            asked.put_nowait(None)
        else:
            loop.remove_reader(0)
            over.set()

    async def answer() -> None:
        while True:
            await asked.get()
            _print(await counts())

    loop.add_reader(0, read)
    answering = asyncio.create_task(answer())
    with stop_signals(over):
        _print({"url": url, "pid": os.getpid()})
        await over.wait()
        await drain()
    answering.cancel()
    loop.remove_reader(0)


async def _at_once() -> None:
    """Nobody has to be sent anywhere."""


def _process() -> dict[str, int]:
    """Return what a process holds; a timer that is cancelled counts as none."""
    gc.collect()
    timers: Any = asyncio.get_running_loop()
    return {
        "tasks": len(asyncio.all_tasks()),
        "timers": sum(not timer.cancelled() for timer in timers._scheduled),
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "resident": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
    }


def _print(row: dict[str, Any]) -> None:
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
