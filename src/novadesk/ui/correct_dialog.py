"""Correct a turn that was misheard; what was heard is kept beside it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon, QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from novadesk.conversation.api import Requests
from novadesk.errors import KnownError
from novadesk.models import Turn
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import tr
from novadesk.ui.note import Note
from novadesk.ui.placement import fit
from novadesk.ui.theme import Theme


class CorrectDialog(QDialog):
    """One turn in other words. Show it with `open`; `corrected` brings the turn as it is stored then."""

    corrected = Signal(object)

    def __init__(self, bridge: Bridge, requests: Requests, theme: Theme, parent: QWidget, turn: Turn) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Correct what was heard"))
        self._bridge, self._requests, self._turn = bridge, requests, turn
        self.field = QPlainTextEdit(turn.shown_text.strip(), self)
        self.field.setTabChangesFocus(True)
        self.field.setMinimumHeight(theme.px(64))
        label = QLabel(tr("What you &said"), self)
        label.setBuddy(self.field)
        heard = QLabel(tr("Heard was: “{text}”", text=turn.heard_text.strip()), self)
        heard.setObjectName("dialogNote")
        about = QLabel(
            tr("The correction is shown, searched and exported here. The assistant still knows what it heard."), self
        )
        about.setObjectName("dialogNote")
        self.said = Note(theme, self)
        for words in (heard, about):
            words.setWordWrap(True)
            words.setTextFormat(Qt.TextFormat.PlainText)
        self.buttons = QDialogButtonBox(self)
        self.save = self.buttons.addButton(tr("Save"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.restore = self.buttons.addButton(tr("Take it back"), QDialogButtonBox.ButtonRole.ActionRole)
        self.restore.setVisible(turn.edited is not None)
        cancel = self.buttons.addButton(tr("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        for button in (self.save, self.restore, cancel):
            button.setIcon(QIcon())
        self.save.setObjectName("primary")
        self.save.setDefault(True)
        self.buttons.accepted.connect(lambda: self._store(self.field.toPlainText()))
        self.buttons.rejected.connect(self.reject)
        self.restore.clicked.connect(lambda: self._store(None))
        saving = QShortcut(QKeySequence("Ctrl+Return"), self)
        saving.activated.connect(self.save.click)
        edge = theme.px(tokens.SPACE_5)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(edge, edge, edge, edge)
        layout.setSpacing(theme.px(tokens.SPACE_2))
        for widget in (label, self.field, heard, about, self.said):
            layout.addWidget(widget)
        layout.addSpacing(theme.px(tokens.SPACE_2))
        layout.addWidget(self.buttons)
        theme.dress(self)
        fit(self, theme.px(480), theme.px(320))
        self.field.setFocus()
        self.field.selectAll()

    def _store(self, text: str | None) -> None:
        self.save.setEnabled(False)
        turn_id = self._turn.turn_id
        self._bridge.ask(lambda: self._requests.edit(turn_id, text), self._on_stored, self._on_error, owner=self)

    def _on_stored(self, turn: Turn) -> None:
        self.corrected.emit(turn)
        self.accept()

    def _on_error(self, error: KnownError) -> None:
        self.save.setEnabled(True)
        self.said.tell(error)
        self.field.setFocus()
