"""The right to be the one core of a data folder. Quick to load: the window asks for it before it is painted."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from novadesk.errors import KnownError, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that holds the lock; `role` is its command, such as "window" or "talk"."""

    pid: int
    role: str


class CoreLock:
    """The right to be the one core of a data folder.

    The operating system drops it with the process, however that ends, so a lock is never stale. The file stays: its
    content only tells others who holds it.
    """

    # Windows locks are mandatory: the locked byte lies far behind the content so that others can still read that.
    _LOCKED_BYTE = 1 << 30

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Say whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self, role: str) -> None:
        """Take the lock at once.

        Raises:
            KnownError: `ALREADY_RUNNING`, naming the holder.
        """
        if self._descriptor is not None:
            return
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if not _try_lock(descriptor, self._LOCKED_BYTE):
                raise self._taken()
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps({"pid": os.getpid(), "role": role}).encode())
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back. Idempotent."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> Holder | None:
        """Return who wrote the file last, or None; only `acquire` can tell whether that process still holds it."""
        try:
            content = json.loads(self._file.read_bytes()[:1024])
            return Holder(pid=int(content["pid"]), role=str(content["role"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _taken(self) -> KnownError:
        holder = self.holder()
        return KnownError(
            Reason.ALREADY_RUNNING,
            "NovaDesk is already running here (process {pid}, {role})."
            if holder
            else "NovaDesk is already running here.",
            "Use that one, end it, or give another --profile.",
            pid=str(holder.pid) if holder else "",
            role=holder.role if holder else "",
        )


def _try_lock(descriptor: int, byte: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, byte, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
