"""What a host takes of this computer's processors, noted while tests run: nothing keeps time without one.

A virtual machine has no processor while its host gives it to others; Linux counts that as stolen (proc(5), /proc/stat).

python -m tests.support.stolen FILE     twice a second, until whoever started this is gone
"""

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SPAN_S = 4.0
MOST_S = 1.0
"""So much of each processor within `SPAN_S`: no live stream and no sound can spare it."""

EVERY_S = 0.5
_STANDSTILL_S = 1.0  # a sleep that is so late was no matter of load: the whole machine stood still
_STOLEN = 8  # the column of the first line of /proc/stat, in ticks


class Note(NamedTuple):
    """What was taken of each processor in the last moment, by the clock `time.monotonic`."""

    at: float
    lost_s: float


def read_notes(file: Path) -> list[Note]:
    """Return the notes of a file; a last line that is being written is left out."""
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [Note(*map(float, line.split())) for line in lines]


def most_lost(notes: Iterable[Note], begin: float, end: float) -> float:
    """Return the most seconds that each processor lost in any stretch of `SPAN_S` with an end between two times."""
    known = list(notes)
    ends = [note.at for note in known if begin <= note.at <= end + EVERY_S]
    lost = (sum(note.lost_s for note in known if at - SPAN_S < note.at <= at) for at in ends)
    return min(max(lost, default=0.0), SPAN_S)  # the first note of a stretch may tell of more than lies in it


def _stolen_s() -> float:
    with open("/proc/stat") as stat:
        return int(stat.readline().split()[_STOLEN]) / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)


def take_notes(file: Path) -> None:
    """Note what is taken until the process that started this one is gone."""
    parent, at, before = os.getppid(), time.monotonic(), _stolen_s()
    with file.open("a", buffering=1) as notes:
        while os.getppid() == parent:
            time.sleep(EVERY_S)
            now, stolen = time.monotonic(), _stolen_s()
            late = now - at - EVERY_S
            lost = max(stolen - before, late if late >= _STANDSTILL_S else 0.0)
            notes.write(f"{now:.3f} {lost:.3f}\n")
            at, before = now, stolen


if __name__ == "__main__":
    take_notes(Path(sys.argv[1]))
