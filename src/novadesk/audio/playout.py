"""What the speaker plays: the consumer inside the callback, and the feeder outside it.

`Playout.fill` runs in the PortAudio callback: it copies out of a preallocated ring, fades, and counts. `Feeder` runs in
the engine's own thread: it holds the sound that has not been played, converts it and keeps the ring full.
The two share the ring and a few values, each written by one side only in one assignment.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from novadesk.audio.formats import SPEAK_HZ, Samples, to_samples
from novadesk.audio.resampler import Resampler
from novadesk.audio.ringbuffer import RingBuffer

PREFILL_S = 0.06
"""Sound to have before an answer starts (60 to 100 ms do for a service that is faster than real time)."""

PREFILL_CEILING_S = 0.3
_PREFILL_GROWTH = 1.5
_FADE_S = 0.005
_UNDERRUN_WINDOW_S = 0.5  # sound that comes back within this belonged to the same answer
_RING_S = 2.0
_REMEMBERED = 64  # generations whose counts are kept; far more than can be flushed between two looks of the feeder


class Playout:
    """The speaker's side of the ring. `fill` is called by the callback only, `flush` by the feeder only.

    Args:
        rate_hz: rate of the device.
        generation: the newest generation at the start.
        prefill_s: sound to wait for before playing.
    """

    def __init__(self, rate_hz: int, generation: int = 0, prefill_s: float = PREFILL_S) -> None:
        self.rate_hz = rate_hz
        self.ring = RingBuffer(round(rate_hz * _RING_S))
        self.underruns = 0
        self.square_sum = 0.0
        self.filled_frames = 0
        self.played_frames = np.zeros(_REMEMBERED, np.int64)
        self.generation = generation
        self._order = (generation, 0)
        self._playing = False
        self._starting = False
        self._prefill = round(rate_hz * prefill_s)
        self._ceiling = round(rate_hz * PREFILL_CEILING_S)
        self._window = round(rate_hz * _UNDERRUN_WINDOW_S)
        self._waited = 0
        self._empty_for = self._window
        fade = max(1, round(rate_hz * _FADE_S))
        self._fade_in = ((np.arange(fade) + 1) / (fade + 1)).astype(np.float32)
        self._fade_out = self._fade_in[::-1].copy()
        self._decayed = fade
        self._last = np.float32(0)

    @property
    def prefill_s(self) -> float:
        """Return the sound that is waited for now."""
        return self._prefill / self.rate_hz

    def flush(self, generation: int) -> None:
        """Let nothing that is in the ring now be played; what is written after this belongs to `generation`."""
        self._order = (generation, self.ring.written)

    def fill(self, out: NDArray[np.float32]) -> None:
        """Fill a block of shape (frames, 1) with what is to be heard now. Never waits, never raises."""
        written = self.ring.written
        order = self._order  # after `written`: sound of a new generation is never seen before its flush
        if order[0] != self.generation:
            self._silence(out, order)
        else:
            available = written - self.ring.read
            if not self._playing:
                self._start_when_ready(available, len(out))
            if self._playing:
                self._play(out, min(available, len(out)))
            else:
                self._rest(out, 0)
        self._count(out)

    def _silence(self, out: NDArray[np.float32], order: tuple[int, int]) -> None:
        frames = 0
        if self._playing:
            frames = self.ring.read_into(out[: min(len(out), len(self._fade_out), self._before(order[1]))])
            out[:frames, 0] *= self._fade_out[:frames]
            self.played_frames[self.generation % _REMEMBERED] += frames
        self.ring.skip_to(order[1])
        out[frames:] = 0
        self._last = np.float32(0)
        self._playing = False
        self._waited = 0
        self._empty_for = self._window
        self.played_frames[order[0] % _REMEMBERED] = 0
        self.generation = order[0]

    def _before(self, position: int) -> int:
        return max(0, position - self.ring.read)

    def _start_when_ready(self, available: int, frames: int) -> None:
        if not available:
            self._empty_for += frames
            return
        if available < self._prefill and self._waited < self._prefill:
            self._waited += frames
            return
        if self._empty_for < self._window:
            self.underruns += 1
            self._prefill = min(self._ceiling, round(self._prefill * _PREFILL_GROWTH))
        self._playing = True
        self._starting = True

    def _play(self, out: NDArray[np.float32], frames: int) -> None:
        frames = self.ring.read_into(out[:frames])
        if self._starting and frames:
            head = min(frames, len(self._fade_in))
            out[:head, 0] *= self._fade_in[:head]
            self._starting = False
        self.played_frames[self.generation % _REMEMBERED] += frames
        if frames:
            self._last = out[frames - 1, 0]
            self._decayed = 0
        if frames < len(out):
            self._rest(out, frames)
            self._playing = False
            self._waited = 0
            self._empty_for = len(out) - frames

    def _rest(self, out: NDArray[np.float32], start: int) -> None:
        """Let the last sample die away, so that a gap does not click."""
        tail = min(len(self._fade_out) - self._decayed, len(out) - start)
        if tail > 0:
            out[start : start + tail, 0] = self._last * self._fade_out[self._decayed : self._decayed + tail]
            self._decayed += tail
            start += tail
        out[start:] = 0

    def _count(self, out: NDArray[np.float32]) -> None:
        self.square_sum += float(np.dot(out[:, 0], out[:, 0]))
        self.filled_frames += len(out)


class Feeder:
    """The engine's side of a `Playout`: queue, conversion, and the counts of what was played.

    Args:
        playout: the speaker's side.
    """

    def __init__(self, playout: Playout) -> None:
        self._playout = playout
        self._resampler = Resampler(SPEAK_HZ, playout.rate_hz)
        self._queue: deque[Samples] = deque()
        self._generation = playout.generation
        self._fed = {self._generation: 0}
        self._reported: dict[int, int] = {}
        self._level_mark = (0.0, 0)
        self._level = 0.0
        self._loud = False
        self._piece = SPEAK_HZ // 10

    def play(self, pcm: bytes, generation: int) -> None:
        """Queue s16le mono at 24 kHz; of another generation than the newest it is dropped."""
        if generation != self._generation:
            return
        samples = to_samples(pcm)
        for start in range(0, len(samples), self._piece):
            self._queue.append(samples[start : start + self._piece])
        self.feed()

    def flush(self, generation: int) -> None:
        """Silence everything older than `generation`; an older or equal number changes nothing."""
        if generation <= self._generation:
            return
        self._queue.clear()
        self._resampler.reset()
        self._generation = generation
        self._fed[generation] = 0
        self._playout.flush(generation)

    def feed(self) -> None:
        """Move as much as fits from the queue to the ring."""
        ring = self._playout.ring
        while self._queue:
            room = ring.free_frames * SPEAK_HZ // self._playout.rate_hz
            if room <= len(self._queue[0]):
                return
            samples = self._queue.popleft()
            ring.write(self._resampler.feed(samples)[:, np.newaxis])
            self._fed[self._generation] += len(samples)

    def take_played(self) -> list[tuple[int, int, float]]:
        """Return (generation, 24 kHz samples played so far, level) of what moved since the last call."""
        level = self._take_level()
        news = []
        current = self._playout.generation
        for generation in sorted(self._fed):
            count = self._played(generation)
            moved = count != self._reported.get(generation, 0)
            if moved or (generation == current and self._loud):
                news.append((generation, count, level if generation == current else 0.0))
                self._reported[generation] = count
        self._loud = level > 0
        for generation in [known for known in self._fed if known < current]:
            del self._fed[generation]
            self._reported.pop(generation, None)
        return news

    def _played(self, generation: int) -> int:
        if generation > self._playout.generation:
            return 0
        frames = int(self._playout.played_frames[generation % _REMEMBERED])
        return min(self._fed[generation], frames * SPEAK_HZ // self._playout.rate_hz)

    def _take_level(self) -> float:
        square_sum, filled = self._playout.square_sum, self._playout.filled_frames
        squares, frames = square_sum - self._level_mark[0], filled - self._level_mark[1]
        if frames > 0:
            self._level_mark = (square_sum, filled)
            self._level = min(1.0, float(np.sqrt(max(0.0, squares) / frames)))
        return self._level
