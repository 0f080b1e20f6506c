"""From the capture ring to frames for the wire: channels mixed, 16 kHz, cleaned in steps of 10 ms, 512 samples."""

from collections.abc import Callable, Iterator
from math import gcd

import numpy as np

from novadesk.audio.activity import level_of_samples
from novadesk.audio.canceller import STEP_SAMPLES
from novadesk.audio.duplex import CaptureSide
from novadesk.audio.formats import FRAME_SAMPLES, LISTEN_HZ, Samples, to_pcm
from novadesk.audio.mixdown import Mixdown
from novadesk.audio.reference import Reference
from novadesk.audio.resampler import Resampler
from novadesk.audio.wire import Frame

_MOST_BLOCKS = 4
"""Blocks fetched in one piece: those of a frame, at the cost of one."""

type Hear = Callable[[Samples, Samples, int], Samples]
"""Takes a step of the microphone, what was played meanwhile, and when its last sample came in monotonic nanoseconds;
returns what of it is for the wire."""


class FrameCutter:
    """Fetches what the callback has captured and cuts it into frames.

    Args:
        side: where the callback leaves it.
        reference: what was played meanwhile.
        hear: is called for each step of `STEP_SAMPLES`.
        look: is shown each piece as the device gave it, channels mixed.
    """

    def __init__(
        self, side: CaptureSide, reference: Reference, hear: Hear, look: Callable[[Samples], object] = len
    ) -> None:
        self._side = side
        self._reference = reference
        self._hear = hear
        self._look = look
        self._mixdown = Mixdown(side.ring.channels, side.rate_hz)
        self._resampler = Resampler(side.rate_hz, LISTEN_HZ)
        self._block = np.zeros((_MOST_BLOCKS * side.block_frames, side.ring.channels), np.float32)
        self._near = np.zeros(0, np.float32)
        self._far = np.zeros(0, np.float32)
        self._rest = np.zeros(_lead_samples(side), np.float32)

    @property
    def missing_frames(self) -> int:
        """Return how many device frames must follow those captured until the next frame is whole; 0 when it is."""
        steps = -(-(FRAME_SAMPLES - len(self._rest)) // STEP_SAMPLES)
        return max(0, self._device_frames(steps * STEP_SAMPLES - len(self._near)) - self._side.ring.available_frames)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that are complete by now."""
        ring = self._side.ring
        while fetched := ring.read_into(self._block):
            mixed = self._mixdown.mix(self._block[:fetched])
            self._look(mixed)
            near = self._resampler.feed(mixed)
            far = self._reference.take(ring.read - fetched, fetched, len(near))
            self._near = np.concatenate((self._near, near))
            self._far = np.concatenate((self._far, far))
            self._clean()
            while len(self._rest) >= FRAME_SAMPLES:
                cut, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
                captured_ns = self._captured_ns(len(self._rest) + len(self._near))
                yield Frame(level=level_of_samples(cut), captured_ns=captured_ns, pcm=to_pcm(cut))

    def _clean(self) -> None:
        whole = len(self._near) - len(self._near) % STEP_SAMPLES
        steps = [self._rest]
        for start in range(0, whole, STEP_SAMPLES):
            end = start + STEP_SAMPLES
            captured_ns = self._captured_ns(len(self._near) - end)
            steps.append(self._hear(self._near[start:end], self._far[start:end], captured_ns))
        self._near, self._far = self._near[whole:], self._far[whole:]
        self._rest = np.concatenate(steps)

    def _captured_ns(self, after: int) -> int:
        """Return when the sample was captured that has so many behind it among those fetched."""
        return self._side.time_of(self._side.ring.read - after * self._side.rate_hz // LISTEN_HZ)

    def _device_frames(self, samples: int) -> int:
        return -(-samples * self._side.rate_hz // LISTEN_HZ)


def _lead_samples(side: CaptureSide) -> int:
    """Return the silence ahead of the first frame with which a frame is whole as soon as its callbacks have come.

    What is less than a step waits for the next callback otherwise, and a whole frame with it.
    """
    frame = FRAME_SAMPLES * side.rate_hz / LISTEN_HZ
    blocks = round(frame / side.block_frames)
    even = abs(blocks * side.block_frames - frame) < 1
    return STEP_SAMPLES - gcd(FRAME_SAMPLES, STEP_SAMPLES) if even else 0
