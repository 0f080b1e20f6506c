"""Measure conversation ids: making one, checking one, refusing one. Each has to take less than 1 ms.

usage: python benchmarks/identity.py [--times 20000]
Exit code 1 when a median misses its limit; on a busy machine the 99th percentile shows the others at work.
"""

import argparse
import statistics
import time
from collections.abc import Callable

from novadesk.errors import KnownError
from novadesk.models import check_handle, make_handle

LIMIT_MS = 1.0
NOW_MS = 1_790_000_000_000


def main() -> int:
    """Print one line for each measure; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20_000)
    times = parser.parse_args().times
    handle, long = make_handle(NOW_MS), "session_" + "0" * 1_000_000
    missed = False
    for name, work in (
        ("make", lambda: make_handle(NOW_MS)),
        ("check", lambda: check_handle(handle, NOW_MS)),
        ("refuse", lambda: refused(handle.upper())),
        ("refuse 1 MB", lambda: refused(long)),
    ):
        median_ms, p99_ms = measure(work, times)
        missed |= median_ms >= LIMIT_MS
        verdict = "MISSED" if median_ms >= LIMIT_MS else "ok"
        print(f"{name:12} median {median_ms:8.4f} ms   limit {LIMIT_MS:g} ms   {verdict:6}   p99 {p99_ms:8.4f} ms")
    return int(missed)


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
