"""What is copied about an error, and the one button that copies it, wherever an error is told."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

import novadesk
from novadesk.conversation.api import ErrorNote
from novadesk.errors import KnownError, Reason
from novadesk.ui.controls import IconButton
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme

if TYPE_CHECKING:
    from novadesk.catalogue import Entry


class CopyDetails(IconButton):
    """Puts the details of the error that it stands beside into the clipboard; `copied` tells that they are there."""

    copied = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "copy", tr("Copy details of the error"), parent=parent)
        self.error: ErrorNote | None = None
        self.clicked.connect(self._copy)

    def stand_for(self, error: KnownError | ErrorNote | None) -> None:
        """Copy the details of this error from now on; None for nothing."""
        self.error = note_of(error) if isinstance(error, KnownError) else error
        self.set_icon("copy")

    def _copy(self) -> None:
        if self.error is not None:
            QGuiApplication.clipboard().setText(details(self.error, datetime.now(UTC)))
            self.set_icon("check")
            self.copied.emit()


def note_of(error: KnownError) -> ErrorNote:
    """Return an error as the window shows it."""
    return ErrorNote(layer=error.layer.value, reason=error.reason.value, what=error.what, advice=error.advice)


def details(error: ErrorNote, now: datetime) -> str:
    """Return what is copied about an error: code, place, words, version; nothing of a conversation, no id."""
    import platform

    entry = known_entry(error)
    lines = [
        f"NovaDesk {novadesk.__version__} · {'' if entry is None else entry.code} · {now:%Y-%m-%d %H:%M:%S UTC}",
        f"{error.layer}: {error.reason}",
        f"{error.what} {error.advice}".strip(),
        "" if entry is None else entry.cause,
        f"{platform.system()} {platform.release()}, {platform.machine()}, Python {platform.python_version()}",
    ]
    return "\n".join(line for line in lines if line)


def known_entry(error: ErrorNote | None) -> "Entry | None":
    """Return the catalogue's row of an error, None for one that nobody knows."""
    if error is None:
        return None
    from novadesk.catalogue import entry_of  # nobody needs it before something fails

    try:
        return entry_of(Reason(error.reason))
    except ValueError:
        return None
