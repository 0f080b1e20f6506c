"""The client's link to a gateway with a real wire session on it, a person who is signed in, and a keyring in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from novadesk.config import BackendSettings, Settings
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation, SyncState
from novadesk.protocol.events import PromptStart, SessionStart
from novadesk.protocol.link import Accepted, Arrived, Closed, Missed
from novadesk.protocol.session import NovaSession, Setup, Side
from novadesk.protocol.session_events import SessionEvent
from novadesk.protocol.transcript import TurnText
from novadesk.transport.gateway import GatewayLink, GatewayLinker, LinkTiming
from novadesk.transport.gateway_line import LineTiming
from novadesk.transport.gateway_talk import SessionKey

SETUP = Setup(session=SessionStart(), prompt=PromptStart(prompt_name="p", voice_id="amy"), system_prompt="Be brief.")
PATIENCE_S = 60.0
PATIENT = LinkTiming(
    send_s=PATIENCE_S,
    line=LineTiming(
        open_s=PATIENCE_S, answer_s=PATIENCE_S, return_s=PATIENCE_S, waits_s=(0.0, 0.05), tick_s=0.02, window=8
    ),
)
QUICK = replace(PATIENT, send_s=1.0, line=replace(PATIENT.line, answer_s=0.3, return_s=1.0))
"""For what only time ends; a busy computer may have it end sooner."""
HANDLE = "session_1795000000000_abcdefghi"


def frame(number: int) -> bytes:
    return number.to_bytes(2, "little") * 512


@dataclass(slots=True)
class Person:
    """Signed in as long as there are tokens; `newer` are those that come by themselves."""

    tokens: list[str] = field(default_factory=lambda: ["t1", "t2", "t3"])
    newer: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def token(self) -> str:
        if not self.tokens:
            raise KnownError(Reason.NO_CREDENTIALS, "Nobody is signed in.", "Sign in.")
        return self.tokens[0]

    async def renewals(self) -> AsyncIterator[str]:
        while True:
            yield await self.newer.get()

    def refused(self, token: str) -> None:
        self.tokens.remove(token)


@dataclass(slots=True)
class Ring:
    """A keyring in memory."""

    kept: dict[str, SessionKey] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)

    async def find(self, handle: str) -> SessionKey | None:
        return self.kept.get(handle)

    async def note(self, handle: str) -> None:
        self.noted.add(handle)

    async def keep(self, handle: str, key: SessionKey) -> None:
        self.kept[handle] = key

    async def drop(self, handle: str) -> None:
        self.kept.pop(handle, None)


def conversation(*, private: bool = False) -> Conversation:
    return Conversation(
        handle=HANDLE, label="one", title="", backend=BackendKind.GATEWAY, created_ms=1, updated_ms=1, turns=0,
        sync=SyncState.LOCAL, private=private,
    )  # fmt: skip


@dataclass(slots=True)
class Wire:
    """A link with a real wire session on it."""

    link: GatewayLink
    session: NovaSession = field(default_factory=lambda: NovaSession(Side.CLIENT))
    events: list[SessionEvent] = field(default_factory=list)
    missed: list[TurnText] = field(default_factory=list)
    closed: Closed | None = None

    async def send(self) -> None:
        for payload in self.session.events_to_send():
            await self.link.send(payload)

    async def say(self, *numbers: int) -> None:
        for number in numbers:
            self.session.send_audio(frame(number), now())
        await self.send()

    async def start(self, history: Any = ()) -> "Wire":
        await self.link.open()
        self.session.start(SETUP, now())
        await self.send()
        message = await asyncio.wait_for(self.link.receive(), PATIENCE_S)
        assert isinstance(message, Accepted), message
        self.session.accepted(now())
        self.session.open_audio(history, now())
        await self.send()
        return self

    async def hear(self, until: Callable[[], bool]) -> None:
        """Take what comes until something holds, or the link is over."""
        async with asyncio.timeout(PATIENCE_S):
            while not until():
                message = await self.link.receive()
                if isinstance(message, Closed):
                    self.closed = message
                    return
                if isinstance(message, Missed):
                    self.missed.append(message.turn)
                if isinstance(message, Arrived):
                    self.session.receive(message.payload, now())
                    self.events += self.session.events_received()

    async def end(self) -> Closed:
        """Hear the end of the link."""
        await self.hear(lambda: False)
        assert self.closed is not None
        return self.closed

    def of(self, kind: type[SessionEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass(slots=True)
class Here:
    """A person at a gateway, and links that are closed at the end."""

    url: str
    person: Person = field(default_factory=Person)
    ring: Ring = field(default_factory=Ring)
    open: Conversation | None = field(default_factory=conversation)
    links: list[GatewayLink] = field(default_factory=list)
    timing: LinkTiming = PATIENT
    switch: Any = None
    ca_bundle: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    _linker: GatewayLinker | None = None

    def restart(self) -> None:
        """Begin as a program does that knows the keyring only."""
        self._linker = None

    def heard(self, content_id: str, samples: int, *, last: bool = False) -> None:
        """Have the person hear some of a piece of speech."""
        assert self._linker is not None
        self._linker.heard(content_id, samples, last=last)

    async def wire(self) -> Wire:
        if self._linker is None:
            self._linker = GatewayLinker(
                Settings(backend=BackendSettings(gateway=self.url, ca_bundle=self.ca_bundle)),
                environment=self.environment,
                tokens=self.person,
                keys=self.ring,
                conversation=lambda: self.open,
                unix_ms=lambda: 1_795_000_000_000,
                timing=self.timing,
            )
        link = await self._linker.link()
        self.links.append(link)
        return Wire(link)

    async def close(self) -> None:
        for link in self.links:
            await link.close()


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.005)
