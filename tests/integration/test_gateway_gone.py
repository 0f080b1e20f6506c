"""Clients that go away in the middle: the gateway takes it as their right, and logs nothing (`conftest` sees to it)."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from novadesk.server.gateway import rest
from novadesk.server.gateway.narration import Speech
from novadesk.server.gateway.options import Timing
from tests.support.gateway_host import PATIENCE_S, Host, hosted


@pytest.fixture
async def dev(tmp_path: Path) -> AsyncIterator[Host]:
    async with hosted(tmp_path, dev=True) as host:
        yield host


@contextlib.asynccontextmanager
async def _sent(host: Host, request: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Send the beginning of a request, or all of it."""
    url = urlsplit(host.urls[0])
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(request.encode())
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield reader, writer
    finally:
        writer.transport.abort()


async def _begin(host: Host) -> str:
    async with host.http.post(f"{host.urls[0]}/session/start", data=json.dumps({"userId": "test-user"})) as response:
        return str((await response.json())["sessionId"])


async def _healthy(host: Host) -> bool:
    """Return whether it still answers; by then whatever came before it has been told."""
    async with host.http.get(f"{host.urls[0]}/health") as response:
        return response.status == 200


async def test_who_leaves_a_stream_of_events_disturbs_nobody(dev: Host) -> None:
    session_id = await _begin(dev)
    path = f"/events/stream/{session_id}"
    async with _sent(dev, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n") as (reader, _):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        dev.cut()
    async with dev.http.get(f"{dev.urls[0]}{path}") as newer:  # the older stream is told that its place is taken
        assert await _healthy(dev)
        async with dev.http.delete(f"{dev.urls[0]}/session/{session_id}"):
            assert b"ended" in await newer.content.read()


async def test_who_reads_nothing_of_a_stream_any_more_loses_it(tmp_path: Path) -> None:
    async with hosted(tmp_path, dev=True, timing=Timing(heartbeat_s=0.1)) as host:
        session_id = await _begin(host)
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            url = urlsplit(host.urls[0])
            await asyncio.to_thread(deaf.connect, (url.hostname, url.port))
            deaf.sendall(f"GET /events/stream/{session_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            (session,) = host.gateways[0].sessions.here

            def of_deaf() -> list[socket.socket]:
                return [one for one in host.sockets() if one.getpeername() == deaf.getsockname()]

            async with asyncio.timeout(PATIENCE_S):
                while session.outlet is None:
                    await asyncio.sleep(0.01)
                (connection,) = of_deaf()
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 250
                for _ in range(6):  # more than the system takes for it
                    session._tell(Speech("c", bytes(900_000)))
                while session.outlet is not None or of_deaf():
                    await asyncio.sleep(0.01)
        assert await _healthy(host)


async def test_who_leaves_before_the_first_event_disturbs_nobody(dev: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = await _begin(dev)
    asked, gone = asyncio.Event(), asyncio.Event()
    find = dev.store.find

    async def found(*args: Any, **more: Any) -> Any:
        asked.set()
        await gone.wait()
        return await find(*args, **more)

    monkeypatch.setattr(dev.store, "find", found)
    async with _sent(dev, f"GET /events/stream/{session_id} HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        await asked.wait()
        dev.cut()
    gone.set()
    assert await _healthy(dev)


@pytest.mark.parametrize("path", ["/session/start", "/audio/chunk", "/token"])
async def test_who_leaves_in_the_middle_of_a_request_disturbs_nobody(dev: Host, path: str) -> None:
    kind = "Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n"
    request = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{kind}Content-Length: 1000\r\n\r\n{{"
    async with _sent(dev, request) as (reader, _):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")  # it has a handler now
        dev.cut()
    assert await _healthy(dev)


async def test_who_does_not_send_the_rest_of_a_request_is_answered(dev: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "_BODY_S", 0.1)
    head = "POST /session/start HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
    async with _sent(dev, head + "{") as (reader, writer):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 400")
        assert b"did not come in time" in await reader.readuntil(b"}")
        writer.write(b"}")
