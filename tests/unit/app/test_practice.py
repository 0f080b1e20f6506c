"""The practice server's process: one, whoever asks for it and however often they give up."""

import asyncio
import sys
from pathlib import Path

import pytest

from novadesk.app.practice import PracticeServer
from novadesk.errors import KnownError, Reason

SERVER = """
import os, sys, time
with open(sys.argv[1], "a") as started:
    started.write("x")
time.sleep(float(sys.argv[2]))
print('{"bedrock": "http://127.0.0.1:1"}', flush=True)
sys.stdin.read()
"""


def make(folder: Path, starts_in_s: float = 0.3, program: str = SERVER) -> PracticeServer:
    return PracticeServer([sys.executable, "-c", program, str(folder / "started"), str(starts_in_s)], folder)


async def test_who_asks_again_after_giving_up_gets_the_address(tmp_path: Path) -> None:
    server = make(tmp_path)
    for _ in range(2):
        asking = asyncio.create_task(server.address())
        await asyncio.sleep(0.1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert await server.address() == {"bedrock": "http://127.0.0.1:1"}
    assert (tmp_path / "started").read_text() == "x"
    await server.stop()


async def test_one_process_serves_everybody_who_asks(tmp_path: Path) -> None:
    server = make(tmp_path)
    answers = await asyncio.gather(*(server.address() for _ in range(5)))
    assert answers == [{"bedrock": "http://127.0.0.1:1"}] * 5
    assert (tmp_path / "started").read_text() == "x"
    await server.stop()


async def test_a_server_that_died_is_started_again(tmp_path: Path) -> None:
    server = make(tmp_path, 0.0)
    await server.address()
    assert server._process is not None
    server._process.kill()
    await server._process.wait()
    assert await server.address() == {"bedrock": "http://127.0.0.1:1"}
    assert (tmp_path / "started").read_text() == "xx"
    await server.stop()


async def test_stopping_while_it_starts_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("novadesk.app.practice.STOP_S", 0.3)
    server = make(tmp_path, 60.0)
    asking = asyncio.create_task(server.address())
    async with asyncio.timeout(60):
        while not (tmp_path / "started").exists():
            await asyncio.sleep(0.02)
        process = server._process
        assert process is not None
        await server.stop()
        outcomes = await asyncio.gather(asking, return_exceptions=True)
    assert isinstance(outcomes[0], KnownError | asyncio.CancelledError)
    assert process.returncode is not None


async def test_a_server_that_says_nothing_of_use_is_a_known_error(tmp_path: Path) -> None:
    for program in ("print('hello')", "raise SystemExit(1)"):
        server = make(tmp_path, program=program)
        for _ in range(2):
            with pytest.raises(KnownError) as failure:
                await server.address()
            assert failure.value.reason is Reason.PRACTICE_FAILED
        await server.stop()
