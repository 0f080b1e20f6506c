"""Keys between Qt and people: under which names a chord may want a key event, and how a chord reads."""

import sys

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from novadesk.chord import Chord, is_button, parse_chord, parse_keys
from novadesk.errors import KnownError
from novadesk.text import Text
from novadesk.ui.i18n import tr

# Qt calls the Command key of a Mac Control, and its Control key Meta.
_MODIFIERS = {
    Qt.Key.Key_Control: "super" if sys.platform == "darwin" else "ctrl",
    Qt.Key.Key_Meta: "ctrl" if sys.platform == "darwin" else "super",
    Qt.Key.Key_Super_L: "super", Qt.Key.Key_Super_R: "super",
    Qt.Key.Key_Alt: "alt", Qt.Key.Key_Shift: "shift", Qt.Key.Key_AltGr: "alt_gr",
}  # fmt: skip
_KEYS = {
    Qt.Key.Key_Space: "space", Qt.Key.Key_Tab: "tab", Qt.Key.Key_Backtab: "tab", Qt.Key.Key_Return: "enter",
    Qt.Key.Key_Enter: "enter", Qt.Key.Key_Escape: "esc", Qt.Key.Key_Backspace: "backspace",
    Qt.Key.Key_Insert: "insert", Qt.Key.Key_Delete: "delete", Qt.Key.Key_Home: "home", Qt.Key.Key_End: "end",
    Qt.Key.Key_PageUp: "page_up", Qt.Key.Key_PageDown: "page_down", Qt.Key.Key_Up: "up", Qt.Key.Key_Down: "down",
    Qt.Key.Key_Left: "left", Qt.Key.Key_Right: "right", Qt.Key.Key_Pause: "pause",
    Qt.Key.Key_ScrollLock: "scroll_lock", Qt.Key.Key_NumLock: "num_lock", Qt.Key.Key_CapsLock: "caps_lock",
    Qt.Key.Key_Print: "print_screen", Qt.Key.Key_Menu: "menu", Qt.Key.Key_MediaPlay: "media_play_pause",
    Qt.Key.Key_MediaTogglePlayPause: "media_play_pause",
}  # fmt: skip
_BUTTONS = {
    Qt.MouseButton.MiddleButton: "mouse_middle",
    Qt.MouseButton.BackButton: "mouse_back",
    Qt.MouseButton.ForwardButton: "mouse_forward",
}

# Which key of a pair it is, Qt tells by the system's own codes only: key symbols of X11 and Wayland (keysymdef.h),
# scan codes of Windows, whose bit 8 is the extended one, and key codes of macOS (HIToolbox, Events.h).
_RIGHT_SYMBOLS = frozenset({0xFFE2, 0xFFE4, 0xFFE8, 0xFFEA, 0xFFEC})
_LEFT_SYMBOLS = frozenset({0xFFE1, 0xFFE3, 0xFFE7, 0xFFE9, 0xFFEB})
_RIGHT_SCANS = frozenset({0x36, 0x11D, 0x138, 0x15C})
_LEFT_SCANS = frozenset({0x2A, 0x1D, 0x38, 0x15B})
_RIGHT_CODES = frozenset({54, 60, 61, 62})
_LEFT_CODES = frozenset({55, 56, 58, 59})
_SIDES: dict[str, tuple[frozenset[int], frozenset[int]]] = {
    "win32": (_LEFT_SCANS, _RIGHT_SCANS),
    "darwin": (_LEFT_CODES, _RIGHT_CODES),
}


def identities(event: QKeyEvent, platform: str = sys.platform) -> frozenset[str]:
    """Return the names of a key, that of its side too; none for one that no chord can have."""
    key = Qt.Key(event.key()) if event.key() in Qt.Key else Qt.Key.Key_unknown
    if key in _MODIFIERS:
        return _sided(_MODIFIERS[key], event, platform)
    if key in _KEYS:
        return frozenset({_KEYS[key]})
    if Qt.Key.Key_F1 <= key <= Qt.Key.Key_F24:
        return frozenset({f"f{key - Qt.Key.Key_F1 + 1}"})
    character = chr(event.key()).lower() if 0x20 < event.key() < 0x110000 and event.key() < 0x01000000 else ""
    return frozenset({character}) if len(character) == 1 and character.isprintable() else frozenset()


