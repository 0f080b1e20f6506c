"""How NovaDesk starts itself again as another process: the same from source and frozen."""

import sys


def own_command(*arguments: str) -> list[str]:
    """Return the command line that runs NovaDesk with these arguments."""
    if getattr(sys, "frozen", False):
        return [sys.executable, *arguments]
    return [sys.executable, "-m", "novadesk", *arguments]


def soundwatch_command() -> list[str]:
    """Return the command line of the process that watches the sound server; empty where there is none to watch."""
    return own_command("soundwatch") if sys.platform == "linux" else []
