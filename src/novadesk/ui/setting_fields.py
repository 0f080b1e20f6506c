"""The fields of the settings, one for each kind of row: `changed` tells what the person chose."""

from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from novadesk.conversation.api import Requests
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import languages, tr
from novadesk.ui.key_list import KeyList
from novadesk.ui.setting_rows import Choice, Device, Free, Keys, Language, Line, Lines, Number, Row, Share, Switch
from novadesk.ui.theme import Theme
from novadesk.ui.volume import PercentSlider

KEEP_MS = 250
"""A slider that rests for so long, or a text that is not written on, is taken."""


_NOTHING = object()


class Field(QWidget):
    """One field: it shows what is set, and tells what was chosen.

    Attributes:
        stops: what takes the focus, in order; the first one has the row's name.
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.stops: tuple[QWidget, ...] = ()
        self._set: Any = _NOTHING
        self._told: Any = _NOTHING
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)

    def show_value(self, value: Any) -> None:
        """Show what is set, without telling anybody; while that is the same, what is just chosen or written stays."""
        if value != self._set:
            self._set = value
            self._restore()

    def commit(self) -> None:
        """Tell of what was chosen and not told yet."""
        chosen = self._chosen()
        if chosen != self._told:
            self._told = chosen
            self.changed.emit(chosen)

    def refuse(self) -> None:
        """Take that what was told makes no sense: show what is set."""
        self._restore()

    def _restore(self) -> None:
        self._show(self._set)
        self._told = self._chosen()  # a field may show less than there is: hours without their seconds

    def _show(self, value: Any) -> None:
        raise NotImplementedError

    def _chosen(self) -> Any:
        raise NotImplementedError

    def _hold(self, widget: QWidget, name: str, description: str) -> None:
        widget.setAccessibleName(name)
        widget.setAccessibleDescription(description)
        self._box.addWidget(widget)
        self.stops = (widget,)


class TextField(Field):
    """A field to write in: what is refused stays, to be mended."""

    def refuse(self) -> None:
        """Leave it."""


class _NoWheel(QObject):
    """Lets the page be scrolled over a field: the wheel changes it only while it has the focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QWheelEvent) and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


