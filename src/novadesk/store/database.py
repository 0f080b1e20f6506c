"""The SQLite file on a thread of its own: one connection, one transaction a job, faults in plain words."""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from novadesk.errors import BugError, KnownError, Reason
from novadesk.store import schema

_BUSY_MS = 5_000
_CHECKPOINT_BUSY_MS = 250
_CLOSE_S = 10.0

type _Job = Callable[[], None]


class Database:
    """Owner of the store thread. Jobs run in the order given; each is one transaction, on disk when it returns.

    Args:
        file: the SQLite file; made with mode 0600 when missing.
        read_only: look at the file beside a process that writes it, without a lock. A file that does not exist, or
            is of an older schema, shows as it would after opening it for writing; it is left as it is.
    """

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        self._file = file
        self._read_only = read_only
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._db: sqlite3.Connection | None = None

    @property
    def file(self) -> Path:
        """Return the SQLite file."""
        return self._file

    async def open(self) -> None:
        """Open the file, check it and bring its schema up to date.

        Raises:
            KnownError: `STORE_BROKEN` (corrupt, or of a newer NovaDesk: the file is left untouched), `STORE_LOCKED`,
                `DISK_FULL`.
        """
        if self._thread is not None:
            raise BugError("the database is open already")
        self._thread = threading.Thread(target=self._work, name="novadesk-store", daemon=True)
        self._thread.start()
        try:
            await self._submit(self._open)
        except BaseException:
            await self.close()
            raise

    async def run[T](self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run `job` on the store thread as one transaction and return its value once the disk has it.

        Cancelling the wait does not undo the job.

        Raises:
            KnownError: `STORE_LOCKED`, `DISK_FULL` or `STORE_BROKEN`; nothing of the job is kept.
        """
        return await self._submit(lambda: self._transact(job, "BEGIN" if self._read_only else "BEGIN IMMEDIATE"))

    async def read[T](self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run `job`, which only reads, on one state of the file."""
        return await self._submit(lambda: self._transact(job, "BEGIN"))

    async def back_up(self, target: Path) -> None:
        """Write a copy that can be opened by itself, mode 0600.

        Raises:
            KnownError: `BAD_INPUT` when the target exists already.
        """
        await self._submit(lambda: self._back_up(target))

    async def forget_old_pages(self) -> None:
        """Move everything from the -wal file into the store and empty it: it may hold what was deleted.

        While somebody reads an older state that cannot be done; it is done at the next call, or at the close.
        """

        def checkpoint() -> None:
            if (db := self._db) is None:
                return
            db.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_BUSY_MS}")
            try:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")

        await self._submit(checkpoint)

    async def close(self) -> None:
        """Finish the jobs given so far, close the file, end the thread. Idempotent; bounded to 10 s."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def finish() -> None:
            if self._db is not None:
                self._db.close()
                self._db = None
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(over.set)

        self._jobs.put(finish)
        self._jobs.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await over.wait()
                thread.join(1.0)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _submit[T](self, call: Callable[[], T]) -> T:
        if self._thread is None:
            raise KnownError(Reason.STORE_LOCKED, "The store is closed.", "Start NovaDesk again.")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def settle(value: T | None, error: BaseException | None) -> None:
            if outcome.cancelled():
                return
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(cast("T", value))

        def work() -> None:
            value: T | None = None
            failure: BaseException | None = None
            try:
                value = call()
            except sqlite3.Error as error:
                failure = self._translate(error)
            except Exception as error:  # Outermost frame of a job: the fault belongs to the one who waits.
                failure = error
            with contextlib.suppress(RuntimeError):  # The loop may be gone by now.
                loop.call_soon_threadsafe(settle, value, failure)

        self._jobs.put(work)
        return await outcome

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _transact[T](self, job: Callable[[sqlite3.Connection], T], begin: str) -> T:
        db = self._db
        if db is None:
            raise KnownError(Reason.STORE_LOCKED, "The store is closed.", "Start NovaDesk again.")
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

    def _open(self) -> None:
        try:
            self._db = self._look() if self._read_only else self._open_for_writing()
        except OSError as error:
            raise KnownError(
                Reason.STORE_LOCKED,
                f"The store {self._file} cannot be opened: {error.strerror}.",
                "Make the folder writable for you, or free some space, and start again.",
            ) from error

    def _open_for_writing(self) -> sqlite3.Connection:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        if os.name == "posix":
            self._file.chmod(0o600)
        db = _connect(str(self._file))
        try:
            self._check(db)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")  # What the person deletes is overwritten.
            schema.migrate(db)
        except BaseException:
            db.close()
            raise
        return db

    def _look(self) -> sqlite3.Connection:
        db = _connect(f"{self._file.absolute().as_uri()}?mode=ro" if self._file.exists() else ":memory:")
        try:
            if self._file.exists():
                self._check(db)
            if schema.version(db) < schema.NEWEST:
                copy = _connect(":memory:")
                db.backup(copy)
                db.close()
                db = copy
                schema.migrate(db)
            db.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        """Refuse a file of a newer NovaDesk and a corrupt one, before anything is written to it."""
        if schema.version(db) > schema.NEWEST:
            raise KnownError(
                Reason.STORE_BROKEN,
                f"The store {self._file} was written by a newer NovaDesk.",
                "Update NovaDesk; the file has not been touched.",
            )
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise self._broken()

    def _back_up(self, target: Path) -> None:
        if self._db is None:
            raise KnownError(Reason.STORE_LOCKED, "The store is closed.", "Start NovaDesk again.")
        try:
            os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise KnownError(
                Reason.BAD_INPUT, f"The backup {target} cannot be made: {error.strerror}.", "Name another file."
            ) from error
        with contextlib.closing(_connect(str(target))) as copy:
            self._db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")

    def _broken(self) -> KnownError:
        return KnownError(
            Reason.STORE_BROKEN,
            f"The store {self._file} is damaged.",
            "Move it to a safe place together with its -wal file and start again, or put a backup there.",
        )

    def _translate(self, error: sqlite3.Error) -> BaseException:
        """Return the fault in plain words; what is not the world's doing stays what it is."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            known = self._broken()
        elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            known = KnownError(
                Reason.STORE_LOCKED,
                f"Another program is holding the store {self._file}.",
                "Close the other program that has the file open; NovaDesk tries again.",
            )
        elif code == sqlite3.SQLITE_FULL:
            known = KnownError(
                Reason.DISK_FULL,
                f"The disk that holds {self._file} is full.",
                "Free some space; NovaDesk tries again.",
            )
        elif code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
            known = KnownError(
                Reason.STORE_LOCKED,
                f"The store {self._file} cannot be read or written.",
                "Look after the disk and the permissions of its folder; NovaDesk tries again.",
            )
        else:
            bug = BugError("a statement of the store failed")
            bug.__cause__ = error
            return bug
        known.__cause__ = error
        return known


def _connect(name: str) -> sqlite3.Connection:
    db = sqlite3.connect(
        name, uri=name.startswith("file:"), timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False
    )
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    return db
