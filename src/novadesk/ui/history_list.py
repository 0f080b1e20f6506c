"""The list of past conversations: how its rows are drawn, and what can be done to one of them."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from PySide6.QtCore import (
    QItemSelectionModel,
    QKeyCombination,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QFrame,
    QListView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from novadesk.models import Conversation, SyncState
from novadesk.ui import resources, tokens
from novadesk.ui.controls import TextField
from novadesk.ui.history_model import SYNC_ICONS, TITLE_CHARS, HistoryKind, HistoryModel, HistoryRow
from novadesk.ui.i18n import tr, trn
from novadesk.ui.item_models import ItemRole
from novadesk.ui.theme import Theme

_PICTURE = 14
_MORE = 20

type _Index = QModelIndex | QPersistentModelIndex


class HistoryDelegate(QStyledItemDelegate):
    """Draw day names and conversations with star and sync state; edit a title in its place."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        theme.changed.connect(self._measure)
        self._measure()

    def _measure(self) -> None:
        """Take the three heights that rows have; a list of thousands asks for each of them."""
        theme = self._theme
        small, base = (
            round(QFontMetricsF(theme.font(size)).height()) for size in (tokens.FONT_SMALL, tokens.FONT_BASE)
        )
        day = small + theme.px(tokens.SPACE_1)
        self._first_day, self._day = (QSize(80, day + theme.px(above)) for above in (tokens.SPACE_2, tokens.SPACE_4))
        self._conversation = QSize(80, base + small + theme.px(2) + 2 * theme.px(7))

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:  # noqa: ARG002, D102
        row: HistoryRow = index.data(ItemRole.ROW)
        if row.kind is not HistoryKind.DAY:
            return self._conversation
        return self._day if index.row() else self._first_day

    def more_rect(self, rect: QRect) -> QRect:
        """Return where the button is that opens the menu of the row in `rect`."""
        edge, size = self._theme.px(tokens.SPACE_3), self._theme.px(_MORE)
        right = rect.right() - edge - self._theme.px(tokens.SPACE_2)
        return QRect(right - size, rect.top() + self._theme.px(4), size, size)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:  # noqa: ARG002, D102
        editor = TextField(parent)
        editor.setObjectName("rename")
        editor.setAccessibleName(tr("Title"))
        editor.setMaxLength(TITLE_CHARS)
        row: HistoryRow = index.data(ItemRole.ROW)
        if row.conversation is not None:
            editor.setPlaceholderText(row.conversation.label)
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: _Index) -> None:  # noqa: ARG002, D102
        edge = self._theme.px(tokens.SPACE_3)
        rect: QRect = option.rect
        height = min(rect.height() - 2, editor.sizeHint().height())
        editor.setGeometry(rect.left() + edge, rect.top() + 1, rect.width() - 2 * edge, height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:  # noqa: D102
        row: HistoryRow = index.data(ItemRole.ROW)
        rect: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.conversation is None:
            self._paint_day(painter, rect, row)
        else:
            self._paint_conversation(painter, option, rect, row, row.conversation)
        painter.restore()

    def _paint_day(self, painter: QPainter, rect: QRect, row: HistoryRow) -> None:
        theme = self._theme
        font = theme.font(tokens.FONT_SMALL, weight=QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(theme.palette.muted))
        bottom = rect.bottom() - theme.px(tokens.SPACE_1) - QFontMetricsF(font).descent()
        painter.drawText(QPointF(rect.left() + theme.px(tokens.SPACE_5), bottom), row.title)

    def _paint_conversation(
        self, painter: QPainter, option: QStyleOptionViewItem, rect: QRect, row: HistoryRow, of: Conversation
    ) -> None:
        from PySide6.QtWidgets import QStyle  # takes long to load, and the first picture has no rows

        theme, palette = self._theme, self._theme.palette
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        widget: QWidget | None = option.widget
        edge = theme.px(tokens.SPACE_3)
        box = QRectF(rect).adjusted(edge, 1, -edge, -1)
        radius = theme.px(tokens.RADIUS_CONTROL)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected) and widget is not None and widget.hasFocus()
        current = row.current and row.kind is HistoryKind.CONVERSATION
        if current or chosen or hovered:
            painter.setBrush(QColor(palette.selected if current else palette.hover))
            painter.setPen(QPen(QColor(palette.accent), 2) if chosen else Qt.PenStyle.NoPen)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1) if chosen else box, radius, radius)
        inner = box.adjusted(edge, theme.px(6), -edge + theme.px(4), 0)
        title_font = theme.font(tokens.FONT_BASE, weight=QFont.Weight.DemiBold if current else QFont.Weight.Normal)
        small_font = theme.font(tokens.FONT_SMALL)
        title, small = QFontMetricsF(title_font), QFontMetricsF(small_font)
        picture, gap = theme.px(_PICTURE), theme.px(tokens.SPACE_1)
        room = inner.width()
        if hovered or chosen:
            more = self.more_rect(rect)
            size = theme.px(16)
            at = QRectF(more).center() - QPointF(size / 2, size / 2)
            painter.drawPixmap(at, self._picture("more", palette.text, size, painter))
            room = more.left() - inner.left()
        if of.starred:
            room -= picture + gap
            at = QPointF(inner.left() + room + gap, inner.top() + (title.height() - picture) / 2)
            painter.drawPixmap(at, self._picture("star-on", palette.muted, picture, painter))
        painter.setFont(title_font)
        words = title.elidedText(row.title, Qt.TextElideMode.ElideRight, room)
        at = QPointF(inner.left(), inner.top() + title.ascent())
        self._paint_marked(painter, at, words, row.title_marks, palette.text)
        top = inner.top() + title.height() + theme.px(2)
        painter.setFont(small_font)
        painter.setPen(QColor(palette.muted))
        found = row.kind is HistoryKind.FOUND
        room = inner.width() - (0 if found else picture + gap)
        below = small.elidedText(row.below, Qt.TextElideMode.ElideRight, room)
        if found:
            self._paint_marked(painter, QPointF(inner.left(), top + small.ascent()), below, row.marks, palette.muted)
            return
        painter.drawText(QPointF(inner.left(), top + small.ascent()), below)
        colour = palette.caution if of.sync is SyncState.FAILED else palette.muted
        at = QPointF(inner.right() - picture, top + (small.height() - picture) / 2)
        painter.drawPixmap(at, self._picture(SYNC_ICONS[of.sync], colour, picture, painter))

    def _paint_marked(
        self, painter: QPainter, at: QPointF, words: str, marks: tuple[tuple[int, int], ...], colour: str
    ) -> None:
        """Draw a text in which the words of the search are underlined and in the text colour."""
        palette, metrics = self._theme.palette, QFontMetricsF(painter.font())
        edges = sorted({0, len(words), *(min(edge, len(words)) for mark in marks for edge in mark)})
        for start, end in pairwise(edges):
            marked = any(first <= start < past for first, past in marks)
            left, right = (at.x() + metrics.horizontalAdvance(words[:edge]) for edge in (start, end))
            painter.setPen(QColor(palette.text if marked else colour))
            painter.drawText(QPointF(left, at.y()), words[start:end])
            if marked:
                line = at.y() + metrics.underlinePos()
                painter.setPen(QPen(QColor(palette.accent), max(1.0, metrics.lineWidth())))
                painter.drawLine(QPointF(left, line), QPointF(right, line))

    @staticmethod
    def _picture(name: str, colour: str, size: int, painter: QPainter) -> QPixmap:
        return resources.pixmap(name, colour, size, painter.device().devicePixelRatio())


