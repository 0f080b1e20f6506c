"""Measure `novadesk ctl`: the time from the press of a key that it is bound to until the core has been told.

usage: python benchmarks/control.py [--times 40] [--gates 1] [--json FILE]
A core that answers at once runs in this process; every command is a process of its own, one after the other, beside an
interpreter that does nothing. Exit code 1 when the median misses its limit.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.sheet import Sheet, parser_of
from novadesk.desktop.instance import ControlServer
from novadesk.paths import Folders, find_folders

LIMIT_MS = 150.0
"""From source; a frozen program has 250 ms as its goal."""

COMMANDS = (("status", "--json"), ("talk", "toggle"), ("mute",))


def main() -> int:
    """Print one line for each command; return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("--times", type=int, default=40)
    chosen = parser.parse_args()
    sheet = Sheet(chosen.gates)
    with tempfile.TemporaryDirectory(prefix="novadesk-control-") as home, answering(find_folders(home=home).make()):
        idle_ms, _, _ = measure((sys.executable, "-c", "pass"), home, chosen.times)
        sheet.row("an interpreter that does nothing, median", idle_ms)
        for command in COMMANDS:
            median_ms, p95_ms, worst_ms = measure(
                (sys.executable, "-m", "novadesk", "ctl", *command), home, chosen.times
            )
            name = f"novadesk ctl {' '.join(command)}"
            sheet.row(f"{name}, median", median_ms, LIMIT_MS)
            sheet.row(f"{name}, p95", p95_ms, worst_ms=worst_ms)
    return sheet.finish(chosen.json)


@contextmanager
def answering(folders: Folders) -> Iterator[None]:
    """Answer every request, on a thread of its own."""
    begun, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def answer(_request: dict[str, Any]) -> dict[str, Any]:
        return {"protocol": 1, "done": True}

    async def serve() -> None:
        server = ControlServer(folders.control_socket, answer)
        await server.start()
        begun.set()
        await over.wait()
        await server.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="core")
    thread.start()
    try:
        if not begun.wait(5):
            raise TimeoutError("the core does not answer")
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def measure(command: Sequence[str], home: str, times: int) -> tuple[float, float, float]:
    """Return median, 95th percentile and worst of a command's time from start to end, in milliseconds."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "NOVADESK_HOME": home, "PYTHONPYCACHEPREFIX": str(Path(home) / "bytecode")}
    took = []
    for _ in range(times + 1):
        begun = time.perf_counter_ns()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        took.append((time.perf_counter_ns() - begun) / 1e6)
    took = sorted(took[1:])  # the first one reads the disk and compiles
    return statistics.median(took), took[int(0.95 * (len(took) - 1))], took[-1]


if __name__ == "__main__":
    raise SystemExit(main())
