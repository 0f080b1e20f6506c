"""Fifty sessions talk while their gateway is replaced, with a scripted voice service: every turn is there once."""

import asyncio
import sys
import time
from pathlib import Path

from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.server.gateway.limits import Rate
from novadesk.server.gateway.options import GatewayLimits, Timing
from tests.support.gateway_host import Client, Host, hosted

_SESSIONS = 50
_MANY = Rate(most=10_000, span_s=1.0)


async def _ask(client: Client, text: str) -> None:
    await client.ask(said.TextInput(text=text, request_id=text), told.TextAccepted)


async def _talker(host: Host, number: int, moved: list[float]) -> str:
    """Say one thing before the restart and one after it; return the session's id."""
    first = await host.connect(f"talker-{number}")
    created = await first.create()
    await _ask(first, f"before {number}")
    await first.next(told.ConnectionRefreshRequired)
    begun = time.monotonic()
    second = await host.connect(f"talker-{number}", gateway=1)
    await second.resume(created, last_sequence=first.sequences[-1] if first.sequences else 0)
    moved.append(time.monotonic() - begun)
    await first.close()
    await _ask(second, f"after {number}")
    await second.close()
    return created.session_id


async def test_a_rolling_restart_under_fifty_sessions_loses_no_turn(tmp_path: Path) -> None:
    limits = GatewayLimits(
        sessions=_SESSIONS, sessions_per_owner=1, connections=_MANY, creations=_MANY, messages=_MANY, requests=_MANY
    )
    async with hosted(tmp_path, gateways=2, limits=limits, timing=Timing(rest_s=0.1, touch_s=0.5)) as host:
        moved: list[float] = []
        talkers = [asyncio.create_task(_talker(host, number, moved)) for number in range(_SESSIONS)]
        async with asyncio.timeout(60):
            while len(host.gateways[0].sessions.here) < _SESSIONS or len(host.linker.links) < _SESSIONS:
                await asyncio.sleep(0.01)
            await host.gateways[0].drain()
            sessions = await asyncio.gather(*talkers)
        for number, session_id in enumerate(sessions):
            texts = [turn.text for turn in await host.store.turns(session_id)]
            assert texts == [f"before {number}", f"after {number}"]
        moved.sort()
        sys.stdout.write(f"{_SESSIONS} sessions moved: median {moved[_SESSIONS // 2]:.3f} s, most {moved[-1]:.3f} s\n")
