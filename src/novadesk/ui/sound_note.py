"""What is wrong with the sound while the conversation goes on, and the one thing to do about it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from novadesk.conversation.api import Intents, Snapshot, TalkMode
from novadesk.ui import tokens
from novadesk.ui.announce import announce
from novadesk.ui.controls import IconButton, ShapeLabel
from novadesk.ui.theme import Theme
from novadesk.ui.words import tr


def sound_note(snapshot: Snapshot) -> str:
    """Return what the person should know of the sound, or nothing; a bad microphone comes first."""
    if snapshot.input_note:
        return snapshot.input_note
    if not snapshot.hears_itself:
        return ""
    if snapshot.talk_mode is TalkMode.HANDS_FREE:
        return tr("The assistant hears itself. Wear a headset, lower the volume, or hold a key to talk.")
    return tr("The assistant hears itself. Wear a headset or lower the volume.")


class SoundNote(QFrame):
    """A line with a way out: hold to talk when the assistant hears itself hands-free, else the settings of sound.

    Advice against an echo goes for this conversation once it was followed or closed; a bad microphone stays told.
    """

    settings_wanted = Signal()

    def __init__(self, intents: Intents, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("noteBar")
        self._intents = intents
        self._holds = self._settled = False
        shape = ShapeLabel(theme, 18, self)
        shape.set_shape("info", tokens.Tone.CAUTION)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.way_out = QPushButton(self)
        self.way_out.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.way_out.clicked.connect(self._go)
        self.close_button = IconButton(theme, "close", self.tr("Close this advice"), parent=self)
        self.close_button.clicked.connect(self._settle)
        layout = QHBoxLayout(self)
        edge = theme.px(tokens.SPACE_3)
        layout.setContentsMargins(edge, theme.px(tokens.SPACE_2), edge, theme.px(tokens.SPACE_2))
        layout.setSpacing(edge)
        layout.addWidget(shape, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.words, 1)
        layout.addWidget(self.way_out)
        layout.addWidget(self.close_button)
        self.hide()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the line, or take it away; new words are read aloud."""
        self._settled = self._settled and snapshot.hears_itself
        echo = not snapshot.input_note
        words = "" if echo and self._settled else sound_note(snapshot)
        self.close_button.setVisible(echo)
        self._holds = echo and snapshot.talk_mode is TalkMode.HANDS_FREE
        self.way_out.setText(self.tr("Hold to talk") if self._holds else self.tr("Sound settings"))
        if words != self.words.text():
            self.words.setText(words)
            if words:
                announce(self, words)
        self.setVisible(bool(words))

    def _go(self) -> None:
        if self._holds:
            self._intents.set_talk_mode(TalkMode.HOLD)
            self._settle()
        else:
            self.settings_wanted.emit()

    def _settle(self) -> None:
        self._settled = True
        self.words.clear()
        self.hide()
