"""One row of the settings: its words, its field, whether it was changed, and the way back."""

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from novadesk.conversation.api import Requests
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.controls import IconButton
from novadesk.ui.i18n import tr
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.note import Note
from novadesk.ui.setting_fields import Field, NumberField, SwitchField, make_field
from novadesk.ui.setting_rows import Row, shown
from novadesk.ui.theme import Theme

_FIELD_WIDTH = 420
_NUMBER_WIDTH = 160

CHANGED_LINE = 3
"""Width of the line beside a row that was changed, as the style sheet has it."""


class _Name(QLabel):
    """The name of a row; a click on it is one on its box, where it has one."""

    def __init__(self, text: str, field: Field, parent: QWidget) -> None:
        super().__init__(text, parent)
        self._field = field
        self.setObjectName("settingLabel")
        self.setWordWrap(True)
        self.setBuddy(field.stops[0])

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if isinstance(self._field, SwitchField) and self.rect().contains(event.position().toPoint()):
            self._field.box.click()


class SettingView(QFrame):
    """A row with its field.

    Args:
        variable: what sets it in the environment, which goes first; empty for nothing.
        bridge: carries what its field asks.
        requests: answers it.
    """

    edited = Signal(object, object)
    reset_wanted = Signal(object)

    def __init__(
        self,
        theme: Theme,
        row: Row,
        variable: str,
        bridge: Bridge,
        requests: Requests,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.row, self._variable, self._theme = row, variable, theme
        self.setObjectName("setting")
        self.field = make_field(theme, row, bridge, requests, self)
        self.field.changed.connect(lambda value: self.edited.emit(row, value))
        self.label = _Name(tr(row.label), self.field, self)
        self.reset = IconButton(theme, "reset", "", parent=self)
        self.reset.clicked.connect(lambda: self.reset_wanted.emit(row))
        self.reset.setSizePolicy(_keeping_its_place(self.reset))
        self._value: Any = None
        self._refusal: str | KnownError = ""
        self.why = self._words("settingHelp", tr(row.help))
        self.note = Note(theme, self, name="settingNote")
        self.stops = (*self.field.stops, self.reset, self.note.copy)
        self._lay_out()

    def show_settings(self, live: LiveSettings) -> None:
        """Show what is set."""
        row, now = self.row, live.now
        value, default = row.value(now), row.default
        if value != self._value:
            self._value, self._refusal = value, ""
        self.field.show_value(value)
        missing = row.missing(now)
        self.field.setEnabled(not missing and not self._variable)
        changed = value != default and not self._variable
        self.setProperty("changed", changed)
        self._renew(self)
        usual = tr("Reset “{label}” to {value}", label=row.label, value=_short(shown(row, default)))
        self.reset.setVisible(changed)
        self.reset.set_name(usual)
        if self._refusal and not missing:
            self._tell_refusal()
        else:
            self.note.say(missing or self._news(live), aloud=False)
        for stop in self.field.stops[:1]:
            stop.setAccessibleDescription(self._described(changed=changed))

    def refuse(self, why: str | KnownError) -> None:
        """Say why what was chosen is not used, until something else is."""
        self._refusal = why
        self.field.refuse()
        self._tell_refusal()

    def accept(self) -> None:
        """Take that what is in the field makes sense."""
        self._refusal = ""

    def _tell_refusal(self) -> None:
        if isinstance(self._refusal, KnownError):
            self.note.tell(self._refusal)
        else:
            self.note.say(self._refusal, bad=True)

    def _news(self, live: LiveSettings) -> str:
        if self._variable:
            return tr("Set by {variable} in the environment; unset it there to choose here.", variable=self._variable)
        return tr(self.row.applies.value) if self.row.waits(live.now, live.in_force, live.started) else ""

    def _described(self, *, changed: bool) -> str:
        parts = [tr(self.row.help), self.note.text()]
        if changed:
            parts.append(tr("Changed; NovaDesk's own is {value}.", value=_short(shown(self.row, self.row.default))))
        return " ".join(part for part in parts if part)

    def _lay_out(self) -> None:
        theme = self._theme
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_1)
        layout.setContentsMargins(theme.px(tokens.SPACE_3), edge, edge, theme.px(tokens.SPACE_2))
        layout.setSpacing(theme.px(2))
        line = QHBoxLayout()
        line.setSpacing(theme.px(tokens.SPACE_2))
        if isinstance(self.field, SwitchField):
            words = QVBoxLayout()
            words.setSpacing(theme.px(2))
            words.addWidget(self.label)
            words.addWidget(self.why)
            words.addWidget(self.note)
            line.addWidget(self.field, 0, Qt.AlignmentFlag.AlignTop)
            line.addLayout(words, 1)
        else:
            number = isinstance(self.field, NumberField)
            self.field.setMaximumWidth(theme.px(_NUMBER_WIDTH if number else _FIELD_WIDTH))
            layout.addWidget(self.label)
            layout.addWidget(self.why)
            layout.addSpacing(theme.px(2))
            line.addWidget(self.field, 1)
        line.addWidget(self.reset, 0, Qt.AlignmentFlag.AlignTop)
        if not isinstance(self.field, SwitchField):
            line.addStretch(0)
        layout.addLayout(line)
        if not isinstance(self.field, SwitchField):
            layout.addWidget(self.note)

    def _words(self, name: str, text: str) -> QLabel:
        words = QLabel(text, self)
        words.setObjectName(name)
        words.setWordWrap(True)
        words.setTextFormat(Qt.TextFormat.PlainText)
        return words

    def _renew(self, widget: QWidget) -> None:
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def _keeping_its_place(widget: QWidget) -> QSizePolicy:
    """Return the policy of a widget whose hiding moves nothing."""
    policy = widget.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    return policy


def _short(words: str) -> str:
    return words if len(words) <= 40 else f"{words[:39]}…"
