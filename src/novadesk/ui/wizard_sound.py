"""First steps, pages 2 and 3: the microphone, and the speaker with what the microphone hears of it."""

from dataclasses import replace

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QProgressBar, QPushButton, QWidget

from novadesk.config import AudioSettings, EchoSetting, Settings
from novadesk.conversation.api import Devices
from novadesk.conversation.firststeps import Recording, RecordingStage, SelfHearing
from novadesk.errors import KnownError
from novadesk.ui import tokens
from novadesk.ui.bridge import Question
from novadesk.ui.i18n import tr
from novadesk.ui.level_meter import LevelMeter
from novadesk.ui.note import Note
from novadesk.ui.sound_fields import EchoChoice, SoundTester
from novadesk.ui.wizard_page import Post, Surroundings, WizardPage

RECORD_DEADLINE_S = 30.0
HEAR_DEADLINE_S = 30.0


class SoundPage(WizardPage):
    """A page with a choice of devices."""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self._audio = AudioSettings()
        self._question: Question | None = None
        self.devices = QComboBox(self)
        self.note = Note(self.around.theme, self)

    def first_field(self) -> QWidget | None:  # noqa: D102
        return self.devices

    def ask_devices(self, current: str) -> None:
        """Fill the choice: the system's default, what is chosen, and what is there."""
        self.devices.blockSignals(True)
        self.devices.clear()
        self.devices.addItem(tr("System default"), "")
        if current:
            self.devices.addItem(current, current)
            self.devices.setCurrentIndex(1)
        self.devices.blockSignals(False)
        requests = self.around.requests
        self.around.bridge.ask(requests.devices, self._on_devices, self._on_error, owner=self)

    def names(self, devices: Devices) -> tuple[str, ...]:
        """Return which of the devices can be chosen here."""
        raise NotImplementedError

    def edited_audio(self) -> AudioSettings:
        """Return what is chosen here."""
        raise NotImplementedError

    def edited(self, settings: Settings) -> Settings:  # noqa: D102
        return replace(settings, audio=self.edited_audio())

    def chosen(self) -> str:
        """Return the chosen device as the settings name it."""
        return str(self.devices.currentData() or "")

    def _on_devices(self, devices: Devices) -> None:
        for name in self.names(devices):
            if self.devices.findData(name) < 0:
                self.devices.addItem(name, name)

    def _on_error(self, error: KnownError) -> None:
        self.note.tell(error)


class MicrophonePage(SoundPage):
    """Which microphone, whether it hears, and how it sounds. It is open only while this page is seen."""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.title = tr("Can NovaDesk hear you?")
        self.intro = tr("Say something and watch the bar. The microphone is open only while you see this page.")
        theme = around.theme
        self.form((tr("&Microphone"), self.devices))
        self.tester = SoundTester(around.bridge, around.requests, theme, self.edited_audio, self)
        self.record = QPushButton(tr("&Record 4 seconds and play them"), self)
        self.record.setAutoDefault(False)
        self.record.clicked.connect(self.toggle)
        self.progress = QProgressBar(self)
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 100)
        self.progress.setFixedHeight(theme.px(4))
        self.progress.setAccessibleName(tr("Progress of the recording"))
        self.progress.hide()
        self.level = LevelMeter(theme, self)
        self.level.hide()
        line = QHBoxLayout()
        line.setSpacing(theme.px(tokens.SPACE_3))
        line.addWidget(self.record)
        line.addWidget(self.level, 1)
        line.addStretch(0)
        self.body.addWidget(self.tester)
        self.body.addLayout(line)
        self.body.addWidget(self.progress)
        self.body.addWidget(self.note)
        self.body.addStretch(1)
        self._post = Post(self._on_recording, self)
        self.devices.currentIndexChanged.connect(self._on_chosen)

    def begin(self, settings: Settings) -> None:  # noqa: D102
        self._audio = settings.audio
        self.note.say("")
        self.ask_devices(settings.audio.microphone)
        QTimer.singleShot(0, self, self._listen)

    def leave(self) -> None:  # noqa: D102
        self.stop()
        self.tester.stop()

    def names(self, devices: Devices) -> tuple[str, ...]:  # noqa: D102
        return devices.microphones

    def edited_audio(self) -> AudioSettings:  # noqa: D102
        return replace(self._audio, microphone=self.chosen())

    def toggle(self) -> None:
        """Record and play back, or stop."""
        if self._question is not None:
            self.stop()
            self.note.say(tr("Stopped. Nothing was kept."))
            self._listen()
            return
        self.tester.stop()
        devices, steps, post = self.edited_audio(), self.around.steps, self._post
        self.record.setText(tr("&Stop"))
        self.tester.hide()
        self.note.say(tr("Opening the microphone…"))
        self.progress.setValue(0)
        self.progress.show()
        self.level.show()
        post.start()
        self._question = self.around.bridge.ask(
            lambda: steps.record(devices, post.put),
            self._on_recorded,
            self._on_failed,
            owner=self,
            deadline_s=RECORD_DEADLINE_S,
        )

    def stop(self) -> None:
        """Give up on the recording; nothing when there is none."""
        question = self._question
        if question is not None:
            question.drop()
            self._rest()

    def _listen(self) -> None:
        if self.isVisible() and self._question is None and not self.tester.running:
            self.tester.toggle()

    def _on_chosen(self) -> None:
        self.stop()
        self.tester.stop()
        self._listen()
        self.changed.emit()

    def _on_recording(self, recording: Recording) -> None:
        if recording.stage is RecordingStage.RECORDING:
            self.level.show_level(recording.level)
            self.progress.setValue(round(100 - 25 * recording.left_s))
            self.note.say(tr("Speak now: everything is recorded for four seconds."))
        elif recording.stage is RecordingStage.PLAYING:
            self.level.clear()
            self.progress.setRange(0, 0)
            self.note.say(tr("This is how you sound…"))

    def _on_recorded(self, voice_db: float | None) -> None:
        self._rest()
        self.around.voice_db = voice_db
        self.note.say(
            tr("Could you hear yourself? Then go on.")
            if voice_db is not None
            else tr("There was no voice in it. Move closer, or choose another microphone."),
            bad=voice_db is None,
        )
        self._listen()

    def _on_failed(self, error: KnownError) -> None:
        self._rest()
        self._on_error(error)

    def _rest(self) -> None:
        self._question = None
        self._post.drop()
        self.progress.hide()
        self.progress.setRange(0, 100)
        self.level.hide()
        self.tester.show()
        self.record.setText(tr("&Record 4 seconds and play them"))


