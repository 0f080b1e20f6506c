"""The history: past conversations by day, a search, and the way back into one of them."""

from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QVBoxLayout, QWidget

from novadesk.config import HistorySettings
from novadesk.conversation.api import Intents, Requests, Snapshot
from novadesk.models import EVERYTHING, Conversation
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.controls import IconButton, SearchField
from novadesk.ui.history_actions import HistoryActions
from novadesk.ui.history_list import HistoryList
from novadesk.ui.history_loader import HistoryLoader
from novadesk.ui.history_model import HistoryModel
from novadesk.ui.i18n import tr, trn, with_keys
from novadesk.ui.sync_row import SyncRow
from novadesk.ui.tab_order import chain
from novadesk.ui.theme import Theme
from novadesk.ui.undo_bar import UndoBar

if TYPE_CHECKING:
    from novadesk.ui.filter_bar import FilterBar


class HistoryView(QFrame):
    """The sidebar: new conversation, search and filters, the list, what was deleted just now, sync and settings.

    `turn_wanted` names a conversation, a place in it that the person wants to see, and what was looked for; `said`
    brings a line about the open conversation.
    """

    settings_wanted = Signal()
    new_menu_filling = Signal(object)
    turn_wanted = Signal(str, int, str)
    left = Signal()
    said = Signal(str)

    def __init__(
        self, bridge: Bridge, intents: Intents, requests: Requests, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self._bridge, self._intents, self._requests = bridge, intents, requests
        self._theme = theme
        self._seen: tuple[int, date] | None = None
        self._open: Conversation | None = None
        self._aged = ""
        self.menu: QMenu | None = None
        self.model = HistoryModel(self)
        self.list = HistoryList(theme, self.model, self)
        self.loader = HistoryLoader(bridge, requests, self.model, self)
        self.undo = UndoBar(theme, self)
        self.actions_on = HistoryActions(bridge, requests, self.model, theme, self.window(), self.undo)
        self.sync = SyncRow(bridge, requests, theme, self)
        self._make_buttons()
        self.search = SearchField(theme, tr("Search conversations"), self)
        self.search.setPlaceholderText(tr("Search"))
        self.note, self.kept = QLabel(self), QLabel(self)
        self.note.setObjectName("historyNote")
        self.note.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.kept.setObjectName("syncWords")
        for label in (self.note, self.kept):
            label.setWordWrap(True)
            label.hide()
        self._connect()
        self._lay_out()

    @cached_property
    def filters(self) -> "FilterBar":
        """Return the filters under the search field; few look at them, so they are made for who does."""
        from novadesk.ui.filter_bar import FilterBar

        made = FilterBar(self._theme, self)
        made.hide()
        made.changed.connect(self._on_looked_for)
        self._top.addWidget(made)
        chain((self.filter, *made.stops, self.list))
        return made

    def _make_buttons(self) -> None:
        theme = self._theme
        self.new = IconButton(theme, "plus", tr("New conversation"), shown=tr("New"), shortcut="Ctrl+N", parent=self)
        self.new_menu = IconButton(theme, "chevron", tr("More ways to begin"), parent=self)
        self.filter = IconButton(theme, "filter", tr("Filters"), shortcut="Ctrl+Shift+F", parent=self)
        self.filter.setCheckable(True)
        self.settings = IconButton(theme, "settings", tr("Settings"), shown=tr("Settings"), parent=self)
        self.more = IconButton(theme, "more", tr("All conversations"), parent=self)
        for button in (self.new, self.settings):
            button.setObjectName("wide")
        self.new_menu.setObjectName("narrow")

    def _connect(self) -> None:
        rows, does = self.list, self.actions_on
        rows.opened.connect(self._on_opened)
        rows.turn_wanted.connect(self._on_turn_wanted)
        rows.star_wanted.connect(does.star)
        rows.delete_wanted.connect(does.delete)
        rows.export_wanted.connect(does.export)
        rows.more_wanted.connect(self.loader.more)
        self.model.renamed.connect(does.rename)
        does.changed.connect(self.loader.renew)
        does.said.connect(self.sync.say)
        does.closed.connect(self._focus_list)
        self.loader.told.connect(self._on_told)
        self.loader.failed.connect(self._on_failed)
        self.search.textChanged.connect(self._on_looked_for)
        self.sync.done.connect(self.loader.refresh)
        self.new.clicked.connect(self.begin)
        self.new_menu.clicked.connect(self.show_new_menu)
        self.filter.toggled.connect(self._on_filter)
        self.settings.clicked.connect(self.settings_wanted)
        self.more.clicked.connect(self.show_more_menu)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Mark the open conversation; load anew when the disk has changed, or another day has begun."""
        self._open = snapshot.conversation
        self.model.set_current(snapshot.conversation)
        self.sync.show_progress(snapshot.pulling)
        if snapshot.history_note != self._aged:
            self._aged = snapshot.history_note
            self.sync.say(tr(self._aged))
        seen = (snapshot.store_revision, date.today())
        if seen != self._seen:
            self._seen = seen
            self.loader.refresh()
            self._offer_filters()

    def show_keeping(self, settings: HistorySettings) -> None:
        """Say how long conversations are kept, when that is not for ever."""
        days = trn("1 day", "{n} days", settings.keep_days)
        self.kept.setText(tr("Kept for {days} after the last turn, with a star for ever", days=days))
        self.kept.setVisible(settings.keep_days > 0)

    def begin(self) -> None:
        """Begin a conversation."""
        self._intents.new_conversation()
        self.left.emit()

    def begin_private(self) -> None:
        """Begin a conversation of which nothing is kept."""
        self._intents.new_conversation(private=True)
        self.left.emit()

    def show_new_menu(self) -> None:
        """Show the ways to begin a conversation."""
        menu = self._make_menu(self.new_menu.accessibleName())
        menu.addAction(with_keys(tr("New conversation"), "Ctrl+N"), self.begin)
        menu.addAction(with_keys(tr("New private conversation"), "Ctrl+Shift+N"), self.begin_private)
        menu.addSeparator()
        self.new_menu_filling.emit(menu)
        menu.popup(self.new_menu.mapToGlobal(self.new_menu.rect().bottomLeft()))

    def show_more_menu(self) -> None:
        """Show what can be done to all conversations."""
        menu = self._make_menu(self.more.accessibleName())
        menu.addAction(tr("Export all…"), lambda: self.actions_on.export(None))
        menu.addSeparator()
        menu.addAction(tr("Delete all…"), self.actions_on.ask_to_clear)
        menu.popup(self.more.mapToGlobal(QPoint(0, -menu.sizeHint().height())))

    def show_filters(self) -> None:
        """Open the filters, and go there."""
        self.filter.setChecked(True)
        self.filters.starred.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def export_here(self) -> None:
        """Export what is selected while the list has the focus, else the open conversation."""
        of = self._open
        if self.list.hasFocus() and self.list.chosen():
            self.list.export()
        elif of is None or not of.turns:
            self.said.emit(tr("There is nothing to export yet."))
        elif of.private:
            self.said.emit(tr("A private conversation is kept nowhere. Copy it instead."))
        else:
            self.actions_on.export([of.handle], of.title or of.label)

    def _make_menu(self, name: str) -> QMenu:
        menu = self.menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName(name)
        menu.setWindowTitle(name)
        menu.aboutToHide.connect(self._on_menu_hidden)
        return menu

    def _on_looked_for(self) -> None:
        self.list.scrollToTop()
        self.loader.look_for(self.search.text(), self.filters.wanted() if self.filter.isChecked() else EVERYTHING)

    def _on_filter(self, on: bool) -> None:
        """Filters that nobody sees would hide conversations for no reason that anybody could see."""
        self.filters.setVisible(on)
        if not on:
            self.filters.clear()
        self._offer_filters()

    def _offer_filters(self) -> None:
        """Let the filters list what the history has; what keeps that from being read is said beside the list."""
        if self.filter.isChecked():
            self._bridge.ask(self._requests.choices, self.filters.offer, lambda _: None, owner=self.filters)

    def _on_told(self) -> None:
        words = ""
        if self.model.rowCount() == 0:
            nothing = tr("Looking…") if self.loader.busy else tr("Nothing found")
            words = nothing if self.loader.searching else tr("Your conversations will be here.")
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def _on_failed(self, words: str) -> None:
        self._on_told()
        if self.model.conversations:
            self.sync.say(words)
        else:
            self.note.setText(words)
            self.note.show()

    def _on_menu_hidden(self) -> None:
        self.menu = None

    def _focus_list(self) -> None:
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_opened(self, handle: str) -> None:
        self._intents.open_conversation(handle)
        self.left.emit()

    def _on_turn_wanted(self, handle: str, position: int) -> None:
        if not self.model.is_current(handle):
            self._intents.open_conversation(handle)
        self.left.emit()
        self.turn_wanted.emit(handle, position, self.search.text())

    def _lay_out(self) -> None:
        theme = self._theme
        edge = theme.px(tokens.SPACE_3)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, edge, 0, edge)
        layout.setSpacing(theme.px(tokens.SPACE_2))
        top = self._top = QVBoxLayout()
        top.setContentsMargins(edge, 0, edge, 0)
        top.setSpacing(theme.px(tokens.SPACE_2))
        ways = QHBoxLayout()
        ways.setSpacing(0)
        ways.addWidget(self.new)
        ways.addWidget(self.new_menu)
        ways.addStretch(1)
        top.addLayout(ways)
        looking = QHBoxLayout()
        looking.setSpacing(theme.px(tokens.SPACE_1))
        looking.addWidget(self.search, 1)
        looking.addWidget(self.filter)
        top.addLayout(looking)
        layout.addLayout(top)
        layout.addWidget(self.note)
        layout.addWidget(self.list, 1)
        undoing = QHBoxLayout()
        undoing.setContentsMargins(edge, 0, edge, 0)
        undoing.addWidget(self.undo)
        layout.addLayout(undoing)
        under = QVBoxLayout()
        under.setContentsMargins(edge + theme.px(tokens.SPACE_2), 0, edge, 0)
        under.addWidget(self.sync)
        under.addWidget(self.kept)
        layout.addLayout(under)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(edge, 0, edge, 0)
        bottom.addWidget(self.settings)
        bottom.addStretch(1)
        bottom.addWidget(self.sync.now)
        bottom.addWidget(self.more)
        layout.addLayout(bottom)
