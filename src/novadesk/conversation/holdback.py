"""An answer that comes while the talk key is held: it waits for the release, unless the person spoke on. Pure.

The service ends a turn at a pause, whatever the key says, and cannot be told otherwise.
"""

from collections import deque

from novadesk.conversation.uplink import SPOKEN_LEVEL

SPOKE_ON_FRAMES = 8
"""Frames of voice (0.26 s) that are speech and no breath or click."""

_BEFORE_FRAMES = 12
"""No service ends a turn sooner than 0.4 s after the last word: what is heard within that is said after it."""

_QUIET_FRAMES = 32
"""A second before the answer, in which the pause that brought it lies: its quietest frame is the room."""

_ABOVE_ROOM = 3.0
"""A voice is at least 10 dB louder than the room."""


class HoldBack:
    """Keeps the sound of an answer, and tells whether the person has spoken on since it was made."""

    def __init__(self) -> None:
        self.active = False
        self._pcm: list[bytes] = []
        self._levels: deque[float] = deque(maxlen=_QUIET_FRAMES)
        self._voice = SPOKEN_LEVEL
        self._spoken = 0

    @property
    def spoke_on(self) -> bool:
        """Return whether the person has said more than what is answered."""
        return self.active and self._spoken >= SPOKE_ON_FRAMES

    def note_level(self, level: float) -> None:
        """Take the level of a captured frame, 0 to 1 RMS of full scale, while the key is held."""
        self._levels.append(level)
        if self.active:
            self._spoken += level >= self._voice

    def begin(self) -> None:
        """Keep an answer of which the first sign has come."""
        if not self.active:
            self.active = True
            self._voice = max(SPOKEN_LEVEL, _ABOVE_ROOM * min(self._levels, default=0.0))
            self._spoken = sum(level >= self._voice for level in list(self._levels)[-_BEFORE_FRAMES:])

    def take(self, pcm: bytes) -> None:
        """Keep sound of it."""
        self._pcm.append(pcm)

    def release(self) -> list[bytes]:
        """Return what was kept, in order, and keep nothing any more."""
        kept = self._pcm
        self.drop()
        return kept

    def drop(self) -> None:
        """Forget what was kept, and the levels of this press."""
        self.active = False
        self._pcm = []
        self._spoken = 0
        self._levels.clear()
