"""The history: past conversations by day, a search, and the way back into one of them."""

from collections.abc import Sequence
from datetime import date

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QColor, QFocusEvent, QFont, QFontMetricsF, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from novadesk.conversation.api import Intents, Requests, Snapshot
from novadesk.errors import KnownError
from novadesk.models import Conversation, SyncState
from novadesk.ui import resources, tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.controls import IconButton, TextField
from novadesk.ui.history_model import SYNC_ICONS, HistoryKind, HistoryModel, HistoryRow
from novadesk.ui.item_models import ItemRole
from novadesk.ui.theme import Theme

PAGE = 200
_AGAIN_MS = 3000


class HistoryDelegate(QStyledItemDelegate):
    """Draw day names and conversations with their sync state."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:  # noqa: ARG002, D102
        row: HistoryRow = index.data(ItemRole.ROW)
        theme = self._theme
        small = round(QFontMetricsF(theme.font(tokens.FONT_SMALL)).height())
        if row.kind is HistoryKind.DAY:
            above = tokens.SPACE_2 if index.row() == 0 else tokens.SPACE_4
            return QSize(80, small + theme.px(above) + theme.px(tokens.SPACE_1))
        base = round(QFontMetricsF(theme.font(tokens.FONT_BASE)).height())
        return QSize(80, base + small + theme.px(2) + 2 * theme.px(7))

    def paint(  # noqa: D102
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: HistoryRow = index.data(ItemRole.ROW)
        rect: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.kind is HistoryKind.DAY:
            self._paint_day(painter, rect, row)
        else:
            self._paint_conversation(painter, option, rect, row)
        painter.restore()

    def _paint_day(self, painter: QPainter, rect: QRect, row: HistoryRow) -> None:
        theme = self._theme
        font = theme.font(tokens.FONT_SMALL, weight=QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(theme.palette.muted))
        bottom = rect.bottom() - theme.px(tokens.SPACE_1) - QFontMetricsF(font).descent()
        painter.drawText(QPointF(rect.left() + theme.px(tokens.SPACE_5), bottom), row.title)

    def _paint_conversation(
        self, painter: QPainter, option: QStyleOptionViewItem, rect: QRect, row: HistoryRow
    ) -> None:
        theme, palette = self._theme, self._theme.palette
        state: QStyle.StateFlag = option.state
        widget: QWidget | None = option.widget
        edge = theme.px(tokens.SPACE_3)
        box = QRectF(rect).adjusted(edge, 1, -edge, -1)
        radius = theme.px(tokens.RADIUS_CONTROL)
        chosen = bool(state & QStyle.StateFlag.State_Selected) and widget is not None and widget.hasFocus()
        if row.current or chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(QColor(palette.selected if row.current else palette.hover))
            painter.setPen(QPen(QColor(palette.accent), 2) if chosen else Qt.PenStyle.NoPen)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1) if chosen else box, radius, radius)
        inner = box.adjusted(edge, theme.px(6), -edge + theme.px(4), 0)
        title_font = theme.font(tokens.FONT_BASE, weight=QFont.Weight.DemiBold if row.current else QFont.Weight.Normal)
        small_font = theme.font(tokens.FONT_SMALL)
        title, small = QFontMetricsF(title_font), QFontMetricsF(small_font)
        painter.setFont(title_font)
        painter.setPen(QColor(palette.text))
        words = title.elidedText(row.title, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(QPointF(inner.left(), inner.top() + title.ascent()), words)
        top = inner.top() + title.height() + theme.px(2)
        picture = theme.px(14)
        room = inner.width() - picture - theme.px(tokens.SPACE_1)
        painter.setFont(small_font)
        painter.setPen(QColor(palette.muted))
        below = small.elidedText(row.below, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QPointF(inner.left(), top + small.ascent()), below)
        if row.conversation is not None:
            failed = row.conversation.sync is SyncState.FAILED
            shape = resources.pixmap(
                SYNC_ICONS[row.conversation.sync],
                palette.caution if failed else palette.muted,
                picture,
                painter.device().devicePixelRatio(),
            )
            at = QPointF(inner.right() - picture, top + (small.height() - picture) / 2)
            painter.drawPixmap(at, shape)


class HistoryList(QListView):
    """The rows of the history. Return or a click opens one; moving does not."""

    opened = Signal(str)
    more_wanted = Signal()

    def __init__(self, theme: Theme, model: HistoryModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = model
        self.setModel(model)
        self.setItemDelegate(HistoryDelegate(theme, self))
        self.setObjectName("history")
        self.setAccessibleName(self.tr("Conversations"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.verticalScrollBar().setSingleStep(theme.px(tokens.SPACE_5))
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self.clicked.connect(self._open)
        model.modelAboutToBeReset.connect(self._remember)
        model.modelReset.connect(self._restore)
        self._chosen: str | None = None
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
        elif event.key() == Qt.Key.Key_Space:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: D102
        super().focusInEvent(event)
        by_mouse = event.reason() is Qt.FocusReason.MouseFocusReason
        if not by_mouse and not self.selectedIndexes() and (number := self._history.first()) is not None:
            self.setCurrentIndex(self._history.index(number))

    def _open(self, index: QModelIndex) -> None:
        if index.isValid():
            row = self._history.row(index)
            if row.conversation is not None and not row.current:
                self.opened.emit(row.conversation.handle)

    def _remember(self) -> None:
        index = self.currentIndex()
        conversation = self._history.row(index).conversation if index.isValid() else None
        self._chosen = conversation.handle if conversation is not None else None

    def _restore(self) -> None:
        number = self._history.find(self._chosen) if self._chosen is not None else None
        if number is not None:
            self.setCurrentIndex(self._history.index(number))

    def _on_scrolled(self, value: int) -> None:
        if value >= self.verticalScrollBar().maximum() - self.verticalScrollBar().pageStep():
            self.more_wanted.emit()


class HistoryView(QFrame):
    """The sidebar: new conversation, search, the list, and settings."""

    settings_wanted = Signal()
    left = Signal()

    def __init__(
        self, bridge: Bridge, intents: Intents, requests: Requests, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self._bridge = bridge
        self._intents = intents
        self._requests = requests
        self._theme = theme
        self._revision: int | None = None
        self._asking = False
        self._stale = False
        self._complete = False
        self.model = HistoryModel(self)
        self.list = HistoryList(theme, self.model, self)
        self.list.opened.connect(self._on_opened)
        self.list.more_wanted.connect(self._ask_more)
        self.new = IconButton(
            theme, "plus", self.tr("New conversation"), shown=self.tr("New"), shortcut="Ctrl+N", parent=self
        )
        self.new.setObjectName("wide")
        self.new.clicked.connect(self._on_new)
        self.search = TextField(self)
        self.search.setObjectName("search")
        self.search.setPlaceholderText(self.tr("Search by name"))
        self.search.setAccessibleName(self.tr("Search conversations"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_search)
        self.settings = IconButton(theme, "settings", self.tr("Settings"), shown=self.tr("Settings"), parent=self)
        self.settings.setObjectName("wide")
        self.settings.clicked.connect(self.settings_wanted)
        self.note = QLabel(self)
        self.note.setObjectName("historyNote")
        self.note.setWordWrap(True)
        self.note.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(_AGAIN_MS)
        self._again.timeout.connect(self.refresh)
        self._lay_out()
        theme.changed.connect(self._dress)
        self._dress()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Mark the open conversation; load anew when the disk has changed."""
        self.model.set_current(snapshot.conversation)
        if snapshot.store_revision != self._revision:
            self._revision = snapshot.store_revision
            self.refresh()

    def refresh(self) -> None:
        """Load the list again; asked while loading, once more afterwards."""
        if self._asking:
            self._stale = True
            return
        limit = max(PAGE, len(self.model.conversations))
        self._ask(0, limit)

    def _ask(self, offset: int, limit: int) -> None:
        self._asking = True

        def on_answer(page: Sequence[Conversation]) -> None:
            self._asking = False
            self._complete = len(page) < limit
            loaded = list(self.model.conversations[:offset])
            known = {conversation.handle for conversation in loaded}
            self._take(loaded + [conversation for conversation in page if conversation.handle not in known])

        def on_error(error: KnownError) -> None:
            self._asking = False
            if not self.model.conversations:
                self.note.setText(f"{error.what} {error.advice}")
                self.note.show()
            self._again.start()

        self._bridge.ask(
            lambda: self._requests.conversations(offset=offset, limit=limit), on_answer, on_error, owner=self
        )

    def _take(self, conversations: Sequence[Conversation]) -> None:
        self.model.show(conversations, date.today())
        self._tell()
        if self._stale:
            self._stale = False
            self.refresh()

    def _ask_more(self) -> None:
        if not self._asking and not self._complete and self.model.conversations:
            self._ask(len(self.model.conversations), PAGE)

    def _tell(self) -> None:
        words = ""
        if self.model.rowCount() == 0:
            searching = bool(self.search.text().strip())
            words = self.tr("No such name") if searching else self.tr("Your conversations will be here.")
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def _on_search(self, text: str) -> None:
        self.model.set_search(text)
        self._tell()

    def _on_new(self) -> None:
        self._intents.new_conversation()
        self.left.emit()

    def _on_opened(self, handle: str) -> None:
        self._intents.open_conversation(handle)
        self.left.emit()

    def _dress(self) -> None:
        for action in self.search.actions():
            if action.objectName() == "lens":
                self.search.removeAction(action)
        lens = self.search.addAction(
            self._theme.icon("search", self._theme.palette.muted), QLineEdit.ActionPosition.LeadingPosition
        )
        lens.setObjectName("lens")

    def _lay_out(self) -> None:
        theme = self._theme
        edge = theme.px(tokens.SPACE_3)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, edge, 0, edge)
        layout.setSpacing(theme.px(tokens.SPACE_2))
        top = QVBoxLayout()
        top.setContentsMargins(edge, 0, edge, 0)
        top.setSpacing(theme.px(tokens.SPACE_2))
        top.addWidget(self.new, 0, Qt.AlignmentFlag.AlignLeft)
        top.addWidget(self.search)
        layout.addLayout(top)
        layout.addWidget(self.note)
        layout.addWidget(self.list, 1)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(edge, 0, edge, 0)
        bottom.addWidget(self.settings)
        bottom.addStretch(1)
        layout.addLayout(bottom)
