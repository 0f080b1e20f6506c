"""Carries out one wish of the outbox against the remote side, so that any repetition is recognised."""

from novadesk.errors import KnownError, Reason
from novadesk.models import Turn
from novadesk.store import outbox
from novadesk.store.agentruntime import RemoteSessions, RemoteStatus
from novadesk.store.chain import Clock, SessionChain, SessionLink
from novadesk.store.database import Database
from novadesk.store.outbox import Lease, OutboxKind
from novadesk.store.steps import encode_turn

_TRIES = 4


class Delivery:
    """Delivers leases. A turn's id is its step id; what the remote side has already counts as delivered."""

    def __init__(self, database: Database, chain: SessionChain, remote: RemoteSessions, clock: Clock) -> None:
        self._database = database
        self._chain = chain
        self._remote = remote
        self._clock = clock
        self._invocations: set[tuple[str, str]] = set()

    async def carry_out(self, lease: Lease) -> None:
        """Deliver and acknowledge.

        Raises:
            KnownError: what kept it from being delivered; the lease is still held.
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

    async def _renew_metadata(self, handle: str) -> None:
        try:
            await self._chain.renew_metadata(handle)
        except KnownError as error:
            if error.reason not in (Reason.SYNC_CONFLICT, Reason.SYNC_SESSION_CLOSED):
                raise
            link = await self._chain.newest(handle)
            if await self._is_open(link):
                raise
            await self._chain.roll(handle, link.generation)  # The successor is made with today's metadata.

    async def _deliver(self, lease: Lease, turn: Turn, step_id: str) -> None:
        text = encode_turn(turn)
        link = await self._chain.newest(lease.conversation)
        for _ in range(_TRIES):
            step_ms = max(self._clock.unix_ms(), link.last_step_ms + 1)
            try:
                await self._put(link, turn, step_id, step_ms, text)
            except KnownError as error:
                if error.reason is Reason.SYNC_CONFLICT:
                    there = await self._remote.step(link.session_id, turn.wire_session, step_id)
                    if there is None and not await self._is_open(link):
                        link = await self._chain.roll(lease.conversation, link.generation)
                        continue
                    if there is None or there.text != text:
                        step_id = outbox.new_step_id()
                        if not await self._record(lease, step_id):
                            return  # Somebody else has the row now.
                        continue
                    step_ms = there.step_ms
                elif error.reason is Reason.SYNC_SESSION_CLOSED:
                    self._invocations.discard((link.session_id, turn.wire_session))
                    if not await self._is_open(link):
                        link = await self._chain.roll(lease.conversation, link.generation)
                    continue
                elif error.reason is Reason.QUOTA and link.steps:
                    link = await self._chain.roll(lease.conversation, link.generation)
                    continue
                else:
                    raise
            await self._acknowledge(lease, turn, step_id, link, step_ms)
            return
        raise KnownError(
            Reason.SYNC_CONFLICT,
            "The remote session store keeps refusing a step.",
            "Nothing to do: NovaDesk tries again by itself, and the conversation is safe on this computer.",
        )

    async def _put(self, link: SessionLink, turn: Turn, step_id: str, step_ms: int, text: str) -> None:
        invocation = (link.session_id, turn.wire_session)
        if invocation not in self._invocations:
            await self._remote.open_invocation(*invocation)
            self._invocations.add(invocation)
        await self._remote.put_step(link.session_id, turn.wire_session, step_id, step_ms, text)

    async def _acknowledge(self, lease: Lease, turn: Turn, step_id: str, link: SessionLink, step_ms: int) -> None:
        done = Lease(
            number=lease.number,
            token=lease.token,
            conversation=lease.conversation,
            kind=lease.kind,
            revision=lease.revision,
            attempts=lease.attempts,
            step_id=step_id,
            turn=turn,
        )
        await self._database.run(lambda db: outbox.acknowledge(db, done, generation=link.generation, step_ms=step_ms))

    async def _record(self, lease: Lease, step_id: str) -> bool:
        return await self._database.run(lambda db: outbox.change_step_id(db, lease, step_id))

    async def _is_open(self, link: SessionLink) -> bool:
        try:
            return (await self._remote.session(link.session_id)).status is RemoteStatus.ACTIVE
        except KnownError as error:
            if error.reason is Reason.SYNC_SESSION_CLOSED:
                return False
            raise
