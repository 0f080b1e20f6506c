"""What of an answer reaches the speaker, and how much of it the person has heard. Pure.

Samples are s16le mono at 24 kHz. A generation is what one flush silences together.
"""

from collections import deque
from enum import Enum

_SAMPLE_BYTES = 2
_PIECES = 64
_STALLED_S = 6.0
"""How long neither wire nor speaker may move before an answer counts as over."""


class Answer(Enum):
    """Where the newest answer stands."""

    NONE = "none"
    ARRIVING = "arriving"
    DRAINING = "draining"  # the service has sent all of it; the speaker still plays
    DISCARDED = "discarded"  # stopped locally: the rest is thrown away until the turn is over


class Playback:
    """Follows answers from the wire to the speaker.

    Attributes:
        present: there is a speaker.
        aloud: the next answers are to be heard; else they are text only.
        held: the newest answer is kept back, and nothing of it is played yet.
    """

    def __init__(self) -> None:
        self.generation = 0
        self.answer = Answer.NONE
        self.present = False
        self.aloud = True
        self.held = False
        self._queued = 0
        self._played = 0
        self._base = 0
        self._pieces: deque[tuple[str, int]] = deque(maxlen=_PIECES)  # each with the count at its first sample
        self._last_at = float("-inf")

    @property
    def sounds(self) -> bool:
        """Return whether answers are played."""
        return self.present and self.aloud

    @property
    def count(self) -> int:
        """Return the speaker's count of the present generation."""
        return self._played

    @property
    def queued(self) -> int:
        """Return the count at which all that has arrived will have been played."""
        return self._queued

    @property
    def heard(self) -> int:
        """Return how many samples of the newest answer the speaker has played."""
        return max(0, self._played - self._base)

    @property
    def unplayed(self) -> bool:
        """Return whether sound waits to be played, wanted or not."""
        return self._played < self._queued

    @property
    def audible(self) -> bool:
        """Return whether sound of the newest answer is still to be played."""
        return self.answer in (Answer.ARRIVING, Answer.DRAINING) and self._played < self._queued

    def begin(self, now: float) -> bool:
        """Note the first sign of an answer; return True when it is a new one."""
        self._last_at = now
        if self.answer in (Answer.ARRIVING, Answer.DISCARDED):
            return False
        self.answer = Answer.ARRIVING
        self._base = self._queued
        return True

    @property
    def at(self) -> tuple[str, int] | None:
        """Return the piece of speech that the speaker is at and how much of it was played; None before the first."""
        played = ((content_id, self._played - first) for content_id, first in reversed(self._pieces))
        return next((piece for piece in played if piece[1] >= 0), None)

    def speech(self, content_id: str, pcm: bytes, now: float) -> bool:
        """Note arriving speech; return True when it is to be played: answers are, and nobody said stop."""
        self._last_at = now
        if self.answer is Answer.DISCARDED or not self.sounds:
            return False
        if not self._pieces or self._pieces[-1][0] != content_id:
            self._pieces.append((content_id, self._queued))
        self._queued += len(pcm) // _SAMPLE_BYTES
        return True

    def all_sent(self) -> None:
        """Note that the service has sent the whole answer."""
        self.answer = Answer.NONE if self.answer in (Answer.DISCARDED, Answer.NONE) else Answer.DRAINING

    def let_go(self, now: float) -> None:
        """Note that the answer is kept back no more."""
        self.held = False
        self._last_at = now

    def flush(self) -> int:
        """Begin a new generation; return its number."""
        self.held = False
        self.generation += 1
        self._queued = self._played = self._base = 0
        self._pieces.clear()
        return self.generation

    def discard(self) -> None:
        """Throw away the rest of the answer, until `all_sent` or `forget`."""
        if self.answer is Answer.ARRIVING:
            self.answer = Answer.DISCARDED
        elif self.answer is Answer.DRAINING:
            self.answer = Answer.NONE

    def decline(self) -> bool:
        """Throw away the next answer, until `all_sent` or `forget`; return False where there is one already."""
        if self.answer is not Answer.NONE:
            return False
        self.answer = Answer.DISCARDED
        return True

    def forget(self) -> None:
        """Expect nothing more of the newest answer."""
        self.answer = Answer.NONE

    def played(self, generation: int, samples: int, now: float) -> bool:
        """Take the speaker's count of a generation; return True when it is of the present one."""
        if generation != self.generation:
            return False
        if samples > self._played:
            self._played = samples
            self._last_at = max(self._last_at, now)
        return True

    def finished(self, now: float) -> bool:
        """Return whether the answer is over for the person: all sent and played, or stalled."""
        if self.held or self.answer not in (Answer.ARRIVING, Answer.DRAINING):
            return False
        all_heard = self.answer is Answer.DRAINING and self._played >= self._queued
        return all_heard or now - self._last_at > _STALLED_S
