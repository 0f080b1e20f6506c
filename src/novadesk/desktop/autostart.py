"""Starting with the person's session: an XDG autostart file, a LaunchAgent, or a value of the registry's Run key.

The entry itself is the truth: it is read back from where the desktop looks for it, and the person may delete it there.
"""

import os
import plistlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from novadesk.desktop.menuentry import APP_ID
from novadesk.errors import KnownError, Reason
from novadesk.files import replace_file

NAME = "novadesk"
_RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"
_EXEC_SPECIAL = '"`$\\'
_ADVICE = "Add `novadesk --hidden` to the programs that your desktop starts, by hand."


class Autostart(Protocol):
    """The entry that starts NovaDesk with the session. Both methods are quick and may be called anywhere."""

    def enabled(self) -> bool:
        """Return whether the desktop will start NovaDesk."""
        ...

    def set_enabled(self, on: bool) -> None:
        """Make the entry, or remove it. Idempotent.

        Raises:
            KnownError: `AUTOSTART_REFUSED`.
        """
        ...


def find_autostart(
    command: Sequence[str],
    *,
    name: str = NAME,
    platform: str = sys.platform,
    environment: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> Autostart:
    """Return the place of the entry on this system.

    Args:
        command: starts NovaDesk without its window in front.
        name: of the entry; each profile has its own.
        platform: as `sys.platform`.
        environment: names the folder of the XDG files.
        home: the person's folder.
    """
    home = home or Path.home()
    if sandbox := environment.get("FLATPAK_ID"):
        return SandboxEntry(sandbox)
    if platform == "win32":
        return RegistryEntry(name, subprocess.list2cmdline(command))
    if platform == "darwin":
        file = home / "Library" / "LaunchAgents" / f"org.{name}.plist"
        return FileEntry(file, launch_agent(f"org.{name}", command))
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return FileEntry(config / "autostart" / f"{name}.desktop", desktop_entry(command).encode())


def desktop_entry(command: Sequence[str]) -> str:
    """Return the XDG autostart file: Desktop Application Autostart Specification 0.5, Desktop Entry 1.5.

    Once the program is gone, the desktop passes over the file: TryExec names what has to be there.
    """
    return (
        "[Desktop Entry]\n"
        "Type=Application\n"
        "Name=NovaDesk\n"
        "Comment=Voice conversations, ready in the tray\n"
        f"TryExec={_escaped(command[0])}\n"
        f"Exec={' '.join(map(_quoted, command))}\n"
        f"Icon={APP_ID}\n"
        "Terminal=false\n"
        "StartupNotify=false\n"
        "X-GNOME-Autostart-enabled=true\n"
    )


def launch_agent(label: str, command: Sequence[str]) -> bytes:
    """Return the property list of a LaunchAgent that is run once at the sign-in: launchd.plist(5)."""
    return plistlib.dumps({
        "Label": label,
        "ProgramArguments": list(command),
        "RunAtLoad": True,
        "ProcessType": "Interactive",
    })  # fmt: skip


class FileEntry:
    """An entry that is a file.

    Args:
        file: where the desktop looks.
        content: what it finds there.
    """

    def __init__(self, file: Path, content: bytes) -> None:
        self.file = file
        self.content = content

    def enabled(self) -> bool:
        """Return whether the file is there and does not say that it is switched off."""
        try:
            lines = self.file.read_bytes().splitlines()
        except OSError:
            return False
        off = (b"Hidden=true", b"X-GNOME-Autostart-enabled=false")
        return not any(line.strip() in off for line in lines)

    def set_enabled(self, on: bool) -> None:
        """Write the file, or remove it."""
        try:
            if not on:
                self.file.unlink(missing_ok=True)
                return
            self.file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.file, self.content)
        except OSError as error:
            what = "{file} cannot be changed ({why})."
            why = error.strerror or "unknown"
            raise KnownError(Reason.AUTOSTART_REFUSED, what, _ADVICE, file=str(self.file), why=why) from error


class SandboxEntry:
    """Stands in where the files that the desktop looks at are out of reach.

    Args:
        sandbox: name of the Flatpak.
    """

    def __init__(self, sandbox: str) -> None:
        self.sandbox = sandbox

    def enabled(self) -> bool:
        """Return False: what the person has set up outside cannot be seen."""
        return False

    def set_enabled(self, on: bool) -> None:
        """Say how it is done by hand; there is nothing to remove."""
        if on:
            raise KnownError(
                Reason.AUTOSTART_REFUSED,
                "A Flatpak cannot have the desktop start it.",
                "Add `flatpak run {sandbox} --hidden` to the programs that your desktop starts, by hand.",
                sandbox=self.sandbox,
            )


class RegistryEntry:
    """An entry that is a value of the current user's Run key."""

    def __init__(self, name: str, command: str) -> None:
        self.name = name
        self.command = command

    def enabled(self) -> bool:
        """Return whether the value is there."""
        import winreg  # Windows only

        with suppress(OSError), winreg.OpenKey(winreg.HKEY_CURRENT_USER, _RUN_KEY) as key:  # type: ignore[attr-defined]
            winreg.QueryValueEx(key, self.name)  # type: ignore[attr-defined]
            return True
        return False

    def set_enabled(self, on: bool) -> None:
        """Write the value, or remove it."""
        import winreg  # Windows only

        try:
            with winreg.CreateKey(winreg.HKEY_CURRENT_USER, _RUN_KEY) as key:  # type: ignore[attr-defined]
                if on:
                    winreg.SetValueEx(key, self.name, 0, winreg.REG_SZ, self.command)  # type: ignore[attr-defined]
                else:
                    with suppress(FileNotFoundError):
                        winreg.DeleteValue(key, self.name)  # type: ignore[attr-defined]
        except OSError as error:
            what = "Windows does not let NovaDesk change what starts with it ({why})."
            raise KnownError(Reason.AUTOSTART_REFUSED, what, _ADVICE, why=error.strerror or "unknown") from error


def _quoted(argument: str) -> str:
    """Return an argument as the Exec key takes it: quoted, and a percent sign doubled, which else names a field."""
    plain = argument.replace("%", "%%")
    if plain and not any(character in plain for character in " \t\n\"'\\><~|&;$*?#()`"):
        return plain
    inner = "".join(f"\\{character}" if character in _EXEC_SPECIAL else character for character in plain)
    return '"' + _escaped(inner) + '"'


def _escaped(value: str) -> str:
    """Return a value as every string of the file is escaped, whatever its key escapes besides."""
    return value.replace("\\", "\\\\")
