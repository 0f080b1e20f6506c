"""Whether there is a microphone, and what is wrong with it, in words. Pure."""

from novadesk.models import InputTrouble
from novadesk.text import Text

NOTES: dict[InputTrouble, str] = {
    InputTrouble.NONE: "",
    InputTrouble.ZEROS: Text(
        "The microphone sends exact silence. Look for a switch on it, or choose another one in Settings."
    ),
    InputTrouble.MUTED: Text(
        "The microphone is switched off. Unmute it with its own switch, or in the system's settings."
    ),
    InputTrouble.QUIET: Text("The microphone is very quiet. Speak closer to it, or raise its level in the system."),
    InputTrouble.CLIPPED: Text("The microphone is too loud and distorts. Lower its level in the system's settings."),
    InputTrouble.TELEPHONE: Text(
        "This headset's microphone switches it to telephone sound. Choose another microphone in Settings."
    ),
    InputTrouble.MONITOR: Text(
        "The system gives the speaker's own sound in place of a microphone. Connect the microphone, or choose another."
    ),
    InputTrouble.DEAD: Text(
        "The microphone brings no sound, and there is no other. Connect it again; until then you can type and listen."
    ),
}
"""What a person is told of each trouble."""


class Microphone:
    """Knows of the open device; a device that brings a speaker's sound is none."""

    def __init__(self) -> None:
        self.trouble = InputTrouble.NONE
        self._open = self._advised = False

    @property
    def present(self) -> bool:
        """Return whether the person can be heard."""
        return self._open and self.trouble is not InputTrouble.MONITOR

    @property
    def note(self) -> str:
        """Return what is wrong, in words, or an empty text; advice is none of it."""
        return "" if self.trouble is InputTrouble.TELEPHONE else NOTES[self.trouble]

    def advice(self) -> str:
        """Return what could be better, in words, once; else an empty text."""
        due = self.trouble is InputTrouble.TELEPHONE and not self._advised
        self._advised = self._advised or due
        return NOTES[self.trouble] if due else ""

    def opened(self, *, found: bool) -> None:
        """Note that the devices were opened, with a microphone among them or without."""
        self._open = found
        self.trouble = InputTrouble.NONE

    def lost(self) -> None:
        """Note that the device is gone, and its trouble with it."""
        self.opened(found=False)
