"""What the app is told of the devices in use: every change once."""

from typing import Protocol

from novadesk.audio.route import Route
from novadesk.models import InputTrouble
from novadesk.text import Text


class Told(Protocol):
    """Hears which devices are in use, and what is wrong with the microphone."""

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        """Take the devices now in use."""
        ...

    def on_input(self, trouble: InputTrouble) -> None:
        """Take what is wrong with the microphone's sound from now on."""
        ...


class Telling:
    """Tells one listener during one opening of `EngineSound`.

    Args:
        listener: is told.
    """

    def __init__(self, listener: Told) -> None:
        self._listener = listener
        self._named: tuple[str, str, str] | None = None
        self._sound = InputTrouble.NONE
        self._trouble = InputTrouble.NONE
        self._note = ""
        self._muted = self._telephone = False
        self.deaf = False
        """Whether the microphone's stream carries the sound of a speaker."""

    def open_anew(self, note: str) -> None:
        """Expect an opening, which is told even when it led to the same devices; `note` is added to every other."""
        self._named = None
        self._note = note
        self.hear(InputTrouble.NONE)

    def name(self, route: Route) -> None:
        """Take which devices really feed and play the streams; names that are about to change are not told."""
        self.deaf, self._muted, self._telephone = route.deaf, route.muted, route.telephone
        named = (route.microphone, route.speaker, Text.joined(route.note, self._note))
        if named != self._named and not (route.deaf and route.moves):
            self._named = named
            self._listener.on_opened(*named)
            if self._trouble is not InputTrouble.NONE and self._trouble is self._wrong(self._sound):
                self._listener.on_input(self._trouble)  # an opening lets it be forgotten
        self.hear(self._sound)

    def hear(self, trouble: InputTrouble) -> None:
        """Take what the sound itself shows; the sound of a speaker is no microphone's, whatever it is like."""
        self._sound = trouble
        if self._wrong(trouble) is not self._trouble:
            self._trouble = self._wrong(trouble)
            self._listener.on_input(self._trouble)

    def _wrong(self, trouble: InputTrouble) -> InputTrouble:
        if self.deaf:
            return InputTrouble.MONITOR
        if trouble is InputTrouble.NONE and self._telephone:
            return InputTrouble.TELEPHONE
        return InputTrouble.MUTED if self._muted and trouble is InputTrouble.ZEROS else trouble
