"""The idle part of `desktop.py`: what NovaDesk takes in the tray, over all of its processes."""

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sheet import Sheet
from tests.support.desk import Desk
from tests.support.program import Program, children

IDLE_PERCENT = 0.5
WAKEUPS_A_SECOND = 2.0
ROUNDS = 3
"""The middle one counts."""

SETTLE_S = 40.0
"""The slow imports come 20 s after the start to rest, and the first walk over what they left."""


def measure(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Leave NovaDesk alone in the tray, or minimised where the desktop has none."""
    command = (sys.executable, "-m", "novadesk", "--hidden")
    with Desk() as desk, tempfile.TemporaryDirectory() as home, Program(Path(home), desk.env, command) as program:
        program.start()
        time.sleep(SETTLE_S)
        rounds = [rest(program.pid, chosen.idle_s / ROUNDS) for _ in range(ROUNDS)]
        program.quit()
    sheet.note(f"idle processes: {', '.join(f'{name} {share:.2f} %' for name, (share, _) in rounds[-1].items())}")
    percent, turns = ([sum(one[place] for one in found.values()) for found in rounds] for place in (0, 1))
    middle = statistics.median(percent)
    sheet.row("idle in the tray, all processes", middle, IDLE_PERCENT, worst_ms=max(percent), unit="% of a core")
    sheet.row(
        "turns on a processor while idle", statistics.median(turns), None, WAKEUPS_A_SECOND, max(turns), "a second"
    )


def rest(pid: int, seconds: float) -> dict[str, tuple[float, float]]:
    """Return by process percent of a processor and turns a second while nobody does anything."""
    before, began = spent(pid), time.monotonic()
    time.sleep(seconds)
    after, took = spent(pid), time.monotonic() - began
    found = {}
    for name, (ran_s, turns) in after.items():
        ran_before_s, turns_before = before.get(name, (0.0, 0))
        found[name] = (ran_s - ran_before_s) / took * 100, (turns - turns_before) / took
    return found


def spent(pid: int) -> dict[str, tuple[float, int]]:
    """Return seconds on a processor and turns there, by process: schedstat of proc(5), summed over threads."""
    found: dict[str, tuple[float, int]] = {}
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        waiting += children(one)
        seconds, turns = 0.0, 0
        for file in Path(f"/proc/{one}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                ran_ns, _, times = file.read_text().split()
                seconds, turns = seconds + int(ran_ns) / 1e9, turns + int(times)
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")[-2:-1]
            found[f"{one} {words[0].decode() if words else '?'}"] = seconds, turns
    return found
