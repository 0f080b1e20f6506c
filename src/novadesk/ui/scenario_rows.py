"""The form of a scenario as it is written: a row for each field, with its label, its name and its lengths."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QFrame,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from novadesk.scenario import MAX_FIELD_CHARS, MAX_FIELDS, Field, FieldKind
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import IconButton
from novadesk.ui.i18n import tr
from novadesk.ui.scenario_fields import NumberBox
from novadesk.ui.theme import Theme


class FieldRow(QFrame):
    """One field: what it is called, what the instructions call it, and how long it may be."""

    changed = Signal()
    insert_wanted = Signal(str)
    removed = Signal()

    def __init__(self, theme: Theme, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("fieldRow")
        self.label = self._line(field.label, tr("Label of the field"), tr("Label, such as Job title"))
        self.name = self._line(field.name, tr("Name of the field in the instructions"), tr("name, such as title"))
        self.least = self._number(theme, 0, field.least, tr("Least characters"))
        self.most = self._number(theme, 1, field.most, tr("Most characters"))
        self.kind = QComboBox(self)
        self.kind.setAccessibleName(tr("What the field takes"))
        for kind, words in _kinds().items():
            self.kind.addItem(words, kind.value)
        self.kind.setCurrentIndex(list(FieldKind).index(field.kind))
        self.choices = self._line(
            ", ".join(field.choices), tr("Choices, with commas between them"), tr("Choices, such as A1, A2, B1")
        )
        self.insert = QPushButton(tr("Insert"), self)
        self.insert.setObjectName("small")
        self.insert.setToolTip(tr("Put the field where the cursor is in the instructions"))
        self.insert.clicked.connect(lambda: self.insert_wanted.emit(self.name.text().strip()))
        self.remove = IconButton(theme, "delete", tr("Remove the field"), parent=self)
        self.remove.clicked.connect(self.removed)
        self.problem = QLabel(self)
        self.problem.setObjectName("fieldProblem")
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.hide()
        self._lay_out(theme)
        self._show_kind()
        self.kind.currentIndexChanged.connect(self._show_kind)
        self.kind.currentIndexChanged.connect(self.changed)

    @property
    def field(self) -> Field:
        """Return the field as it is written here, whether it makes sense or not."""
        name, label, kind = self.name.text().strip(), self.label.text().strip(), FieldKind(self.kind.currentData())
        if kind is FieldKind.CHOICE:
            choices = tuple(choice.strip() for choice in self.choices.text().split(",") if choice.strip())
            return Field(name=name, label=label, kind=kind, choices=choices)
        return Field(name=name, label=label, kind=kind, least=self.least.value(), most=self.most.value())

    @property
    def stops(self) -> tuple[QWidget, ...]:
        """Return where Tab stops, in order."""
        return self.label, self.name, self.insert, self.remove, self.kind, self.least, self.most, self.choices

    def show_problem(self, sentence: str) -> None:
        """Say what is wrong, or nothing any more."""
        if sentence and sentence != self.problem.text():
            announce(self, sentence)
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def set_narrow(self, narrow: bool) -> None:
        """Put one thing under the other where there is no room beside it."""
        way = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        for row in (self._names, self._above, self._below):
            row.setDirection(way)

    def _line(self, text: str, name: str, hint: str) -> QLineEdit:
        line = QLineEdit(text, self)
        line.setAccessibleName(name)
        line.setToolTip(name)
        line.setPlaceholderText(hint)
        line.textChanged.connect(self.changed)
        return line

    def _number(self, theme: Theme, least: int, value: int, name: str) -> NumberBox:
        box = NumberBox(theme, least, MAX_FIELD_CHARS, self)
        box.setValue(value)
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.valueChanged.connect(self.changed)
        return box

    def _show_kind(self) -> None:
        kind = FieldKind(self.kind.currentData())
        self.lengths.setText(tr("From", "a number") if kind is FieldKind.NUMBER else tr("Characters"))
        for widget in (self.lengths, self.least, self._to, self.most):
            widget.setVisible(kind is not FieldKind.CHOICE)
        self.choices.setVisible(kind is FieldKind.CHOICE)

    def _lay_out(self, theme: Theme) -> None:
        words = self.lengths = QLabel(self)
        to = self._to = QLabel(tr("to", "from one number to another"), self)
        for label in (words, to):
            label.setObjectName("fieldCount")
        names = self._names = _row(theme, self.label, self.name)
        names.setStretch(0, 3)
        names.setStretch(1, 2)
        bounds = _row(theme, words, self.least, to, self.most, self.choices)
        bounds.addStretch(1)
        below = self._below = _row(theme, self.kind)
        below.addLayout(bounds, 1)
        ways = _row(theme, self.insert, self.remove)
        ways.addStretch(1)
        above = self._above = _row(theme)
        above.addLayout(names, 1)
        above.addLayout(ways)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_2)
        layout.setContentsMargins(edge, edge, edge, edge)
        layout.setSpacing(edge)
        layout.addLayout(above)
        layout.addLayout(below)
        layout.addWidget(self.problem)


class FieldRows(QWidget):
    """All fields of a form."""

    changed = Signal()
    insert_wanted = Signal(str)
    laid = Signal()
    """There are other rows than before."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.rows: list[FieldRow] = []
        self._narrow = False
        self.add = QPushButton(tr("Add a field"), self)
        self.add.setToolTip(tr("Something to fill in before a conversation begins, such as a name"))
        self.add.clicked.connect(self._on_add)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.px(tokens.SPACE_2))
        self._column.addWidget(self.add, 0, Qt.AlignmentFlag.AlignLeft)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    @property
    def fields(self) -> tuple[Field, ...]:
        """Return the fields as they are written."""
        return tuple(row.field for row in self.rows)

    def show_fields(self, fields: Sequence[Field]) -> None:
        """Show other fields."""
        for row in self.rows:
            row.hide()
            row.deleteLater()
        self.rows = []
        for field in fields:
            self._append(field)
        self.laid.emit()

    @property
    def stops(self) -> tuple[QWidget, ...]:
        """Return where Tab stops, in order."""
        return (*(stop for row in self.rows for stop in row.stops), self.add)

    def set_narrow(self, narrow: bool) -> None:
        """Say whether there is little room."""
        self._narrow = narrow
        for row in self.rows:
            row.set_narrow(narrow)

    def _on_add(self) -> None:
        taken = {row.field.name for row in self.rows}
        name = next(name for name in (f"field_{number}" for number in range(1, 1_000)) if name not in taken)
        row = self._append(Field(name=name, label=""))
        row.label.setFocus()
        self.laid.emit()
        self.changed.emit()

    def _append(self, field: Field) -> FieldRow:
        row = FieldRow(self._theme, field, self)
        row.set_narrow(self._narrow)
        row.changed.connect(self.changed)
        row.insert_wanted.connect(self.insert_wanted)
        row.removed.connect(lambda: self._remove(row))
        self._column.insertWidget(len(self.rows), row)
        self.rows.append(row)
        row.show()
        self._offer_more()
        return row

    def _remove(self, row: FieldRow) -> None:
        self.rows.remove(row)
        row.hide()
        row.deleteLater()
        (self.rows[-1].label if self.rows else self.add).setFocus()
        self._offer_more()
        self.changed.emit()

    def _offer_more(self) -> None:
        self.add.setEnabled(len(self.rows) < MAX_FIELDS)


def _kinds() -> dict[FieldKind, str]:
    return {
        FieldKind.LINE: tr("One line"),
        FieldKind.TEXT: tr("Several lines"),
        FieldKind.NUMBER: tr("A whole number"),
        FieldKind.CHOICE: tr("A choice"),
    }


def _row(theme: Theme, *widgets: QWidget) -> QBoxLayout:
    row = QBoxLayout(QBoxLayout.Direction.LeftToRight)
    row.setSpacing(theme.px(tokens.SPACE_2))
    for widget in widgets:
        row.addWidget(widget)
    return row