class ChoiceField(Field):
    """One of a few in a box that opens; also devices and languages."""

    def __init__(
        self, row: Row, options: list[tuple[Any, str]], unlisted: frozenset[Any], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._options, self._unlisted = dict(options), unlisted
        self.combo = QComboBox(self)
        self.combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(12)
        self.combo.installEventFilter(_NoWheel(self))
        for value, words in options:
            if value not in unlisted:
                self.combo.addItem(words, value)
        self._hold(self.combo, tr(row.label), tr(row.help))
        self.combo.activated.connect(lambda _index: self.commit())

    def offer(self, names: tuple[str, ...]) -> None:
        """Add what can be chosen, too."""
        for name in names:
            self._options.setdefault(name, name)
            if self._place(name) < 0:
                self.combo.addItem(name, name)

    def _show(self, value: Any) -> None:
        if self._place(value) < 0:
            self.combo.addItem(self._options.get(value, str(value)), value)
        self.combo.setCurrentIndex(self._place(value))

    def _chosen(self) -> Any:
        return self.combo.currentData()

    def _place(self, value: Any) -> int:
        # Qt compares enums by what it makes of them.
        return next((n for n in range(self.combo.count()) if self.combo.itemData(n) == value), -1)


class RadioField(Field):
    """One of a few, each with a sentence on what follows from it."""

    def __init__(self, theme: Theme, row: Row, kind: Choice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[Any, QRadioButton] = {}
        group = QButtonGroup(self)
        self._box.setSpacing(theme.px(2))
        for (value, words), sentence in zip(kind.options, kind.sentences, strict=True):
            button = QRadioButton(tr(words), self)
            button.setAccessibleName(tr("{label}: {choice}", label=row.label, choice=words))
            button.setAccessibleDescription(tr(sentence))
            button.clicked.connect(lambda _on: self.commit())
            why = QLabel(tr(sentence), self)
            why.setObjectName("radioNote")
            why.setWordWrap(True)
            why.setBuddy(button)
            group.addButton(button)
            self._box.addWidget(button)
            self._box.addWidget(why)
            self.buttons[value] = button
        self.stops = tuple(self.buttons.values())

    def _show(self, value: Any) -> None:
        self.buttons[value].setChecked(True)

    def _chosen(self) -> Any:
        return next(value for value, button in self.buttons.items() if button.isChecked())


class FreeField(TextField):
    """A text with proposals."""

    def __init__(self, row: Row, options: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.combo = QComboBox(self)
        self.combo.setEditable(True)
        self.combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.combo.installEventFilter(_NoWheel(self))
        self._options: tuple[str, ...] = ()
        self.offer(options)
        self._hold(self.combo, tr(row.label), tr(row.help))
        self.combo.activated.connect(lambda _index: self.commit())
        line = self.combo.lineEdit()
        assert line is not None
        line.editingFinished.connect(self.commit)

    def offer(self, options: tuple[str, ...]) -> None:
        """Propose these from now on; what is written stays."""
        if options != self._options:
            self._options, written = options, self.combo.currentText()
            self.combo.clear()
            self.combo.addItems(list(options))
            self.combo.setCurrentText(written)

    def _show(self, value: Any) -> None:
        self.combo.setCurrentText(str(value))

    def _chosen(self) -> str:
        return self.combo.currentText().strip()


class LineField(TextField):
    """A text of one line."""

    def __init__(self, row: Row, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = QLineEdit(self)
        self.line.setPlaceholderText(empty)
        self._hold(self.line, tr(row.label), tr(row.help))
        self.line.editingFinished.connect(self.commit)

    def _show(self, value: Any) -> None:
        self.line.setText(str(value))

    def _chosen(self) -> str:
        return self.line.text().strip()


class KeysField(Field):
    """Keys that are shown by pressing them."""

    def __init__(
        self, theme: Theme, row: Row, kind: Keys, bridge: Bridge, requests: Requests, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.list = KeyList(
            add=tr(kind.add), none=tr(kind.none), bridge=bridge, requests=requests, theme=theme, parent=self
        )
        self.list.add.setAccessibleName(tr("{label}: {choice}", label=row.label, choice=kind.add))
        self.list.add.setAccessibleDescription(tr(row.help))
        self.list.changed.connect(self.commit)
        self._box.addWidget(self.list)
        self.stops = (self.list.add,)

    def _show(self, value: Any) -> None:
        self.list.show_keys(value)

    def _chosen(self) -> str:
        return self.list.keys


class LinesField(TextField):
    """A text of several lines; it is taken when nothing more is written."""

    def __init__(self, theme: Theme, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QPlainTextEdit(self)
        self.text.setTabChangesFocus(True)
        self.text.setFixedHeight(theme.px(96))
        self._hold(self.text, tr(row.label), tr(row.help))
        self._resting = _resting(self, self.commit)
        self.text.textChanged.connect(self._resting.start)

    def commit(self) -> None:  # noqa: D102
        self._resting.stop()
        super().commit()

    def _show(self, value: Any) -> None:
        if self._chosen() != value:  # or the cursor would leap to the beginning
            self.text.setPlainText(str(value))
            self._resting.stop()

    def _chosen(self) -> str:
        return self.text.toPlainText().strip()


class SwitchField(Field):
    """On or off: a box, for a name beside it."""

    def __init__(self, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QCheckBox(self)
        self._hold(self.box, tr(row.label), tr(row.help))
        self.box.clicked.connect(lambda _on: self.commit())

    def _show(self, value: Any) -> None:
        self.box.setChecked(bool(value))

    def _chosen(self) -> bool:
        return self.box.isChecked()


class ShareField(Field):
    """A slider in percent."""

    def __init__(self, theme: Theme, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.percent = PercentSlider(theme, tr(row.label), 0.0, self)
        self._box.addWidget(self.percent)
        self.stops = self.percent.stops
        self._resting = _resting(self, self.commit)
        self.percent.changed.connect(self._resting.start)

    def commit(self) -> None:  # noqa: D102
        self._resting.stop()
        super().commit()

    def _show(self, value: Any) -> None:
        self.percent.set_volume(value)
        self._resting.stop()

    def _chosen(self) -> float:
        return self.percent.volume


class NumberField(Field):
    """A number with arrows."""

    def __init__(self, theme: Theme, row: Row, kind: Number, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind, self._whole = kind, isinstance(row.default, int)
        self.spin = QDoubleSpinBox(self)
        self.spin.setDecimals(kind.digits)
        self.spin.setRange(kind.least, kind.most)
        self.spin.setSingleStep(kind.step)
        self.spin.setKeyboardTracking(False)
        self.spin.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.spin.installEventFilter(_NoWheel(self))
        line = self.spin.lineEdit()
        assert line is not None
        line.setTextMargins(theme.px(6), 0, 0, 0)
        if kind.unit:
            self.spin.setSuffix(f" {tr(kind.unit)}")
        if kind.zero:
            self.spin.setSpecialValueText(tr(kind.zero))
        self._hold(self.spin, tr(row.label), tr(row.help))
        self.spin.valueChanged.connect(lambda _shown: self.commit())

    def commit(self) -> None:  # noqa: D102
        self.spin.interpretText()
        super().commit()

    def _show(self, value: Any) -> None:
        blocked = self.spin.blockSignals(True)
        self.spin.setValue(float(value) * self._kind.times)
        self.spin.blockSignals(blocked)

    def _chosen(self) -> float:
        value = round(self.spin.value() / self._kind.times, 6)
        return round(value) if self._whole else value


def make_field(theme: Theme, row: Row, bridge: Bridge, requests: Requests, parent: QWidget | None = None) -> Field:
    """Return the field of a row; bridge and requests see to it that keys do nothing while one is shown."""
    match row.kind:
        case Choice(sentences=()) as kind:
            return ChoiceField(row, [(value, tr(words)) for value, words in kind.options], kind.unlisted, parent)
        case Choice() as kind:
            return RadioField(theme, row, kind, parent)
        case Free(options=options):
            return FreeField(row, options, parent)
        case Line(empty=empty):
            return LineField(row, tr(empty) if empty else "", parent)
        case Keys() as kind:
            return KeysField(theme, row, kind, bridge, requests, parent)
        case Lines():
            return LinesField(theme, row, parent)
        case Switch():
            return SwitchField(row, parent)
        case Share():
            return ShareField(theme, row, parent)
        case Number() as kind:
            return NumberField(theme, row, kind, parent)
        case Device():
            return ChoiceField(row, [("", tr("System default"))], frozenset(), parent)
        case Language():
            known = [(language.code, language.name) for language in languages()]
            return ChoiceField(row, [("", tr("As the system")), *known], frozenset(), parent)


def _resting(owner: QObject, then: Any) -> QTimer:
    timer = QTimer(owner)
    timer.setSingleShot(True)
    timer.setInterval(KEEP_MS)
    timer.timeout.connect(then)
    return timer
