"""`novadesk serve` before its server: which settings it begins with, and what it says of them."""

import re
from pathlib import Path

import pytest

from novadesk.app import serve
from novadesk.paths import find_folders
from novadesk.server.runner import ServerOptions
from novadesk.settings_file import open_settings
from tests.support.leaks import LogWatch

BROKEN = "[limits\nscale = 2.0\n"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[ServerOptions]:
    """Note what a server is started with; it ends at once."""
    begun: list[ServerOptions] = []

    async def end(options: ServerOptions) -> None:
        begun.append(options)

    monkeypatch.setattr(serve, "serve", end)
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path))
    return begun


def run(*, child: bool = False) -> int:
    return serve.run_serve(
        profile="", folder=None, host="127.0.0.1", port=0, names=(), persona=None, llm="", llm_model="",
        until_stdin_closes=child,
    )  # fmt: skip


@pytest.mark.parametrize("child", [False, True])
def test_a_broken_settings_file_is_told_once_and_those_that_worked_last_are_used(
    started: list[ServerOptions], capsys: pytest.CaptureFixture[str], expected_logs: LogWatch, *, child: bool
) -> None:
    expected_logs.allow("is not readable as TOML")
    folders = find_folders().make()
    folders.settings_file.write_text("[limits]\nscale = 0.5\n")
    open_settings(folders.settings_file)
    folders.settings_file.write_text(BROKEN)
    assert run(child=child) == 0
    assert started[0].limits.silence_s == 27.5
    told = capsys.readouterr()
    assert told.out == ""
    sentence = (
        f"The settings file {folders.settings_file} is not readable as TOML (line 1). "
        "NovaDesk uses the settings that worked last."
    )
    assert told.err == f"novadesk: settings: {sentence}\n"
    logged = folders.log_file.read_text() if folders.log_file.exists() else ""
    assert len(re.findall(re.escape(sentence), logged)) == (0 if child else 1)
    assert folders.settings_file.read_text() == BROKEN


def test_of_a_good_settings_file_nothing_is_said(
    started: list[ServerOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    assert len(started) == 1
    assert capsys.readouterr() == ("", "")
    assert not find_folders().log_file.exists()
