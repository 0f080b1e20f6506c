"""The conversation: its turns as a list that follows the newest one."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QLabel,
    QListView,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from novadesk.conversation.api import Requests, Snapshot
from novadesk.errors import KnownError
from novadesk.models import Role, Turn
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.bridge import Bridge, Question
from novadesk.ui.i18n import tr
from novadesk.ui.item_models import ConversationModel, ItemRole, RowKind, speaker
from novadesk.ui.theme import Theme
from novadesk.ui.turn_actions import TurnActions
from novadesk.ui.turn_delegate import TurnDelegate

PAGE = 60
"""Turns loaded at once: so many are measured and laid out within a frame or two."""

_NEAR_PX = 24
_PASSING_MS = 6000


class TurnList(QListView):
    """Rows of a conversation. Stays at the newest one until the person scrolls up."""

    following_changed = Signal(bool)
    menu_wanted = Signal(QPoint)
    correction_wanted = Signal()
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
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
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

    def go_to(self, position: int) -> bool:
        """Show the turn at a position in the middle and select it; return whether it is in memory."""
        number = self._turns.row_of(position)
        if number is None:
            return False
        self._set_following(False)
        self._make_current(number)
        self.scrollTo(self._turns.index(number), QAbstractItemView.ScrollHint.PositionAtCenter)
        return True

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
        else:
            super().keyPressEvent(event)

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
        super().resizeEvent(event)
        if self.following:
            self.scrollToBottom()

    def minimumSizeHint(self) -> QSize:  # noqa: D102
        return QSize(120, 80)

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


class ConversationView(QWidget):
    """The turns of the open conversation, or a calm page that says how to begin."""

    def __init__(self, bridge: Bridge, requests: Requests, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._requests = requests
        self._theme = theme
        self._paging: Question | None = None
        self._complete = False
        self._announced: str | None = None
        self._told: tuple[str, ...] = ()
        self._sought: tuple[str, int] | None = None
        self.model = ConversationModel(self)
        self.turns = TurnList(theme, self.model, self)
        self.does = TurnActions(bridge, requests, theme, self.turns, self.model)
        self.turns.menu_wanted.connect(self.does.show_menu)
        self.turns.correction_wanted.connect(self.does.correct)
        self.turns.older_wanted.connect(self._ask_older)
        self.turns.newer_wanted.connect(self._ask_newer)
        self.turns.following_changed.connect(self._place_latest)
        self._empty = _EmptyPage(theme, self)
        self.latest = QPushButton(tr("Latest"), self)
        self.latest.setObjectName("latest")
        self.latest.setAccessibleName(tr("Go to the latest turn"))
        self.latest.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.latest.clicked.connect(self.turns.follow)
        self.latest.hide()
        self.passing = QLabel(self)
        self.passing.setObjectName("passing")
        self.passing.setTextFormat(Qt.TextFormat.PlainText)
        self.passing.hide()
        self._fading = QTimer(self)
        self._fading.setSingleShot(True)
        self._fading.setInterval(_PASSING_MS)
        self._fading.timeout.connect(self.passing.hide)
        self.does.said.connect(self.say)
        self._stack = QStackedLayout(self)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.turns)
        theme.changed.connect(self._dress)
        self._dress()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_snapshot(self, snapshot: Snapshot, title: str, hint: str, *, late: bool = False) -> None:
        """Draw the turns; without any, `title` says what is going on and `hint` how to begin."""
        handle = snapshot.conversation.handle if snapshot.conversation is not None else None
        if handle != self.model.handle:
            self._forget_paging()
            if self._sought is not None and self._sought[0] != handle:
                self._sought = None
            self._announced = snapshot.turns[-1].turn_id if snapshot.turns else None
            self._told = ()
            self.turns.follow()
        private = snapshot.conversation is not None and snapshot.conversation.private
        self.model.show(handle, snapshot.turns, snapshot.live, snapshot.notices, private=private, late=late)
        self.does.private = private
        self._seek()
        empty = self.model.rowCount() == 0
        self._empty.set_text(title, hint)
        self._stack.setCurrentWidget(self._empty if empty else self.turns)
        self._announce(snapshot.turns)
        self._tell(snapshot.notices)

    def go_to(self, handle: str, position: int, search: str = "") -> None:
        """Show a turn of the open conversation, or of one that is about to be opened; mark words of a search in it."""
        self._forget_paging()
        self._sought = (handle, position)
        self.turns.delegate.mark(handle, position, search)
        self._seek()

    def say(self, words: str) -> None:
        """Show a line over the turns for a while."""
        self.passing.setText(words)
        self.passing.show()
        self._fading.start()
        self._place_latest()
        announce(self, words)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        super().resizeEvent(event)
        self._place_latest()

    def _seek(self) -> None:
        """Go to the turn that is sought, once its conversation is open; load the page around it."""
        if self._sought is None or self._sought[0] != self.model.handle or not self.model.turns:
            return
        position = self._sought[1]
        if self.turns.go_to(position):
            self._sought = None
        elif self._paging is None:
            self._ask(position + PAGE // 2, self._on_sought)

    def _on_sought(self, page: Sequence[Turn]) -> None:
        position, self._sought = (-1 if self._sought is None else self._sought[1]), None
        self.model.show_page(page)
        self._complete = bool(page) and page[0].position == 0
        self.turns.go_to(position)

    def _announce(self, turns: tuple[Turn, ...]) -> None:
        newest = turns[-1] if turns else None
        if newest is None or newest.turn_id == self._announced:
            return
        self._announced = newest.turn_id
        if newest.role is Role.ASSISTANT:
            announce(self.turns, f"{speaker(newest.role)}: {newest.heard_text}")

    def _tell(self, notices: tuple[str, ...]) -> None:
        """Have passing lines read aloud once, such as how much was recovered."""
        if notices and (notices[-1:] != self._told[-1:] or len(notices) > len(self._told)):
            announce(self.turns, tr(notices[-1]))
        self._told = notices

    def _dress(self) -> None:
        self.latest.setIcon(self._theme.icon("down"))
        self._place_latest()

    def _place_latest(self) -> None:
        self.latest.setVisible(not self.turns.following)
        size = self.latest.sizeHint()
        margin = self._theme.px(tokens.SPACE_3)
        self.latest.setGeometry(
            (self.width() - size.width()) // 2, self.height() - size.height() - margin, size.width(), size.height()
        )
        self.latest.raise_()
        line = self.passing.sizeHint()
        width = min(line.width(), self.width() - 2 * margin)
        above = size.height() + margin if self.latest.isVisible() else 0
        self.passing.setGeometry(
            (self.width() - width) // 2, self.height() - line.height() - margin - above, width, line.height()
        )
        self.passing.raise_()

    def _forget_paging(self) -> None:
        self._complete = False
        if self._paging is not None:
            self._paging.drop()
            self._paging = None

    def _ask_older(self) -> None:
        turns = self.model.turns
        if self._paging is not None or self._complete or not turns or turns[0].position == 0:
            return
        self._ask(turns[0].position, self._on_older)

    def _ask_newer(self) -> None:
        turns = self.model.turns
        if self._paging is None and turns:
            self._ask(turns[-1].position + 1 + PAGE, self._on_newer)

    def _ask(self, before: int, take: Callable[[Sequence[Turn]], None]) -> None:
        handle = self.model.handle
        if handle is None:
            return

        def on_answer(page: Sequence[Turn]) -> None:
            self._paging = None
            take(page)

        def on_error(_error: KnownError) -> None:
            self._paging = None

        self._paging = self._bridge.ask(
            lambda: self._requests.turns(handle, before=before, limit=PAGE), on_answer, on_error, owner=self
        )

    def _on_older(self, page: Sequence[Turn]) -> None:
        self._complete = len(page) < PAGE
        self.model.prepend(page)

    def _on_newer(self, page: Sequence[Turn]) -> None:
        self.model.append(page)


class _EmptyPage(QWidget):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title = QLabel(self)
        self._title.setObjectName("emptyTitle")
        self._text = QLabel(self)
        self._text.setObjectName("emptyText")
        for label in (self._title, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.addStretch(3)
        layout.addWidget(self._title)
        layout.addSpacing(theme.px(tokens.SPACE_1))
        layout.addWidget(self._text)
        layout.addStretch(4)

    def set_text(self, title: str, text: str) -> None:
        for label, words in ((self._title, title), (self._text, text)):
            if words != label.text():
                label.setText(words)
