"""Measure what people install, beside its budgets: sizes, the first picture, commands bound to a key, rest.

usage: python benchmarks/package.py [PART…] [--tree dist/novadesk] [--times 7] [--gates 1] [--json FILE]
Parts: size, start, ctl, idle; without one all are measured, in about three minutes. Exit code 1 when a limit is missed.
`make package` makes what is measured. First pictures are seen from outside, in the display's own memory, in the same
way for the frozen program and for the one from source.
"""

import argparse
import contextlib
import lzma
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.control import answering
from benchmarks.control import measure as measure_command
from benchmarks.desktop_start import with_bytecode
from benchmarks.sheet import Rule, Sheet, measure_parts, parser_of
from novadesk.paths import find_folders
from tests.support.desk import Desk
from tests.support.program import Program, children

ROOT = Path(__file__).resolve().parents[1]
PRACTICE = "_internal/practice"
WHOLE_MB, WHOLE_PACKED_MB = 260.0, 110.0
CLIENT_MB, CLIENT_PACKED_MB = 190.0, 75.0
TIMES_SOURCE = 1.3
CTL_MS = 250.0
SETTLE_S = 25.0
_MB = 1e6
_PICTURE_S = 60.0
_LOOK_S = 0.002
_GRID = tuple((x, y) for x in (240, 640, 1040) for y in (150, 330, 420, 560))
"""Places on the display that lie within a window of 1120 x 740 in its middle."""

_ALIKE = 0.75
"""Of these places show in the first picture what they show later: the rest is what comes with the conversation."""

type Picture = tuple[bytes, ...]


