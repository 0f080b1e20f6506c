"""The global push-to-talk key: one contract, one backend for each system, chosen and imported late."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

from novadesk.desktop.hotkeys.chord import parse_chord
from novadesk.errors import KnownError

_ELSE = "Use the key inside the window, or bind `novadesk ctl talk toggle` to a key in the desktop's settings."


class HotkeyBackend(Protocol):
    """Watches one chord, whichever window has the focus. The focused window gets the keys too."""

    @property
    def note(self) -> str:
        """Return why the key may not work, in words; empty when it works."""
        ...

    def start(self, on_press: Callable[[], None], on_release: Callable[[], None]) -> None:
        """Begin to watch. Used once.

        The callables are called on a thread of the backend, alternating, press first: hand over with
        `call_soon_threadsafe`. An exception of theirs is logged and changes nothing.
        """
        ...

    def stop(self) -> None:
        """Stop calling back; ends a press that is still held with its release. Idempotent, returns at once."""
        ...


class NoHotkey:
    """Stands in where there is no global key."""

    def __init__(self, note: str) -> None:
        self.note = note

    def start(self, on_press: Callable[[], None], on_release: Callable[[], None]) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


def choose_backend(
    key: str, *, platform: str = sys.platform, environment: Mapping[str, str] = os.environ
) -> HotkeyBackend:
    """Return the backend for `key` here. Never raises: where there is none, its note says why.

    Imports the system's input library and may ask the X server, which takes up to 0.2 s: call it on a worker thread.
    """
    if not key.strip():
        return NoHotkey("No push-to-talk key is set.")
    try:
        chord = parse_chord(key)
        if platform == "win32":
            from novadesk.desktop.hotkeys.windows import WindowsHotkey

            return WindowsHotkey(chord)
        if platform == "darwin":
            from novadesk.desktop.hotkeys.macos import MacHotkey

            return MacHotkey(chord)
        if environment.get("XDG_SESSION_TYPE") == "wayland" or environment.get("WAYLAND_DISPLAY"):
            return NoHotkey(f"Wayland shows keys only to the focused window. {_ELSE}")
        if not environment.get("DISPLAY"):
            return NoHotkey("There is no display, so there is no global key.")
        from novadesk.desktop.hotkeys.x11 import X11Hotkey

        return X11Hotkey(chord)
    except KnownError as error:
        return NoHotkey(f"{error.what} {error.advice}")
    except ImportError:
        return NoHotkey(f"Global keys cannot be watched on this system. {_ELSE}")
