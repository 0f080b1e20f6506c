"""The ledger between hot path and store, and the words of `novadesk metrics`."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from novadesk.app import metrics
from novadesk.app.metrics import KEPT_MS, MOST_WAITING, Ledger, run_metrics, table
from novadesk.cli import main
from novadesk.diagnostics.metrics import ALERT_SAMPLES, Measure, Metric, Row, summarise
from novadesk.errors import KnownError, Reason
from novadesk.paths import find_folders
from novadesk.store.database import Database
from novadesk.store.measurements import Measurements
from tests.support.leaks import LogWatch
from tests.support.store_rig import START_MS, RealClock, make_conversation

FULL = KnownError(Reason.DISK_FULL, "The disk is full.", "Make room.")


class SetClock:
    def __init__(self) -> None:
        self.ms = START_MS

    def now(self) -> float:
        return self.ms / 1000

    def unix_ms(self) -> int:
        return self.ms


class MemoryTable(Measurements):
    """A table in memory that can fail, and that lets go when it is told to."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.writes = 0
        self.failure: Exception | None = None
        self.free = asyncio.Event()
        self.free.set()

    async def add(self, rows: object) -> None:
        self.writes += 1
        await self.free.wait()
        if self.failure is not None:
            raise self.failure
        self.rows += rows  # type: ignore[operator]

    async def since(self, at_ms: int) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.at_ms >= at_ms)

    async def forget(self, before_ms: int) -> int:
        self.rows = [row for row in self.rows if row.at_ms >= before_ms]
        return 0


async def until(condition: object) -> None:
    async with asyncio.timeout(60):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def test_measurements_are_written_together_and_not_at_once() -> None:
    kept = MemoryTable()
    ledger = Ledger(kept, SetClock(), flush_s=0.05)
    ledger.start()
    await asyncio.sleep(0)
    for value in range(30):
        ledger.note(Measure.LOAD, value)
    assert kept.writes == 0
    await until(lambda: kept.rows)
    assert (kept.writes, [row.value for row in kept.rows]) == (1, list(range(30)))
    await ledger.stop()


async def test_the_end_writes_what_waits_once() -> None:
    kept = MemoryTable()
    ledger = Ledger(kept, SetClock(), flush_s=3_600)
    ledger.start()
    await asyncio.sleep(0)
    ledger.note(Measure.TURN_KEPT)
    await ledger.stop()
    await ledger.stop()
    assert [row.measure for row in kept.rows] == [Measure.TURN_KEPT]


async def test_a_write_under_way_at_the_end_is_not_done_twice() -> None:
    kept = MemoryTable()
    ledger = Ledger(kept, SetClock(), flush_s=0.001)
    kept.free.clear()
    ledger.note(Measure.TURN_KEPT)
    ledger.start()
    await until(lambda: kept.writes)
    ending = asyncio.create_task(ledger.stop())
    await asyncio.sleep(0.01)
    ledger.note(Measure.RENEWAL)
    kept.free.set()
    await ending
    assert [row.measure for row in kept.rows] == [Measure.TURN_KEPT, Measure.RENEWAL]


async def test_what_the_disk_refuses_is_kept_in_order_and_said_once(
    caplog: pytest.LogCaptureFixture, expected_logs: LogWatch
) -> None:
    expected_logs.allow("^measurements ")
    kept = MemoryTable()
    kept.failure = FULL
    ledger = Ledger(kept, SetClock(), flush_s=0.001)
    ledger.note(Measure.LOAD, 1)
    ledger.start()
    await until(lambda: kept.writes > 3)
    ledger.note(Measure.LOAD, 2)
    kept.failure = None
    await until(lambda: len(kept.rows) == 2)
    await ledger.stop()
    assert [row.value for row in kept.rows] == [1, 2]
    assert [record.getMessage() for record in caplog.records] == ["measurements wait for the store: store.disk_full"]


async def test_a_disk_that_stays_full_costs_no_more_than_so_much_memory(
    caplog: pytest.LogCaptureFixture, expected_logs: LogWatch
) -> None:
    expected_logs.allow("^measurements ")
    kept = MemoryTable()
    kept.failure = FULL
    ledger = Ledger(kept, SetClock(), flush_s=3_600)
    for value in range(MOST_WAITING + 7):
        ledger.note(Measure.LOAD, value)
    ledger.start()
    await until(lambda: kept.writes)
    kept.failure = None
    await ledger.stop()
    assert len(kept.rows) == MOST_WAITING
    assert kept.rows[-1].value == MOST_WAITING + 6


async def test_a_bug_of_the_table_does_not_end_the_measuring(
    caplog: pytest.LogCaptureFixture, expected_logs: LogWatch
) -> None:
    expected_logs.allow("^measurements ")
    kept = MemoryTable()
    kept.failure = RuntimeError("a bug")
    ledger = Ledger(kept, SetClock(), flush_s=0.001)
    ledger.note(Measure.LOAD)
    ledger.start()
    await until(lambda: kept.writes)
    kept.failure = None
    ledger.note(Measure.RENEWAL)
    await until(lambda: kept.rows)
    await ledger.stop()
    assert "measurements met a bug" in caplog.text


