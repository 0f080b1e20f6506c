"""When a snapshot is published: soon after a change, and with the sound where only its levels change."""

from collections.abc import Callable

from novadesk.conversation.alarm import Alarm
from novadesk.conversation.ports import Clock

PUBLISH_S = 1 / 30
# Least time between two snapshots that tell of sound alone (every other frame), and while nothing of it can be seen.
LEVELS_S, QUIET_S = 0.05, 0.5


class Publishing:
    """Paces the snapshots.

    Args:
        clock: time.
        publish: makes a snapshot and hands it on.
        sound: also where only the sound's levels change.
    """

    def __init__(self, clock: Clock, publish: Callable[[], None], *, sound: bool = True) -> None:
        self._clock, self._publish, self._sound = clock, publish, sound
        self._changes, self._levels = Alarm(self._publish_now), Alarm(self._publish_now)
        self._published_at = float("-inf")
        self._moving = False  # since then: sound has come that can be seen

    def changed(self) -> None:
        """Publish a change, with those that follow at once."""
        if not self._changes.is_set:
            self._changes.set_in(PUBLISH_S)

    def moved(self, *, seen: bool) -> None:
        """Publish with the sound that is told of: to wake up for it later costs as much as all else of a frame."""
        self._moving = self._moving or seen
        if self._changes.is_set or not self._sound:
            return
        wait_s = self._published_at + (LEVELS_S if self._moving else QUIET_S) - self._clock.now()
        if wait_s <= 0:
            self._levels.set_in(0.0)
        elif not self._levels.is_set:
            self._levels.set_in(wait_s + PUBLISH_S)

    def stop(self) -> None:
        """Publish nothing any more."""
        self._changes.cancel()
        self._levels.cancel()

    def _publish_now(self) -> None:
        self.stop()
        self._published_at, self._moving = self._clock.now(), False
        self._publish()
