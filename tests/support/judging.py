"""A test in real time that fails while a host takes the processors away is not judged: it says nothing of the program.

What was taken is measured, by others than the program and its tests (`tests.support.stolen`); the test is then reported
as skipped, with the figure, and what it said is told at the end. Without `--stolen` every failure is one.

python -m pytest -p tests.support.judging --stolen=FILE tests
"""

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stolen import EVERY_S, MOST_S, SPAN_S, most_lost, read_notes

_IN_REAL_TIME = ("tests/integration/", "tests/end2end/", "tests/contract/")
_begun = pytest.StashKey[float]()
_made = pytest.StashKey[dict[Any, tuple[float, float]]]()
_unjudged = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our option."""
    parser.addoption("--stolen", type=Path, help="file with the notes of tests.support.stolen")


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing."""
    config.stash[_made], config.stash[_unjudged] = {}, []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note when a test begins."""
    item.stash[_begun] = time.monotonic()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Note when what several tests share was made: some look at what ran there."""
    begun = time.monotonic()
    try:
        return (yield)
    finally:
        if fixturedef.scope != "function":
            request.config.stash[_made][fixturedef] = (begun, time.monotonic())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge a failure only where the computer kept time."""
    report = yield
    if not report.failed or (lost_s := _lost_s(item)) < MOST_S:
        return report
    crash = getattr(report.longrepr, "reprcrash", None)
    said = (report.longreprtext if crash is None else crash.message).strip()
    item.config.stash[_unjudged].append(f"{item.nodeid} ({report.when}): {said.partition('\n')[0]}")
    path, line, _ = item.location
    reason = f"Skipped: not judged, the host took {lost_s:.1f} s of each processor within {SPAN_S:g} s"
    report.outcome, report.longrepr = "skipped", (path, line or 0, reason)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what was not judged, and what it said."""
    if unjudged := config.stash[_unjudged]:
        terminalreporter.section("not judged")
        for line in unjudged:
            terminalreporter.line(line)


def _lost_s(item: pytest.Item) -> float:
    file = item.config.getoption("--stolen")
    if file is None or not item.nodeid.startswith(_IN_REAL_TIME):
        return 0.0
    time.sleep(2 * EVERY_S)  # the last moment is noted, too
    names = getattr(item, "fixturenames", ())
    shared = [
        times
        for made, times in item.config.stash[_made].items()
        if made.argname in names and item.nodeid.startswith(made.baseid)
    ]
    notes = read_notes(file)
    return max(most_lost(notes, *times) for times in [(item.stash[_begun], time.monotonic()), *shared])
