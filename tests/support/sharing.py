"""Several pytests side by side take the test modules one after the other; what one has taken, no other runs.

python -m pytest -p tests.support.sharing --taken=FOLDER [--yielding] tests
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

LONGEST = ("tests/integration/test_renewals.py", "tests/integration/test_isolation.py")
COMPUTING = ("tests/unit/", "tests/contract/", "tests/ui/")  # short, and none of them judges what is heard or seen
_NICENESS = 5


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    parser.addoption("--taken", type=Path, help="folder, empty at first, of what has been taken")
    parser.addoption("--yielding", action="store_true", help="let the others have the processors first")


def pytest_configure(config: pytest.Config) -> None:
    """Give way, if told so."""
    if config.getoption("--yielding"):
        os.nice(_NICENESS)


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run what nobody else has taken; leave errors of the collection to pytest's own loop."""
    if session.testsfailed or session.config.option.collectonly or session.config.getoption("--taken") is None:
        return None
    items = _taken(session.items, session.config.getoption("--taken"))
    item = next(items, None)
    while item is not None:
        following = next(items, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following
    return True


def _taken(items: Sequence[pytest.Item], folder: Path) -> Iterator[pytest.Item]:
    """Yield the tests of one module after the other, the longest first, the computing ones last; take it first."""
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)
    for name in sorted(modules, key=lambda name: (name not in LONGEST, name.startswith(COMPUTING))):
        try:
            (folder / name.replace("/", ".")).touch(exist_ok=False)
        except FileExistsError:
            continue
        yield from modules[name]
