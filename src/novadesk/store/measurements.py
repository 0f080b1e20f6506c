"""Measurements on disk: a kind, a time and a number each, and nothing else."""

import sqlite3
from collections.abc import Sequence

from novadesk.diagnostics.metrics import Measure, Row
from novadesk.store.database import Database

_KINDS = {measure.value: measure for measure in Measure}


class Measurements:
    """The table `measurement`.

    Args:
        database: the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, rows: Sequence[Row]) -> None:
        """Add rows in one transaction.

        Raises:
            KnownError: see `Database.run`; none of them is kept.
        """
        values = [(row.at_ms, row.measure.value, row.value) for row in rows]

        def work(db: sqlite3.Connection) -> None:
            db.executemany("INSERT INTO measurement (at_ms, kind, value) VALUES (?, ?, ?)", values)

        await self._database.run(work)

    async def since(self, at_ms: int) -> tuple[Row, ...]:
        """Return the rows of `at_ms` and later, in the order of their times; kinds of a newer NovaDesk are left out."""

        def work(db: sqlite3.Connection) -> tuple[Row, ...]:
            found = db.execute(
                "SELECT at_ms, kind, value FROM measurement WHERE at_ms >= ? ORDER BY at_ms, number", (at_ms,)
            )
            return tuple(
                Row(at_ms=at, measure=_KINDS[kind], value=value) for at, kind, value in found if kind in _KINDS
            )

        return await self._database.read(work)

    async def forget(self, before_ms: int) -> int:
        """Delete the rows before `before_ms`; return how many they were."""
        return await self._database.run(
            lambda db: db.execute("DELETE FROM measurement WHERE at_ms < ?", (before_ms,)).rowcount
        )
