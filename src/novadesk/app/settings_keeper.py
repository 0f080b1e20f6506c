"""Writes the settings that a window changes, on a thread of its own: a slow disk holds up nothing that is drawn."""

import errno
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from novadesk.config import Settings
from novadesk.errors import KnownError
from novadesk.settings_file import save_settings
from novadesk.text import Text

_log = logging.getLogger(__name__)

CLOSE_S = 2.0

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class SettingsKeeper:
    """Keeps the settings file as the settings are. Of several that wait for the disk the last are written.

    Args:
        file: the settings file.
        tell: takes what the person should know, and nothing once a trouble is over; called on the writing thread.
    """

    def __init__(self, file: Path, tell: Callable[[str], None]) -> None:
        self._file, self._tell = file, tell
        self._lock = threading.Lock()
        self._waiting: Settings | None = None
        self._trouble = ""  # that was told last, until something is written
        self._idle = threading.Event()
        self._idle.set()

    def keep(self, settings: Settings) -> None:
        """Have settings written, soon."""
        with self._lock:
            self._waiting = settings
            if self._idle.is_set():
                self._idle.clear()
                threading.Thread(target=self._work, name="settings", daemon=True).start()

    def close(self) -> bool:
        """Wait until all is written, `CLOSE_S` at most; return whether it is."""
        return self._idle.wait(CLOSE_S)

    def _work(self) -> None:
        while (settings := self._next()) is not None:
            told, note = self._trouble, ""
            try:
                note = _note_of(save_settings(settings, self._file))
                self._trouble = ""
            except OSError as error:
                self._trouble = _unwritten(error)
            except KnownError as error:
                self._trouble = error.whole
            except Exception:  # or nothing would be written from now on
                _log.exception("the settings cannot be written")
                self._trouble = _unwritten(None)
            if told or note or self._trouble:
                self._tell(note or self._trouble)

    def _next(self) -> Settings | None:
        with self._lock:
            settings, self._waiting = self._waiting, None
            if settings is None:
                self._idle.set()
            return settings


def _note_of(aside: Path | None) -> str:
    if aside is None:
        return ""
    return Text("The settings file was broken. It is kept as {name}, beside the new one.", name=aside.name)


def _unwritten(error: OSError | None) -> Text:
    why = error.strerror or "unknown" if error is not None else "unknown"
    template = Text(
        "The settings cannot be written ({why}); they hold until NovaDesk ends. Make their folder writable."
    )
    if error is not None and error.errno in _FULL:
        template = Text("The settings cannot be written ({why}); they hold until NovaDesk ends. Make room for them.")
    return template.with_values(why=why)
