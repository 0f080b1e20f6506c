"""The line that says what was deleted, and takes it back for a while."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import IconButton
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme

SHOWN_MS = 25_000
"""Below the 30 s that the core keeps what was deleted, above the 20 s for which a passing message shall stay."""


class UndoBar(QFrame):
    """Shown after a deletion; the button, or Ctrl+Z in the window, undoes it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("noteBar")
        self._undo: Callable[[], None] | None = None
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.button = QPushButton(tr("Undo"), self)
        self.button.setObjectName("small")
        self.button.setAccessibleName(tr("Undo the deletion"))
        self.button.setToolTip(tr("Undo (Ctrl+Z)"))
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.clicked.connect(self.undo)
        self.away = IconButton(theme, "close", tr("Hide this line; the deletion stays"), parent=self)
        self.away.clicked.connect(self.clear)
        self._fading = QTimer(self)
        self._fading.setSingleShot(True)
        self._fading.setInterval(SHOWN_MS)
        self._fading.timeout.connect(self.clear)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.px(tokens.SPACE_2), theme.px(6), theme.px(6), theme.px(6))
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addWidget(self.words, 1)
        layout.addWidget(self.button)
        layout.addWidget(self.away)
        self.hide()

    def offer(self, words: str, undo: Callable[[], None]) -> None:
        """Say what was done, and keep the way back."""
        self._undo = undo
        self.words.setText(words)
        self.show()
        self._fading.start()
        announce(self, tr("{words} Control Z undoes it.", words=words))

    def undo(self) -> None:
        """Take the last deletion back, as long as this is offered."""
        undo = self._undo
        self.clear()
        if undo is not None:
            undo()

    def clear(self) -> None:
        """Offer nothing any more."""
        self._fading.stop()
        self._undo = None
        self.hide()
