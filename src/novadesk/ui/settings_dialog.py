"""The settings: where to talk, with which voice and devices, and how."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from novadesk.config import (
    AudioSettings,
    BackendSettings,
    SensitivitySetting,
    Settings,
    TalkModeSetting,
    TalkSettings,
    VoiceSettings,
    check_settings,
)
from novadesk.conversation.api import Devices, Requests
from novadesk.errors import KnownError
from novadesk.models import BackendKind
from novadesk.ui import tokens
from novadesk.ui.bridge import Bridge
from novadesk.ui.sound_fields import EchoChoice, SoundTester
from novadesk.ui.theme import Theme
from novadesk.ui.volume import PercentSlider

# Voices, models and regions of Nova Sonic as of 2026-10; free text is allowed because the lists grow.
VOICES = (
    "matthew", "tiffany", "amy", "olivia", "lupe", "carlos", "ambre", "florian",
    "tina", "lennart", "beatrice", "lorenzo", "carolina", "leo", "arjun", "kiara",
)  # fmt: skip
MODELS = ("amazon.nova-2-sonic-v1:0", "amazon.nova-2-5-sonic", "amazon.nova-sonic-v1:0")
REGIONS = ("us-east-1", "us-west-2", "eu-north-1", "ap-northeast-1")


def needs_restart(old: Settings, new: Settings) -> tuple[str, ...]:
    """Return the names of the groups whose change takes effect at the next start only."""
    changes = {
        "backend": old.backend != new.backend,
        "talk key": old.talk.key != new.talk.key,
    }
    return tuple(name for name, changed in changes.items() if changed)


class SettingsDialog(QDialog):
    """Edit a copy of the settings; `save` is called with it once it is valid.

    Args:
        settings: what to start from.
        save: stores the settings; may raise KnownError, which is shown and keeps the dialog open.
        bridge: asks for the sound devices.
        requests: answers it.
    """

    def __init__(
        self,
        settings: Settings,
        save: Callable[[Settings], None],
        bridge: Bridge,
        requests: Requests,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._save = save
        self._theme = theme
        self._fields: list[QWidget] = []
        self.setObjectName("settingsDialog")
        self.setWindowTitle(self.tr("Settings"))
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._make_fields()
        self._make_sound_fields(bridge, requests)
        self._make_talk_fields()
        self.note = QLabel(self)
        self.note.setObjectName("dialogNote")
        self.note.setWordWrap(True)
        buttons = QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        self.buttons = QDialogButtonBox(buttons, self)
        self.buttons.button(QDialogButtonBox.StandardButton.Save).setObjectName("primary")
        for button in self.buttons.buttons():
            button.setIcon(QIcon())
        self.buttons.accepted.connect(self._on_save)
        self.buttons.rejected.connect(self.reject)
        self._lay_out()
        theme.dress(self)
        self._on_backend()
        self._tell()
        self.backend.setFocus()
        self.resize(theme.px(520), theme.px(716))
        bridge.ask(requests.devices, self._on_devices, self._on_no_devices, owner=self)

    def edited(self) -> Settings:
        """Return the settings as the fields say."""
        old = self._settings
        return replace(
            old,
            backend=self._edited_backend(old.backend),
            voice=self._edited_voice(old.voice),
            audio=self._edited_audio(),
            talk=self._edited_talk(old.talk),
        )

    def _edited_backend(self, old: BackendSettings) -> BackendSettings:
        return replace(
            old,
            kind=BackendKind(self.backend.currentData()),
            profile=self.profile.text().strip(),
            region=self.region.currentText().strip(),
            model=self.model.currentText().strip(),
        )

    def _edited_voice(self, old: VoiceSettings) -> VoiceSettings:
        return replace(
            old,
            voice=self.voice.currentText().strip() or old.voice,
            prompt=self.prompt.toPlainText().strip() or old.prompt,
            sensitivity=SensitivitySetting(self.sensitivity.currentData()),
        )

    def _edited_audio(self) -> AudioSettings:
        return replace(
            self._settings.audio,
            microphone=_chosen(self.microphone),
            speaker=_chosen(self.speaker),
            echo=self.echo.echo,
            volume=self.volume.volume,
            cue_volume=self.cue_volume.volume,
        )

    def _edited_talk(self, old: TalkSettings) -> TalkSettings:
        return replace(old, mode=TalkModeSetting(self.mode.currentData()), key=self.key.text().strip().lower())

    def _make_fields(self) -> None:
        old = self._settings
        backends = [
            (BackendKind.PRACTICE.value, self.tr("Practice partner on this computer")),
            (BackendKind.BEDROCK.value, self.tr("Amazon Bedrock")),
        ]
        if old.backend.kind is BackendKind.GATEWAY:
            backends.append((BackendKind.GATEWAY.value, self.tr("Gateway")))
        self.backend = _choice(old.backend.kind.value, *backends)
        self.backend.currentIndexChanged.connect(self._on_backend)
        self.profile = QLineEdit(old.backend.profile)
        self.profile.setPlaceholderText(self.tr("default"))
        self.region = _free_choice(old.backend.region, REGIONS)
        self.model = _free_choice(old.backend.model, MODELS)
        self.voice = _free_choice(old.voice.voice, VOICES)
        self.sensitivity = _choice(
            old.voice.sensitivity.value,
            (SensitivitySetting.HIGH.value, self.tr("Short (1.5 s)")),
            (SensitivitySetting.MEDIUM.value, self.tr("Medium (1.75 s)")),
            (SensitivitySetting.LOW.value, self.tr("Long (2 s)")),
        )
        self.prompt = QPlainTextEdit(old.voice.prompt)
        self.prompt.setTabChangesFocus(True)
        self.prompt.setFixedHeight(self._theme.px(84))

    def _make_sound_fields(self, bridge: Bridge, requests: Requests) -> None:
        old = self._settings.audio
        self.microphone = _device_choice(old.microphone, self.tr("System default"))
        self.speaker = _device_choice(old.speaker, self.tr("System default"))
        self.test = SoundTester(bridge, requests, self._theme, self._edited_audio, self)
        for box in (self.microphone, self.speaker):
            box.currentIndexChanged.connect(self.test.stop)
        self.echo = EchoChoice(self._theme, old.echo, self._tell, self)
        self.volume = PercentSlider(self._theme, self.tr("Volume of answers"), old.volume, self)
        self.cue_volume = PercentSlider(self._theme, self.tr("Volume of cues"), old.cue_volume, self)

    def _make_talk_fields(self) -> None:
        old = self._settings
        self.mode = _choice(
            old.talk.mode.value,
            (TalkModeSetting.HOLD.value, self.tr("Hold to talk")),
            (TalkModeSetting.HANDS_FREE.value, self.tr("Hands-free")),
        )
        self.key = QLineEdit(old.talk.key)
        self.key.setPlaceholderText(self.tr("none"))

    def show_sound(self) -> None:
        """Begin at the settings of sound."""
        self.microphone.setFocus()
        QTimer.singleShot(0, self, lambda: self._area.ensureWidgetVisible(self.cue_volume))

    def _lay_out(self) -> None:
        page = QWidget(self)
        page.setObjectName("dialogPage")
        form = QVBoxLayout(page)
        form.setContentsMargins(0, 0, self._theme.px(tokens.SPACE_2), 0)
        form.setSpacing(self._theme.px(tokens.SPACE_2))
        self._group(
            form,
            self.tr("Where to talk"),
            (self.tr("&Backend"), self.backend),
            (self.tr("AWS &profile"), self.profile),
            (self.tr("&Region"), self.region),
            (self.tr("&Model"), self.model),
        )
        self._group(
            form,
            self.tr("Voice"),
            (self.tr("&Voice"), self.voice),
            (self.tr("Pause that &ends a turn"), self.sensitivity),
            (self.tr("&Instructions"), self.prompt),
        )
        self._group(
            form,
            self.tr("Sound"),
            (self.tr("Micr&ophone"), self.microphone),
            (self.tr("&Speaker"), self.speaker),
            (self.tr("&Try them"), self.test),
            (self.tr("I &hear NovaDesk with"), self.echo),
            (self.tr("Volume of &answers"), self.volume),
            (self.tr("Volume of &cues"), self.cue_volume),
        )
        self._group(form, self.tr("Talking"), (self.tr("Mo&de"), self.mode), (self.tr("Talk &key"), self.key))
        form.addStretch(1)
        area = self._area = QScrollArea(self)
        area.setObjectName("dialogArea")
        area.setAccessibleName(self.tr("Settings"))
        area.setWidget(page)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        edge = self._theme.px(tokens.SPACE_5)
        layout.setContentsMargins(edge, self._theme.px(tokens.SPACE_4), edge, self._theme.px(tokens.SPACE_4))
        layout.setSpacing(self._theme.px(tokens.SPACE_3))
        layout.addWidget(area, 1)
        layout.addWidget(self.note)
        layout.addWidget(self.buttons)
        self._follow_fields()

    def _follow_fields(self) -> None:
        """Let Tab walk down the page, and say at every change what it takes."""
        stops: list[QWidget] = [stop for field in self._fields for stop in _stops(field)]
        for one, other in pairwise((*stops, *self.buttons.buttons())):
            QWidget.setTabOrder(one, other)
        for field in self._fields:
            if isinstance(field, QComboBox):
                field.currentTextChanged.connect(self._tell)
            elif isinstance(field, QLineEdit | QPlainTextEdit):
                field.textChanged.connect(self._tell)

    def _group(self, into: QVBoxLayout, title: str, *rows: tuple[str, QWidget]) -> None:
        heading = QLabel(title, self)
        heading.setObjectName("dialogHeading")
        heading.setIndent(0)
        into.addWidget(heading)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, self._theme.px(tokens.SPACE_3))
        form.setHorizontalSpacing(self._theme.px(tokens.SPACE_4))
        form.setVerticalSpacing(self._theme.px(tokens.SPACE_2))
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for words, field in rows:
            label = QLabel(words, self)
            label.setBuddy(_stops(field)[0])
            label.setMinimumWidth(self._theme.px(160))
            label.setFixedHeight(self._theme.px(30))
            if isinstance(field, QComboBox):
                field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            elif _stops(field) == (field,):
                field.setAccessibleName(words.replace("&", ""))
            form.addRow(label, field)
            self._fields.append(field)
        into.addLayout(form)

    def _on_backend(self) -> None:
        remote = self.backend.currentData() != BackendKind.PRACTICE.value
        for field in (self.profile, self.region, self.model):
            field.setEnabled(remote)

    def _on_devices(self, devices: Devices) -> None:
        for box, names in ((self.microphone, devices.microphones), (self.speaker, devices.speakers)):
            for name in names:
                if box.findData(name) < 0:
                    box.addItem(name, name)

    def _on_no_devices(self, error: KnownError) -> None:
        self._say(f"{error.what} {error.advice}", bad=True)

    def _tell(self) -> None:
        names = needs_restart(self._settings, self.edited())
        if names:
            self._say(self.tr("Used from the next start: {names}.").format(names=", ".join(names)), bad=False)
        else:
            self._say("", bad=False)

    def _say(self, text: str, *, bad: bool) -> None:
        self.note.setProperty("bad", bad)
        self.note.style().unpolish(self.note)
        self.note.style().polish(self.note)
        self.note.setText(text)
        self.note.setVisible(bool(text))
        QTimer.singleShot(0, self, self._show_field)  # once the note has taken its room

    def _show_field(self) -> None:
        field = self.focusWidget()
        if field is not None and self._area.isAncestorOf(field):
            self._area.ensureWidgetVisible(field)

    def _on_save(self) -> None:
        try:
            settings = check_settings(self.edited(), Path("settings.toml"))
            self._save(settings)
        except KnownError as error:
            self._say(f"{error.what} {error.advice}", bad=True)
            return
        self.accept()


def _stops(field: QWidget) -> tuple[QWidget, ...]:
    """Return what of a field takes the focus."""
    stops: tuple[QWidget, ...] = getattr(field, "stops", (field,))
    return stops


def _choice(current: str, *entries: tuple[str, str]) -> QComboBox:
    box = QComboBox()
    for value, words in entries:
        box.addItem(words, value)
    box.setCurrentIndex(box.findData(current))
    return box


def _free_choice(current: str, entries: tuple[str, ...]) -> QComboBox:
    box = QComboBox()
    box.setEditable(True)
    box.addItems(list(entries))
    box.setCurrentText(current)
    return box


def _device_choice(current: str, default: str) -> QComboBox:
    box = QComboBox()
    box.addItem(default, "")
    if current:
        box.addItem(current, current)
        box.setCurrentIndex(1)
    return box


def _chosen(box: QComboBox) -> str:
    return str(box.currentData() or "")
