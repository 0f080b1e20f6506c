"""Partners that a test writes line by line, and the local server around them."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from novadesk.server.call import Call, Heard, HungUp, Typed
from novadesk.server.runner import LocalServer, ServerAddress, ServerOptions
from tests.support.wire_client import Keys, WireClient, WireStream


class Scripted:
    """A partner that does what a coroutine function says and remembers its calls."""

    def __init__(self, script: Callable[[Call], Awaitable[None]]) -> None:
        self.script = script
        self.calls: list[Call] = []
        self.ended = 0

    def __call__(self) -> "Scripted":
        return self

    async def converse(self, call: Call) -> None:
        self.calls.append(call)
        try:
            await self.script(call)
        finally:
            self.ended += 1


async def answer_typed(call: Call) -> None:
    """Answer each typed text with itself, in text and 0.2 s of speech."""
    while True:
        match await call.receive():
            case HungUp():
                return
            case Typed(text):
                await call.user_said(text)
                await call.plan(f"You said {text}")
                await call.speak(b"\x01\x00" * (call.output_rate_hz // 5))
                await call.speech_ended(last=True)
                await call.spoken(f"You said {text}", last=True)
            case _:
                pass


async def echo(call: Call) -> None:
    """Say back each frame that is heard."""
    while True:
        match await call.receive():
            case HungUp():
                return
            case Heard(pcm):
                await call.speak(pcm)
            case _:
                pass


async def listen(call: Call) -> None:
    """Hear everything and say nothing."""
    while not isinstance(await call.receive(), HungUp):
        pass


@dataclass(slots=True, kw_only=True)
class Rig:
    """A running server and the keys for it."""

    server: LocalServer
    address: ServerAddress
    partner: Scripted

    @property
    def keys(self) -> Keys:
        return Keys(access_key_id=self.address.access_key_id, secret_access_key=self.address.secret_access_key)

    @contextlib.asynccontextmanager
    async def client(self, *, tls: bool = False) -> AsyncIterator[WireClient]:
        url = self.address.bedrock_tls if tls else self.address.bedrock
        async with await WireClient().connect(url, self.address.ca_file) as client:
            yield client

    @contextlib.asynccontextmanager
    async def stream(self, *, tls: bool = False, **how: object) -> AsyncIterator[WireStream]:
        async with self.client(tls=tls) as client:
            yield client.open(self.keys, **how)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def running(
    folder: Path, script: Callable[[Call], Awaitable[None]] = answer_typed, **options: object
) -> AsyncIterator[Rig]:
    """Run a server with a scripted partner."""
    partner = Scripted(script)
    server = LocalServer(ServerOptions(folder=folder, **options), partner)  # type: ignore[arg-type]
    address = await server.start()
    try:
        yield Rig(server=server, address=address, partner=partner)
    finally:
        await server.stop()
