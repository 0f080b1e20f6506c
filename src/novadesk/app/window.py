"""`novadesk`: the window, painted before anything is loaded that its first picture does not show.

What comes then, the loops and the core, is in `windowlife`.
"""

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from PySide6.QtWidgets import QApplication

from novadesk.app.code_keeper import CodeKeeper
from novadesk.app.crash import CrashKeeper
from novadesk.app.firstpaint import first_paint
from novadesk.app.haste import settle
from novadesk.app.later import Doorstep, Later, Questions, Wishes
from novadesk.app.qtstart import make_application
from novadesk.app.settings_keeper import SettingsKeeper
from novadesk.app.windowcheck import need_display
from novadesk.config import Settings
from novadesk.conversation import api
from novadesk.conversation.api import Requests
from novadesk.desktop.corelock import CoreLock
from novadesk.desktop.menuentry import APP_ID
from novadesk.diagnostics.crash import of_exception
from novadesk.errors import KnownError
from novadesk.logs import start_logs, stop_logs
from novadesk.paths import Folders, find_folders
from novadesk.settings_file import Opened, open_settings
from novadesk.ui import placement
from novadesk.ui.bridge import Bridge, ThreadsafeIntents
from novadesk.ui.i18n import use_language
from novadesk.ui.main_window import MainWindow
from novadesk.ui.theme import Scheme

if TYPE_CHECKING:
    from novadesk.app.windowlife import Hall
    from novadesk.conversation.firststeps import FirstSteps


def run_window(keeper: CodeKeeper, *, profile: str, hidden: bool = False, steps: bool = True) -> int:
    """Open the window and return the exit code once it is closed.

    Args:
        keeper: as `hurry` returned it.
        profile: name of a separate set of folders.
        hidden: begin in the tray; minimised where there is none.
        steps: begin with the first steps where they were not walked to their end.

    Raises:
        KnownError: no display, a broken settings file, another core on the same folder.
    """
    with ExitStack() as hurrying:
        hurrying.callback(settle, keeper)
        need_display()
        application = make_application()
        application.setApplicationName("NovaDesk")
        application.setDesktopFileName(APP_ID)
        application.setQuitOnLastWindowClosed(False)
        use_language("")
        start = _Start(application, keeper, find_folders(profile=profile), hidden, steps)
        try:
            again = start.run()
        except (KnownError, OSError) as error:
            hurrying.close()
            from novadesk.app.windowlife import give_way

            if give_way(application, error, start.folders, start.scheme, hidden=hidden):
                return 0
            raise
    if again:
        from novadesk.app.crashscreen import start_again

        start_again(profile)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is there with the first picture.

    Attributes:
        door: leads to the core's loop, once there is one.
        later: the core, once it is made.
        first: begin with the first steps: nothing is connected, and no microphone open, before they are over.
    """

    window: MainWindow
    bridge: Bridge
    door: Doorstep
    later: "Later[Hall]"
    keeper: SettingsKeeper
    crashes: CrashKeeper
    lock: CoreLock
    opened: Opened
    folders: Folders
    hidden: bool
    first: bool


@dataclass(slots=True)
class _Start:
    """The way to the first picture, and what follows it; `scheme` is that of the settings once they are read."""

    application: QApplication
    keeper: CodeKeeper
    folders: Folders
    hidden: bool
    steps: bool
    scheme: Scheme = Scheme.SYSTEM

    def run(self) -> bool:
        """Return whether the person wants it to start again."""
        self.folders.make()
        opened = open_settings(self.folders.settings_file)
        use_language(opened.settings.window.language)
        self.scheme = Scheme[opened.settings.window.scheme.name]
        logs = start_logs(self.folders.log_file)
        crashes = CrashKeeper(self.folders, opened.settings)
        crashes.start()
        lock = CoreLock(self.folders.core_lock)
        try:
            lock.acquire("window")  # before anything is shown that would have to go again
            shown = self._show(opened, crashes, lock)
            from novadesk.app.windowlife import live

            return live(self.application, shown)
        except KnownError:
            raise
        except Exception as bug:
            crashes.take("main thread", of_exception(bug))
            raise
        finally:
            lock.release()
            crashes.stop()
            stop_logs(logs)

    def _show(self, opened: Opened, crashes: CrashKeeper, lock: CoreLock) -> Shown:
        door, later = Doorstep(), cast("Later[Hall]", Later())
        bridge, first = Bridge(), self._is_first(opened.settings)

        def tell(words: str) -> None:
            with suppress(RuntimeError):  # the core has stopped
                door.call_soon_threadsafe(later.when_there, lambda hall: hall.core.note_settings(words))

        keeper = SettingsKeeper(self.folders.settings_file, tell)
        window = MainWindow(
            bridge,
            _make_intents(door, later),
            cast(Requests, Questions(later, lambda hall: hall.core)),
            opened.settings,
            partial(_keep, keeper, crashes),
            scheme=self.scheme,
            steps=cast("FirstSteps", Questions(later, lambda hall: hall.steps)),
            first=first,
        )
        placement.put_back(window, self.folders.placement_file)
        window.background.strip_file = self.folders.strip_file
        window.begin(hidden=self.hidden)
        first_paint(window)
        settle(self.keeper)
        window.background.show_tray()
        return Shown(
            window=window, bridge=bridge, door=door, later=later, keeper=keeper, crashes=crashes, lock=lock,
            opened=opened, folders=self.folders, hidden=self.hidden, first=first,
        )  # fmt: skip

    def _is_first(self, settings: Settings) -> bool:
        """Return whether nobody has walked the first steps to their end; who starts hidden does not look for them."""
        used = any(file.exists() for file in (self.folders.settings_file, self.folders.database))
        return self.steps and not self.hidden and (not used or settings.window.first_step > 0)


def _make_intents(door: Doorstep, later: "Later[Hall]") -> ThreadsafeIntents:
    """Return what takes wishes before there is a core; other settings may put other doors in their place."""
    wishes = cast(api.Wishes, Wishes(later, lambda hall: hall.core.controller))
    talking = cast(api.Talking, Wishes(later, lambda hall: hall.core.talk))
    return ThreadsafeIntents(door, lambda: wishes, lambda: talking)


def _keep(keeper: SettingsKeeper, crashes: CrashKeeper, settings: Settings) -> None:
    """Have settings written, and named in crash reports."""
    keeper.keep(settings)
    crashes.use(settings)
