"""The name of this machine, by which it knows its own remote sessions again."""

import platform
import secrets
import sqlite3

from novadesk.store.database import Database

_SETTING = "device"
_MAX_CHARS = 40


async def device_name(database: Database) -> str:
    """Return this machine's name with a random ending, made once for each store: two machines may be called the same.

    Raises:
        KnownError: a fault of the store.
    """
    found = await database.read(_stored)
    return await database.run(_make) if found is None else found


def _stored(db: sqlite3.Connection) -> str | None:
    row = db.execute("SELECT value FROM setting WHERE name = ?", (_SETTING,)).fetchone()
    return None if row is None else str(row["value"])


def _make(db: sqlite3.Connection) -> str:
    name = f"{platform.node()[:_MAX_CHARS] or 'computer'}-{secrets.token_hex(4)}"
    db.execute("INSERT OR IGNORE INTO setting VALUES (?, ?)", (_SETTING, name))  # Another one may have been first.
    return _stored(db) or name
