"""The window's life after its first picture: the loops, the core on its own thread, and the end in order."""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication

os.environ.setdefault("QT_API", "pyside6")

import qasync

from novadesk.app.corethread import CoreThread
from novadesk.app.crashscreen import CrashScreen
from novadesk.app.heap import settled_heap
from novadesk.app.raising import ACTIVATION, raise_running
from novadesk.daemon import DaemonCall
from novadesk.diagnostics.loopwatch import WINDOW_STALL_S, LoopWatch
from novadesk.errors import KnownError, Reason, unusable
from novadesk.paths import Folders
from novadesk.ui import placement
from novadesk.ui.main_window import MainWindow
from novadesk.ui.theme import Scheme, Theme

if TYPE_CHECKING:
    from novadesk.app.core import Core
    from novadesk.app.firststeps import FirstSteps
    from novadesk.app.window import Shown

_PATIENCE_S, _LOOK_S = 5.0, 0.25
_LOOKS = 60


def live(application: QApplication, shown: "Shown") -> bool:
    """Run until the window is closed for good; return whether the person wants NovaDesk to start again."""

    async def run() -> bool:
        loop = asyncio.get_running_loop()
        shown.crashes.watch(loop, "main thread")
        with settled_heap(loop):
            return await _Life(shown, _leaving(loop), loop).run()

    with qasync.QEventLoop(application) as loop:
        return bool(loop.run_until_complete(run()))


def give_way(
    application: QApplication, error: KnownError | OSError, folders: Folders, scheme: Scheme, *, hidden: bool
) -> bool:
    """Raise the window that was faster and return True, or say what stands in the way until that is closed."""

    async def run() -> bool:
        leaving = _leaving(asyncio.get_running_loop())
        if isinstance(error, KnownError):
            if error.reason is Reason.ALREADY_RUNNING and await _raise_soon(folders, hidden=hidden):
                return True
            await _tell(error, scheme, leaving)
        elif error.filename is not None:
            await _tell(unusable(error), scheme, leaving)
        return False

    with qasync.QEventLoop(application) as loop:
        return bool(loop.run_until_complete(run()))


@dataclass(frozen=True, slots=True)
class Hall:
    """What the window's questions and wishes find once it is made."""

    core: "Core"
    steps: "FirstSteps"


@dataclass(slots=True)
class _Life:
    """Core up, wait for quit, window down, core down."""

    shown: "Shown"
    leaving: asyncio.Event
    loop: asyncio.AbstractEventLoop

    async def run(self) -> bool:
        """Return whether the person wants it to start again."""
        shown, window = self.shown, self.shown.window
        thread = CoreThread()
        core_loop = thread.start()
        shown.crashes.watch(core_loop, "core thread")
        shown.door.lead_to(core_loop)
        shown.bridge.attach(core_loop)

        def tell_stall(late_s: float) -> None:
            shown.door.call_soon_threadsafe(
                shown.later.when_there, lambda hall: hall.core.diagnosis.note_window_stall(late_s)
            )

        watch = LoopWatch(self.loop, tell_stall, threshold_s=WINDOW_STALL_S, resting=partial(_is_away, window))
        core: Core | None = None
        windows = [window]  # empty once it is closed for good
        try:
            core = await asyncio.wrap_future(thread.submit(lambda: self._make_core(windows)))
            if note := shown.opened.note:
                shown.door.call_soon_threadsafe(shown.later.when_there, lambda hall: hall.core.note_settings(note))
            watch.start()
            window.welcome_newcomer()
            again = await self._until_left(window)
        finally:
            watch.stop()
            windows.clear()
            placement.keep(window, shown.folders.placement_file)
            window.finish()
            shown.keeper.close()
            core_loop.call_soon_threadsafe(shown.later.give_up)
            if core is not None:
                await asyncio.wrap_future(thread.submit(core.stop))
            shown.bridge.close()
            thread.stop()
        return again

    async def _until_left(self, window: MainWindow) -> bool:
        """Show the faults of last time and of this run meanwhile; return whether the person wants a new start."""
        screen = CrashScreen(self.shown.crashes, self.loop, window.theme, self.leaving.set)
        screen.open(window)
        await self.leaving.wait()
        screen.close()
        return screen.restart

    async def _make_core(self, windows: list[MainWindow]) -> "Core":
        """Make the core, on its own loop. What it is made of takes a second to load, so the window comes first."""
        from novadesk.app.core import Core, Start
        from novadesk.app.firststeps import FirstSteps

        shown, loop = self.shown, self.loop

        def leave() -> None:
            loop.call_soon_threadsafe(self.leaving.set)

        def show(activation: str) -> None:
            loop.call_soon_threadsafe(_show, windows, activation)

        settings, folders, publish = shown.opened.settings, shown.folders, shown.bridge.publish
        core = Core(settings=settings, folders=folders, publish=publish, on_quit=leave, on_show=show, lock=shown.lock)
        connect = not shown.first and not shown.hidden
        await core.start(Start(role="window", talk_key=True, connect=connect))
        shown.later.arrive(Hall(core, FirstSteps(core, settings, folders)))
        return core


def _leaving(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """Return what is set when the program is told to end."""
    leaving = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, leaving.set)
    return leaving


def _is_away(window: MainWindow) -> bool:
    return not window.isVisible() or window.isMinimized()


async def _raise_soon(folders: Folders, *, hidden: bool) -> bool:
    """Raise the window of whoever was faster by a moment; return whether there is one."""
    for _ in range(_LOOKS):
        found = DaemonCall(lambda: raise_running(folders, hidden=hidden), name="novadesk-raise")
        if await found.result(deadline_s=_PATIENCE_S):
            return True
        await asyncio.sleep(_LOOK_S)
    return False


def _show(windows: list[MainWindow], activation: str) -> None:
    """Bring the window to the front, with the right to do so that another start was given."""
    if activation:
        os.environ[ACTIVATION] = activation  # where Qt looks for it
    for window in windows:
        window.come_forward()


async def _tell(error: KnownError, scheme: Scheme, leaving: asyncio.Event) -> None:
    """Show an error until the person, or a signal, closes the box."""
    from novadesk.ui.start_error import StartError

    box = StartError(Theme(scheme), error)
    box.finished.connect(leaving.set)
    box.show()
    await leaving.wait()
    box.hide()