class SpeakerPage(SoundPage):
    """Which speaker, and whether the microphone hears it; what to do about that is advised and can be chosen."""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(around, parent)
        self.title = tr("Can you hear NovaDesk?")
        self.intro = tr(
            "NovaDesk says a sentence and listens for it, to find out whether your microphone hears your speaker. "
            "The microphone is open for that long."
        )
        theme = around.theme
        self.form((tr("&Speaker"), self.devices))
        self.play = QPushButton(tr("&Play a sentence and listen"), self)
        self.play.setAutoDefault(False)
        self.play.clicked.connect(self.toggle)
        self.progress = QProgressBar(self)
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 0)
        self.progress.setFixedHeight(theme.px(4))
        self.progress.setAccessibleName(tr("Listening for the sentence"))
        self.progress.hide()
        line = QHBoxLayout()
        line.addWidget(self.play)
        line.addStretch(1)
        self.echo = EchoChoice(theme, EchoSetting.SPEAKERS, self.changed.emit, self)
        self.body.addLayout(line)
        self.body.addWidget(self.progress)
        self.body.addWidget(self.note)
        self.body.addWidget(self.echo)
        self.body.addStretch(1)
        self.devices.currentIndexChanged.connect(self._on_chosen)

    def begin(self, settings: Settings) -> None:  # noqa: D102
        self._audio = settings.audio
        self.note.say("")
        self.echo.buttons[settings.audio.echo].setChecked(True)
        self.ask_devices(settings.audio.speaker)

    def leave(self) -> None:  # noqa: D102
        self.stop()

    def names(self, devices: Devices) -> tuple[str, ...]:  # noqa: D102
        return devices.speakers

    def edited_audio(self) -> AudioSettings:  # noqa: D102
        return replace(self._audio, speaker=self.chosen(), echo=self.echo.echo)

    def toggle(self) -> None:
        """Play and listen, or stop."""
        if self._question is not None:
            self.stop()
            self.note.say(tr("Stopped."))
            return
        devices, steps, voice_db = self.edited_audio(), self.around.steps, self.around.voice_db
        self.play.setText(tr("&Stop"))
        self.progress.show()
        self.note.say(tr("Be quiet for a moment…"))
        self._question = self.around.bridge.ask(
            lambda: steps.hear_itself(devices, voice_db),
            self._on_heard,
            self._on_failed,
            owner=self,
            deadline_s=HEAR_DEADLINE_S,
        )

    def stop(self) -> None:
        """Give up on it; nothing when nothing runs."""
        question = self._question
        if question is not None:
            question.drop()
            self._rest()

    def _on_chosen(self) -> None:
        self.stop()
        self.changed.emit()

    def _on_heard(self, found: SelfHearing) -> None:
        self._rest()
        if found.advice is not None:
            self.echo.buttons[found.advice].setChecked(True)
        self.note.say(tr(found.what), bad=found.heard is None)

    def _on_failed(self, error: KnownError) -> None:
        self._rest()
        self._on_error(error)

    def _rest(self) -> None:
        self._question = None
        self.progress.hide()
        self.play.setText(tr("&Play a sentence and listen"))
