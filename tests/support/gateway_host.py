"""Gateways in this process on loopback, with a scripted voice service and a store in memory, and clients of theirs."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from novadesk.protocol import envelope_client as said
from novadesk.protocol.envelope import ClientMessage, Malformed, ServerMessage, decode_server, encode, pack_audio
from novadesk.protocol.envelope_server import SessionCreated, SessionResumed
from novadesk.server.gateway.app import Gateway, GatewayOptions, make_runner
from novadesk.server.gateway.issuer import LocalIssuer
from novadesk.server.gateway.options import GatewayLimits, Timing
from novadesk.server.gateway.tracing import UNTRACED, Tracer
from novadesk.server.gateway.upstream import UpstreamParts
from tests.support.gateway_memory import MemorySessions
from tests.support.memory_service import MemoryLinker

FRAME = b"\x11\x11" * 512
PATIENCE_S = 60.0


class WallClock:
    """The clock of this computer, which a test may set forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> float:
        return time.monotonic() + self.ahead_s

    def unix_ms(self) -> int:
        return round((time.time() + self.ahead_s) * 1000)


class Host:
    """Several gateways that share a store, an issuer and a voice service."""

    def __init__(self, folder: Path, store: Any = None) -> None:
        self.clock = WallClock()
        self.store = store or MemorySessions()
        self.linker = MemoryLinker()
        self.issuer = LocalIssuer(folder, clock=lambda: self.clock.unix_ms() / 1000)
        self.gateways: list[Gateway] = []
        self.urls: list[str] = []
        self._runners: list[web.AppRunner] = []
        self._http: aiohttp.ClientSession | None = None

    async def add(
        self,
        *,
        limits: GatewayLimits | None = None,
        timing: Timing | None = None,
        tracer: Tracer = UNTRACED,
        **options: Any,
    ) -> Gateway:
        """Start one more gateway."""
        upstream = UpstreamParts(
            linker=self.linker,
            clock=self.clock,
            store=self.store,
            local_time=lambda: datetime(2026, 11, 22, tzinfo=UTC),
            tracer=tracer,
        )
        gateway = Gateway(
            GatewayOptions(
                upstream=upstream,
                verifier=self.issuer.verifier(),
                issuer=self.issuer,
                limits=limits or GatewayLimits(),
                timing=timing or Timing(),
                **options,
            )
        )
        runner = make_runner(gateway.application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.gateways.append(gateway)
        self._runners.append(runner)
        self.urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        return gateway

    @property
    def http(self) -> aiohttp.ClientSession:
        """Return a client for plain requests."""
        if self._http is None:
            self._http = aiohttp.ClientSession()
        return self._http

    def token(self, owner: str = "ann", valid_s: float = 600.0) -> str:
        """Return a token."""
        return self.issuer.mint(owner, valid_s=valid_s)

    async def connect(self, owner: str = "ann", *, gateway: int = 0, token: str | None = None, **more: Any) -> "Client":
        """Open a WebSocket."""
        headers = {"Authorization": f"Bearer {token or self.token(owner)}"} | more.pop("headers", {})
        socket = await self.http.ws_connect(f"{self.urls[gateway]}/ws", headers=headers, **more)
        return Client(socket)

    async def kill(self, gateway: int) -> None:
        """Break a gateway off as `kill -9` would: nothing is handed over, nothing is said."""
        for site in list(self._runners[gateway].sites):
            await site.stop()
        self.cut(gateway)

    def cut(self, gateway: int = 0) -> None:
        """Break every connection of a gateway off, which lives on."""
        for transport in self._transports(gateway):
            transport.abort()

    def sockets(self, gateway: int = 0) -> list[Any]:
        """Return the sockets of the connections that a gateway has."""
        return [transport.get_extra_info("socket") for transport in self._transports(gateway)]

    def _transports(self, gateway: int) -> list[asyncio.Transport]:
        server = self._runners[gateway].server
        assert server is not None
        return [handler.transport for handler in server.connections if handler.transport is not None]

    async def stop(self) -> None:
        """Stop everything."""
        if self._http is not None:
            await self._http.close()
        for runner in self._runners:
            await runner.cleanup()
        self.issuer.close()
        await self.store.close()


class Client:
    """A client of a gateway that keeps everything it is told."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.told: list[ServerMessage | Malformed | bytes] = []
        self.sequence = 0
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name="test-client-reader")

    async def say(self, message: ClientMessage) -> None:
        """Send a message."""
        await self.socket.send_str(encode(message))

    async def ask[M: ServerMessage](self, message: ClientMessage, kind: type[M]) -> M:
        """Send a message and return the next one of a kind."""
        known = len(self.told)
        await self.say(message)
        return await self.next(kind, known)

    async def speak(self, frames: int = 1) -> None:
        """Send microphone frames."""
        for _ in range(frames):
            self.sequence += 1
            await self.socket.send_bytes(pack_audio(self.sequence, FRAME))

    async def create(self, **fields: Any) -> SessionCreated:
        """Begin a session."""
        return await self.ask(said.CreateSession(**fields), SessionCreated)

    async def resume(self, created: SessionCreated, **fields: Any) -> SessionResumed:
        """Take a session over."""
        return await self.ask(
            said.ResumeSession(session_id=created.session_id, resume_secret=created.resume_secret, **fields),
            SessionResumed,
        )

    async def next[M](self, kind: type[M], known: int = 0) -> M:
        """Return the first message of a kind behind `known`; wait for it."""
        await self.until(lambda: any(isinstance(message, kind) for message in self.told[known:]))
        return next(message for message in self.told[known:] if isinstance(message, kind))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that has to come."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.05)

    async def closed(self) -> int:
        """Return the code with which the gateway closes."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({self._reader})
        return self.socket.close_code or 0

    def all[M](self, kind: type[M]) -> list[M]:
        """Return every message of a kind."""
        return [message for message in self.told if isinstance(message, kind)]

    @property
    def sound(self) -> bytes:
        """Return what was heard."""
        return b"".join(message[4:] for message in self.told if isinstance(message, bytes))

    @property
    def sequences(self) -> list[int]:
        """Return the numbers of all that is counted, in order of arrival."""
        numbers = []
        for message in self.told:
            if isinstance(message, bytes):
                numbers.append(int.from_bytes(message[:4], "big"))
            elif (number := getattr(message, "sequence", None)) and type(message).__name__ != "AudioAck":
                numbers.append(number)
        return numbers

    def cut(self) -> None:
        """Break the connection off."""
        transport = self.socket.get_extra_info("socket")
        assert transport is not None
        self.socket._response.connection.transport.abort()  # type: ignore[union-attr]

    async def close(self) -> None:
        """Close the connection."""
        await self.socket.close()
        await asyncio.wait({self._reader})

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.told.append(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                self.told.append(decode_server(message.data))
            self._news.set()


@contextlib.asynccontextmanager
async def hosted(folder: Path, gateways: int = 1, **options: Any) -> AsyncIterator[Host]:
    """Run gateways for a test."""
    host = Host(folder)
    try:
        for _ in range(gateways):
            await host.add(**options)
        yield host
    finally:
        await host.stop()
