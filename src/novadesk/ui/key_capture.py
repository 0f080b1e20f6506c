"""Finds the key that a person shows: pure, but for the button that asks for it."""

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QPushButton, QWidget

from novadesk.chord import Chord
from novadesk.conversation.api import Requests
from novadesk.errors import KnownError
from novadesk.ui.announce import announce
from novadesk.ui.bridge import Bridge, Question
from novadesk.ui.i18n import tr
from novadesk.ui.key_names import is_modifier
from novadesk.ui.window_keys import KeyEvents

PATIENCE_S = 60.0

_ESC = frozenset({"esc"})


class Capture:
    """Takes keys until they make a chord: a modifier alone as it comes up, every other key as it goes down."""

    def __init__(self) -> None:
        self._held: list[frozenset[str]] = []

    @property
    def alone(self) -> bool:
        """Return whether no modifier is held."""
        return not self._held

    def press(self, names: frozenset[str]) -> Chord | None:
        """Take a key that is down; return the chord that it completes. With it, modifiers are any of their side."""
        if not is_modifier(names):
            return Chord(keys=(*map(_plain, self._held), *names))
        if names not in self._held:
            self._held.append(names)
        return None

    def release(self, names: frozenset[str]) -> Chord | None:
        """Take a key that came up; return the chord of the modifiers that were held, if it is one of them."""
        if names not in self._held:
            return None
        held, self._held = self._held, []
        return Chord(keys=(_sided(held[0]),) if len(held) == 1 else tuple(map(_plain, held)))


def _plain(names: frozenset[str]) -> str:
    return min(names, key=len)


def _sided(names: frozenset[str]) -> str:
    return max(names, key=len)


class CaptureButton(QPushButton):
    """A button that asks for a key or mouse button; Esc, a click or another window calls it off.

    Meanwhile no key does anything else, here or elsewhere.

    Args:
        words: what it says while it waits for nothing.
        bridge: carries the wish that keys do nothing.
        requests: grants it.
    """

    captured = Signal(object)

    def __init__(self, words: str, bridge: Bridge, requests: Requests, parent: QWidget | None = None) -> None:
        super().__init__(words, parent)
        self._words, self._bridge, self._requests = words, bridge, requests
        self._capture: Capture | None = None
        self._question: Question | None = None
        self._events = KeyEvents(self._press, self._release, self.stop, self)
        self.setAutoDefault(False)
        self.clicked.connect(self.toggle)

    @property
    def waiting(self) -> bool:
        """Return whether a key is waited for."""
        return self._capture is not None

    def toggle(self) -> None:
        """Ask for a key, or call it off."""
        if self.waiting:
            self.stop()
            return
        self._capture = Capture()
        self._question = self._bridge.ask(
            self._requests.ignore_keys, self._on_over, self._on_over, owner=self, deadline_s=PATIENCE_S
        )
        self._events.watch(self.window().windowHandle())
        self.setText(tr("Press a key or a mouse button; Esc to cancel"))
        announce(self, self.text())

    def stop(self) -> None:
        """Wait for no key any more."""
        self._rest()
        self._events.watch(None)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: D102
        super().hideEvent(event)
        self.stop()

    def _rest(self) -> None:
        question, self._question = self._question, None
        self._capture = None
        self.setText(self._words)
        if question is not None:
            question.drop()

    def _on_over(self, _outcome: KnownError | None) -> None:
        self._question = None
        self.stop()

    def _press(self, names: frozenset[str]) -> bool:
        if names == _ESC and self._capture is not None and self._capture.alone:
            self._rest()
        else:
            self._offer(lambda capture: capture.press(names))
        return True

    def _release(self, names: frozenset[str]) -> bool:
        self._offer(lambda capture: capture.release(names))
        if not self.waiting:
            self._events.watch(None)  # not before: what was shown repeats, and would press what has the focus
        return True

    def _offer(self, take: Callable[[Capture], Chord | None]) -> None:
        chord = None if self._capture is None else take(self._capture)
        if chord is not None:
            self._rest()
            self.captured.emit(chord)
