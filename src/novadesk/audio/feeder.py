"""The engine's side of what is played: the sound that has not been played yet, and what has become of the rest."""

from collections import deque

import numpy as np

from novadesk.audio.formats import SPEAK_HZ, Samples, to_samples
from novadesk.audio.latency import Latencies
from novadesk.audio.playout import FADE_S, REMEMBERED, Playout
from novadesk.audio.resampler import Resampler, convert


class Feeder:
    """Feeds a `Playout` from the engine's own thread: queue, conversion, the counts of what was played, its delays.

    Args:
        playout: the speaker's side.

    Attributes:
        generation: the newest.
        start_latencies: from the wish to play to the callback with the first sample.
        silence_latencies: from the wish for silence to the end of the fade.
    """

    def __init__(self, playout: Playout) -> None:
        self._playout = playout
        self._resampler = Resampler(SPEAK_HZ, playout.rate_hz)
        self._queue: deque[Samples] = deque()
        self.generation = playout.generation
        self._fed = {self.generation: 0}
        self._reported: dict[int, int] = {}
        self._level_mark = (0.0, 0)
        self._level = 0.0
        self._loud = False
        self._piece = SPEAK_HZ // 10
        self._fresh = True
        self.start_latencies = Latencies()
        self.silence_latencies = Latencies()
        self._paused = False
        self._begins = self._silences = 0
        self._start_asked_ns = self._silence_asked_ns = 0

    @property
    def playing(self) -> bool:
        """Return whether an answer is played now."""
        return self._playout.playing

    def play(self, pcm: bytes, generation: int, asked_ns: int = 0) -> None:
        """Queue s16le mono at 24 kHz; of another generation than the newest it is dropped."""
        if generation != self.generation:
            return
        if not self._start_asked_ns and not self._paused and not self._playout.playing:
            self._start_asked_ns = asked_ns
        samples = to_samples(pcm)
        for start in range(0, len(samples), self._piece):
            self._queue.append(samples[start : start + self._piece])
        self.feed()

    def flush(self, generation: int, asked_ns: int = 0) -> None:
        """Silence everything older than `generation`; an older or equal number changes nothing."""
        if generation <= self.generation:
            return
        self._want_silence(asked_ns)
        self._paused = False
        self._playout.duck(False)
        self._queue.clear()
        self._fresh = True
        self.generation = generation
        self._fed[generation] = 0
        self._playout.flush(generation)

    def pause(self, asked_ns: int = 0) -> None:
        """Hold the answer where it is, until `play_on` or a flush."""
        self._want_silence(asked_ns)
        self._paused = True
        self._playout.pause()

    def play_on(self, generation: int) -> None:
        """Take back `pause` and `duck`, when it is the newest generation that is meant."""
        if generation == self.generation:
            self._paused = False
            self._silence_asked_ns = 0
            self._playout.duck(False)
            self._playout.play_on()

    def duck(self, on: bool) -> None:
        """Play answers fainter, or as before."""
        self._playout.duck(on)

    def set_volume(self, volume: float) -> None:
        """Set the loudness of answers, 0 to 1."""
        self._playout.set_volume(volume)

    def clip(self, pcm: bytes, volume: float) -> None:
        """Mix in a short sound, s16le mono at 24 kHz; dropped when those before it still fill the time."""
        rate_hz = self._playout.rate_hz
        samples = convert(to_samples(pcm), SPEAK_HZ, rate_hz) * np.float32(volume)
        if len(samples) > self._playout.clips.free_frames:
            return
        fade = min(round(rate_hz * FADE_S), len(samples) // 2)
        rise = ((np.arange(fade) + 1) / (fade + 1)).astype(np.float32)
        samples[:fade] *= rise
        samples[len(samples) - fade :] *= rise[::-1]
        self._playout.clips.write(samples[:, np.newaxis])

    def state(self) -> tuple[int, bool]:
        """Return the generation that the speaker is at, and whether it plays it now."""
        return self._playout.generation, self._playout.playing

    def measure(self) -> None:
        """Take down the delays that have come to their end since the last call."""
        playing = self._playout.playing
        begins, silences = self._playout.begins, self._playout.silences
        if begins != self._begins:
            self._begins = begins
            if self._start_asked_ns:
                self.start_latencies.add(self._start_asked_ns, self._playout.begun_ns)
            self._start_asked_ns = 0
        if silences != self._silences:
            self._silences = silences
            if self._silence_asked_ns:
                self.silence_latencies.add(self._silence_asked_ns, self._playout.silenced_ns + round(FADE_S * 1e9))
            self._silence_asked_ns = 0
        elif not playing:
            self._silence_asked_ns = 0  # the answer was over before it could be silenced

    def _want_silence(self, asked_ns: int) -> None:
        self._start_asked_ns = 0
        if self._playout.playing and not self._silence_asked_ns:
            self._silence_asked_ns = asked_ns

    def feed(self) -> None:
        """Move as much as fits from the queue to the ring."""
        ring = self._playout.ring
        while self._queue:
            room = ring.free_frames * SPEAK_HZ // self._playout.rate_hz
            if room <= len(self._queue[0]):
                return
            samples = self._queue.popleft()
            if self._fresh:  # else the sound would begin within the filter's delay, when the fade is half over
                self._resampler.reset(float(samples[0]))
                self._fresh = False
            ring.write(self._resampler.feed(samples)[:, np.newaxis])
            self._fed[self.generation] += len(samples)

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
        frames = int(self._playout.played_frames[generation % REMEMBERED])
        return min(self._fed[generation], frames * SPEAK_HZ // self._playout.rate_hz)

    def _take_level(self) -> float:
        square_sum, filled = self._playout.square_sum, self._playout.filled_frames
        squares, frames = square_sum - self._level_mark[0], filled - self._level_mark[1]
        if frames > 0:
            self._level_mark = (square_sum, filled)
            self._level = min(1.0, float(np.sqrt(max(0.0, squares) / frames)))
        return self._level
