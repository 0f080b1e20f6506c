"""Which short sound is due: the microphone listens, has stopped, or is muted while somebody talks. Pure.

Nobody is told twice in a row that something listens: between the two it has stopped, and that was told.
"""

from novadesk.conversation.uplink import SPOKEN_LEVEL
from novadesk.models import Cue

MUTED_FRAMES = 10
"""Frames of voice (0.32 s) into a muted microphone that are talk, not a noise."""

MUTED_AGAIN_S = 30.0
"""Shortest time between two reminders that the microphone is muted."""


class Cueing:
    """Follows the talk key and the captured frames."""

    def __init__(self) -> None:
        self._held = False  # the key is down
        self._told = False  # the newest that the person was told is that something listens
        self._voiced = 0
        self._reminded_at = float("-inf")

    def pressed(self, now: float, *, muted: bool) -> Cue | None:
        """Take a press of the talk key; what listens is told with the first real sample, not before."""
        self._held = True
        return self._remind(now) if muted else None

    def released(self) -> None:
        """Take its release; the gate closes a moment later."""
        self._held = False

    def closed(self) -> None:
        """Take that the devices are released: nobody is told of it but in the window."""
        self._held = self._told = False

    def frame(self, level: float, now: float, *, is_open: bool, muted: bool, speaking: bool) -> Cue | None:
        """Take a captured frame.

        Args:
            level: 0 to 1 RMS of full scale; exactly 0 is no real sample: a device that is still waking up.
            now: monotonic seconds.
            is_open: the frame passes the gate.
            muted: the person has muted the microphone.
            speaking: an answer is played, which the microphone may hear.
        """
        if self._held and not self._told and is_open and level > 0.0:
            self._told = True
            return Cue.LISTENING
        if self._told and not is_open:
            self._told = False
            return self._remind(now) if muted else Cue.STOPPED
        self._voiced = self._voiced + 1 if muted and not speaking and level >= SPOKEN_LEVEL else 0
        if self._voiced >= MUTED_FRAMES and now - self._reminded_at >= MUTED_AGAIN_S:
            return self._remind(now)
        return None

    def _remind(self, now: float) -> Cue:
        self._voiced, self._reminded_at = 0, now
        return Cue.MUTED
