"""Where windows lie: never larger than the screen, and the main one where the person left it."""

from contextlib import suppress
from pathlib import Path

from PySide6.QtWidgets import QWidget

from novadesk.files import replace_file

_SHARE = 0.95
"""What a new window takes of the screen at most: its frame needs some room, too."""


def fit(window: QWidget, width: int, height: int) -> None:
    """Give a window a size, in pixels, as far as the screen has room for it."""
    room = window.screen().availableGeometry().size() * _SHARE
    window.resize(min(width, room.width()), min(height, room.height()))


def put_back(window: QWidget, file: Path) -> None:
    """Put a window that was not shown yet where it was when `keep` wrote the file, else make it fit its screen."""
    with suppress(OSError):
        if window.restoreGeometry(file.read_bytes()):
            return
    fit(window, window.width(), window.height())


def keep(window: QWidget, file: Path) -> None:
    """Write down where a window lies. A place that takes no file costs that alone."""
    with suppress(OSError):
        replace_file(file, bytes(window.saveGeometry().data()))
