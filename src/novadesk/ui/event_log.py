"""The event log: what happened when, to filter, to copy, to export. What was said is in it only when asked for."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from novadesk.conversation.api import EventKind, Happened, Requests, Snapshot
from novadesk.errors import KnownError
from novadesk.models import Turn
from novadesk.text import Text
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import tr
from novadesk.ui.note import Note
from novadesk.ui.theme import Theme

MOST = 2_000
_ROW_HEIGHT = 26

KINDS = {
    EventKind.CONVERSATION: Text("Conversation"),
    EventKind.LINK: Text("Link"),
    EventKind.SCENARIO: Text("Scenario"),
    EventKind.TALK: Text("Talking"),
    EventKind.SOUND: Text("Sound"),
    EventKind.TURN: Text("Turn"),
    EventKind.SYNC: Text("Sync"),
    EventKind.NOTICE: Text("Notice"),
    EventKind.ERROR: Text("Error"),
}
_COLUMNS = (Text("Time"), Text("Kind"), Text("What happened"))
_KIND = Qt.ItemDataRole.UserRole

type _Index = QModelIndex | QPersistentModelIndex


class EventModel(QAbstractTableModel):
    """The newest events as rows; `said` knows the text of turns that may be shown."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._events: list[Happened] = []
        self._said: dict[str, str] = {}
        self._turns: tuple[Turn, ...] = ()
        self._shows_said = False

    @property
    def newest(self) -> int:
        """Return the number of the newest event, 0 for none."""
        return self._events[-1].number if self._events else 0

    def add(self, events: Sequence[Happened]) -> None:
        """Append events; the oldest of too many go."""
        fresh = [event for event in events if event.number > self.newest]
        if not fresh:
            return
        if (surplus := len(self._events) + len(fresh) - MOST) > 0 and self._events:
            surplus = min(surplus, len(self._events))
            self.beginRemoveRows(QModelIndex(), 0, surplus - 1)
            del self._events[:surplus]
            self.endRemoveRows()
        self.beginInsertRows(QModelIndex(), len(self._events), len(self._events) + len(fresh) - 1)
        self._events += fresh
        self.endInsertRows()

    def learn(self, snapshot: Snapshot) -> None:
        """Take what was said from a snapshot, for who asks for it."""
        if snapshot.turns is self._turns or snapshot.conversation is None or snapshot.conversation.private:
            return
        self._turns = snapshot.turns
        self._said |= {turn.turn_id: turn.heard_text for turn in snapshot.turns[-8:]}
        while len(self._said) > MOST:
            del self._said[next(iter(self._said))]

    def show_said(self, shown: bool) -> None:
        """Show what was said beside the lengths, or no more."""
        self._shows_said = shown
        if self._events:
            self.dataChanged.emit(self.index(0, 2), self.index(len(self._events) - 1, 2))

    def line(self, row: int) -> tuple[str, str, str]:
        """Return time, kind and words of a row."""
        event = self._events[row]
        at = datetime.fromtimestamp(event.at_ms / 1000).astimezone()
        words = tr(event.words)
        if self._shows_said and (said := self._said.get(event.turn_id)):
            words = tr("{what}: {said}", what=words, said=said)
        return f"{at:%H:%M:%S}.{event.at_ms % 1000:03d}", tr(KINDS[event.kind]), words

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, D102 - Qt's own default
        return 0 if parent.isValid() else len(self._events)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, D102 - Qt's own default
        return 0 if parent.isValid() else len(_COLUMNS)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:  # noqa: D102
        if not index.isValid():
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self.line(index.row())[index.column()]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(self.line(index.row()))
        return self._events[index.row()].kind.value if role == _KIND else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:  # noqa: D102
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(_COLUMNS[section])
        return None


