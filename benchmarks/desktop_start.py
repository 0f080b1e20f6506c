"""The start part of `desktop.py`: how soon the window is there, beside an empty PySide6 window.

Both are started in turn on a private desktop, NovaDesk by its own command, so that a busy moment meets both. Compiled
code is kept from the first start on, which does not count, as on every computer where a program was started before.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sheet import Rule, Sheet
from tests.support.desk import Desk
from tests.support.program import Program

PROBE = Path(__file__).resolve().parent / "probe" / "first_paint.py"
TIMES_EMPTY = 2.0
"""First paint takes at most so many times that of an empty window."""

_PAINT_S = 60.0
_FIRST_S = 5.0


def measure(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Start both windows in turn."""
    times: int = chosen.times
    took: dict[str, list[tuple[float, float]]] = {"empty": [], "novadesk": []}
    with Desk() as desk, tempfile.TemporaryDirectory() as folder, Program(Path(folder) / "home", desk.env) as program:
        env = with_bytecode(program.env, Path(folder))
        for number in range(times + 1):
            for name, found in took.items():
                seconds, processor = first_paint(name, env, stay_s=0.0 if number else _FIRST_S)
                if number:
                    found.append((seconds * 1e3, processor * 1e3))
                else:
                    sheet.note(f"first start of {name}, nothing compiled: {seconds * 1e3:.0f} ms")
    for place, what in enumerate(("first paint", "processor time until then")):
        empty, own = ([one[place] for one in found] for found in took.values())
        sheet.row(f"{what}, empty window, median", statistics.median(empty), worst_ms=max(empty))
        sheet.row(f"{what}, NovaDesk, median", statistics.median(own), worst_ms=max(own))
        ratio = statistics.median(mine / theirs for mine, theirs in zip(own, empty, strict=True))  # of one moment
        gate = TIMES_EMPTY if place == 0 else None
        sheet.row(f"{what}, times an empty window", ratio, gate, unit="times", rule=Rule.AT_MOST)


def with_bytecode(env: dict[str, str], folder: Path) -> dict[str, str]:
    """Return an environment in which compiled modules are kept in a folder."""
    kept = {name: value for name, value in env.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def first_paint(what: str, env: dict[str, str], *, stay_s: float = 0.0) -> tuple[float, float]:
    """Return the seconds from the start of the process to its first picture, and those that it took of a processor.

    Args:
        what: to start.
        env: its environment.
        stay_s: seconds that it is left alone afterwards: time to put away what other starts are to find.
    """
    began = time.monotonic()
    with subprocess.Popen([sys.executable, str(PROBE), what], env=env, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            line = started.stdout.readline()
            if not line:
                raise RuntimeError(f"the {what} window was not painted")
            moment, processor = (float(word) for word in line.split())
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(stay_s)
            return moment - began, processor
        finally:
            started.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(_PAINT_S)
            started.kill()
