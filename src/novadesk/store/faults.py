"""What a fault of SQLite means to a person."""

import errno
import shutil
import sqlite3
from pathlib import Path

from novadesk.errors import KnownError, Reason

_LITTLE_SPACE_BYTES = 1 << 20
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_INDEX_DAMAGE = sqlite3.SQLITE_CORRUPT_VTAB
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Damaged(Exception):
    """The file is not whole."""


SIGNS = (sqlite3.DatabaseError, UnicodeDecodeError, Damaged)
"""What reading a damaged file may raise; SQLite's own words may be damaged too."""


def is_damage(error: Exception) -> bool:
    """Say whether the file is not what a store should be; a damaged search index alone is none."""
    if isinstance(error, Damaged | UnicodeDecodeError):
        return True
    return _code(error) & 0xFF in _DAMAGE and not is_index_damage(error)


def is_index_damage(error: Exception) -> bool:
    """Say whether the search index is damaged: it can be made anew from the turns."""
    # A format version that cannot be read is told in words only.
    return _code(error) == _INDEX_DAMAGE or (_code(error) == sqlite3.SQLITE_ERROR and "fts5" in str(error))


def describe(error: Exception, file: Path) -> KnownError | None:
    """Return the fault in plain words, or None when it is not the world's doing."""
    code = _code(error) & 0xFF
    if is_damage(error) or is_index_damage(error):
        return damaged(file)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return KnownError(
            Reason.STORE_LOCKED,
            "Another program is holding the store {file}.",
            "Close the other program that has the file open; NovaDesk tries again.",
            file=str(file),
        )
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(file)):
        return disk_full(file)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return KnownError(
            Reason.STORE_LOCKED,
            "The store {file} cannot be read or written.",
            "Look after the disk and the permissions of its folder; NovaDesk tries again.",
            file=str(file),
        )
    return None


def describe_os(error: OSError, file: Path) -> KnownError:
    """Return why a file or its folder cannot be used."""
    if error.errno in _NO_ROOM:
        return disk_full(file)
    return KnownError(
        Reason.STORE_LOCKED,
        "The store {file} cannot be opened: {why}.",
        "Make the folder writable for you, or free some space, and start again.",
        file=str(file),
        why=str(error.strerror),
    )


def damaged(file: Path) -> KnownError:
    """Return the error for a file that is not whole."""
    return KnownError(
        Reason.STORE_BROKEN,
        "The store {file} is damaged.",
        "Start NovaDesk again: it sets the damaged file aside and brings back what it can.",
        file=str(file),
    )


def disk_full(file: Path) -> KnownError:
    """Return the error for a disk without room."""
    return KnownError(
        Reason.DISK_FULL,
        "The disk that holds {file} is full.",
        "Free some space; NovaDesk tries again.",
        file=str(file),
    )


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) or 0)


def _is_full(file: Path) -> bool:
    try:
        return shutil.disk_usage(file.parent).free < _LITTLE_SPACE_BYTES
    except OSError:
        return False
