"""What is wrong with the sound while the conversation goes on, and the one thing to do about it."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from novadesk.config import EchoSetting
from novadesk.conversation.api import Snapshot
from novadesk.ui.i18n import tr
from novadesk.ui.note_bar import NoteBar
from novadesk.ui.states import RESTING
from novadesk.ui.theme import Theme


def sound_note(snapshot: Snapshot) -> str:
    """Return what the person should know of the sound; a bad microphone comes first, then a device that is missing."""
    if note := _device_note(snapshot):
        return tr(note)
    if not _echoes(snapshot):
        return ""
    turns = snapshot.echo is EchoSetting.HALF_DUPLEX
    way = tr("Wear a headset or lower the volume.") if turns else tr("Wear a headset, lower the volume, or take turns.")
    if snapshot.hears_itself:
        return tr("The assistant hears itself. {way}", way=way)
    louder = round(snapshot.loud_echo_db or 0.0)
    return tr("The speaker reaches the microphone {n} dB louder than your voice. {way}", n=louder, way=way)


def _device_note(snapshot: Snapshot) -> str:
    one_alone = bool(snapshot.microphone_name) != bool(snapshot.speaker_name) and snapshot.phase not in RESTING
    return snapshot.input_note or (snapshot.device_note if one_alone else "")


def _echoes(snapshot: Snapshot) -> bool:
    return snapshot.hears_itself or snapshot.loud_echo_db is not None


class SoundNote(NoteBar):
    """A line with a way out: taking turns when the assistant hears itself, else the settings of sound.

    Advice against an echo goes for this conversation once it was followed or closed; a bad microphone stays told.
    """

    settings_wanted = Signal()
    turns_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, tr("Close this advice"), parent)
        self._turns = self._settled = False
        self.way_out.clicked.connect(self._go)
        self.close_button.clicked.connect(self._settle)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the line, or take it away; new words are read aloud."""
        self._settled = self._settled and _echoes(snapshot)
        echo = not _device_note(snapshot)
        words = "" if echo and self._settled else sound_note(snapshot)
        self.close_button.setVisible(echo)
        self._turns = echo and snapshot.echo is not EchoSetting.HALF_DUPLEX
        self.way_out.setText(tr("Take turns") if self._turns else tr("Sound settings"))
        why = tr("NovaDesk does not listen while it speaks") if self._turns else ""
        self.way_out.setToolTip(why)
        self.way_out.setAccessibleDescription(why)
        self.say(words)

    def _go(self) -> None:
        if self._turns:
            self.turns_wanted.emit()
            self._settle()
        else:
            self.settings_wanted.emit()

    def _settle(self) -> None:
        self._settled = True
        self.say("")
