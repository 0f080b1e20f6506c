"""The SQLite file of a gateway's state: one connection, one transaction at a time, shared with other processes.

What waits to be written while the disk is at work is written with one transaction of its own: the disk takes as long
for many as for one.
"""

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from novadesk.daemon import DaemonCall, DaemonThreads
from novadesk.errors import BugError, KnownError, Reason
from novadesk.server.gateway.state import StoreBusy
from novadesk.store import faults

_BUSY_MS = 5_000
_DEADLINE_S = 15.0
_SWITCH_TRIES = 100
_SWITCH_PAUSE_S = 0.05
_VERSION_1 = (
    """
    CREATE TABLE session (
      number INTEGER PRIMARY KEY, session_id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, secret_hash TEXT NOT NULL,
      request_id TEXT NOT NULL, generation INTEGER NOT NULL, connection TEXT NOT NULL, gateway TEXT NOT NULL,
      status TEXT NOT NULL, created_ms INTEGER NOT NULL, last_activity_ms INTEGER NOT NULL,
      expires_at_s INTEGER NOT NULL, configuration TEXT NOT NULL, revision INTEGER NOT NULL,
      bedrock_session_id TEXT NOT NULL, language TEXT NOT NULL, quality_tier TEXT NOT NULL, title TEXT NOT NULL,
      last_audio INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX session_of_owner ON session (owner)",
    """
    CREATE TABLE chain (
      session_id TEXT PRIMARY KEY, owner TEXT NOT NULL, number INTEGER NOT NULL DEFAULT 0,
      bedrock_session_id TEXT NOT NULL DEFAULT '', predecessor TEXT NOT NULL DEFAULT '',
      begun_ms INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL DEFAULT 0, last_step_ms INTEGER NOT NULL DEFAULT 0,
      holder TEXT NOT NULL DEFAULT '', held_until_ms INTEGER NOT NULL DEFAULT 0, kept_ms INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE turn (
      session_id TEXT NOT NULL REFERENCES chain ON DELETE CASCADE, turn_id TEXT NOT NULL,
      position INTEGER NOT NULL, role TEXT NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL,
      wire_session TEXT NOT NULL, heard_chars INTEGER, interrupted INTEGER NOT NULL, unconfirmed INTEGER NOT NULL,
      typed INTEGER NOT NULL, voice TEXT NOT NULL,
      tools TEXT NOT NULL, sync TEXT NOT NULL, revision INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (session_id, turn_id), UNIQUE (session_id, position)
    ) STRICT
    """,
    "CREATE INDEX turn_owed ON turn (session_id, position) WHERE sync = 'pending'",
)
_VERSION_2 = (
    "ALTER TABLE session ADD COLUMN conversation TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE chain ADD COLUMN conversation TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX chain_of_conversation ON chain (owner, conversation)",
)
_VERSION_3 = (
    "ALTER TABLE session ADD COLUMN private INTEGER NOT NULL DEFAULT 0",
    """
    CREATE TRIGGER private_session_over AFTER DELETE ON session WHEN old.private BEGIN
      DELETE FROM turn WHERE session_id = old.session_id;
      DELETE FROM chain WHERE session_id = old.session_id;
    END
    """,
)
_VERSIONS = (_VERSION_1, _VERSION_2, _VERSION_3)
VERSION = len(_VERSIONS)

type Job[T] = Callable[[sqlite3.Connection], T]


@dataclass(slots=True, eq=False)
class _Wish:
    """A change that somebody waits for, and what came of it."""

    job: Job[Any]
    durable: bool
    done: bool = False
    value: Any = None
    error: Exception | None = None


class StateFile:
    """The file, opened at the first job. A job is whole or not at all; other processes wait for those that write.

    Args:
        file: made with mode 0600 when missing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._threads = DaemonThreads(name="novadesk-gateway-state")
        self._queue = asyncio.Lock()
        self._busy = threading.Lock()  # of a job whose caller has given up
        self._wishes: list[_Wish] = []
        self._db: sqlite3.Connection | None = None
        self._closed = False

    async def read[T](self, job: Job[T]) -> T:
        """Run a job that only reads, on one state of the file."""
        return await self._run(lambda db: _transact(db, job, "BEGIN"))

    async def write[T](self, job: Job[T], *, durable: bool = True) -> T:
        """Run a job; when this returns the disk has it, or, not `durable`, the system has.

        Raises:
            KnownError: `STORE_LOCKED`, `DISK_FULL`, `STORE_BROKEN`, or a `StoreBusy`; nothing of the job is kept.
        """
        wish = _Wish(job, durable)
        self._wishes.append(wish)
        try:
            while not wish.done:
                async with self._queue:
                    if not wish.done:
                        await self._grant_all()
        finally:
            if wish in self._wishes:
                self._wishes.remove(wish)
        if wish.error is not None:
            raise wish.error
        value: T = wish.value
        return value

    async def close(self) -> None:
        """Let the job under way finish and close the file."""
        async with self._queue:
            if self._closed:
                return
            self._closed = True
            await DaemonCall(self._close, threads=self._threads).result(deadline_s=_DEADLINE_S)
            self._threads.close()

    async def _run[T](self, job: Job[T]) -> T:
        async with self._queue:
            return await self._call(job)

    async def _grant_all(self) -> None:
        """Carry out what waits to be written; what is not done, for whatever reason, waits again."""
        wishes, self._wishes = self._wishes, []
        try:
            await self._call(lambda db: self._grant(db, wishes))
        finally:
            self._wishes[:0] = [wish for wish in wishes if not wish.done]

    async def _call[T](self, job: Job[T]) -> T:
        if self._closed:
            raise BugError("the gateway's session store is closed")
        call = DaemonCall(lambda: self._work(job), threads=self._threads)
        try:
            return await call.result(deadline_s=_DEADLINE_S)
        except TimeoutError as error:
            raise StoreBusy from error

    def _work[T](self, job: Job[T]) -> T:
        with self._busy:
            try:
                if self._db is None:
                    self._db = _open(self._file)
                return job(self._db)
            except sqlite3.Error as error:
                raise self._told(error) from error
            except OSError as error:
                raise faults.describe_os(error, self._file) from error

    def _grant(self, db: sqlite3.Connection, wishes: Sequence[_Wish]) -> None:
        """Carry wishes out with one transaction; where that cannot be, each with its own."""
        due = [wish for wish in wishes if not wish.done]  # a caller who gave up may have left them to us
        if not due:
            return
        db.execute(f"PRAGMA synchronous = {'FULL' if any(wish.durable for wish in due) else 'NORMAL'}")
        try:
            outcomes = _transact(db, lambda db: [_tried(db, wish.job) for wish in due], "BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if len(due) > 1 and not _is_busy(error):
                for wish in due:
                    self._grant(db, [wish])
                return
            outcomes = [(None, self._told(error)) for _ in due]
        for wish, (value, refusal) in zip(due, outcomes, strict=True):
            wish.value, wish.error, wish.done = value, refusal, True

    def _told(self, error: sqlite3.Error) -> Exception:
        if _is_busy(error):
            return StoreBusy()
        return faults.describe(error, self._file) or BugError("a statement of the store failed")

    def _close(self) -> None:
        with self._busy:
            db, self._db = self._db, None
            if db is not None:
                db.close()


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _tried(db: sqlite3.Connection, job: Job[Any]) -> tuple[Any, Exception | None]:
    """Do a job within a transaction, whole or not at all; return what it returned or raised."""
    db.execute("SAVEPOINT wish")
    try:
        value = job(db)
    except sqlite3.Error:
        raise
    except Exception as error:
        db.execute("ROLLBACK TO wish")
        db.execute("RELEASE wish")
        return None, error
    db.execute("RELEASE wish")
    return value, None


def _transact[T](db: sqlite3.Connection, job: Job[T], begin: str) -> T:
    db.execute(begin)
    try:
        value = job(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
        raise
    return value


def _open(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(file, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        db.row_factory = sqlite3.Row
        _use_write_ahead_log(db)
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA fullfsync = ON")
        db.execute("PRAGMA secure_delete = ON")
        _transact(db, lambda opened: _bring_up(opened, file), "BEGIN IMMEDIATE")
    except BaseException:
        db.close()
        raise
    return db


def _use_write_ahead_log(db: sqlite3.Connection) -> None:
    """Switch the file over; SQLite does not wait for another process that does the same."""
    pause = threading.Event()
    for left in reversed(range(_SWITCH_TRIES)):
        try:
            db.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not left or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            pause.wait(_SWITCH_PAUSE_S)
        else:
            return


def _bring_up(db: sqlite3.Connection, file: Path) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise KnownError(
            Reason.STORE_BROKEN,
            "The store {file} was written by a newer NovaDesk.",
            "Update NovaDesk; the file has not been touched.",
            file=str(file),
        )
    for statements in _VERSIONS[version:]:
        for statement in statements:
            db.execute(statement)
    if version < VERSION:
        db.execute(f"PRAGMA user_version = {VERSION}")
