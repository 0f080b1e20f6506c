"""What outages and renewals have cost since the program started, and the measurements of it."""

from collections import deque

from novadesk.conversation.uplink import FRAME_BYTES, FRAME_S
from novadesk.diagnostics.metrics import Measure, Meter

_FRAME_SAMPLES = FRAME_BYTES // 2
_REPLACEABLE = 32  # turns back that a late confirmation may still replace


class Tally:
    """Counts for the snapshot, each with its measurement.

    Args:
        meter: takes measurements, or None.
    """

    def __init__(self, meter: Meter | None) -> None:
        self.renewals = 0
        self.reconnects = 0
        self.lost_frames = 0
        self._resuming = False
        self._outage: float | None = None
        self._meter = meter
        self._newest: deque[str] = deque(maxlen=_REPLACEABLE)

    @property
    def lost_s(self) -> float:
        """Return the seconds of speech that no wire session could take."""
        return self.lost_frames * FRAME_S

    def renewed(self, took_s: float) -> None:
        """Count a hand-over to a new wire session, `took_s` after its preparation began."""
        self.renewals += 1
        self._note(Measure.RENEWAL, took_s * 1000)

    def came_back(self, after_s: float, began_at: float) -> None:
        """Count the end of an outage, once however often the link broke again at once."""
        if began_at == self._outage:
            return
        self._outage = began_at
        self.reconnects += 1
        self._note(Measure.RECONNECT, after_s * 1000)

    def lost(self, frames: int) -> float:
        """Take the number of frames lost so far; return the seconds that are new in it."""
        new = frames - self.lost_frames
        if new <= 0:
            return 0.0
        self.lost_frames = frames
        self._note(Measure.SAMPLES_LOST, new * _FRAME_SAMPLES)
        return new * FRAME_S

    def resuming(self) -> None:
        """Count an attempt to carry stored turns into a wire session."""
        self._resuming = True
        self._note(Measure.RESUME_TRIED)

    def resumed(self) -> None:
        """Count its success, once."""
        if not self._resuming:
            return
        self._resuming = False
        self._note(Measure.RESUME_COMPLETE)

    def loaded(self, load_ms: float) -> None:
        """Note how long it took until a stored conversation was readable."""
        self._note(Measure.LOAD, load_ms)

    def kept(self, turn_id: str) -> None:
        """Count a turn that reached the disk; a newer version of it is still the same turn."""
        if turn_id in self._newest:
            return
        self._newest.append(turn_id)
        self._note(Measure.TURN_KEPT)

    def _note(self, measure: Measure, value: float = 1.0) -> None:
        if self._meter is not None:
            self._meter.note(measure, value)