def measure_size(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Add up what is unpacked, and what is downloaded."""
    tree: Path = chosen.tree
    partner_mb = size_of(tree / PRACTICE) / _MB
    whole_mb = size_of(tree) / _MB
    sheet.row("unpacked, with the practice partner", whole_mb, WHOLE_MB, unit="MB", rule=Rule.AT_MOST)
    sheet.row("unpacked, the client alone", whole_mb - partner_mb, CLIENT_MB, unit="MB", rule=Rule.AT_MOST)
    debs = {file.name.partition("_")[0]: file.stat().st_size / _MB for file in tree.parent.glob("*.deb")}
    if "novadesk" not in debs:
        sheet.note("no .deb packages are beside the frozen tree: what is downloaded was not measured")
        return
    for name, packed_mb in sorted(debs.items()):
        gate = CLIENT_PACKED_MB if name == "novadesk" else None
        sheet.row(f"package {name}", packed_mb, gate, unit="MB", rule=Rule.AT_MOST)
    packed_mb = debs["novadesk"] + packed_size(tree / PRACTICE) / _MB
    sheet.row("packed, with the practice partner's own voice", packed_mb, WHOLE_PACKED_MB, unit="MB", rule=Rule.AT_MOST)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; what is linked to counts once."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def packed_size(folder: Path) -> int:
    """Return the bytes of all files below a folder, packed as a .deb packs them."""
    packer, packed = lzma.LZMACompressor(preset=6), 0
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            packed += len(packer.compress(file.read_bytes()))
    return packed + len(packer.flush())


def measure_start(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Start both in turn, so that a busy moment meets both; the first start of each does not count."""
    commands = {"from source": source_command(), "frozen": (program_of(chosen.tree),)}
    took: dict[str, list[float]] = {name: [] for name in commands}
    with Desk() as desk, tempfile.TemporaryDirectory() as folder, Screen(desk.env["DISPLAY"]) as screen:
        homes = {name: Path(folder) / name.replace(" ", "-") for name in commands}
        for number in range(chosen.times + 1):
            for name, command in commands.items():
                program = Program(homes[name], desk.env, command)
                program.env = with_bytecode(program.env, Path(folder))
                seconds = screen.first_picture(program)
                if number:
                    took[name].append(seconds * 1e3)
    for name, found in took.items():
        sheet.row(f"first picture {name}, median", statistics.median(found), worst_ms=max(found))
    ratio = statistics.median(frozen / source for source, frozen in zip(*took.values(), strict=True))
    sheet.row("first picture frozen, times from source", ratio, TIMES_SOURCE, unit="times", rule=Rule.AT_MOST)


def measure_ctl(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Run a command that is bound to a key, against a core that answers at once."""
    command = (program_of(chosen.tree), "ctl", "talk", "toggle")
    with tempfile.TemporaryDirectory() as home, answering(find_folders(home=home).make()):
        median_ms, p95_ms, worst_ms = measure_command(command, home, 3 * chosen.times)
    sheet.row("frozen novadesk ctl, median", median_ms, goal_ms=CTL_MS, worst_ms=worst_ms, rule=Rule.AT_MOST)
    sheet.row("frozen novadesk ctl, p95", p95_ms)


def measure_idle(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Add up the memory of all processes at rest: proportional set size, in which shared pages count once."""
    for name, command in {"from source": source_command(), "frozen": (program_of(chosen.tree),)}.items():
        with (
            Desk() as desk,
            tempfile.TemporaryDirectory() as home,
            Program(Path(home) / "home", desk.env, (*command, "--hidden")) as program,
        ):
            program.start()
            time.sleep(SETTLE_S)
            found = [memory_mb(pid) for pid in (program.pid, *below(program.pid))]
            program.quit()
        sheet.note(f"processes at rest {name}: {', '.join(f'{mb:.0f} MB' for mb in found)}")
        sheet.row(f"memory at rest {name}, all processes", sum(found), unit="MB")


def source_command() -> tuple[str, ...]:
    """Return how NovaDesk is started from source."""
    return sys.executable, "-m", "novadesk"


def program_of(tree: Path) -> str:
    """Return the program of a frozen tree."""
    return str(tree.resolve() / "novadesk")


def below(pid: int) -> Iterator[int]:
    """Yield the processes that a process has started, and theirs."""
    for child in children(pid):
        yield child
        yield from below(child)


def memory_mb(pid: int) -> float:
    """Return the proportional set size of a process: smaps_rollup of proc(5)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / _MB
    return 0.0


class Screen:
    """A display as somebody sees it who looks at a few places of it. Use as a context manager."""

    def __init__(self, name: str) -> None:
        from Xlib.display import Display

        self._display = Display(name)
        self._settled: Picture | None = None

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self._display.close()

    def look(self) -> Picture:
        """Return the colours of the places."""
        from Xlib import X

        root = self._display.screen().root
        return tuple(bytes(root.get_image(x, y, 1, 1, X.ZPixmap, 0xFFFFFFFF).data) for x, y in _GRID)

    def first_picture(self, program: Program) -> float:
        """Start a program; return the seconds until its window shows, once it is gone again."""
        empty = self.look()
        began = time.monotonic()
        with started([*program.command, "--no-first-steps"], program.env):
            while not self._shows(empty):
                if time.monotonic() - began > _PICTURE_S:
                    raise RuntimeError("no window was painted")
                time.sleep(_LOOK_S)
            seconds = time.monotonic() - began
            if self._settled is None:
                time.sleep(SETTLE_S / 5)
                self._settled = self.look()
            else:
                time.sleep(1.0)  # what a start keeps for others is kept once it is over
        until = time.monotonic() + _PICTURE_S
        while self.look() != empty and time.monotonic() < until:
            time.sleep(_LOOK_S)
        return seconds

    def _shows(self, empty: Picture) -> bool:
        seen = self.look()
        if self._settled is None:
            return all(one != before for one, before in zip(seen, empty, strict=True))
        alike = sum(one == later for one, later in zip(seen, self._settled, strict=True))
        return seen != empty and alike >= _ALIKE * len(seen)


@contextlib.contextmanager
def started(command: Sequence[str], env: dict[str, str]) -> Iterator[None]:
    """Run a program while the block runs."""
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


PARTS = {"size": measure_size, "start": measure_start, "ctl": measure_ctl, "idle": measure_idle}


def main() -> int:
    """Return the exit code."""
    os.environ.pop("NOVADESK_HOME", None)
    parser = parser_of(__doc__)
    parser.add_argument("--tree", type=Path, default=ROOT / "dist" / "novadesk", help="the frozen program's folder")
    parser.add_argument("--times", type=int, default=7, help="starts of each window")
    return measure_parts(parser, PARTS)


if __name__ == "__main__":
    raise SystemExit(main())
