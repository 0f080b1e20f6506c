"""Reads the remote side: turns that other machines wrote, and conversations that they began. Adds, never replaces."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.store.account import Account
from novadesk.store.agentruntime import PAGE, RemoteSession, RemoteSessions, RemoteStatus
from novadesk.store.chain import SessionChain
from novadesk.store.database import Database
from novadesk.store.device import device_name
from novadesk.store.merge import FoundStep, knows_steps, merge_sessions, merge_steps, unknown_steps
from novadesk.store.metadata import KEY_SUCCESSOR
from novadesk.store.remoteclient import MAX_PARALLEL
from novadesk.store.rows import find_conversation
from novadesk.store.together import together

_FIRST = 50
"""Steps merged first, so that the newest of a long conversation are readable soon."""

_KNOWN_PAGE = 500
"""Steps listed at once of a session that is known already: what a page takes in memory is given back at once."""

_BATCH = 8 * MAX_PARALLEL
_AHEAD = 2
_MAX_FAILURES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull did.

    Attributes:
        turns: turns added or confirmed.
        lost: turns that the service had and lost; they are delivered again.
        closed: generation of the newest session when that takes no more steps, or is gone.
    """

    turns: int = 0
    lost: int = 0
    closed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    missing: tuple[FoundStep, ...] = ()
    session: RemoteSession | None = None
    gone: bool = False


