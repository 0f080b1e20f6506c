"""One scenario as it is written: title, instructions, voice, and the form that fills the instructions."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QPlainTextEdit, QScrollArea, QVBoxLayout, QWidget

from novadesk.config import VoiceSettings
from novadesk.scenario import MAX_PROMPT_CHARS, Field, FieldKind, Scenario, faults
from novadesk.ui import tokens
from novadesk.ui.i18n import tr
from novadesk.ui.scenario_fields import FormField
from novadesk.ui.scenario_pickers import Pickers, make_form
from novadesk.ui.scenario_rows import FieldRows
from novadesk.ui.theme import Theme

_MAX_TITLE_CHARS = 200
_WIDE = 500


class ScenarioEditor(QScrollArea):
    """Edit a scenario; what is written need not make sense until it is kept.

    Args:
        settings: what an empty voice means.
        model: whose voices are listed.
    """

    changed = Signal()

    def __init__(self, theme: Theme, settings: VoiceSettings, model: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dialogArea")
        self.setAccessibleName(tr("Scenario"))
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._theme, self._name = theme, ""
        self._filling = self._told = False
        self.title = FormField(theme, Field(name="title", label=tr("Title"), least=1, most=_MAX_TITLE_CHARS))
        words, most = tr("Instructions"), MAX_PROMPT_CHARS
        instructions = Field(name="prompt", label=words, kind=FieldKind.TEXT, least=1, most=most)
        self.prompt = FormField(theme, instructions, lines=9)
        self.pickers = Pickers(theme, settings, model, self)
        self.rows = FieldRows(theme)
        self.rows.insert_wanted.connect(self._insert)
        for source in (self.title.changed, self.prompt.changed, self.rows.changed):
            source.connect(self._on_change)
        for box in self.pickers.boxes:
            box.currentTextChanged.connect(self._on_change)
        self._lay_out(theme)

    @property
    def scenario(self) -> Scenario:
        """Return what is written."""
        written = Scenario(name=self._name, title=self.title.text, prompt=self.prompt.whole, fields=self.rows.fields)
        return self.pickers.put_into(written)

    @property
    def stops(self) -> tuple[QWidget, ...]:
        """Return where Tab stops, in order."""
        return self.title.entry, self.prompt.entry, *self.pickers.boxes, *self.rows.stops

    def show_scenario(self, scenario: Scenario) -> None:
        """Show another scenario."""
        self._filling = True
        self._name = scenario.name
        self.title.set_text(scenario.title)
        self.prompt.set_text(scenario.prompt)
        self.pickers.show_of(scenario)
        self.rows.show_fields(scenario.fields)
        self._filling = self._told = False
        self._tell({})
        self.verticalScrollBar().setValue(0)

    def check(self) -> bool:
        """Say what keeps the scenario from being kept, and go there; return whether nothing does."""
        found = {part: tr(sentence) for part, sentence in faults(self.scenario).items()}
        self._tell(found)
        self._told = bool(found)
        for part, widget in self._parts().items():
            if part in found:
                widget.setFocus()
                self.ensureWidgetVisible(widget)
                return False
        return True

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        self.rows.set_narrow(event.size().width() < self._theme.px(_WIDE))
        super().resizeEvent(event)

    def _parts(self) -> dict[str, QWidget]:
        rows = {f"field {place}": row.label for place, row in enumerate(self.rows.rows)}
        return {"title": self.title.entry, "prompt": self.prompt.entry, **rows}

    def _tell(self, found: dict[str, str]) -> None:
        self.title.show_problem(found.get("title", ""))
        self.prompt.show_problem(found.get("prompt", ""))
        for place, row in enumerate(self.rows.rows):
            row.show_problem(found.get(f"field {place}", ""))

    def _on_change(self) -> None:
        if self._filling:
            return
        if self._told:
            self._tell({part: tr(sentence) for part, sentence in faults(self.scenario).items()})
        self.changed.emit()

    def _insert(self, name: str) -> None:
        entry = self.prompt.entry
        assert isinstance(entry, QPlainTextEdit)
        entry.insertPlainText(f"{{{name}}}")
        entry.setFocus()
        self.ensureWidgetVisible(entry)

    def _lay_out(self, theme: Theme) -> None:
        page = QWidget(self)
        page.setObjectName("dialogPage")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(tokens.SPACE_3))
        hint = QLabel(
            tr("Write {name} where a field of the form goes. A line whose fields are all left empty is left out."),
            page,
        )
        hint.setObjectName("dialogNote")
        hint.setWordWrap(True)
        heading = QLabel(tr("Form, filled in before a conversation begins"), page)
        heading.setObjectName("dialogHeading")
        heading.setIndent(0)
        heading.setWordWrap(True)
        form = make_form(theme)
        self.pickers.add_rows(form)
        column.addWidget(self.title)
        column.addWidget(self.prompt)
        column.addWidget(hint)
        column.addLayout(form)
        column.addWidget(heading)
        column.addWidget(self.rows)
        column.addStretch(1)
        self.setWidget(page)
