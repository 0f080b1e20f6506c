"""What a package says of itself: the commit that it was made of, when, and as what kind of package."""

import json
from dataclasses import dataclass
from pathlib import Path

from novadesk import __version__

FILE = "build.json"
"""Lies beside this module in a package, written by packaging/build.py; a checkout or a wheel has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Where a package comes from.

    Attributes:
        version: of NovaDesk.
        commit: abbreviated, with a `+` when files had been changed since.
        date: of the commit, YYYY-MM-DD.
        package: what people installed: "deb", "appimage", "flatpak", "setup", "dmg", or "folder".
        channel: whose new versions they hear of: "stable" or "beta".
    """

    version: str
    commit: str
    date: str
    package: str
    channel: str = "stable"

    def __str__(self) -> str:
        return f"{self.version} ({self.commit}, {self.date}, {self.package})"


def read_stamp(file: Path | None = None) -> Stamp | None:
    """Return the stamp of the package that this is, or None outside one.

    Args:
        file: another one than that of this program.
    """
    try:
        found = json.loads((file or Path(__file__).with_name(FILE)).read_text(encoding="utf-8"))
        return Stamp(**found)
    except (OSError, ValueError, TypeError):
        return None


def describe_version() -> str:
    """Return the version, with what the package says of itself where there is one."""
    return str(read_stamp() or __version__)