class Puller:
    """Merges remote state into the store. Safe to cancel and to repeat: each batch is one transaction.

    Args:
        database: open store.
        chain: knows the sessions of a conversation.
        account: lists them.
        remote: the remote session store.
        backend: conversations of other backends are left alone; None for all.
    """

    def __init__(
        self,
        database: Database,
        chain: SessionChain,
        account: Account,
        remote: RemoteSessions,
        backend: BackendKind | None,
    ) -> None:
        self._database = database
        self._chain = chain
        self._account = account
        self._remote = remote
        self._backend = backend

    async def pull(self, handle: str, on_batch: Callable[[int, int, int], None]) -> Pulled:
        """Read the steps of a conversation that are not known here, newest first, all along its chain.

        Args:
            handle: the conversation.
            on_batch: called with steps read, steps to read and turns changed, before the first step and after each
                transaction.

        Raises:
            KnownError: from the remote side or the store; what was read until then is kept.
        """
        if not await self._is_ours(handle):
            return Pulled()
        listed, lost = await self._list(handle)
        missing = sorted(
            (step for one in listed.values() for step in one.missing),
            key=lambda step: (step.summary.step_ms, step.summary.step_id),
            reverse=True,
        )
        changed = await self._read_all(handle, missing, on_batch) if missing else 0
        for generation, one in listed.items():
            if one.gone:
                lost += await self._chain.lose(handle, generation)
        newest = max(listed, default=None)
        session = None if newest is None else listed[newest].session
        is_open = session is not None and session.status is RemoteStatus.ACTIVE
        return Pulled(turns=changed, lost=lost, closed=None if is_open else newest)

    async def discover(self, *, fresh: bool = False) -> tuple[int, list[str]]:
        """Add the conversations of the account that are not known here and were not deleted here.

        Returns:
            How many conversations are new or have new names, and the handles of all that the account has.

        Raises:
            KnownError: from the remote side or the store.
        """
        ours = await self._account.sessions(fresh=fresh)
        own_name = await device_name(self._database)
        changed, here = await self._database.run(lambda db: merge_sessions(db, ours, own_name))
        for handle in here:
            await self._chain.take_in(handle, ours[handle])
        await self._chain.tidy()
        return changed, here

    async def _is_ours(self, handle: str) -> bool:
        conversation = await self._database.read(lambda db: find_conversation(db, handle))
        return conversation is not None and self._backend in (None, conversation.backend)

    async def _list(self, handle: str) -> tuple[dict[int, _Listed], int]:
        """List what is not known of every session of the chain, following it to its end; count turns that were lost."""
        listed: dict[int, _Listed] = {}
        lost = 0
        while True:
            known, lost_now = await self._chain.known(handle)
            lost += lost_now
            fresh = {generation: known[generation] for generation in known if generation not in listed}
            if not fresh:
                return listed, lost
            newest = max(known)
            answers = await together(
                *(self._list_one(handle, generation, fresh[generation], generation == newest) for generation in fresh)
            )
            listed.update(zip(fresh, answers, strict=True))
            last = listed[newest].session
            if last is not None and (successor := last.metadata.get(KEY_SUCCESSOR)):
                await self._chain.follow(handle, successor)
            elif last is None or last.status is not RemoteStatus.ACTIVE:
                await self._chain.look_up(handle)  # a session that is closed could not be told its successor

    async def _list_one(self, handle: str, generation: int, session_id: str, is_newest: bool) -> _Listed:
        about = asyncio.create_task(self._about(session_id)) if is_newest else None
        try:
            missing = await self._missing(handle, generation, session_id)
            session = None if about is None else await about
        except KnownError as error:
            if error.reason is not Reason.SYNC_SESSION_CLOSED:
                raise
            return _Listed(gone=True)
        finally:
            if about is not None:
                about.cancel()
                await asyncio.gather(about, return_exceptions=True)
        return _Listed(missing=tuple(missing), session=session)

    async def _missing(self, handle: str, generation: int, session_id: str) -> list[FoundStep]:
        known = await self._database.read(lambda db: knows_steps(db, handle, generation))
        missing: list[FoundStep] = []
        async for page in self._remote.step_pages(session_id, size=_KNOWN_PAGE if known else PAGE):
            missing += await self._unknown(
                [FoundStep(generation=generation, session_id=session_id, summary=one) for one in page]
            )
        return missing

    async def _unknown(self, listed: Sequence[FoundStep]) -> list[FoundStep]:
        return await self._database.read(lambda db: unknown_steps(db, listed))

    async def _about(self, session_id: str) -> RemoteSession:
        return await self._remote.session(session_id)

    async def _read_all(
        self, handle: str, missing: Sequence[FoundStep], on_batch: Callable[[int, int, int], None]
    ) -> int:
        """Read and merge batch by batch; while one is merged the next ones are under way."""
        batches = [missing[:_FIRST]]
        batches += [missing[start : start + _BATCH] for start in range(_FIRST, len(missing), _BATCH)]
        changed = read = 0
        failures: list[KnownError] = []
        under_way: list[asyncio.Task[list[FoundStep | KnownError]]] = []
        on_batch(0, len(missing), 0)
        try:
            for number in range(len(batches)):
                coming = batches[number + len(under_way) : number + _AHEAD]
                under_way += [asyncio.create_task(self._read(ahead, failures)) for ahead in coming]
                answers = await under_way.pop(0)
                found = [answer for answer in answers if isinstance(answer, FoundStep)]
                merged = await self._merge(handle, found)
                changed, read = changed + merged, read + len(found)
                on_batch(read, len(missing), merged)
                for answer in answers:
                    if isinstance(answer, KnownError):
                        raise answer
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        return changed

    async def _merge(self, handle: str, found: Sequence[FoundStep]) -> int:
        return await self._database.run(lambda db: merge_steps(db, handle, found))

    async def _read(self, batch: Sequence[FoundStep], failures: list[KnownError]) -> list[FoundStep | KnownError]:
        """Read the contents of steps; after a few failures the rest is not asked for."""

        async def read(step: FoundStep) -> FoundStep | KnownError:
            if len(failures) >= _MAX_FAILURES:
                return failures[0]
            summary = step.summary
            try:
                content = await self._remote.step(step.session_id, summary.invocation, summary.step_id)
            except KnownError as error:
                failures.append(error)
                return error
            return dataclasses.replace(step, content=content)

        return await together(*(read(step) for step in batch))
