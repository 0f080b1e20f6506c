"""The list of past conversations, and what can be done to those that are selected."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QItemSelectionModel, QKeyCombination, QModelIndex, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QAbstractItemDelegate, QAbstractItemView, QFrame, QListView, QMenu, QWidget

from novadesk.models import Conversation
from novadesk.ui import tokens
from novadesk.ui.history_delegate import HistoryDelegate
from novadesk.ui.history_model import HistoryModel, in_the_cloud
from novadesk.ui.i18n import tr, trn, with_keys
from novadesk.ui.theme import Theme

type _Index = QModelIndex | QPersistentModelIndex


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
            menu.addAction(with_keys(tr("Rename"), "F2"), lambda: self.rename(kept))
        else:
            menu.addAction(trn("1 conversation", "{n} conversations", len(chosen))).setEnabled(False)
            menu.addSeparator()
        words = tr("Remove star") if self._all_starred(chosen) else tr("Star")
        menu.addAction(with_keys(words, "Ctrl+D"), self.star)
        menu.addAction(with_keys(tr("Export…"), "Ctrl+Shift+E"), self.export)
        menu.addSeparator()
        menu.addAction(with_keys(tr("Delete"), "Del"), self.delete)
        if any(in_the_cloud(one) for one in chosen):
            menu.addAction(
                with_keys(tr("Delete here and in the cloud"), "Shift+Del"), lambda: self.delete(remotely=True)
            )
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
