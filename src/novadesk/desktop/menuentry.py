"""The entry of the desktop's menu, by whose name a portal knows NovaDesk: XDG Base Directory 0.8, Desktop Entry 1.5."""

import os
from collections.abc import Mapping
from pathlib import Path

APP_ID = "io.github.novadesk.NovaDesk"
"""Name of the menu's entry and of its icon: GNOME binds no key for one without a dot, a Flatpak exports no other."""


def find_menu_entry(environment: Mapping[str, str] = os.environ, home: Path | None = None) -> Path | None:
    """Return where the entry is installed, or None."""
    own = environment.get("XDG_DATA_HOME") or str((home or Path.home()) / ".local" / "share")
    shared = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    files = (Path(folder) / "applications" / f"{APP_ID}.desktop" for folder in (own, *shared.split(":")) if folder)
    return next((file for file in files if file.is_file()), None)
