"""Several pytests share the tests out: each module runs once, and the short ones last."""

import os
from pathlib import Path

import pytest

MODULES = (
    "unit/test_a",
    "unit/test_rig_u",
    "integration/test_c",
    "end2end/test_b",
    "end2end/test_d",
    "integration/test_partner_ears",
    "integration/test_renewals",
    "ui/test_rig_w",
)
TEXT = """
import pytest

pytestmark = {marks}
made = []

@pytest.fixture(scope="module")
def one():
    made.append(1)

def test_one(one): pass

def test_two(one): assert made == [1]
"""


@pytest.fixture(autouse=True)
def _modules(pytester: pytest.Pytester) -> None:
    pytester.makefile(".ini", pytest="[pytest]\nmarkers = rig\nasyncio_default_fixture_loop_scope = function")
    for name in MODULES:
        file = pytester.path / "tests" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TEXT.format(marks="[pytest.mark.rig]" if "rig" in name else []))


def ran(pytester: pytest.Pytester, taken: Path, *options: str) -> list[str]:
    done = pytester.inline_run(
        "-p", "tests.support.sharing", f"--taken={taken}", f"--rootdir={pytester.path}", *options, "tests"
    )
    assert done.ret == 0
    reports = done.getreports("pytest_runtest_logreport")
    return [report.nodeid.partition("::")[0] for report in reports if report.when == "call"]


def twice(*names: str) -> list[str]:
    return [f"tests/{name}.py" for name in names for _ in range(2)]


def test_what_one_has_taken_no_other_runs_and_the_rest_runs_in_order(pytester: pytest.Pytester, tmp_path: Path) -> None:
    (tmp_path / "tests.end2end.test_b.py").touch()
    expected = twice(
        "integration/test_renewals",
        "integration/test_c",
        "end2end/test_d",
        "unit/test_rig_u",
        "integration/test_partner_ears",
        "ui/test_rig_w",
        "unit/test_a",
    )
    assert ran(pytester, tmp_path) == expected
    assert ran(pytester, tmp_path) == []


def test_who_gives_way_runs_what_computes_only(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(os, "nice", given.append)
    assert ran(pytester, tmp_path, "--yielding") == twice(
        "integration/test_partner_ears", "ui/test_rig_w", "unit/test_a"
    )
    assert given == [10]
