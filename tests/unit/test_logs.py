import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from novadesk import logs
from novadesk.logs import start_logs, stop_logs

LOG = logging.getLogger("novadesk.test")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "novadesk.log"


@pytest.fixture(autouse=True)
def _level_as_before() -> Iterator[None]:
    root = logging.getLogger("novadesk")
    level, handlers, propagate = root.level, list(root.handlers), root.propagate
    yield
    assert root.handlers == handlers, "a handler was left behind"
    root.setLevel(level)
    root.propagate = propagate


def test_our_log_goes_to_the_file_and_nowhere_else(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = start_logs(file)
    LOG.info("heard %d frames", 3)
    LOG.debug("not told")
    logging.getLogger("botocore").critical("a stranger")
    stop_logs(handler)
    (line,) = file.read_text().splitlines()
    assert line.endswith("INFO    novadesk.test: heard 3 frames")
    assert "not told" not in capsys.readouterr().err


def test_after_the_end_nothing_is_written(file: Path) -> None:
    stop_logs(start_logs(file))
    LOG.info("too late")
    assert file.read_text() == ""
    assert logging.getLogger("novadesk").propagate


def test_it_goes_on_where_it_stopped(file: Path) -> None:
    for number in range(2):
        handler = start_logs(file, level=logging.DEBUG)
        LOG.debug("start %d", number)
        stop_logs(handler)
    assert [line.rsplit(": ")[1] for line in file.read_text().splitlines()] == ["start 0", "start 1"]


def test_text_that_is_none_is_no_reason_to_fail(file: Path) -> None:
    handler = start_logs(file)
    LOG.info("a name of bytes: %s", "caf\udcff é")
    stop_logs(handler)
    assert "caf\\udcff é" in file.read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_every_file_of_the_rotation_is_private_and_their_number_is_bounded(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_MAX_BYTES", 500)
    file.parent.mkdir()
    file.write_text("an old one\n")
    file.chmod(0o644)
    mask = os.umask(0o000)
    try:
        handler = start_logs(file)
        for number in range(100):
            LOG.info("line %d", number)
        stop_logs(handler)
    finally:
        os.umask(mask)
    files = sorted(file.parent.iterdir())
    assert [each.name for each in files] == ["novadesk.log", *(f"novadesk.log.{number}" for number in (1, 2, 3))]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert all(each.stat().st_size <= 500 for each in files)
    assert "line 99" in file.read_text()