async def test_the_metrics_know_what_is_not_written_yet(tmp_path: Path) -> None:
    async with Database(tmp_path / "novadesk.db") as database:
        ledger = Ledger(Measurements(database), RealClock(), flush_s=3_600)
        ledger.note(Measure.RECONNECT, 1_500)
        found = {metric.name: metric.value for metric in await ledger.metrics()}
    assert (found["reconnects"], found["reconnect_time"]) == (1, 1.5)


async def test_old_measurements_go(tmp_path: Path) -> None:
    clock = SetClock()
    async with Database(tmp_path / "novadesk.db") as database:
        kept = Measurements(database)
        await kept.add([Row(at_ms=START_MS - KEPT_MS - 1, measure=Measure.LOAD)])
        await kept.add([Row(at_ms=START_MS - KEPT_MS, measure=Measure.RENEWAL)])
        ledger = Ledger(kept, clock, flush_s=0.01)
        ledger.start()
        async with asyncio.timeout(60):
            while len(await kept.since(0)) > 1:
                await asyncio.sleep(0.005)
        assert [row.measure for row in await kept.since(0)] == [Measure.RENEWAL]
        clock.ms += metrics.FORGET_MS
        async with asyncio.timeout(60):
            while await kept.since(0):
                await asyncio.sleep(0.005)
        await ledger.stop()


async def test_noting_takes_any_number_and_never_raises() -> None:
    ledger = Ledger(MemoryTable(), SetClock())
    for value in (float("nan"), float("inf"), -5.0, 1e308):
        ledger.note(Measure.LOAD, value)
    assert len(await ledger.metrics()) > 10


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path))
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    rows = json.loads(capsys.readouterr().out)
    assert all(list(row) == ["name", "title", "value", "unit", "samples", "threshold", "alert"] for row in rows)
    return {row["name"]: row for row in rows}


def test_without_a_file_there_are_no_values_and_no_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--json"]) == 0
    found = printed(capsys)
    assert found["session_recovery_rate"]["value"] is None
    assert found["reconnects"]["value"] == 0
    assert list(home.rglob("*")) == []


def test_a_file_of_the_first_version_is_read_and_left_as_it_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = find_folders().make().database
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.executescript((Path(__file__).parents[2] / "data" / "store_version_1.sql").read_text(encoding="utf-8"))
    before = file.read_bytes()
    assert main(["metrics", "--json"]) == 0
    assert printed(capsys)["outbox_depth"]["value"] is not None
    assert file.read_bytes() == before


async def fill() -> None:
    now_ms = RealClock().unix_ms()
    made = [Row(at_ms=now_ms - 120_000, measure=Measure.TURN_KEPT) for _ in range(ALERT_SAMPLES)]
    made += [Row(at_ms=now_ms - 119_000, measure=Measure.TURN_DELIVERED, value=1_000) for _ in range(10)]
    made += [Row(at_ms=now_ms - 90_000, measure=Measure.LOAD, value=180)]
    async with Database(find_folders().make().database) as database:
        await Measurements(database).add(made)


def test_json_tells_values_thresholds_and_alerts(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(fill())
    assert main(["metrics", "--json"]) == 0
    found = printed(capsys)
    assert found["persistence_success_rate"] == {
        "name": "persistence_success_rate",
        "title": "Turns in the session store within 60 s",
        "value": 50.0,
        "unit": "%",
        "samples": ALERT_SAMPLES,
        "threshold": 95.0,
        "alert": True,
    }
    assert found["history_load_time"]["value"] == 0.18
    assert found["history_load_time"]["alert"] is False
    assert found["outbox_depth"]["value"] == 0


def test_people_read_a_table_with_the_alert_in_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(fill())
    assert run_metrics(profile="", as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("Turns in the session store")]
    assert "50.0 %" in line
    assert "ALERT: below 95 %, 20 measured" in line
    assert sum("ALERT" in line for line in lines) == 1


async def test_the_command_works_beside_a_running_core(home: Path) -> None:
    async with Database(find_folders().make().database) as database:
        await Measurements(database).add([Row(at_ms=RealClock().unix_ms() - 10, measure=Measure.RENEWAL, value=900)])
        found = {metric.name: metric.value for metric in await metrics.read_metrics("")}
    assert found["renewals"] == 1


async def test_the_outbox_is_counted_not_remembered(home: Path) -> None:
    from novadesk.store.conversations import Conversations
    from tests.support.store_rig import make_turn

    conversation = make_conversation()
    async with Database(find_folders().make().database) as database:
        archive = Conversations(database)
        await archive.create(conversation)
        await archive.append(make_turn(conversation.handle))
    found = {metric.name: metric.value for metric in await metrics.read_metrics("")}
    assert found["outbox_depth"] == 1


def test_the_table_has_a_line_for_each_metric() -> None:
    found: tuple[Metric, ...] = summarise((), START_MS)
    assert len(table(found)) == len(found)
