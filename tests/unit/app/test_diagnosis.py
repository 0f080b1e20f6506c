"""The report of the running core: on demand and after a bug, in private files, a bounded number of them."""

import asyncio
import logging
import os
import stat
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from novadesk.app import diagnosis as diagnosing
from novadesk.app.diagnosis import KEPT_REPORTS, Diagnosis
from novadesk.config import BackendSettings, Settings
from novadesk.conversation.api import ErrorNote, Phase, Snapshot
from novadesk.diagnostics.recorder import read_dump
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation, Role, Turn
from novadesk.paths import Folders, find_folders
from novadesk.store.database import Database
from tests.support.leaks import LogWatch
from tests.support.store_rig import START_MS

HANDLE = "session_1790000000000_abcdefghij0123456789abcdef"
TEXT = "The Zugspitze is high."


class StepClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def now(self) -> float:
        return self.now_s

    def unix_ms(self) -> int:
        self.now_s += 0.001  # no two reports in the same millisecond
        return START_MS + int(self.now_s * 1000)


def talking(phase: Phase = Phase.SPEAKING, error: ErrorNote | None = None) -> Snapshot:
    return Snapshot(
        phase=phase,
        error=error,
        conversation=Conversation(
            handle=HANDLE, label="caring-king-275", title=TEXT, backend=BackendKind.PRACTICE, created_ms=1, updated_ms=2
        ),
        turns=(
            Turn(
                turn_id="t",
                conversation=HANDLE,
                position=0,
                role=Role.USER,
                text=TEXT,
                at_ms=START_MS,
                wire_session="w",
            ),
        ),
        notices=(TEXT,),
        microphone_name="Anna's headset",
    )


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return find_folders(home=str(tmp_path / "home")).make()


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
async def diagnosis(folders: Folders, clock: StepClock) -> AsyncIterator[Diagnosis]:
    settings = Settings(backend=BackendSettings(profile="anna-private"))
    async with Database(folders.database) as database:
        made = Diagnosis(settings=settings, folders=folders, database=database, clock=clock, snapshot=lambda: talking())
        made.start()
        yield made
        await made.stop()


def reports(folders: Folders) -> list[Path]:
    return sorted((folders.state / "reports").glob("report-*.txt"))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_report_shows_the_state_and_hides_the_conversation(diagnosis: Diagnosis) -> None:
    diagnosis.see(talking())
    report = await diagnosis.report()
    for part in ("phase: speaking", "backend: practice", "turns shown: 1", "SQLite: ", "backend.profile = (set)"):
        assert part in report
    for secret in ("Zugspitze", HANDLE, "caring-king", "Anna", "anna-private"):
        assert secret not in report


async def test_files_are_for_the_person_only(diagnosis: Diagnosis) -> None:
    previous = os.umask(0)
    try:
        report, recording = await diagnosis.save()
    finally:
        os.umask(previous)
    assert [stat.S_IMODE(file.stat().st_mode) for file in (report, recording)] == [0o600, 0o600]
    assert stat.S_IMODE(report.parent.stat().st_mode) == 0o700
    assert read_dump(recording.read_text(encoding="utf-8")) == ()


async def test_only_so_many_are_kept_and_the_newest(diagnosis: Diagnosis, folders: Folders) -> None:
    made = [await diagnosis.save() for _ in range(KEPT_REPORTS + 3)]
    assert reports(folders) == [report for report, _ in made[3:]]
    assert len(list((folders.state / "reports").iterdir())) == 2 * KEPT_REPORTS


async def test_phases_and_errors_stand_in_the_recording_once(diagnosis: Diagnosis, clock: StepClock) -> None:
    lost = ErrorNote(layer="network", reason="network.link_lost", what=TEXT, advice=TEXT)
    for snapshot in (talking(), talking(), talking(Phase.RECONNECTING, lost), talking(Phase.RECONNECTING, lost)):
        clock.now_s += 1
        diagnosis.see(snapshot)
    lines = [" ".join(line.split()) for line in diagnosis.recorder.story(9)]
    assert lines == ["-2.00 s speaking", "0.00 s reconnecting, network.link_lost"]


# --- after a bug -----------------------------------------------------------------------------------


def meet_a_bug(name: str = "novadesk.conversation.wire") -> None:
    try:
        raise RuntimeError(TEXT)
    except RuntimeError:
        logging.getLogger(name).exception("wire session ended by a bug")


