"""What the sound devices tell of a conversation: what is heard, what was played, whether they are there."""

from collections.abc import Callable

from novadesk.conversation.api import MicrophoneState
from novadesk.conversation.driver import Driver
from novadesk.conversation.microphone import Microphone
from novadesk.conversation.ports import Clock, Sound
from novadesk.conversation.publishing import Publishing
from novadesk.conversation.soundswitch import SoundSwitch
from novadesk.conversation.uplink import SILENT_LEVEL
from novadesk.conversation.view import View
from novadesk.errors import KnownError, Layer
from novadesk.models import BargeIn, InputTrouble


class SoundReports:
    """Takes the reports of the devices; fits `SoundListener`.

    Args:
        sound: the devices.
        driver: returns what drives the conversation; asked when there is something to tell.
        view: draws levels and devices.
        publishing: publishes with the sound.
        clock: time.
        on_trouble: called with the error of a layer, or None once it is over.

    Attributes:
        switch: opens and closes the devices.
    """

    def __init__(
        self,
        *,
        sound: Sound,
        driver: Callable[[], Driver],
        view: View,
        publishing: Publishing,
        clock: Clock,
        on_trouble: Callable[[Layer, KnownError | None], None],
    ) -> None:
        self.switch = SoundSwitch(sound=sound, listener=self, on_error=self._on_no_sound)
        self._find_driver, self._view, self._publishing, self._clock = driver, view, publishing, clock
        self._on_trouble = on_trouble
        self._microphone, self._gate = Microphone(), MicrophoneState.ABSENT

    def on_frame(self, pcm: bytes, level: float) -> None:
        """Take 32 ms of microphone, unless it is open for a last cue only."""
        if not self.switch.wanted:
            return
        now, gate = self._clock.now(), self._gate
        seen = max(level, self._view.microphone_level) >= SILENT_LEVEL
        self._view.microphone_level = level
        self._driver.ear.hear(pcm, level)
        self._driver.talk_over.heed_gate(now)
        self._gate = self._driver.uplink.state(now)
        self._publishing.moved(seen=seen or self._gate is not gate)

    def on_played(self, generation: int, samples: int, level: float) -> None:
        """Take the speaker's count of samples played."""
        self._view.speaker_level = level
        self._driver.played(generation, samples)
        self._publishing.moved(seen=True)

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        """Take the devices now in use."""
        self._view.devices(microphone, speaker, note)
        self._microphone.opened(found=bool(microphone) and self.switch.wanted)
        self._show_microphone()
        self._driver.downlink.set_speaker(present=bool(speaker))
        self._on_trouble(Layer.AUDIO, None)

    def on_lost(self, error: KnownError) -> None:
        """Take the loss of the devices, which come back by themselves; what is not played yet waits for them."""
        self._microphone.lost()
        self._show_microphone()
        self._view.sound_opening = False
        self._on_trouble(error.layer, error)

    def on_barge_in(self, stage: BargeIn) -> None:
        """Take that somebody begins to speak while an answer is played."""
        if stage is BargeIn.CONFIRMED:
            self._view.speaker_level = 0.0
        self._driver.talk_over.began(stage)
        self._publishing.changed()

    def on_input(self, trouble: InputTrouble) -> None:
        """Take what is wrong with the microphone's sound from now on; what brings none of it is no microphone."""
        self._microphone.trouble = trouble
        self._show_microphone()
        if advice := self._microphone.advice():
            self._view.notice(advice)
        self._publishing.changed()

    def _show_microphone(self) -> None:
        note = self._microphone.note if self.switch.wanted else ""
        self._driver.uplink.present, self._view.input_note = self._microphone.present, note

    def _on_no_sound(self, error: KnownError) -> None:
        self._driver.downlink.set_speaker(present=False)
        self.on_lost(error)

    @property
    def _driver(self) -> Driver:
        return self._find_driver()
