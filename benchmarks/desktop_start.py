"""Measure how soon the window is there, beside an empty PySide6 window, and what NovaDesk takes in the tray.

usage: python benchmarks/desktop_start.py [--times 9] [--idle-s 60] [--gates 1] [--json FILE]
On the private desktop of tests/support. Both windows are started in turn, so that a busy moment meets both.
Exit code 1 when a limit is missed.
"""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.sheet import Rule, Sheet, parser_of
from tests.support.desk import Desk
from tests.support.program import Program, children

PROBE = Path(__file__).resolve().parent / "probe" / "first_paint.py"
TIMES_EMPTY = 2.0
"""First paint takes at most so many times that of an empty window."""

IDLE_PERCENT = 0.5
WAKEUPS_A_SECOND = 2.0
SETTLE_S = 40.0
"""The slow imports come 20 s after the start to rest, and the first walk over what they left."""
_PAINT_S = 60.0


def main() -> int:
    """Print one line for each measure; return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--idle-s", type=float, default=60.0)
    chosen = parser.parse_args()
    sheet = Sheet(chosen.gates)
    with Desk() as desk, tempfile.TemporaryDirectory() as folder:
        measure_start(sheet, desk, Path(folder), chosen.times)
        measure_idle(sheet, desk, Path(folder) / "idle", chosen.idle_s)
    return sheet.finish(chosen.json)


def measure_start(sheet: Sheet, desk: Desk, folder: Path, times: int) -> None:
    """Start both windows in turn."""
    with Program(folder / "home", desk.env) as program:
        took: dict[str, list[float]] = {"empty": [], "novadesk": []}
        for number in range(times + 1):
            for name, found in took.items():
                seconds = first_paint(name, program.env)
                if number:  # the first of each reads the libraries from the disk
                    found.append(seconds * 1e3)
                else:
                    sheet.note(f"first start of {name}: {seconds * 1e3:.0f} ms")
    empty, own = (statistics.median(found) for found in took.values())
    sheet.row("first paint, empty window, median", empty, worst_ms=max(took["empty"]))
    sheet.row(
        "first paint, NovaDesk, median", own, TIMES_EMPTY * empty, worst_ms=max(took["novadesk"]), rule=Rule.AT_MOST
    )
    sheet.row("first paint, times an empty window", own / empty, TIMES_EMPTY, unit="times", rule=Rule.AT_MOST)


def first_paint(what: str, env: dict[str, str]) -> float:
    """Return the seconds from the start of the process to its first picture."""
    began = time.monotonic()
    with subprocess.Popen([sys.executable, str(PROBE), what], env=env, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            line = started.stdout.readline()
            if not line:
                raise RuntimeError(f"the {what} window was not painted")
            return float(line) - began
        finally:
            started.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(_PAINT_S)
            started.kill()


def measure_idle(sheet: Sheet, desk: Desk, home: Path, seconds: float) -> None:
    """Leave NovaDesk alone in the tray, or minimised where the desktop has none."""
    with Program(home, desk.env, (sys.executable, "-m", "novadesk", "--hidden")) as program:
        program.start()
        time.sleep(SETTLE_S)
        before, began = spent(program.pid), time.monotonic()
        time.sleep(seconds)
        after, took = spent(program.pid), time.monotonic() - began
        percent = {name: (after[name][0] - before.get(name, (0.0, 0))[0]) / took * 100 for name in after}
        turns = sum(after[name][1] - before.get(name, (0.0, 0))[1] for name in after) / took
        sheet.note(f"idle processes: {', '.join(f'{name} {share:.2f} %' for name, share in percent.items())}")
        sheet.row("idle in the tray, all processes", sum(percent.values()), IDLE_PERCENT, unit="% of a core")
        sheet.row("turns on a processor while idle", turns, goal_ms=WAKEUPS_A_SECOND, unit="a second")
        program.quit()


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
        name = (Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")[-2:-1] or [b"?"])[0].decode()
        found[f"{one} {name}"] = seconds, turns
    return found


if __name__ == "__main__":
    sys.exit(main())
