"""Voice, language, pace and patience of a scenario: lists to choose from; voice and language take other words too."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum

from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QSizePolicy, QWidget

from novadesk.config import SensitivitySetting, VoiceSettings
from novadesk.scenario import LANGUAGES, Chosen, Scenario, SpeakingPace
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


class Choice[Value: Enum](QComboBox):
    """A list of values, or none of them.

    Args:
        words: how each is shown.
        empty: how none of them is.
    """

    def __init__(self, words: Mapping[Value, str], *, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._values: tuple[Value | None, ...] = (None, *words)
        self.addItem(empty)
        self.addItems(list(words.values()))

    @property
    def value(self) -> Value | None:
        """Return what is chosen."""
        return self._values[self.currentIndex()]

    def set_value(self, value: Value | None) -> None:
        """Show a choice."""
        self.setCurrentIndex(self._values.index(value))


class Pickers:
    """The four of them, with their rows of a form.

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
        self.pace = Choice(pace_words(), empty=tr("As it comes"), parent=parent)
        self.pace.setToolTip(tr("The service has no setting for it: the instructions ask for it."))
        self.patience = Choice(
            {
                SensitivitySetting.HIGH: tr("Short (1.5 s)"),
                SensitivitySetting.MEDIUM: tr("Medium (1.75 s)"),
                SensitivitySetting.LOW: tr("Long (2 s)"),
            },
            empty=tr("As in the settings"),
            parent=parent,
        )

    @property
    def boxes(self) -> tuple[QComboBox, ...]:
        """Return them in their order."""
        return self.voice, self.language, self.pace, self.patience

    def show_of(self, scenario: Scenario | Chosen | None) -> None:
        """Show what a scenario says; None says nothing."""
        self.voice.set_value("" if scenario is None else scenario.voice)
        self.language.set_value("" if scenario is None else scenario.language)
        self.pace.set_value(None if scenario is None else scenario.pace)
        self.patience.set_value(None if scenario is None else scenario.sensitivity)

    def put_into[T: (Scenario, Chosen)](self, scenario: T) -> T:
        """Return a scenario with what is chosen here."""
        return replace(
            scenario,
            voice=self.voice.value,
            language=self.language.value,
            pace=self.pace.value,
            sensitivity=self.patience.value,
        )

    def add_rows(self, form: QFormLayout) -> None:
        """Add a row for each."""
        titles = (tr("&Voice"), tr("&Language"), tr("S&peaking pace"), tr("Pause that &ends a turn"))
        for words, box in zip(titles, self.boxes, strict=True):
            label = QLabel(words, self._parent)
            label.setBuddy(box)
            box.setAccessibleName(words.replace("&", ""))
            form.addRow(label, box)


def pace_words() -> dict[SpeakingPace, str]:
    """Return how each pace reads."""
    return {SpeakingPace.SLOW: tr("Slow"), SpeakingPace.BRISK: tr("Brisk")}


def make_form(theme: Theme) -> QFormLayout:
    """Return a form whose rows wrap where there is little room."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(theme.px(tokens.SPACE_4))
    form.setVerticalSpacing(theme.px(tokens.SPACE_2))
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
    return form
