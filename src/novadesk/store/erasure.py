"""Deletes at the gateway what was deleted here: owed on the disk until the gateway has done it, through every exit."""

import asyncio
import contextlib
import logging
from typing import Protocol

from novadesk.errors import KnownError
from novadesk.store import links, outbox
from novadesk.store.database import Database
from novadesk.store.outbox import Deletion
from novadesk.store.pause import Clock, Pause, SyncPolicy, Verdict, verdict
from novadesk.store.registry import Registry

_log = logging.getLogger(__name__)

LOOK_S = 600.0
"""How seldom is looked for what the keyring did not let go of."""


class GatewayCopies(Protocol):
    """The copies of conversations that a gateway keeps."""

    async def delete(self, handle: str) -> None:
        """Delete all that a gateway has of a conversation; one of which it has nothing is no error.

        Raises:
            KnownError: it is not deleted, or not all of it.
        """
        ...


class Erasure:
    """Pays the deletions that a gateway is owed. Only the holder of the core lock may run it.

    Args:
        database: open store.
        registry: the keyring entries, which go last.
        copies: at the gateway.
        gateway: its address, as the settings have it. What another one is owed stays owed.
        clock: monotonic seconds and Unix milliseconds.
        policy: times.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        copies: GatewayCopies,
        gateway: str,
        clock: Clock,
        *,
        policy: SyncPolicy | None = None,
    ) -> None:
        self._database, self._registry, self._copies, self._clock = database, registry, copies, clock
        self._mark = links.gateway_mark(gateway)
        self._policy = policy or SyncPolicy()
        self._pause = Pause(self._policy, clock)
        self._kicked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def error(self) -> KnownError | None:
        """Return what keeps a deletion from being done now, or None."""
        return self._pause.error

    def start(self) -> None:
        """Start the task."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="gateway-erasure")

    async def stop(self) -> None:
        """End the task; what is owed stays so. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def kick(self) -> None:
        """Say that there may be something to delete. A pause after a failure is kept."""
        self._kicked.set()

    def try_now(self) -> None:
        """End any pause: the network is back, or the person has signed in."""
        self._pause.end()
        self._kicked.set()

    async def _run(self) -> None:
        while True:
            self._kicked.clear()
            look_s = LOOK_S
            try:
                look_s = await self._round()
                self._pause.clear()
            except KnownError as error:
                if self._pause.miss(error):
                    _log.warning("a deletion at the gateway is put off: %s", error.reason.value)
            except Exception:  # The outermost frame of the task: it outlives its own bugs.
                _log.exception("deleting at the gateway met a bug")
                self._pause.rest()
            await self._pause.sit_out()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.0 if self._pause.error is not None else look_s):
                    await self._kicked.wait()

    async def _round(self) -> float:
        """Pay what is due; return the seconds until there may be something again."""
        while (owed := await self._next()) is not None:
            try:
                await self._copies.delete(owed.handle)
            except KnownError as error:
                if verdict(error) not in (Verdict.LATER, Verdict.NEVER):
                    raise
                await self._put_off(owed, error)
            else:
                await self._done(owed)
        for handle in await self._database.read(links.left_in_keyring):
            await self._forget(handle)
        due_ms = await self._database.read(lambda db: outbox.deletion_due_ms(db, self._mark))
        return LOOK_S if due_ms is None else min(LOOK_S, max(0.0, (due_ms - self._clock.unix_ms()) / 1000))

    async def _next(self) -> Deletion | None:
        now_ms = self._clock.unix_ms()
        return await self._database.read(lambda db: outbox.next_deletion(db, self._mark, now_ms))

    async def _put_off(self, owed: Deletion, error: KnownError) -> None:
        """Let others go first."""
        _log.warning("a deletion at the gateway is put off: %s", error.reason.value)
        due_ms = self._clock.unix_ms() + int(self._policy.backoff_s(owed.attempts) * 1000)
        await self._database.run(lambda db: outbox.put_off(db, owed, due_ms))

    async def _done(self, owed: Deletion) -> None:
        if await self._database.run(lambda db: outbox.deleted_there(db, owed, self._mark)):
            await self._forget(owed.handle)

    async def _forget(self, handle: str) -> None:
        await self._registry.forget(handle)
        await self._database.run(lambda db: links.forget(db, handle))