class EventLogView(QWidget):
    """The table and what can be done with it."""

    def __init__(self, bridge: Bridge, requests: Requests, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._requests, self._theme = bridge, requests, theme
        self.model = EventModel(self)
        self.shown = QSortFilterProxyModel(self)
        self.shown.setSourceModel(self.model)
        self.shown.setFilterRole(_KIND)
        self._make_parts()
        self._lay_out()

    def refresh(self) -> None:
        """Ask for what happened meanwhile."""
        newest = self.model.newest
        self._bridge.ask(lambda: self._requests.happened(after=newest), self._on_events, self._on_error, owner=self)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Take what was said, for who asks for it."""
        self.model.learn(snapshot)

    def text(self, rows: Sequence[int] | None = None) -> str:
        """Return rows of the table (None: all that are shown) as lines with tabs."""
        chosen = range(self.shown.rowCount()) if rows is None else rows
        sources = (self.shown.mapToSource(self.shown.index(row, 0)).row() for row in chosen)
        return "".join("\t".join(self.model.line(row)) + "\n" for row in sources)

    def save_to(self, file: str) -> None:
        """Write what is shown to a file of the person's choice."""
        try:
            Path(file).write_text(self.text(), encoding="utf-8")
        except OSError as error:
            words = tr("The log cannot be written there ({why}). Choose another place.", why=error.strerror or "")
            self.note.say(words, bad=True)
        else:
            self.note.say(tr("Saved as {file}.", file=Path(file).name))

    def _make_parts(self) -> None:
        self.kind = QComboBox(self)
        self.kind.setAccessibleName(tr("Kind of event"))
        self.kind.addItem(tr("Everything"), "")
        for kind, words in KINDS.items():
            self.kind.addItem(tr(words), kind.value)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.said = QCheckBox(tr("Show what was &said"), self)
        self.said.toggled.connect(self.model.show_said)
        self.table = QTableView(self)
        self.table.setObjectName("eventTable")
        self.table.setModel(self.shown)
        self.table.setAccessibleName(tr("Events"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(self._theme.px(_ROW_HEIGHT))
        header = self.table.horizontalHeader()
        header.setMinimumHeight(self._theme.px(_ROW_HEIGHT))  # Qt's own is that of a smaller font than the style's
        header.setStretchLastSection(True)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        header.setHighlightSections(False)
        for column in (0, 1):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        copy = QAction(tr("Copy"), self.table)
        copy.setShortcut(QKeySequence.StandardKey.Copy)
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(self._copy)
        self.table.addAction(copy)
        self.copy = QPushButton(tr("&Copy"), self)
        self.copy.clicked.connect(self._copy)
        self.export = QPushButton(tr("&Export…"), self)
        self.export.clicked.connect(self._ask_where)
        for button in (self.copy, self.export):
            button.setAutoDefault(False)
        self.note = Note(self._theme, self)

    def _lay_out(self) -> None:
        above = QHBoxLayout()
        above.setSpacing(self._theme.px(tokens.SPACE_3))
        above.addWidget(self.kind)
        above.addWidget(self.said)
        above.addStretch(1)
        above.addWidget(self.copy)
        above.addWidget(self.export)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, self._theme.px(tokens.SPACE_3), 0, 0)
        layout.setSpacing(self._theme.px(tokens.SPACE_2))
        layout.addLayout(above)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.note)

    def _on_events(self, events: Sequence[Happened]) -> None:
        """Append, and follow the newest unless the person reads older ones."""
        bar = self.table.verticalScrollBar()
        following = bar.value() >= bar.maximum()
        self.model.add(events)
        if following and events:
            self.table.scrollToBottom()

    def _on_error(self, error: KnownError) -> None:
        self.note.tell(error)

    def _on_kind(self) -> None:
        kind = self.kind.currentData()
        self.shown.setFilterRegularExpression(f"^{kind}$" if kind else "")

    def _copy(self) -> None:
        """Copy the chosen rows, or all that are shown."""
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        QGuiApplication.clipboard().setText(self.text(rows or None))
        self.note.say(tr("In the clipboard."))

    def _ask_where(self) -> None:
        chooser = QFileDialog(self, tr("Export the event log"), str(Path.home() / "novadesk-events.txt"))
        chooser.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        chooser.setDefaultSuffix("txt")
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.fileSelected.connect(self.save_to)
        chooser.open()
