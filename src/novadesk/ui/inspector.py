"""The inspector: where what is said is on its way, the ids of the session and how they belong together, what happened.

For who looks into a fault. The ids are shown to the person only; they are in no report.
"""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from novadesk.conversation.api import Inspection, Requests, Snapshot
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.bridge import Bridge
from novadesk.ui.controls import ElidedLabel, IconButton, ShapeLabel
from novadesk.ui.event_log import EventLogView
from novadesk.ui.i18n import tr
from novadesk.ui.id_rows import IdRow, id_rows
from novadesk.ui.pipeline import Stage, stages
from novadesk.ui.theme import Theme

REFRESH_MS = 1_000
_ROW_HEIGHT = 26


class Inspector(QDialog):
    """A window beside the conversation, live while it is open.

    Args:
        bridge: brings snapshots, asks for ids and events.
        requests: answers.
    """

    def __init__(self, bridge: Bridge, requests: Requests, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._requests = bridge, requests
        self.setObjectName("inspector")
        self.setWindowTitle(tr("Inspector"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.session = SessionPage(theme, self)
        self.log = EventLogView(bridge, requests, theme, self)
        self.tabs = QTabWidget(self)
        self.tabs.addTab(self.session, tr("Session"))
        self.tabs.addTab(self.log, tr("Event log"))
        self.tabs.setAccessibleName(tr("Inspector"))
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        close = QPushButton(tr("Close"), self)
        close.setAutoDefault(False)
        close.clicked.connect(self.reject)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_4)
        layout.setContentsMargins(edge, edge, edge, edge)
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addWidget(self.tabs, 1)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        theme.dress(self)
        self.resize(theme.px(760), theme.px(600))
        bridge.snapshot_changed.connect(self.on_snapshot)
        self.on_snapshot(bridge.latest or Snapshot())
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.refresh()

    def refresh(self) -> None:
        """Ask for ids and events."""
        self._bridge.ask(self._requests.inspect, self.session.show_ids, self._on_error, owner=self)
        self.log.refresh()

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Draw where what is said is on its way."""
        self.session.show_stages(stages(snapshot))
        self.log.show_snapshot(snapshot)

    def _on_error(self, _error: KnownError) -> None:
        """The next second asks again."""


class SessionPage(QWidget):
    """The stages and the ids."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._stages: tuple[Stage, ...] = ()
        self._rows: tuple[IdRow, ...] = ()
        self._notes: list[QLabel] = []
        self.cells = [_StageCell(theme, self) for _ in range(5)]
        line = QHBoxLayout()
        line.setSpacing(theme.px(tokens.SPACE_1))
        for number, cell in enumerate(self.cells):
            if number:
                arrow = QLabel("→", self)
                arrow.setObjectName("dialogNote")
                line.addWidget(arrow)
            line.addWidget(cell, 1)
        self.ids = QWidget(self)
        self.ids.setObjectName("dialogPage")
        self._grid = QGridLayout(self.ids)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.px(tokens.SPACE_3))
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(1, 1)
        area = QScrollArea(self)
        area.setObjectName("dialogArea")
        area.setAccessibleName(tr("Ids of the session"))
        area.setWidget(self.ids)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        self.copy_all = QPushButton(tr("Copy all"), self)
        self.copy_all.setAutoDefault(False)
        self.copy_all.clicked.connect(self._copy_all)
        self.note = QLabel(self)
        self.note.setObjectName("dialogNote")
        below = QHBoxLayout()
        below.addWidget(self.note, 1)
        below.addWidget(self.copy_all)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.px(tokens.SPACE_3), 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_3))
        layout.addLayout(line)
        layout.addWidget(area, 1)
        layout.addLayout(below)

    def show_stages(self, found: tuple[Stage, ...]) -> None:
        """Draw the stages."""
        if found != self._stages:
            self._stages = found
            for cell, stage in zip(self.cells, found, strict=True):
                cell.show_stage(stage)

    def show_ids(self, inspection: Inspection) -> None:
        """Draw the ids; while they stay, so does the focus."""
        rows = id_rows(inspection)
        if [(row.title, row.value) for row in rows] != [(row.title, row.value) for row in self._rows]:
            while (item := self._grid.takeAt(0)) is not None:
                if (widget := item.widget()) is not None:
                    widget.hide()
                    widget.deleteLater()
            self._grid.setRowStretch(2 * len(self._rows), 0)
            self._notes = [self._add_row(number, row) for number, row in enumerate(rows)]
            self._grid.setRowStretch(2 * len(rows), 1)
        self._rows = rows
        for label, row in zip(self._notes, rows, strict=True):
            label.setText(row.note)

    def _add_row(self, number: int, row: IdRow) -> QLabel:
        title, value, note = QLabel(row.title, self.ids), ElidedLabel(self.ids), QLabel(self.ids)
        value.set_whole(row.value)
        value.setObjectName("id" if row.copies else "drawerNote")
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        value.setAccessibleName(f"{row.title}: {row.value}")
        value.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        title.setBuddy(value)
        title.setMinimumHeight(self._theme.px(_ROW_HEIGHT))
        title.setContentsMargins(self._theme.px(tokens.SPACE_4) * row.depth, 0, 0, 0)
        note.setObjectName("drawerNote")
        note.setVisible(bool(row.note))
        self._grid.addWidget(title, 2 * number, 0)
        self._grid.addWidget(value, 2 * number, 1)
        self._grid.addWidget(note, 2 * number + 1, 1)
        if row.copies:
            copy = IconButton(self._theme, "copy", tr("Copy {title}", title=row.title), parent=self.ids)
            copy.setObjectName("flat")
            copy.clicked.connect(lambda _checked=False: self._copy(row.value, row.title))
            self._grid.addWidget(copy, 2 * number, 2)
        return note

    def _copy(self, text: str, what: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._say(tr("{what} is in the clipboard.", what=what))

    def _copy_all(self) -> None:
        lines = [f"{'  ' * row.depth}{row.title}: {row.value} {row.note}".rstrip() for row in self._rows]
        lines += [f"{tr(stage.name)}: {tr(stage.word)}" for stage in self._stages]
        QGuiApplication.clipboard().setText("\n".join(lines))
        self._say(tr("Everything is in the clipboard. The ids name your session: give them only to whom you trust."))

    def _say(self, words: str) -> None:
        self.note.setText(words)
        announce(self, words)


class _StageCell(QFrame):
    """One stage: name above, shape and word below, and what it is; reached by Tab, so that it can be read aloud."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("stage")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.name, self.word, self.detail = QLabel(self), QLabel(self), ElidedLabel(self, least_chars=6)
        self.name.setObjectName("drawerHeading")
        self.detail.setObjectName("drawerNote")
        self.word.setWordWrap(True)
        self.shape = ShapeLabel(theme, 14, self)
        line = QHBoxLayout()
        line.setSpacing(theme.px(6))
        line.addWidget(self.shape, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.word, 1)
        layout = QVBoxLayout(self)
        edge = theme.px(tokens.SPACE_2)
        layout.setContentsMargins(edge, edge, edge, edge)
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addWidget(self.name)
        layout.addLayout(line)
        layout.addWidget(self.detail)
        layout.addStretch(1)

    def show_stage(self, stage: Stage) -> None:
        self.name.setText(tr(stage.name))
        self.word.setText(tr(stage.word))
        self.shape.set_shape(stage.shape, stage.tone)
        self.detail.set_whole(tr(stage.detail))
        self.setAccessibleName(f"{self.name.text()}: {self.word.text()}")
        self.setAccessibleDescription(self.detail.whole)