class HistoryList(QListView):
    """The rows of the history. Return or a click opens one; moving does not.

    Several are selected with Shift and Ctrl; what is wished for them is told with their handles.
    """

    opened = Signal(str)
    turn_wanted = Signal(str, int)
    star_wanted = Signal(object, bool)
    delete_wanted = Signal(object, bool)
    export_wanted = Signal(object)
    more_wanted = Signal()

    def __init__(self, theme: Theme, model: HistoryModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = model
        self._delegate = HistoryDelegate(theme, self)
        self._on_more = self._selecting = False
        keys, key = Qt.KeyboardModifier, Qt.Key
        self._keys: dict[int, Callable[[], None]] = {
            QKeyCombination(key.Key_F2).toCombined(): lambda: self.rename(self.currentIndex()),
            QKeyCombination(key.Key_Delete).toCombined(): self.delete,
            QKeyCombination(keys.ShiftModifier, key.Key_Delete).toCombined(): lambda: self.delete(remotely=True),
            QKeyCombination(keys.ControlModifier, key.Key_D).toCombined(): self.star,
        }
        self.menu: QMenu | None = None
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setObjectName("history")
        self.setAccessibleName(tr("Conversations"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.verticalScrollBar().setSingleStep(theme.px(tokens.SPACE_5))
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self.clicked.connect(self._on_clicked)
        model.modelAboutToBeReset.connect(self._remember)
        model.modelReset.connect(self._restore)
        self._chosen: tuple[str, ...] = ()
        self._place = 0
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def rename(self, index: _Index) -> None:
        """Let the person write a title in its place; meanwhile the rows stay as they are."""
        if self._conversation(index) is None:
            return
        self._history.hold()
        self.choose(index.row())
        self.edit(self.currentIndex())
        if self.state() is not QAbstractItemView.State.EditingState:
            self._history.release()

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:  # noqa: D102
        super().closeEditor(editor, hint)
        self._history.release()

    def show_menu(self, index: _Index, where: QPoint) -> None:
        """Show what can be done to the selected conversations, or to this one; `where` lies in the viewport."""
        conversation = self._conversation(index)
        if conversation is None:
            return
        if not self.selectionModel().isSelected(self._history.index(index.row())):
            self.choose(index.row())
        chosen = self.chosen()
        menu = self.menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName(tr("What to do"))
        menu.aboutToHide.connect(self._on_menu_hidden)
        if len(chosen) == 1:
            kept = QPersistentModelIndex(index)
            if not self._history.row(index).current:
                menu.addAction(tr("Open"), lambda: self.opened.emit(conversation.handle))
            menu.addAction(tr("Rename") + "\tF2", lambda: self.rename(kept))
        else:
            menu.addAction(trn("1 conversation", "{n} conversations", len(chosen))).setEnabled(False)
            menu.addSeparator()
        words = tr("Remove star") if self._all_starred(chosen) else tr("Star")
        menu.addAction(words + "\tCtrl+D", self.star)
        menu.addAction(tr("Export…") + "\tCtrl+Shift+E", self.export)
        menu.addSeparator()
        menu.addAction(tr("Delete") + "\tDel", self.delete)
        if any(one.sync is not SyncState.LOCAL for one in chosen):
            menu.addAction(tr("Delete here and in the cloud") + "\tShift+Del", lambda: self.delete(remotely=True))
        menu.popup(self.viewport().mapToGlobal(where))

    def choose(self, number: int) -> None:
        """Select one row and no other, whatever keys are held down."""
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect
        self.selectionModel().setCurrentIndex(self._history.index(number), flags)

    def chosen(self) -> Sequence[Conversation]:
        """Return the selected conversations, each once, in the order of the rows."""
        rows = sorted(self.selectionModel().selectedIndexes(), key=lambda index: index.row())
        found = [conversation for index in rows if (conversation := self._conversation(index)) is not None]
        return list({conversation.handle: conversation for conversation in found}.values())

    def star(self) -> None:
        """Ask for a star on what is selected, or for none where each has one."""
        if chosen := self.chosen():
            self.star_wanted.emit([one.handle for one in chosen], not self._all_starred(chosen))

    def export(self) -> None:
        """Ask to have what is selected written out."""
        if chosen := self.chosen():
            self.export_wanted.emit([one.handle for one in chosen])

    def delete(self, *, remotely: bool = False) -> None:
        """Ask to have what is selected deleted."""
        if chosen := self.chosen():
            self.delete_wanted.emit([one.handle for one in chosen], remotely)

    def dataChanged(self, topLeft: _Index, bottomRight: _Index, roles: Sequence[int] = ()) -> None:  # noqa: D102
        QAbstractItemView.dataChanged(self, topLeft, bottomRight, roles)  # other words leave a row as high as it was

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        if self.state() is QAbstractItemView.State.EditingState:
            return  # the Return that ends a title comes on to here
        index = self.currentIndex()
        wish = self._keys.get(event.keyCombination().toCombined())
        if wish is not None:
            wish()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(index)
        elif event.key() == Qt.Key.Key_Space:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        where = event.position().toPoint()
        index = self.indexAt(where)
        self._on_more = index.isValid() and self._delegate.more_rect(self.visualRect(index)).contains(where)
        self._selecting = bool(
            event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
        )
        super().mousePressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: D102
        by_key = event.reason() is QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if by_key else self.indexAt(event.pos())
        self.show_menu(index, self.visualRect(index).center() if by_key else event.pos())

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: D102
        super().focusInEvent(event)
        by_mouse = event.reason() is Qt.FocusReason.MouseFocusReason
        if not by_mouse and not self.selectedIndexes() and (number := self._history.first()) is not None:
            self.choose(number)

    def _conversation(self, index: _Index) -> Conversation | None:
        return self._history.row(index).conversation if index.isValid() else None

    @staticmethod
    def _all_starred(chosen: Sequence[Conversation]) -> bool:
        return all(one.starred for one in chosen)

    def _on_clicked(self, index: QModelIndex) -> None:
        if self._on_more:
            self.show_menu(index, self._delegate.more_rect(self.visualRect(index)).bottomLeft())
        elif not self._selecting:
            self._open(index)

    def _open(self, index: QModelIndex) -> None:
        conversation = self._conversation(index)
        if conversation is None:
            return
        row = self._history.row(index)
        if row.turn is not None:
            self.turn_wanted.emit(conversation.handle, row.turn.position)
        elif not row.current:
            self.opened.emit(conversation.handle)

    def _on_menu_hidden(self) -> None:
        self.menu = None

    def _remember(self) -> None:
        self._chosen = tuple(self._history.row(index).key for index in self.selectedIndexes())
        self._place = max(0, self.currentIndex().row())

    def _restore(self) -> None:
        """Select what was selected, or the row that has come into its place."""
        chosen = self._history.rows_of(self._chosen)
        if not chosen and self._chosen and (near := self._history.near(self._place)) is not None:
            chosen = (near,)
        flags = QItemSelectionModel.SelectionFlag
        for number in chosen:
            self.selectionModel().select(self._history.index(number), flags.Select)
        if chosen:
            self.setAutoScroll(False)  # who reads elsewhere stays there
            self.selectionModel().setCurrentIndex(self._history.index(chosen[0]), flags.NoUpdate)
            self.setAutoScroll(True)

    def _on_scrolled(self, value: int) -> None:
        if value >= self.verticalScrollBar().maximum() - self.verticalScrollBar().pageStep():
            self.more_wanted.emit()
