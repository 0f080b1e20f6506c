"""Measure the window as people feel it: its start, its rest in the tray, a conversation, a history of 100,000 turns.

usage: python benchmarks/desktop.py [PART…] [--times 9] [--idle-s 36] [--turns 100000] [--folder DIR] [--gates 1]
                                    [--json FILE]
Without a PART all are measured, in about four minutes. Exit code 1 when a limit is missed. Start, rest and conversation
are the real program on the private desktop of tests/support. For the history the widgets, the bridge, the core's thread
and the store are the real ones; the screen is Qt's offscreen platform, which draws into memory.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyside6")

from benchmarks import desktop_history, desktop_idle, desktop_lag, desktop_start
from benchmarks.sheet import measure_parts, parser_of

PARTS = {
    "start": desktop_start.measure,
    "idle": desktop_idle.measure,
    "lag": desktop_lag.measure,
    "history": desktop_history.measure,
}


def main() -> int:
    """Return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("--times", type=int, default=9, help="starts of each window")
    parser.add_argument("--idle-s", type=float, default=36.0, help="seconds of rest that are measured")
    parser.add_argument("--turns", type=int, default=100_000, help="of the long conversation, and of all others")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; a temporary one otherwise")
    return measure_parts(parser, PARTS)


if __name__ == "__main__":
    raise SystemExit(main())
