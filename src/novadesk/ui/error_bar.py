"""The one line of an error in the window: what happened, what to do, the button that does it, and details to copy."""

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from novadesk.conversation.api import ErrorNote, Intents, Phase, Snapshot
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import ShapeLabel
from novadesk.ui.error_details import CopyDetails, known_entry
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme

if TYPE_CHECKING:
    from novadesk.catalogue import Entry


class ErrorBar(QFrame):
    """What went wrong and the one thing to do about it.

    `remedy_wanted` carries the catalogue's row whose button was pressed; `cancel_wanted` that what it began is to end.
    """

    remedy_wanted = Signal(object)
    cancel_wanted = Signal()

    def __init__(self, intents: Intents, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("errorBar")
        self._error: ErrorNote | None = None
        self._entry: Entry | None = None
        self._busy = False
        shape = ShapeLabel(theme, 18, self)
        shape.set_shape("warning", tokens.Tone.BAD)
        self.what, self.advice, self.note = QLabel(self), QLabel(self), QLabel(self)
        self.what.setObjectName("errorWhat")
        self.advice.setObjectName("errorAdvice")
        self.note.setObjectName("dialogNote")
        words = QVBoxLayout()
        words.setSpacing(theme.px(2))
        for label in (self.what, self.advice, self.note):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            words.addWidget(label)
        self.note.hide()
        self.act = QPushButton(tr("Cancel"), self)
        self.act.clicked.connect(self._on_act)
        self.retry = QPushButton(tr("Try now"), self)
        self.retry.clicked.connect(intents.try_now)
        for button in (self.act, self.retry):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setAutoDefault(False)
        self.copy = CopyDetails(theme, self)
        self.copy.copied.connect(self._on_copied)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(theme.px(tokens.SPACE_2))
        for widget in (self.act, self.retry, self.copy):
            self._buttons.addWidget(widget)
        self._parts = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._parts.setSpacing(theme.px(tokens.SPACE_2))
        self._parts.addLayout(words, 1)
        self._parts.addLayout(self._buttons)
        layout = QHBoxLayout(self)
        edge = theme.px(tokens.SPACE_3)
        layout.setContentsMargins(edge, theme.px(10), edge, theme.px(10))
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addWidget(shape, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(self._parts, 1)
        self.hide()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show the snapshot's error, or nothing. "Try now" stands there while nothing is tried, or is waited for."""
        error = snapshot.error
        entry = self._entry if error is not None and error == self._error else known_entry(error)
        waiting = snapshot.phase is Phase.RECONNECTING
        offered = error is not None and error.retry
        only = not _has_button(entry)
        self.retry.setVisible(error is not None and (waiting or (offered and (only or snapshot.phase is Phase.FAILED))))
        if error == self._error:
            return
        known = self._error is not None and error is not None and error.reason == self._error.reason
        self._error, self._entry = error, entry
        self.copy.stand_for(error)
        self.setVisible(error is not None)
        if not known and not self._busy:
            self.tell("")
        if error is None:
            return
        self.what.setText(tr(error.what))
        self.advice.setText(tr(error.advice))
        self._show_act()
        if not known:  # a count or a countdown that moves is no news
            announce(self, f"{tr(error.what)} {tr(error.advice)}", urgent=True)

    def tell(self, words: str, *, busy: bool = False) -> None:
        """Say what the button has come to; while `busy` it cancels what it began, whatever error is shown meanwhile."""
        changed = words != self.note.text()
        self._busy = busy
        self.note.setText(words)
        self.note.setVisible(bool(words))
        self._show_act()
        if words and changed:
            announce(self, words)

    def set_narrow(self, narrow: bool) -> None:
        """Put the buttons under the words where there is no room beside them."""
        direction = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        if direction == self._parts.direction():
            return
        self._parts.setDirection(direction)
        if narrow:
            self._buttons.addStretch(1)
        else:
            self._buttons.takeAt(self._buttons.count() - 1)

    def _show_act(self) -> None:
        entry = self._entry if _has_button(self._entry) else None
        self.act.setVisible(self._busy or entry is not None)
        if self._busy:
            self.act.setText(tr("Cancel"))
            self.act.setToolTip("")
        elif entry is not None:
            self.act.setText(tr(entry.button))
            self.act.setToolTip(tr(entry.step))

    def _on_act(self) -> None:
        if self._busy:
            self.cancel_wanted.emit()
        elif self._entry is not None:
            self.remedy_wanted.emit(self._entry)

    def _on_copied(self) -> None:
        if not self._busy:
            self.tell(tr("The details are in the clipboard."))


def _has_button(entry: "Entry | None") -> bool:
    if entry is None:
        return False
    from novadesk.catalogue import Remedy

    return entry.remedy not in (Remedy.TRY_NOW, Remedy.WORDS)  # "Try now" has a button of its own
