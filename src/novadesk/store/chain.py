"""The chain of remote sessions behind a conversation: found, created, adopted after a lost answer, rolled over."""

import asyncio
import contextlib
import sqlite3
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation
from novadesk.store.agentruntime import RemoteSession, RemoteSessions, RemoteStatus
from novadesk.store.database import Database
from novadesk.store.registry import Registry
from novadesk.store.rows import find_conversation

APP = "novadesk"
KEY_APP = "app"
KEY_HANDLE = "novadesk.handle"
KEY_GENERATION = "novadesk.generation"
KEY_PREDECESSOR = "novadesk.predecessor"
KEY_SUCCESSOR = "novadesk.successor"
KEY_LABEL = "novadesk.label"
KEY_TITLE = "novadesk.title"
KEY_BACKEND = "novadesk.backend"
KEY_CREATED_MS = "novadesk.created_ms"

_DAY_MS = 86_400_000
_MAX_METADATA_CHARS = 5_000


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    def unix_ms(self) -> int:
        """Return Unix milliseconds."""
        ...


class LinkState(Enum):
    """State of one session of a chain, as stored: wished for, known to exist, takes no more steps."""

    INTENDED = "intended"
    BOUND = "bound"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollOver:
    """When a successor session is begun: before the 1,000 steps and 30 days that a session is said to have."""

    max_steps: int = 950
    max_age_ms: int = 29 * _DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLink:
    """One session of a chain, with its remote id."""

    generation: int
    session_id: str = field(repr=False)
    steps: int
    last_step_ms: int


class SessionChain:
    """Finds or makes the remote session that takes the next step of a conversation.

    A row says what is intended before CreateSession is called, because that call has no token to recognise a
    repetition: an intention that met no answer is looked up by the session's metadata, and adopted.
    """

    def __init__(
        self, database: Database, registry: Registry, remote: RemoteSessions, clock: Clock, roll_over: RollOver
    ) -> None:
        self._database = database
        self._registry = registry
        self._remote = remote
        self._clock = clock
        self._roll_over = roll_over

    async def newest(self, handle: str) -> SessionLink:
        """Return the session that takes the next step; create it, or its successor, when need be.

        Raises:
            KnownError: from the remote side or the store.
        """
        row = await self._database.read(lambda db: _newest(db, handle))
        if row is None:
            return await self._begin(handle, 0, "")
        generation, session_id = row["generation"], await self._registry.find(handle, row["generation"])
        if row["state"] == LinkState.CLOSED.value:
            return await self._begin(handle, generation + 1, session_id or "")
        found_before = session_id is not None
        if session_id is None:
            session_id = (await self.look_up(handle)).get(generation)
        if session_id is None and row["state"] == LinkState.BOUND.value:
            return await self.roll(handle, generation)
        if session_id is None:
            return await self._create(handle, generation, await self._predecessor(handle, generation))
        if not found_before or row["state"] == LinkState.INTENDED.value:
            await self._bind(handle, generation, session_id)
        old = self._clock.unix_ms() - row["created_ms"] >= self._roll_over.max_age_ms
        if row["steps"] >= self._roll_over.max_steps or old:
            return await self.roll(handle, generation)
        return SessionLink(
            generation=generation, session_id=session_id, steps=row["steps"], last_step_ms=row["last_step_ms"]
        )

    async def roll(self, handle: str, generation: int) -> SessionLink:
        """Close the session of `generation` for writing here and begin its successor."""
        predecessor = await self._registry.find(handle, generation) or ""
        await self._database.run(lambda db: _set_state(db, handle, generation, LinkState.CLOSED))
        link = await self._begin(handle, generation + 1, predecessor)
        if predecessor:
            metadata = await self._metadata(handle, generation, await self._predecessor(handle, generation))
            with contextlib.suppress(KnownError):  # A courtesy to readers: the old session may take no changes.
                await self._remote.update(predecessor, metadata | {KEY_SUCCESSOR: link.session_id})
        return link

    async def known(self, handle: str) -> dict[int, str]:
        """Return the sessions of a conversation by generation, as far as they can be found."""
        rows = await self._database.read(
            lambda db: db.execute("SELECT generation FROM remote_session WHERE handle = ?", (handle,)).fetchall()
        )
        found = {row["generation"]: await self._registry.find(handle, row["generation"]) for row in rows}
        if rows and None not in found.values():
            return {generation: session_id for generation, session_id in found.items() if session_id is not None}
        looked_up = await self.look_up(handle)
        for generation, session_id in looked_up.items():
            await self._bind(handle, generation, session_id)
        return looked_up | {generation: known for generation, known in found.items() if known is not None}

    async def look_up(self, handle: str) -> dict[int, str]:
        """Find the sessions of a conversation by their metadata: one call for each session of the account.

        Of several sessions of one generation (made by lost answers) the oldest one that is open counts; the others are
        deleted when they are empty.
        """
        candidates = [session for session in await self.everything() if session.metadata.get(KEY_HANDLE) == handle]
        candidates.sort(key=lambda session: (session.status is not RemoteStatus.ACTIVE, session.created_ms))
        found: dict[int, str] = {}
        for session in candidates:
            if found.setdefault(generation_of(session), session.session_id) != session.session_id:
                await self._delete_if_empty(session)
        return found

    async def everything(self) -> tuple[RemoteSession, ...]:
        """Return all sessions of ours in the account, with their metadata."""

        async def read(session: RemoteSession) -> RemoteSession | None:
            try:
                return await self._remote.session(session.session_id)
            except KnownError as error:
                if error.reason is Reason.SYNC_SESSION_CLOSED:
                    return None
                raise

        sessions = await self._remote.sessions()
        found = await asyncio.gather(*(read(session) for session in sessions), return_exceptions=True)
        ours = []
        for session in found:
            if isinstance(session, BaseException):
                raise session
            if session is not None and session.metadata.get(KEY_APP) == APP:
                ours.append(session)
        return tuple(ours)

    async def renew_metadata(self, handle: str) -> None:
        """Write title and label to the newest session."""
        link = await self.newest(handle)
        predecessor = await self._predecessor(handle, link.generation)
        await self._remote.update(link.session_id, await self._metadata(handle, link.generation, predecessor))

    async def delete(self, handle: str) -> None:
        """Delete every remote session of a conversation and forget that there were any."""
        for session_id in (await self.known(handle)).values():
            await self._remote.delete(session_id)
        await self._registry.forget(handle)
        await self._database.run(lambda db: _forget(db, handle))

    async def adopt(self, handle: str, generation: int, session: RemoteSession) -> None:
        """Take over a session that another machine made."""
        await self._database.run(lambda db: _intend(db, handle, generation, session.created_ms))
        await self._bind(handle, generation, session.session_id)

    async def _delete_if_empty(self, session: RemoteSession) -> None:
        if not await self._remote.steps(session.session_id):
            await self._remote.delete(session.session_id)

    async def _begin(self, handle: str, generation: int, predecessor: str) -> SessionLink:
        now_ms = self._clock.unix_ms()
        await self._database.run(lambda db: _intend(db, handle, generation, now_ms))
        return await self._create(handle, generation, predecessor)

    async def _create(self, handle: str, generation: int, predecessor: str) -> SessionLink:
        session = await self._remote.create(await self._metadata(handle, generation, predecessor))
        await self._bind(handle, generation, session.session_id)
        return SessionLink(generation=generation, session_id=session.session_id, steps=0, last_step_ms=0)

    async def _bind(self, handle: str, generation: int, session_id: str) -> None:
        await self._database.run(lambda db: _intend(db, handle, generation, self._clock.unix_ms()))
        await self._registry.remember(handle, generation, session_id)
        await self._database.run(lambda db: _bound(db, handle, generation))

    async def _predecessor(self, handle: str, generation: int) -> str:
        return (await self._registry.find(handle, generation - 1)) or "" if generation else ""

    async def _metadata(self, handle: str, generation: int, predecessor: str) -> dict[str, str]:
        conversation = await self._database.read(lambda db: find_conversation(db, handle))
        if conversation is None:
            raise KnownError(
                Reason.UNKNOWN_CONVERSATION, "The conversation has been deleted.", "Nothing is left to do."
            )
        return make_metadata(conversation, generation, predecessor)