async def test_a_logged_bug_is_reported_by_itself(
    diagnosis: Diagnosis, folders: Folders, expected_logs: LogWatch
) -> None:
    expected_logs.allow("ended by a bug")
    meet_a_bug()
    await until(lambda: reports(folders))
    await until(lambda: not diagnosis._reports)
    assert "phase: speaking" in reports(folders)[0].read_text(encoding="utf-8")


async def test_a_bug_that_comes_again_is_reported_once_a_minute(
    diagnosis: Diagnosis, folders: Folders, clock: StepClock, expected_logs: LogWatch
) -> None:
    expected_logs.allow("ended by a bug")
    for _ in range(50):
        meet_a_bug()
    await until(lambda: reports(folders))
    await until(lambda: not diagnosis._reports)
    assert len(reports(folders)) == 1
    clock.now_s += diagnosing.BETWEEN_BUGS_S
    await asyncio.to_thread(meet_a_bug)
    await until(lambda: len(reports(folders)) == 2)
    await until(lambda: not diagnosis._reports)


async def test_a_fault_of_the_world_is_not_reported(
    diagnosis: Diagnosis, folders: Folders, expected_logs: LogWatch
) -> None:
    expected_logs.allow("")
    logging.getLogger("novadesk.store.sync").warning("sync is put off: sync.denied")
    logging.getLogger("novadesk.store.sync").error("no traceback")
    logging.getLogger("another").exception("not ours")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not diagnosis._reports
    assert reports(folders) == []


async def test_a_report_under_way_is_finished_at_the_end_and_none_comes_after(
    diagnosis: Diagnosis, folders: Folders, expected_logs: LogWatch
) -> None:
    expected_logs.allow("ended by a bug")
    meet_a_bug()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await diagnosis.stop()
    assert len(reports(folders)) == 1
    meet_a_bug()
    await asyncio.sleep(0)
    assert not diagnosis._reports


async def test_a_file_in_the_way_is_said(diagnosis: Diagnosis, folders: Folders, expected_logs: LogWatch) -> None:
    (folders.state / "reports").write_text("in the way")
    with pytest.raises(KnownError) as told:
        await diagnosis.save()
    assert told.value.reason is Reason.STORE_LOCKED
    expected_logs.allow("ended by a bug|could not be written")
    meet_a_bug()
    await until(lambda: [line for line in expected_logs.records if "could not be written" in line.getMessage()])


async def test_a_store_that_cannot_be_read_leaves_the_rest_of_the_report(folders: Folders, clock: StepClock) -> None:
    database = Database(folders.database)  # never opened
    made = Diagnosis(settings=Settings(), folders=folders, database=database, clock=clock, snapshot=lambda: None)
    report = await made.report()
    assert "phase: not started" in report


async def test_the_log_is_in_the_report_without_words(diagnosis: Diagnosis, folders: Folders) -> None:
    folders.log_file.write_text(
        "2027-01-15 07:59:59,123 INFO    novadesk.x: all is well\n"
        f"2027-01-15 07:59:59,123 ERROR   novadesk.x: failed for {HANDLE}\n"
        "Traceback (most recent call last):\n"
        f"ValueError: {TEXT}\n",
        encoding="utf-8",
    )
    report = await diagnosis.report()
    assert "ERROR   novadesk.x: failed for …" in report
    assert "ValueError" in report
    for hidden in ("all is well", HANDLE, "Zugspitze"):
        assert hidden not in report


# --- stalls ------------------------------------------------------------------------------------------


async def test_stalls_of_both_loops_are_measured(diagnosis: Diagnosis) -> None:
    before = {metric.name: metric.value for metric in await diagnosis.metrics()}
    await asyncio.sleep(0.01)
    time.sleep(0.5)  # noqa: ASYNC251 the blocked loop is what is tested
    await asyncio.sleep(0.01)
    diagnosis.note_window_stall(0.4)
    found = {metric.name: metric.value for metric in await diagnosis.metrics()}
    assert (found["core_stalls"] or 0) > (before["core_stalls"] or 0)
    assert found["core_stall_longest"] is not None
    assert found["core_stall_longest"] >= 0.2
    assert (found["window_stalls"], found["window_stall_longest"]) == (1, 0.4)
