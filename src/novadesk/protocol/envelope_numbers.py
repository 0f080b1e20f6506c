"""Who has what, sans-IO: the numbers of microphone frames until the gateway has taken them, and those of its output."""

from collections import deque
from dataclasses import dataclass, field

from novadesk.protocol.envelope_kinds import U32

HELD_FRAMES = 94
"""Microphone frames kept until they are acknowledged, 3 s of them: as much as a conversation keeps."""


_LATELY = 4
"""How far back, in stretches of that length, lies what a conversation says again: it keeps voice, and no pauses."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A numbered microphone frame, and when it was sent."""

    sequence: int
    pcm: bytes = field(repr=False)
    at: float


class SentFrames:
    """The microphone frames of one gateway session, across connections.

    Args:
        most: frames kept; of more the oldest are forgotten and counted.

    Attributes:
        forgotten: frames that were given up before the gateway had acknowledged them.
    """

    def __init__(self, most: int = HELD_FRAMES) -> None:
        self._most = most
        self._newest = self._taken = 0
        self._kept: deque[Sent] = deque()
        self._lately: deque[Sent] = deque(maxlen=_LATELY * most)
        self._again: deque[Sent] = deque()
        self.forgotten = 0

    @property
    def waiting(self) -> int:
        """Return how many frames are not acknowledged."""
        return len(self._kept)

    @property
    def oldest_at(self) -> float | None:
        """Return when the oldest frame was sent that is not acknowledged, None when all are."""
        return self._kept[0].at if self._kept else None

    def number(self, pcm: bytes, now: float) -> Sent:
        """Return a frame with its number: the one that it has already when it is said `again`, else the next one."""
        while self._again and pcm.strip(b"\0"):  # all silence is alike, and none is said twice to be understood
            before = self._again.popleft()
            if before.pcm == pcm:
                return before
        self._newest = self._newest % U32 + 1
        sent = Sent(self._newest, pcm, now)
        self._kept.append(sent)
        self._lately.append(sent)
        if len(self._kept) > self._most:
            self._kept.popleft()
            self.forgotten += 1
        return sent

    def acknowledge(self, sequence: int) -> None:
        """Take that every frame up to a number has been taken, by whomever it was sent: the next one comes after it."""
        self._newest, self._taken = max(self._newest, sequence), max(self._taken, sequence)
        while self._kept and self._kept[0].sequence <= sequence:
            self._kept.popleft()

    def resumed(self, sequence: int) -> bool:
        """Take what a gateway has that resumes the session; return whether it is another process than before."""
        elsewhere, self._taken = sequence < self._taken, 0
        self.acknowledge(sequence)
        return elsewhere

    def unacknowledged(self) -> tuple[Sent, ...]:
        """Return the frames to send once more, oldest first."""
        return tuple(self._kept)

    def say_again(self) -> None:
        """Expect that what was sent lately, taken or not, comes once more from who keeps it: it has its numbers."""
        self._again = deque(self._lately)


class Received:
    """The numbered output of one gateway session, across connections.

    Attributes:
        newest: the number up to which everything has arrived.
    """

    def __init__(self) -> None:
        self.newest = 0
        self._acknowledged = 0

    @property
    def owed(self) -> int:
        """Return how many pieces have arrived since the last acknowledgement."""
        return self.newest - self._acknowledged

    def take(self, sequence: int) -> bool:
        """Take a number; return False for what has been here before."""
        if sequence <= self.newest:
            return False
        self.newest = sequence
        return True

    def acknowledged(self) -> int:
        """Return the number to acknowledge, and note that it is."""
        self._acknowledged = self.newest
        return self.newest
