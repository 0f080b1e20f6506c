"""One conversation over real sockets: the local server with its Agent Runtime, SQLite on disk, sync with boto3."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from novadesk.audio.nullio import FileSound
from novadesk.config import BackendSettings, LimitSettings, Settings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.conversation.controller import Controller
from novadesk.conversation.toolbox import Toolbox
from novadesk.errors import KnownError
from novadesk.models import Role
from novadesk.protocol.events import PromptStart, SessionStart
from novadesk.protocol.session import Setup
from novadesk.server.call import Call, HungUp, Typed
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.registry import Registry
from novadesk.store.remoteclient import RemoteAccess
from novadesk.store.sync import Sync, SyncPolicy
from novadesk.transport.bedrock import BedrockLink, LinkTiming, PracticeLinker
from tests.support.fault_outcomes import PATIENT
from tests.support.scripted_partner import Rig, running
from tests.support.store_rig import MemoryKeychain, RealClock

QUICK = SyncPolicy(first_pause_s=0.05, longest_pause_s=0.2, off_pause_s=60.0)
THINK_S = 0.15
PATIENCE_S = 60.0

type Said = tuple[Role, str]


@dataclass
class Memory:
    """A partner that answers with what it knows, and a book of what it heard and said as FINAL."""

    asked: list[str] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    hearing: asyncio.Event = field(default_factory=asyncio.Event)

    async def converse(self, call: Call) -> None:
        """Answer each typed text with the number of messages that were replayed and said since."""
        known = len(call.history)
        while not isinstance(event := await call.receive(), HungUp):
            if isinstance(event, Typed):
                self.asked.append(event.text)
                self.hearing.set()
                await asyncio.sleep(THINK_S)
                text = f"To {event.text}: I know of {known} messages."
                known += 2
                await call.plan(text)
                await call.speak(bytes(480))
                await call.speech_ended(last=True)
                await call.spoken(text, last=True)
                self.said += [(Role.USER, event.text), (Role.ASSISTANT, text)]


class Wirings:
    """How links are made; a test turns what is wrong on and off."""

    def __init__(self, address: Callable[[], Mapping[str, Any]], settings: Settings, timing: LinkTiming) -> None:
        self.kind = PracticeLinker.kind
        self.broken_address: dict[str, str] = {}
        self.failure: KnownError | None = None
        self.attempts = 0
        self.opening = 0
        self.most_opening = 0
        self._address = address
        self._linker = PracticeLinker(self._find, settings, timing=timing)

    async def link(self) -> BedrockLink:
        """Make a link, or fail as credentials do."""
        self.attempts += 1
        if self.failure is not None:
            raise KnownError(self.failure.reason, self.failure.what, self.failure.advice)
        link = await self._linker.link()
        self._watch(link)
        return link

    async def _find(self) -> Mapping[str, Any]:
        return {**self._address(), **self.broken_address}

    def _watch(self, link: BedrockLink) -> None:
        """Count the attempts in flight."""
        open_link = link.open

        async def counted() -> None:
            self.opening += 1
            self.most_opening = max(self.most_opening, self.opening)
            try:
                await open_link()
            finally:
                self.opening -= 1

        link.open = counted  # type: ignore[method-assign]  # counts around it


class MovingClock:
    """The wall clock of the server, which a test can set wrong."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)


