"""One rotating log file, mode 0600; no transcript, token, key or session id is ever logged."""

import logging
import os
from contextlib import suppress
from io import TextIOWrapper
from itertools import pairwise
from pathlib import Path

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_MAX_BYTES = 1_000_000
_BACKUPS = 3


class _PrivateFile(logging.FileHandler):
    """Opens every file of the rotation for the user only.

    The library's own handler that rotates comes with those that send over networks, which take longer to load than
    all of this program's log.
    """

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if os.name == "posix":
            os.fchmod(descriptor, 0o600)
        return open(descriptor, "a", encoding=self.encoding, errors="backslashreplace")

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self.stream is not None and self.stream.tell() + len(self.format(record)) >= _MAX_BYTES:
                self.stream.close()
                self._rotate()
        except Exception:  # what befalls the log befalls nobody who logs
            self.handleError(record)
        else:
            super().emit(record)

    def _rotate(self) -> None:
        names = [self.baseFilename, *(f"{self.baseFilename}.{number}" for number in range(1, _BACKUPS + 1))]
        try:
            for older, newer in reversed(tuple(pairwise(names))):
                with suppress(FileNotFoundError):
                    os.replace(older, newer)
        finally:
            self.stream = self._open()


def start_logs(file: Path, *, level: int = logging.INFO) -> logging.Handler:
    """Send the log of NovaDesk to `file`; return the handler so that its owner can close it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = _PrivateFile(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger("novadesk")
    root.setLevel(level)
    root.propagate = False
    root.addHandler(handler)
    return handler


def stop_logs(handler: logging.Handler) -> None:
    """Detach and close the handler of `start_logs`."""
    logging.getLogger("novadesk").removeHandler(handler)
    logging.getLogger("novadesk").propagate = True
    handler.close()
