"""Gateways as processes of their own that share a store: one is killed in the middle of an answer, one told to stop."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from novadesk.paths import find_folders
from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.server.call import Call, Heard, HungUp, Typed
from novadesk.server.gateway.issuer import LocalIssuer
from tests.support.commands import ENTRY
from tests.support.gateway_host import Client
from tests.support.scripted_partner import running

_SECRETS = ("I met", "You said", "Bearer", "session_")


async def _answer(call: Call) -> None:
    """Answer every text with itself; one that says so is never answered to its end."""
    while True:
        match await call.receive():
            case HungUp():
                return
            case Typed(text):
                await call.plan(f"You said {text}")
                await call.speak(b"\x01\x00" * 12_000)
                if "for ever" in text and not call.history:
                    continue
                await call.speech_ended(last=True)
                await call.spoken(f"You said {text}", last=True)
            case Heard():
                pass


class _Process:
    """`novadesk gateway --dev`."""

    def __init__(self, process: asyncio.subprocess.Process, address: dict[str, str], log: Path) -> None:
        self.process, self.address, self.log = process, address, log

    async def connect(self, http: aiohttp.ClientSession, token: str) -> Client:
        return Client(await http.ws_connect(self.address["gateway"], headers={"Authorization": f"Bearer {token}"}))


@contextlib.asynccontextmanager
async def _gateway(home: Path, name: str) -> AsyncIterator[_Process]:
    log = home / f"{name}.log"
    env = {**os.environ, "NOVADESK_HOME": str(home)}
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *ENTRY, "gateway", "--dev", "--port", "0", env=env, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            line = await process.stdout.readline()
        yield _Process(process, json.loads(line), log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await process.stdout.read()


def _token(folder: Path) -> str:
    issuer = LocalIssuer(folder, clock=time.time)
    try:
        return issuer.mint("ann", valid_s=600.0)
    finally:
        issuer.close()


async def test_a_conversation_outlives_a_killed_gateway_and_a_stopped_one(tmp_path: Path) -> None:
    folders = find_folders(home=str(tmp_path)).make()
    async with (
        running(folders.practice, _answer),
        _gateway(tmp_path, "one") as one,
        _gateway(tmp_path, "two") as two,
        aiohttp.ClientSession() as http,
    ):
        token = _token(folders.gateway)
        first = await one.connect(http, token)
        created = await first.create(request_id="call")
        await first.ask(said.TextInput(text="I met Dr. Smith."), told.TextAccepted)
        await first.until(lambda: len(first.all(told.Turn)) == 2)
        await first.ask(said.TextInput(text="This takes for ever."), told.TextAccepted)
        await first.until(lambda: len(first.sound) > 24_000)
        one.process.send_signal(signal.SIGKILL)
        killed_at = time.monotonic()
        await first.closed()

        second = await two.connect(http, token)
        resumed = await second.resume(created, last_sequence=first.sequences[-1])
        await second.until(lambda: bool(second.sound))
        gap_s = time.monotonic() - killed_at
        assert resumed.history_length == 3
        await second.until(lambda: "You said This takes for ever." in [turn.text for turn in second.all(told.Turn)])
        sys.stdout.write(f"kill -9 to the next sound: {gap_s:.2f} s\n")

        async with _gateway(tmp_path, "three") as three:
            two.process.send_signal(signal.SIGTERM)
            await second.next(told.ConnectionRefreshRequired)
            third = await three.connect(http, token)
            resumed = await third.resume(created, last_sequence=second.sequences[-1])
            await second.close()
            async with asyncio.timeout(60):
                assert await two.process.wait() == 0
            assert resumed.history_length == 4
            await third.ask(said.TextInput(text="And now?"), told.TextAccepted)
            await third.until(lambda: "You said And now?" in [turn.text for turn in third.all(told.Turn)])
            await third.say(said.EndSession())
            assert await third.closed() == 1000
        logs = "".join(process.log.read_text() for process in (one, two, three))
        assert all(json.loads(line)["message"] for line in logs.splitlines())
        assert [
            secret for secret in (*_SECRETS, token, created.session_id, created.resume_secret) if secret in logs
        ] == []
