"""Deletes in the background: for good what was set aside, and what is older than the person wants to keep."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from novadesk.errors import KnownError
from novadesk.models import Due, counted
from novadesk.store import deletion
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.deletion import DAY_MS, Old
from novadesk.text import Text

_log = logging.getLogger(__name__)

UNDO_MS = 30_000
"""How long a deletion can be undone. Messages that pass shall stay for at least 20 s (WCAG 2.2, 2.2.1)."""

FIRST_S = 10.0
"""Time after the start that the disk is left to it."""

LOOK_S = 3_600.0
_LAST_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long conversations are kept.

    Attributes:
        days: since their last turn; 0 keeps them all.
        remotely_too: delete the remote copies of those that are older as well.
    """

    days: int = 0
    remotely_too: bool = False


class Retention:
    """Looks at the start, every hour, and when a deletion can no longer be undone.

    Args:
        database: the open store.
        archive: the conversations in it.
        keeping: how long they are kept.
        unix_ms: Unix time.
        spare: returns the handle of the open conversation, which is never too old, or None.
        on_deleted: called on the loop after something was deleted for good.
        on_aged: called on the loop with what was deleted for its age, in words.
        first_s: time before the first look.
    """

    def __init__(
        self,
        database: Database,
        archive: Conversations,
        keeping: Keeping,
        *,
        unix_ms: Callable[[], int],
        spare: Callable[[], str | None],
        on_deleted: Callable[[], None],
        on_aged: Callable[[str], None] = lambda _words: None,
        first_s: float = FIRST_S,
    ) -> None:
        self._database, self._archive, self.keeping = database, archive, keeping
        self._unix_ms, self._spare, self._on_deleted = unix_ms, spare, on_deleted
        self._on_aged, self._first_s = on_aged, first_s
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="retention")

    def keep(self, keeping: Keeping) -> None:
        """Keep conversations as long as this from now on."""
        if keeping != self.keeping:
            self.keeping = keeping
            self.hurry()

    async def due(self, days: int) -> Due:
        """Return what would be deleted now if conversations were kept for `days`; 0 keeps them all."""
        if not days:
            return Due()
        found = await self._old(days)
        return Due(going=len(found.handles), starred=found.starred, undelivered=found.undelivered)

    def hurry(self) -> None:
        """Look now: something was set aside."""
        self._hurry.set()

    async def stop(self) -> None:
        """Delete what can no longer be undone once the program is gone, and end. Bounded to 2 s; idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(KnownError, TimeoutError):  # The next start does it.
            async with asyncio.timeout(_LAST_S):
                await self._archive.delete_left(1 << 62, self._unix_ms())

    async def look(self) -> float:
        """Delete what is due; return the seconds until there may be more.

        Raises:
            KnownError: the store does not let us.
        """
        now_ms = self._unix_ms()
        if await self._archive.delete_left(now_ms - UNDO_MS, now_ms):
            self._on_deleted()
        await self._delete_old(now_ms)
        first_ms = await self._database.read(deletion.first_left_ms)
        if first_ms is None:
            return LOOK_S
        return max(first_ms + UNDO_MS - self._unix_ms(), 0) / 1000

    async def _delete_old(self, now_ms: int) -> None:
        days, here_only = self.keeping.days, not self.keeping.remotely_too
        if not days:
            return
        found = await self._old(days)
        count = await self._archive.delete_all(found.handles, now_ms, here_only=here_only)
        if count:
            _log.info(
                "%s without a turn for %s deleted%s; kept: %d with a star, %d not delivered yet",
                counted(count, "conversation"),
                counted(days, "day"),
                ", copies on other computers stay" if here_only else "",
                found.starred,
                found.undelivered,
            )
            went, age = (
                Text.counted("1 conversation", "{n} conversations", count),
                Text.counted("1 day", "{n} days", days),
            )
            self._on_aged(Text("{went} older than {age} deleted.", went=went, age=age))
            self._on_deleted()

    async def _old(self, days: int) -> Old:
        before_ms, spare = self._unix_ms() - days * DAY_MS, self._spare()
        return await self._database.read(lambda db: deletion.old(db, before_ms, spare))

    async def _run(self) -> None:
        wait_s = self._first_s
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), wait_s)
            self._hurry.clear()
            wait_s = LOOK_S
            try:
                wait_s = await self.look()
            except KnownError as error:
                _log.warning("nothing old was deleted: %s", error.reason.value)
            except Exception:  # The outermost frame of the task.
                _log.exception("deleting what is old met a bug")
