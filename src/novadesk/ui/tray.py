"""The tray: what state NovaDesk is in, and the few things to do without the window."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon, QWidget

from novadesk.conversation.api import Intents, Phase, Snapshot
from novadesk.models import Role
from novadesk.ui import resources
from novadesk.ui.i18n import tr
from novadesk.ui.notices import Notice
from novadesk.ui.states import line_of, state_words
from novadesk.ui.theme import Theme
from novadesk.ui.tokens import DARK, LIGHT

_CLOSED = frozenset({Phase.OFFLINE, Phase.IDLE, Phase.ENDED, Phase.FAILED})
_EDGES = (16, 22, 24, 32, 48)
_TOLD_MS = 6_000


class Tray(QObject):
    """The icon in the tray and its menu. Without a tray it is made all the same and shown nowhere.

    Args:
        intents: takes wishes.
        theme: dresses the menu.
        quit_wanted: leaves, after asking what has to be asked.
        owner: the window, which owns the menu.
    """

    wanted = Signal()
    """The window is to come to the front."""

    strip_wanted = Signal()
    """The mini strip is to come, or to go."""

    def __init__(self, intents: Intents, theme: Theme, quit_wanted: Callable[[], object], owner: QWidget) -> None:
        super().__init__(owner)
        self._intents = intents
        self._snapshot = Snapshot()
        self._drawn: tuple[str, str] | None = None
        self.menu = QMenu(owner)
        self.menu.setAccessibleName("NovaDesk")
        self.show_window = self.menu.addAction(tr("Show NovaDesk"), self.wanted.emit)
        self.menu.addSeparator()
        self.talk = self.menu.addAction("", self._on_talk)
        self.mute = self.menu.addAction(tr("Mute the microphone"), self._on_mute)
        self.mute.setCheckable(True)
        self.copy = self.menu.addAction(tr("Copy the last answer"), self._on_copy)
        self.strip = self.menu.addAction(tr("Mini strip"), self.strip_wanted.emit)
        self.strip.setCheckable(True)
        self.menu.addSeparator()
        self.quit = self.menu.addAction(tr("Quit NovaDesk"), quit_wanted)
        self.menu.setDefaultAction(self.show_window)
        theme.dress(self.menu)
        self.icon = QSystemTrayIcon(self)
        self.icon.setContextMenu(self.menu)
        self.icon.activated.connect(self._on_activated)
        self.icon.messageClicked.connect(self.wanted)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._draw_anew)
        self._wished = True
        self.show_snapshot(self._snapshot)
        self.icon.setVisible(self.available)

    @property
    def available(self) -> bool:
        """Return whether there is an icon for the person now; the desktop's tray may come and go."""
        return self._wished and QSystemTrayIcon.isSystemTrayAvailable()

    def wish(self, on: bool) -> None:
        """Show the icon where there is a tray, or no more."""
        if on is not self._wished:
            self._wished = on
            self.icon.setVisible(self.available)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw a snapshot; nothing is touched that stays as it is."""
        self._snapshot = snapshot
        line = line_of(snapshot)
        words = tr("NovaDesk: {state}", state=state_words(snapshot, None))
        if (line.shape, words) != self._drawn:
            self._drawn = line.shape, words
            self._draw()
        closed = snapshot.phase in _CLOSED
        self.talk.setText(tr("Start the conversation") if closed else tr("End the conversation"))
        self.mute.setChecked(snapshot.muted)
        self.copy.setEnabled(bool(last_answer(snapshot)))

    def show_strip(self, shown: bool) -> None:
        """Tick the mini strip, or not."""
        self.strip.setChecked(shown)

    def tell(self, notice: Notice) -> None:
        """Show a notice of the desktop, where there is a tray to show it."""
        if self.available and QSystemTrayIcon.supportsMessages():
            kind = QSystemTrayIcon.MessageIcon.Warning if notice.bad else QSystemTrayIcon.MessageIcon.Information
            self.icon.showMessage(tr(notice.title), tr(notice.words), kind, _TOLD_MS)

    def hide(self) -> None:
        """Take the icon away."""
        self.icon.hide()

    def _draw_anew(self) -> None:
        self._drawn = None
        self.show_snapshot(self._snapshot)

    def _draw(self) -> None:
        """Draw for the panel of the desktop, whose colours follow the system and not the window's scheme."""
        dark = QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
        palette = DARK if dark else LIGHT
        line = line_of(self._snapshot)
        icon = QIcon()
        for edge in _EDGES:
            icon.addPixmap(resources.pixmap(line.shape, palette.of(line.tone), edge))
        self.icon.setIcon(icon)
        if self._drawn is not None:
            self.icon.setToolTip(self._drawn[1])

    def _on_activated(self, how: QSystemTrayIcon.ActivationReason) -> None:
        if how in (QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick):
            self.wanted.emit()

    def _on_talk(self) -> None:
        if self._snapshot.phase in _CLOSED:
            self._intents.try_now()
        else:
            self._intents.end_conversation()

    def _on_mute(self) -> None:
        self._intents.set_muted(not self._snapshot.muted)

    def _on_copy(self) -> None:
        QApplication.clipboard().setText(last_answer(self._snapshot))


def last_answer(snapshot: Snapshot) -> str:
    """Return what was heard of the last answer, or nothing."""
    return next((turn.heard_text for turn in reversed(snapshot.turns) if turn.role is Role.ASSISTANT), "")
