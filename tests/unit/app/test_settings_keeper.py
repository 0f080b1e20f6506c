import os
import threading
from pathlib import Path

import pytest

from novadesk.app.settings_keeper import SettingsKeeper
from novadesk.config import Settings, TalkSettings, VoiceSettings
from novadesk.settings_file import load_settings
from tests.support.leaks import LogWatch


def keys(*names: str) -> list[Settings]:
    return [Settings(talk=TalkSettings(key=name)) for name in names]


def test_what_was_changed_last_is_written_and_a_slow_disk_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, begun, real, calls = threading.Event(), threading.Event(), os.fsync, []

    def slow(descriptor: int) -> None:
        calls.append(descriptor)
        begun.set()
        assert gate.wait(60)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    told: list[str] = []
    keeper = SettingsKeeper(tmp_path / "settings.toml", told.append)
    first, *rest = keys("f1", "f2", "f3", "f4")
    keeper.keep(first)
    assert begun.wait(60)
    for settings in rest:
        keeper.keep(settings)
    gate.set()
    assert keeper.close()
    assert load_settings(tmp_path / "settings.toml", {}) == rest[-1]
    assert len(calls) == 8  # the first and the last: file, folder, copy, folder
    assert told == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "(No space left on device); they hold until NovaDesk ends. Make room"),
        (PermissionError(13, "Permission denied"), "(Permission denied); they hold until NovaDesk ends. Make their"),
    ],
)
def test_what_cannot_be_written_is_told_and_the_next_change_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    told: list[str] = []
    keeper = SettingsKeeper(tmp_path / "settings.toml", told.append)

    def full(_descriptor: int) -> None:
        raise error

    one, other = keys("f1", "f2")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        keeper.keep(one)
        assert keeper.close()
    assert len(told) == 1
    assert told[0].startswith(f"The settings cannot be written {words}")
    keeper.keep(other)
    assert keeper.close()
    assert load_settings(tmp_path / "settings.toml", {}) == other
    assert told[1:] == [""]  # the trouble is over
    keeper.keep(one)
    assert keeper.close()
    assert len(told) == 2


def test_a_text_that_no_file_can_hold_does_not_keep_the_next_change_from_it(
    tmp_path: Path, expected_logs: LogWatch
) -> None:
    expected_logs.allow("the settings cannot be written")
    told: list[str] = []
    file = tmp_path / "settings.toml"
    keeper = SettingsKeeper(file, told.append)
    half = "\ud83d"  # of an emoji
    keeper.keep(Settings(voice=VoiceSettings(prompt=half)))
    assert keeper.close()
    assert not file.exists()
    assert "cannot be written" in told[0]
    keeper.keep(keys("f1")[0])
    assert keeper.close()
    assert load_settings(file, {}) == keys("f1")[0]


def test_a_file_that_was_broken_meanwhile_is_told_of(tmp_path: Path) -> None:
    told: list[str] = []
    file = tmp_path / "settings.toml"
    file.write_text("[talk")
    keeper = SettingsKeeper(file, told.append)
    keeper.keep(keys("f1")[0])
    assert keeper.close()
    assert told == ["The settings file was broken. It is kept as settings.broken-1.toml, beside the new one."]
    assert (tmp_path / "settings.broken-1.toml").read_text() == "[talk"
