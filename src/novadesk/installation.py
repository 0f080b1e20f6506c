"""Where this copy of NovaDesk has its resources, and how it was installed: as the stamp of its package says."""

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path

import novadesk
from novadesk.errors import BugError
from novadesk.stamp import Stamp, read_stamp

_SYSTEMS = {"linux": "linux", "win32": "windows", "darwin": "macos"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def this_system() -> tuple[str, str]:
    """Return system and processor in the words of packages' names and of the feed, such as ("linux", "x64")."""
    machine = platform.machine().lower()
    return _SYSTEMS.get(sys.platform, sys.platform), _MACHINES.get(machine, machine)


class Channel(Enum):
    """What a person has chosen to get: releases, or what is tried before one."""

    STABLE = "stable"
    BETA = "beta"


class Kind(Enum):
    """What NovaDesk came as. SYSTEM is a package of which this version knows no more than that."""

    SOURCE = "source"
    FOLDER = "folder"
    APPIMAGE = "appimage"
    SETUP = "setup"
    DMG = "dmg"
    DEB = "deb"
    RPM = "rpm"
    FLATPAK = "flatpak"
    SYSTEM = "system"

    @property
    def managed(self) -> bool:
        """Say whether a package manager brings new versions."""
        return self in (Kind.DEB, Kind.RPM, Kind.FLATPAK, Kind.SYSTEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What a package says of itself."""

    kind: Kind = Kind.SOURCE
    channel: Channel = Channel.STABLE


@lru_cache(maxsize=1)
def find_resources() -> Path:
    """Return the folder of resources: in a frozen app, in a wheel, or in a checkout.

    Raises:
        BugError: when it is in none of them.
    """
    package = Path(novadesk.__file__).resolve().parent
    places = [package / "resources", package.parents[1] / "resources"]
    frozen = getattr(sys, "_MEIPASS", None)
    if frozen is not None:
        places.insert(0, Path(frozen) / "novadesk" / "resources")
    for place in places:
        if (place / "icons").is_dir():
            return place
    raise BugError("The resources are in none of their places")


def read_installation(stamp: Stamp | None = None, environment: Mapping[str, str] = os.environ) -> Installation:
    """Return how this copy was installed; what its stamp says and this version does not know is a system's package.

    Args:
        stamp: in the place of that of this program.
        environment: names an AppImage or a Flatpak that holds a folder which was frozen for all of them.
    """
    stamp = stamp or read_stamp()
    if stamp is None:
        return Installation()
    try:
        kind, channel = Kind(stamp.package), Channel(stamp.channel)
    except ValueError:
        return Installation(kind=Kind.SYSTEM)
    if kind is Kind.FOLDER and environment.get("FLATPAK_ID"):
        kind = Kind.FLATPAK
    elif kind is Kind.FOLDER and environment.get("APPIMAGE"):
        kind = Kind.APPIMAGE
    return Installation(kind=kind, channel=channel)
