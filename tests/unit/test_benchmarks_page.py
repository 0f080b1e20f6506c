"""The section about benchmarks tells every figure with its limit, and the script fails when one is missed."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.sheet import Figure, Sheet, told

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("benchmarks_script", ROOT / "scripts" / "benchmarks.py")
assert _spec is not None
assert _spec.loader is not None
script = importlib.util.module_from_spec(_spec)
sys.modules["benchmarks_script"] = script
_spec.loader.exec_module(script)

QUICK = {name: ("identity.py", "--times", "50") for name in script.COMMANDS}


def keep(found: Path, **figures: list[Figure]) -> None:
    """Write what the benchmarks would have left."""
    for name in script.TITLES:
        sheet = Sheet()
        sheet.figures = figures.get(name, [])
        sheet.finish(found / f"{name}.json")
        row = json.loads((found / f"{name}.json").read_text())
        row |= {"command": f"{name}.py", "ended": "2026-11-21 09:00 UTC", "commit": "abc1234"}
        row |= {"load": {"before": [1.0, 2.0, 3.0], "after": [4.0, 5.0, 6.0]}}
        (found / f"{name}.json").write_text(json.dumps(row))


def test_the_section_tells_figure_limit_goal_and_machine(tmp_path: Path) -> None:
    pulled = Figure(name="pulled", figure_ms=2_460.0, gate_ms=4_000.0, goal_ms=1_300.0, worst_ms=3_000.0)
    opened = Figure(name="opened", figure_ms=301.0, gate_ms=300.0)
    filled = Figure(name="filled", figure_ms=9e6)
    keep(tmp_path, sync=[pulled], store=[opened, filled])
    text, missed = script.section(tmp_path)
    assert missed
    assert "| pulled | 2.46 s | 3.00 s | 4.00 s | ok | 1.30 s | not reached |" in text
    assert "| opened | 301.0 ms |  | 300.0 ms | MISSED |  |  |" in text
    assert "| filled | 9000.00 s |  |  |  |  |  |" in text
    assert text.endswith("Missed: opened.\n")
    assert "ended 2026-11-21 09:00 UTC on abc1234; load averages (1, 5, 15 min) [1.0, 2.0, 3.0] before" in text
    assert "cores" in text
    assert "Python 3." in text


def test_the_section_says_that_every_limit_was_kept(tmp_path: Path) -> None:
    keep(tmp_path, sync=[Figure(name="pulled", figure_ms=1.0, gate_ms=2.0)])
    text, missed = script.section(tmp_path)
    assert not missed
    assert "MISSED" not in text
    assert text.endswith("Every limit was kept.\n")


def test_figures_that_were_found_last_are_written_again_and_judged_again(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    keep(tmp_path, sync=[Figure(name="pulled", figure_ms=3.0, gate_ms=2.0)])
    assert script.main(["--write"], found=tmp_path, page=page) == 1
    assert "| pulled | 3.0 ms |  | 2.0 ms | MISSED |" in page.read_text()


@pytest.mark.parametrize(("gates", "status"), [("1e-9", 1), ("1e9", 0)])
def test_the_script_runs_the_benchmarks_and_fails_with_them(gates: str, status: int, tmp_path: Path) -> None:
    commands = QUICK | {"sync": (*QUICK["sync"], "--gates", gates)}
    commands["store"] = commands["identity"] = (*QUICK["store"], "--gates", "1e9")
    page = tmp_path / "page.md"
    assert script.main([], commands=commands, found=tmp_path / "found", page=page) == status
    assert ("MISSED" in page.read_text()) == bool(status)


def test_a_benchmark_that_breaks_writes_nothing_and_leaves_no_old_figures(tmp_path: Path) -> None:
    keep(tmp_path)
    page = tmp_path / "page.md"
    commands = {"identity": ("identity.py", "--times", "no number")}
    assert script.main([], commands=commands, found=tmp_path, page=page) == 2
    assert not page.exists()
    assert script.main(["--write"], found=tmp_path, page=page) == 2


@pytest.mark.parametrize(
    ("figure_ms", "words"), [(0.00062, "0.0006 ms"), (4.04, "4.0 ms"), (999.9, "999.9 ms"), (2_456.0, "2.46 s")]
)
def test_a_time_is_told_in_its_unit(figure_ms: float, words: str) -> None:
    assert told(figure_ms) == words


def test_the_script_finds_the_benchmarks_and_not_itself() -> None:
    program = "import runpy, sys; sys.path[0] = 'scripts'; runpy.run_path('scripts/benchmarks.py', run_name='script')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_gate_that_is_met_exactly_is_missed() -> None:
    assert Figure(name="opened", figure_ms=300.0, gate_ms=300.0).missed
    assert not Figure(name="opened", figure_ms=299.9, gate_ms=300.0).missed


@pytest.mark.parametrize(
    ("words", "name", "title"),
    [
        (["--desktop"], "desktop", "## The window, and commands bound to a key"),
        (["--echo"], "echo", "## Echo and barge-in"),
        (["--voice"], "voice", "## The voice, from microphone to server"),
    ],
)
def test_each_page_is_written_of_its_own_benchmark(tmp_path: Path, words: list[str], name: str, title: str) -> None:
    keep(tmp_path)
    for kept, other in zip(("sync", "store"), (name, "control"), strict=True):
        (tmp_path / f"{kept}.json").rename(tmp_path / f"{other}.json")
    page = tmp_path / "page.md"
    assert script.main([*words, "--write"], found=tmp_path, page=page) == 0
    assert page.read_text().startswith(title)
