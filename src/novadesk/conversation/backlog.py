"""What waits to be written, in order: the first that the disk refuses is tried until it works, and the rest waits."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from novadesk.errors import KnownError
from novadesk.models import Conversation, Turn

_log = logging.getLogger(__name__)

RETRY_S = 2.0
LAST_TRIES_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTurn:
    """A turn on its way to the disk, with the conversation that it may have to create there."""

    conversation: Conversation
    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPointer:
    """Which conversation is open, None for none, on its way to the disk."""

    handle: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptScenario:
    """Another scenario of a conversation, on its way to the disk."""

    handle: str
    scenario: str


type Kept = KeptTurn | KeptPointer | KeptScenario


class Backlog:
    """Writes one after another and loses nothing while the program runs.

    Args:
        write: puts one entry on the disk and returns the turn as it is there, if there is one to show; raises
            KnownError when that cannot be now.
        on_written: called with that turn once it waits no more.
        on_refused: called with the error of each failed try, and with None once the disk takes everything again.
    """

    def __init__(
        self,
        *,
        write: Callable[[Kept], Awaitable[Turn | None]],
        on_written: Callable[[Turn], None],
        on_refused: Callable[[KnownError | None], None],
    ) -> None:
        self.refusal: KnownError | None = None
        self._write = write
        self._on_written = on_written
        self._on_refused = on_refused
        self._entries: deque[Kept] = deque()
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._settled = asyncio.Event()
        self._hurry = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._note()

    @property
    def turns(self) -> tuple[KeptTurn, ...]:
        """Return the turns that are not on disk, in order."""
        return tuple(entry for entry in self._entries if isinstance(entry, KeptTurn))

    def add(self, entry: Kept) -> None:
        """Write an entry after those before."""
        self._entries.append(entry)
        self._note()

    def try_now(self) -> None:
        """Wait no longer after a refusal."""
        if self.refusal is not None:
            self._hurry.set()

    def start(self) -> None:
        """Begin to write."""
        self._writer = asyncio.create_task(self._write_all(), name="record-writer")

    async def settle(self) -> None:
        """Return once everything so far is on disk, or the disk refuses; at once while nothing is written at all."""
        if self._writer is not None:
            await self._settled.wait()

    async def stop(self) -> None:
        """Write what waits, trying for up to `LAST_TRIES_S`, then stop."""
        if self._writer is None:
            return
        self._hurry.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_TRIES_S):
                await self._empty.wait()
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        self._writer = None

    async def _write_all(self) -> None:
        while True:
            await self._filled.wait()
            written: Turn | None = None
            try:
                written = await self._write(self._entries[0])
            except KnownError as error:
                self.refusal = error
                self._note()
                self._on_refused(error)
                await self._pause()
                continue
            except Exception:
                _log.exception("a turn could not be written, by a bug")
            self._entries.popleft()
            healed = self.refusal is not None and not self._entries
            if healed:
                self.refusal = None
            self._note()
            if written is not None:
                self._on_written(written)
            if healed:
                self._on_refused(None)

    async def _pause(self) -> None:
        """Wait before the next try; the first after `stop` begins comes at once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_S):
                await self._hurry.wait()
        self._hurry.clear()

    def _note(self) -> None:
        for event, holds in (
            (self._filled, bool(self._entries)),
            (self._empty, not self._entries),
            (self._settled, self.refusal is not None or not self._entries),
        ):
            (event.set if holds else event.clear)()
