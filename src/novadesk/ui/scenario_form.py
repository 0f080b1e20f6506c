"""The form of a scenario, filled in before a conversation is begun with it, such as that of a job interview."""

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QIcon, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from novadesk.scenario import Chosen, Scenario, choose
from novadesk.ui import tokens
from novadesk.ui.i18n import tr
from novadesk.ui.scenario_fields import FormField
from novadesk.ui.theme import Theme


class ScenarioForm(QDialog):
    """Ask for the values of a scenario's fields; show it with `open`.

    Args:
        scenario: whose form it is.
        begin: called with the scenario, filled in, and whether the conversation is to be a private one.
        values: what the fields begin with.
    """

    def __init__(
        self,
        theme: Theme,
        scenario: Scenario,
        begin: Callable[[Chosen, bool], None],
        parent: QWidget | None = None,
        *,
        values: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme, self._scenario, self._begin = theme, scenario, begin
        self.setObjectName("scenarioForm")
        self.setWindowTitle(scenario.title)
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        known = values or {}
        self.fields = [FormField(theme, one, known.get(one.name, ""), parent=self) for one in scenario.fields]
        self.private = QCheckBox(tr("&Private: nothing of the conversation is kept"), self)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.begin = self.buttons.addButton(tr("&Begin"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.begin.setObjectName("primary")
        self.begin.setDefault(True)
        for button in self.buttons.buttons():
            button.setIcon(QIcon())
        self.buttons.accepted.connect(self._on_begin)
        self.buttons.rejected.connect(self.reject)
        QShortcut(QKeySequence("Ctrl+Return"), self, self._on_begin)
        self._lay_out()
        theme.dress(self)
        if self.fields:
            self.fields[0].entry.setFocus()
        self.resize(theme.px(480), min(theme.px(640), self.sizeHint().height() + theme.px(tokens.SPACE_5)))

    def _on_begin(self) -> None:
        """Begin, or go to the first field that something is wrong with."""
        wrong = [field for field in self.fields if not field.check()]
        if wrong:
            wrong[0].entry.setFocus()
            QTimer.singleShot(0, self, lambda: self._area.ensureWidgetVisible(wrong[0]))
            return
        chosen = choose(self._scenario, {field.field.name: field.text for field in self.fields})
        self.accept()
        self._begin(chosen, self.private.isChecked())

    def _lay_out(self) -> None:
        theme = self._theme
        page = QWidget(self)
        page.setObjectName("dialogPage")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(tokens.SPACE_3))
        for field in self.fields:
            column.addWidget(field)
        column.addWidget(self.private)
        column.addStretch(1)
        area = self._area = QScrollArea(self)
        area.setObjectName("dialogArea")
        area.setAccessibleName(self._scenario.title)
        area.setWidget(page)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        heading = QLabel(self._scenario.title, self)
        heading.setObjectName("title")
        heading.setTextFormat(Qt.TextFormat.PlainText)
        heading.setWordWrap(True)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_4), edge, theme.px(tokens.SPACE_4))
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addWidget(heading)
        layout.addWidget(area, 1)
        layout.addWidget(self.buttons)
