"""A line over the controls on what is wrong while the conversation goes on, with one way out."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import IconButton, ShapeLabel
from novadesk.ui.theme import Theme


class NoteBar(QFrame):
    """Words, a button that leads on, and one that closes them. `close_words` names the last."""

    def __init__(
        self, theme: Theme, close_words: str, parent: QWidget | None = None, *, tone: tokens.Tone = tokens.Tone.CAUTION
    ) -> None:
        super().__init__(parent)
        self.setObjectName("noteBar")
        shape = ShapeLabel(theme, 18, self)
        shape.set_shape("info", tone)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.way_out = QPushButton(self)
        self.way_out.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.close_button = IconButton(theme, "close", close_words, parent=self)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(theme.px(tokens.SPACE_2))
        self._buttons.addWidget(self.way_out)
        self._buttons.addWidget(self.close_button)
        self._parts = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._parts.setSpacing(theme.px(tokens.SPACE_2))
        self._parts.addWidget(self.words, 1)
        self._parts.addLayout(self._buttons)
        layout = QHBoxLayout(self)
        edge = theme.px(tokens.SPACE_3)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_2), edge, theme.px(tokens.SPACE_2))
        layout.setSpacing(edge)
        self._shape, self._row = shape, layout
        layout.addWidget(shape)
        layout.addLayout(self._parts, 1)
        self.hide()

    def say(self, words: str) -> None:
        """Show words, or nothing; new ones are read aloud."""
        if words != self.words.text():
            self.words.setText(words)
            if words:
                announce(self, words)
        self.setVisible(bool(words))

    def set_narrow(self, narrow: bool) -> None:
        """Put the buttons under the words where there is no room beside them."""
        direction = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        if direction != self._parts.direction():
            self._parts.setDirection(direction)
            self._row.setAlignment(self._shape, Qt.AlignmentFlag.AlignTop if narrow else Qt.AlignmentFlag.AlignVCenter)
            if narrow:
                self._buttons.addStretch(1)
            else:
                self._buttons.takeAt(self._buttons.count() - 1)
