"""Stands in for the Python package espeakng-loader: it leads to the distribution's own espeak-ng."""

from pathlib import Path

_LIBRARY = "libespeak-ng.so.1"
_DATA = "espeak-ng-data"


def get_library_path() -> str:
    """Return the library's name, by which the system's loader finds it."""
    return _LIBRARY


def get_data_path(root: Path = Path("/usr")) -> str:
    """Return the folder of voices and dictionaries.

    Args:
        root: below which distributions install.

    Raises:
        OSError: the distribution's package espeak-ng-data is not there.
    """
    for place in (*sorted((root / "lib").glob("*-linux-gnu*")), root / "share", root / "lib64", root / "lib"):
        if (place / _DATA / "phontab").is_file():
            return str(place / _DATA)
    raise OSError(f"{_DATA} is nowhere below {root}")
