"""The idle part of `desktop.py`: what NovaDesk takes in the tray, over all of its processes."""

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sheet import Sheet
from tests.support.desk import Desk
from tests.support.program import Program, children

IDLE_PERCENT = 0.5
WAKEUPS_A_SECOND = 2.0
SETTLE_S = 40.0
"""The slow imports come 20 s after the start to rest, and the first walk over what they left."""


def measure(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Leave NovaDesk alone in the tray, or minimised where the desktop has none."""
    command = (sys.executable, "-m", "novadesk", "--hidden")
    with Desk() as desk, tempfile.TemporaryDirectory() as home, Program(Path(home), desk.env, command) as program:
        program.start()
        time.sleep(SETTLE_S)
        before, began = spent(program.pid), time.monotonic()
        time.sleep(chosen.idle_s)
        after, took = spent(program.pid), time.monotonic() - began
        program.quit()
    percent = {name: (after[name][0] - before.get(name, (0.0, 0))[0]) / took * 100 for name in after}
    turns = sum(after[name][1] - before.get(name, (0.0, 0))[1] for name in after) / took
    sheet.note(f"idle processes: {', '.join(f'{name} {share:.2f} %' for name, share in percent.items())}")
    sheet.row("idle in the tray, all processes", sum(percent.values()), IDLE_PERCENT, unit="% of a core")
    sheet.row("turns on a processor while idle", turns, goal_ms=WAKEUPS_A_SECOND, unit="a second")


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
