"""The history: past conversations by day, a search, and the way back into one of them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QMenu, QVBoxLayout, QWidget

from novadesk.conversation.api import Intents, Requests, Snapshot
from novadesk.errors import KnownError
from novadesk.models import Conversation, Found, SyncState
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.bridge import Question as Request
from novadesk.ui.controls import IconButton, TextField
from novadesk.ui.history_list import HistoryList
from novadesk.ui.history_model import HistoryModel
from novadesk.ui.question import Question
from novadesk.ui.sync_row import SyncRow
from novadesk.ui.theme import Theme

PAGE = 200
_AGAIN_MS = 3000
_TYPING_MS = 200
_FOUND = 50
_LEAST_CHARS = 2


class HistoryView(QFrame):
    """The sidebar: new conversation, search, the list, sync and settings."""

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
        self._stale = self._more = False
        self._complete = False
        self.model = HistoryModel(self)
        self.list = HistoryList(theme, self.model, self)
        self.list.opened.connect(self._on_opened)
        self.list.star_wanted.connect(self._on_star)
        self.list.delete_wanted.connect(self.ask_to_delete)
        self.model.renamed.connect(self._on_renamed)
        self.list.more_wanted.connect(self._ask_more)
        self.new = IconButton(
            theme, "plus", self.tr("New conversation"), shown=self.tr("New"), shortcut="Ctrl+N", parent=self
        )
        self.new.setObjectName("wide")
        self.new.clicked.connect(self.begin)
        self.new_menu = IconButton(theme, "chevron", self.tr("More ways to begin"), parent=self)
        self.new_menu.setObjectName("narrow")
        self.new_menu.clicked.connect(self.show_new_menu)
        self.menu: QMenu | None = None
        self.question: Question | None = None
        self.search = self._make_search()
        self.settings = IconButton(theme, "settings", self.tr("Settings"), shown=self.tr("Settings"), parent=self)
        self.settings.setObjectName("wide")
        self.settings.clicked.connect(self.settings_wanted)
        self.sync = SyncRow(bridge, requests, theme, self)
        self.sync.done.connect(self.refresh)
        self.note = QLabel(self)
        self.note.setObjectName("historyNote")
        self.note.setWordWrap(True)
        self.note.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._looking: Request | None = None
        self._again = self._make_timer(_AGAIN_MS, self.refresh)
        self._typing = self._make_timer(_TYPING_MS, self._look)
        self._lay_out()
        theme.changed.connect(self._dress)
        self._dress()

    def _make_search(self) -> TextField:
        search = TextField(self)
        search.setObjectName("search")
        search.setPlaceholderText(self.tr("Search"))
        search.setAccessibleName(self.tr("Search conversations"))
        search.setClearButtonEnabled(True)
        search.textChanged.connect(self._on_search)
        return search

    def _make_timer(self, wait_ms: int, ring: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(wait_ms)
        timer.timeout.connect(ring)
        return timer

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Mark the open conversation; load anew when the disk has changed."""
        self.model.set_current(snapshot.conversation)
        self.sync.show_progress(snapshot.pulling)
        if snapshot.store_revision != self._revision:
            self._revision = snapshot.store_revision
            self.refresh()

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
        menu = self.menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName(self.tr("More ways to begin"))
        menu.aboutToHide.connect(self._on_menu_hidden)
        menu.addAction(self.tr("New conversation") + "\tCtrl+N", self.begin)
        private = menu.addAction(self.tr("New private conversation") + "\tCtrl+Shift+N", self.begin_private)
        private.setIcon(self._theme.icon("private"))
        menu.popup(self.new_menu.mapToGlobal(self.new_menu.rect().bottomLeft()))

    def ask_to_delete(self, handle: str, title: str) -> None:
        """Ask whether a conversation shall go, and delete it when the person says so."""
        here_only = any(one.handle == handle and one.sync is SyncState.LOCAL for one in self.model.conversations)
        box = self.question = Question(
            self._theme,
            self.window(),
            text=self.tr("Delete “{title}”?").format(title=title),
            detail=self.tr("It goes from this computer. This cannot be undone.")
            if here_only
            else self.tr(
                "It goes from this computer now and from the cloud with the next sync. This cannot be undone."
            ),
            do=self.tr("Delete"),
            keep=self.tr("Keep"),
            on_do=lambda: self._change(lambda: self._requests.delete(handle)),
        )
        box.finished.connect(self._on_question_over)
        box.open()

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
        elif self._more:
            self._ask_more()

    def _ask_more(self) -> None:
        """Load what follows, as soon as nothing else is being loaded: who is at the end does not scroll there again."""
        self._more = self._asking
        if not self._asking and not self._complete and self.model.conversations:
            self._ask(len(self.model.conversations), PAGE)

    def _tell(self) -> None:
        words = ""
        if self.model.rowCount() == 0:
            searching = bool(self.search.text().strip())
            nothing = self.tr("Looking…") if self._looks else self.tr("Nothing found")
            words = nothing if searching else self.tr("Your conversations will be here.")
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def _on_search(self, text: str) -> None:
        self.model.set_search(text)
        if self._looking is not None:
            self._looking.drop()
            self._looking = None
        if len(text.strip()) < _LEAST_CHARS:
            self._typing.stop()
            self.model.show_found(())
        else:
            self._typing.start()
        self._tell()

    @property
    def _looks(self) -> bool:
        return self._typing.isActive() or self._looking is not None

    def _look(self) -> None:
        """Look for the words of the search in what was said."""
        text = self.search.text().strip()

        def on_answer(found: Sequence[Found]) -> None:
            self._looking = None
            self.model.show_found(found)
            self._tell()

        def on_error(error: KnownError) -> None:
            self._looking = None
            self.model.show_found(())
            self._tell()
            self.sync.say(f"{error.what} {error.advice}")

        self._looking = self._bridge.ask(
            lambda: self._requests.search(text, limit=_FOUND), on_answer, on_error, owner=self
        )

    def _on_star(self, handle: str, on: bool) -> None:
        self._change(lambda: self._requests.star(handle, on))

    def _on_renamed(self, handle: str, title: str) -> None:
        self._change(lambda: self._requests.rename(handle, title))

    def _change(self, request: Callable[[], Awaitable[None]]) -> None:
        """Ask for a change and show what came of it: the list as it is now, or the reason why it is not."""

        def on_error(error: KnownError) -> None:
            self.sync.say(f"{error.what} {error.advice}")
            self.refresh()

        def on_answer(_nothing: object) -> None:
            self.refresh()
            if self.model.found:
                self._look()

        self._bridge.ask(request, on_answer, on_error, owner=self)

    def _on_menu_hidden(self) -> None:
        self.menu = None

    def _on_question_over(self) -> None:
        self.question = None
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

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
        ways = QHBoxLayout()
        ways.setSpacing(0)
        ways.addWidget(self.new)
        ways.addWidget(self.new_menu)
        ways.addStretch(1)
        top.addLayout(ways)
        top.addWidget(self.search)
        layout.addLayout(top)
        layout.addWidget(self.note)
        layout.addWidget(self.list, 1)
        under = QHBoxLayout()
        under.setContentsMargins(edge + theme.px(tokens.SPACE_2), 0, edge, 0)
        under.addWidget(self.sync)
        layout.addLayout(under)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(edge, 0, edge, 0)
        bottom.addWidget(self.settings)
        bottom.addStretch(1)
        bottom.addWidget(self.sync.now)
        layout.addLayout(bottom)
