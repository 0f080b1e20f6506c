"""Measure the window as people feel it: scrolling and searching a history of 100,000 turns.

usage: python benchmarks/desktop.py [PART…] [--turns 100000] [--folder DIR] [--gates 1] [--json FILE]
Without a PART all are measured. Exit code 1 when a limit is missed. The widgets, the bridge, the core's thread and the
store are the real ones; the screen is Qt's offscreen platform, which draws into memory.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyside6")

from benchmarks import desktop_history
from benchmarks.sheet import Sheet, parser_of

PARTS: dict[str, Callable[[Sheet, argparse.Namespace], None]] = {"history": desktop_history.measure}
"""What is measured, in order: each prints its figures on the sheet."""


def main() -> int:
    """Return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--turns", type=int, default=100_000, help="of the long conversation, and of all others")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; a temporary one otherwise")
    chosen = parser.parse_args()
    sheet = Sheet(chosen.gates)
    for name, measure in PARTS.items():
        if not chosen.parts or name in chosen.parts:
            measure(sheet, chosen)
    return sheet.finish(chosen.json)


if __name__ == "__main__":
    raise SystemExit(main())
