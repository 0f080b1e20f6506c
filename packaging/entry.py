"""Entry of the frozen program: window, engine, server and command line are this one executable."""

import ctypes.util
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

PRACTICE = "practice"
"""Folder beside the frozen modules that holds the practice partner's parts, a component of its own (decision 34)."""

_OF_BOOTLOADER = "_PYI_"


def give_back_library_path(environment: MutableMapping[str, str]) -> None:
    """Undo what the bootloader did to LD_LIBRARY_PATH: programs of the system shall not load our libraries.

    The bootloader needs it before this code runs only, and sets it anew in each process that is this executable: unless
    its other variables tell it that it has done so already.
    """
    for name in [name for name in environment if name.startswith(_OF_BOOTLOADER)]:
        del environment[name]
    before = environment.pop("LD_LIBRARY_PATH_ORIG", None)
    if before is None:
        environment.pop("LD_LIBRARY_PATH", None)
    else:
        environment["LD_LIBRARY_PATH"] = before


def find_libraries_in(folder: Path) -> None:
    """Have `ctypes.util.find_library` look into a folder first: the system's table of libraries does not name ours.

    The Python package of PortAudio loads what this function finds, and nothing where the system has no PortAudio.
    """
    find_of_system = ctypes.util.find_library

    def find_library(name: str) -> str | None:
        return next(map(str, sorted(folder.glob(f"lib{name}.so*"))), None) or find_of_system(name)

    ctypes.util.find_library = find_library


def main() -> int:
    """Run one command; return its exit code."""
    home = Path(sys._MEIPASS)  # type: ignore[attr-defined]  # made by PyInstaller
    if sys.platform.startswith("linux"):
        give_back_library_path(os.environ)
        find_libraries_in(home)
    practice = home / PRACTICE
    if practice.is_dir():
        sys.path.append(str(practice))
    from novadesk.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
