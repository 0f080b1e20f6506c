"""The sync task: delivers the outbox in order, puts off what fails, and survives everything."""

import asyncio
import contextlib
import logging
import random
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.store import outbox
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.chain import Clock, RollOver, SessionChain
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.delivery import Delivery
from novadesk.store.outbox import Lease
from novadesk.store.pull import Puller
from novadesk.store.registry import Registry

_log = logging.getLogger(__name__)


class Verdict(Enum):
    """What a failed delivery means for the rest."""

    WAIT = "wait"
    """The remote side is out of reach: everything waits, with growing pauses."""

    OFF = "off"
    """No right to it: sync is off for a long while, conversations go on locally."""

    LATER = "later"
    """Only this conversation waits."""

    NEVER = "never"
    """This row is refused for good: it is parked with the reason."""


_VERDICTS = {
    Reason.SYNC_UNREACHABLE: Verdict.WAIT,
    Reason.UNAVAILABLE: Verdict.WAIT,
    Reason.THROTTLED: Verdict.WAIT,
    Reason.UNREACHABLE: Verdict.WAIT,
    Reason.TIMED_OUT: Verdict.WAIT,
    Reason.TLS_REFUSED: Verdict.WAIT,
    Reason.PROXY_REFUSED: Verdict.WAIT,
    Reason.PRACTICE_FAILED: Verdict.WAIT,
    Reason.STORE_LOCKED: Verdict.WAIT,
    Reason.STORE_BROKEN: Verdict.WAIT,
    Reason.DISK_FULL: Verdict.WAIT,
    Reason.SYNC_DENIED: Verdict.OFF,
    Reason.ACCESS_DENIED: Verdict.OFF,
    Reason.BAD_SIGNATURE: Verdict.OFF,
    Reason.NO_CREDENTIALS: Verdict.OFF,
    Reason.CREDENTIALS_EXPIRED: Verdict.OFF,
    Reason.PRACTICE_PARTS_MISSING: Verdict.OFF,
    Reason.QUOTA: Verdict.LATER,
    Reason.SYNC_CONFLICT: Verdict.LATER,
    Reason.SYNC_SESSION_CLOSED: Verdict.LATER,
    Reason.BAD_REQUEST: Verdict.NEVER,
    Reason.UNKNOWN_CONVERSATION: Verdict.NEVER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPolicy:
    """Times of the sync task. A pause doubles with each failure up to its ceiling, less up to half at random."""

    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    off_pause_s: float = 900.0
    lease_s: float = 300.0
    batch: int = 32


class Sync:
    """Keeps the remote copy. Runs on the core's loop; only the holder of the core lock may run it.

    Args:
        database: open store.
        conversations: the archive whose writes are delivered.
        registry: where remote session ids are kept.
        remote: the remote session store.
        clock: monotonic seconds and Unix milliseconds.
        on_changed: called on the loop when turns were delivered or read, or when `note` changed.
        backend: the only backend whose conversations are delivered; None for all.
    """

    def __init__(
        self,
        database: Database,
        conversations: Conversations,
        registry: Registry,
        remote: RemoteSessions,
        clock: Clock,
        on_changed: Callable[[], None],
        *,
        backend: BackendKind | None = None,
        policy: SyncPolicy | None = None,
        roll_over: RollOver | None = None,
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._clock = clock
        self._on_changed = on_changed
        self._backend = backend
        self._policy = policy or SyncPolicy()
        chain = SessionChain(database, registry, remote, clock, roll_over or RollOver())
        self._delivery = Delivery(database, chain, remote, clock)
        self._puller = Puller(database, chain, remote)
        self._registry = registry
        self._kicked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._paused_until = 0.0
        self._misses = 0
        self._error: KnownError | None = None

    @property
    def error(self) -> KnownError | None:
        """Return what keeps sync from working now, or None."""
        return self._error

    @property
    def note(self) -> str:
        """Return one line about the state of sync for people, or an empty string."""
        if self._error is None:
            return self._registry.note
        if _verdict(self._error) is Verdict.OFF:
            return f"Sync is off: {self._error.what} {self._error.advice}"
        return f"Sync waits: {self._error.what}"

    def start(self) -> None:
        """Start the task; what an earlier process had in its hands is delivered again."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="sync")

    def kick(self) -> None:
        """Say that there may be something to deliver. A pause after a failure is kept."""
        self._kicked.set()

    def try_now(self) -> None:
        """End any pause: the network is back, rights were given, or the person asked for it."""
        self._paused_until = 0.0
        self._kicked.set()

    async def retry_parked(self) -> None:
        """Deliver everything again that was refused for good or waits, now."""
        await self._database.run(outbox.retry_all)
        self.try_now()

    async def settle(self, deadline_s: float) -> bool:
        """Wait until everything is delivered; return whether it was within `deadline_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while await self._next_due_ms() is not None:
                    self._kicked.set()
                    await asyncio.sleep(0.02)
                return True
        return False

    async def stop(self, *, deadline_s: float = 2.0) -> None:
        """End the task; a call in flight is left to its thread and recognised next time. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await asyncio.wait({task})

    async def pull(self, handle: str) -> int:
        """Add what other machines wrote to a conversation; return the number of turns added or confirmed.

        Raises:
            KnownError: the remote side or the store; what was read until then is kept.
        """
        return await self._puller.pull(handle, self._on_changed)

    async def discover(self) -> int:
        """Add conversations that other machines began, without their turns; return how many.

        Raises:
            KnownError: the remote side or the store.
        """
        added = await self._puller.discover()
        if added:
            self._on_changed()
        return added

    async def _run(self) -> None:
        recovered = False
        while True:
            try:
                if not recovered:
                    await self._database.run(outbox.recover)
                    recovered = True
                await self._wait()
                await self._round()
            except KnownError as error:
                self._pause(error)
            except Exception:  # The outermost frame of the task: sync outlives its own bugs.
                _log.exception("the sync task met a bug")
                self._paused_until = self._clock.now() + self._policy.longest_pause_s
            await self._sit_out_pause()

    async def _sit_out_pause(self) -> None:
        while (pause_s := self._paused_until - self._clock.now()) > 0:
            self._kicked.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._kicked.wait(), pause_s)

    async def _wait(self) -> None:
        """Return when a row may be leased."""
        while True:
            self._kicked.clear()
            due_ms = await self._next_due_ms()
            wait_s = None if due_ms is None else (due_ms - self._clock.unix_ms()) / 1000
            if wait_s is not None and wait_s <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._kicked.wait(), wait_s)

    async def _next_due_ms(self) -> int | None:
        return await self._database.read(lambda db: outbox.next_due_ms(db, self._backend))

    async def _round(self) -> None:
        now_ms, lease_ms = self._clock.unix_ms(), int(self._policy.lease_s * 1000)
        leases = await self._database.run(
            lambda db: outbox.lease(db, self._policy.batch, now_ms, lease_ms, self._backend)
        )
        groups = groupby(sorted(leases, key=lambda held: (held.conversation, held.number)), lambda h: h.conversation)
        outcomes = await asyncio.gather(*(self._carry_out(tuple(group)) for _, group in groups))
        failures = [failure for failure in outcomes if failure is not None]
        worst = next((f for f in failures if _verdict(f) is Verdict.OFF), failures[0] if failures else None)
        if worst is not None:
            self._pause(worst)
        elif leases:
            self._misses = 0
            self._error = None
        if leases:
            self._on_changed()

    async def _carry_out(self, leases: tuple[Lease, ...]) -> KnownError | None:
        """Deliver the rows of one conversation in order; return the failure that stops everything, if any."""
        for index, held in enumerate(leases):
            try:
                await self._delivery.carry_out(held)
            except KnownError as error:
                failure = error
            except Exception:  # A bug about one row must not stop the others.
                _log.exception("a delivery met a bug")
                await self._park(held, "bug")
                continue
            else:
                continue
            verdict = _verdict(failure)
            if verdict is Verdict.NEVER:
                _log.warning("a row of the outbox is refused for good: %s", failure.reason.value)
                await self._park(held, failure.reason.value)
                continue
            await self._put_off(held, leases[index + 1 :], verdict)
            return failure if verdict in (Verdict.WAIT, Verdict.OFF) else None
        return None

    async def _park(self, held: Lease, reason: str) -> None:
        await self._database.run(lambda db: outbox.park(db, held, reason))

    async def _put_off(self, held: Lease, rest: Iterable[Lease], verdict: Verdict) -> None:
        """Give the leases back; the one that failed for its own reasons waits by itself."""
        alone = verdict is Verdict.LATER
        due_ms = self._clock.unix_ms() + int(self._backoff_s(held.attempts) * 1000) if alone else 0

        def give_back(db: sqlite3.Connection) -> None:
            outbox.fail(db, held, due_ms)
            outbox.release(db, rest)

        with contextlib.suppress(KnownError):  # A lease that cannot be given back runs out.
            await self._database.run(give_back)

    def _pause(self, error: KnownError) -> None:
        off = _verdict(error) is Verdict.OFF
        pause_s = self._policy.off_pause_s if off else self._backoff_s(self._misses)
        self._misses += 1
        self._paused_until = self._clock.now() + pause_s
        changed = self._error is None or self._error.reason is not error.reason
        self._error = error
        if changed:
            _log.warning("sync is put off: %s", error.reason.value)
            self._on_changed()

    def _backoff_s(self, attempts: int) -> float:
        longest = min(self._policy.first_pause_s * 2.0 ** min(attempts, 16), self._policy.longest_pause_s)
        return longest * random.uniform(0.5, 1.0)


def _verdict(error: KnownError) -> Verdict:
    return _VERDICTS.get(error.reason, Verdict.LATER)
