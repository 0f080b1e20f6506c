"""Where messages are written."""

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QWidget

from novadesk.conversation.api import Intents
from novadesk.text import Text
from novadesk.ui import tokens
from novadesk.ui.controls import IconButton, TextField
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme

_ALOUD = {
    True: Text("Messages are answered aloud; press to have them answered in writing only"),
    False: Text("Messages are answered in writing only; press to hear the answers"),
}


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
        self.aloud = IconButton(theme, "speaker", tr(_ALOUD[True]), parent=self)
        self.aloud.setCheckable(True)
        self.aloud.setChecked(True)
        self.aloud.toggled.connect(self._on_aloud)
        self.aloud.clicked.connect(self.aloud_chosen)
        self.send = IconButton(theme, "send", tr("Send"), parent=self)
        self.send.setEnabled(False)
        self.send.clicked.connect(self._send)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.px(tokens.SPACE_3), theme.px(3), theme.px(3), theme.px(3))
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addWidget(self.field, 1)
        layout.addWidget(self.aloud)
        layout.addWidget(self.send)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_hint(self, text: str) -> None:
        """Say what is possible now."""
        if text != self.field.placeholderText():
            self.field.setPlaceholderText(text)
            self.field.setAccessibleDescription(text)

    def set_aloud(self, aloud: bool) -> None:
        """Have messages answered aloud, or in writing only."""
        self.aloud.setChecked(aloud)

    def forget(self) -> None:
        """Drop the draft, and what could bring it back."""
        self.field.setText("")  # unlike `clear`, this leaves nothing to undo

    def eventFilter(self, watched: object, event: QEvent) -> bool:  # noqa: D102
        if watched is self.field and event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.setProperty("focused", event.type() is QEvent.Type.FocusIn)
            self.style().unpolish(self)
            self.style().polish(self)
        return False

    def _on_aloud(self, aloud: bool) -> None:
        self.aloud.set_icon("speaker" if aloud else "speaker-off")
        self.aloud.set_name(tr(_ALOUD[aloud]))

    def _on_text(self, text: str) -> None:
        self.send.setEnabled(bool(text.strip()))

    def _send(self) -> None:
        text = self.field.text().strip()
        if text:
            self._intents.say(text, aloud=self.aloud.isChecked())
            self.field.clear()
