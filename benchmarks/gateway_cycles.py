"""Conversations that are begun and ended fast, again and again by many at once: what a gateway has left of them."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import aiohttp

from benchmarks.gateway_echo import MARK
from benchmarks.gateway_processes import Hosted, hosted, tokens
from benchmarks.sheet import Rule, Sheet
from novadesk.protocol.envelope import pack_audio

_FRAME = pack_audio(1, MARK + bytes(1_020))
_SETTLE_S = 15.0  # a thread of the state without work ends after ten
_BACK = ("tasks", "timers", "files", "threads", "sessions", "records")


def measure(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Put down what is left."""
    with tempfile.TemporaryDirectory() as name, hosted("gateway", Path(name), scripted=True) as gateway:
        shown = tokens(Path(name), chosen.clients)
        asyncio.run(_all(gateway.url, shown, 2))  # what is made once and kept: threads, the store's connections
        before, begun = _settled(gateway, {}), time.monotonic()
        asyncio.run(_all(gateway.url, shown, chosen.cycles))
        took_s = time.monotonic() - begun
        after = _settled(gateway, before)
    count = chosen.clients * chosen.cycles
    sheet.note(f"{count} conversations of {chosen.clients} clients, begun, spoken into and ended within {took_s:.0f} s")
    sheet.note(", ".join(f"{name} {before[name]} before, {after[name]} after" for name in _BACK))
    left = sum(max(0, after[name] - before[name]) for name in _BACK)
    sheet.row("tasks, timers, sockets, threads, records left", left, 0, unit="", rule=Rule.AT_MOST)
    sheet.row("memory kept of each", (after["resident"] - before["resident"]) / count / 1e3, unit="KB")


async def _all(url: str, shown: list[str], cycles: int) -> None:
    async with aiohttp.ClientSession() as http:
        await asyncio.gather(*(_client(http, url, token, cycles) for token in shown))


async def _client(http: aiohttp.ClientSession, url: str, token: str, cycles: int) -> None:
    for cycle in range(cycles):
        async with http.ws_connect(url, headers={"Authorization": f"Bearer {token}"}) as socket:
            await socket.send_json({"type": "createSession", "requestId": str(cycle)})
            if cycle % 4:  # the others never open a voice
                await socket.send_bytes(_FRAME)
            await socket.send_json({"type": "endSession"})
            async for _ in socket:
                pass
            if socket.close_code != aiohttp.WSCloseCode.OK:
                raise ConnectionError(f"closed with {socket.close_code}")


def _settled(gateway: Hosted, wanted: dict[str, int]) -> dict[str, int]:
    """Return the counts once they are what they were, or do not change any more."""
    until, counts = time.monotonic() + _SETTLE_S, gateway.counts()
    while time.monotonic() < until:
        time.sleep(0.5)
        last, counts = counts, gateway.counts()
        if all(counts[name] <= wanted.get(name, last[name]) for name in _BACK) and counts["records"] == 0:
            break
    return counts