def make_metadata(conversation: Conversation, generation: int, predecessor: str = "") -> dict[str, str]:
    """Return the metadata of a remote session; every value within the service's 5,000 characters."""
    metadata = {
        KEY_APP: APP,
        KEY_HANDLE: conversation.handle,
        KEY_GENERATION: str(generation),
        KEY_LABEL: conversation.label[:_MAX_METADATA_CHARS],
        KEY_TITLE: conversation.title[:_MAX_METADATA_CHARS],
        KEY_BACKEND: conversation.backend.value,
        KEY_CREATED_MS: str(conversation.created_ms),
    }
    return metadata | ({KEY_PREDECESSOR: predecessor} if predecessor else {})


def generation_of(session: RemoteSession) -> int:
    """Return a session's place in its chain, as its metadata has it; 0 when that is not a number."""
    text = session.metadata.get(KEY_GENERATION, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _newest(db: sqlite3.Connection, handle: str) -> sqlite3.Row | None:
    query = "SELECT * FROM remote_session WHERE handle = ? ORDER BY generation DESC LIMIT 1"
    row: sqlite3.Row | None = db.execute(query, (handle,)).fetchone()
    return row


def _intend(db: sqlite3.Connection, handle: str, generation: int, now_ms: int) -> None:
    db.execute(
        "INSERT OR IGNORE INTO remote_session (handle, generation, state, created_ms) VALUES (?, ?, 'intended', ?)",
        (handle, generation, now_ms),
    )


def _bound(db: sqlite3.Connection, handle: str, generation: int) -> None:
    db.execute(
        "UPDATE remote_session SET state = 'bound' WHERE handle = ? AND generation = ? AND state = 'intended'",
        (handle, generation),
    )


def _set_state(db: sqlite3.Connection, handle: str, generation: int, state: LinkState) -> None:
    db.execute(
        "UPDATE remote_session SET state = ? WHERE handle = ? AND generation = ?", (state.value, handle, generation)
    )


def _forget(db: sqlite3.Connection, handle: str) -> None:
    db.execute("DELETE FROM remote_session WHERE handle = ?", (handle,))
    db.execute("DELETE FROM step WHERE handle = ?", (handle,))
