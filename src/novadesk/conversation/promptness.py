"""How fast the microphone's way is: from the talk key to the first sample, from the program to the wire. Pure."""

from collections import deque
from collections.abc import Iterable

from novadesk.diagnostics.metrics import percentile

_REMEMBERED = 512


class Delays:
    """The last few hundred of one kind of delay."""

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._seconds = deque(seconds, maxlen=_REMEMBERED)

    def add(self, seconds: float) -> None:
        """Take one."""
        self._seconds.append(max(0.0, seconds))

    def percentile_ms(self, percent: int) -> float | None:
        """Return a percentile in milliseconds, or None when there is no delay yet."""
        return 1000 * percentile(self._seconds, percent) if self._seconds else None


class Promptness:
    """Measures since the program started; times are monotonic seconds.

    Attributes:
        key: from a press of the talk key to the first real sample that passes, the opening of devices included.
        wire: from a frame's arrival in this program until the link has taken it.
    """

    def __init__(self) -> None:
        self.key, self.wire = Delays(), Delays()
        self._pressed_at: float | None = None

    def pressed(self, now: float) -> None:
        """Take a press of the talk key."""
        self._pressed_at = now

    def heard(self, now: float) -> None:
        """Take a real sample that has passed the gate."""
        if self._pressed_at is not None:
            self.key.add(now - self._pressed_at)
            self._pressed_at = None

    def dropped(self) -> None:
        """Take that the gate is closed: a press that brought nothing has no first sample."""
        self._pressed_at = None
