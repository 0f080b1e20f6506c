"""Where messages are written."""

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QWidget

from novadesk.conversation.api import Intents
from novadesk.ui import tokens
from novadesk.ui.controls import IconButton, TextField
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme


class Composer(QFrame):
    """The text field that is always on, with the choice of how its messages are answered.

    `aloud_chosen` brings whether they are answered aloud, when the person has chosen another way.
    """

    aloud_chosen = Signal(bool)

    def __init__(self, intents: Intents, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self._intents = intents
        self.field = TextField(self)
        self.field.setObjectName("field")
        self.field.setAccessibleName(tr("Message"))
        self.field.setFrame(False)
        self.field.setMaxLength(20_000)
        self.field.returnPressed.connect(self._send)
        self.field.textChanged.connect(self._on_text)
        self.field.installEventFilter(self)
        self.silent = IconButton(theme, "speaker", tr("Answer messages in writing only"), parent=self)
        self.silent.setCheckable(True)
        self.silent.toggled.connect(lambda silent: self.silent.set_icon("speaker-off" if silent else "speaker"))
        self.silent.clicked.connect(lambda silent: self.aloud_chosen.emit(not silent))
        self.send = IconButton(theme, "send", tr("Send"), parent=self)
        self.send.setEnabled(False)
        self.send.clicked.connect(self._send)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.px(tokens.SPACE_3), theme.px(3), theme.px(3), theme.px(3))
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addWidget(self.field, 1)
        layout.addWidget(self.silent)
        layout.addWidget(self.send)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_hint(self, text: str) -> None:
        """Say what is possible now."""
        if text != self.field.placeholderText():
            self.field.setPlaceholderText(text)
            self.field.setAccessibleDescription(text)

    def set_aloud(self, aloud: bool) -> None:
        """Have messages answered aloud, or in writing only."""
        self.silent.setChecked(not aloud)

    def forget(self) -> None:
        """Drop the draft, and what could bring it back."""
        self.field.setText("")  # unlike `clear`, this leaves nothing to undo

    def eventFilter(self, watched: object, event: QEvent) -> bool:  # noqa: D102
        if watched is self.field and event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.setProperty("focused", event.type() is QEvent.Type.FocusIn)
            self.style().unpolish(self)
            self.style().polish(self)
        return False

    def _on_text(self, text: str) -> None:
        self.send.setEnabled(bool(text.strip()))

    def _send(self) -> None:
        text = self.field.text().strip()
        if text:
            self._intents.say(text, aloud=not self.silent.isChecked())
            self.field.clear()
