"""Carries out wishes of the outbox against the remote side, so that any repetition is recognised."""

import asyncio
import contextlib
import dataclasses
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence

from novadesk.errors import KnownError, Reason
from novadesk.models import Turn
from novadesk.store import outbox
from novadesk.store.agentruntime import RemoteSessions, RemoteStatus
from novadesk.store.chain import SessionChain, SessionLink
from novadesk.store.database import Database
from novadesk.store.outbox import Lease, OutboxKind
from novadesk.store.pause import Clock
from novadesk.store.remoteclient import MAX_PARALLEL
from novadesk.store.steps import encode_turn
from novadesk.store.together import together

_TRIES = 5
_NEWEST_INVOCATIONS = 64
"""So many are known to be there; to open one once more costs a request and changes nothing."""


class Requeued(Exception):
    """The remote session was lost: its turns are back in the outbox, and the leases at hand are void."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    lease: Lease
    generation: int
    step_ms: int


class Delivery:
    """Delivers leases. A turn's id is its step id; what the remote side has already counts as delivered.

    Args:
        database: open store.
        chain: knows the session that takes the next step.
        remote: the remote session store.
        clock: Unix milliseconds.
        on_delivered: called with each lease of a turn that was acknowledged.
    """

    def __init__(
        self,
        database: Database,
        chain: SessionChain,
        remote: RemoteSessions,
        clock: Clock,
        on_delivered: Callable[[Lease], None],
    ) -> None:
        self._database = database
        self._chain = chain
        self._remote = remote
        self._clock = clock
        self._on_delivered = on_delivered
        self._invocations: deque[tuple[str, str]] = deque(maxlen=_NEWEST_INVOCATIONS)

    async def carry_out(self, lease: Lease) -> None:
        """Deliver and acknowledge.

        Raises:
            KnownError: what kept it from being delivered; the lease is still held.
            Requeued: the lease is void, and so are those behind it.
        """
        if lease.turn is not None and lease.step_id is not None:
            await self._deliver(lease, lease.turn, lease.step_id)
            return
        match lease.kind:
            case OutboxKind.SESSION:
                await self._chain.newest(lease.conversation)
            case OutboxKind.METADATA:
                await self._renew_metadata(lease.conversation)
            case OutboxKind.DELETE:
                await self._chain.delete(lease.conversation)
        await self._database.run(lambda db: outbox.acknowledge(db, lease))

    async def carry_out_together(self, leases: Sequence[Lease]) -> set[int]:
        """Deliver turns of one conversation side by side, as many as their session takes.

        Their times were promised in order when they were leased, so that the order of arrival does not matter. What
        fails is left for `carry_out`, and stops the rest.

        Returns:
            The numbers of the rows that were delivered and acknowledged.
        """
        try:
            link = await self._chain.newest(leases[0].conversation)
            waiting = deque(leases[: link.room])
            await self._open_invocations(link, waiting)
        except KnownError:
            return set()
        arrived: list[_Done] = []
        acknowledged: set[int] = set()
        writing = asyncio.Lock()

        async def acknowledge() -> None:
            """Write down in one transaction what arrived while the one before was written."""
            async with writing:
                batch, arrived[:] = tuple(arrived), []
                if batch:
                    await self._acknowledge(batch)
                    acknowledged.update(done.lease.number for done in batch)

        async def deliver() -> None:
            while waiting:
                lease = waiting.popleft()
                if lease.turn is None or lease.step_id is None:
                    continue
                try:
                    await self._put(link, lease.turn, lease.step_id, lease.step_ms, encode_turn(lease.turn))
                    arrived.append(_Done(lease=lease, generation=link.generation, step_ms=lease.step_ms))
                    await acknowledge()
                except KnownError:
                    waiting.clear()

        await together(*(deliver() for _ in range(MAX_PARALLEL)))
        return acknowledged

    async def _renew_metadata(self, handle: str) -> None:
        try:
            await self._chain.renew_metadata(handle)
        except KnownError as error:
            if error.reason not in (Reason.SYNC_CONFLICT, Reason.SYNC_SESSION_CLOSED):
                raise
            if not await self._replace_closed(handle, await self._chain.newest(handle)):
                raise
            await self._chain.newest(handle)  # The successor is made with today's names.

    async def _deliver(self, lease: Lease, turn: Turn, step_id: str) -> None:
        text, step_ms = encode_turn(turn), lease.step_ms
        moved = False
        link = await self._chain.newest(lease.conversation)
        for _ in range(_TRIES):
            try:
                await self._put(link, turn, step_id, step_ms, text)
            except KnownError as error:
                if error.reason is Reason.SYNC_CONFLICT:
                    there = await self._remote.step(link.session_id, turn.wire_session, step_id)
                    if there is None and await self._replace_closed(lease.conversation, link):
                        link = await self._chain.newest(lease.conversation)
                        continue
                    if there is None or there.text != text:
                        step_id, step_ms = outbox.new_step_id(), await self._later(lease.conversation)
                        if not await self._record(lease, step_id, step_ms):
                            return  # Somebody else has the row now.
                        continue
                    step_ms = there.step_ms
                elif error.reason is Reason.SYNC_SESSION_CLOSED:
                    with contextlib.suppress(ValueError):
                        self._invocations.remove((link.session_id, turn.wire_session))
                    if await self._replace_closed(lease.conversation, link):
                        link = await self._chain.newest(lease.conversation)
                    continue
                elif error.reason is Reason.QUOTA and link.steps:
                    link = await self._chain.roll(lease.conversation, link.generation)
                    continue
                elif error.reason is Reason.BAD_REQUEST and not moved and await self._is_passed(lease, step_ms):
                    # It may be the time that is refused: a later step may be there, though its answer never came.
                    moved, step_ms = True, await self._later(lease.conversation)
                    if not await self._record(lease, step_id, step_ms):
                        return
                    continue
                else:
                    raise
            held = dataclasses.replace(lease, step_id=step_id)
            await self._acknowledge([_Done(lease=held, generation=link.generation, step_ms=step_ms)])
            return
        raise KnownError(
            Reason.SYNC_CONFLICT,
            "The remote session store keeps refusing a step.",
            "Nothing to do: NovaDesk tries again by itself, and the conversation is safe on this computer.",
        )

    async def _open_invocations(self, link: SessionLink, leases: Sequence[Lease]) -> None:
        wanted = {(link.session_id, lease.turn.wire_session) for lease in leases if lease.turn is not None}
        missing = sorted(wanted.difference(self._invocations))
        await together(*(self._remote.open_invocation(*invocation) for invocation in missing))
        self._invocations.extend(missing)

    async def _put(self, link: SessionLink, turn: Turn, step_id: str, step_ms: int, text: str) -> None:
        invocation = (link.session_id, turn.wire_session)
        if invocation not in self._invocations:
            await self._remote.open_invocation(*invocation)
            self._invocations.append(invocation)
        await self._remote.put_step(link.session_id, turn.wire_session, step_id, step_ms, text)

    async def _acknowledge(self, batch: Sequence[_Done]) -> None:
        def write(db: sqlite3.Connection) -> None:
            for done in batch:
                outbox.acknowledge(db, done.lease, generation=done.generation, step_ms=done.step_ms)

        await self._database.run(write)
        for done in batch:
            self._on_delivered(done.lease)

    async def _later(self, handle: str) -> int:
        now_ms = self._clock.unix_ms()
        return await self._database.read(lambda db: outbox.next_step_ms(db, handle, now_ms))

    async def _is_passed(self, lease: Lease, step_ms: int) -> bool:
        """Return whether a later step of the conversation is known or promised."""
        return await self._database.read(lambda db: outbox.latest_step_ms(db, lease.conversation)) > step_ms

    async def _record(self, lease: Lease, step_id: str, step_ms: int) -> bool:
        return await self._database.run(lambda db: outbox.change_step(db, lease, step_id, step_ms))

    async def _replace_closed(self, handle: str, link: SessionLink) -> bool:
        """Roll over to a successor when a session takes no more steps; return whether that is so.

        Raises:
            Requeued: the session is gone with what it held, and what it held is to be delivered again.
        """
        status = await self._chain.status(link.session_id)
        if status is RemoteStatus.ACTIVE:
            return False
        if status is None and await self._chain.lose(handle, link.generation):
            raise Requeued
        await self._chain.roll(handle, link.generation)
        return True
