"""Each house rule finds its breach, lets the right way pass, and the whole tree obeys."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("house_rules", ROOT / "scripts" / "house_rules.py")
assert _spec is not None
assert _spec.loader is not None
house_rules = importlib.util.module_from_spec(_spec)
sys.modules["house_rules"] = house_rules
_spec.loader.exec_module(house_rules)

MODULE = "src/novadesk/audio/engine.py"


def broken(path: str, text: str) -> list[str]:
    """Return the names of the rules that the text breaks."""
    return [breach.rule for breach in [*house_rules.check_lines(path, text), *house_rules.check_shape(path, text)]]


@pytest.mark.parametrize(
    ("path", "line", "rule"),
    [
        (MODULE, "dialog.exec()", "nested-loop"),
        (MODULE, "QApplication.processEvents()", "nested-loop"),
        (MODULE, "qtbot.wait(50)", "nested-loop"),
        (MODULE, "print(1)", "print"),
        (MODULE, "time.sleep(1)", "sleep"),
        (MODULE, "from time import monotonic, sleep", "sleep"),
        (MODULE, "x = 1  # type: ignore", "bare-ignore"),
        (MODULE, "x = 1  # noqa", "bare-noqa"),
        (MODULE, "x = 1  # noqa: E501", "bare-noqa"),
        (MODULE, "x = 1  # TODO later", "unfinished"),
        (MODULE, 'log.info("said %s", turn.text)', "told-in-log"),
        (MODULE, 'logger.warning("%s", secret_access_key)', "told-in-log"),
        (MODULE, '_log.debug("resume %s", session_token)', "told-in-log"),
        ("requirements.lock", "--index-url https://mirror/simple", "index-host"),
        ("docs/a.md", "see https://pypi" + ".org/project/x", "index-host"),
    ],
)
def test_a_breach_is_found(path: str, line: str, rule: str) -> None:
    assert [breach.rule for breach in house_rules.check_lines(path, line)] == [rule]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (MODULE, "dialog.open()"),
        (MODULE, "pretty_print(1)"),
        ("src/novadesk/cli.py", "print(1)"),
        ("src/novadesk/app/talk.py", "print(1)"),
        ("tests/unit/test_x.py", "time.sleep(0.01)"),
        (MODULE, "await asyncio.sleep(1)"),
        (MODULE, "self._task = asyncio.create_task(work())"),
        (MODULE, "group.create_task(work())"),
        (MODULE, "x = 1  # type: ignore[attr-defined]"),
        (MODULE, "def rowCount(self) -> int: return 0  # noqa: N802, D102"),
        (MODULE, "x = open(f)  # noqa: SIM115 - the caller owns it"),
        (MODULE, 'log.info("wire session over after %d turns", turns)'),
        (MODULE, 'log.warning("lost text of %d bytes", size)'),
    ],
)
def test_the_right_way_passes(path: str, line: str) -> None:
    assert broken(path, line) == []


@pytest.mark.parametrize("call", ["asyncio.create_task(work())", "loop.create_task(work())", "ensure_future(work())"])
def test_a_task_must_be_kept(call: str) -> None:
    assert broken(MODULE, f"async def f():\n    {call}\n") == ["dropped-task"]
    assert broken(MODULE, f"async def f():\n    return [\n    {call}\n    ]\n") == []
    assert broken(MODULE, f"async def f():\n    task = {call}\n") == []


@pytest.mark.parametrize("path", ["src/novadesk/utils.py", "src/novadesk/common/wave.py", "tests/support/helpers.py"])
def test_names_that_say_nothing_are_refused(path: str) -> None:
    assert broken(path, "x = 1\n") == ["empty-name"]


def test_sizes_are_bounded() -> None:
    longest = "def f() -> None:\n" + "    x = 1\n" * (house_rules.MAX_FUNCTION_LINES - 1)
    assert broken(MODULE, longest) == []
    assert broken(MODULE, longest + "    y = 1\n") == ["long-function"]
    assert broken(MODULE, "x = 1\n" * house_rules.MAX_MODULE_LINES) == []
    assert broken(MODULE, "x = 1\n" * (house_rules.MAX_MODULE_LINES + 1)) == ["long-module"]


def test_a_tree_is_walked_and_the_exit_status_tells(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "good.py").write_text("x = 1\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    assert house_rules.main([str(tmp_path)]) == 0
    (tmp_path / "src" / "bad.py").write_text("import time\ntime.sleep(1)\n")
    assert [(breach.path, breach.line) for breach in house_rules.check_tree(tmp_path)] == [("src/bad.py", 2)]
    assert house_rules.main([str(tmp_path)]) == 1
