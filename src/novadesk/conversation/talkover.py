"""What the person says while an answer is played: pauses it, and plays on unless the service takes it for words."""

from collections.abc import Callable

from novadesk.config import EchoSetting
from novadesk.conversation import bargein
from novadesk.conversation.alarm import Alarm
from novadesk.conversation.bargein import Pause
from novadesk.conversation.downlink import Downlink
from novadesk.conversation.echolevel import EchoLevel
from novadesk.conversation.ports import Clock
from novadesk.conversation.selfhearing import SelfHearing
from novadesk.conversation.uplink import Uplink
from novadesk.models import BargeIn
from novadesk.text import Text

_VOICED_S = 0.1
_TAKES_TURNS = Text("You take turns now: NovaDesk does not listen while it speaks.")
_ADVICE = {
    EchoSetting.SPEAKERS: Text("NovaDesk seems to hear its own voice. Use a headset, or turn the volume down."),
    EchoSetting.HEADSET: Text("NovaDesk seems to hear its own voice. Use a headset, or choose Speakers in Settings."),
    EchoSetting.HALF_DUPLEX: Text("NovaDesk seems to hear its own voice. Turn the volume down, or use a headset."),
}


class TalkOver:
    """Answers every confirmed barge-in: the answer plays on after a while, or is silenced.

    Args:
        clock: time.
        uplink: knows whether the person can be heard, and when a voice was.
        downlink: the answer.
        play_on: plays on a paused answer of this generation.
        watch: has the device look for a barge-in, or not.
        notice: shows a passing line.
        echo: see below; it may change.

    Attributes:
        echo: what is done about the speaker's sound in the microphone.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        uplink: Uplink,
        downlink: Downlink,
        play_on: Callable[[int], None],
        watch: Callable[[bool], None],
        notice: Callable[[str], None],
        echo: EchoSetting,
    ) -> None:
        self._clock, self._uplink, self._downlink = clock, uplink, downlink
        self._play_on, self._notice, self.echo = play_on, notice, echo
        self._watch = watch
        self._watching: bool | None = None
        self._pause: Pause | None = None
        self._itself, self._level = SelfHearing(), EchoLevel()
        self._alarm = Alarm(self._look)

    @property
    def hears_itself(self) -> bool:
        """Return whether the assistant seems to hear its own voice in this conversation."""
        return self._itself.found

    @property
    def loud_echo_db(self) -> float | None:
        """Return how much louder the speaker reaches the microphone than the person, where that is far too much."""
        return self._level.found_db

    def use_echo(self, echo: EchoSetting) -> None:
        """Take what is done about the echo from now on; whether it helps is to be heard anew."""
        if echo is self.echo:
            return
        self.echo, self._level = echo, EchoLevel()
        self._itself.begin_anew()
        if echo is EchoSetting.HALF_DUPLEX:
            self._notice(_TAKES_TURNS)

    def look(self, echo_over_voice_db: float) -> None:
        """Take how much louder the echo is than the voice, 0 while unknown; about once a second."""
        if self._level.look(echo_over_voice_db):
            self._notice(
                Text(
                    "The speaker reaches the microphone {n} dB louder than your voice. "
                    "Turn the volume down, or use a headset.",
                    n=round(echo_over_voice_db),
                )
            )

    def heed_gate(self, now: float) -> None:
        """Have the device look for a barge-in exactly while the person can be heard."""
        if (watching := self._uplink.open_at(now)) is not self._watching:
            self._watching = watching
            self._watch(watching)

    def began(self, stage: BargeIn) -> None:
        """Take a stage of a barge-in. With the gate closed nobody can be heard, and nothing was interrupted."""
        if stage is not BargeIn.CONFIRMED:
            return
        now = self._clock.now()
        if not (self._downlink.audible and self._uplink.open_at(now)):
            self._play_on(self._downlink.generation)
            return
        self._pause = bargein.pause_again(self._pause, now)
        self._alarm.set_in(bargein.play_on_at(self._pause, self._uplink.spoken_at) - now)

    def said(self, text: str) -> None:
        """Take what the assistant is about to say."""
        self._itself.said(text)

    def played(self) -> None:
        """Take note that an answer is being played."""
        now = self._clock.now()
        self._itself.played(now, voiced=self._uplink.open_at(now) and now - self._uplink.spoken_at < _VOICED_S)

    def understood(self, text: str) -> None:
        """Take the person's words, before anybody else does: those that cut in end the answer."""
        now = self._clock.now()
        if self._itself.heard(text, now):
            self._notice(_ADVICE[self.echo])
        if bargein.cuts_in(self._pause, now):
            self._downlink.stop()

    def flushed(self) -> None:
        """Take note that the answer was silenced: there is nothing to play on."""
        self._pause = None
        self._alarm.cancel()

    def forget(self) -> None:
        """Forget the conversation."""
        self.flushed()
        self._itself, self._level = SelfHearing(), EchoLevel()

    def _look(self) -> None:
        if self._pause is None:
            return
        now = self._clock.now()
        if (wait_s := bargein.play_on_at(self._pause, self._uplink.spoken_at) - now) > 0:
            self._alarm.set_in(wait_s)
            return
        self._pause = bargein.play_on(self._pause, now)
        self._play_on(self._downlink.generation)
        if self._itself.stopped_for_nothing(now):
            self._notice(_ADVICE[self.echo])
