"""What a talk key is, free of any system: its names, what it is bound to, and when it is down."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from novadesk.errors import KnownError, Reason
from novadesk.text import Text

_MODIFIERS = ("ctrl", "alt", "shift", "super")
_BARE = frozenset({side + modifier for modifier in _MODIFIERS for side in ("", "left_", "right_")} | {"alt_gr"})
_OTHERS = (
    "space", "tab", "enter", "esc", "backspace", "insert", "delete", "home", "end", "page_up", "page_down",
    "up", "down", "left", "right", "pause", "scroll_lock", "num_lock", "caps_lock", "print_screen", "menu",
    "media_play_pause",
)  # fmt: skip
_ALIASES = {"control": "ctrl", "win": "super", "cmd": "super", "meta": "super", "option": "alt", "escape": "esc"}
_ALIASES |= {"return": "enter", "pgup": "page_up", "pgdn": "page_down", "del": "delete", "ins": "insert"}
_ALIASES |= {"mouse3": "mouse_middle", "mouse4": "mouse_back", "mouse5": "mouse_forward"}
_SIGNS = {"comma": ",", "plus": "+"}  # which the settings use themselves
_FUNCTION = re.compile(r"f([1-9]|1\d|2[0-4])")
_BUTTON = re.compile(r"mouse_(middle|back|forward)|mouse(1\d|2\d|30)")
_CLICKS = frozenset({"mouse_left", "mouse_right", "mouse1", "mouse2"})


class Action(Enum):
    """What a key does."""

    TALK = "talk"
    MUTE = "mute"


class Origin(Enum):
    """Where a key or a wish comes from."""

    WINDOW = "window"
    GLOBAL = "global"
    COMMAND = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key, chord or mouse button that is bound. `bare` ones are made of modifiers only."""

    name: str
    action: Action = Action.TALK
    origin: Origin = Origin.GLOBAL
    bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDown:
    """A key is down; also each repeat of one that is held."""

    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUp:
    """A key came up."""

    key: Key


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherDown:
    """A key that is not bound went down: a held modifier was part of a shortcut. Repeats are not told."""


COMMANDS = ("novadesk ctl talk start", "novadesk ctl talk stop", "novadesk ctl talk toggle")
"""What to bind to keys in the desktop's own settings where NovaDesk cannot watch any: press, release, or each press."""


def commands(home: str = "", profile: str = "") -> tuple[str, ...]:
    """Return `COMMANDS` as they reach the NovaDesk of a folder and a profile, where it is not the usual one."""
    names = [*(("--home", home) if home else ()), *(("--profile", profile) if profile else ())]
    return tuple(shlex.join(["novadesk", *names, *one.split()[1:]]) for one in COMMANDS)


