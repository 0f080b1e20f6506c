"""What of the history is shown: those with a star, with an interruption, of a time, a backend, a voice, a tool."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import date, datetime, time, timedelta
from enum import Enum

from PySide6.QtCore import QDate, QLocale, QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QDateEdit, QFrame, QGridLayout, QLabel, QWidget

from novadesk.models import EVERYTHING, BackendKind, Choices, Filter
from novadesk.ui import tokens
from novadesk.ui.i18n import locale, tr
from novadesk.ui.theme import Theme
from novadesk.ui.words import tool_words


class Span(Enum):
    """Which days are shown; the value of those that count back from today is how many."""

    ALWAYS = 0
    TODAY = 1
    WEEK = 7
    MONTH = 30
    YEAR = 365
    CHOSEN = -1


class FilterBar(QFrame):
    """The filters under the search field; `changed` brings what is wanted now."""

    changed = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Filters"))
        self.starred = QCheckBox(tr("With a &star only"), self)
        self.interrupted = QCheckBox(tr("&Interrupted only"), self)
        spans = (
            (Span.ALWAYS, tr("Any time")),
            (Span.TODAY, tr("Today")),
            (Span.WEEK, tr("Last 7 days")),
            (Span.MONTH, tr("Last 30 days")),
            (Span.YEAR, tr("Last 365 days")),
            (Span.CHOSEN, tr("From … to …")),
        )
        backends = (
            (None, tr("Any backend")),
            (BackendKind.PRACTICE, tr("Practice")),
            (BackendKind.BEDROCK, tr("Amazon Bedrock")),
            (BackendKind.GATEWAY, tr("Gateway")),
        )
        self.when, self.where = self._list(tr("When"), spans), self._list(tr("Backend"), backends)
        self.voice = self._list(tr("Voice"), [("", tr("Any voice"))])
        self.tool = self._list(tr("Tool"), [("", tr("Any tool"))])
        self._lists = (self.when, self.where, self.voice, self.tool)
        today = QDate.currentDate()
        self.first, self.last = QDateEdit(today.addDays(-6), self), QDateEdit(today, self)
        self._dates = (QLabel(tr("&From"), self), self.first, QLabel(tr("&To"), self), self.last)
        for label, field in ((self._dates[0], self.first), (self._dates[2], self.last)):
            label.setBuddy(field)
            field.setCalendarPopup(True)
            field.setDisplayFormat(locale().dateFormat(QLocale.FormatType.ShortFormat))
            field.dateChanged.connect(self._tell)
        self.first.setAccessibleName(tr("First day"))
        self.last.setAccessibleName(tr("Last day"))
        for mark in (self.starred, self.interrupted):
            mark.toggled.connect(self._tell)
        for choice in self._lists:
            choice.currentIndexChanged.connect(self._tell)
        self._lay_out(theme.px(tokens.SPACE_1))
        dates = (self.first, self.last)
        self.stops: tuple[QWidget, ...] = (self.starred, self.interrupted, self.when, *dates, *self._lists[1:])
        self._show_dates()
        self.offer(Choices())

    def _list(self, name: str, entries: Iterable[tuple[object, str]]) -> QComboBox:
        made = QComboBox(self)
        made.setAccessibleName(name)
        for value, words in entries:
            made.addItem(words, value)
        return made

    def _lay_out(self, space: int) -> None:
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(space)
        layout.setColumnStretch(1, 1)
        layout.addWidget(self.starred, 0, 0, 1, 2)
        layout.addWidget(self.interrupted, 1, 0, 1, 2)
        layout.addWidget(self.when, 2, 0, 1, 2)
        for place, widget in enumerate(self._dates):
            layout.addWidget(widget, 3 + place // 2, place % 2)
        for row, choice in enumerate(self._lists[1:], 5):
            layout.addWidget(choice, row, 0, 1, 2)

    def wanted(self) -> Filter:
        """Return what the fields say; days are those of this computer's zone."""
        since, until = self._days()
        return Filter(
            starred=self.starred.isChecked(),
            interrupted=self.interrupted.isChecked(),
            backend=self.where.currentData(),
            voice=self.voice.currentData(),
            tool=self.tool.currentData(),
            since_ms=None if since is None else _begin_ms(since),
            until_ms=None if until is None else _begin_ms(until + timedelta(days=1)),
        )

    def offer(self, choices: Choices) -> None:
        """List the voices and tools that there are; what is chosen stays, and a list of nothing is not shown."""
        _fill(self.voice, {voice: voice for voice in choices.voices})
        _fill(self.tool, {tool: tool_words(tool) for tool in choices.tools})

    def clear(self) -> None:
        """Show everything again."""
        if self.wanted() == EVERYTHING:
            return
        with ExitStack() as quiet:
            for mark in (self.starred, self.interrupted):
                quiet.enter_context(QSignalBlocker(mark))
                mark.setChecked(False)
            for choice in self._lists:
                quiet.enter_context(QSignalBlocker(choice))
                choice.setCurrentIndex(0)
        self._tell()

    def _days(self) -> tuple[date | None, date | None]:
        span = self.when.currentData()
        if span is Span.CHOSEN:
            first, last = _day(self.first), _day(self.last)
            return min(first, last), max(first, last)
        return (None, None) if span is Span.ALWAYS else (date.today() - timedelta(days=span.value - 1), None)

    def _tell(self) -> None:
        self._show_dates()
        self.changed.emit(self.wanted())

    def _show_dates(self) -> None:
        for widget in self._dates:
            widget.setVisible(self.when.currentData() is Span.CHOSEN)


def _fill(choice: QComboBox, words: Mapping[str, str]) -> None:
    """List values behind the first entry, which stands for any of them."""
    chosen = choice.currentData()
    if chosen and chosen not in words:
        words = {**words, chosen: choice.currentText()}
    choice.setVisible(bool(words))
    if [choice.itemData(place) for place in range(1, choice.count())] == list(words):
        return
    with QSignalBlocker(choice):
        while choice.count() > 1:
            choice.removeItem(1)
        for value, shown in words.items():
            choice.addItem(shown, value)
        choice.setCurrentIndex(choice.findData(chosen))


def _day(field: QDateEdit) -> date:
    chosen = field.date()
    return date(chosen.year(), chosen.month(), chosen.day())


def _begin_ms(day: date) -> int:
    return int(datetime.combine(day, time()).astimezone().timestamp() * 1000)
