"""`novadesk`: the window on the main thread, the core on its own."""

import asyncio
import logging
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

os.environ.setdefault("QT_API", "pyside6")

import qasync

from novadesk.app.corethread import CoreThread
from novadesk.app.crash import CrashKeeper
from novadesk.app.crashscreen import CrashScreen, start_again
from novadesk.app.firstpaint import first_paint
from novadesk.app.haste import settle
from novadesk.app.heap import settled_heap
from novadesk.app.later import Later, Questions, Wishes
from novadesk.app.qtstart import make_application
from novadesk.app.raising import ACTIVATION, raise_running
from novadesk.app.settings_keeper import SettingsKeeper
from novadesk.app.windowcheck import need_display
from novadesk.config import Settings
from novadesk.conversation import api
from novadesk.conversation.api import Intents, Requests
from novadesk.daemon import DaemonCall
from novadesk.desktop.instance import CoreLock
from novadesk.diagnostics.crash import of_exception
from novadesk.diagnostics.loopwatch import WINDOW_STALL_S, LoopWatch
from novadesk.errors import KnownError, Reason, unusable
from novadesk.logs import start_logs, stop_logs
from novadesk.paths import Folders, find_folders
from novadesk.settings_file import Opened, open_settings
from novadesk.ui import placement
from novadesk.ui.bridge import Bridge, ThreadsafeIntents
from novadesk.ui.i18n import use_language
from novadesk.ui.main_window import MainWindow
from novadesk.ui.theme import Scheme, Theme

if TYPE_CHECKING:
    from novadesk.app.core import Core
    from novadesk.app.firststeps import FirstSteps
    from novadesk.conversation.firststeps import FirstSteps as FirstStepsAnswers

_log = logging.getLogger(__name__)

_PATIENCE_S, _LOOK_S = 5.0, 0.25
_LOOKS = 60


def run_window(*, profile: str, hidden: bool = False) -> int:
    """Open the window and return the exit code once it is closed.

    Args:
        profile: name of a separate set of folders.
        hidden: begin in the tray; minimised where there is none.

    Raises:
        KnownError: no display, a broken settings file, another core on the same folder.
    """
    need_display()
    application = make_application()
    application.setApplicationName("NovaDesk")
    application.setDesktopFileName("novadesk")
    application.setQuitOnLastWindowClosed(False)
    with qasync.QEventLoop(application) as loop:
        again = bool(loop.run_until_complete(_open(profile, hidden=hidden)))
    if again:
        start_again(profile)
    return 0


async def _open(profile: str, *, hidden: bool) -> bool:
    """Run the window; say what stands in its way in a box, and to the caller. Return whether to start it again."""
    leaving = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, leaving.set)
    scheme, folders = Scheme.SYSTEM, find_folders(profile=profile)
    use_language("")
    try:
        folders.make()
        opened = open_settings(folders.settings_file)
        use_language(opened.settings.window.language)
        scheme = Scheme[opened.settings.window.scheme.name]
        logs = start_logs(folders.log_file)
        crashes = CrashKeeper(folders, opened.settings)
        crashes.start()
        crashes.watch(loop, "main thread")
        try:
            with settled_heap(loop):
                return await _Desktop(opened, folders, scheme, leaving, hidden, loop, crashes).run()
        except KnownError:
            raise
        except Exception as bug:
            crashes.take("main thread", of_exception(bug))
            raise
        finally:
            crashes.stop()
            stop_logs(logs)
    except KnownError as error:
        if error.reason is Reason.ALREADY_RUNNING and await _raise_soon(folders, hidden=hidden):
            return False
        await _tell(error, scheme, leaving)
        raise
    except OSError as error:
        if error.filename is not None:
            await _tell(unusable(error), scheme, leaving)
        raise


@dataclass(frozen=True, slots=True)
class _Hall:
    """What the window's questions and wishes find once it is made."""

    core: "Core"
    steps: "FirstSteps"


