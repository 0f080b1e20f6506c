"""The microphone's side of a conversation: the talk key, what it lets through, what is told of it by a short sound."""

from collections.abc import Callable

from novadesk.conversation.api import TalkMode
from novadesk.conversation.cueing import Cueing
from novadesk.conversation.downlink import Downlink
from novadesk.conversation.ports import Clock
from novadesk.conversation.promptness import Promptness
from novadesk.conversation.uplink import NEVER, SPOKEN_LEVEL, Uplink
from novadesk.models import Cue


class Ear:
    """Takes the talk key and what the microphone captures.

    Args:
        clock: time.
        uplink: the gate, and what is kept.
        downlink: the answer, which waits while the key is held.
        send: hands a frame to the wire session; returns whether it was taken.
        cue: plays a short sound.
        on_spoke_on: called when the person speaks on over an answer that waited, which is dropped.
        promptness: measures how soon a press is followed by sound.

    Attributes:
        talked_at: when the talk key was pressed last, or hands-free a voice was let through.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        uplink: Uplink,
        downlink: Downlink,
        send: Callable[[bytes, float], bool],
        cue: Callable[[Cue], None],
        on_spoke_on: Callable[[], None],
        promptness: Promptness,
    ) -> None:
        self._clock, self._uplink, self._downlink = clock, uplink, downlink
        self._send, self._cue, self._on_spoke_on = send, cue, on_spoke_on
        self._cueing, self._promptness = Cueing(), promptness
        self.talked_at = float("-inf")

    def press(self, held_s: float = 0.0) -> None:
        """Open the gate and silence the answer; what was said in the last `held_s` seconds passes, too."""
        now = self.talked_at = self._clock.now()
        self._promptness.pressed(now)
        early = self._uplink.press(now - held_s if held_s else NEVER)
        self._downlink.stop()
        for pcm in early:
            self._pass_on(pcm, now)
        if self._uplink.key_held:
            self._tell(self._cueing.pressed(self._clock.now(), muted=self._uplink.muted))

    def release(self) -> bool:
        """Close the gate after its tail; return whether an answer that waited is played now."""
        now = self._clock.now()
        self._uplink.release(now)
        self._cueing.released()
        return self._downlink.released(now)

    def close(self) -> None:
        """End a press and keep nothing: the devices are released."""
        self._uplink.stop()
        self._uplink.present = False
        self._cueing.closed()
        self._promptness.dropped()

    def hear(self, pcm: bytes, level: float) -> None:
        """Take a microphone frame: gate, keep, send."""
        now = self._clock.now()
        uplink, downlink = self._uplink, self._downlink
        uplink.note_level(level, now)
        is_open, speaking = uplink.open_at(now), downlink.audible and not downlink.held
        if not is_open:
            self._promptness.dropped()
        elif level > 0.0:
            self._promptness.heard(now)
        self._tell(self._cueing.frame(level, now, is_open=is_open, muted=uplink.muted, speaking=speaking))
        if is_open and uplink.mode is TalkMode.HANDS_FREE and level >= SPOKEN_LEVEL:
            self.talked_at = now
        if uplink.key_held and is_open and downlink.note_level(level):
            self._on_spoke_on()
        self._pass_on(pcm, now)

    def _pass_on(self, pcm: bytes, now: float) -> None:
        if (frame := self._uplink.take(pcm, now)) is not None and not self._send(frame, now):
            self._uplink.refused(frame)

    def _tell(self, cue: Cue | None) -> None:
        if cue is not None:
            self._cue(cue)
