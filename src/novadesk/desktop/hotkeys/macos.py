"""Push-to-talk under macOS: an event tap, which needs the person's consent.

Written from Apple's documentation; no Mac was at hand to run it.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from novadesk.chord import Binding
from novadesk.desktop.hotkeys.pynput_listener import PynputHotkey
from novadesk.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the person has allowed NovaDesk."""

    accessibility: bool
    input_monitoring: bool


def read_consent(load: Callable[[str], Any] = importlib.import_module) -> Consent:
    """Return what is allowed now; what cannot be asked counts as allowed.

    macOS gives no events and no error without it: AXIsProcessTrusted (HIServices, AXUIElement.h) tells of
    Accessibility, CGPreflightListenEventAccess (CoreGraphics, CGEvent.h, since 10.15) of Input Monitoring.
    """
    return Consent(
        accessibility=_ask(load, "HIServices", "AXIsProcessTrusted"),
        input_monitoring=_ask(load, "Quartz", "CGPreflightListenEventAccess"),
    )


def consent_note(consent: Consent) -> Text:
    """Return what to allow, and where; empty when nothing is lacking."""
    match consent:
        case Consent(accessibility=True, input_monitoring=True):
            return Text("")
        case Consent(accessibility=True):
            return Text(
                "macOS shows keys to NovaDesk only with your consent: allow NovaDesk under System Settings, Privacy & "
                "Security, Input Monitoring, then start it anew."
            )
        case Consent(input_monitoring=True):
            return Text(
                "macOS shows keys to NovaDesk only with your consent: allow NovaDesk under System Settings, Privacy & "
                "Security, Accessibility, then start it anew."
            )
        case _:
            return Text(
                "macOS shows keys to NovaDesk only with your consent: allow NovaDesk under System Settings, Privacy & "
                "Security, both in Accessibility and in Input Monitoring, then start it anew."
            )


class MacHotkey(PynputHotkey):
    """A `HotkeyBackend` for macOS; without consent it says so and hears nothing."""

    def __init__(self, bindings: Sequence[Binding], consent: Callable[[], Consent] = read_consent) -> None:
        super().__init__(bindings, note=consent_note(consent()))


def _ask(load: Callable[[str], Any], module: str, question: str) -> bool:
    try:
        return bool(getattr(load(module), question)())
    except (ImportError, AttributeError):
        return True
