"""Push-to-talk under Windows: a low-level keyboard hook, since a registered hot key has no release.

Written from Microsoft's documentation; Windows was not at hand to run it.
"""

import re

from novadesk.desktop.hotkeys.pynput_listener import PynputHotkey

_NAMED_BY_CODE = re.compile(r"[a-z0-9]")


class WindowsHotkey(PynputHotkey):
    """A `HotkeyBackend` for Windows; programs run as administrator hide their keys from it.

    Ctrl and Shift change the character of a key event, never its virtual-key code, which for letters and digits is
    that of the capital letter or the digit in ASCII (winuser.h).
    """

    def _wanted(self, name: str) -> frozenset[str]:
        wanted = super()._wanted(name)
        return wanted | {f"vk:{ord(name.upper())}"} if _NAMED_BY_CODE.fullmatch(name) else wanted
