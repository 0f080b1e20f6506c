"""Push-to-talk under macOS: an event tap, which needs the person's consent."""

from novadesk.desktop.hotkeys.chord import Chord
from novadesk.desktop.hotkeys.pynput_listener import PynputHotkey


class MacHotkey(PynputHotkey):
    """A `HotkeyBackend` for macOS; without consent there are no events and no error."""

    def __init__(self, chord: Chord) -> None:
        super().__init__(chord)
        if not getattr(self._keyboard.Listener, "IS_TRUSTED", True):
            self.note = (
                "macOS shows keys to NovaDesk only with consent: allow it under System Settings, Privacy & Security, "
                "Accessibility and Input Monitoring, then start it anew."
            )
