"""What can be seen of a frozen program past itself: its files, its processes, what it has in the desktop's keyring."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.desk import Desk, DeskError


def census(tree: Path) -> set[tuple[Path, tuple[int, int]]]:
    """Return every file below a folder with its size and time of change."""
    found = ((file, file.lstat()) for file in tree.rglob("*"))
    return {(file, (state.st_size, state.st_mtime_ns)) for file, state in found}


def processes(tree: Path) -> dict[int, str]:
    """Return the processes whose program lies below a folder."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(folder / "exe")).is_relative_to(tree):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has just ended, or is somebody else's
    return found


def entries(desk: Desk) -> int:
    """Return how many entries of NovaDesk the desktop's keyring holds."""
    found = desk.run(
        "gdbus", "call", "--session", "-d", "org.freedesktop.secrets", "-o", "/org/freedesktop/secrets",
        "-m", "org.freedesktop.Secret.Service.SearchItems", "{'service': 'novadesk'}",
    )  # fmt: skip
    return found.count("/org/freedesktop/secrets/collection/")


def ask_keyring(desk: Desk, what: str, handle: str, value: str = "") -> str:
    """Get or set what the desktop's keyring has of a conversation, past NovaDesk.

    Raises:
        DeskError: the keyring refused.
    """
    done = subprocess.run(
        [sys.executable, "-m", "keyring", what, "novadesk", handle], env=desk.env, input=value, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise DeskError(f"the keyring does not {what} an entry")
    return done.stdout
