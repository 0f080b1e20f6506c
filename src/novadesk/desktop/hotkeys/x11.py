"""Push-to-talk under X11: keys are told apart by their place on the keyboard, not by what Shift makes of them."""

from collections.abc import Sequence
from typing import Any

from novadesk.chord import Binding
from novadesk.desktop.hotkeys.pynput_listener import PynputHotkey


class X11Hotkey(PynputHotkey):
    """A `HotkeyBackend` for X11.

    Shift pressed or released in between changes the symbol of a key event ("2" down, "@" up), never its key code.
    """

    def __init__(self, bindings: Sequence[Binding]) -> None:
        self._codes = _read_codes()
        super().__init__(bindings)

    def identities(self, key: Any) -> frozenset[str]:
        """Return the key codes that carry the event's symbol, besides the common identities."""
        common = super().identities(key)
        symbol = getattr(getattr(key, "value", key), "vk", None)
        code = self._codes.get(symbol) if symbol is not None else None
        return common if code is None else common | {f"code:{code}"}

    def _wanted(self, name: str) -> frozenset[str]:
        wanted = super()._wanted(name)
        if len(name) > 1:
            return wanted
        # In X11 the symbol of a Latin-1 character is its code point, others carry an offset (X protocol, appendix A).
        point = ord(name)
        code = self._codes.get(point if point < 0x100 else point | 0x0100_0000)
        return wanted if code is None else wanted | {f"code:{code}"}


def _read_codes() -> dict[int, int]:
    """Return the first key code that carries each symbol, from the X server's keyboard mapping."""
    from Xlib import display  # type: ignore[import-untyped]
    from Xlib.error import DisplayError  # type: ignore[import-untyped]

    try:
        connection = display.Display()
    except (DisplayError, OSError) as error:
        raise ImportError("the X server does not answer") from error
    try:
        first, last = connection.display.info.min_keycode, connection.display.info.max_keycode
        codes: dict[int, int] = {}
        for code, symbols in enumerate(connection.get_keyboard_mapping(first, last - first + 1), start=first):
            for symbol in symbols:
                if symbol:
                    codes.setdefault(symbol, code)
        return codes
    finally:
        connection.close()
