"""How NovaDesk is started again: now as this executable, another day by what stays where it is."""

import sys
from pathlib import Path

import pytest

from novadesk.app.command import lasting_command, own_command


def test_an_appimage_is_started_by_its_file_and_not_by_where_it_is_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = "/tmp/.mount_Nova"
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", f"{mounted}/usr/lib/novadesk/novadesk")
    environment = {"APPIMAGE": "/home/me/NovaDesk.AppImage", "APPDIR": mounted}
    assert lasting_command("--hidden", environment=environment) == ["/home/me/NovaDesk.AppImage", "--hidden"]
    assert own_command("engine") == [f"{mounted}/usr/lib/novadesk/novadesk", "engine"]


def test_the_appimage_of_another_program_is_not_ours() -> None:
    environment = {"APPIMAGE": "/home/me/Terminal.AppImage", "APPDIR": "/tmp/.mount_Term"}
    assert lasting_command("--hidden", environment=environment) == own_command("--hidden")
    assert lasting_command("--hidden", environment={}) == own_command("--hidden")
    assert Path(own_command()[0]) == Path(sys.executable)
