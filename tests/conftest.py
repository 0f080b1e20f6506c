"""For every test: a private world around it, and nothing of it left afterwards."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.desk import Desk
from tests.support.leaks import LogWatch, OrphanTasks, adopt_orphans, leaks_since, take_census, visible_windows

_FOREIGN_PREFIXES = ("AWS_", "NOVADESK_", "BEDROCK_", "SESSION_")
_SCREEN = Path(__file__).parent / "data" / "screen.json"
_FOREIGN = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "all_proxy", "no_proxy")

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("novadesk", deadline=None)
hypothesis.settings.load_profile("novadesk")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the person's own account, keyring, display and files out of every test."""
    for name in [name for name in os.environ if name.startswith(_FOREIGN_PREFIXES) or name in _FOREIGN]:
        del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    os.environ["QT_QPA_PLATFORM"] = f"offscreen:configfile={_SCREEN}"
    adopt_orphans()


def pytest_collection_finish() -> None:
    """Leave what is imported by now out of every later search for garbage: it is never any."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["NOVADESK_HOME"] = str(tmp_path_factory.mktemp("home"))


@pytest.fixture(autouse=True)
def expected_logs() -> Iterator[LogWatch]:
    """Fail the test on a warning or error in our log that it did not `allow`."""
    with LogWatch().listening() as watch:
        yield watch
    unexpected = watch.unexpected()
    if unexpected:
        pytest.fail("Unexpected log records:\n  " + "\n  ".join(unexpected), pytrace=False)


@pytest.fixture(autouse=True)
def _no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test on threads, tasks, child processes, files, sockets or windows that it leaves behind."""
    if "desk" in request.fixturenames:
        request.getfixturevalue("desk")  # its daemons are there before the count
    if {"qapp", "qtbot"} & set(request.fixturenames):
        request.getfixturevalue("qapp")
    before = take_census()
    tasks = OrphanTasks()
    tasks.watch()
    yield
    tasks.stop()
    left = tasks.found + visible_windows() + leaks_since(before)
    if left:
        pytest.fail("Left behind:\n  " + "\n  ".join(left), pytrace=False)


@pytest.fixture(scope="session")
def desk() -> Iterator[Desk]:
    """Give the private desktop of this run (mark the test `rig`). Programs on it get `env=desk.env`."""
    with Desk() as made:
        yield made


@pytest.fixture
def on_desk(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """Put the test's own process on the private desktop, with a data folder of its own."""
    for name in ("PYTHON_KEYRING_BACKEND", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in desk.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "home"))
    return desk
