"""What a push-to-talk key is, free of any system: its names, and when it counts as pressed and released."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from novadesk.errors import KnownError, Reason

_MODIFIERS = ("ctrl", "alt", "shift", "super")
_OTHERS = (
    "space", "tab", "enter", "esc", "backspace", "insert", "delete", "home", "end", "page_up", "page_down",
    "up", "down", "left", "right", "pause", "scroll_lock", "num_lock", "caps_lock", "print_screen", "menu", "alt_gr",
    "media_play_pause",
)  # fmt: skip
_ALIASES = {"control": "ctrl", "win": "super", "cmd": "super", "meta": "super", "option": "alt", "escape": "esc"}
_ALIASES |= {"return": "enter", "pgup": "page_up", "pgdn": "page_down", "del": "delete", "ins": "insert"}
_FUNCTION = re.compile(r"f([1-9]|1\d|2[0-4])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chord:
    """Keys that are held together, by their names, in the order given."""

    keys: tuple[str, ...]

    def __str__(self) -> str:
        return "+".join(self.keys)


def parse_chord(text: str) -> Chord:
    """Return the chord that `text` names, such as "f9", "ctrl+space" or "right_ctrl".

    Raises:
        KnownError: `BAD_SETTINGS` for a name that is not a key.
    """
    keys = tuple(dict.fromkeys(_canonical(part.strip().lower()) for part in text.split("+")))
    for key in keys:
        if not _is_key(key):
            raise KnownError(
                Reason.BAD_SETTINGS,
                f"“{text}” is not a key that NovaDesk knows.",
                "Give a name such as f9, right_ctrl or ctrl+space.",
            )
    return Chord(keys=keys)


class ChordWatch:
    """Tells the press and the release of a chord from raw key events.

    A held key repeats its press only, so presses while held are ignored; the first release of any key ends the chord.

    Args:
        slots: for each key of the chord the identities under which the system may report it.
    """

    def __init__(self, slots: Iterable[frozenset[str]]) -> None:
        self._slots = tuple(slots)
        self._held = [False] * len(self._slots)
        self._active = False

    def press(self, identities: frozenset[str]) -> bool:
        """Take a key press; return whether the chord began with it."""
        for index, slot in enumerate(self._slots):
            if slot & identities:
                self._held[index] = True
        if self._active or not all(self._held):
            return False
        self._active = True
        return True

    def release(self, identities: frozenset[str]) -> bool:
        """Take a key release; return whether the chord ended with it."""
        ended = False
        for index, slot in enumerate(self._slots):
            if slot & identities:
                self._held[index] = False
                ended = ended or self._active
        if ended:
            self._active = False
        return ended

    def forget(self) -> bool:
        """Drop every held key; return whether the chord was down."""
        active, self._active = self._active, False
        self._held = [False] * len(self._slots)
        return active


def _canonical(name: str) -> str:
    side = ""
    for prefix in ("left_", "right_"):
        if name.startswith(prefix) and len(name) > len(prefix):
            side, name = prefix, name.removeprefix(prefix)
    return side + _ALIASES.get(name, name)


def _is_key(name: str) -> bool:
    modifiers = {side + modifier for modifier in _MODIFIERS for side in ("", "left_", "right_")}
    one_character = len(name) == 1 and name.isprintable() and not name.isspace()
    return one_character or name in modifiers or name in _OTHERS or _FUNCTION.fullmatch(name) is not None
