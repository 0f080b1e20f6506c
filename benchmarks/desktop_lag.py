"""The lag part of `desktop.py`: how late the window's loop and the core's are while somebody talks to NovaDesk.

The real program on a private desktop, with the practice partner beside it on the same processors; a tick each 20 ms on
both loops, from the first word until the last answer is over. Then again with a microphone that hangs in its opening,
while the person mutes, writes and begins anew.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.sheet import Sheet
from tests.support.desk import Desk
from tests.support.program import Program

PROBE = Path(__file__).resolve().parent / "probe" / "lag.py"
HUNG_SOUND = Path(__file__).resolve().parents[1] / "tests" / "support" / "hung_sound"
LIMITS_MS = {"main": 50.0, "core": 10.0}
SPOKEN = ("hello how are you today", "what is three plus four")
WRITTEN = ("my name is Anna", "what is my name")
HANGS = 3
"""Openings, each given up after three seconds."""

_WORDS = {"main": "the window's loop", "core": "the core's loop"}
_KEY = "F9"
_PATIENCE_S = 60.0

type Ticks = list[tuple[float, float]]
"""How late each was, in milliseconds, and without the wait for a processor."""

type Judge = Callable[[float], dict[str, Ticks]]
"""Ends the program and returns, by loop, the ticks since a moment."""


def measure(sheet: Sheet, _chosen: argparse.Namespace) -> None:
    """Hold a conversation, then have a device hang, and judge the ticks of both times."""
    with Desk() as desk:
        with ticking(desk.env) as (program, judge):
            program.wait_for_phase("ready")
            began = time.monotonic()
            talk(desk, program)
            took_s = time.monotonic() - began
            found = judge(began)
        sheet.note(f"a conversation of {took_s:.0f} s, {len(SPOKEN)} turns spoken and {len(WRITTEN)} written")
        for name, limit_ms in LIMITS_MS.items():
            rows(sheet, _WORDS[name], found[name], limit_ms)
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder) / "told"
            hung = {"PYTHONPATH": str(HUNG_SOUND), "HUNG_SOUND_TOLD": str(told)}
            with ticking({**desk.env, **hung}) as (program, judge):
                wait_for_opening(told, 1)
                began = time.monotonic()
                wish(program, told)
                found = judge(began)
        rows(sheet, f"{_WORDS['main']} while a device hangs", found["main"], LIMITS_MS["main"])


@contextlib.contextmanager
def ticking(env: Mapping[str, str]) -> Iterator[tuple[Program, Judge]]:
    """Run the window with ticks on its loops."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ticks"
        with Program(Path(folder) / "home", env, (sys.executable, str(PROBE), str(file))) as program:

            def judge(began: float) -> dict[str, Ticks]:
                ended = time.monotonic()
                program.quit()
                return late(file, began, ended)

            program.start()
            yield program, judge


def rows(sheet: Sheet, words: str, ticks: Ticks, limit_ms: float) -> None:
    """Print how late the ticks were."""
    whole, own = ([tick[place] for tick in ticks] for place in (0, 1))
    sheet.row(f"{words}, late by, median", statistics.median(whole))
    sheet.row(f"{words}, late by, p99", p99(whole), limit_ms, worst_ms=max(whole))
    sheet.row("the same without waiting for a processor, p99", p99(own), worst_ms=max(own))


def wish(program: Program, told: Path) -> None:
    """Mute, write, and begin anew while the device hangs, until it has hung so often."""
    for time_of_it in range(1, HANGS + 1):
        for what in ("mute", "unmute", "new"):
            program.ask(what)
        program.ask("say", text=WRITTEN[0])
        wait_for_opening(told, time_of_it + 1)


def wait_for_opening(told: Path, times: int) -> None:
    """Wait until so many openings have begun.

    Raises:
        TimeoutError: they do not.
    """
    until = time.monotonic() + _PATIENCE_S
    while not told.exists() or told.read_text().count("opening") < times:
        if time.monotonic() > until:
            raise TimeoutError("no device is being opened")
        time.sleep(0.05)


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


def late(file: Path, began: float, ended: float) -> dict[str, Ticks]:
    """Return by loop how late its ticks of a time were, in milliseconds, and without the wait for a processor."""
    found: dict[str, Ticks] = {name: [] for name in LIMITS_MS}
    for line in file.read_text().splitlines():
        name, *numbers = line.split()
        due, late_ms, waited_ms = (float(number) for number in numbers)
        if began <= due <= ended:
            found[name].append((late_ms, max(0.0, late_ms - waited_ms)))
    return found


def p99(took: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(took, n=100, method="inclusive")[98]
