"""The key test: how often the talk key came, and never which keys."""

from dataclasses import dataclass

from novadesk.chord import Key, KeyDown, KeyUp, OtherDown
from novadesk.desktop.hotkeys.press import Event, Lost

TEST_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCount:
    """What was heard so far.

    Attributes:
        presses: of the keys that are bound; repeats of a held key are none.
        releases: of the same keys.
        others: presses of other keys, as far as the system shows them: the keyboard is heard, but not the right key.
        lost: the desktop stopped telling of keys meanwhile.
    """

    presses: int = 0
    releases: int = 0
    others: int = 0
    lost: bool = False

    @property
    def verdict(self) -> str:
        """Return what it means, in one sentence."""
        if self.lost:
            return "The desktop stopped telling NovaDesk of keys during the test."
        if self.presses and self.presses == self.releases:
            return "The key works: NovaDesk hears when it goes down and when it comes up."
        if self.presses > self.releases:
            return "NovaDesk hears when the key goes down, but not each time when it comes up."
        if self.others:
            return "NovaDesk hears the keyboard, but not this key: another program may have taken it."
        return "NovaDesk heard no key at all."


class KeyCounter:
    """Counts. Pure."""

    def __init__(self) -> None:
        self._down: set[Key] = set()
        self._presses = self._releases = self._others = 0
        self._lost = False

    @property
    def count(self) -> KeyCount:
        """Return what was heard so far."""
        return KeyCount(presses=self._presses, releases=self._releases, others=self._others, lost=self._lost)

    def take(self, event: Event) -> bool:
        """Take an event; return whether the count is another one."""
        match event:
            case KeyDown(key=key) if key not in self._down:
                self._down.add(key)
                self._presses += 1
            case KeyUp(key=key) if key in self._down:
                self._down.discard(key)
                self._releases += 1
            case OtherDown():
                self._others += 1
            case Lost():
                self._down.clear()
                self._lost = True
            case _:
                return False
        return True
