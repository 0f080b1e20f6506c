"""A gateway's session store without threads, for tests on virtual time: the SQLite one, on the caller's own thread."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from novadesk.errors import KnownError
from novadesk.server.gateway import state_file
from novadesk.server.gateway.state_sqlite import SqliteSessions


class _DirectFile:
    """Runs each job at once. `failures` are raised by the next ones, one each."""

    def __init__(self) -> None:
        self.failures: list[KnownError] = []
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        state_file._transact(self._db, lambda db: state_file._bring_up(db, Path(":memory:")), "BEGIN IMMEDIATE")

    async def read(self, job: Any) -> Any:
        return await self._run(job)

    async def write(self, job: Any, *, durable: bool = True) -> Any:
        return await self._run(job)

    async def _run(self, job: Any) -> Any:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        return state_file._transact(self._db, job, "BEGIN IMMEDIATE")

    async def close(self) -> None:
        self._db.close()


class MemorySessions(SqliteSessions):
    """A `SessionStore` in memory, shared by every gateway that is given it."""

    def __init__(self) -> None:
        self.direct = _DirectFile()
        self._file: Any = self.direct
