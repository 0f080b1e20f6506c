"""The sync task: delivers the outbox in order, puts off what fails, has the rest read, and survives everything."""

import asyncio
import contextlib
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, takewhile

from novadesk.diagnostics.metrics import Measure, Meter
from novadesk.errors import KnownError
from novadesk.models import BackendKind
from novadesk.store import outbox
from novadesk.store.account import Account
from novadesk.store.agentruntime import RemoteSessions
from novadesk.store.chain import RollOver, SessionChain
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.delivery import Delivery, Requeued
from novadesk.store.names import next_name_ms
from novadesk.store.outbox import Lease, Waiting
from novadesk.store.pause import Clock, Pause, SyncPolicy, Verdict, in_words, verdict
from novadesk.store.pull import Pulled, Puller
from novadesk.store.registry import Registry
from novadesk.store.schedule import Progress, PullSchedule

_log = logging.getLogger(__name__)


class Sync:
    """Keeps the remote copy. Runs on the core's loop; only the holder of the core lock may run it.

    Args:
        database: open store.
        conversations: the archive whose writes are delivered.
        registry: where remote session ids are kept.
        remote: the remote session store.
        clock: monotonic seconds and Unix milliseconds.
        on_changed: called on the loop when turns were delivered or read, or when `note` changed.
        backend: the only backend whose conversations are delivered and read; None for all.
        on_progress: called with steps read and steps to read while the remote side is read, and with None after.
        on_recovered: called with the number of turns of the open conversation when its remote session was found missing
            or closed, and a successor has taken its place.
        meter: takes measurements.
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
        on_progress: Callable[[Progress | None], None] | None = None,
        on_recovered: Callable[[int], None] | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._database = database
        self._conversations = conversations
        self._registry = registry
        self._clock = clock
        self._on_changed = on_changed
        self._on_recovered = on_recovered
        self._backend = backend
        self._policy = policy or SyncPolicy()
        self._meter = meter
        account = Account(remote)
        self._chain = SessionChain(database, registry, remote, account, clock, roll_over or RollOver())
        self._delivery = Delivery(database, self._chain, remote, clock, self._note_delivered)
        self._schedule = PullSchedule(
            Puller(database, self._chain, account, remote, backend),
            self._policy,
            clock,
            on_progress=on_progress or (lambda _: None),
            on_changed=on_changed,
            on_listed=self.kick,
            on_read=self._on_read,
        )
        self._kicked = asyncio.Event()
        self._pause = Pause(self._policy, clock)
        self._put_off_errors: dict[str, KnownError] = {}
        self._waiting = Waiting()
        self._keyring_note = registry.note
        self._open: str | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def error(self) -> KnownError | None:
        """Return what keeps sync from working now, or None."""
        return self._pause.error or self._schedule.error

    @property
    def note(self) -> str:
        """Return one line about the state of sync for people, or an empty string."""
        error = self.error or next(iter(self._put_off_errors.values()), None)
        if error is not None:
            return in_words(error)
        if self._waiting.refused:
            return "The remote session store refuses a part of a conversation; it is kept on this computer."
        return self._registry.note

    def start(self, *, reading: bool = True) -> None:
        """Start the task; what an earlier process had in its hands is delivered again.

        Args:
            reading: also find what other machines began, now and at every occasion.
        """
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="sync")
        if reading:
            self._schedule.start()

    def kick(self) -> None:
        """Say that there may be something to deliver. A pause after a failure is kept."""
        self._kicked.set()

    def opened(self, handle: str | None) -> None:
        """Say which conversation is open, so that it is read soon."""
        self._open = handle
        self._schedule.opened(handle)

    def turn_kept(self) -> None:
        """Say that a turn of the open conversation reached the disk."""
        self.kick()
        self._schedule.turn_kept()

    def try_now(self) -> None:
        """End any pause: the network is back, rights were given, or the person asked for it."""
        self._pause.end()
        self._kicked.set()
        self._schedule.try_now()

    async def retry_parked(self) -> None:
        """Deliver everything again that was refused for good or waits, now."""
        await self._database.run(outbox.retry_all)
        self.try_now()

    async def pending(self) -> int:
        """Return the number of turns on their way to the backend in use; what it refused for good is not counted.

        Raises:
            KnownError: a fault of the store.
        """
        self._waiting = await self._database.read(lambda db: outbox.waiting(db, self._backend))
        return self._waiting.turns

    async def name_time_ms(self, handle: str) -> int:
        """Return the Unix milliseconds that a name given now has: later than all given before, on any machine.

        Raises:
            KnownError: a fault of the store.
        """
        now_ms = self._clock.unix_ms()
        return await self._database.read(lambda db: next_name_ms(db, handle, now_ms))

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
        await self._schedule.stop()
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await asyncio.wait({task})

    async def pull(self, handle: str | None = None) -> int:
        """Read what other machines wrote to a conversation, or (None) find their conversations and read them all.

        Deliver again what was refused, too. Cancelling the wait stops the reading.

        Returns:
            The number of turns that came in.

        Raises:
            KnownError: the remote side or the store; what was read until then is kept.
        """
        await self.retry_parked()
        return await (self._schedule.pull_all() if handle is None else self._schedule.pull(handle))

    async def read(self, handle: str) -> int:
        """Do as `pull` for one conversation, without delivering again what was refused.

        Raises:
            KnownError: as `pull`.
        """
        return await self._schedule.pull(handle)

    async def discover(self) -> int:
        """Add conversations that other machines began, without their turns; return how many are new or renamed.

        Raises:
            KnownError: the remote side or the store.
        """
        return await self._schedule.discover()

    async def _on_read(self, handle: str, pulled: Pulled, first: bool) -> None:
        """Begin the successor of a session that is closed or gone, and say so; show what the keyring was like."""
        if self._keyring_note != self._registry.note:
            self._keyring_note = self._registry.note
            self._on_changed()
        if pulled.closed is None and not pulled.lost:
            return
        if pulled.closed is not None:
            await self._chain.roll(handle, pulled.closed)
        self.kick()
        self._on_changed()  # There may be more to deliver now.
        if first or pulled.lost:
            await self._tell_recovered(handle)

    async def _tell_recovered(self, handle: str) -> None:
        conversation = await self._conversations.find(handle)
        if handle == self._open and conversation is not None and conversation.turns and self._on_recovered is not None:
            self._on_recovered(conversation.turns)

    def _note_delivered(self, lease: Lease) -> None:
        turn = lease.turn
        if self._meter is None or turn is None or lease.again:
            return
        # A turn that was replaced while it waited goes out once, under its own id; after a delivery, under another.
        if not lease.revision or lease.step_id == turn.turn_id:
            self._meter.note(Measure.TURN_DELIVERED, max(0, self._clock.unix_ms() - turn.at_ms))

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
                self._miss(error)
            except Exception:  # The outermost frame of the task: sync outlives its own bugs.
                _log.exception("the sync task met a bug")
                self._pause.rest()
            await self._pause.sit_out()

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
        now_ms = self._clock.unix_ms()
        return await self._database.read(lambda db: outbox.next_due_ms(db, self._backend, now_ms))

    async def _round(self) -> None:
        now_ms, lease_ms = self._clock.unix_ms(), int(self._policy.lease_s * 1000)
        leases = await self._database.run(
            lambda db: outbox.lease(db, self._policy.batch, now_ms, lease_ms, self._backend)
        )
        groups = groupby(sorted(leases, key=lambda held: (held.conversation, held.number)), lambda h: h.conversation)
        outcomes = await asyncio.gather(*(self._carry_out(deque(group)) for _, group in groups))
        failures = [failure for failure in outcomes if failure is not None]
        worst = next((f for f in failures if verdict(f) is Verdict.OFF), failures[0] if failures else None)
        if worst is not None:
            self._miss(worst)
        elif leases:
            self._pause.clear()
        if leases:
            self._on_changed()

    async def _carry_out(self, leases: deque[Lease]) -> KnownError | None:
        """Deliver the rows of one conversation; return the failure that stops everything, if any.

        One row goes first, so that a service that is down or unwilling is asked once. The turns behind it go together.
        """
        while leases:
            held = leases.popleft()
            try:
                await self._delivery.carry_out(held)
                self._put_off_errors.pop(held.conversation, None)
                await self._carry_out_together(leases)
            except Requeued:
                await self._give_back((held, *leases))
                await self._tell_recovered(held.conversation)
                return None
            except KnownError as error:
                if verdict(error) is not Verdict.NEVER:
                    return await self._put_off(held, leases, error)
                _log.warning("a row of the outbox is refused for good: %s", error.reason.value)
                await self._park(held, error.reason.value)
            except Exception:  # A bug about one row must not stop the others.
                _log.exception("a delivery met a bug")
                await self._park(held, "bug")
        return None

    async def _carry_out_together(self, leases: deque[Lease]) -> None:
        turns = list(takewhile(lambda held: held.turn is not None, leases))
        if len(turns) < 2:
            return
        done = await self._delivery.carry_out_together(turns)
        left = [held for held in leases if held.number not in done]
        leases.clear()
        leases.extend(left)

    async def _park(self, held: Lease, reason: str) -> None:
        await self._database.run(lambda db: outbox.park(db, held, reason))

    async def _put_off(self, held: Lease, rest: Sequence[Lease], error: KnownError) -> KnownError | None:
        """Give the leases back; the one that failed for its own reasons waits by itself."""
        alone = verdict(error) is Verdict.LATER
        due_ms = self._clock.unix_ms() + int(self._policy.backoff_s(held.attempts) * 1000) if alone else 0

        def put_off(db: sqlite3.Connection) -> None:
            outbox.fail(db, held, due_ms)
            outbox.release(db, rest)

        with contextlib.suppress(KnownError):  # A lease that cannot be given back runs out.
            await self._database.run(put_off)
        if alone:
            self._put_off_errors[held.conversation] = error
        return None if alone else error

    async def _give_back(self, leases: Iterable[Lease]) -> None:
        held = tuple(leases)
        with contextlib.suppress(KnownError):
            await self._database.run(lambda db: outbox.release(db, held))

    def _miss(self, error: KnownError) -> None:
        if self._pause.miss(error):
            _log.warning("sync is put off: %s", error.reason.value)
            self._on_changed()
