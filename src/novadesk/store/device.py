"""The name of this machine, by which it knows its own remote sessions again."""

import platform
import secrets

from novadesk.store.database import Database

_SETTING = "device"
_MAX_CHARS = 40


async def device_name(database: Database) -> str:
    """Return this machine's name with a random ending, made once for each store: two machines may be called the same.

    Raises:
        KnownError: a fault of the store.
    """
    fresh = f"{platform.node()[:_MAX_CHARS] or 'computer'}-{secrets.token_hex(4)}"
    found: str | None = await database.read(
        lambda db: (row := db.execute("SELECT value FROM setting WHERE name = ?", (_SETTING,)).fetchone()) and row[0]
    )
    if found is None:
        await database.run(
            lambda db: db.execute("INSERT OR IGNORE INTO setting VALUES (?, ?)", (_SETTING, fresh)).rowcount
        )
    return found or fresh
