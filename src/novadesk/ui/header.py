"""The line above the conversation: its title, the one state line, privacy and sync, and the buttons that end it."""

from PySide6.QtCore import QElapsedTimer, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from novadesk.conversation.api import Intents, Pause, Phase, Snapshot
from novadesk.ui import tokens
from novadesk.ui.actions import add_actions
from novadesk.ui.announce import announce
from novadesk.ui.controls import ElidedLabel, IconButton, ShapeLabel
from novadesk.ui.i18n import tr
from novadesk.ui.scenario_badge import ScenarioBadge
from novadesk.ui.states import line_of, state_words
from novadesk.ui.theme import Theme
from novadesk.ui.words import connection_note, sync_line

_LIVE = frozenset(
    {
        Phase.CONNECTING,
        Phase.READY,
        Phase.LISTENING,
        Phase.THINKING,
        Phase.TOOL,
        Phase.SPEAKING,
        Phase.INTERRUPTED,
        Phase.RENEWING,
        Phase.RECONNECTING,
        Phase.FAILED,
    }
)


class StateLabel(QWidget):
    """The one state line: shape, word and colour; counts down to the next attempt by itself.

    Args:
        gives_way: cut the words where there is no room for them.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, gives_way: bool = False) -> None:
        super().__init__(parent)
        self.setObjectName("state")
        self._snapshot = Snapshot()
        self._narrow = False
        self._since = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(500)
        self._timer.timeout.connect(self._write)
        self.shape = ShapeLabel(theme, 14, self)
        self.word = ElidedLabel(self, least_chars=0) if gives_way else QLabel(self)
        self.word.setObjectName("stateWord")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(6))
        layout.addWidget(self.shape)
        layout.addWidget(self.word)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the state."""
        line = line_of(snapshot)
        self.shape.set_shape(line.shape, line.tone)
        if snapshot.retry_in_s != self._snapshot.retry_in_s or snapshot.phase is not self._snapshot.phase:
            self._since.start()
        self._snapshot = snapshot
        counting = snapshot.phase is Phase.RECONNECTING and bool(snapshot.retry_in_s)
        if counting != self._timer.isActive():
            self._timer.start() if counting else self._timer.stop()
        self._write()

    @property
    def words(self) -> str:
        """Return what it says, uncut."""
        return self.word.whole if isinstance(self.word, ElidedLabel) else self.word.text()

    def set_narrow(self, narrow: bool) -> None:
        """Say it in few words where there is little room."""
        self._narrow = narrow
        self._write()

    def _write(self) -> None:
        left = self._snapshot.retry_in_s
        if left is not None and self._since.isValid():
            left = max(0.0, left - self._since.elapsed() / 1000)
        words = state_words(self._snapshot, left, short=self._narrow)
        if isinstance(self.word, ElidedLabel):
            self.word.set_whole(words)
        elif words != self.word.text():
            self.word.setText(words)


class PrivateBadge(QFrame):
    """Says that nothing of the open conversation is kept, with a picture and in words."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("privateBadge")
        shape = ShapeLabel(theme, 14, self)
        shape.set_shape("private", tokens.Tone.PLAIN)
        self.word = QLabel(tr("Private"), self)
        words = tr("Nothing of this conversation is written or synced. It is gone when you leave it.")
        self.setToolTip(words)
        self.setAccessibleName(tr("Private conversation"))
        self.setAccessibleDescription(words)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.px(6), theme.px(1), theme.px(tokens.SPACE_2), theme.px(1))
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addWidget(shape)
        layout.addWidget(self.word)
        self.hide()

    def show_private(self, private: bool) -> None:
        """Show the badge, or take it away; its coming is read aloud."""
        if private and self.isHidden():
            announce(self, f"{self.accessibleName()}. {self.accessibleDescription()}")
        self.setVisible(private)


class SyncLabel(QWidget):
    """What is not saved or not synced yet, and why; nothing while all is well."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("syncLine")
        self.shape = ShapeLabel(theme, 14, self)
        self.words = ElidedLabel(self, least_chars=0)
        self.words.setObjectName("backend")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addWidget(self.shape)
        layout.addWidget(self.words, 1)
        self.hide()

    def show_snapshot(self, snapshot: Snapshot, *, late: bool) -> None:
        """Draw where the turns are; `late` when some have waited longer than a delivery takes."""
        line = sync_line(snapshot, late=late)
        self.setVisible(line is not None)
        if line is not None:
            self.shape.set_shape(line.shape, line.tone)
            self.words.set_whole(line.words)
            self.setToolTip(line.words)


