"""A real local Agent Runtime on a loopback socket, on a thread of its own, with faults; and boto3 clients for it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from aiohttp import web
from botocore.config import Config

from novadesk.server.agentruntime import AgentRuntime, error_response
from novadesk.server.agentruntime_shapes import ErrorType, ServiceError


class SteppingClock:
    """Unix seconds that move only when told to, but for a microsecond a reading."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 0.000_001
        return self.now


@dataclass
class FaultSwitch:
    """What the next requests meet. `matches` picks requests as "METHOD path"; `left` counts the faults to come."""

    left: int = 0
    answer: Callable[[web.Request, Callable[[], Any]], Any] | None = None
    matches: str = ""
    requests: list[str] = field(default_factory=list)

    def set(self, answer: Callable[[web.Request, Callable[[], Any]], Any], times: int = 1, matches: str = "") -> None:
        self.answer, self.left, self.matches = answer, times, matches

    def clear(self) -> None:
        self.left = 0


def refuse(kind: ErrorType) -> Callable[[web.Request, Callable[[], Any]], Any]:
    """Answer with an error, the operation is not carried out."""

    async def answer(_request: web.Request, _carry_out: Callable[[], Any]) -> web.StreamResponse:
        return error_response(kind, "asked for by the test")

    return answer


def lose_answer() -> Callable[[web.Request, Callable[[], Any]], Any]:
    """Carry out the operation, then cut the connection without an answer."""

    async def answer(request: web.Request, carry_out: Callable[[], Any]) -> web.StreamResponse:
        with contextlib.suppress(ServiceError):
            await carry_out()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return answer


def cut() -> Callable[[web.Request, Callable[[], Any]], Any]:
    """Cut the connection, the operation is not carried out."""

    async def answer(request: web.Request, _carry_out: Callable[[], Any]) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return answer


def delay(seconds: float) -> Callable[[web.Request, Callable[[], Any]], Any]:
    """Carry out the operation late."""

    async def answer(_request: web.Request, carry_out: Callable[[], Any]) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await carry_out()

    return answer


class RunningServer:
    """The server while it is up. `stop` and `start` again keep port and database."""

    def __init__(self, file: Path, **options: Any) -> None:
        self._file, self._options = file, options
        self.faults = FaultSwitch()
        self.port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="rig", daemon=True)
        self._thread.start()
        assert ready.wait(20)

    def stop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._loop = self._thread = None

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        runtime = AgentRuntime(self._file, **self._options)
        runner = web.AppRunner(runtime.application([self._middleware()]), access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        ready.set()
        await self._over.wait()
        await runner.cleanup()
        if late := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(late, timeout=5)  # Handlers that a fault made slow.
        runtime.close()

    def _middleware(self) -> Any:
        @web.middleware
        async def meddle(request: web.Request, handler: Any) -> web.StreamResponse:
            name = f"{request.method} {request.path}"
            self.faults.requests.append(name)
            if self.faults.left > 0 and self.faults.answer is not None and self.faults.matches in name:
                self.faults.left -= 1
                return await self.faults.answer(request, lambda: handler(request))
            return await handler(request)

        return meddle


@contextmanager
def running_server(file: Path, **options: Any) -> Iterator[RunningServer]:
    server = RunningServer(file, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@cache
def _session() -> boto3.session.Session:
    """Return the one session of these tests: each new one reads the descriptions of the services anew."""
    return boto3.session.Session(
        aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="practice", region_name="us-east-1"
    )


@contextmanager
def boto_client(endpoint: str) -> Iterator[Any]:
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=60, read_timeout=60)
    client = _session().client("bedrock-agent-runtime", endpoint_url=endpoint, config=config)
    try:
        yield client
    finally:
        client.close()
