"""The sentence of a dialog about what has just happened; an error comes with its code and its details to copy."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from novadesk.conversation.api import ErrorNote
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.error_details import CopyDetails
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme
from novadesk.ui.words import code_of, error_words


class Note(QWidget):
    """Hidden while there is nothing to say; what is new is read aloud, an error at once.

    Args:
        name: how the style sheet calls the sentence.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, name: str = "dialogNote") -> None:
        super().__init__(parent)
        self.label = QLabel(self)
        self.label.setObjectName(name)
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.copy = CopyDetails(theme, self)
        self.copy.setObjectName("flat")
        self.copy.copied.connect(lambda: announce(self, tr("The details are in the clipboard.")))
        self.copy.hide()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addWidget(self.label, 1)
        layout.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def text(self) -> str:
        """Return the sentence."""
        return self.label.text()

    @property
    def bad(self) -> bool:
        """Return whether the sentence tells of something that went wrong."""
        return bool(self.label.property("bad"))

    def say(self, words: str, *, bad: bool = False, aloud: bool = True) -> None:
        """Show a sentence; an empty one hides the note."""
        self.copy.stand_for(None)
        self.copy.hide()
        self._show(words, bad=bad, aloud=aloud)

    def tell(self, error: KnownError | ErrorNote) -> None:
        """Show an error; one that has a code can be copied."""
        self.copy.stand_for(error)
        self.copy.setVisible(bool(code_of(error)))
        self._show(error_words(error), bad=True, aloud=True)

    def _show(self, words: str, *, bad: bool, aloud: bool) -> None:
        if words == self.text() and bad is self.bad:
            return
        self.label.setProperty("bad", bad)
        self.label.style().unpolish(self.label)
        self.label.style().polish(self.label)
        self.label.setText(words)
        self.setVisible(bool(words))
        if words and aloud:
            announce(self, words, urgent=bad)
