"""The SQLite file on a thread of its own: one connection, one transaction a job, faults in plain words.

A start looks at the size of the file and at the first and last row of each table. It reads all of the file only when
the last process died with it open, or damage was seen: that takes 0.1 s for 100,000 turns in memory, and half a second
from a cold disk. What a start does not read, the check of the next recovery copy does.
"""

import asyncio
import contextlib
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from novadesk.daemon import DaemonCall
from novadesk.errors import BugError, KnownError, Reason
from novadesk.store import faults, repair, schema, wordindex
from novadesk.store.copies import RecoveryCopies, connect, copy_store, read_all
from novadesk.store.repair import Repair

_log = logging.getLogger(__name__)

_BUSY_MS = 5_000
_CHECKPOINT_BUSY_MS = 250
_CLOSE_S = 10.0
_COPY_S = 600.0
_CACHE_KB = 256
"""What SQLite keeps of the file, instead of its own 2 MB: the system has the file in memory as well."""

type _Job = Callable[[], None]


class Database:
    """Owner of the store thread. Jobs run in the order given; each is one transaction, on disk when it returns.

    Args:
        file: the SQLite file; made with mode 0600 when missing.
        read_only: look at the file beside a process that writes it, without a lock. A file that does not exist, or
            is of an older schema, shows as it would after opening it for writing; it is left as it is.

    Attributes:
        repaired: what opening had to repair, or None.
    """

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        self._file = file
        self._read_only = read_only
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._db: sqlite3.Connection | None = None
        self.repaired: Repair | None = None

    @property
    def file(self) -> Path:
        """Return the SQLite file."""
        return self._file

    async def open(self) -> None:
        """Open the file, check it and bring its schema up to date; a damaged one is replaced by what is left of it.

        Raises:
            KnownError: `STORE_BROKEN` (of a newer NovaDesk, or damaged and opened for reading only: the file is left
                untouched), `STORE_LOCKED`, `DISK_FULL`.
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
        """Write a copy that can be opened by itself, mode 0600, without holding up the jobs.

        Raises:
            KnownError: `BAD_INPUT` when the target exists already or cannot be made, or what is wrong with the store.
        """
        if self._thread is None:
            raise _closed()
        call = DaemonCall(lambda: copy_store(self._file, target), name="novadesk-backup")
        try:
            await call.result(deadline_s=_COPY_S)
        except TimeoutError as error:
            raise KnownError(Reason.TIMED_OUT, "The backup takes too long.", "Name a file on a faster disk.") from error

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
            raise _closed()
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
            except (sqlite3.Error, faults.Damaged) as error:
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
            raise _closed()
        try:
            return _in_transaction(db, job, begin)
        except sqlite3.DatabaseError as error:
            if self._read_only or not faults.is_index_damage(error):
                raise
        _in_transaction(db, wordindex.rebuild, "BEGIN IMMEDIATE")
        return _in_transaction(db, job, begin)

    def _open(self) -> None:
        try:
            self._db = self._look() if self._read_only else self._open_for_writing()
        except OSError as error:
            raise faults.describe_os(error, self._file) from error
        except UnicodeDecodeError as error:
            raise faults.Damaged from error

    def _open_for_writing(self) -> sqlite3.Connection:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        repair.finish(self._file)
        if repair.is_lost(self._file):
            self._repair()
        try:
            return self._open_checked()
        except faults.SIGNS as error:
            if not faults.is_damage(error):
                raise
        self._repair()
        return self._open_checked()

    def _repair(self) -> None:
        self.repaired = repair.repair(self._file, time.time_ns() // 1_000_000)

    def _open_checked(self) -> sqlite3.Connection:
        os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
        _make_private(self._file)
        suspect = repair.is_suspect(self._file)
        doubtful = suspect or _left_open(self._file)
        db = connect(str(self._file))
        try:
            _check(db, self._file, all_of_it=doubtful, thoroughly=suspect)
            db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
            db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA fullfsync = ON")  # On macOS fsync alone leaves a turn in the drive's own memory.
            db.execute("PRAGMA secure_delete = ON")  # What the person deletes is overwritten.
            if 0 < schema.version(db) < schema.NEWEST:
                self._copy_before_migrating()
            schema.migrate(db)
            _mend_index(db)
            if doubtful:
                repair.clear_suspicion(self._file)
            db.execute("BEGIN IMMEDIATE")  # A store that can only be read says so now, not at the first turn.
            db.execute("ROLLBACK")
        except BaseException:
            db.close()
            raise
        return db

    def _copy_before_migrating(self) -> None:
        """Keep the file as the older NovaDesk can read it; a disk that has no room for that stops nobody."""
        try:
            RecoveryCopies(self._file).make(time.time_ns() // 1_000_000)
        except KnownError as error:
            _log.warning("no copy was made before the migration: %s", error.reason.value)

    def _look(self) -> sqlite3.Connection:
        db = connect(_address(self._file) if self._file.exists() else ":memory:")
        try:
            if self._file.exists():
                _check(db, self._file, all_of_it=False)
            if schema.version(db) < schema.NEWEST:
                copy = connect(":memory:")
                db.backup(copy)
                db.close()
                db = copy
                schema.migrate(db)
            db.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
        return db

    def _translate(self, error: Exception) -> BaseException:
        """Return the fault in plain words; what is not the world's doing stays what it is."""
        if faults.is_damage(error) and not self._read_only:
            repair.mark_suspect(self._file)
        known = faults.describe(error, self._file) or BugError("a statement of the store failed")
        known.__cause__ = error
        return known


