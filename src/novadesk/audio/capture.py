"""From the capture ring to frames for the wire: channels mixed, 16 kHz, 512 samples."""

from collections.abc import Iterator

import numpy as np

from novadesk.audio.activity import level_of_samples
from novadesk.audio.duplex import CaptureSide
from novadesk.audio.formats import FRAME_SAMPLES, LISTEN_HZ, to_mono, to_pcm
from novadesk.audio.resampler import Resampler
from novadesk.audio.wire import Frame


class FrameCutter:
    """Fetches what the callback has captured and cuts it into frames.

    Args:
        side: where the callback leaves it.
    """

    def __init__(self, side: CaptureSide) -> None:
        self._side = side
        self._resampler = Resampler(side.rate_hz, LISTEN_HZ)
        self._block = np.zeros((side.rate_hz // 10, side.ring.channels), np.float32)
        self._rest = np.zeros(0, np.float32)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that are complete by now."""
        while fetched := self._side.ring.read_into(self._block):
            captured_ns = self._side.time_of(self._side.ring.read)
            samples = self._resampler.feed(to_mono(self._block[:fetched]))
            self._rest = np.concatenate((self._rest, samples))
            whole = len(self._rest) - len(self._rest) % FRAME_SAMPLES
            for start in range(0, whole, FRAME_SAMPLES):
                cut = self._rest[start : start + FRAME_SAMPLES]
                yield Frame(level=level_of_samples(cut), captured_ns=captured_ns, pcm=to_pcm(cut))
            self._rest = self._rest[whole:]
