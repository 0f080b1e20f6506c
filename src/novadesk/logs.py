"""One rotating log file, mode 0600; no transcript, token, key or session id is ever logged."""

import logging
import logging.handlers
import os
from pathlib import Path

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_MAX_BYTES = 1_000_000
_BACKUPS = 3


def start_logs(file: Path, *, level: int = logging.INFO) -> logging.Handler:
    """Send the log of NovaDesk to `file`; return the handler so that its owner can close it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    handler = logging.handlers.RotatingFileHandler(file, maxBytes=_MAX_BYTES, backupCount=_BACKUPS, encoding="utf-8")
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
