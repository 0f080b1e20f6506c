"""The chain of remote sessions behind a conversation: found, created, adopted after a lost answer, rolled over."""

import asyncio
import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, no_such_conversation
from novadesk.store import links, outbox
from novadesk.store.account import Account
from novadesk.store.agentruntime import RemoteSession, RemoteSessions, RemoteStatus
from novadesk.store.database import Database
from novadesk.store.device import device_name
from novadesk.store.links import Link, LinkState, links_of, place
from novadesk.store.metadata import (
    KEY_SUCCESSOR,
    Names,
    handle_of,
    make_metadata,
    mark_of,
    name_metadata,
    names_of,
    newest_names,
)
from novadesk.store.names import merge_names, read_names
from novadesk.store.pause import Clock
from novadesk.store.registry import Registry
from novadesk.store.rows import find_conversation

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RollOver:
    """When a successor session is begun: before the 1,000 steps and 30 days that a session is said to have."""

    max_steps: int = 950
    max_age_ms: int = 29 * _DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLink:
    """The session that takes the next step. `room`: steps that it takes before it is rolled over."""

    generation: int
    session_id: str = field(repr=False)
    steps: int
    last_step_ms: int
    room: int


class SessionChain:
    """Finds or makes the remote session that takes the next step of a conversation.

    A row says what is intended before CreateSession is called, because that call has no token to recognise a
    repetition: an intention that met no answer is looked up by the session's metadata, and adopted. Whatever concerns
    one conversation is done one after the other.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        remote: RemoteSessions,
        account: Account,
        clock: Clock,
        roll_over: RollOver,
    ) -> None:
        self._database = database
        self._registry = registry
        self._remote = remote
        self._account = account
        self._clock = clock
        self._roll_over = roll_over
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._device = ""

    async def newest(self, handle: str) -> SessionLink:
        """Return the session that takes the next step; create it, or its successor, when need be.

        Raises:
            KnownError: from the remote side or the store.
        """
        async with self._locks[handle]:
            return await self._newest(handle)

    async def roll(self, handle: str, generation: int) -> SessionLink:
        """Close the session of `generation` for writing and return its successor, made when there is none yet."""
        async with self._locks[handle]:
            return await self._roll(handle, generation)

    async def known(self, handle: str) -> tuple[dict[int, str], int]:
        """Return the sessions of a conversation by generation, as far as the service has them.

        Those that are nowhere to be found are noted as gone.

        Returns:
            The ids, and the number of turns that went with lost sessions and are delivered again.
        """
        async with self._locks[handle]:
            found = await self._find_all(handle)
            lost = 0
            if None in found.values():
                await self._look_up(handle)
                found = await self._find_all(handle)
                for link in await self._links(handle):
                    if found.get(link.generation, "") is None and link.state is not LinkState.INTENDED:
                        lost += await self._lose(handle, link.generation)
            await self._registry.keep(handle)
            return {generation: one for generation, one in found.items() if one is not None}, lost

    async def take_in(self, handle: str, sessions: Iterable[RemoteSession]) -> None:
        """Give listed sessions of a conversation their place, without the keyring; delete empty doubles of ours."""
        async with self._locks[handle]:
            await self._take_in(handle, sessions)

    async def follow(self, handle: str, session_id: str) -> bool:
        """Take in a session that another one names as its successor; return whether it is there and ours."""
        async with self._locks[handle]:
            try:
                session = await self._remote.session(session_id)
            except KnownError as error:
                if error.reason is Reason.SYNC_SESSION_CLOSED:
                    return False
                raise
            if handle_of(session.metadata) != handle:
                return False
            await self._take_in(handle, [session])
            return True

    async def look_up(self, handle: str) -> None:
        """Find sessions of a conversation that are not known here by their metadata."""
        async with self._locks[handle]:
            await self._look_up(handle)

    async def lose(self, handle: str, generation: int) -> int:
        """Take note that the service has a session no more; return how many turns are delivered again."""
        async with self._locks[handle]:
            return await self._lose(handle, generation)

    async def status(self, session_id: str) -> RemoteStatus | None:
        """Return the state of a session, None when the service has it no more."""
        try:
            return (await self._remote.session(session_id)).status
        except KnownError as error:
            if error.reason is Reason.SYNC_SESSION_CLOSED:
                return None
            raise

    async def renew_metadata(self, handle: str) -> None:
        """Bring the names of the newest session and those here to what their last writers left."""
        async with self._locks[handle]:
            link = await self._newest(handle, for_step=False)
            there = (await self._remote.session(link.session_id)).metadata
            conversation, here = await self._read(handle)
            names = newest_names(here, names_of(there))
            await self._database.run(lambda db: merge_names(db, handle, names))
            metadata = await self._metadata(conversation, names, link.generation)
            await self._remote.update(link.session_id, {**metadata, **there, **name_metadata(names)})

    async def delete(self, handle: str) -> None:
        """Delete every remote session of a conversation, known or not, and forget that there were any."""
        async with self._locks[handle]:
            listed = (await self._account.sessions()).get(handle, [])
            found = {session.session_id for session in listed}
            for link in await self._links(handle):
                if not link.gone and (session_id := await self._registry.find(handle, link.generation)) is not None:
                    found.add(session_id)
            for session_id in sorted(found):
                await self._remote.delete(session_id)
            await self._forget(handle)

    async def tidy(self) -> None:
        """Remove what the keyring still has of deleted conversations, when it lets us now."""
        for handle in await self._database.read(links.left_in_keyring):
            async with self._locks[handle]:
                await self._forget(handle)

    async def _newest(self, handle: str, *, for_step: bool = True) -> SessionLink:
        chain = await self._links(handle)
        if not chain:
            return await self._begin(handle, 0)
        last = chain[-1]
        if last.state is LinkState.CLOSED or last.gone:
            return await self._begin(handle, last.generation + 1)
        session_id = await self._registry.find(handle, last.generation)
        if session_id is None:
            await self._look_up(handle)
            chain, session_id = await self._links(handle), await self._registry.find(handle, last.generation)
            if session_id is not None and chain[-1].generation != last.generation:
                return await self._newest(handle)
            if session_id is None and last.state is LinkState.BOUND:
                await self._lose(handle, last.generation)
                return await self._begin(handle, chain[-1].generation + 1)
            if session_id is None:
                return await self._create(handle, last.generation)
            last = chain[-1]
        await self._registry.keep(handle)
        old = self._clock.unix_ms() - last.created_ms >= self._roll_over.max_age_ms
        if for_step and (last.steps >= self._roll_over.max_steps or old):
            return await self._roll(handle, last.generation)
        return self._link(last, session_id)

    def _link(self, link: Link, session_id: str) -> SessionLink:
        return SessionLink(
            generation=link.generation,
            session_id=session_id,
            steps=link.steps,
            last_step_ms=link.last_step_ms,
            room=max(1, self._roll_over.max_steps - link.steps),
        )

    async def _roll(self, handle: str, generation: int) -> SessionLink:
        await self._database.run(lambda db: links.close(db, handle, generation))
        return await self._newest(handle)

    async def _begin(self, handle: str, generation: int) -> SessionLink:
        """Make the session of `generation`, unless another machine has made it already."""
        if generation:
            before = await self._links(handle)
            await self._look_up(handle)
            if await self._links(handle) != before:
                return await self._newest(handle)
        now_ms = self._clock.unix_ms()
        await self._database.run(lambda db: links.intend(db, handle, generation, now_ms))
        return await self._create(handle, generation)

    async def _create(self, handle: str, generation: int) -> SessionLink:
        conversation, names = await self._read(handle)
        session = await self._remote.create(await self._metadata(conversation, names, generation))
        await self._registry.remember(handle, generation, session.session_id)
        await self._database.run(lambda db: links.bind(db, handle, generation, session))
        await self._point(handle, generation, session.session_id)
        return self._link(Link(generation=generation, state=LinkState.BOUND), session.session_id)

    async def _point(self, handle: str, generation: int, successor: str) -> None:
        """Tell readers of the session before where it goes on: a courtesy, since that one may take no changes."""
        if predecessor := await self._predecessor(handle, generation):
            with contextlib.suppress(KnownError):
                metadata = (await self._remote.session(predecessor)).metadata
                await self._remote.update(predecessor, {**metadata, KEY_SUCCESSOR: successor})

    async def _look_up(self, handle: str) -> None:
        await self._take_in(handle, (await self._account.sessions()).get(handle, []))

    async def _take_in(self, handle: str, sessions: Iterable[RemoteSession]) -> None:
        chain = await self._links(handle)
        placement = place(chain, sessions, await self._own_name())
        bound = {link.generation: link.mark for link in chain if link.state is not LinkState.INTENDED and not link.gone}
        news = {
            generation: session
            for generation, session in placement.places.items()
            if bound.get(generation) != mark_of(session.session_id)
        }
        for generation, session in placement.places.items():
            self._registry.learn(handle, generation, session.session_id)
        if news:
            await self._database.run(lambda db: _bind_all(db, handle, news))
        for double in placement.doubles:
            await self._delete_if_empty(handle, double)

    async def _delete_if_empty(self, handle: str, double: RemoteSession) -> None:
        """Delete what a lost answer left behind; if it holds steps after all, it goes to the end of the chain."""
        if not await self._remote.steps(double.session_id):
            await self._remote.delete(double.session_id)
            return
        generation = (await self._links(handle))[-1].generation + 1
        self._registry.learn(handle, generation, double.session_id)
        await self._database.run(lambda db: links.bind(db, handle, generation, double))

    async def _lose(self, handle: str, generation: int) -> int:
        def note(db: sqlite3.Connection) -> int:
            links.close(db, handle, generation, gone=True)
            return outbox.deliver_again(db, handle, generation)

        count = await self._database.run(note)
        await self._registry.drop(handle, generation)
        return count

    async def _find_all(self, handle: str) -> dict[int, str | None]:
        chain = [link for link in await self._links(handle) if not link.gone]
        return {link.generation: await self._registry.find(handle, link.generation) for link in chain}

    async def _forget(self, handle: str) -> None:
        await self._registry.forget(handle)
        await self._database.run(lambda db: links.forget(db, handle))

    async def _links(self, handle: str) -> tuple[Link, ...]:
        return await self._database.read(lambda db: links_of(db, handle))

    async def _predecessor(self, handle: str, generation: int) -> str:
        return (await self._registry.find(handle, generation - 1)) or "" if generation else ""

    async def _read(self, handle: str) -> tuple[Conversation, Names]:
        def read(db: sqlite3.Connection) -> tuple[Conversation | None, Names]:
            return find_conversation(db, handle), read_names(db, handle)

        conversation, names = await self._database.read(read)
        if conversation is None:
            raise no_such_conversation()
        return conversation, names

    async def _own_name(self) -> str:
        self._device = self._device or await device_name(self._database)
        return self._device

    async def _metadata(self, conversation: Conversation, names: Names, generation: int) -> dict[str, str]:
        return make_metadata(
            conversation,
            names,
            generation=generation,
            device=await self._own_name(),
            predecessor=await self._predecessor(conversation.handle, generation),
        )


def _bind_all(db: sqlite3.Connection, handle: str, sessions: dict[int, RemoteSession]) -> None:
    if db.execute("SELECT 1 FROM conversation WHERE handle = ?", (handle,)).fetchone() is None:
        return  # Deleted meanwhile.
    for generation, session in sessions.items():
        links.bind(db, handle, generation, session)
