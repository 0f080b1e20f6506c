"""Push-to-talk under Windows: a low-level keyboard hook, since a registered hot key has no release."""

from novadesk.desktop.hotkeys.pynput_listener import PynputHotkey


class WindowsHotkey(PynputHotkey):
    """A `HotkeyBackend` for Windows; programs run as administrator hide their keys from it."""