def _in_transaction[T](db: sqlite3.Connection, job: Callable[[sqlite3.Connection], T], begin: str) -> T:
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


def _mend_index(db: sqlite3.Connection) -> None:
    """Make the search index anew when it is damaged.

    Raises:
        Damaged: that cannot be done.
    """
    try:
        wordindex.touch(db)
    except sqlite3.DatabaseError as error:
        if not faults.is_index_damage(error):
            raise
        try:
            _in_transaction(db, wordindex.rebuild, "BEGIN IMMEDIATE")
        except sqlite3.DatabaseError as worse:
            if faults.is_index_damage(worse):
                raise faults.Damaged from worse
            raise


def _make_private(file: Path) -> None:
    """Let the owner read and write what belongs to the store, and nobody else: readers leave files of SQLite behind."""
    if os.name == "posix":
        for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
            with contextlib.suppress(FileNotFoundError):
                file.with_name(name).chmod(0o600)


def _left_open(file: Path) -> bool:
    """Say whether the last process that wrote the file has not closed it."""
    try:
        return file.with_name(f"{file.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _address(file: Path) -> str:
    """Return how to look at a file; in a folder that cannot be written, as at one that nobody writes."""
    quiet = not os.access(file.parent, os.W_OK) and not _left_open(file)
    return f"{file.absolute().as_uri()}?mode=ro{'&immutable=1' if quiet else ''}"


def _check(db: sqlite3.Connection, file: Path, *, all_of_it: bool, thoroughly: bool = False) -> None:
    """Refuse a file of a newer NovaDesk and find a damaged one, before anything is written to it."""
    if schema.version(db) > schema.NEWEST:
        raise KnownError(
            Reason.STORE_BROKEN,
            "The store {file} was written by a newer NovaDesk.",
            "Update NovaDesk; the file has not been touched.",
            file=str(file),
        )
    if all_of_it:
        read_all(db, thoroughly=thoroughly)
        return
    (pages,), (page_bytes,) = db.execute("PRAGMA page_count").fetchone(), db.execute("PRAGMA page_size").fetchone()
    if not _left_open(file) and file.stat().st_size < pages * page_bytes:
        raise faults.Damaged
    for (table,) in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%STRICT%'"
    ).fetchall():
        for order in ("", " DESC"):
            db.execute(f"SELECT * FROM {table} ORDER BY 1{order} LIMIT 1").fetchall()


def _closed() -> KnownError:
    return KnownError(Reason.STORE_LOCKED, "The store is closed.", "Start NovaDesk again.")
