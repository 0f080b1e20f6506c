"""Several pytests share the tests out: each module runs once, and the short ones last."""

from pathlib import Path

import pytest

MODULES = ("unit/test_a", "end2end/test_b", "end2end/test_c", "integration/test_renewals")


def ran(pytester: pytest.Pytester, taken: Path) -> list[str]:
    done = pytester.inline_run("-p", "tests.support.sharing", f"--taken={taken}", f"--rootdir={pytester.path}", "tests")
    assert done.ret == 0
    return [
        report.nodeid.partition("::")[0]
        for report in done.getreports("pytest_runtest_logreport")
        if report.when == "call"
    ]


def test_what_one_has_taken_no_other_runs_and_the_rest_runs_in_order(pytester: pytest.Pytester, tmp_path: Path) -> None:
    for name in MODULES:
        file = pytester.path / "tests" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("def test_one(): pass\n\ndef test_two(): pass\n")
    (tmp_path / "tests.end2end.test_b.py").touch()
    expected = ("integration/test_renewals", "end2end/test_c", "unit/test_a")
    assert ran(pytester, tmp_path) == [f"tests/{name}.py" for name in expected for _ in range(2)]
    assert ran(pytester, tmp_path) == []
