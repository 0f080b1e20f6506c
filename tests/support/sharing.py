"""Several pytests side by side take the test modules one after the other; what one has taken, no other runs.

python -m pytest -p tests.support.sharing --taken=FOLDER [--yielding] tests
"""

import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import pytest

# A minute or more: begun last, one of them would keep everybody waiting. Those that mostly wait go first, together.
LONGEST = (
    *(f"tests/integration/test_{name}.py" for name in ("renewals", "isolation", "fault_matrix_sockets")),
    *(f"tests/end2end/test_{name}.py" for name in ("window_stories", "private", "deaths", "commands_talk", "kills")),
)
COMPUTING = ("tests/unit/",)  # but for what needs the private desktop
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


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None]:
    """Collect nothing yet: a module is collected by the one who runs it, and by nobody else."""
    named = session.config.args
    if _is_shared(session):
        session.config.args = []
    try:
        return (yield)
    finally:
        session.config.args = named


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run what nobody else has taken."""
    if not _is_shared(session):
        return None
    found = session.perform_collect(session.config.args, genitems=False)
    modules = [module for node in found for module in _modules(node)]
    session.testscollected = len(modules)  # where others have taken all, that is no failure
    items = _taken(session, modules)
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


def _is_shared(session: pytest.Session) -> bool:
    return session.config.getoption("--taken") is not None and not session.config.option.collectonly


def _modules(node: pytest.Item | pytest.Collector) -> Iterator[pytest.File]:
    """Yield the modules below a folder, which loads none of them."""
    if isinstance(node, pytest.File):
        yield node
    elif isinstance(node, pytest.Directory):
        report = node.ihook.pytest_make_collect_report(collector=node)
        node.ihook.pytest_collectreport(report=report)
        for child in report.result or ():
            yield from _modules(child)


def _collect(session: pytest.Session, module: pytest.File) -> list[pytest.Item]:
    session.items = list(session.genitems(module))
    session.config.hook.pytest_collection_modifyitems(session=session, config=session.config, items=session.items)
    session.config.hook.pytest_collection_finish(session=session)
    return session.items


def _taken(session: pytest.Session, modules: Sequence[pytest.File]) -> Iterator[pytest.Item]:
    """Yield the tests of one module after the other, having taken it.

    The longest come first, the computing ones last; otherwise they go by their names, which mixes those that start
    programs with those that wait.
    """
    folder = session.config.getoption("--taken")
    by_name = {module.nodeid: module for module in modules}
    computing = {name for name in by_name if name.startswith(COMPUTING) and not _is_rig(by_name[name])}
    computing |= {name for name in by_name if name.startswith(WINDOWS)}

    def rank(name: str) -> tuple[int, bool, str]:
        early = LONGEST.index(name) if name in LONGEST else len(LONGEST)
        return early, name in computing, "" if name in computing else name.rpartition("/")[2]

    for name in sorted(by_name, key=rank):
        if session.config.getoption("--yielding") and name not in computing:
            continue
        try:
            (folder / name.replace("/", ".")).touch(exist_ok=False)
        except FileExistsError:
            continue
        yield from _collect(session, by_name[name])


def _is_rig(module: pytest.File) -> bool:
    return "mark.rig" in module.path.read_text(encoding="utf-8")