class Header(QFrame):
    """Title, state, backend, and the buttons that open and end."""

    sidebar_wanted = Signal()
    details_wanted = Signal()

    def __init__(self, intents: Intents, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self._theme, self._intents = theme, intents
        self._narrow, self._pause = False, Pause.OFF
        self.sidebar = IconButton(theme, "sidebar", tr("Show conversations"), parent=self)
        self.sidebar.clicked.connect(self.sidebar_wanted)
        self.title = ElidedLabel(self)
        self.title.setObjectName("title")
        self.private = PrivateBadge(theme, self)
        self.sync = SyncLabel(theme, self)
        self.backend = ElidedLabel(self, least_chars=0)
        self.backend.setObjectName("backend")
        self.state = StateLabel(theme, self)
        self.scenario = ScenarioBadge(theme, self)
        self.again, self.pause = self._make_ways(theme)
        self.end = IconButton(theme, "end", tr("End the conversation"), shown=tr("End"), shortcut="Ctrl+E", parent=self)
        self.end.clicked.connect(intents.end_conversation)
        self.details = IconButton(theme, "details", tr("Details"), shortcut="Ctrl+I", parent=self)
        self.details.setCheckable(True)
        self.details.clicked.connect(self.details_wanted)
        words = QVBoxLayout()
        words.setSpacing(theme.px(2))
        above = QHBoxLayout()
        above.setSpacing(theme.px(tokens.SPACE_2))
        above.addWidget(self.title)
        above.addWidget(self.private)
        above.addWidget(self.scenario)
        above.addStretch(1)
        words.addLayout(above)
        below = QHBoxLayout()
        below.setSpacing(theme.px(tokens.SPACE_2))
        named = QHBoxLayout()
        named.setSpacing(theme.px(tokens.SPACE_1))
        named.addWidget(self.state)
        named.addWidget(self.backend)
        below.addLayout(named)
        below.addWidget(self.sync, 1)
        below.addStretch(0)
        words.addLayout(below)
        layout = self._line = QHBoxLayout(self)
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addWidget(self.sidebar)
        layout.addLayout(words, 1)
        for button in (self.again, self.pause, self.end, self.details):
            layout.addWidget(button)

    def _make_ways(self, theme: Theme) -> tuple[IconButton, IconButton]:
        """Return the buttons that begin again and take a break."""
        again = IconButton(
            theme,
            "again",
            tr("New conversation with the same scenario"),
            shown=tr("Practice again"),
            shortcut="Ctrl+R",
            parent=self,
        )
        again.hide()
        pause = IconButton(theme, "pause", tr("Pause"), shown=tr("Pause"), shortcut="Ctrl+P", parent=self)
        pause.clicked.connect(self.toggle_pause)
        add_actions(self, [("Ctrl+P", tr("Pause, or resume"), self.toggle_pause)])
        return again, pause

    def show_snapshot(self, snapshot: Snapshot, *, late: bool = False) -> None:
        """Draw title, state, backend and sync; `late` when turns wait for sync longer than a delivery takes."""
        conversation = snapshot.conversation
        title = (conversation.title or conversation.label) if conversation is not None else tr("New conversation")
        self.title.set_whole(title)
        self.private.show_private(conversation is not None and conversation.private)
        self.state.show_snapshot(snapshot)
        self.sync.show_snapshot(snapshot, late=late)
        self._make_room()
        name, note = tr(snapshot.backend_name), connection_note(snapshot.connection)
        shown = tr("· {backend} · {connection}", backend=name, connection=note) if note else f"· {name}"
        self.backend.set_whole(shown if name else "")
        resting = snapshot.phase is Phase.IDLE and bool(snapshot.turns)
        self.end.setEnabled(resting or snapshot.phase in _LIVE or snapshot.pause is Pause.PAUSED)
        self.scenario.show_snapshot(snapshot)
        self._show_pause(snapshot)

    def toggle_pause(self) -> None:
        """Take a break, or go on."""
        if self._pause in (Pause.PAUSED, Pause.PAUSING):
            self._intents.resume_conversation()
        elif self.pause.isEnabled():
            self._intents.pause_conversation()

    def _show_pause(self, snapshot: Snapshot) -> None:
        """Draw the break as far as the service has agreed to it, and the way to practise again after an end."""
        self._pause = snapshot.pause
        paused = snapshot.pause in (Pause.PAUSED, Pause.PAUSING)
        ended = snapshot.phase is Phase.ENDED
        self.again.setVisible(ended and snapshot.scenario is not None)
        self.pause.setVisible(not ended)
        self.pause.setEnabled(paused or (snapshot.phase in _LIVE and snapshot.phase is not Phase.FAILED))
        self.pause.set_icon("resume" if paused else "pause")
        self.pause.setText(tr("Resume") if paused else tr("Pause"))
        self.pause.set_name(self.pause.text())

    def set_narrow(self, narrow: bool) -> None:
        """Show icons only where there is no room for words, and the way to the folded sidebar."""
        style = Qt.ToolButtonStyle.ToolButtonIconOnly if narrow else Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        for button in (self.again, self.pause, self.end):
            button.setToolButtonStyle(style)
        self.sidebar.setVisible(narrow)
        left = tokens.SPACE_4 if narrow else tokens.SPACE_5  # the first button's picture stands where the words would
        self._line.setContentsMargins(*map(self._theme.px, (left, 10, tokens.SPACE_4, 10)))
        self._narrow = narrow
        self.state.set_narrow(narrow)
        self._make_room()

    def _make_room(self) -> None:
        """Where there is little, what is not synced is worth more than the backend's name."""
        self.backend.setVisible(not self._narrow or self.sync.isHidden())
        self.scenario.set_narrow(self._narrow)
