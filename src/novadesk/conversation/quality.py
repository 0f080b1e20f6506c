"""How good the connection is, in words: from how late the network takes sound, and how often it broke. Pure."""

from collections import deque

from novadesk.conversation.inspection import NOT_MEASURED, Connection, Quality
from novadesk.diagnostics.metrics import percentile
from novadesk.text import Text

FAIR_S, POOR_S = 0.15, 0.4
"""Delays from which on people notice, and cannot talk well (ITU-T G.114, one-way transmission time, 05/2003)."""

ENOUGH = 30
"""Pieces of sound of 32 ms after which there is something to say: a second."""

OUTAGE_S = 300.0
"""An outage counts for so long; a second one within it makes the connection a poor one."""

_REMEMBERED = 128
_LOOK_S = 1.0

_GOOD = Connection(quality=Quality.GOOD, why=Text("Sound goes out at once"))
_FAIR = Connection(quality=Quality.FAIR, why=Text("The network takes sound late: answers come late too"))
_POOR = Connection(quality=Quality.POOR, why=Text("The network hardly takes the sound: words may be lost"))
_BROKE = Connection(quality=Quality.FAIR, why=Text("The connection broke within the last five minutes"))
_BREAKS = Connection(quality=Quality.POOR, why=Text("The connection broke more than once within five minutes"))


class ConnectionQuality:
    """Judges the live connection. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._delays: deque[float] = deque(maxlen=_REMEMBERED)
        self._outages: deque[float] = deque(maxlen=8)
        self._judged = NOT_MEASURED
        self._judged_at = float("-inf")

    def sent(self, seconds: float) -> None:
        """Take how long the link needed for a piece of sound."""
        self._delays.append(seconds)

    def lost(self, now: float) -> None:
        """Take that the connection broke; what was measured on it says nothing about the next one."""
        self._outages.append(now)
        self._delays.clear()
        self._judged_at = float("-inf")

    def over(self) -> None:
        """Take that the conversation has no connection any more."""
        self._delays.clear()
        self._outages.clear()
        self._judged_at = float("-inf")

    def at(self, now: float, *, live: bool, unsent_from: float) -> Connection:
        """Return the judgement, renewed once a second.

        Args:
            now: the time.
            live: there is a connection.
            unsent_from: since when the oldest piece of sound has waited for the link; later than now when none does.
        """
        if not live:
            return NOT_MEASURED
        if now - self._judged_at >= _LOOK_S:
            self._judged, self._judged_at = self._judge(now, now - unsent_from), now
        return self._judged

    def _judge(self, now: float, unsent_s: float) -> Connection:
        outages = sum(now - at < OUTAGE_S for at in self._outages)
        late_s = max(unsent_s, percentile(self._delays, 95) if self._delays else 0.0)
        if len(self._delays) < ENOUGH and unsent_s < FAIR_S:
            return _BREAKS if outages > 1 else NOT_MEASURED
        if late_s >= POOR_S:
            return _POOR
        if outages:
            return _BREAKS if outages > 1 else _BROKE
        return _FAIR if late_s >= FAIR_S else _GOOD
