"""The entry that starts NovaDesk with the session: its text, and that it comes and goes."""

import configparser
import plistlib
import subprocess
from pathlib import Path

import pytest

from novadesk.desktop.autostart import FileEntry, RegistryEntry, desktop_entry, find_autostart
from novadesk.errors import KnownError, Reason

COMMAND = ("/opt/Nova Desk/novadesk", "--profile", "50% $home", "--hidden")


def test_on_linux_the_file_lies_where_the_desktop_looks(tmp_path: Path) -> None:
    named = find_autostart(COMMAND, platform="linux", environment={"XDG_CONFIG_HOME": str(tmp_path / "x")})
    usual = find_autostart(COMMAND, platform="linux", environment={}, home=tmp_path)
    assert isinstance(named, FileEntry)
    assert isinstance(usual, FileEntry)
    assert named.file == tmp_path / "x" / "autostart" / "novadesk.desktop"
    assert usual.file == tmp_path / ".config" / "autostart" / "novadesk.desktop"


def test_the_desktop_file_starts_exactly_this_command() -> None:
    parsed = configparser.RawConfigParser()
    parsed.read_string(desktop_entry(COMMAND))
    line = parsed["Desktop Entry"]["Exec"]
    assert line == r'"/opt/Nova Desk/novadesk" --profile "50%% \\$home" --hidden'
    unescaped = line.replace("\\\\", "\\").replace("%%", "%")  # what the desktop does before it reads the quotes
    told = subprocess.run(["sh", "-c", f"printf '%s\\n' {unescaped}"], capture_output=True, text=True, check=True)
    assert tuple(told.stdout.splitlines()) == COMMAND


def test_the_desktop_file_names_the_program_without_which_it_is_passed_over() -> None:
    program = r"/opt/50% Nova\Desk/novadesk"
    parsed = configparser.RawConfigParser()
    parsed.read_string(desktop_entry([program, "--hidden"]))
    assert parsed["Desktop Entry"]["TryExec"] == r"/opt/50% Nova\\Desk/novadesk"  # a string, not a command line


def test_on_macos_it_is_a_launch_agent(tmp_path: Path) -> None:
    entry = find_autostart(COMMAND, platform="darwin", home=tmp_path)
    assert isinstance(entry, FileEntry)
    assert entry.file == tmp_path / "Library" / "LaunchAgents" / "org.novadesk.plist"
    made = plistlib.loads(entry.content)
    assert (made["Label"], made["ProgramArguments"], made["RunAtLoad"]) == ("org.novadesk", list(COMMAND), True)


def test_on_windows_it_is_one_line_of_the_registry() -> None:
    entry = find_autostart((r"C:\Program Files\NovaDesk\novadesk.exe", "--hidden"), platform="win32")
    assert isinstance(entry, RegistryEntry)
    assert entry.command == r'"C:\Program Files\NovaDesk\novadesk.exe" --hidden'


def test_in_a_sandbox_it_is_said_how_it_is_done_by_hand(tmp_path: Path) -> None:
    entry = find_autostart(COMMAND, platform="linux", environment={"FLATPAK_ID": "org.example.App"}, home=tmp_path)
    entry.set_enabled(False)
    with pytest.raises(KnownError, match="Flatpak") as refused:
        entry.set_enabled(True)
    assert refused.value.reason is Reason.AUTOSTART_REFUSED
    assert "flatpak run org.example.App --hidden" in refused.value.advice
    assert not entry.enabled()
    assert not list(tmp_path.iterdir())


def test_it_comes_and_goes_twice_over(tmp_path: Path) -> None:
    entry = find_autostart(COMMAND, platform="linux", environment={}, home=tmp_path)
    assert not entry.enabled()
    for on in (True, True, False, False, True):
        entry.set_enabled(on)
        assert entry.enabled() is on
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == ["novadesk.desktop"]


@pytest.mark.parametrize("line", ["Hidden=true", "X-GNOME-Autostart-enabled=false"])
def test_what_the_desktop_switched_off_is_off(tmp_path: Path, line: str) -> None:
    entry = FileEntry(tmp_path / "novadesk.desktop", desktop_entry(COMMAND).encode())
    entry.set_enabled(True)
    entry.file.write_text(entry.file.read_text().replace("X-GNOME-Autostart-enabled=true", line))
    assert not entry.enabled()
    entry.set_enabled(True)
    assert entry.enabled()


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".config").write_text("not a folder")
    entry = find_autostart(COMMAND, platform="linux", environment={}, home=tmp_path)
    with pytest.raises(KnownError) as caught:
        entry.set_enabled(True)
    assert caught.value.reason is Reason.AUTOSTART_REFUSED
    assert "novadesk.desktop" in caught.value.what
