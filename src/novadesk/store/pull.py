"""Reads the remote side: turns that other machines wrote, and conversations that they began. Adds, never replaces."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, SyncState, Turn
from novadesk.store import outbox
from novadesk.store.agentruntime import MAX_PARALLEL, RemoteSession, RemoteSessions, RemoteStep, StepSummary
from novadesk.store.chain import (
    KEY_BACKEND,
    KEY_CREATED_MS,
    KEY_HANDLE,
    KEY_LABEL,
    KEY_TITLE,
    SessionChain,
    generation_of,
)
from novadesk.store.conversations import insert_turn
from novadesk.store.database import Database
from novadesk.store.rows import find_turn
from novadesk.store.steps import decode_turn

_BATCH = 4 * MAX_PARALLEL
_MAX_TITLE_CHARS = 200


class Puller:
    """Merges remote state into the store. Safe to cancel and to repeat: each batch is one transaction."""

    def __init__(self, database: Database, chain: SessionChain, remote: RemoteSessions) -> None:
        self._database = database
        self._chain = chain
        self._remote = remote

    async def pull(self, handle: str, on_batch: Callable[[], None]) -> int:
        """Read the steps of a conversation that are not known here, newest first.

        Args:
            handle: the conversation.
            on_batch: called after each transaction that changed something.

        Returns:
            The number of turns added or confirmed.

        Raises:
            KnownError: from the remote side or the store; what was read until then is kept.
        """
        changed = 0
        for generation, session_id in sorted((await self._chain.known(handle)).items(), reverse=True):
            try:
                missing = await self._missing(session_id)
            except KnownError as error:
                if error.reason is Reason.SYNC_SESSION_CLOSED:
                    continue  # The remote copy expired; ours stays.
                raise
            changed += await self._read_all(handle, generation, session_id, missing, on_batch)
        return changed

    async def discover(self) -> int:
        """Add the conversations of the account that are not known here and were not deleted here; return how many.

        Raises:
            KnownError: from the remote side or the store.
        """
        added = 0
        for session in sorted(await self._chain.everything(), key=generation_of):
            if session.metadata.get(KEY_HANDLE):
                added += await self._discover(session)
        return added

    async def _discover(self, session: RemoteSession) -> int:
        handle, generation = session.metadata[KEY_HANDLE], generation_of(session)
        added = await self._database.run(lambda db: _add_conversation(db, session))
        if await self._database.read(lambda db: _is_news(db, handle, generation)):
            await self._chain.adopt(handle, generation, session)
        return added

    async def _missing(self, session_id: str) -> list[StepSummary]:
        listed = await self._remote.steps(session_id)
        return await self._database.read(lambda db: _missing(db, listed))

    async def _read_all(
        self,
        handle: str,
        generation: int,
        session_id: str,
        missing: Sequence[StepSummary],
        on_batch: Callable[[], None],
    ) -> int:
        """Read and merge batch by batch; while one is merged the next is under way."""
        batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
        changed = 0
        under_way: list[asyncio.Task[list[RemoteStep | KnownError | None]]] = []
        try:
            for number, batch in enumerate(batches):
                coming = batches[number + len(under_way) : number + 2]
                under_way += [asyncio.create_task(self._read(session_id, ahead)) for ahead in coming]
                answers = await under_way.pop(0)
                found = [(step, a) for step, a in zip(batch, answers, strict=True) if isinstance(a, RemoteStep)]
                changed += await self._merge(handle, generation, found, on_batch)
                for answer in answers:
                    if isinstance(answer, KnownError):
                        raise answer
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        return changed

    async def _read(self, session_id: str, batch: Sequence[StepSummary]) -> list[RemoteStep | KnownError | None]:
        async def read(step: StepSummary) -> RemoteStep | KnownError | None:
            try:
                return await self._remote.step(session_id, step.invocation, step.step_id)
            except KnownError as error:
                return error

        return await asyncio.gather(*(read(step) for step in batch))

    async def _merge(
        self,
        handle: str,
        generation: int,
        found: Sequence[tuple[StepSummary, RemoteStep]],
        on_batch: Callable[[], None],
    ) -> int:
        changed = await self._database.run(lambda db: _merge(db, handle, generation, found))
        if changed:
            on_batch()
        return changed


def _missing(db: sqlite3.Connection, listed: Sequence[StepSummary]) -> list[StepSummary]:
    known = "SELECT 1 FROM step WHERE step_id = ?"
    return [step for step in reversed(listed) if db.execute(known, (step.step_id,)).fetchone() is None]


def _merge(
    db: sqlite3.Connection, handle: str, generation: int, found: Sequence[tuple[StepSummary, RemoteStep]]
) -> int:
    if db.execute("SELECT 1 FROM conversation WHERE handle = ?", (handle,)).fetchone() is None:
        return 0  # Deleted meanwhile.
    changed, new = 0, dict[str, Turn]()
    for summary, step in sorted(found, key=lambda pair: pair[0].step_ms):
        turn = decode_turn(
            step.text,
            conversation=handle,
            step_id=summary.step_id,
            step_ms=summary.step_ms,
            wire_session=summary.invocation,
        )
        turn_id = None if turn is None else turn.turn_id
        outbox.note_step(db, handle, summary.step_id, turn_id, generation, summary.step_ms)
        if turn is None:
            continue
        if find_turn(db, turn.turn_id) is not None:
            changed += _confirm(db, turn)
        elif turn.turn_id not in new or not turn.unconfirmed:
            new[turn.turn_id] = turn
    _insert_by_time(db, handle, sorted(new.values(), key=lambda turn: turn.at_ms))
    return changed + len(new)


def _confirm(db: sqlite3.Connection, turn: Turn) -> int:
    """Take the confirmed text of a turn that is only unconfirmed here and has nothing left to deliver."""
    if turn.unconfirmed:
        return 0
    return db.execute(
        "UPDATE turn SET text = ?, heard_chars = ?, interrupted = ?, typed = ?, unconfirmed = 0,"
        " revision = revision + 1 WHERE turn_id = ? AND unconfirmed AND sync = 'synced'",
        (turn.text, turn.heard_chars, turn.interrupted, turn.typed, turn.turn_id),
    ).rowcount


def _insert_by_time(db: sqlite3.Connection, handle: str, new: Sequence[Turn]) -> None:
    """Insert turns behind the last one that is not younger; turns that are here keep their order among themselves."""
    (number,) = db.execute("SELECT number FROM conversation WHERE handle = ?", (handle,)).fetchone()
    for turn in new:
        (position,) = db.execute(
            "SELECT coalesce(max(position) + 1, 0) FROM turn WHERE conversation = ? AND at_ms <= ?",
            (number, turn.at_ms),
        ).fetchone()
        db.execute(
            "UPDATE turn SET position = position + 1 WHERE conversation = ? AND position >= ?", (number, position)
        )
        insert_turn(db, turn, SyncState.SYNCED, position)


def _is_news(db: sqlite3.Connection, handle: str, generation: int) -> bool:
    here = "SELECT 1 FROM conversation WHERE handle = ?"
    known = "SELECT 1 FROM remote_session WHERE handle = ? AND generation = ?"
    if db.execute(here, (handle,)).fetchone() is None:
        return False
    return db.execute(known, (handle, generation)).fetchone() is None


def _add_conversation(db: sqlite3.Connection, session: RemoteSession) -> int:
    about = session.metadata
    handle = about[KEY_HANDLE]
    if db.execute("SELECT 1 FROM tombstone WHERE handle = ?", (handle,)).fetchone() is not None:
        return 0
    created = about.get(KEY_CREATED_MS, "")
    backends = {kind.value for kind in BackendKind}
    return db.execute(
        "INSERT OR IGNORE INTO conversation (handle, label, title, backend, origin, created_ms, updated_ms)"
        " VALUES (?,?,?,?,'remote',?,?)",
        (
            handle,
            about.get(KEY_LABEL, "")[:_MAX_TITLE_CHARS],
            about.get(KEY_TITLE, "")[:_MAX_TITLE_CHARS],
            about[KEY_BACKEND] if about.get(KEY_BACKEND) in backends else BackendKind.BEDROCK.value,
            int(created) if created.isascii() and created.isdigit() and len(created) < 16 else session.created_ms,
            session.updated_ms,
        ),
    ).rowcount
