"""Push-to-talk under macOS: an event tap, which needs the person's consent."""

from collections.abc import Sequence

from novadesk.chord import Binding
from novadesk.desktop.hotkeys.pynput_listener import PynputHotkey
from novadesk.text import Text

_NO_CONSENT = Text(
    "macOS shows keys to NovaDesk only with consent: allow it under System Settings, Privacy & Security, "
    "Accessibility and Input Monitoring, then start it anew."
)


class MacHotkey(PynputHotkey):
    """A `HotkeyBackend` for macOS; without consent there are no events and no error."""

    def __init__(self, bindings: Sequence[Binding]) -> None:
        from pynput.keyboard import Listener

        super().__init__(bindings, note="" if getattr(Listener, "IS_TRUSTED", True) else _NO_CONSENT)
