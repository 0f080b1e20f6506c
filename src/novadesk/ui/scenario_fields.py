"""One field of a form: its label, what is filled in, a live count against its length, what is wrong in a sentence."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QPlainTextEdit, QSpinBox, QVBoxLayout, QWidget

from novadesk.scenario import Field, FieldKind
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme


class NumberBox(QSpinBox):
    """A whole number; the wheel scrolls the page that it is on."""

    def __init__(self, theme: Theme, least: int, most: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(least, most)
        self.setGroupSeparatorShown(True)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setFixedWidth(theme.px(84))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: D102
        event.ignore()


class FormField(QWidget):
    """A field of one line, of several, of a number, or of choices; those of text count.

    Args:
        field: label and lengths.
        text: what it begins with; a number or a choice begins with its first one.
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
        self.label = QLabel(tr("{label} (optional)", label=field.label) if field.optional else field.label, self)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setWordWrap(True)
        self.entry = self._make_entry(theme, text, lines)
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
        self.count.setVisible(field.kind in (FieldKind.LINE, FieldKind.TEXT))
        self._on_text()
        told = self.entry.currentTextChanged if isinstance(self.entry, QComboBox) else self.entry.textChanged
        told.connect(self._on_text)
        told.connect(self.changed)

    @property
    def text(self) -> str:
        """Return what was written, without the blanks around it."""
        return self.whole.strip()

    @property
    def whole(self) -> str:
        """Return what was written."""
        match self.entry:
            case QPlainTextEdit():
                return self.entry.toPlainText()
            case QComboBox():
                return self.entry.currentText()
            case QSpinBox():
                return str(self.entry.value())
        return self.entry.text()

    def set_text(self, text: str) -> None:
        """Show another text."""
        match self.entry:
            case QPlainTextEdit():
                self.entry.setPlainText(text)
            case QComboBox():
                self.entry.setCurrentText(text)
            case QSpinBox():
                self.entry.setValue(int(text))
            case QLineEdit():
                self.entry.setText(text)

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

    def _make_entry(self, theme: Theme, text: str, lines: int) -> QLineEdit | QPlainTextEdit | QComboBox | QSpinBox:
        field = self.field
        if field.kind is FieldKind.LINE:
            return QLineEdit(text, self)
        if field.kind is FieldKind.CHOICE:
            box = QComboBox(self)
            box.addItems(field.choices)
            box.setCurrentText(text)
            return box
        if field.kind is FieldKind.NUMBER:
            number = NumberBox(theme, field.least, field.most, self)
            number.setValue(int(text or 0))
            return number
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
