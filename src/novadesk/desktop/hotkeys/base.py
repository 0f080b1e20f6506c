"""Keys that work everywhere: one contract, one backend for each system, chosen and imported late."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from novadesk.chord import LADDER, Action, Binding, Key, KeyDown, KeyUp, OtherDown
from novadesk.desktop.hotkeys.press import Lost
from novadesk.errors import KnownError
from novadesk.text import Text


def with_ladder(what: Text) -> Text:
    """Return why there is no key, and what to do without."""
    return Text.joined(what, LADDER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which keys work now.

    Attributes:
        note: why some may not, in words; empty when all do.
        settled: False while the person is asked.
        hears: the keys that are told of although a window of ours has the focus, which gets them too.
        triggers: for each action the keys that do it, in the words of whoever bound them, in order.
    """

    note: str = ""
    triggers: tuple[tuple[Action, str], ...] = ()
    hears: frozenset[Key] = frozenset()
    settled: bool = True


type News = KeyDown | KeyUp | OtherDown | Lost | Standing
type Tell = Callable[[News], None]


class HotkeyBackend(Protocol):
    """Watches keys, whichever window has the focus. Where the system does not say otherwise, that one gets them too."""

    def start(self, tell: Tell) -> None:
        """Begin to watch. Used once, on a running loop; where the keys stand is told first.

        `tell` is called on any thread, in order for each key, and must return at once. An exception of it is logged
        and changes nothing.
        """
        ...

    async def stop(self) -> None:
        """Tell nothing any more. Idempotent."""
        ...


class NoHotkey:
    """Stands in where there are no global keys."""

    def __init__(self, note: str) -> None:
        self.note = note

    def start(self, tell: Tell) -> None:
        """Say why."""
        tell(Standing(note=self.note))

    async def stop(self) -> None:
        """Do nothing."""


def is_wayland(platform: str, environment: Mapping[str, str]) -> bool:
    """Return whether keys are the portal's to give."""
    session = environment.get("XDG_SESSION_TYPE") == "wayland" or bool(environment.get("WAYLAND_DISPLAY"))
    return session and platform not in ("win32", "darwin")


def choose_backend(
    bindings: Sequence[Binding], *, platform: str = sys.platform, environment: Mapping[str, str] = os.environ
) -> HotkeyBackend:
    """Return the backend for these keys here. Never raises: where there is none, it says why.

    Imports the system's input library and may ask the X server, which takes up to 0.2 s: call it on a worker thread.
    """
    if not bindings:
        return NoHotkey(Text("No push-to-talk key is set."))
    try:
        if platform == "win32":
            from novadesk.desktop.hotkeys.windows import WindowsHotkey

            return WindowsHotkey(bindings)
        if platform == "darwin":
            from novadesk.desktop.hotkeys.macos import MacHotkey

            return MacHotkey(bindings)
        if is_wayland(platform, environment):
            from novadesk.desktop.hotkeys.portal import PortalHotkey

            return PortalHotkey(bindings, environment.get("DBUS_SESSION_BUS_ADDRESS", ""))
        if not environment.get("DISPLAY"):
            return NoHotkey(Text("There is no display, so there is no global key."))
        from novadesk.desktop.hotkeys.x11 import X11Hotkey

        return X11Hotkey(bindings)
    except KnownError as error:
        return NoHotkey(error.whole)
    except ImportError:
        return NoHotkey(with_ladder(Text("Global keys cannot be watched on this system.")))
