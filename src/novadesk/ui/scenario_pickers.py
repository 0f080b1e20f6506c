"""Voice, language and patience of a scenario: lists to choose from; voice and language take other words too."""

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QSizePolicy, QWidget

from novadesk.config import SensitivitySetting, VoiceSettings
from novadesk.scenario import LANGUAGES, Chosen, Scenario
from novadesk.ui import tokens
from novadesk.ui.i18n import tr
from novadesk.ui.theme import Theme
from novadesk.voices import voices_of


class FreeChoice(QComboBox):
    """A list that takes other words too; empty means what the settings say.

    Args:
        entries: values and how they are shown.
        value: chosen at first.
        empty: what an empty field says.
    """

    def __init__(
        self, entries: Sequence[tuple[str, str]], value: str, *, empty: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumContentsLength(12)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        for one, shown in entries:
            self.addItem(shown, one)
        edit = self.lineEdit()
        assert edit is not None
        edit.setPlaceholderText(empty)
        edit.setClearButtonEnabled(True)
        self.set_value(value)

    @property
    def value(self) -> str:
        """Return the chosen value, or what was written instead."""
        text = self.currentText().strip()
        place = self.findText(text)
        return str(self.itemData(place)) if place >= 0 else text

    def set_value(self, value: str) -> None:
        """Show a value."""
        place = self.findData(value) if value else -1
        self.setCurrentIndex(place)
        self.setEditText(self.itemText(place) if place >= 0 else value)


class PatienceChoice(QComboBox):
    """How long a pause ends a turn, or what the settings say."""

    def __init__(self, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.addItem(empty, None)
        self.addItem(tr("Short (1.5 s)"), SensitivitySetting.HIGH.value)
        self.addItem(tr("Medium (1.75 s)"), SensitivitySetting.MEDIUM.value)
        self.addItem(tr("Long (2 s)"), SensitivitySetting.LOW.value)

    @property
    def value(self) -> SensitivitySetting | None:
        """Return the choice, None for what the settings say."""
        return None if self.currentData() is None else SensitivitySetting(self.currentData())

    def set_value(self, value: SensitivitySetting | None) -> None:
        """Show a choice."""
        self.setCurrentIndex(0 if value is None else self.findData(value.value))


class Pickers:
    """The three of them, with their rows of a form.

    Args:
        settings: what an empty field means.
        model: whose voices are listed.
    """

    def __init__(self, theme: Theme, settings: VoiceSettings, model: str, parent: QWidget) -> None:
        self._theme, self._parent = theme, parent
        usual = tr("As in the settings ({value})", value=settings.voice)
        voices = [(name, f"{name.capitalize()} · {tr(LANGUAGES[code])}") for name, code in voices_of(model).items()]
        self.voice = FreeChoice(voices, "", empty=usual, parent=parent)
        languages = sorted(((code, tr(name)) for code, name in LANGUAGES.items()), key=lambda one: one[1].casefold())
        self.language = FreeChoice(languages, "", empty=tr("Whatever is spoken"), parent=parent)
        self.patience = PatienceChoice(tr("As in the settings"), parent)

    def show_of(self, scenario: Scenario | Chosen | None) -> None:
        """Show what a scenario says; None says nothing."""
        self.voice.set_value("" if scenario is None else scenario.voice)
        self.language.set_value("" if scenario is None else scenario.language)
        self.patience.set_value(None if scenario is None else scenario.sensitivity)

    def put_into[T: (Scenario, Chosen)](self, scenario: T) -> T:
        """Return a scenario with what is chosen here."""
        return replace(scenario, voice=self.voice.value, language=self.language.value, sensitivity=self.patience.value)

    def add_rows(self, form: QFormLayout) -> None:
        """Add a row for each."""
        rows: tuple[tuple[str, QComboBox], ...] = (
            (tr("&Voice"), self.voice),
            (tr("&Language"), self.language),
            (tr("Pause that &ends a turn"), self.patience),
        )
        for words, box in rows:
            label = QLabel(words, self._parent)
            label.setBuddy(box)
            box.setAccessibleName(words.replace("&", ""))
            form.addRow(label, box)


def make_form(theme: Theme) -> QFormLayout:
    """Return a form whose rows wrap where there is little room."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(theme.px(tokens.SPACE_4))
    form.setVerticalSpacing(theme.px(tokens.SPACE_2))
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
    return form
