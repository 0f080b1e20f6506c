"""Crash reports: where it happened, nothing of what was in hand, and which of them nobody has seen."""

import os
import stat
from pathlib import Path

import pytest

from novadesk.config import Settings, VoiceSettings
from novadesk.diagnostics.crash import KEPT, Crash, CrashFiles, make_crash_report, of_dump, of_exception

TEXT = "The Zugspitze is high"
THREAD = "Current thread 0x00007f2b3c5d1700 (most recent call first):"
DUMP = f"""Some words of a driver: {TEXT}
Fatal Python error: Segmentation fault

{THREAD}
  File "/home/anna/novadesk/src/novadesk/audio/pump.py", line 12 in turn
  File "/usr/lib/python3.12/threading.py", line 1010 in run
{TEXT}
Extension modules: numpy._core (total: 55)
"""


class AnnasOwn(Exception):
    """Its name looks like no exception's."""


def fault() -> BaseException:
    try:
        try:
            raise ValueError(TEXT)
        except ValueError as error:
            raise AnnasOwn(TEXT) from error
    except AnnasOwn as error:
        return error


def test_an_exception_keeps_places_and_types_and_loses_values() -> None:
    lines = of_exception(fault())
    text = "\n".join(lines)
    assert TEXT not in text
    assert "in fault" in text
    assert "ValueError" in lines
    assert lines[-1] == "AnnasOwn"
    assert str(Path(__file__).parent) not in text


@pytest.mark.parametrize("heading", [THREAD, "Stack (most recent call first):"])
def test_a_dump_keeps_its_heading_and_frames(heading: str) -> None:
    assert of_dump(DUMP.replace(THREAD, heading)) == [
        "Fatal Python error: Segmentation fault",
        heading,
        '  File "novadesk/audio/pump.py", line 12 in turn',
        '  File "lib/python3.12/threading.py", line 1010 in run',
    ]


def test_a_traceback_of_another_process_is_one_too_and_chatter_is_none() -> None:
    frame = f'  File "/x/novadesk/a.py", line 3, in go\n    {TEXT}\n'
    told = f"ALSA lib: {TEXT}\nTraceback (most recent call last):\n{frame}"
    assert of_dump(f"{told}ValueError: {TEXT}\n") == [
        "Traceback (most recent call last):",
        '  File "novadesk/a.py", line 3, in go',
        "ValueError",
    ]
    assert of_dump(f"ALSA lib pcm.c: underrun\n{TEXT}\nOSError: {TEXT}") == []


def test_the_report_names_nobody() -> None:
    report = make_crash_report(
        Crash(
            where="core thread",
            made_at="2027-01-15 08:00:00 UTC",
            lines=of_exception(fault()),
            program=(("version", "1.2.3"), ("system", "Linux of Anna-Maria")),
            settings=Settings(voice=VoiceSettings(prompt=TEXT)),
            log=(f"2027-01-15 07:59:59,123 ERROR   novadesk.x: failed for anna-maria: {TEXT}",),
            hidden=("Anna-Maria", "al"),
        )
    )
    assert "where: core thread" in report
    assert "version: 1.2.3" in report
    assert "anna-maria" not in report.lower()
    assert "voice.prompt = (set)" in report
    assert "general" in make_crash_report(
        Crash(where="general", made_at="", lines=(), program=(), settings=Settings(), hidden=("al",))
    )


def test_files_are_private_few_and_shown_once(tmp_path: Path) -> None:
    files = CrashFiles(tmp_path / "reports")
    assert files.unseen() == []
    made = [files.write("text", f"2027-{number:02d}") for number in range(KEPT + 2)]
    assert files.unseen() == made[2:]
    assert stat.S_IMODE(made[-1].stat().st_mode) == 0o600 or os.name != "posix"
    for file in files.unseen():
        files.note_seen(file)
    assert files.unseen() == []
    assert [file.name for file in files.newest(1)] == [f"seen-{made[-1].name}"]
    files.write("text", "2028-01")
    assert len(list(files.folder.iterdir())) == KEPT + 1
