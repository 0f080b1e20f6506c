"""Measurements on disk."""

import sqlite3
from contextlib import closing
from pathlib import Path

from novadesk.diagnostics.metrics import Measure, Row
from novadesk.store.database import Database
from novadesk.store.measurements import Measurements

ROWS = (
    Row(at_ms=1_000, measure=Measure.LOAD, value=212.5),
    Row(at_ms=2_000, measure=Measure.TURN_KEPT),
    Row(at_ms=2_000, measure=Measure.TURN_DELIVERED, value=640),
    Row(at_ms=3_000, measure=Measure.OUTBOX_DEPTH, value=0),
)


async def test_what_is_added_is_there_after_opening_again(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    async with Database(file) as database:
        await Measurements(database).add(ROWS)
    async with Database(file, read_only=True) as database:
        assert await Measurements(database).since(0) == ROWS
        assert await Measurements(database).since(2_000) == ROWS[1:]
        assert await Measurements(database).since(3_001) == ()


async def test_rows_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    async with Database(tmp_path / "novadesk.db") as database:
        table = Measurements(database)
        await table.add(ROWS[::-1])
        assert [row.at_ms for row in await table.since(0)] == [1_000, 2_000, 2_000, 3_000]


async def test_only_what_is_older_is_forgotten(tmp_path: Path) -> None:
    async with Database(tmp_path / "novadesk.db") as database:
        table = Measurements(database)
        await table.add(ROWS)
        assert await table.forget(2_000) == 1
        assert await table.since(0) == ROWS[1:]
        assert await table.forget(2_000) == 0


async def test_a_kind_of_a_newer_version_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "novadesk.db"
    async with Database(file) as database:
        await Measurements(database).add(ROWS)
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("INSERT INTO measurement (at_ms, kind, value) VALUES (2500, 'warp_factor', 9.0)")
    async with Database(file, read_only=True) as database:
        assert await Measurements(database).since(0) == ROWS


async def test_every_kind_can_be_written_and_read(tmp_path: Path) -> None:
    every = tuple(Row(at_ms=number, measure=measure, value=0.5) for number, measure in enumerate(Measure))
    async with Database(tmp_path / "novadesk.db") as database:
        await Measurements(database).add(every)
        assert await Measurements(database).since(0) == every


async def test_the_day_is_found_by_an_index(tmp_path: Path) -> None:
    async with Database(tmp_path / "novadesk.db") as database:
        (plan,) = await database.read(
            lambda db: db.execute("EXPLAIN QUERY PLAN SELECT kind FROM measurement WHERE at_ms >= 5").fetchall()
        )
    assert "measurement_time" in plan["detail"]
