"""The key test: how often the talk key came, and never which keys."""

from collections.abc import Callable
from dataclasses import replace

from novadesk.chord import Key, KeyDown, KeyUp, Origin, OtherDown
from novadesk.conversation.talkapi import KeyCount
from novadesk.desktop.hotkeys.press import Event, Loss, Lost

_ENDED = frozenset({Loss.LISTENER, Loss.PORTAL})


class KeyCounter:
    """Counts.

    Args:
        tell: takes each new count.
    """

    def __init__(self, tell: Callable[[KeyCount], None]) -> None:
        self._tell = tell
        self._down: set[Key] = set()
        self.count = KeyCount()

    def take(self, event: Event) -> None:
        """Take an event."""
        count, before = self.count, self.count
        match event:
            case KeyDown(key=key) if key not in self._down:
                self._down.add(key)
                here = key.origin is Origin.WINDOW
                count = replace(count, here=count.here + here, presses=count.presses + (not here))
            case KeyUp(key=key) if key in self._down:
                self._down.discard(key)
                count = replace(count, releases=count.releases + (key.origin is not Origin.WINDOW))
            case OtherDown():
                count = replace(count, others=count.others + 1)
            case Lost(loss=loss) if loss in _ENDED:
                self._down.clear()
                count = replace(count, lost=True)
            case Lost():
                self._down.clear()
            case _:
                pass
        if count != before:
            self.count = count
            self._tell(count)
