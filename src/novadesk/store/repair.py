"""A damaged store: set aside, never deleted; in its place the newest whole copy and what the damaged file still has."""

import contextlib
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from novadesk.errors import BugError
from novadesk.models import counted
from novadesk.store import copies, faults, schema, wordindex
from novadesk.store.copies import Health, RecoveryCopies
from novadesk.store.salvage import salvage


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What came of a repair.

    Attributes:
        kept: where the damaged file lies now, or None when there was none any more.
        turns: turns in the store after it.
        conversations: conversations in the store after it.
    """

    kept: Path | None
    turns: int
    conversations: int

    @property
    def words(self) -> str:
        """Return one sentence for the person."""
        back = f"{counted(self.turns, 'turn')} in {counted(self.conversations, 'conversation')} came back"
        if self.kept is None:
            return f"The store was missing; {back} from a recovery copy."
        return f"The store was damaged; {back}, and the damaged file is kept as {self.kept}."


def mark_suspect(store: Path) -> None:
    """Have the next start read all of the store before it is used."""
    with contextlib.suppress(OSError):
        os.close(os.open(_suspicion(store), os.O_WRONLY | os.O_CREAT, 0o600))


def is_suspect(store: Path) -> bool:
    """Say whether damage was seen in the store."""
    return _suspicion(store).exists()


def clear_suspicion(store: Path) -> None:
    """Note that all of the store was read and is whole."""
    _suspicion(store).unlink(missing_ok=True)


def is_lost(store: Path) -> bool:
    """Say whether the file is gone or empty although there was one: a recovery copy tells."""
    with contextlib.suppress(FileNotFoundError):
        if store.stat().st_size:
            return False
    return bool(RecoveryCopies(store).files())


def finish(store: Path) -> None:
    """Bring a repair to its end whose process died between setting the damaged file aside and replacing it.

    Raises:
        OSError: a file cannot be moved.
    """
    draft = _draft(store)
    if not draft.exists():
        return
    if store.exists():
        _remove(draft)  # nothing had been moved yet, and it may be unfinished
    else:
        _set_aside(store, 0)
        draft.rename(store)
        copies.sync_folder(store.parent)


def repair(store: Path, now_ms: int) -> Repair:
    """Replace a damaged or lost store; on any failure it is left where and as it is.

    Raises:
        OSError: no room, or a file cannot be made or moved.
        sqlite3.Error: the new file cannot be written.
    """
    draft = _draft(store)
    _remove(draft)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        _take_newest_copy(store, draft)
        with closing(copies.connect(str(draft))) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
            schema.migrate(db)
            _take_the_rest(store, db)
            turns, conversations = db.execute(
                "SELECT (SELECT count(*) FROM turn), (SELECT count(*) FROM conversation)"
            ).fetchone()
            if not wordindex.is_whole(db):
                wordindex.rebuild(db)
            wordindex.merge(db)
        if copies.check(draft) is not Health.WHOLE:
            raise BugError("a repaired store is not whole")
        kept = _set_aside(store, now_ms)
        draft.rename(store)
        copies.sync_folder(store.parent)
        clear_suspicion(store)
    except BaseException:
        if store.exists():
            _remove(draft)
        raise
    return Repair(kept=kept, turns=turns, conversations=conversations)


def _take_newest_copy(store: Path, draft: Path) -> None:
    for copy in RecoveryCopies(store).files():
        shutil.copyfile(copy, draft)
        if copies.check(draft) in (Health.WHOLE, Health.INDEX_DAMAGED):
            return
    os.truncate(draft, 0)


def _take_the_rest(store: Path, db: sqlite3.Connection) -> None:
    """Add what the damaged file still has, all of it or, when that meets something unforeseen, nothing."""
    if not store.exists() or not store.stat().st_size:
        return
    try:
        with copies.reading(store) as source:
            db.execute("BEGIN IMMEDIATE")
            salvage(source, db)
            db.execute("COMMIT")
    except faults.SIGNS as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if not faults.is_damage(error):
            raise


def _set_aside(store: Path, now_ms: int) -> Path | None:
    """Move the file, and after it what belongs to it; return where it went."""
    folder = store.parent / "damaged"
    found = [name for name in (store.name, f"{store.name}-wal", f"{store.name}-shm") if (store.parent / name).exists()]
    if not found:
        return None
    folder.mkdir(mode=0o700, exist_ok=True)
    place = folder / f"{store.stem}-{now_ms:013d}{store.suffix}"
    while place.exists():
        now_ms += 1
        place = folder / f"{store.stem}-{now_ms:013d}{store.suffix}"
    for name in found:
        (store.parent / name).rename(place.with_name(place.name + name.removeprefix(store.name)))
    copies.sync_folder(folder)
    return place if place.exists() and place.stat().st_size else None


def _draft(store: Path) -> Path:
    return store.with_name(f"{store.name}.repaired")


def _suspicion(store: Path) -> Path:
    return store.with_name(f"{store.name}.suspect")


def _remove(file: Path) -> None:
    for name in (file.name, f"{file.name}-journal", f"{file.name}-wal", f"{file.name}-shm"):
        file.with_name(name).unlink(missing_ok=True)
