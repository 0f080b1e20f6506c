"""The conversation: its turns, the way to the newest one, and passing lines over them."""

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from novadesk.conversation.api import RENEWED, Requests, Snapshot
from novadesk.models import Role, Turn
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import tr
from novadesk.ui.item_models import ConversationModel, speaker
from novadesk.ui.theme import Theme
from novadesk.ui.turn_actions import TurnActions
from novadesk.ui.turn_list import TurnList
from novadesk.ui.turn_loader import Place, TurnLoader
from novadesk.ui.whole_bar import WholeBar

_PASSING_MS = 6000
_AT_ONCE = 2
"""Most turns of a talk that become final between two pictures: one of each side. More come from elsewhere, at once."""


class ConversationView(QWidget):
    """The turns of the open conversation, or a calm page that says how to begin."""

    def __init__(self, bridge: Bridge, requests: Requests, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._announced: str | None = None
        self._told: tuple[str, ...] = ()
        self._sought: tuple[str, int] | None = None
        self.model = ConversationModel(self)
        self.turns = TurnList(theme, self.model, self)
        self.does = TurnActions(bridge, requests, theme, self.turns, self.model)
        self.turns.menu_wanted.connect(self.does.show_menu)
        self.turns.correction_wanted.connect(self.does.correct)
        self.loader = TurnLoader(bridge, requests, self.model, self)
        self.loader.reached.connect(self._on_reached)
        self.loader.loaded.connect(self.turns.look_around)
        self.loader.failed.connect(self.say)
        self.turns.older_wanted.connect(self.loader.older)
        self.turns.newer_wanted.connect(self.loader.newer)
        self.turns.begin_wanted.connect(lambda: self.loader.seek(Place(position=0, chosen=True)))
        self.bar = WholeBar(self.turns, self.model, self)
        self.bar.place_wanted.connect(lambda position: self.loader.seek(Place(position=position, chosen=False)))
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
        self._stack.addWidget(self._turns_page())
        theme.changed.connect(self._dress)
        self._dress()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:  # noqa: D102
        return self.turns.minimumSizeHint()  # it takes what is left: what lies under it is never squeezed

    def hasHeightForWidth(self) -> bool:  # noqa: D102
        return False

    def show_snapshot(self, snapshot: Snapshot, title: str, hint: str, *, late: bool = False) -> None:
        """Draw the turns; without any, `title` says what is going on and `hint` how to begin."""
        handle = snapshot.conversation.handle if snapshot.conversation is not None else None
        if handle != self.model.handle:
            self.loader.forget()
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
        self._stack.setCurrentIndex(0 if empty else 1)
        self._announce(snapshot.turns)
        self._tell(snapshot.notices)

    def go_to(self, handle: str, position: int, search: str = "") -> None:
        """Show a turn of the open conversation, or of one that is about to be opened; mark words of a search in it."""
        self.loader.forget()
        self._sought = (handle, position)
        self.turns.delegate.mark(handle, position, search)
        self.turns.setFocus(Qt.FocusReason.OtherFocusReason)
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
        """Go to the turn that is sought, once its conversation is open."""
        if self._sought is not None and self._sought[0] == self.model.handle and self.model.turns:
            (_, position), self._sought = self._sought, None
            self.loader.seek(Place(position=position, chosen=True))

    def _on_reached(self, place: Place) -> None:
        if place.chosen:
            self.turns.go_to(place.position)
        else:
            self.turns.put_on_top(place.position)

    def _announce(self, turns: tuple[Turn, ...]) -> None:
        """Have each turn that has become final read aloud once, save what the person wrote: they know it."""
        if not turns or turns[-1].turn_id == self._announced:
            return
        newest = turns[-_AT_ONCE:]
        read = next((at for at, turn in enumerate(newest) if turn.turn_id == self._announced), -1)
        self._announced = turns[-1].turn_id
        for turn in newest[read + 1 :]:
            if turn.role is Role.ASSISTANT or not turn.typed:
                announce(self.turns, f"{speaker(turn.role)}: {turn.heard_text}")

    def _tell(self, notices: tuple[str, ...]) -> None:
        """Have passing lines read aloud once, such as how much was recovered."""
        new = notices and (notices[-1:] != self._told[-1:] or len(notices) > len(self._told))
        if new and notices[-1] != RENEWED:
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

    def _turns_page(self) -> QWidget:
        """Lay the bar over the margin of the turns: they stay in line with the text field when it comes."""
        page = QWidget(self)
        layout = QGridLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.turns, 0, 0)
        layout.addWidget(self.bar, 0, 0, Qt.AlignmentFlag.AlignRight)
        self.bar.raise_()
        return page


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
