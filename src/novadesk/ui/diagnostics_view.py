"""The diagnostics window: how the program keeps its promises, and what passed on the wire."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from novadesk.conversation.api import Metric, Requests
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.bundle_dialog import BundleDialog
from novadesk.ui.controls import ShapeLabel
from novadesk.ui.i18n import tr
from novadesk.ui.note import Note
from novadesk.ui.placement import fit
from novadesk.ui.theme import Theme
from novadesk.ui.tokens import Tone

REFRESH_MS = 2_000
NEWEST_EVENTS = 200
REPORT_S = 15.0


class DiagnosticsView(QDialog):
    """A window beside the conversation; it asks again every two seconds while it is open.

    Args:
        bridge: asks for what is shown.
        requests: answers it.
    """

    def __init__(self, bridge: Bridge, requests: Requests, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._requests, self._theme = bridge, requests, theme
        self._rows: dict[str, _MetricRow] = {}
        self._figures: dict[str, _Figure] = {}
        self._events: list[str] = []
        self._troubled = False
        self._following, self._filling = True, False
        self.setObjectName("diagnostics")
        self.setWindowTitle(tr("Diagnostics"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._make_parts()
        theme.dress(self)
        fit(self, theme.px(680), theme.px(780))
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def refresh(self) -> None:
        """Ask for metrics and events."""
        bridge, requests = self._bridge, self._requests
        bridge.ask(requests.metrics, self._on_metrics, self._on_no_metrics, owner=self)
        bridge.ask(requests.sound_figures, self._on_sound, self._on_error, owner=self)
        bridge.ask(lambda: requests.events(newest=NEWEST_EVENTS), self._on_events, self._on_error, owner=self)

    def copy_report(self) -> None:
        """Put a report into the clipboard."""
        self.copy.setEnabled(False)
        self.note.say(tr("Making the report…"))
        self._bridge.ask(self._requests.report, self._on_report, self._on_no_report, owner=self, deadline_s=REPORT_S)

    def show_bundle(self) -> None:
        """Open the preview of the diagnostics bundle."""
        BundleDialog(self._bridge, self._requests, self._theme, self).open()

    def shown(self, name: str) -> tuple[str, str]:
        """Return value and judgement of a metric, or value and nothing of a figure of sound, as they are shown."""
        if name in self._figures:
            return ("" if self._figures[name].value.isHidden() else self._figures[name].value.text()), ""
        row = self._rows[name]
        return row.value.text(), row.judgement.text()

    def _make_parts(self) -> None:
        theme = self._theme
        self.note = Note(theme, self)
        self.grid = QGridLayout()
        self.grid.setHorizontalSpacing(theme.px(tokens.SPACE_3))
        self.grid.setVerticalSpacing(theme.px(tokens.SPACE_1))
        self.grid.setColumnStretch(0, 1)
        self.sound_grid = QGridLayout()
        self.sound_grid.setHorizontalSpacing(theme.px(tokens.SPACE_3))
        self.sound_grid.setVerticalSpacing(theme.px(tokens.SPACE_1))
        self.sound_grid.setColumnMinimumWidth(2, theme.px(tokens.SPACE_3))
        for column in (0, 3):
            self.sound_grid.setColumnStretch(column, 1)
        self.no_sound = QLabel(tr("The devices are closed."), self)
        self.no_sound.setObjectName("dialogNote")
        self.events = QPlainTextEdit(self)
        self.events.setObjectName("events")
        self.events.setReadOnly(True)
        self.events.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.events.setTabChangesFocus(True)
        self.events.setAccessibleName(tr("Protocol events"))
        self.events.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self.events.verticalScrollBar().rangeChanged.connect(lambda _least, _most: self._follow())
        self.events.setPlaceholderText(tr("Nothing has passed yet."))
        hint = QLabel(tr("What was said is not recorded: texts and audio appear as lengths."), self)
        hint.setObjectName("dialogNote")
        hint.setWordWrap(True)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_4), edge, theme.px(tokens.SPACE_4))
        layout.setSpacing(theme.px(tokens.SPACE_2))
        layout.addWidget(_heading(tr("Last 24 hours"), self))
        layout.addLayout(self.grid)
        layout.addSpacing(theme.px(tokens.SPACE_2))
        layout.addWidget(_heading(tr("Sound since the devices were opened"), self))
        layout.addLayout(self.sound_grid)
        layout.addWidget(self.no_sound)
        layout.addSpacing(theme.px(tokens.SPACE_2))
        layout.addWidget(_heading(tr("Protocol events"), self))
        layout.addWidget(hint)
        layout.addWidget(self.events, 1)
        layout.addLayout(self._make_buttons())
        self.copy.setFocus()

    def _make_buttons(self) -> QHBoxLayout:
        self.copy = QPushButton(tr("Copy report"), self)
        self.copy.setToolTip(tr("Version, settings, numbers and events, without secrets and without what was said"))
        self.copy.setAutoDefault(True)
        self.copy.clicked.connect(self.copy_report)
        self.bundle = QPushButton(tr("Save bundle…"), self)
        self.bundle.setToolTip(tr("Report, recording and crash reports as one file, which you read before it is saved"))
        self.bundle.setAutoDefault(False)
        self.bundle.clicked.connect(self.show_bundle)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setIcon(QIcon())
        close.setAutoDefault(False)
        buttons.rejected.connect(self.reject)
        line = QHBoxLayout()
        line.setSpacing(self._theme.px(tokens.SPACE_2))
        line.addWidget(self.note, 1)
        line.addStretch(0)
        line.addWidget(self.copy)
        line.addWidget(self.bundle)
        line.addWidget(buttons)
        return line

    def _on_metrics(self, metrics: Sequence[Metric]) -> None:
        for metric in metrics:
            if metric.name not in self._rows:
                self._rows[metric.name] = _MetricRow(self.grid, len(self._rows), self._theme, self)
            self._rows[metric.name].show_metric(metric)
        if self._troubled:
            self._troubled = False
            self.note.say("")

    def _on_sound(self, figures: Sequence[Metric]) -> None:
        """Show the figures two to a line; those of closed devices go."""
        self.no_sound.setVisible(not figures)
        for figure in figures:
            if figure.name not in self._figures:
                self._figures[figure.name] = _Figure(self.sound_grid, len(self._figures), self)
            self._figures[figure.name].show_figure(figure)
        known = {figure.name for figure in figures}
        for name, shown in self._figures.items():
            shown.set_visible(name in known)

    def _on_events(self, events: Sequence[str]) -> None:
        """Show the newest events, unless the person has scrolled back to read older ones."""
        if not self._following or list(events) == self._events:
            return
        self._events = list(events)
        across = self.events.horizontalScrollBar().value()
        self._filling = True
        self.events.setPlainText("\n".join(events))
        self._filling = False
        self.events.horizontalScrollBar().setValue(across)
        self._follow()

    def _on_scrolled(self, place: int) -> None:
        if not self._filling:
            self._following = place >= self.events.verticalScrollBar().maximum()

    def _follow(self) -> None:
        if self._following and not self._filling:
            bar = self.events.verticalScrollBar()
            bar.setValue(bar.maximum())

    def _on_no_metrics(self, error: KnownError) -> None:
        self._troubled = True
        self._on_error(error)

    def _on_error(self, error: KnownError) -> None:
        self.note.tell(error)

    def _on_report(self, report: str) -> None:
        QGuiApplication.clipboard().setText(report)
        self.copy.setEnabled(True)
        self.note.say(tr("The report is in the clipboard. Read it before you send it."))

    def _on_no_report(self, error: KnownError) -> None:
        self.copy.setEnabled(True)
        self._on_error(error)


class _MetricRow:
    """One line of the table: title, value, sign of an alert, judgement."""

    def __init__(self, grid: QGridLayout, row: int, theme: Theme, parent: QWidget) -> None:
        self._theme = theme
        self.sign = ShapeLabel(theme, tokens.FONT_BASE, parent)
        self.title, self.value, self.judgement = QLabel(parent), QLabel(parent), QLabel(parent)
        self.judgement.setObjectName("dialogNote")
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for label in (self.value, self.judgement):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.title.setBuddy(self.value)
        grid.setColumnMinimumWidth(2, theme.px(tokens.FONT_BASE))
        for column, label in enumerate((self.title, self.value, self.sign, self.judgement)):
            grid.addWidget(label, row, column)

    def show_metric(self, metric: Metric) -> None:
        self.title.setText(metric.title)
        self.value.setText(metric.words)
        self.judgement.setText(_judgement(metric))
        self.judgement.setProperty("bad", metric.alert)
        self.judgement.style().polish(self.judgement)
        self.value.setAccessibleName(f"{metric.title}: {metric.words} {self.judgement.text()}".strip())
        self.sign.setVisible(metric.alert)
        if metric.alert:
            self.sign.set_shape("warning", Tone.BAD)


class _Figure:
    """A title and a value in one of the two columns of the sound's figures."""

    def __init__(self, grid: QGridLayout, number: int, parent: QWidget) -> None:
        self.title, self.value = QLabel(parent), QLabel(parent)
        self.value.setTextFormat(Qt.TextFormat.PlainText)
        self.value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.title.setBuddy(self.value)
        row, side = divmod(number, 2)
        grid.addWidget(self.title, row, 3 * side)
        grid.addWidget(self.value, row, 3 * side + 1, Qt.AlignmentFlag.AlignRight)

    def show_figure(self, figure: Metric) -> None:
        self.title.setText(figure.title)
        self.value.setText(figure.words)
        self.value.setAccessibleName(f"{figure.title}: {figure.words}")

    def set_visible(self, visible: bool) -> None:
        self.title.setVisible(visible)
        self.value.setVisible(visible)


def _judgement(metric: Metric) -> str:
    if not metric.bound:
        return ""
    measured = tr("{n} measured").format(n=f"{metric.samples:,}")
    if metric.alert:
        return tr("Alert: {bound} · {measured}").format(bound=metric.bound, measured=measured)
    return tr("alert {bound} · {measured}").format(bound=metric.bound, measured=measured)


def _heading(words: str, parent: QWidget) -> QLabel:
    heading = QLabel(words, parent)
    heading.setObjectName("dialogHeading")
    heading.setIndent(0)
    return heading