LADDER = Text(
    "Use the key inside the window or the talk button, or bind `novadesk ctl talk toggle` to a key in the desktop's "
    "settings."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chord:
    """Keys and mouse buttons that are held together, by their names, in the order given."""

    keys: tuple[str, ...]

    def __str__(self) -> str:
        return "+".join(next((name for name, sign in _SIGNS.items() if sign == key), key) for key in self.keys)

    @property
    def bare(self) -> bool:
        """Return whether it is made of modifiers only, so that each shortcut with one of them begins with it."""
        return all(key in _BARE for key in self.keys)

    @property
    def clicks(self) -> bool:
        """Return whether a mouse button is part of it."""
        return any(is_button(key) for key in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A chord and what it does."""

    chord: Chord
    action: Action = Action.TALK

    @property
    def key(self) -> Key:
        """Return the key as the press state knows it."""
        return Key(name=str(self.chord), action=self.action, bare=self.chord.bare)

    @property
    def window_key(self) -> Key:
        """Return the same key where the window sees it."""
        return replace(self.key, origin=Origin.WINDOW)


def parse_chord(text: str) -> Chord:
    """Return the chord that `text` names, such as "f9", "ctrl+space", "right_ctrl" or "mouse_back".

    Raises:
        KnownError: `BAD_SETTINGS` for a name that is not a key.
    """
    keys = tuple(dict.fromkeys(_canonical(part.strip().lower()) for part in text.split("+")))
    for key in keys:
        if key in _CLICKS:
            raise KnownError(
                Reason.BAD_SETTINGS,
                "“{key}” is pressed in every program all the time, so it cannot be a talk key.",
                "Give another button, such as mouse_back, mouse_forward or mouse_middle.",
                key=text,
            )
        if not _is_key(key):
            raise KnownError(
                Reason.BAD_SETTINGS,
                "“{key}” is not a key that NovaDesk knows.",
                "Give a name such as f9, right_ctrl, mouse_back or ctrl+space.",
                key=text,
            )
    return Chord(keys=keys)


def parse_keys(text: str) -> tuple[Chord, ...]:
    """Return the chords of a setting, separated by commas; none for an empty text.

    Raises:
        KnownError: `BAD_SETTINGS` for a name that is not a key.
    """
    if text.strip() == ",":
        return (Chord(keys=(",",)),)
    return tuple(dict.fromkeys(parse_chord(part) for part in text.split(","))) if text.strip() else ()


def parse_bindings(talk: str, mute: str = "") -> tuple[Binding, ...]:
    """Return what the keys of the settings are bound to.

    Raises:
        KnownError: `BAD_SETTINGS` for a name that is not a key, or one that is to do two things.
    """
    chords = {Action.TALK: parse_keys(talk), Action.MUTE: parse_keys(mute)}
    for chord in chords[Action.MUTE]:
        if any(set(chord.keys) == set(other.keys) for other in chords[Action.TALK]):
            raise KnownError(
                Reason.BAD_SETTINGS,
                "The key “{key}” cannot both talk and mute.",
                "Choose another key for one of them.",
                key=str(chord),
            )
    return tuple(Binding(chord=chord, action=action) for action, named in chords.items() for chord in named)


def caution(chord: Chord) -> Text:
    """Return what a person should know before choosing a chord as a key that works everywhere, or an empty string."""
    if chord.keys in (("super",), ("left_super",), ("right_super",)):
        return Text("Many desktops open their menu with this key.")
    if set(chord.keys) == {"ctrl", "space"}:
        return Text("Some desktops switch the input method with these keys. If so, choose F9.")
    if chord.keys == ("caps_lock",):
        return Text("This key changes between capital and small letters, too.")
    if chord.bare:
        return Text("It counts when it is pressed alone: shortcuts with this key go on working, and do not talk.")
    if len(chord.keys) == 1 and (len(chord.keys[0]) == 1 or chord.keys[0] in _OTHERS[:5]):
        return Text("The window that you work in gets this key, too: it will be typed there.")
    return Text("")


class KeyWatch:
    """Tells from raw events when a chord is down and when it came up.

    The repeats of a held chord are told again: whoever owns the press state knows them as such. The first release of
    any of its keys ends a chord. A key that is part of no chord, or not of one of modifiers that is down, is another
    one; its repeats are not told.

    Args:
        bindings: the keys, and for each part of their chord the identities under which the system may report it.
    """

    def __init__(self, bindings: Iterable[tuple[Key, Iterable[frozenset[str]]]]) -> None:
        self._chords = [_Watched(key, tuple(slots)) for key, slots in bindings]
        self._others: set[str] = set()

    def press(self, identities: frozenset[str]) -> list[KeyDown | OtherDown]:
        """Take the press of a key; return what it means."""
        with_it = [chord for chord in self._chords if chord.has(identities)]
        if with_it:
            fresh = any(chord.lacks(identities) for chord in with_it)
            other = any(chord.key.bare and chord.down for chord in self._chords if chord not in with_it)
        else:
            fresh, other = not self._others & identities, True
            self._others |= identities
        told: list[KeyDown | OtherDown] = [OtherDown()] if fresh and other else []
        for chord in with_it:
            chord.note(identities, down=True)
        return told + [KeyDown(key=chord.key) for chord in with_it if chord.down]

    def release(self, identities: frozenset[str]) -> list[KeyUp]:
        """Take the release of a key; return what it means."""
        self._others -= identities
        ended = [chord for chord in self._chords if chord.down and chord.has(identities)]
        for chord in self._chords:
            chord.note(identities, down=False)
        return [KeyUp(key=chord.key) for chord in ended]


class _Watched:
    def __init__(self, key: Key, slots: tuple[frozenset[str], ...]) -> None:
        self.key = key
        self._slots = slots
        self._held = [False] * len(slots)

    @property
    def down(self) -> bool:
        return all(self._held)

    def has(self, identities: frozenset[str]) -> bool:
        return any(slot & identities for slot in self._slots)

    def lacks(self, identities: frozenset[str]) -> bool:
        return any(slot & identities and not held for slot, held in zip(self._slots, self._held, strict=True))

    def note(self, identities: frozenset[str], *, down: bool) -> None:
        self._held = [down if slot & identities else held for slot, held in zip(self._slots, self._held, strict=True)]


def is_button(name: str) -> bool:
    """Return whether the name is that of a mouse button."""
    return _BUTTON.fullmatch(name) is not None


def _canonical(name: str) -> str:
    side = ""
    for prefix in ("left_", "right_"):
        if name.startswith(prefix) and len(name) > len(prefix):
            side, name = prefix, name.removeprefix(prefix)
    return side + _SIGNS.get(name, _ALIASES.get(name, name))


def _is_key(name: str) -> bool:
    one_character = len(name) == 1 and name.isprintable() and not name.isspace()
    named = name in _BARE or name in _OTHERS or _FUNCTION.fullmatch(name) is not None
    return one_character or named or is_button(name)
