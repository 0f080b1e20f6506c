"""Measure conversation ids: making one, checking one, refusing one. Each has to take less than 1 ms.

usage: python benchmarks/identity.py [--times 20000] [--gates 1] [--json FILE]
Exit code 1 when a median misses its limit; on a busy machine the 99th percentile shows the others at work.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.sheet import Sheet, parser_of
from novadesk.errors import KnownError
from novadesk.models import check_handle, make_handle

LIMIT_MS = 1.0
NOW_MS = 1_790_000_000_000


def main() -> int:
    """Print one line for each measure; return the exit code."""
    parser = parser_of(__doc__)
    parser.add_argument("--times", type=int, default=20_000)
    chosen = parser.parse_args()
    handle, long = make_handle(NOW_MS), "session_" + "0" * 1_000_000
    sheet = Sheet(chosen.gates)
    for name, work in (
        ("make an id", lambda: make_handle(NOW_MS)),
        ("check an id", lambda: check_handle(handle, NOW_MS)),
        ("refuse an id", lambda: refused(handle.upper())),
        ("refuse 1 MB", lambda: refused(long)),
    ):
        median_ms, p99_ms = measure(work, chosen.times)
        sheet.row(f"{name}, median", median_ms, LIMIT_MS)
        sheet.row(f"{name}, p99", p99_ms)
    return sheet.finish(chosen.json)


def measure(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Return the median and the 99th percentile in milliseconds."""
    took = []
    for _ in range(times):
        begun = time.perf_counter_ns()
        work()
        took.append((time.perf_counter_ns() - begun) / 1e6)
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def refused(text: str) -> None:
    """Check a handle that is none."""
    try:
        check_handle(text, NOW_MS)
    except KnownError:
        return
    raise AssertionError(text[:40])


if __name__ == "__main__":
    raise SystemExit(main())
