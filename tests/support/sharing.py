"""Several pytests side by side take the test modules one after the other; what one has taken, no other runs.

python -m pytest -p tests.support.sharing --taken=FOLDER [--yielding] tests
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

# Half a minute or more: begun last, one would keep everybody waiting. Those that mostly wait go first, together;
# then those that start programs alternate with those that hear sounds.
LONGEST = (
    *(f"tests/integration/test_{name}.py" for name in ("renewals", "isolation", "fault_matrix_sockets")),
    *(f"tests/end2end/test_{name}.py" for name in ("window_stories", "private", "deaths", "commands_talk", "kills")),
    "tests/integration/test_devices_rig.py",
    "tests/end2end/test_commands_doctor.py",
    "tests/integration/test_engine_rig.py",
    "tests/end2end/test_commands_backend.py",
    "tests/end2end/test_window_troubles.py",
    "tests/end2end/test_window_settings.py",
    "tests/integration/test_engine_echo.py",
    "tests/end2end/test_window_history.py",
    "tests/end2end/test_wizard.py",
)
# They only compute, and nothing in them has to be in time.
COMPUTING = (  # but for what needs the private desktop
    "tests/unit/",
    "tests/contract/",
    *(f"tests/integration/test_{name}.py" for name in ("partner_ears", "sync", "sync_chain", "sync_two_machines")),
    *(f"tests/end2end/test_{name}.py" for name in ("commands_history", "commands_input")),
)
WINDOWS = "tests/ui/"  # compute as well; all in one process, which is the yielding one
_NICENESS = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    parser.addoption("--taken", type=Path, help="folder, empty at first, of what has been taken")
    parser.addoption("--yielding", action="store_true", help="only what computes; the others have the processors first")


def pytest_configure(config: pytest.Config) -> None:
    """Let the others go first, if told so."""
    if config.getoption("--yielding"):
        os.nice(_NICENESS)


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run what nobody else has taken; leave errors of the collection to pytest's own loop."""
    folder = session.config.getoption("--taken")
    if session.testsfailed or session.config.option.collectonly or folder is None:
        return None
    items = _taken(session.items, folder, computing_only=session.config.getoption("--yielding"))
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


def _taken(items: Sequence[pytest.Item], folder: Path, *, computing_only: bool) -> Iterator[pytest.Item]:
    """Yield the tests of one module after the other, having taken it.

    The longest come first, the computing ones last; otherwise they go by their names, which mixes those that start
    programs with those that wait.
    """
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)
    computing = {name for name in modules if name.startswith(COMPUTING) and not any(map(_rig, modules[name]))}
    computing |= {name for name in modules if name.startswith(WINDOWS)}

    def rank(name: str) -> tuple[int, bool, str]:
        early = LONGEST.index(name) if name in LONGEST else len(LONGEST)
        return early, name in computing, "" if name in computing else name.rpartition("/")[2]

    for name in sorted(modules, key=rank):
        if computing_only and name not in computing:
            continue
        try:
            (folder / name.replace("/", ".")).touch(exist_ok=False)
        except FileExistsError:
            continue
        yield from modules[name]


def _rig(item: pytest.Item) -> bool:
    return item.get_closest_marker("rig") is not None
