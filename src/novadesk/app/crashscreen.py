"""Shows crash reports in the window: those of last time once it is open, those of this run as they come."""

import asyncio
import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from novadesk.app.command import own_command
from novadesk.app.crash import CrashKeeper
from novadesk.ui.main_window import MainWindow
from novadesk.ui.theme import Theme

if TYPE_CHECKING:
    from novadesk.ui.crash_dialog import CrashDialog


class CrashScreen:
    """Used on the main thread; made once the core holds the folder.

    Args:
        keeper: tells of reports.
        loop: the main thread's.
        theme: of the window.
        leave: ends the program.
    """

    def __init__(
        self, keeper: CrashKeeper, loop: asyncio.AbstractEventLoop, theme: Theme, leave: Callable[[], None]
    ) -> None:
        self._keeper, self._theme, self._leave = keeper, theme, leave
        self._parent: MainWindow | None = None
        self.dialog: CrashDialog | None = None
        self.restart = False

        def tell(file: Path) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self.show, file)

        self._tell = tell

    def open(self, parent: MainWindow) -> None:
        """Show the newest report of last time, unless the window hides, and from now on every new one."""
        self._parent = parent
        waiting = self._keeper.collect()
        for older in waiting[:-1]:
            self._note_seen(older)
        if waiting and parent.isVisible():
            self.show(waiting[-1], live=False)
        self._keeper.show_on(self._tell)

    def close(self) -> None:
        """Show nothing any more."""
        self._keeper.show_on(None)
        if self.dialog is not None:
            self.dialog.close()

    def show(self, file: Path, *, live: bool = True) -> None:
        """Show a report, unless another one is being read: it is shown at the next start then."""
        if self.dialog is not None or self._parent is None:
            return
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        from novadesk.ui.crash_dialog import CrashDialog

        self.dialog = CrashDialog(self._theme, text, live=live, on_restart=self._ask_to_restart, parent=self._parent)
        self.dialog.finished.connect(lambda _result: self._on_read(file))
        self.dialog.show()

    def _on_read(self, file: Path) -> None:
        self.dialog = None
        self._note_seen(file)

    def _note_seen(self, file: Path) -> None:
        with contextlib.suppress(OSError):  # then it is shown once more
            self._keeper.files.note_seen(file)

    def _ask_to_restart(self) -> None:
        if self._parent is not None:
            self._parent.ask_to_leave(self._restart)

    def _restart(self) -> None:
        self.restart = True
        self._leave()


def start_again(profile: str) -> None:
    """Start NovaDesk as a new process that outlives this one; to be called when everything here is closed."""
    arguments = ("--profile", profile) if profile else ()
    subprocess.Popen(
        own_command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
