"""Run the benchmarks that have gates and write what they found into docs/reliability.md.

    python scripts/benchmarks.py           run them, write docs/reliability/30-benchmarks.md, assemble the page
    python scripts/benchmarks.py --write   write the section from what was found last
    python scripts/benchmarks.py --voice   the same for the voice beside its peers, in docs/reliability/40-voice.md;
                                           as root, see benchmarks/voice.py
    python scripts/benchmarks.py --echo    the same for echo and barge-in, in docs/reliability/50-echo.md
    python scripts/benchmarks.py --desktop the same for the window and its commands, in docs/reliability/60-desktop.md
    python scripts/benchmarks.py --gateway the same for the gateway under load, in docs/reliability/70-gateway.md

Exits with 1 when a gate was missed, with 2 when a benchmark broke: then nothing is written.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = ROOT / "docs" / "reliability"
SECTION = SECTIONS / "30-benchmarks.md"
VOICE_SECTION = SECTIONS / "40-voice.md"
ECHO_SECTION = SECTIONS / "50-echo.md"
DESKTOP_SECTION = SECTIONS / "60-desktop.md"
GATEWAY_SECTION = SECTIONS / "70-gateway.md"
FOUND = ROOT / "build" / "benchmarks"
sys.path.insert(0, str(ROOT))

from benchmarks.sheet import Figure, told  # noqa: E402  it is beside this folder, not in it

TITLES = {
    "identity": "Conversation ids",
    "store": "The store",
    "sync": "Sync",
}
COMMANDS = {
    "identity": ("identity.py", "--times", "20000"),
    "store": ("store.py", "--turns", "100000"),
    "sync": ("sync.py", "--turns", "1000", "--latency-ms", "30"),
}
_HEAD = """## Benchmarks: ids, store, sync

Written by `scripts/benchmarks.py`, which exits with 1 when a limit is missed. A limit is a gate; a goal is striven for.
"""
_WAITING = """“Latency alone” is what waiting for the answers takes when nothing else takes any time: one list, then the
steps one by one (the service has no other way to read them), sixteen at a time. No program that keeps to sixteen
requests at once can be faster. Processor time is that of NovaDesk, without the server's."""

VOICE_TITLES = {"voice": "NovaDesk and its peers"}
VOICE_COMMANDS = {"voice": ("voice.py", "--install")}
_VOICE_HEAD = """## The voice, from microphone to server and back

Written by `scripts/benchmarks.py --voice`, which exits with 1 when a limit is missed. A limit is a gate; a goal is
striven for: to be ahead of the best peer of the same run, and to take at most 0.8 of its processor time.
"""
_FROM_OUTSIDE = """The named rows are measured from outside, in the same way for everybody: from the moment at which a
sound is in the virtual microphone to the server's receipt of the frame with its begin (so the time that a frame takes
to fill is in it), from the server's handing an answer to the wire to its first sample at the speaker's monitor, from
the server's interruption to the last sample there. The recorder adds the same few milliseconds to everybody. Each is
set up as its documentation recommends; NovaDesk is its window, with the picture drawn, the peers are programs at a
terminal. A percentile is the nearest rank: the 99th of less than a hundred is the worst.

Processor time is taken without our probe, in a conversation of about half a minute, the least of three rounds: the
machine is a guest, and what its host does beside it makes the same work up to half as dear again. Idle work keeps the
cores awake, as they are on a computer in use; with cores that doze off, every waking is paid for as well."""

ECHO_TITLES = {"echo": "Simulated rooms"}
ECHO_COMMANDS = {"echo": ("echo.py",)}
_ECHO_HEAD = """## Echo and barge-in

Written by `scripts/benchmarks.py --echo`, which exits with 1 when a limit is missed. A limit is a gate; a goal is
striven for.
"""
_IN_ROOMS = """The rooms are image sources with noise at -62 dB, the voices synthetic (flite); nothing of it was heard
through a real loudspeaker. The settings were tuned with other rooms, other noise and one other voice. “Missed” is what
no stop followed within 1.5 s; a false stop or duck comes when nobody speaks. Words are PocketSphinx's to get wrong."""


DESKTOP_TITLES = {"desktop": "The window", "control": "Commands bound to a key"}
DESKTOP_COMMANDS = {"desktop": ("desktop.py",), "control": ("control.py",)}
_DESKTOP_HEAD = """## The window, and commands bound to a key

Written by `scripts/benchmarks.py --desktop`, which exits with 1 when a limit is missed. A limit is a gate; a goal is
striven for.
"""
_AS_FELT = """The first paint is that of the command `novadesk`, settings read and every word of the window in it,
beside an empty window that Qt for Python shows; both with compiled modules. The lag of a loop is taken in the real
program, with the practice partner, the sound server and the display on the same processors. A frame is processor time
of the main thread, from a turn of the wheel or a key until its rows are painted; times to a picture are those of a
clock."""


GATEWAY_TITLES = {
    "gateway": "One process on one core",
    "gateway-restart": "Gateways that are replaced",
}
GATEWAY_COMMANDS = {
    "gateway": ("gateway.py", "capacity", "cycles", "--over-s", "3"),
    "gateway-restart": ("gateway.py", "restart", "--rounds", "3"),
}
_GATEWAY_HEAD = """## The gateway under load

Written by `scripts/benchmarks.py --gateway`, which exits with 1 when a limit is missed. A limit is a gate; a goal is
striven for.
"""
_AS_CARRIED = """A conversation is a microphone frame of 32 ms in real time and its echo, all the time: hearing and
speaking at once, which is more than people do. Added delay is that from a frame's sending to its echo, less the median
of the same without a gateway; so many are carried as long as its p99 is at most 50 ms. Over the true wire the voice
service is the local server, HTTP/2 and signatures and all; the scripted one is in the gateway's own process and takes
as little as can be. The bare echo is an aiohttp WebSocket that sends each frame back. Gateway and bare echo have one
core, the load and the local server the other one. A frame whose echo takes a second is lost, and counts as one that
took for ever.

In a rolling restart everybody asks one question after the other, and each gateway is told to stop in turn: it lets the
answer under way end and sends its clients away. Or it is killed in the middle, with `SIGKILL`. Silence is from the last
sound through the old process to the first one through the next; of it, up to 0.6 s is the time until the next question.
All rounds are counted together."""


