"""What a test may leave behind: nothing. Counts threads, tasks, children, files, sockets, windows and log records."""

import asyncio
import asyncio.runners
import contextlib
import ctypes
import gc
import logging
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

SETTLE_S = 30.0  # what is on its way out has this long
_POLL_S = 0.01
_PR_SET_CHILD_SUBREAPER = 36
_SYSTEM_FILES = ("/dev/", "/proc/", "/sys/", "/usr/", "/etc/", "/memfd:", "anon_inode:", "/lib/")
_OURS = "novadesk"
_OF_THE_DESK = "/usr/libexec/at-spi2-registryd"  # started by the accessibility bus for its first client, ends with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """What this process holds at one moment. Each entry names one thing."""

    threads: frozenset[str]
    children: frozenset[str]
    files: frozenset[str]

    def grown_since(self, before: "Census") -> list[str]:
        """Return a line for each thing that was not there before."""
        lines = [f"thread {name}" for name in sorted(self.threads - before.threads)]
        lines += [f"child process {name}" for name in sorted(self.children - before.children)]
        return lines + [f"open {name}" for name in sorted(self.files - before.files)]


def take_census() -> Census:
    """Count now. Files and children are seen on Linux only."""
    return Census(threads=frozenset(_threads()), children=frozenset(_children()), files=frozenset(_files()))


def _threads() -> Iterator[str]:
    """Yield the threads that must end: the non-daemon ones, and our own daemon ones, which all bear our name."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and (not thread.daemon or thread.name.startswith(_OURS)):
            yield f"{thread.name} ({thread.ident})"


def _children() -> Iterator[str]:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (AttributeError, ChildProcessError):  # Not here; or it has none, which is so for nearly every test.
        return
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):
            for pid in _read(f"/proc/self/task/{task}/children").split():
                state = re.search(r"\) (\S)", _read(f"/proc/{pid}/stat"))
                if state is not None and state[1] != "Z":
                    command = _read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
                    if not command.startswith(_OF_THE_DESK):
                        yield f"{pid}: {command[:120]}"


def _read(file: str) -> str:
    try:
        with open(file, errors="replace") as opened:
            return opened.read()
    except OSError:
        return ""


def _files() -> Iterator[str]:
    ours = tempfile.gettempdir() + "/"  # may lie in /dev/shm
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if target.startswith(ours) or (not target.startswith(_SYSTEM_FILES) and "/site-packages/" not in target):
            yield f"{name} -> {target}"


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent dies, so that a daemon left behind is seen (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def leaks_since(before: Census, *, settle_s: float = SETTLE_S) -> list[str]:
    """Return what is still there after the time to settle; quick when nothing has grown."""
    grown = take_census().grown_since(before)
    deadline = time.monotonic() + settle_s
    while grown and time.monotonic() < deadline:
        gc.collect()  # each time: what a thread on its way out lets go of may lie in a cycle
        grown = take_census().grown_since(before)
        if grown:
            time.sleep(_POLL_S)
    return grown


def visible_windows() -> list[str]:
    """Return the Qt windows left open and the timers left running on them, without importing Qt."""
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None or widgets.QApplication.instance() is None:
        return []
    timer = sys.modules["PySide6.QtCore"].QTimer
    left = [
        f"window {type(widget).__name__} {widget.windowTitle()!r}"
        for widget in widgets.QApplication.topLevelWidgets()
        if widget.isVisible()
    ]
    application = widgets.QApplication.instance()
    left += [f"timer of {type(application).__name__}" for t in application.findChildren(timer) if t.isActive()]
    return left


class OrphanTasks:
    """Notes the tasks that are still pending when an asyncio runner closes its loop and cancels them."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._original: Callable[[asyncio.AbstractEventLoop], None] | None = None

    def watch(self) -> None:
        """Begin. Every `asyncio.run` and every test's own loop ends in this one function of the runner."""
        original = asyncio.runners._cancel_all_tasks  # type: ignore[attr-defined]  # there is no public hook
        self._original = original

        def cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
            self.found += [f"task {task.get_coro()!r}" for task in asyncio.all_tasks(loop)]
            original(loop)

        asyncio.runners._cancel_all_tasks = cancel_all_tasks  # type: ignore[attr-defined]  # see above

    def stop(self) -> None:
        """Put the original back."""
        if self._original is not None:
            asyncio.runners._cancel_all_tasks = self._original  # type: ignore[attr-defined]  # see above
            self._original = None


@dataclass
class LogWatch(logging.Handler):
    """Collects the records that a test must have expected: our warnings and errors, and asyncio's errors."""

    records: list[logging.LogRecord] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(logging.WARNING)

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        if record.name.startswith(_OURS) or record.levelno >= logging.ERROR:
            self.records.append(record)

    def allow(self, pattern: str) -> None:
        """Expect records whose message holds this regular expression."""
        self.allowed.append(re.compile(pattern))

    def unexpected(self) -> list[str]:
        """Return a line for each record that no pattern allows."""
        lines = []
        for record in self.records:
            message = record.getMessage()
            if not any(pattern.search(message) for pattern in self.allowed):
                error = f" [{record.exc_info[1]!r}]" if record.exc_info and record.exc_info[1] else ""
                lines.append(f"log {record.levelname} {record.name}: {message}{error}")
        return lines

    @contextlib.contextmanager
    def listening(self) -> Iterator["LogWatch"]:
        """Listen to our logger and to asyncio's while the block runs."""
        loggers = [logging.getLogger(_OURS), logging.getLogger("asyncio")]
        for logger in loggers:
            logger.addHandler(self)
        try:
            yield self
        finally:
            for logger in loggers:
                logger.removeHandler(self)
