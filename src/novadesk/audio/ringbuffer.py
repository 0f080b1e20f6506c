"""A preallocated ring for one producer and one consumer, without locks.

The producer moves `written` only and the consumer moves `read` only; each is one assignment of an integer, which
CPython makes whole for every thread. The producer never waits: what the consumer did not fetch in time is
overwritten, and the consumer finds out by itself and counts it.
"""

import numpy as np
from numpy.typing import NDArray


class RingBuffer:
    """Frames of float32.

    Args:
        capacity_frames: frames held; older ones are overwritten.
        channels: columns.
    """

    __slots__ = ("_announced", "_columns", "capacity_frames", "dropped_frames", "read", "written")

    def __init__(self, capacity_frames: int, channels: int = 1) -> None:
        self.capacity_frames = capacity_frames
        self._columns = np.zeros((capacity_frames, channels), np.float32)
        self._announced = 0
        self.written = 0
        self.read = 0
        self.dropped_frames = 0

    @property
    def channels(self) -> int:
        """Return the number of columns."""
        return int(self._columns.shape[1])

    @property
    def available_frames(self) -> int:
        """Return the frames that the consumer can fetch now."""
        return min(self.written - self.read, self.capacity_frames)

    @property
    def free_frames(self) -> int:
        """Return the frames that the producer can add without overwriting."""
        return max(0, self.capacity_frames - (self.written - self.read))

    def write(self, block: NDArray[np.float32]) -> None:
        """Add a block of shape (frames, channels). Producer only; never waits and never fails."""
        frames = len(block)
        start = self.written
        # Announced before a sample is touched: a consumer that is copying just then learns that its copy is torn.
        self._announced = start + frames
        if frames > self.capacity_frames:
            block = block[frames - self.capacity_frames :]
        place = (start + frames - len(block)) % self.capacity_frames
        head = min(len(block), self.capacity_frames - place)
        self._columns[place : place + head] = block[:head]
        if head < len(block):
            self._columns[: len(block) - head] = block[head:]
        self.written = start + frames

    def read_into(self, target: NDArray[np.float32]) -> int:
        """Fetch the oldest frames into `target` of shape (frames, channels); return how many. Consumer only."""
        self._skip_overwritten(self.written)
        frames = max(0, min(self.written - self.read, len(target)))
        place = self.read % self.capacity_frames
        head = min(frames, self.capacity_frames - place)
        target[:head] = self._columns[place : place + head]
        if head < frames:
            target[head:frames] = self._columns[: frames - head]
        torn = min(self._skip_overwritten(self._announced), frames)
        if torn:
            target[: frames - torn] = target[torn:frames].copy()
        self.read += frames - torn
        return frames - torn

    def skip_to(self, position: int) -> None:
        """Discard everything before a position of `written`. Consumer only; going back does nothing."""
        self.read = max(self.read, position)

    def _skip_overwritten(self, written: int) -> int:
        lost = written - self.capacity_frames - self.read
        if lost <= 0:
            return 0
        self.dropped_frames += lost
        self.read += lost
        return lost
