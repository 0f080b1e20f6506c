"""NovaDesk without its window: what closing means, tray and mini strip, what the desktop is told meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMainWindow

from novadesk.conversation.api import Intents, Requests, Snapshot
from novadesk.text import Text
from novadesk.ui.bridge import Bridge
from novadesk.ui.i18n import tr
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.notices import Notice, Notices
from novadesk.ui.theme import Theme

if TYPE_CHECKING:
    from pathlib import Path

    from novadesk.ui.mini_strip import MiniStrip
    from novadesk.ui.question import Question
    from novadesk.ui.tray import Tray

_IN_TRAY = Notice(
    title=Text("NovaDesk is still running"),
    words=Text("It stays in the tray, so that the talk key works. To leave it, choose Quit in its menu there."),
)


class Background(QObject):
    """Owns tray and mini strip, made when they are first asked for, and decides what closing the window does.

    Args:
        window: the window.
        bridge: brings snapshots to the strip, carries notices to the desktop where there is no tray.
        requests: hands them on.
        intents: takes wishes of the tray.
        theme: dresses its menu.
        settings: the settings as they are now.
        quit_wanted: leaves, after asking what has to be asked.
        wanted: brings the window to the front.
    """

    def __init__(
        self,
        window: QMainWindow,
        bridge: Bridge,
        requests: Requests,
        intents: Intents,
        theme: Theme,
        settings: LiveSettings,
        *,
        quit_wanted: Callable[[], None],
        wanted: Callable[[], None],
    ) -> None:
        super().__init__(window)
        self._window, self._bridge, self._requests = window, bridge, requests
        self._intents, self._theme, self._settings = intents, theme, settings
        self._quit, self._wanted = quit_wanted, wanted
        self._notices = Notices()
        self._snapshot = Snapshot()
        self.question: Question | None = None
        self._tray: Tray | None = None
        self.strip: MiniStrip | None = None
        self.strip_file: Path | None = None
        """Keeps where the strip lies; to be set before it is shown."""

    @property
    def tray(self) -> "Tray":
        """Return the tray, with its icon shown as the settings say."""
        if self._tray is None:
            from novadesk.ui.tray import Tray

            tray = self._tray = Tray(self._intents, self._theme, self._quit, self._window)
            tray.wanted.connect(self._wanted)
            tray.strip_wanted.connect(self.toggle_strip)
            tray.show_strip(self.strip is not None and self.strip.isVisible())
            tray.wish(self._settings.now.window.tray)
            tray.show_snapshot(self._snapshot)
            self._settings.changed.connect(self._on_settings)
        return self._tray

    def show_tray(self) -> None:
        """Have the tray there from now on, where the settings want it; a window is painted before."""
        self.tray.show_snapshot(self._snapshot)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the tray, and tell what matters while the window is not in front."""
        self._snapshot = snapshot
        if self._tray is not None:
            self._tray.show_snapshot(snapshot)
        if self.strip is not None and self.strip.isVisible():
            self.strip.show_snapshot(snapshot)
        notice = self._notices.look(snapshot, seen=self._window.isActiveWindow())
        if notice is not None and self._settings.now.window.notifications:
            self._tell(notice)
            QApplication.alert(self._window)

    def toggle_strip(self) -> None:
        """Show the mini strip, or take it away."""
        if self.strip is None:
            from novadesk.ui.mini_strip import MiniStrip

            strip = self.strip = MiniStrip(self._intents, self._theme, self.strip_file)
            strip.window_wanted.connect(self._wanted)
            strip.shown_changed.connect(self._on_strip)
            self._bridge.snapshot_changed.connect(strip.show_snapshot)
        if self.strip.isVisible():
            self.strip.hide()
        else:
            self.strip.show_snapshot(self._snapshot)
            self.strip.appear()

    def take_close(self) -> bool:
        """Leave the window for the tray, or for the task bar; return False when closing means to quit."""
        settings = self._settings.now
        if not settings.window.close_to_tray or _session_ends():
            return False
        told = settings.window.told_of_tray
        if not told:
            self._settings.remember(replace(settings, window=replace(settings.window, told_of_tray=True)))
        if not told and not self.tray.available:
            self._say_once()
            return True
        self.leave_window()
        if not told:
            self.tray.tell(_IN_TRAY)
        return True

    def leave_window(self) -> None:
        """Put the window where a click brings it forward."""
        if self.tray.available:
            self._window.hide()
        else:
            self._window.showMinimized()

    def finish(self) -> None:
        """Take the icon away, and the strip."""
        if self._tray is not None:
            self._tray.hide()
        if self.strip is not None:
            self.strip.close()
            self.strip.deleteLater()
            self.strip = None

    def _on_strip(self, shown: bool) -> None:
        if self._tray is not None:
            self._tray.show_strip(shown)

    def _tell(self, notice: Notice) -> None:
        """Show a notice beside the icon, or without one where there is no tray."""
        if self.tray.available:
            self.tray.tell(notice)
            return
        title, words = tr(notice.title), tr(notice.words)
        self._bridge.ask(lambda: self._requests.notify(title, words), _nothing, _nothing, owner=self)

    def _on_settings(self) -> None:
        self.tray.wish(self._settings.now.window.tray)

    def _say_once(self) -> None:
        """Say where the window goes on a desktop without a tray, before it goes there."""
        from novadesk.ui.question import Question

        box = self.question = Question(
            self._theme,
            self._window,
            text=tr("Keep NovaDesk running?"),
            detail=tr(
                "This desktop has no tray, so closing the window minimises it, and the talk key goes on working. "
                "Ctrl+Q quits NovaDesk."
            ),
            do=tr("Quit"),
            keep=tr("Keep it running"),
            on_do=self._quit,
        )
        box.rejected.connect(self._window.showMinimized)
        box.finished.connect(self._on_said)
        box.open()

    def _on_said(self) -> None:
        self.question = None


def _nothing(_outcome: object) -> None:
    """Let it be: the window, the task bar and the cue tell of it too."""


def _session_ends() -> bool:
    """Return whether the desktop closes the windows because the person signs out."""
    application = QGuiApplication.instance()
    return isinstance(application, QGuiApplication) and application.isSavingSession()
