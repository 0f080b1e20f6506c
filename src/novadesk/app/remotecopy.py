"""The remote copy of the conversations as the running core drives and shows it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from novadesk.config import Settings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.conversation.record import remade_line
from novadesk.diagnostics.metrics import Measure, Meter
from novadesk.errors import KnownError
from novadesk.models import BackendKind, Conversation
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.erasure import Erasure
from novadesk.store.pause import Clock
from novadesk.store.registry import Registry
from novadesk.store.remoteclient import AccessSource
from novadesk.store.schedule import Progress
from novadesk.store.sync import Sync

_log = logging.getLogger(__name__)

_DOWN = frozenset({Phase.OFFLINE, Phase.FAILED, Phase.CONNECTING, Phase.RECONNECTING})

KNOWN_S = 0.7
"""Longest wait for what others said since, before a conversation is resumed: what is new is usually there in 0.3 s."""

UNKNOWN_S = 4.0
"""The same for a conversation of which nothing is here: without it the model would know nothing."""


class Screen(Protocol):
    """Where the state of the remote copy is shown."""

    def set_extra(self, *, pulling: Progress | None) -> None:
        """Show how far reading is."""
        ...

    def notice(self, line: str) -> None:
        """Show a passing line."""
        ...

    async def note_delivery(self, *, pending: int, note: str, changed: bool = False) -> None:
        """Show how many turns are on their way, a line about it, and what changed on disk."""
        ...


class RemoteCopy:
    """Sync with all that it needs from the core.

    Args:
        settings: backend and encryption key.
        database: open store.
        archive: the conversations in it.
        registry: remote session ids.
        access: how the session store is reached.
        clock: time.
        meter: takes measurements.
        screen: returns where to show; asked when there is something to show.
        erasure: deletes what a gateway has; None without one.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        archive: Conversations,
        registry: Registry,
        access: AccessSource,
        clock: Clock,
        meter: Meter,
        screen: Callable[[], Screen],
        erasure: Erasure | None = None,
    ) -> None:
        backend = settings.backend
        self._needed = not backend.kind.copies_itself
        kms_key = backend.kms_key if backend.kind is BackendKind.BEDROCK else ""
        self._remote = RemoteSessions(access, kms_key=kms_key)
        self._archive = archive
        self._meter = meter
        self._screen = screen
        self._erasure = erasure
        self._sync = Sync(
            database,
            archive,
            registry,
            self._remote,
            clock,
            self._on_synced,
            backend=backend.kind,
            on_progress=lambda progress: screen().set_extra(pulling=progress),
            on_recovered=lambda turns: screen().notice(remade_line(turns)),
            meter=meter,
        )
        self._news = asyncio.Event()
        self._changed = False
        self._phase = Phase.IDLE
        self._open: str | None = None
        self._shown: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver, to read and to show; nothing where the other side keeps copies of its own."""
        if self._erasure is not None:
            self._erasure.start()
        if not self._needed:
            return
        self._sync.start()
        self._shown = asyncio.create_task(self._show(), name="sync-shown")

    async def stop(self) -> None:
        """Stop everything. Idempotent."""
        shown, self._shown = self._shown, None
        if shown is not None:
            shown.cancel()
            await asyncio.gather(shown, return_exceptions=True)
        if self._erasure is not None:
            await self._erasure.stop()
        await self._sync.stop()
        await self._remote.close()

    def see(self, snapshot: Snapshot) -> None:
        """Follow which conversation is open, and whether the network is back."""
        if snapshot.phase is Phase.READY and self._phase in _DOWN:
            self.try_now()  # what brought the link back may serve the session store too
        self._phase = snapshot.phase
        conversation = snapshot.conversation
        handle = None if conversation is None or conversation.private else conversation.handle
        if handle != self._open:
            self._open = handle
            self._sync.opened(handle)

    def turn_kept(self) -> None:
        """Take note that a turn of the open conversation reached the disk."""
        self._sync.turn_kept()
        self._news.set()

    def changed(self) -> None:
        """Take note that the person changed a conversation in the list."""
        if self._erasure is not None:
            self._erasure.kick()
        self._sync.kick()
        self._on_synced()

    def try_now(self) -> None:
        """Wait no longer after a failure."""
        if self._erasure is not None:
            self._erasure.try_now()
        self._sync.try_now()

    async def pull(self, handle: str | None = None) -> int:
        """Read what other machines wrote, see `Requests.pull`."""
        return await self._sync.pull(handle) if self._needed else 0

    async def name_time_ms(self, handle: str) -> int:
        """Return the time that a name given now has, see `Sync.name_time_ms`."""
        return await self._sync.name_time_ms(handle)

    async def freshen(self, found: Conversation) -> None:
        """Read what others said in a conversation that is about to be resumed, as far as it comes in time."""
        if self._shown is None or (self._sync.error is not None and found.turns):
            return
        with contextlib.suppress(KnownError, TimeoutError):  # The note says what is wrong.
            async with asyncio.timeout(KNOWN_S if found.turns else UNKNOWN_S):
                await self._sync.read(found.handle)

    def _on_synced(self) -> None:
        self._changed = True
        self._news.set()

    async def _show(self) -> None:
        """Keep the number of turns on their way, and what the person should know of it, in the snapshot."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                pending, changed = await self._sync.pending(), self._changed
                self._changed = False
                self._meter.note(Measure.OUTBOX_DEPTH, pending)
                await self._screen().note_delivery(pending=pending, note=self._sync.note, changed=changed)
            except KnownError:
                _log.warning("the number of waiting turns could not be read")


class FreshArchive(Conversations):
    """The archive that conversations are resumed from: what other machines said comes first.

    Args:
        database: open store.
        freshen: reads it, in bounded time; called with a conversation that is looked for and is not the last one.
    """

    def __init__(self, database: Database, freshen: Callable[[Conversation], Awaitable[None]]) -> None:
        super().__init__(database)
        self._freshen = freshen
        self._last: str | None = None

    async def find(self, handle: str) -> Conversation | None:
        """Return a conversation, or None."""
        found = await super().find(handle)
        if found is None or handle == self._last:
            return found
        self._last = handle
        await self._freshen(found)
        return await super().find(handle)
