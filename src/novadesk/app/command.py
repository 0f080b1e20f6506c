"""How NovaDesk starts itself again as another process: the same from source and frozen."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def own_command(*arguments: str) -> list[str]:
    """Return the command line that runs NovaDesk with these arguments."""
    if getattr(sys, "frozen", False):
        return [sys.executable, *arguments]
    return [sys.executable, "-m", "novadesk", *arguments]


def lasting_command(*arguments: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the command line that will start NovaDesk another day: an AppImage is mounted elsewhere each time."""
    image, mounted = environment.get("APPIMAGE"), environment.get("APPDIR")
    if image and mounted and Path(sys.executable).is_relative_to(mounted):
        return [image, *arguments]
    return own_command(*arguments)


def soundwatch_command() -> list[str]:
    """Return the command line of the process that watches the sound server; empty where there is none to watch."""
    return own_command("soundwatch") if sys.platform == "linux" else []
