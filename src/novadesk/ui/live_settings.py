"""The settings while the window is open: what is changed is written, and what can be used at once is."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from PySide6.QtCore import QObject, QTimer, Signal

from novadesk.config import AudioSettings, EchoSetting, HistorySettings, Settings
from novadesk.conversation.api import Intents, Requests, TalkMode
from novadesk.errors import KnownError
from novadesk.ui.bridge import Bridge
from novadesk.ui.volume import VolumeControl

KEEP_MS = 1000
"""A volume that was not changed for so long is written."""


class LiveSettings(QObject):
    """Keeps the settings as they are now.

    Args:
        settings: as loaded at the start.
        save: writes them; may raise KnownError.
        bridge: asks requests.
        requests: uses other sound settings in the open conversation too.
        intents: takes another way to talk.
        volume: the window's slider, which changes a setting too, and follows it.

    `keeping_changed` brings how long conversations are kept from now on.

    Attributes:
        now: the settings as they are used.
    """

    keeping_changed = Signal(object)

    def __init__(
        self,
        settings: Settings,
        save: Callable[[Settings], None],
        *,
        bridge: Bridge,
        requests: Requests,
        intents: Intents,
        volume: VolumeControl,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.now = settings
        self._save, self._bridge, self._requests = save, bridge, requests
        self._intents, self._volume = intents, volume
        self._resting = QTimer(self)
        self._resting.setSingleShot(True)
        self._resting.setInterval(KEEP_MS)
        self._resting.timeout.connect(self.keep_volume)
        volume.changed.connect(self._resting.start)

    def store(self, settings: Settings) -> None:
        """Write other settings, and use them.

        Raises:
            KnownError: they cannot be written, and are not used.
        """
        self._save(settings)
        before, self.now = self.now, settings
        if settings.talk.mode is not before.talk.mode:
            self._intents.set_talk_mode(TalkMode(settings.talk.mode.value))
        if settings.voice != before.voice:
            self._intents.use_voice(settings.voice)
        if settings.audio != before.audio:
            self._volume.set_volume(settings.audio.volume)
            self._use_sound()
        if settings.history != before.history:
            self._keep_history(settings.history)

    def remember(self, settings: Settings) -> None:
        """Write other settings; where that fails they hold until the program ends."""
        self.now = settings
        with suppress(KnownError, OSError):
            self._save(settings)

    def keep_volume(self) -> None:
        """Write the volume of the slider."""
        self._resting.stop()
        self._keep(replace(self.now.audio, volume=self._volume.volume))

    def take_turns(self) -> None:
        """Have the assistant not listen while it speaks, from now on."""
        self._keep(replace(self.now.audio, volume=self._volume.volume, echo=EchoSetting.HALF_DUPLEX))
        self._use_sound()

    def _keep(self, audio: AudioSettings) -> None:
        """Write settings of sound, where they are other ones."""
        if audio != self.now.audio:
            self.remember(replace(self.now, audio=audio))

    def _keep_history(self, history: HistorySettings) -> None:
        keep = self._requests.keep
        self._bridge.ask(
            lambda: keep(history.keep_days, remotely_too=history.delete_remotely), _nothing, _nothing, owner=self
        )
        self.keeping_changed.emit(history)

    def _use_sound(self) -> None:
        audio = self.now.audio
        self._bridge.ask(lambda: self._requests.use_sound(audio), _nothing, _nothing, owner=self)


def _nothing(_answer: object) -> None:
    """Other sound shows in the next snapshot, and so does what is wrong with it."""
