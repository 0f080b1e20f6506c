"""Looks after the store in the background: recovery copies, and with them the check of every page."""

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable

from novadesk.daemon import DaemonCall
from novadesk.errors import KnownError, Reason
from novadesk.store import faults, repair, wordindex
from novadesk.store.copies import Health, RecoveryCopies, Stopped
from novadesk.store.database import Database

_log = logging.getLogger(__name__)

FIRST_S = 3.0
"""Time after the start that the disk is left to it."""

LOOK_S = 3_600.0
FRESH_MS = 24 * 3_600_000
"""Age at which a recovery copy is followed by the next."""

_COPY_S = 600.0


class Caretaker:
    """Makes a recovery copy when there is none of the last day, or when the newest has what was deleted since.

    Args:
        database: the open store.
        unix_ms: Unix time.
        on_note: takes a sentence about damage that a copy brought to light.
        first_s: time before the first look.
        look_s: time between two looks.
    """

    def __init__(
        self,
        database: Database,
        *,
        unix_ms: Callable[[], int],
        on_note: Callable[[str], None],
        first_s: float = FIRST_S,
        look_s: float = LOOK_S,
    ) -> None:
        self._database, self._unix_ms, self._on_note = database, unix_ms, on_note
        self._first_s, self._look_s = first_s, look_s
        self._copies = RecoveryCopies(database.file)
        self._hurry = asyncio.Event()
        self._stop = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._under_way: DaemonCall[Health] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="caretaker")

    def hurry(self) -> None:
        """Look now: something was deleted."""
        self._hurry.set()

    async def stop(self) -> None:
        """Give up a copy that is being made, and end. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        self._stop.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._under_way is not None:  # it reads the store, which is about to be closed
            with contextlib.suppress(Exception):  # Its fault is of no more use to anybody.
                await self._under_way.result(deadline_s=5.0)

    async def look(self) -> Health | None:
        """Make a recovery copy when it is time; return how the store is, or None when it was not time.

        Raises:
            KnownError: the copy cannot be made.
        """
        deleted_ms, turns = await self._database.read(_deleted_and_turns)
        newest_ms, now_ms = self._copies.newest_ms(), self._unix_ms()
        stale = newest_ms is not None and newest_ms <= deleted_ms
        if newest_ms is None and not turns:
            return None
        if newest_ms is not None and not stale and newest_ms <= now_ms < newest_ms + FRESH_MS:
            return None
        self._under_way = DaemonCall(
            lambda: self._copies.make(max(now_ms, deleted_ms + 1), only=stale, stop=self._stop), name="novadesk-copy"
        )
        try:
            health = await self._under_way.result(deadline_s=_COPY_S)
        except KnownError as error:
            if error.reason is not Reason.STORE_BROKEN:
                raise
            health = Health.DAMAGED
        await self._judge(health)
        if stale:
            await self._database.forget_old_pages()  # the copy itself may have kept the deletion from doing it
        return health

    async def _judge(self, health: Health) -> None:
        if health is Health.INDEX_DAMAGED:
            _log.warning("the search index was damaged and is made anew")
            await self._database.run(wordindex.rebuild)
        elif health is Health.DAMAGED:
            _log.error("the store is damaged")
            repair.mark_suspect(self._database.file)
            self._on_note(faults.damaged(self._database.file).whole)

    async def _run(self) -> None:
        wait_s = self._first_s
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), wait_s)
            self._hurry.clear()
            wait_s = self._look_s
            try:
                await self.look()
            except Stopped:
                return
            except (KnownError, TimeoutError) as error:
                _log.warning("no recovery copy was made: %s", error.reason.value if isinstance(error, KnownError) else
                             "it takes too long")  # fmt: skip
            except Exception:  # The outermost frame of the task.
                _log.exception("looking after the store met a bug")


def _deleted_and_turns(db: sqlite3.Connection) -> tuple[int, bool]:
    (deleted_ms,) = db.execute("SELECT coalesce(max(deleted_ms), 0) FROM tombstone").fetchone()
    return int(deleted_ms), db.execute("SELECT 1 FROM turn LIMIT 1").fetchone() is not None
