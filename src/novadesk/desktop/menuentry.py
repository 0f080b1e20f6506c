"""The entry of the desktop's menu, by whose name a portal knows NovaDesk: XDG Base Directory 0.8, Desktop Entry 1.5."""

import os
from collections.abc import Mapping
from pathlib import Path


def find_app_id(environment: Mapping[str, str] = os.environ) -> str:
    """Return the name of the installed .desktop file: in a Flatpak, the sandbox's own."""
    return environment.get("FLATPAK_ID") or "novadesk"


APP_ID = find_app_id()


def find_menu_entry(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> Path | None:
    """Return where the entry is installed, or None."""
    own = environment.get("XDG_DATA_HOME") or str((home or Path.home()) / ".local" / "share")
    shared = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    files = (
        Path(folder) / "applications" / f"{find_app_id(environment)}.desktop"
        for folder in (own, *shared.split(":"))
        if folder
    )
    return next((file for file in files if file.is_file()), None)
