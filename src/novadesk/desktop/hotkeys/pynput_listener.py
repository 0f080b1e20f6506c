"""The part that Windows, macOS and X11 share: pynput listeners that feed a key watch and survive its callbacks."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from novadesk.chord import Binding, KeyWatch, is_button
from novadesk.desktop.hotkeys.base import News, Standing, Tell, with_ladder
from novadesk.desktop.hotkeys.press import Loss, Lost
from novadesk.errors import KnownError, Reason
from novadesk.text import Text

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
# Of the side buttons: X11 counts them, Windows calls them X1 and X2.
_PYNPUT_BUTTONS = {
    "mouse_middle": ("middle",),
    "mouse_back": ("button8", "x1"),
    "mouse_forward": ("button9", "x2"),
}


class PynputHotkey:
    """A `HotkeyBackend` on top of pynput. Importing pynput happens here, and raises `ImportError` without a display.

    The mouse is listened to only when one of its buttons is bound, for each of its movements wakes the listener.

    Raises:
        KnownError: `HOTKEY_UNAVAILABLE` for a key that the system does not report.
    """

    def __init__(self, bindings: Sequence[Binding], *, note: str = "") -> None:
        from pynput import keyboard

        self._keyboard: Any = keyboard
        self._mouse: Any = None
        if any(binding.chord.clicks for binding in bindings):
            from pynput import mouse

            self._mouse = mouse
        self._watch = KeyWatch(
            (binding.key, [self._wanted(name) for name in binding.chord.keys]) for binding in bindings
        )
        heard = () if note else tuple(bindings)
        triggers = tuple((binding.action, str(binding.chord)) for binding in heard)
        hears = frozenset(binding.key for binding in heard)
        self._standing = Standing(note=note, triggers=triggers, hears=hears)
        self._lock = threading.Lock()
        self._listeners: list[Any] = []
        self._tell: Tell | None = None
        self._down: dict[str, frozenset[str]] = {}  # what a key was called as it went down, by its system code

    def start(self, tell: Tell) -> None:
        """Begin to watch, see `HotkeyBackend`."""
        self._tell = tell
        self._say(self._standing)
        listener = _mortal(self._keyboard.Listener, self._died)
        self._listeners.append(listener(on_press=self._pressed, on_release=self._released))
        if self._mouse is not None:
            self._listeners.append(_mortal(self._mouse.Listener, self._died)(on_click=self._clicked))
        for each in self._listeners:
            each.start()

    async def stop(self) -> None:
        """Tell nothing any more. The threads end only with the next event of theirs: nobody joins them."""
        with self._lock:
            self._tell = None
        for listener in self._listeners:
            with suppress(Exception):  # of a thread that closes its display meanwhile, as one that just started may
                listener.stop()

    def wait_ready(self) -> None:
        """Wait until the listeners listen."""
        for listener in self._listeners:
            listener.wait()

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
        if is_button(name):
            buttons = _PYNPUT_BUTTONS.get(name, (name.replace("mouse", "button"),))
            known = frozenset(f"button:{each}" for each in buttons if each in self._mouse.Button.__members__)
            return known or _unreported(name)
        names = _PYNPUT_NAMES.get(name, (name,))
        members = [self._keyboard.Key[each] for each in names if each in self._keyboard.Key.__members__]
        if not members and len(name) > 1:
            return _unreported(name)
        if not members:
            return frozenset({f"char:{name}"})
        return frozenset().union(*(self.identities(member) for member in members))

    def _pressed(self, key: Any) -> None:
        if key is not None:
            self._feed(lambda: self._watch.press(self._goes_down(key)))

    def _released(self, key: Any) -> None:
        if key is not None:
            self._feed(lambda: self._watch.release(self._comes_up(key)))

    def _goes_down(self, key: Any) -> frozenset[str]:
        """Return an event's identities, and remember them: with Shift a key may come up under another character."""
        found = self.identities(key)
        self._down |= dict.fromkeys(_codes(found), found)
        return found

    def _comes_up(self, key: Any) -> frozenset[str]:
        found = self.identities(key)
        return found.union(*(self._down.pop(code, frozenset()) for code in _codes(found)))

    def _clicked(self, _x: float, _y: float, button: Any, pressed: bool) -> None:
        identities = frozenset({f"button:{button.name}"})
        self._feed(lambda: (self._watch.press if pressed else self._watch.release)(identities))

    def _feed(self, read: Callable[[], Sequence[News]]) -> None:
        # pynput ends its listener, silently for the program, at the first exception.
        try:
            with self._lock:
                for news in read():
                    self._say(news)
        except Exception:
            _log.exception("A key event could not be read.")

    def _died(self) -> None:
        with self._lock:
            self._say(Lost(loss=Loss.LISTENER))
            self._say(
                Standing(note=with_ladder(Text("NovaDesk no longer hears the keys of the desktop. Start it anew.")))
            )

    def _say(self, news: News) -> None:
        if self._tell is None:
            return
        try:
            self._tell(news)
        except Exception:
            _log.exception("The answer to a key failed.")


def _codes(identities: frozenset[str]) -> list[str]:
    return [each for each in identities if each.startswith("vk:")]


def _mortal(kind: Any, on_end: Callable[[], None]) -> Any:
    """Return a kind of listener that says when its thread ends, for whatever reason."""

    class Mortal(kind):  # type: ignore[misc]
        def run(self) -> None:
            try:
                super().run()
            finally:
                on_end()

    return Mortal


def _unreported(name: str) -> frozenset[str]:
    raise KnownError(
        Reason.HOTKEY_UNAVAILABLE,
        "This system does not report the key “{name}” to other programs.",
        "Choose another push-to-talk key, such as f9.",
        name=name,
    )
