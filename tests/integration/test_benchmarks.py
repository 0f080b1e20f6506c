"""The benchmarks run and print their limits; whether those are held is for a quiet machine to say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "figures"),
    [
        (("identity.py", "--times", "200"), ("make", "check", "refuse")),
        (("store.py", "--turns", "2000"), ("open, median", "search, p95", "repair at a start", "goal 50 ms")),
    ],
    ids=["identity", "store"],
)
def test_a_benchmark_prints_figures_beside_limits(
    arguments: tuple[str, ...], figures: tuple[str, ...], tmp_path: Path
) -> None:
    place = ("--folder", str(tmp_path)) if arguments[0] == "store.py" else ()
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / arguments[0], *arguments[1:], *place],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == int("MISSED" in done.stdout)
    for figure in (*figures, "limit"):
        assert figure in done.stdout
