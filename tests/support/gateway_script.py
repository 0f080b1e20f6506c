"""A gateway that does as a test says: the WebSocket of docs/gateway.md, on this computer, with a short memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import WSMsgType, web

from novadesk.protocol import envelope_client as client
from novadesk.protocol import envelope_server as server
from novadesk.protocol.envelope import AudioFrame, Malformed, decode_client, encode, pack_audio, unpack_audio
from novadesk.protocol.envelope_values import ErrorCode

YEAR_MS = 1_795_000_000_000


@dataclass(slots=True)
class Remembered:
    """A session: what has been said to it, and what it has said that is not acknowledged."""

    session_id: str
    secret: str
    heard: list[AudioFrame] = field(default_factory=list)
    output: list[tuple[int, Any]] = field(default_factory=list)
    said: int = 0
    taken: int = 0


@dataclass(slots=True)
class ScriptedGateway:
    """Knows sessions; what it refuses, keeps to itself or breaks off is for the test to say.

    Attributes:
        said: every message of every client, in order.
        deaf: microphone frames are thrown away, and nothing is acknowledged.
        mute: nothing is answered at all.
        refuse: the HTTP status that connections are answered with, in turn; None lets one in.
        answer: takes a message before anything else does and returns an answer, or None for the usual one.
    """

    url: str = ""
    heartbeat_s: int = 30
    said: list[Any] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    sessions: dict[str, Remembered] = field(default_factory=dict)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    deaf: bool = False
    mute: bool = False
    refuse: list[int | None] = field(default_factory=list)
    answer: Callable[[Any], Any] = lambda message: None
    current: Remembered | None = None

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.said if isinstance(message, kind)]

    def cut(self) -> None:
        """Break the newest connection without a word."""
        request = self.sockets[-1]._req
        assert request is not None
        assert request.transport is not None
        request.transport.abort()

    async def tell(self, *messages: Any, lost: bool = False) -> None:
        """Say something counted, bytes for speech; `lost`: it is remembered and does not arrive."""
        session = self.current
        assert session is not None
        for message in messages:
            session.said += 1
            numbered = message if isinstance(message, bytes) else replace(message, sequence=session.said)
            session.output.append((session.said, numbered))
            if not lost:
                await self._pass(self.sockets[-1], session.said, numbered)

    async def plain(self, *messages: Any) -> None:
        for message in messages:
            await self.sockets[-1].send_str(encode(message))

    async def _pass(self, socket: web.WebSocketResponse, number: int, message: Any) -> None:
        if isinstance(message, bytes):
            await socket.send_bytes(pack_audio(number, message))
        else:
            await socket.send_str(encode(message))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("Authorization", ""))
        if self.refuse and (status := self.refuse.pop(0)) is not None:
            return web.Response(status=status, headers={"Retry-After": "7"})
        socket = web.WebSocketResponse(protocols=("novadesk.v1",))
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await self._hear(socket, message.data)
            elif message.type is WSMsgType.TEXT:
                await self._read(socket, message.data)
        return socket

    async def _hear(self, socket: web.WebSocketResponse, data: bytes) -> None:
        frame = unpack_audio(data)
        assert isinstance(frame, AudioFrame)
        session = self.current
        if self.deaf or session is None:
            return
        if frame.sequence > session.taken:
            session.taken = frame.sequence
            session.heard.append(frame)
        if not self.mute:
            await socket.send_str(encode(server.AudioAck(sequence=session.taken)))

    async def _read(self, socket: web.WebSocketResponse, data: str) -> None:
        message = decode_client(data)
        assert not isinstance(message, Malformed), message
        self.said.append(message)
        if self.mute:
            return
        answer = self.answer(message)
        if answer is None:
            await self._respond(socket, message)
        elif answer is not True:
            await socket.send_str(encode(answer))

    async def _respond(self, socket: web.WebSocketResponse, message: Any) -> None:
        answer: Any = None
        match message:
            case client.CreateSession(request_id=str(request_id)):
                session = self.sessions.setdefault(f"session-{request_id}", Remembered(f"session-{request_id}", "s3"))
                self.current = session
                answer = server.SessionCreated(
                    request_id=request_id, session_id=session.session_id, resume_secret=session.secret,
                    created_at=YEAR_MS, expires_at=2 * YEAR_MS, heartbeat_s=self.heartbeat_s,
                )  # fmt: skip
            case client.ResumeSession():
                await self._resume(socket, message)
            case client.History(lines=lines):
                answer = server.HistoryTaken(history_length=len(lines))
            case client.TextInput(request_id=request_id):
                answer = server.TextAccepted(request_id=request_id)
            case client.Configure():
                answer = server.Configured(revision=1, configuration=message.configuration)
            case client.Heartbeat(timestamp=timestamp):
                answer = server.HeartbeatAck(timestamp=timestamp)
            case client.RefreshToken():
                answer = server.TokenRefreshed(expires_at=2 * YEAR_MS)
            case client.Ack(sequence=sequence) if self.current is not None:
                self.current.output = [one for one in self.current.output if one[0] > sequence]
            case client.EndSession(session_id=str(session_id)):
                self.sessions.pop(session_id, None)
                await socket.send_str(encode(server.SessionEnded(session_id=session_id, reason="user_ended")))
                await socket.close()
        if answer is not None:
            await socket.send_str(encode(answer))

    async def _resume(self, socket: web.WebSocketResponse, asked: client.ResumeSession) -> None:
        session = self.sessions.get(asked.session_id)
        if session is None or session.secret != asked.resume_secret:
            missing = server.Error(code=ErrorCode.SESSION_NOT_FOUND, layer="gateway", message="No such session.")
            await socket.send_str(encode(missing))
            return
        self.current = session
        resumed = server.SessionResumed(
            session_id=session.session_id, generation=2, last_audio=session.taken, expires_at=2 * YEAR_MS,
            heartbeat_s=self.heartbeat_s,
        )  # fmt: skip
        await socket.send_str(encode(resumed))
        for number, message in session.output:
            if number > asked.last_sequence:
                await self._pass(socket, number, message)


@asynccontextmanager
async def scripted_gateway(gateway: ScriptedGateway | None = None, ssl: Any = None) -> AsyncIterator[ScriptedGateway]:
    """Run one, on a port that the system gives."""
    gateway = gateway or ScriptedGateway()
    application = web.Application()
    application.router.add_get("/ws", gateway.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl)
    await site.start()
    host, port = runner.addresses[0][:2]
    gateway.url = f"{'wss' if ssl else 'ws'}://{host}:{port}"
    try:
        yield gateway
    finally:
        for socket in gateway.sockets:
            await asyncio.wait_for(socket.close(), 60)
        await runner.cleanup()
