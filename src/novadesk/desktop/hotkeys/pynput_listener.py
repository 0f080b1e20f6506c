"""The part that all systems share: a pynput listener that feeds a chord watch and survives its callbacks."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from novadesk.desktop.hotkeys.chord import Chord, ChordWatch
from novadesk.errors import KnownError, Reason

_log = logging.getLogger(__name__)

# pynput's names where they differ from ours; the plain modifiers also stand for the left keys there.
_PYNPUT_NAMES: dict[str, tuple[str, ...]] = {
    "super": ("cmd", "cmd_l", "cmd_r"),
    "left_super": ("cmd", "cmd_l"),
    "right_super": ("cmd_r",),
} | {
    side + modifier: names
    for modifier in ("ctrl", "alt", "shift")
    for side, names in (
        ("", (modifier, f"{modifier}_l", f"{modifier}_r")),
        ("left_", (modifier, f"{modifier}_l")),
        ("right_", (f"{modifier}_r",)),
    )
}


class PynputHotkey:
    """A `HotkeyBackend` on top of pynput. Importing pynput happens here, and raises `ImportError` without a display."""

    def __init__(self, chord: Chord) -> None:
        from pynput import keyboard

        self._keyboard: Any = keyboard
        self._watch = ChordWatch(self._wanted(name) for name in chord.keys)
        self._lock = threading.RLock()  # a callback may call stop()
        self._listener: Any = None
        self._on_press: Callable[[], None] | None = None
        self._on_release: Callable[[], None] | None = None
        self.note = ""

    def start(self, on_press: Callable[[], None], on_release: Callable[[], None]) -> None:
        """Begin to watch, see `HotkeyBackend`."""
        self._on_press, self._on_release = on_press, on_release
        self._listener = self._keyboard.Listener(on_press=self._pressed, on_release=self._released)
        self._listener.start()

    def stop(self) -> None:
        """Stop calling back, see `HotkeyBackend`. The thread ends only with the next key event: nobody joins it."""
        with self._lock:
            on_release, self._on_press, self._on_release = self._on_release, None, None
            if self._watch.forget() and on_release is not None:
                _call(on_release)
        if self._listener is not None:
            self._listener.stop()

    def identities(self, key: Any) -> frozenset[str]:
        """Return the names under which an event's key may be wanted: system code, character, pynput's own name."""
        found = set()
        if isinstance(key, self._keyboard.Key):
            found.add(f"name:{key.name}")
            key = key.value
        if getattr(key, "vk", None) is not None:
            found.add(f"vk:{key.vk}")
        if getattr(key, "char", None):
            found.add(f"char:{key.char.lower()}")
        return frozenset(found)

    def _wanted(self, name: str) -> frozenset[str]:
        names = _PYNPUT_NAMES.get(name, (name,))
        members = [self._keyboard.Key[each] for each in names if each in self._keyboard.Key.__members__]
        if not members and len(name) > 1:
            raise KnownError(
                Reason.HOTKEY_UNAVAILABLE,
                f"This system does not report the key “{name}” to other programs.",
                "Choose another push-to-talk key, such as f9.",
            )
        if not members:
            return frozenset({f"char:{name}"})
        return frozenset().union(*(self.identities(member) for member in members))

    def _pressed(self, key: Any) -> None:
        self._guarded(key, self._watch.press, lambda: self._on_press)

    def _released(self, key: Any) -> None:
        self._guarded(key, self._watch.release, lambda: self._on_release)

    def _guarded(
        self, key: Any, feed: Callable[[frozenset[str]], bool], callback: Callable[[], Callable[[], None] | None]
    ) -> None:
        # pynput ends its listener, silently for the program, at the first exception.
        try:
            with self._lock:
                if key is not None and feed(self.identities(key)) and (call := callback()) is not None:
                    _call(call)
        except Exception:
            _log.exception("A key event could not be read.")


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        _log.exception("The answer to the push-to-talk key failed.")