class Broken(Exception):
    """A benchmark ended without figures."""


def measure(commands: Mapping[str, Sequence[str]], found: Path) -> None:
    """Run each benchmark and keep what it found, with the state of the machine, in a file of `found`.

    Raises:
        Broken: one ended without figures; what it found last is gone.
    """
    found.mkdir(parents=True, exist_ok=True)
    for name, command in commands.items():
        kept = found / f"{name}.json"
        kept.unlink(missing_ok=True)
        before = _load()
        script, *arguments = command
        ended = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / script), *arguments, "--json", str(kept)], cwd=ROOT, check=False
        )
        if not kept.exists():
            raise Broken(f"benchmarks/{script} ended with {ended.returncode} and no figures")
        row = json.loads(kept.read_text(encoding="utf-8"))
        row |= {
            "command": " ".join(command),
            "ended": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "load": {"before": before, "after": _load()},
            "commit": _commit(),
        }
        kept.write_text(json.dumps(row, indent=1), encoding="utf-8")


def section(
    found: Path, titles: Mapping[str, str] = TITLES, head: str = _HEAD, tail: str = _WAITING
) -> tuple[str, bool]:
    """Return the section of docs/reliability.md, and whether any gate was missed.

    Raises:
        Broken: nothing was found by one of the benchmarks.
    """
    lines = [head, f"Machine: {_machine()}.", ""]
    missed = []
    for name, title in titles.items():
        kept = found / f"{name}.json"
        if not kept.exists():
            raise Broken(f"there are no figures of {name}")
        row = json.loads(kept.read_text(encoding="utf-8"))
        figures = [Figure(**figure) for figure in row["figures"]]
        missed += [figure.name for figure in figures if figure.missed]
        lines += _part(title, row, figures)
    lines += [tail, "", f"Missed: {', '.join(missed)}." if missed else "Every limit was kept."]
    return "\n".join(lines) + "\n", bool(missed)


def _part(title: str, row: Mapping[str, Any], figures: Sequence[Figure]) -> list[str]:
    load = row["load"]
    lines = [
        f"### {title}",
        "",
        f"`python benchmarks/{row['command']}`, ended {row['ended']} on {row['commit']}; load averages (1, 5, 15 min)"
        f" {load['before']} before, {load['after']} after.",
        "",
        *(f"* {note}" for note in row["notes"]),
        *([""] if row["notes"] else []),
        "| | figure | worst | limit | | goal | |",
        "|---|---:|---:|---:|---|---:|---|",
    ]
    for one in figures:
        cells = [one.name, told(one.figure_ms, one.unit), _told(one.worst_ms, one.unit)]
        cells += [_told(one.gate_ms, one.unit), one.verdict, _told(one.goal_ms, one.unit), one.goal_verdict]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _told(figure_ms: float | None, unit: str) -> str:
    return "" if figure_ms is None else told(figure_ms, unit)


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()};"
        " it is shared with other work"
    )


def _load() -> list[float]:
    return [round(value, 1) for value in os.getloadavg()]


def _commit() -> str:
    asked = _git("rev-parse", "--short", "HEAD")
    changed = _git("diff", "--quiet", "HEAD", "--", "src", "benchmarks").returncode == 1
    return (asked.stdout.strip() or "unknown") + (" with changes" if changed else "")


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)


_PAGES: dict[str, tuple[Path, Mapping[str, Sequence[str]], tuple[Mapping[str, str], str, str]]] = {
    "": (SECTION, COMMANDS, (TITLES, _HEAD, _WAITING)),
    "--voice": (VOICE_SECTION, VOICE_COMMANDS, (VOICE_TITLES, _VOICE_HEAD, _FROM_OUTSIDE)),
    "--desktop": (DESKTOP_SECTION, DESKTOP_COMMANDS, (DESKTOP_TITLES, _DESKTOP_HEAD, _AS_FELT)),
    "--gateway": (GATEWAY_SECTION, GATEWAY_COMMANDS, (GATEWAY_TITLES, _GATEWAY_HEAD, _AS_CARRIED)),
    "--echo": (ECHO_SECTION, ECHO_COMMANDS, (ECHO_TITLES, _ECHO_HEAD, _IN_ROOMS)),
}


def main(
    arguments: Sequence[str],
    *,
    commands: Mapping[str, Sequence[str]] | None = None,
    found: Path = FOUND,
    page: Path | None = None,
) -> int:
    """Do as told; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write from what was found last")
    which = parser.add_mutually_exclusive_group()
    for flag in filter(None, _PAGES):
        which.add_argument(flag, dest="page", action="store_const", const=flag, default="")
    chosen = parser.parse_args(arguments)
    usual_page, usual_commands, told_as = _PAGES[chosen.page]
    try:
        if not chosen.write:
            measure(usual_commands if commands is None else commands, found)
        text, missed = section(found, *told_as)
    except Broken as error:
        sys.stderr.write(f"{error}\n")
        return 2
    (page or usual_page).write_text(text, encoding="utf-8")
    if page is None:
        subprocess.run([sys.executable, str(ROOT / "scripts" / "reliability.py")], check=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
