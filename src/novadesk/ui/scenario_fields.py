"""One field of a form: its label, its text, a live count against its length, and what is wrong in a sentence."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from novadesk.scenario import Field
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme


class CountedField(QWidget):
    """A text field that counts.

    Args:
        field: label and lengths.
        text: what it begins with.
        lines: height of a field with room for several lines.

    Attributes:
        entry: what takes the focus.
    """

    changed = Signal()

    def __init__(
        self, theme: Theme, field: Field, text: str = "", *, lines: int = 5, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.field = field
        self.label = QLabel(field.label if field.least else tr("{label} (optional)", label=field.label), self)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setWordWrap(True)
        self.entry: QLineEdit | QPlainTextEdit = self._make_entry(theme, text, lines)
        self.entry.setAccessibleName(field.label)
        self.label.setBuddy(self.entry)
        self.count = QLabel(self)
        self.count.setObjectName("fieldCount")
        self.problem = QLabel(self)
        self.problem.setObjectName("fieldProblem")
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        above = QHBoxLayout()
        above.addWidget(self.label, 1)
        above.addWidget(self.count, 0, Qt.AlignmentFlag.AlignBottom)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addLayout(above)
        layout.addWidget(self.entry)
        layout.addWidget(self.problem)
        self.show_problem("")
        self._on_text()
        self.entry.textChanged.connect(self._on_text)
        self.entry.textChanged.connect(self.changed)

    @property
    def text(self) -> str:
        """Return what was written, without the blanks around it."""
        return self.whole.strip()

    @property
    def whole(self) -> str:
        """Return what was written."""
        return self.entry.text() if isinstance(self.entry, QLineEdit) else self.entry.toPlainText()

    def set_text(self, text: str) -> None:
        """Show another text."""
        if isinstance(self.entry, QLineEdit):
            self.entry.setText(text)
        else:
            self.entry.setPlainText(text)

    def check(self) -> bool:
        """Show what is wrong with the text; return whether nothing is."""
        sentence = self.field.check(self.text)
        self.show_problem(tr(sentence) if sentence else "")
        return not sentence

    def show_problem(self, sentence: str) -> None:
        """Say what is wrong, or nothing any more."""
        if sentence and sentence != self.problem.text():
            announce(self, sentence)
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        self.entry.setAccessibleDescription(sentence)

    def _make_entry(self, theme: Theme, text: str, lines: int) -> QLineEdit | QPlainTextEdit:
        if not self.field.long:
            return QLineEdit(text, self)
        entry = QPlainTextEdit(text, self)
        entry.setTabChangesFocus(True)
        entry.setFixedHeight(entry.fontMetrics().lineSpacing() * lines + theme.px(tokens.SPACE_4))
        return entry

    def _on_text(self) -> None:
        number, most = len(self.text), self.field.most
        self.count.setText(tr("{n} of {most}", n=number, most=most))
        self.count.setProperty("bad", number > most)
        self.count.style().unpolish(self.count)
        self.count.style().polish(self.count)
        if not self.problem.isHidden() or number > most:
            self.check()
