"""The list of a conversation's turns: it follows the newest one until the person reads elsewhere."""

from collections.abc import Sequence

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QWidget

from novadesk.ui import tokens
from novadesk.ui.i18n import tr
from novadesk.ui.item_models import ConversationModel, ItemRole, RowKind
from novadesk.ui.theme import Theme
from novadesk.ui.turn_delegate import TurnDelegate

_NEAR_PX = 24


class TurnList(QListView):
    """Rows of a conversation. Stays at the newest one until the person scrolls up."""

    following_changed = Signal(bool)
    menu_wanted = Signal(QPoint)
    correction_wanted = Signal()
    begin_wanted = Signal()
    older_wanted = Signal()
    newer_wanted = Signal()

    def __init__(self, theme: Theme, model: ConversationModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._turns = model
        self.following = True
        self._anchor: tuple[QPersistentModelIndex, int] | None = None
        self.delegate = TurnDelegate(theme, self)
        self.setModel(model)
        self.setItemDelegate(self.delegate)
        self.setObjectName("turns")
        self.setAccessibleName(tr("Conversation"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        for policy in (self.setHorizontalScrollBarPolicy, self.setVerticalScrollBarPolicy):
            policy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # `WholeBar` stands beside it
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        bar = self.verticalScrollBar()
        bar.setSingleStep(theme.px(tokens.SPACE_5))
        bar.rangeChanged.connect(self._on_range_changed)
        bar.valueChanged.connect(self._on_scrolled)
        model.rowsAboutToBeInserted.connect(self._keep_place)
        model.rowsAboutToBeRemoved.connect(self._keep_place)
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def follow(self) -> None:
        """Go to the newest row and stay there."""
        if not self._turns.attached:
            self._turns.reattach()
        self._set_following(True)
        self.scrollToBottom()

    def go_to(self, position: int) -> None:
        """Show the turn at a position in the middle and select it, if it is in memory."""
        number = self._turns.row_of(position)
        if number is not None:
            self._make_current(number)
            self._show(number, QAbstractItemView.ScrollHint.PositionAtCenter)

    def put_on_top(self, position: int) -> None:
        """Show the turn at a position at the top, if it is in memory."""
        number = self._turns.row_of(position)
        if number is not None:
            self._show(number, QAbstractItemView.ScrollHint.PositionAtTop)

    def look_around(self) -> None:
        """Ask for more turns where those in memory end, and follow the newest one where it is shown."""
        self.executeDelayedItemsLayout()
        self._on_scrolled(self.verticalScrollBar().value())

    def dataChanged(  # noqa: D102
        self,
        topLeft: QModelIndex | QPersistentModelIndex,
        bottomRight: QModelIndex | QPersistentModelIndex,
        roles: Sequence[int] = (),
    ) -> None:
        row = topLeft.row()
        if row == bottomRight.row():
            height = self.delegate.height(topLeft.data(ItemRole.ROW), self.width())
            if height == self._laid_height(row):
                QAbstractItemView.dataChanged(self, topLeft, bottomRight, roles)
                return
        super().dataChanged(topLeft, bottomRight, roles)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        if event.key() == Qt.Key.Key_Space:
            event.ignore()
        elif event.key() == Qt.Key.Key_F2:
            self.correction_wanted.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self._turns.toggle(self.currentIndex())
        elif event.key() == Qt.Key.Key_End and not event.modifiers():
            self.follow()
            self._make_current(self._turns.rowCount() - 1)
        elif event.key() == Qt.Key.Key_Home and not event.modifiers():
            self.begin_wanted.emit()
        else:
            super().keyPressEvent(event)
            if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_PageUp) and self.verticalScrollBar().value() == 0:
                self.older_wanted.emit()  # a page that did not come is asked for again

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: D102
        event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: D102
        last = self.currentIndex()  # without one, Qt makes the first row current
        super().focusInEvent(event)
        by_key = event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
            Qt.FocusReason.ShortcutFocusReason,
        )
        if by_key and not self.selectedIndexes():
            self._make_current(last.row() if last.isValid() else self._turns.rowCount() - 1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if event.button() is Qt.MouseButton.LeftButton and index.isValid() and index == self.currentIndex():
            row = self._turns.row(index)
            notes = self.delegate.on_notes(row, self.visualRect(index), event.position().toPoint().y())
            if notes or row.kind is RowKind.NOTICE:
                self._turns.toggle(index)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        if event.size().width() != event.oldSize().width():
            self._keep_place()
            self.scheduleDelayedItemsLayout()  # Qt does it for another height alone
        super().resizeEvent(event)
        if self.following:
            self.scrollToBottom()

    def minimumSizeHint(self) -> QSize:  # noqa: D102
        return QSize(120, 80)

    def _show(self, number: int, where: QAbstractItemView.ScrollHint) -> None:
        self._set_following(False)
        self.scrollTo(self._turns.index(number), where)
        self.look_around()

    def _make_current(self, number: int) -> None:
        if number >= 0:
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect
            self.selectionModel().setCurrentIndex(self._turns.index(number), flags)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: D102
        index = self.currentIndex()
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            self.menu_wanted.emit(self.visualRect(index).center() if index.isValid() else event.pos())
            return
        under = self.indexAt(event.pos())
        if under.isValid() and not self.selectionModel().isSelected(under):
            self._make_current(under.row())
        self.menu_wanted.emit(event.pos())

    def _laid_height(self, number: int) -> int:
        """Return the height that a row had when it was laid out; `visualRect` asks for the one it would have now."""
        top = self.visualRect(self._turns.index(number)).top()
        if number + 1 < self._turns.rowCount():
            return self.visualRect(self._turns.index(number + 1)).top() - top
        return self.contentsSize().height() - self.verticalOffset() - top

    def doItemsLayout(self) -> None:  # noqa: D102
        super().doItemsLayout()
        if self._anchor is not None:
            (index, top), self._anchor = self._anchor, None
            if index.isValid() and not self.following:
                bar = self.verticalScrollBar()
                bar.setValue(bar.value() + self.visualRect(self._turns.index(index.row())).top() - top)

    def _keep_place(self) -> None:
        """Remember what the person reads, so that rows coming or going elsewhere do not move it."""
        if self.following or self._anchor is not None:
            return
        index = self.indexAt(QPoint(self.viewport().width() // 2, self.viewport().height() // 2))
        if index.isValid():
            self._anchor = (QPersistentModelIndex(index), self.visualRect(index).top())

    def _on_range_changed(self, _low: int, high: int) -> None:
        if self.following:
            self.verticalScrollBar().setValue(high)

    def _on_scrolled(self, value: int) -> None:
        bar = self.verticalScrollBar()
        at_end = value >= bar.maximum() - _NEAR_PX
        self._set_following(at_end and self._turns.attached)
        if value <= bar.pageStep() // 2 and bar.maximum() > 0:
            self.older_wanted.emit()
        if at_end and not self._turns.attached:
            self.newer_wanted.emit()

    def _set_following(self, following: bool) -> None:
        if following != self.following:
            self.following = following
            self.following_changed.emit(following)
