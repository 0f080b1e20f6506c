"""Takes every fault of the program that nobody caught, whichever thread or process it befell, and writes one file.

Nothing is ever sent. The file is shown at once where a window lives, else at the next start.
"""

import contextlib
import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from novadesk.app.facts import hidden, log_tail, program
from novadesk.config import Settings
from novadesk.diagnostics.crash import Crash, CrashFiles, make_crash_report, of_dump, of_exception
from novadesk.paths import Folders

if TYPE_CHECKING:
    import asyncio

_log = logging.getLogger(__name__)

MOST = 5
"""Reports of one run: a fault that comes again and again says nothing new."""

_DUMP = "fault-"


class CrashKeeper:
    """Holds the hooks of the interpreter between `start` and `stop`. Called on any thread; never raises.

    Args:
        folders: reports go to `state/reports`.
        settings: those to begin with.
    """

    def __init__(self, folders: Folders, settings: Settings) -> None:
        self.files = CrashFiles(folders.state / "reports")
        self._log_file, self._settings = folders.log_file, settings
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._on_report: Callable[[Path], None] | None = None
        self._dump: IO[str] | None = None
        self._dumped_before = False
        self._engine = _EngineCrashes(self.take)
        self._before = (sys.excepthook, threading.excepthook)

    def start(self) -> None:
        """Take over the hooks; what kills the process leaves its traces in a file of its own."""
        self._before = (sys.excepthook, threading.excepthook)
        sys.excepthook, threading.excepthook = self._on_exception, self._on_thread_exception
        logging.getLogger("novadesk").addHandler(self._engine)
        with contextlib.suppress(OSError):
            self.files.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._dump_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._dump = os.fdopen(descriptor, "w")
            self._dumped_before = faulthandler.is_enabled()
            # A thread that runs on changes its frames while they are told; reading one that is gone ends the dump.
            faulthandler.enable(self._dump, all_threads=False)

    def stop(self) -> None:
        """Give the hooks back."""
        sys.excepthook, threading.excepthook = self._before
        logging.getLogger("novadesk").removeHandler(self._engine)
        if self._dump is not None:
            faulthandler.disable()
            if self._dumped_before:
                faulthandler.enable(2)
            self._dump.close()
            with contextlib.suppress(OSError):
                self._dump_file.unlink()
            self._dump = None

    def watch(self, loop: "asyncio.AbstractEventLoop", where: str) -> None:
        """Take what nobody catches on a loop: in callbacks, and in tasks that nobody awaits."""

        def on_error(loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> None:
            error = context.get("exception")
            if isinstance(error, Exception):
                self.take(where, of_exception(error))
            loop.default_exception_handler(context)

        loop.set_exception_handler(on_error)

    def use(self, settings: Settings) -> None:
        """Take the settings that are in force from now on."""
        self._settings = settings

    def show_on(self, on_report: Callable[[Path], None] | None) -> None:
        """Have every further report told, on the thread that it befell."""
        self._on_report = on_report

    def collect(self) -> list[Path]:
        """Turn the traces of processes that were killed into reports; return every report that nobody has seen.

        To be called while no other NovaDesk works with the same folder.
        """
        for file in self.files.folder.glob(f"{_DUMP}*.txt"):
            if self._dump is not None and file == self._dump_file:
                continue
            with contextlib.suppress(OSError):
                lines = of_dump(file.read_text(encoding="utf-8", errors="replace"))
                file.unlink()
                if lines:
                    self.take("the whole program", lines)
        return self.files.unseen()

    def take(self, where: str, lines: list[str]) -> None:
        """Write a report, unless there is one of this fault already, or of too many."""
        with self._lock:
            fault = "\n".join(lines)
            if fault in self._told or len(self._told) >= MOST:
                return
            self._told.add(fault)
        try:
            now = datetime.now(UTC)
            crash = Crash(
                where=where,
                made_at=f"{now:%Y-%m-%d %H:%M:%S} UTC",
                lines=lines,
                program=program(),
                settings=self._settings,
                log=log_tail(self._log_file),
                hidden=hidden(),
            )
            file = self.files.write(make_crash_report(crash), f"{now:%Y%m%d-%H%M%S-%f}")
            if self._on_report is not None:
                self._on_report(file)
        except Exception:
            with contextlib.suppress(Exception):
                _log.warning("a crash report could not be written")

    @property
    def _dump_file(self) -> Path:
        return self.files.folder / f"{_DUMP}{os.getpid()}.txt"

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, Exception):
            self.take("main thread", of_exception(error))
        self._before[0](kind, error, trace)

    def _on_thread_exception(self, arguments: threading.ExceptHookArgs) -> None:
        error = arguments.exc_value
        if isinstance(error, Exception):
            name = arguments.thread.name if arguments.thread is not None else "a thread"
            self.take(f"thread {name}", of_exception(error))
        self._before[1](arguments)


class _EngineCrashes(logging.Handler):
    """Takes what the handle of another process logs about its crash, in the record's attribute `crash`."""

    def __init__(self, take: Callable[[str, list[str]], None]) -> None:
        super().__init__(logging.ERROR)
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        lines = getattr(record, "crash", None)
        if isinstance(lines, list):
            self._take("the audio process", lines)
