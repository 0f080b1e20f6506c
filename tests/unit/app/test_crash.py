"""Faults that nobody caught, on every thread and in the processes beside: each ends in one file."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from novadesk.app.crash import MOST, CrashKeeper
from novadesk.audio.child import Child
from novadesk.config import BackendSettings, Settings
from novadesk.errors import KnownError
from novadesk.models import BackendKind
from novadesk.paths import Folders, find_folders
from tests.support.leaks import LogWatch

TEXT = "The Zugspitze is high"


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return find_folders(home=str(tmp_path / "home")).make()


@pytest.fixture
def keeper(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Iterator[CrashKeeper]:
    monkeypatch.setattr(sys, "excepthook", lambda *_: None)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    made = CrashKeeper(folders, Settings())
    hooks = (sys.excepthook, threading.excepthook)
    made.start()
    yield made
    made.stop()
    assert (sys.excepthook, threading.excepthook) == hooks
    assert not list(made.files.folder.glob("fault-*"))


def fail() -> None:
    raise ValueError(TEXT)


def error_of(line: int) -> Exception:
    """Return an exception that came from a place of its own."""
    code = compile("\n" * line + "raise ValueError", f"{TEXT}.py", "exec")
    try:
        exec(code)
    except ValueError as error:
        return error
    raise AssertionError


def only_report(keeper: CrashKeeper) -> str:
    (file,) = keeper.files.unseen()
    return file.read_text(encoding="utf-8")


def test_the_main_thread(keeper: CrashKeeper) -> None:
    told: list[Path] = []
    keeper.show_on(told.append)
    try:
        fail()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    assert told == keeper.files.unseen()
    report = only_report(keeper)
    assert "where: main thread" in report
    assert "in fail" in report
    assert "Zugspitze" not in report


def test_another_thread(keeper: CrashKeeper) -> None:
    thread = threading.Thread(target=fail, name="store")
    thread.start()
    thread.join()
    assert "where: thread store" in only_report(keeper)


def test_a_loop_s_callbacks_and_forgotten_tasks(keeper: CrashKeeper, expected_logs: LogWatch) -> None:
    expected_logs.allow("Exception in callback")

    async def run() -> None:
        keeper.watch(asyncio.get_running_loop(), "core thread")
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(run())
    assert "where: core thread" in only_report(keeper)


@pytest.mark.skipif(os.name != "posix", reason="the stand-ins are shell commands")
@pytest.mark.parametrize(
    ("script", "sign"),
    [
        ("import faulthandler, os; faulthandler.enable(2); os.abort()", "Fatal Python error: Aborted"),
        (f"raise ValueError('{TEXT}')", "ValueError"),
    ],
)
async def test_the_audio_process(keeper: CrashKeeper, expected_logs: LogWatch, script: str, sign: str) -> None:
    expected_logs.allow("audio process has crashed")
    child = await Child.start([sys.executable, "-c", script])
    with pytest.raises(KnownError):
        await child.receive(20)
    await child.end()
    report = only_report(keeper)
    assert "where: the audio process" in report
    assert sign in report
    assert "Zugspitze" not in report


BUSY = """
import asyncio, sys, threading, time
from novadesk.app.crash import CrashKeeper
from novadesk.config import Settings
from novadesk.paths import find_folders

async def deep(level):
    return await deep(level - 1) if level else "x" * 2000

async def talk():
    print("busy", flush=True)
    while True:
        await asyncio.gather(*(asyncio.create_task(deep(level)) for level in range(4)))

def ends_here():
    CrashKeeper(find_folders(home=sys.argv[1]), Settings()).start()
    threading.Thread(target=asyncio.run, args=[talk()], daemon=True).start()
    time.sleep(60)

ends_here()
"""


@pytest.mark.skipif(os.name != "posix", reason="a process that is killed by a signal")
def test_a_process_that_died_is_reported_at_the_next_start_whatever_its_other_threads_did(
    keeper: CrashKeeper, folders: Folders
) -> None:
    command = [sys.executable, "-c", BUSY, str(folders.config.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"busy\n"
        time.sleep(0.1)  # busy it is, wherever
        process.send_signal(signal.SIGABRT)
    assert process.returncode < 0
    (report,) = keeper.collect()
    text = report.read_text(encoding="utf-8")
    assert "where: the whole program" in text
    assert "Fatal Python error: Aborted" in text
    assert "in ends_here" in text
    assert "in talk" not in text
    assert "asyncio" not in text, "of the thread that goes on, nothing can be told safely"
    keeper.files.note_seen(report)
    assert keeper.collect() == []


def test_one_that_was_only_killed_is_no_fault_of_ours(keeper: CrashKeeper) -> None:
    (keeper.files.folder / "fault-99999999.txt").write_text("")
    assert keeper.collect() == []
    assert [file.name for file in keeper.files.folder.iterdir()] == [f"fault-{os.getpid()}.txt"]


def test_the_same_fault_is_reported_once_and_a_storm_of_them_a_few_times(keeper: CrashKeeper) -> None:
    for line in [0] * 5 + list(range(MOST + 5)):
        error = error_of(line)
        sys.excepthook(ValueError, error, error.__traceback__)
    assert len(keeper.files.unseen()) == MOST


def test_a_report_names_the_settings_of_its_time(keeper: CrashKeeper) -> None:
    keeper.use(Settings(backend=BackendSettings(kind=BackendKind.BEDROCK)))
    keeper.take("main thread", ["ValueError"])
    assert "backend.kind = bedrock" in only_report(keeper)


def test_interrupting_is_no_fault(keeper: CrashKeeper) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert keeper.files.unseen() == []


def test_a_folder_that_cannot_be_written_stops_nothing(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, expected_logs: LogWatch
) -> None:
    expected_logs.allow("could not be written")
    (folders.state / "reports").write_text("in the way")
    monkeypatch.setattr(sys, "excepthook", lambda *_: None)
    made = CrashKeeper(folders, Settings())
    made.start()
    sys.excepthook(ValueError, ValueError(), None)
    made.stop()
