"""A line over the controls on what is wrong while the conversation goes on, with one way out."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import IconButton, ShapeLabel
from novadesk.ui.theme import Theme


class NoteBar(QFrame):
    """Words, a button that leads on, and one that closes them. `close_words` names the last."""

    def __init__(self, theme: Theme, close_words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("noteBar")
        shape = ShapeLabel(theme, 18, self)
        shape.set_shape("info", tokens.Tone.CAUTION)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.way_out = QPushButton(self)
        self.way_out.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.close_button = IconButton(theme, "close", close_words, parent=self)
        layout = QHBoxLayout(self)
        edge = theme.px(tokens.SPACE_3)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_2), edge, theme.px(tokens.SPACE_2))
        layout.setSpacing(edge)
        layout.addWidget(shape, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.words, 1)
        layout.addWidget(self.way_out)
        layout.addWidget(self.close_button)
        self.hide()

    def say(self, words: str) -> None:
        """Show words, or nothing; new ones are read aloud."""
        if words != self.words.text():
            self.words.setText(words)
            if words:
                announce(self, words)
        self.setVisible(bool(words))
