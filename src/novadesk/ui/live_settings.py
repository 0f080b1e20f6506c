"""The settings while the window is open: what is changed is written, and what can be used at once is."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from PySide6.QtCore import QObject, QTimer, Signal

from novadesk.chord import parse_bindings
from novadesk.config import EchoSetting, HistorySettings, Settings
from novadesk.conversation.api import Intents, Requests, Snapshot, TalkMode
from novadesk.errors import KnownError
from novadesk.ui.bridge import Bridge
from novadesk.ui.volume import VolumeControl

USE_S = 40.0
"""Time to end everything and to build it anew: each part of it has a deadline of seconds."""

KEEP_MS = 1000
"""A volume that was not changed for so long is written."""


class LiveSettings(QObject):
    """Keeps the settings as they are now; `changed` tells that they are others.

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
        started: those that the program began with.
        in_force: those that the core was built with last, and the voice of its wire session.
        talk_changed: other talk settings are used.
    """

    keeping_changed = Signal(object)
    talk_changed = Signal(object)
    changed = Signal()

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
        self.now = self.started = self.in_force = settings
        self._save, self._bridge, self._requests = save, bridge, requests
        self._intents, self._volume = intents, volume
        self._resting = QTimer(self)
        self._resting.setSingleShot(True)
        self._resting.setInterval(KEEP_MS)
        self._resting.timeout.connect(lambda: self.remember(self.now))
        volume.changed.connect(self._take_volume)

    def store(self, settings: Settings) -> None:
        """Write other settings, and use them.

        Raises:
            KnownError: they cannot be written, or nobody can press one of their keys; they are not used.
        """
        before, talk = self.now, settings.talk
        if talk != before.talk:  # else what somebody wrote into the file by hand would refuse every other change
            parse_bindings(talk.key, talk.mute_key)
        self._save(settings)
        self._resting.stop()
        self.now = settings
        if settings.talk.mode is not before.talk.mode:
            self._intents.set_talk_mode(TalkMode(settings.talk.mode.value))
        if settings.voice != before.voice:
            self._intents.use_voice(settings.voice)
        if settings.talk != before.talk:
            self.talk_changed.emit(settings.talk)
            self._bridge.ask(lambda: self._requests.use_talk(settings.talk), _nothing, _nothing, owner=self)
        if settings.audio != before.audio:
            self._volume.set_volume(settings.audio.volume)
            self._use_sound()
        if settings.updates != before.updates:
            self._bridge.ask(lambda: self._requests.use_updates(settings.updates), _nothing, _nothing, owner=self)
        if settings.history != before.history:
            self._keep_history(settings.history)
        self.changed.emit()

    def see(self, snapshot: Snapshot) -> None:
        """Take note of the voice that is in force: another one comes with a new wire session."""
        voice = snapshot.in_force if snapshot.changing and snapshot.in_force is not None else self.now.voice
        in_force = replace(self.in_force, voice=replace(voice, tools=self.in_force.voice.tools))
        if in_force != self.in_force:
            self.in_force = in_force
            self.changed.emit()

    def use_all(self, done: Callable[[], None], failed: Callable[[KnownError], None]) -> None:
        """Connect anew, with all of the settings.

        Args:
            done: called when they are in force.
            failed: takes why they are not; those before still are.
        """
        settings = self.now

        def on_used(_answer: object) -> None:
            self.put_in_force(settings)
            done()

        self._bridge.ask(lambda: self._requests.use(settings), on_used, failed, owner=self, deadline_s=USE_S)

    def put_in_force(self, settings: Settings) -> None:
        """Take that the core was built with these."""
        self.in_force = settings
        self.changed.emit()

    def remember(self, settings: Settings) -> None:
        """Write other settings; where that fails they hold until the program ends."""
        self._resting.stop()
        self.now = settings
        with suppress(KnownError, OSError):
            self._save(settings)
        self.changed.emit()

    def keep_volume(self) -> None:
        """Write the volume of the slider where it was moved, without waiting for its rest."""
        if self._resting.isActive():
            self.remember(self.now)

    def answer_messages(self, aloud: bool) -> None:
        """Have typed messages answered aloud, or in writing only."""
        self.remember(replace(self.now, audio=replace(self.now.audio, messages_aloud=aloud)))

    def take_turns(self) -> None:
        """Have the assistant not listen while it speaks, from now on."""
        self.remember(replace(self.now, audio=replace(self.now.audio, echo=EchoSetting.HALF_DUPLEX)))
        self._use_sound()

    def _take_volume(self, volume: float) -> None:
        # Known at once, for the next change of another setting takes all of them as they are now.
        self.now = replace(self.now, audio=replace(self.now.audio, volume=volume))
        self._resting.start()

    def _keep_history(self, history: HistorySettings) -> None:
        keep = self._requests.keep
        self._bridge.ask(
            lambda: keep(history.keep_days, remotely_too=history.delete_remotely, private=history.private),
            _nothing,
            _nothing,
            owner=self,
        )
        self.keeping_changed.emit(history)

    def _use_sound(self) -> None:
        audio = self.now.audio
        self._bridge.ask(lambda: self._requests.use_sound(audio), _nothing, _nothing, owner=self)


def _nothing(_answer: object) -> None:
    """Other sound shows in the next snapshot, and so does what is wrong with it."""
