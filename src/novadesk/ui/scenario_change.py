"""Voice, language, patience and instructions of the open conversation, changed while it goes on."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPushButton, QVBoxLayout, QWidget

from novadesk.config import VoiceSettings
from novadesk.scenario import MAX_PROMPT_CHARS, Chosen, Field, FieldKind
from novadesk.ui import tokens
from novadesk.ui.i18n import tr
from novadesk.ui.scenario_fields import FormField
from novadesk.ui.scenario_pickers import Pickers, make_form
from novadesk.ui.theme import Theme

_OWN = "this-conversation"


class ScenarioChange(QDialog):
    """Edit a copy of what the open conversation goes on with; show it with `open`.

    Args:
        scenario: what it was begun with, or None.
        settings: what holds where the scenario says nothing.
        model: whose voices are listed.
        change: called with what it is to go on with; None for the settings alone.
    """

    def __init__(
        self,
        theme: Theme,
        scenario: Chosen | None,
        settings: VoiceSettings,
        model: str,
        change: Callable[[Chosen | None], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._scenario, self._settings, self._change = scenario, settings, change
        self.setObjectName("scenarioChange")
        self.setWindowTitle(tr("Voice and instructions of this conversation"))
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.pickers = Pickers(theme, settings, model, self)
        self.pickers.show_of(scenario)
        field = Field(name="prompt", label=tr("Instructions"), least=1, most=MAX_PROMPT_CHARS, kind=FieldKind.TEXT)
        prompt = settings.prompt if scenario is None else scenario.prompt
        self.prompt = FormField(theme, field, prompt, lines=8, parent=self)
        self.note = QLabel(
            tr(
                "Only this conversation changes. Its session is renewed in the next quiet moment, and what was said so "
                "far goes along."
            ),
            self,
        )
        self.note.setObjectName("dialogNote")
        self.note.setWordWrap(True)
        self._make_buttons()
        self._lay_out(theme)
        theme.dress(self)
        self.pickers.voice.setFocus()
        self.resize(theme.px(500), self.sizeHint().height())

    def _make_buttons(self) -> None:
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self.apply = self.buttons.addButton(tr("&Change"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.apply.setObjectName("primary")
        self.apply.setDefault(True)
        self.forget: QPushButton | None = None
        if self._scenario is not None:
            role = QDialogButtonBox.ButtonRole.ActionRole  # Tab would pass one that resets
            self.forget = self.buttons.addButton(tr("As in the &settings"), role)
            self.forget.clicked.connect(lambda: self._end_with(None))
        for button in self.buttons.buttons():
            button.setIcon(QIcon())
        self.buttons.accepted.connect(self._on_apply)
        self.buttons.rejected.connect(self.reject)

    def _lay_out(self, theme: Theme) -> None:
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_4), edge, theme.px(tokens.SPACE_4))
        layout.setSpacing(theme.px(tokens.SPACE_3))
        if self._scenario is not None:
            title = QLabel(self._scenario.title, self)
            title.setObjectName("title")
            title.setTextFormat(Qt.TextFormat.PlainText)
            title.setWordWrap(True)
            layout.addWidget(title)
        form = make_form(theme)
        self.pickers.add_rows(form)
        layout.addLayout(form)
        layout.addWidget(self.prompt)
        layout.addWidget(self.note)
        layout.addStretch(1)
        layout.addWidget(self.buttons)

    def _on_apply(self) -> None:
        if not self.prompt.check():
            self.prompt.entry.setFocus()
            return
        before = self._scenario
        if before is None:
            before = Chosen(name=_OWN, title=tr("Own voice and instructions"), prompt=self._settings.prompt)
        told = before.prompt if self.prompt.text == before.prompt.strip() else self.prompt.text
        after = replace(self.pickers.put_into(before), prompt=told)
        self._end_with(self._scenario if after == before else after)

    def _end_with(self, scenario: Chosen | None) -> None:
        self.accept()
        if scenario != self._scenario:
            self._change(scenario)
