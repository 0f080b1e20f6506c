"""The lag part of `desktop.py`: how late the window's loop and the core's are while somebody talks to NovaDesk.

The real program on a private desktop, with the practice partner beside it on the same processors; a tick each 20 ms on
both loops, from the first word until the last answer is over.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sheet import Sheet
from tests.support.desk import Desk
from tests.support.program import Program

PROBE = Path(__file__).resolve().parent / "probe" / "lag.py"
LIMITS_MS = {"main": 50.0, "core": 10.0}
SPOKEN = ("hello how are you today", "what is three plus four")
WRITTEN = ("my name is Anna", "what is my name")
_WORDS = {"main": "the window's loop", "core": "the core's loop"}
_KEY = "F9"


def measure(sheet: Sheet, _chosen: argparse.Namespace) -> None:
    """Hold a conversation, and judge the ticks of its time."""
    with Desk() as desk, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ticks"
        command = (sys.executable, str(PROBE), str(file))
        with Program(Path(folder) / "home", desk.env, command) as program:
            program.start()
            program.wait_for_phase("ready")
            began = time.monotonic()
            talk(desk, program)
            ended = time.monotonic()
            program.quit()
        found = late(file, began, ended)
    sheet.note(f"a conversation of {ended - began:.0f} s, {len(SPOKEN)} turns spoken and {len(WRITTEN)} written")
    for name, limit_ms in LIMITS_MS.items():
        whole, own = ([tick[place] for tick in found[name]] for place in (0, 1))
        sheet.row(f"{_WORDS[name]}, late by, median", statistics.median(whole))
        sheet.row(f"{_WORDS[name]}, late by, p99", p99(whole), limit_ms, worst_ms=max(whole))
        sheet.row("the same without waiting for a processor, p99", p99(own), worst_ms=max(own))


def talk(desk: Desk, program: Program) -> None:
    """Ask by voice, then in writing, and hear every answer to its end."""
    for text in SPOKEN:
        desk.key_down(_KEY)
        program.wait_for_phase("listening")
        desk.say(text)
        desk.key_up(_KEY)
        hear(program)
    for text in WRITTEN:
        program.ask("say", text=text)
        hear(program)


def hear(program: Program) -> None:
    """Wait until an answer has come and is over."""
    program.wait_for_phase("speaking")
    program.wait_for_phase("ready")


def late(file: Path, began: float, ended: float) -> dict[str, list[tuple[float, float]]]:
    """Return by loop how late its ticks of a time were, in milliseconds, and without the wait for a processor."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in LIMITS_MS}
    for line in file.read_text().splitlines():
        name, *numbers = line.split()
        due, late_ms, waited_ms = (float(number) for number in numbers)
        if began <= due <= ended:
            found[name].append((late_ms, max(0.0, late_ms - waited_ms)))
    return found


def p99(took: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(took, n=100, method="inclusive")[98]
