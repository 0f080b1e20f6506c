"""Copies of the store: a backup for the person, and recovery copies that are whole, few and private."""

import contextlib
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import Enum
from pathlib import Path

from novadesk.errors import BugError, KnownError, Reason
from novadesk.models import BackendKind
from novadesk.store import faults, filtering, schema, wordindex

KEPT = 2
"""Recovery copies kept: the newest, and the one before in case the newest took in a fault that nobody saw."""

MOST_BYTES = 2 << 30
"""Recovery copies together; above that only the newest is kept."""

_SPARE_BYTES = 64 << 20
"""Room on the disk that a recovery copy leaves to everything else."""

_STEP_PAGES = 2_048
_WAIT_S = 5.0


class Health(Enum):
    """What a check of a whole file found."""

    WHOLE = "whole"
    INDEX_DAMAGED = "index damaged"
    DAMAGED = "damaged"
    FOREIGN = "foreign"


class Stopped(Exception):
    """The copy was not finished because somebody asked for that."""


class RecoveryCopies:
    """The recovery copies of one store, in the folder `recovery` beside it.

    Args:
        store: the SQLite file.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._folder = store.parent / "recovery"
        self._name = re.compile(rf"{re.escape(store.stem)}-(\d{{13}})\.db")

    def files(self) -> list[Path]:
        """Return the copies, newest first."""
        with contextlib.suppress(OSError):
            found = [file for file in self._folder.iterdir() if self._name.fullmatch(file.name)]
            return sorted(found, key=lambda file: file.name, reverse=True)
        return []

    def newest_ms(self) -> int | None:
        """Return the Unix time of the newest copy in milliseconds, or None."""
        match = self._name.fullmatch(files[0].name) if (files := self.files()) else None
        return None if match is None else int(match[1])

    def make(self, now_ms: int, *, only: bool = False, stop: threading.Event | None = None) -> Health:
        """Copy the store beside whoever writes it, check the copy, and keep it when it is whole.

        The check of the copy is a check of the store: every page of it was read. A copy with a damaged search index is
        kept too, because that can be made anew.

        Args:
            now_ms: Unix time, the copy's name.
            only: keep no older copy: it has what was deleted since.
            stop: gives up the copy when set.

        Raises:
            KnownError: `DISK_FULL` when little room would be left, or what keeps the store from being read.
            Stopped: `stop` was set.
        """
        draft = self._folder / f"{self._store.stem}.draft"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            _unlink(draft)
            self._look_for_room()
            copy_store(self._store, draft, stop)
            health = check(draft)
            if health in (Health.WHOLE, Health.INDEX_DAMAGED):
                draft.rename(self._folder / f"{self._store.stem}-{now_ms:013d}.db")
                sync_folder(self._folder)
                self._thin_out(only=only, now_ms=now_ms)
        except OSError as error:
            raise faults.describe_os(error, draft) from error
        except sqlite3.Error as error:
            raise faults.describe(error, draft) or BugError("a copy cannot be checked") from error
        finally:
            _unlink(draft)
        return health

    def _thin_out(self, *, only: bool, now_ms: int) -> None:
        kept_bytes = 0
        for place, file in enumerate(self.files()):
            kept_bytes += file.stat().st_size
            late = int(file.stem[-13:]) > now_ms  # of a clock that was wrong: it would never grow old
            if late or (place > 0 and (only or place >= KEPT or kept_bytes > MOST_BYTES)):
                _unlink(file)

    def _look_for_room(self) -> None:
        wal = self._store.with_name(self._store.name + "-wal")
        needed = sum(file.stat().st_size for file in (self._store, wal) if file.exists())
        if shutil.disk_usage(self._folder).free < needed + _SPARE_BYTES:
            raise faults.disk_full(self._store)


def copy_store(source: Path, target: Path, stop: threading.Event | None = None) -> None:
    """Write a copy that can be opened by itself and is on the disk when this returns: mode 0600, one file.

    The source is read as it is at this moment, beside whoever writes it, and not held up.

    Raises:
        KnownError: `BAD_INPUT` when the target exists or cannot be made, else what is wrong with the source; then there
            is no target.
        Stopped: `stop` was set.
    """
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise KnownError(
            Reason.BAD_INPUT,
            "The copy {file} cannot be made: {why}.",
            "Name another file.",
            file=str(target),
            why=str(error.strerror),
        ) from error
    try:
        with reading(source) as original, closing(connect(str(target))) as copy:
            original.execute("BEGIN")  # one state, whatever is written meanwhile
            original.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            copy.execute("PRAGMA synchronous = FULL")
            original.backup(copy, pages=_STEP_PAGES, progress=lambda *_: _heed(stop))
            copy.execute("PRAGMA journal_mode = DELETE")
        sync_folder(target.parent)
    except BaseException as error:
        _unlink(target)
        if not isinstance(error, sqlite3.Error):
            raise
        full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        known = faults.disk_full(target) if full else faults.describe(error, source)
        raise known or BugError("a statement of the copy failed") from error


def check(file: Path) -> Health:
    """Read all of a store that nobody else uses and say how it is."""
    try:
        with closing(connect(str(file))) as db:
            if not 1 <= schema.version(db) <= schema.NEWEST:
                return Health.FOREIGN
            read_all(db, thoroughly=True)
            return Health.WHOLE if wordindex.is_whole(db) else Health.INDEX_DAMAGED
    except faults.SIGNS as error:
        if faults.is_damage(error):
            return Health.DAMAGED
        raise


def read_all(db: sqlite3.Connection, *, thoroughly: bool) -> None:
    """Read every page of a store; with `thoroughly` also compare each index with its table.

    Raises:
        Damaged: it is not whole.
        sqlite3.DatabaseError: the same, or it cannot be read.
    """
    verdicts = [verdict for (verdict,) in db.execute(f"PRAGMA {'integrity_check' if thoroughly else 'quick_check'}(9)")]
    kinds = ", ".join(f"'{kind.value}'" for kind in BackendKind)
    strange = f"SELECT 1 FROM conversation WHERE backend NOT IN ({kinds}) LIMIT 1"
    # From 3.44 on SQLite reports the search index here too, which is judged by itself.
    wrong = [verdict for verdict in verdicts if verdict != "ok" and "FTS5 table main.turn_text" not in verdict]
    if wrong or db.execute(strange).fetchone() is not None:
        raise faults.Damaged


def connect(name: str) -> sqlite3.Connection:
    """Open a file (or a `file:` address) as the store does."""
    db = sqlite3.connect(name, uri=name.startswith("file:"), timeout=_WAIT_S, isolation_level=None,
                         check_same_thread=False)  # fmt: skip
    db.row_factory = sqlite3.Row
    db.text_factory = _text
    filtering.teach(db)
    db.execute("PRAGMA foreign_keys = ON")
    return db


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a store for reading only."""
    with closing(connect(f"{file.absolute().as_uri()}?mode=ro")) as db:
        yield db


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files on the disk."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _text(raw: bytes) -> str:
    """Decode what a damaged page may hold too: SQLite's error about it would quote what was said."""
    return raw.decode("utf-8", "replace")


def _heed(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Stopped


def _unlink(file: Path) -> None:
    for name in (file.name, f"{file.name}-journal", f"{file.name}-wal", f"{file.name}-shm"):
        file.with_name(name).unlink(missing_ok=True)
