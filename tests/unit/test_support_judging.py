"""A failure in real time is judged unless the host took the processors away at that time."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.stolen import EVERY_S, Note, most_lost, read_notes

TEXT = """
import time
import pytest

@pytest.fixture(scope="module")
def ran():
    time.sleep(0.3)

def test_of_a_run(ran):
    assert ran == 1, "of a run"

def test_alone():
    time.sleep(0.3)
    assert False, "alone"

def test_good(): pass
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.judging.EVERY_S", 0.05)


def outcomes(pytester: pytest.Pytester, folder: str, *lost: tuple[float, float]) -> list[str]:
    """Return what became of the three tests when so much was lost so many seconds after their begin."""
    pytester.makefile(".ini", pytest="[pytest]\nasyncio_default_fixture_loop_scope = function")
    file = pytester.path / "tests" / folder / "test_a.py"
    file.parent.mkdir(parents=True)
    file.write_text(TEXT)
    begun, notes = time.monotonic(), pytester.path / "notes"
    notes.write_text("".join(f"{begun + at:.3f} {seconds:.3f}\n" for at, seconds in lost))
    options = ("-p", "tests.support.judging", f"--stolen={notes}", f"--rootdir={pytester.path}")
    done = pytester.inline_run(*options, "tests")
    return [report.outcome for report in done.getreports("pytest_runtest_logreport") if report.when == "call"]


def test_without_a_note_every_failure_is_one(pytester: pytest.Pytester) -> None:
    assert outcomes(pytester, "integration") == ["failed", "failed", "passed"]


def test_what_failed_while_much_was_lost_is_not_judged(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = [(n / 10, 0.2) for n in range(1200)]
    assert outcomes(pytester, "integration", *lost) == ["skipped", "skipped", "passed"]
    printed = capsys.readouterr().out
    assert "test_a.py::test_of_a_run (call): AssertionError: of a run" in printed
    assert "test_a.py::test_alone (call): AssertionError: alone" in printed


def test_little_and_earlier_loss_excuses_nothing(pytester: pytest.Pytester) -> None:
    lost = [(-9.0, 3.0), *((n / 2, 0.1) for n in range(240))]
    assert outcomes(pytester, "end2end", *lost) == ["failed", "failed", "passed"]


def test_what_keeps_no_time_has_no_excuse(pytester: pytest.Pytester) -> None:
    lost = [(n / 10, 0.2) for n in range(1200)]
    assert outcomes(pytester, "unit", *lost) == ["failed", "failed", "passed"]


@pytest.mark.parametrize(
    ("begin", "end", "lost_s"),
    [(0.0, 25.0, 1.5), (0.0, 10.4, 0.7), (11.5, 12.0, 0.0), (15.1, 20.0, 0.0), (50, 60, 0.0), (30.0, 31.0, 4.0)],
)
def test_the_worst_stretch_counts(begin: float, end: float, lost_s: float) -> None:
    notes = [Note(10.0, 0.7), Note(11.0, 0.8), Note(15.0, 0.4), Note(20.0, 0.0), Note(30.0, 9.0)]
    assert most_lost(notes, begin, end) == pytest.approx(lost_s)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/stat")
def test_notes_are_taken_until_whoever_wants_them_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    command = f"{sys.executable} -m tests.support.stolen {file} & echo $!; sleep {4 * EVERY_S}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    notes = read_notes(file)
    assert notes
    assert all(note.lost_s >= 0.0 for note in notes)
    assert notes[-1].at <= time.monotonic()
    os.waitpid(int(done.stdout), 0)  # an orphan of ours by now, which ends by itself
