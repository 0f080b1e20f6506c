"""What reports about a fault are made of, beside the state of the core; loads what it needs when one is made."""

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from novadesk.stamp import describe_version

_LOG_BYTES = 256_000
_PARTS = ("PySide6-Essentials", "sounddevice", "numpy", "boto3", "keyring", "aws-sdk-bedrock-runtime")
_SECRET_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


def program() -> list[tuple[str, str]]:
    """Return what is known of version and system."""
    import sqlite3
    from importlib import metadata

    found = [
        ("version", describe_version()),
        ("system", f"{platform.system()} {platform.release()}"),
        ("machine", f"{platform.machine()}, {os.cpu_count()} processors"),
        ("Python", platform.python_version()),
        ("SQLite", sqlite3.sqlite_version),
    ]
    for part in _PARTS:
        with suppress(metadata.PackageNotFoundError):
            found.append((part, metadata.version(part)))
    return found


def log_tail(file: Path) -> list[str]:
    """Return the newest lines of the log, as far as it can be read."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LOG_BYTES))
            return stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def hidden(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return what no report may name: the person's login and home, the computer, and the keys of the environment."""
    import getpass

    found = [platform.node(), *(environment.get(name, "") for name in _SECRET_VARIABLES)]
    with suppress(OSError, KeyError):  # a user without a name
        found.append(getpass.getuser())
    with suppress(RuntimeError):
        home = Path.home()
        found += [str(home), home.name]
    return [text for text in found if text]
