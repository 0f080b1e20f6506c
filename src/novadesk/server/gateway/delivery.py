"""Delivers the turns of all sessions to Agent Runtime: what a process leaves undone, another one does.

A turn is owed from the transaction that keeps it until the service has acknowledged it, and its step id follows from
its id and version: however often it is sent, it is there once. One process at a time has the chain of a session.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable

from novadesk.diagnostics.metrics import Measure, Meter
from novadesk.errors import KnownError, Reason
from novadesk.models import SyncState
from novadesk.server.gateway.remote_chain import ChainMaker, following
from novadesk.server.gateway.state import PendingTurn, RemoteChain, SessionStore
from novadesk.server.gateway.tracing import UNTRACED, Step, Tracer, traced
from novadesk.server.gateway.watch import label_of
from novadesk.store.agentruntime import RemoteSessions, RemoteStatus
from novadesk.store.chain import RollOver
from novadesk.store.pause import Clock, Pause, SyncPolicy, Verdict, verdict
from novadesk.store.steps import encode_turn
from novadesk.store.together import together

_log = logging.getLogger(__name__)

POLL_S = 5.0
"""How soon the debts of a process that died are found, once its hold on them has run out."""

_POLICY = SyncPolicy(lease_s=60.0)
_TRIES = 5
_AT_ONCE = 8
_BATCH = 50
_SESSIONS = 100
_NEWEST_INVOCATIONS = 256


class _Taken(Exception):
    """Somebody else has the chain now."""


class _OwedAgain(Exception):
    """The remote copy was lost: what it had comes before what is at hand."""


class TurnDelivery:
    """The task that delivers. Every process of a gateway runs one.

    Args:
        store: sessions, their turns, and what is owed of them.
        remote: the remote session store.
        clock: monotonic seconds and Unix milliseconds.
        gateway: name of this process, which nobody else has.
        meter: told `TURN_DELIVERED` with each turn, and `OUTBOX_DEPTH`.
        tracer: makes a span of what is delivered in one go.
    """

    def __init__(
        self,
        store: SessionStore,
        remote: RemoteSessions,
        clock: Clock,
        *,
        gateway: str,
        meter: Meter | None = None,
        tracer: Tracer = UNTRACED,
        policy: SyncPolicy = _POLICY,
        roll_over: RollOver | None = None,
    ) -> None:
        self._store = store
        self._remote = remote
        self._clock = clock
        self._gateway = gateway
        self._meter = meter
        self._tracer = tracer
        self._policy = policy
        self._chains = ChainMaker(remote, clock, roll_over or RollOver())
        self._pause = Pause(policy, clock)
        self._kicked = asyncio.Event()
        self._invocations: deque[tuple[str, str]] = deque(maxlen=_NEWEST_INVOCATIONS)
        self._put_off: dict[str, tuple[float, int]] = {}
        self._numbers = itertools.count()
        self._task: asyncio.Task[None] | None = None

    @property
    def error(self) -> KnownError | None:
        """Return what keeps turns from being delivered now, or None."""
        return self._pause.error

    def start(self) -> None:
        """Start the task."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="gateway-delivery")

    def kick(self) -> None:
        """Say that there may be something to deliver. A pause after a failure is kept."""
        self._kicked.set()

    async def stop(self) -> None:
        """End the task; what is under way is recognised next time. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def begin(self, session_id: str) -> str:
        """Return the newest remote session of a session, made when there is none yet.

        Raises:
            KnownError: the remote side or the store; also `SYNC_CONFLICT` while another process has it.
        """
        async with self._held(session_id) as holder:
            chain = await self._lease(session_id, holder)
            with contextlib.suppress(_Taken):
                if chain is not None:
                    return (await self._ready(chain, holder)).bedrock_session_id
        raise KnownError(
            Reason.SYNC_CONFLICT, "Another process is writing to this conversation.", "Try again in a moment."
        )

    async def flush(self, session_id: str) -> bool:
        """Deliver what a session owes, now; return whether it owes nothing after that.

        Raises:
            KnownError: what kept a turn from being delivered; it stays owed.
        """
        await self._deliver(session_id)
        return not await self._store.undelivered(session_id, limit=1)

    async def _run(self) -> None:
        while True:
            self._kicked.clear()
            try:
                await self._round()
            except KnownError as error:
                if self._pause.miss(error):
                    _log.warning("turns are not delivered for now: %s", error.reason.value)
            except Exception:  # The outermost frame of the task: it outlives its own bugs.
                _log.exception("the delivery of turns met a bug")
                self._pause.rest()
            await self._pause.sit_out()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._kicked.wait()

    async def _round(self) -> None:
        """Deliver for every session that owes; one that fails for its own reasons waits by itself.

        Raises:
            KnownError: what keeps all of them.
        """
        owing = await self._store.waiting(limit=_SESSIONS)
        self._put_off = {one: self._put_off[one] for one in owing if one in self._put_off}
        waiting = [one for one in owing if self._is_due(one)]
        if waiting:
            await self._try(waiting[0])  # alone, so that a service that is down is asked once
            rest = deque(waiting[1:])

            async def work() -> None:
                while rest:
                    await self._try(rest.popleft())

            await together(*(work() for _ in range(min(_AT_ONCE, len(rest)))))
        self._pause.clear()
        if self._meter is not None:
            owing = await self._store.waiting(limit=_SESSIONS)
            depth = [len(await self._store.undelivered(one)) for one in owing]
            self._meter.note(Measure.OUTBOX_DEPTH, float(sum(depth)))

    def _is_due(self, session_id: str) -> bool:
        until, _ = self._put_off.get(session_id, (0.0, 0))
        return until <= self._clock.now()

    async def _try(self, session_id: str) -> None:
        try:
            await self._deliver(session_id)
        except KnownError as error:
            if verdict(error) in (Verdict.WAIT, Verdict.OFF):
                raise
            _, misses = self._put_off.get(session_id, (0.0, 0))
            self._put_off[session_id] = (self._clock.now() + self._policy.backoff_s(misses), misses + 1)
            _log.warning("a conversation is put off: %s", error.reason.value)
        else:
            self._put_off.pop(session_id, None)

    async def _deliver(self, session_id: str) -> None:
        """Deliver what a session owes, in order, until nothing is owed or another process has it."""
        async with self._held(session_id) as holder:
            while (chain := await self._lease(session_id, holder)) is not None:
                owed = await self._store.undelivered(session_id, limit=_BATCH)
                if not owed:
                    return
                try:
                    with traced(self._tracer, Step.DELIVERY, label_of(session_id)):
                        await self._deliver_all(chain, owed, holder)
                except _Taken:
                    return
                except _OwedAgain:
                    continue

    @contextlib.asynccontextmanager
    async def _held(self, session_id: str) -> AsyncIterator[str]:
        """Give the name under which to lease a chain, one that no other piece of work here has; free it at the end."""
        holder = f"{self._gateway}:{next(self._numbers)}"
        try:
            yield holder
        finally:
            with contextlib.suppress(KnownError):  # A hold that cannot be given back runs out.
                await self._store.free_chain(session_id, holder=holder)

    async def _lease(self, session_id: str, holder: str) -> RemoteChain | None:
        now_ms = self._clock.unix_ms()
        until_ms = now_ms + int(self._policy.lease_s * 1000)
        return await self._store.lease_chain(session_id, holder=holder, now_ms=now_ms, until_ms=until_ms)

    async def _deliver_all(self, chain: RemoteChain, owed: Iterable[PendingTurn], holder: str) -> None:
        for one in owed:
            try:
                chain = await self._put(chain, one, holder)
            except KnownError as error:
                if verdict(error) is not Verdict.NEVER:
                    raise
                _log.warning("a turn is refused for good: %s", error.reason.value)
                await self._mark(one, SyncState.FAILED)
                continue
            await self._keep(chain, holder)
            if await self._mark(one, SyncState.SYNCED) and self._meter is not None:
                late_ms = max(0, self._clock.unix_ms() - one.turn.at_ms)
                self._meter.note(Measure.TURN_DELIVERED, float(late_ms))

    async def _mark(self, one: PendingTurn, sync: SyncState) -> bool:
        turn = one.turn
        return await self._store.mark_delivered(turn.conversation, turn.turn_id, revision=one.revision, sync=sync)

    async def _ready(self, chain: RemoteChain, holder: str) -> RemoteChain:
        return await self._chains.ready(chain, lambda newer: self._keep(newer, holder))

    async def _keep(self, chain: RemoteChain, holder: str) -> None:
        if not await self._store.save_chain(chain, holder=holder):
            raise _Taken

    async def _put(self, chain: RemoteChain, one: PendingTurn, holder: str) -> RemoteChain:
        """Put a step, whatever state its session is in; return the chain with it.

        Raises:
            KnownError: it is not there, or nobody knows.
        """
        turn, text, step_id = one.turn, encode_turn(one.turn), one.step_id
        for _ in range(_TRIES):
            chain = await self._ready(chain, holder)
            remote, step_ms = chain.bedrock_session_id, max(turn.at_ms, chain.last_step_ms + 1)
            try:
                await self._open_invocation(remote, turn.wire_session)
                await self._remote.put_step(remote, turn.wire_session, step_id, step_ms, text)
            except KnownError as error:
                if error.reason is Reason.SYNC_CONFLICT:
                    there = await self._remote.step(remote, turn.wire_session, step_id)
                    if there is not None and there.text == text:
                        step_ms = there.step_ms
                    elif there is not None:
                        step_id = str(uuid.uuid5(uuid.UUID(step_id), text))
                        continue
                    else:
                        chain = await self._after_refusal(chain, holder, error)
                        continue
                elif error.reason is Reason.SYNC_SESSION_CLOSED:
                    self._forget_invocation(remote, turn.wire_session)
                    chain = await self._after_refusal(chain, holder, None)
                    continue
                elif error.reason is Reason.QUOTA and chain.steps:
                    chain = following(chain)
                    continue
                else:
                    raise
            newest_ms = max(chain.last_step_ms, step_ms)
            return dataclasses.replace(chain, steps=chain.steps + 1, last_step_ms=newest_ms)
        raise KnownError(
            Reason.SYNC_CONFLICT,
            "The remote session store keeps refusing a step.",
            "Nothing to do: the gateway tries again by itself, and the turn is safe in its own store.",
        )

    async def _after_refusal(self, chain: RemoteChain, holder: str, error: KnownError | None) -> RemoteChain:
        """Return the chain without a session that takes no more steps.

        Raises:
            _OwedAgain: the session is gone, with what it had.
        """
        status = await self._chains.status(chain.bedrock_session_id)
        if status is RemoteStatus.ACTIVE:
            if error is not None:
                raise error
            return chain
        if status is None:
            await self._store.redeliver(chain.session_id)
            await self._keep(following(chain), holder)
            raise _OwedAgain
        return following(chain)

    async def _open_invocation(self, remote: str, invocation: str) -> None:
        if (remote, invocation) not in self._invocations:
            await self._remote.open_invocation(remote, invocation)
            self._invocations.append((remote, invocation))

    def _forget_invocation(self, remote: str, invocation: str) -> None:
        with contextlib.suppress(ValueError):
            self._invocations.remove((remote, invocation))