@dataclass
class Talk:
    """A conversation against the server, and everything around it."""

    rig: Rig
    partner: Memory
    wirings: Wirings
    clock: MovingClock
    keychain: MemoryKeychain
    database: Database
    archive: Conversations
    sync: Sync
    controller: Controller

    async def until(self, condition: Callable[[Snapshot], bool], most_s: float = PATIENCE_S) -> Snapshot:
        """Wait for a snapshot."""
        async with asyncio.timeout(most_s):
            while not condition(snapshot := self.controller.snapshot()):
                await asyncio.sleep(0.01)
        return snapshot

    async def ready(self) -> Snapshot:
        """Wait until the conversation is live and nothing is being answered."""
        return await self.until(lambda now: now.phase is Phase.READY)

    async def ask(self, text: str) -> None:
        """Type a text and wait until its answer is on disk."""
        self.controller.say(text)
        await self.answered(text)

    async def answered(self, text: str) -> None:
        """Wait until the answer to a text is on disk and has been heard."""
        await self.until(
            lambda now: any(turn.text.startswith(f"To {text}:") and not turn.unconfirmed for turn in now.turns)
        )
        await self.ready()

    async def ask_in_vain(self, text: str) -> None:
        """Type a text and return when the service has it and thinks."""
        self.partner.hearing.clear()
        self.controller.say(text)
        async with asyncio.timeout(PATIENCE_S):
            await self.partner.hearing.wait()

    async def local(self) -> list[Said]:
        """Return what is on disk."""
        conversation = self.controller.snapshot().conversation
        assert conversation is not None
        return [(turn.role, turn.text) for turn in await self.archive.turns(conversation.handle, limit=1_000)]

    async def settled(self) -> None:
        """Wait until everything is delivered; trying again is what a person does who was told that sync is off."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.sync.settle(0.5):
                self.sync.try_now()
        assert await self.archive.pending() == 0

    async def check_books(self) -> None:
        """Compare what was said, what is on disk, and what is in the session store: the same, in order, once."""
        local = await self.local()
        said = list(dict.fromkeys(self.partner.said))  # what went into a dead link was said again
        assert local == said, f"on disk {local}, said {said}"
        await self.settled()
        assert await asyncio.to_thread(read_remote, self.rig) == local
        assert self.wirings.most_opening == 1


def _make_setup() -> Setup:
    prompt = PromptStart(prompt_name="11111111-2222-4333-8444-555555555555", voice_id="matthew")
    return Setup(session=SessionStart(), prompt=prompt, system_prompt="Be kind.")


def _remote(address: Mapping[str, str]) -> RemoteSessions:
    async def access() -> RemoteAccess:
        return RemoteAccess(
            access_key_id=address["access_key_id"],
            secret_access_key=address["secret_access_key"],
            endpoint=address["agent_runtime"],
        )

    return RemoteSessions(access, deadline_s=PATIENCE_S)


@asynccontextmanager
async def talking(
    folder: Path, *, life_s: float = 480.0, timing: LinkTiming = PATIENT, **options: object
) -> AsyncIterator[Talk]:
    """Run the server, the store, sync and a conversation.

    Args:
        life_s: life of a wire session as the app knows it: at three quarters of it the successor is prepared.
        timing: bounds of its links.
    """
    partner, clock = Memory(), MovingClock()
    async with (
        running(folder, partner.converse, wall_clock=clock, **options) as rig,
        Database(folder / "novadesk.db") as database,
    ):
        address = json.loads(rig.address.to_json())
        settings = Settings(backend=BackendSettings(), limits=LimitSettings(connection_s=life_s))
        keychain, archive = MemoryKeychain(), Conversations(database)
        remote = _remote(address)
        changed = asyncio.Event()
        sync = Sync(
            database, archive, Registry(database, keychain, rest_s=0.2), remote, RealClock(), changed.set, policy=QUICK
        )
        wirings = Wirings(lambda: address, settings, timing)
        controller = Controller(
            settings=settings,
            setup=lambda _: _make_setup(),
            linker=wirings,
            sound=FileSound(None, pace=4.0),
            archive=archive,
            clock=RealClock(),
            toolbox=Toolbox(),
            publish=lambda _: None,
            on_saved=sync.kick,
            on_quit=lambda: None,
        )
        await controller.start()
        sync.start()
        controller.connect()
        try:
            yield Talk(rig, partner, wirings, clock, keychain, database, archive, sync, controller)
        finally:
            await controller.stop()
            await sync.stop()
            await remote.close()


def read_remote(rig: Rig) -> list[Said]:
    """Return what the session store holds, read from its file: the newest version of each turn, in order."""
    import sqlite3

    newest: dict[str, tuple[int, int, Said]] = {}
    folder = rig.server._options.folder
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'sessions.db'}?mode=ro", uri=True)) as db:
        for number, payload in db.execute("SELECT number, payload FROM step ORDER BY number"):
            content = json.loads(json.loads(payload)["contentBlocks"][0]["text"])
            said = (Role(content["role"]), content["text"])
            newest[content["turn_id"]] = (content["at_ms"], number, said)
    return [said for _, _, said in sorted(newest.values(), key=lambda version: version[:2])]