def button_name(button: Qt.MouseButton) -> str:
    """Return the name of a mouse button, empty for those that every program needs."""
    if button in _BUTTONS:
        return _BUTTONS[button]
    number = button.value.bit_length() + 4  # X11 counts those that turn the wheel; Qt's sixth is its tenth
    name = f"mouse{number}"
    return name if button.value > Qt.MouseButton.ForwardButton.value and is_button(name) else ""


def is_modifier(names: frozenset[str]) -> bool:
    """Return whether these are names of a modifier."""
    return bool(names & _MODIFIER_NAMES)


def chord_words(chord: Chord) -> str:
    """Return a chord as people read it, such as "Ctrl+Space" or "Right Ctrl"."""
    return "+".join(_key_words(key) for key in chord.keys)


def keys_words(keys: str) -> str:
    """Return a setting of keys as people read it; one with a name that is no key as it is."""
    try:
        return ", ".join(map(chord_words, parse_keys(keys)))
    except KnownError:
        return keys


def trigger_words(trigger: str) -> str:
    """Return the words for a key that a backend tells of: its name, or what the desktop calls it."""
    try:
        return chord_words(parse_chord(trigger))
    except KnownError:
        return trigger


_MODIFIER_NAMES = frozenset({"ctrl", "alt", "shift", "super", "alt_gr"})
_SUPER = {"darwin": Text("Command"), "win32": Text("Windows")}.get(sys.platform, Text("Super"))
_ALT = Text("Option") if sys.platform == "darwin" else Text("Alt")
_WORDS = {
    "ctrl": Text("Ctrl"), "alt": _ALT, "shift": Text("Shift"), "super": _SUPER, "alt_gr": Text("AltGr"),
    "space": Text("Space"), "tab": Text("Tab"), "enter": Text("Enter"), "esc": Text("Esc"),
    "backspace": Text("Backspace"), "insert": Text("Ins"), "delete": Text("Del"), "home": Text("Home"),
    "end": Text("End key"), "page_up": Text("Page Up"), "page_down": Text("Page Down"), "up": Text("Up arrow"),
    "down": Text("Down arrow"), "left": Text("Left arrow"), "right": Text("Right arrow"), "pause": Text("Pause"),
    "scroll_lock": Text("Scroll Lock"), "num_lock": Text("Num Lock"), "caps_lock": Text("Caps Lock"),
    "print_screen": Text("Print Screen"), "menu": Text("Menu"), "media_play_pause": Text("Play/Pause"),
    "mouse_middle": Text("Middle mouse button"), "mouse_back": Text("Mouse back button"),
    "mouse_forward": Text("Mouse forward button"),
}  # fmt: skip


def _key_words(key: str) -> str:
    if key in _WORDS:
        return tr(_WORDS[key])
    side, _, name = key.partition("_")
    if side in ("left", "right") and name in _WORDS:
        return tr("Left {key}", key=tr(_WORDS[name])) if side == "left" else tr("Right {key}", key=tr(_WORDS[name]))
    return tr("Mouse button {number}", number=key.removeprefix("mouse")) if is_button(key) else key.upper()


def _sided(name: str, event: QKeyEvent, platform: str) -> frozenset[str]:
    if name == "alt_gr":
        return frozenset({name})
    left, right = _SIDES.get(platform, (_LEFT_SYMBOLS, _RIGHT_SYMBOLS))
    code = event.nativeScanCode() if platform == "win32" else event.nativeVirtualKey()
    side = {f"left_{name}"} if code in left else {f"right_{name}"} if code in right else set()
    return frozenset({name} | side)
