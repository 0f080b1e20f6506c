"""A test of the sound devices in the settings: a button, a level, and what is heard in words."""

from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from novadesk.config import AudioSettings, EchoSetting
from novadesk.conversation.api import MicrophoneState, Requests, Snapshot, SoundTest
from novadesk.errors import KnownError
from novadesk.models import InputTrouble
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge, Question
from novadesk.ui.i18n import tr
from novadesk.ui.level_meter import LevelMeter
from novadesk.ui.note import Note
from novadesk.ui.setting_rows import Choice
from novadesk.ui.setting_table import row_of
from novadesk.ui.talk_button import loudness
from novadesk.ui.theme import Theme
from novadesk.ui.words import device_words

TEST_DEADLINE_S = 40.0
"""The core ends a test by itself after 20 s; opening and closing slow devices takes some more."""

_DRAW_MS = 50
_REMEMBER_DRAWN = 40
_HEARD = 0.35


def verdict(test: SoundTest | None, loudest: float) -> str:
    """Return what a test says so far.

    Args:
        test: what was heard last, None before anything was.
        loudest: fullest meter of the last two seconds, 0 to 1.
    """
    if test is None or not test.microphone:
        return tr("Opening the devices…")
    words = {
        InputTrouble.ZEROS: tr("The microphone sends exact silence. Look for a mute switch on it."),
        InputTrouble.MUTED: tr("The microphone is switched off. Unmute it, there or in the system's settings."),
        InputTrouble.QUIET: tr("Hardly to be heard. Move closer, or raise the microphone's level in the system."),
        InputTrouble.CLIPPED: tr("Too loud: it clips. Move away, or lower the microphone's level in the system."),
        InputTrouble.DEAD: tr(
            "The microphone brings nothing, not even silence. Plug it in again, or choose another one."
        ),
        InputTrouble.TELEPHONE: tr(
            "This headset sounds like a telephone while its microphone is open. Choose another microphone."
        ),
        InputTrouble.MONITOR: tr("This is the sound of a speaker, not of a microphone. Choose another one."),
    }.get(test.trouble)
    if words is not None:
        return words
    if test.note:
        return tr(test.note)
    if loudest >= _HEARD:
        return tr("The microphone hears you: {microphone}.", microphone=device_words(test.microphone))
    return tr("{microphone} is open. Say something.", microphone=device_words(test.microphone))


class EchoChoice(QWidget):
    """Speakers, headset or taking turns, with a sentence on what follows."""

    def __init__(
        self, theme: Theme, echo: EchoSetting, changed: Callable[[], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        row = row_of("audio", "echo")
        assert row is not None
        kind = row.kind
        assert isinstance(kind, Choice)
        self.buttons: dict[EchoSetting, QRadioButton] = {}
        group = QButtonGroup(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.px(tokens.SPACE_1), 0, 0)
        layout.setSpacing(theme.px(2))
        for (setting, words), note in zip(kind.options, kind.sentences, strict=True):
            name, sentence = tr(words), tr(note)
            button = QRadioButton(name, self)
            button.setAccessibleName(tr("I hear NovaDesk with: {name}", name=name))
            button.setAccessibleDescription(sentence)
            button.setChecked(setting is echo)
            button.toggled.connect(lambda _on: changed())
            why = QLabel(sentence, self)
            why.setObjectName("radioNote")
            why.setWordWrap(True)
            why.setBuddy(button)
            group.addButton(button)
            layout.addWidget(button)
            layout.addWidget(why)
            self.buttons[setting] = button
        self.stops = tuple(self.buttons.values())

    @property
    def echo(self) -> EchoSetting:
        """Return what is chosen."""
        return next(setting for setting, button in self.buttons.items() if button.isChecked())


class SoundTester(QWidget):
    """A button that opens the chosen devices for a moment, a level, and what is heard in words.

    Args:
        bridge: carries the question to the core and drops it when this goes.
        requests: opens the devices.
        devices: returns what is chosen now.
    """

    def __init__(
        self,
        bridge: Bridge,
        requests: Requests,
        theme: Theme,
        devices: Callable[[], AudioSettings],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._requests, self._devices = bridge, requests, devices
        self._question: Question | None = None
        self._heard: deque[SoundTest] = deque(maxlen=_REMEMBER_DRAWN)  # filled on the core's thread, emptied on ours
        self._drawn: deque[float] = deque(maxlen=_REMEMBER_DRAWN)
        self._last: SoundTest | None = None
        self._conversing = ""
        self.button = QPushButton(tr("Test"), self)
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self.toggle)
        self.meter = LevelMeter(theme, self)
        self.words = Note(theme, self)
        self._timer = QTimer(self)
        self._timer.setInterval(_DRAW_MS)
        self._timer.timeout.connect(self._draw)
        self.stops = (self.button,)
        line = QHBoxLayout()
        line.setSpacing(theme.px(tokens.SPACE_3))
        line.addWidget(self.button)
        line.addWidget(self.meter, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.px(tokens.SPACE_1))
        layout.addLayout(line)
        layout.addWidget(self.words)
        self._rest()
        self.words.say(self._closed(), aloud=False)

    @property
    def running(self) -> bool:
        """Return whether the devices are open, or being opened."""
        return self._question is not None

    def toggle(self) -> None:
        """Begin a test, or end it."""
        if self.running:
            self.stop()
            return
        devices, heard = self._devices(), self._heard
        heard.clear()
        self._drawn.clear()
        self._last = None
        self.button.setText(tr("Stop"))
        self._name(tr("Stop the test"))
        self._question = self._bridge.ask(
            lambda: self._requests.try_sound(devices, heard.append),
            self._on_over,
            self._on_error,
            owner=self,
            deadline_s=TEST_DEADLINE_S,
        )
        self.words.say(verdict(None, 0.0))
        self._timer.start()

    def stop(self) -> None:
        """Close the devices; nothing when no test runs."""
        question = self._question
        if question is not None:
            question.drop()
            self._rest()
            self.words.say(self._closed())

    def show_conversation(self, snapshot: Snapshot) -> None:
        """Show what the microphone of the conversation hears, while no test runs."""
        if self.running:
            return
        name = "" if snapshot.microphone is MicrophoneState.ABSENT else snapshot.microphone_name
        if name:
            self.meter.show_level(snapshot.microphone_level)
        else:
            self.meter.clear()
        if name != self._conversing:
            self._conversing = name
            self.words.say(
                tr("The conversation hears {microphone}.", microphone=device_words(name)) if name else self._closed(),
                aloud=False,
            )

    def _closed(self) -> str:
        return tr("The microphone is closed.")

    def _draw(self) -> None:
        level = 0.0
        while self._heard:
            self._last = self._heard.popleft()
            level = max(level, self._last.level)
        self.meter.show_level(level)
        self._drawn.append(loudness(level))
        words = verdict(self._last, max(self._drawn))
        if words != self.words.text():
            self.words.say(words)

    def _on_over(self, _nothing: object) -> None:
        self._rest()
        self.words.say(tr("The test is over; the microphone is closed."))

    def _on_error(self, error: KnownError) -> None:
        self._rest()
        self.words.tell(error)

    def _rest(self) -> None:
        self._question, self._conversing = None, ""
        self._timer.stop()
        self.meter.clear()
        self.button.setText(tr("Test"))
        self._name(tr("Test microphone and speaker"))

    def _name(self, name: str) -> None:
        self.button.setAccessibleName(name)
        self.button.setToolTip(name)
