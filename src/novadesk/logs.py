"""One rotating log file, mode 0600; no transcript, token, key or session id is ever logged."""

import logging
import logging.handlers
import os
from io import TextIOWrapper
from pathlib import Path

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_MAX_BYTES = 1_000_000
_BACKUPS = 3


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """Opens every file of the rotation for the user only."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if os.name == "posix":
            os.fchmod(descriptor, 0o600)
        return open(descriptor, "a", encoding=self.encoding, errors="backslashreplace")


def start_logs(file: Path, *, level: int = logging.INFO) -> logging.Handler:
    """Send the log of NovaDesk to `file`; return the handler so that its owner can close it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = _PrivateFile(file, maxBytes=_MAX_BYTES, backupCount=_BACKUPS, encoding="utf-8")
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