@dataclass(slots=True)
class _Desktop:
    """The window's life: window up, core up, wait for quit, window down, core down."""

    opened: Opened
    folders: Folders
    scheme: Scheme
    leaving: asyncio.Event
    hidden: bool
    loop: asyncio.AbstractEventLoop
    crashes: CrashKeeper

    async def run(self) -> bool:
        """Return whether the person wants it to start again."""
        lock = CoreLock(self.folders.core_lock)
        lock.acquire("window")  # before anything is shown that would have to go again
        thread = CoreThread()
        core_loop = thread.start()
        self.crashes.watch(core_loop, "core thread")
        bridge, later = Bridge(core_loop), Later[_Hall](core_loop)

        def tell(words: str) -> None:
            with suppress(RuntimeError):  # the core has stopped
                core_loop.call_soon_threadsafe(later.when_there, lambda hall: hall.core.note_settings(words))

        def tell_stall(late_s: float) -> None:
            core_loop.call_soon_threadsafe(later.when_there, lambda hall: hall.core.diagnosis.note_window_stall(late_s))

        keeper = SettingsKeeper(self.folders.settings_file, tell)
        first = self._is_first()  # then nothing is connected, and no microphone open, before its steps are over
        window = self._make_window(bridge, later, _make_intents(core_loop, later), keeper, first=first)
        watch = LoopWatch(self.loop, tell_stall, threshold_s=WINDOW_STALL_S, resting=partial(_is_away, window))
        core: Core | None = None
        shown = [window]  # empty once it is closed for good
        try:
            placement.put_back(window, self.folders.placement_file)
            window.begin(hidden=self.hidden)
            await first_paint(window)
            settle()
            making = thread.submit(lambda: self._make_core(bridge, later, shown, lock, connect=not first))
            core = await asyncio.wrap_future(making)
            if self.opened.note:
                tell(self.opened.note)
            watch.start()
            again = await self._until_left(window)
        finally:
            watch.stop()
            shown.clear()
            placement.keep(window, self.folders.placement_file)
            window.finish()
            keeper.close()
            core_loop.call_soon_threadsafe(later.give_up)
            if core is not None:
                await asyncio.wrap_future(thread.submit(core.stop))
            bridge.close()
            thread.stop()
            lock.release()
        return again

    async def _until_left(self, window: MainWindow) -> bool:
        """Show the faults of last time and of this run meanwhile; return whether the person wants a new start."""
        screen = CrashScreen(self.crashes, self.loop, window.theme, self.leaving.set)
        screen.open(window)
        await self.leaving.wait()
        screen.close()
        return screen.restart

    def _make_window(
        self, bridge: Bridge, later: Later[_Hall], intents: Intents, keeper: SettingsKeeper, *, first: bool
    ) -> MainWindow:
        return MainWindow(
            bridge,
            intents,
            cast(Requests, Questions(later, lambda hall: hall.core)),
            self.opened.settings,
            partial(_keep, keeper, self.crashes),
            scheme=self.scheme,
            steps=cast("FirstStepsAnswers", Questions(later, lambda hall: hall.steps)),
            first=first,
        )

    async def _make_core(
        self, bridge: Bridge, later: Later[_Hall], shown: list[MainWindow], lock: CoreLock, *, connect: bool
    ) -> "Core":
        """Make the core, on its own loop. What it is made of takes a second to load, so the window comes first."""
        from novadesk.app.core import Core, Start
        from novadesk.app.firststeps import FirstSteps

        loop = self.loop

        def leave() -> None:
            loop.call_soon_threadsafe(self.leaving.set)

        def show(activation: str) -> None:
            loop.call_soon_threadsafe(_show, shown, activation)

        settings, folders = self.opened.settings, self.folders
        core = Core(settings=settings, folders=folders, publish=bridge.publish, on_quit=leave, on_show=show, lock=lock)
        await core.start(Start(role="window", talk_key=True, connect=connect and not self.hidden))
        later.arrive(_Hall(core, FirstSteps(core, settings, folders)))
        return core

    def _is_first(self) -> bool:
        """Return whether nobody has walked the first steps to their end; who starts hidden does not look for them."""
        used = any(file.exists() for file in (self.folders.settings_file, self.folders.database))
        return not self.hidden and (not used or self.opened.settings.window.first_step > 0)


def _make_intents(core_loop: asyncio.AbstractEventLoop, later: Later[_Hall]) -> ThreadsafeIntents:
    """Return what takes wishes before there is a core; other settings may put other doors in their place."""
    wishes = cast(api.Wishes, Wishes(later, lambda hall: hall.core.controller))
    talking = cast(api.Talking, Wishes(later, lambda hall: hall.core.talk))
    return ThreadsafeIntents(core_loop, lambda: wishes, lambda: talking)


def _is_away(window: MainWindow) -> bool:
    return not window.isVisible() or window.isMinimized()


def _keep(keeper: SettingsKeeper, crashes: CrashKeeper, settings: Settings) -> None:
    """Have settings written, and named in crash reports."""
    keeper.keep(settings)
    crashes.use(settings)


async def _raise_soon(folders: Folders, *, hidden: bool) -> bool:
    """Raise the window of whoever was faster by a moment; return whether there is one."""
    for _ in range(_LOOKS):
        found = DaemonCall(lambda: raise_running(folders, hidden=hidden), name="novadesk-raise")
        if await found.result(deadline_s=_PATIENCE_S):
            return True
        await asyncio.sleep(_LOOK_S)
    return False


def _show(shown: list[MainWindow], activation: str) -> None:
    """Bring the window to the front, with the right to do so that another start was given."""
    if activation:
        os.environ[ACTIVATION] = activation  # where Qt looks for it
    for window in shown:
        window.come_forward()


async def _tell(error: KnownError, scheme: Scheme, leaving: asyncio.Event) -> None:
    """Show an error until the person, or a signal, closes the box."""
    from novadesk.ui.start_error import StartError

    box = StartError(Theme(scheme), error)
    box.finished.connect(leaving.set)
    box.show()
    await leaving.wait()
    box.hide()
