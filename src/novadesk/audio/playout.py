"""What the speaker plays, inside the callback: out of a preallocated ring, faded, and counted.

It shares the ring and a few values with its `feeder`, each written by one side only in one assignment.
"""

import numpy as np
from numpy.typing import NDArray

from novadesk.audio.ringbuffer import RingBuffer

PREFILL_S = 0.04
"""Sound to have before an answer starts, at first; each underrun makes it longer (60 to 100 ms do for most services
that are faster than real time)."""

PREFILL_CEILING_S = 0.3
DUCK_DB = -15.0
"""How much fainter an answer gets while somebody may be about to speak (measured: enough for the confirmation)."""

FADE_S = 0.005
HEARD_RING_S = 4.0
"""What was played is kept this long for the echo canceller: as long as the microphone's own ring."""

REMEMBERED = 64
"""Generations whose counts are kept; far more than can be flushed between two looks of the feeder."""

_PREFILL_GROWTH = 1.5
_UNDERRUN_WINDOW_S = 0.5  # sound that comes back within this belonged to the same answer
_RING_S = 2.0
_CLIP_RING_S = 1.0
_LONGEST_BLOCK_S = 0.16
_NOTHING = np.float32(0)


class Playout:
    """The speaker's side of the ring. `fill` is called by the callback only, all else by the feeder only.

    Blocks are at least `FADE_S` long.

    Args:
        rate_hz: rate of the device.
        generation: the newest generation at the start.
        prefill_s: sound to wait for before playing.

    Attributes:
        ring: the answer's sound that is to be played.
        clips: sound that is mixed in, whatever else is played.
        heard: what was handed to the device, silence included.
        playing: whether an answer is played now.
        begins, begun_ns: how often one began after a pause or a gap, and when last; likewise `silences` after `flush`
            or `pause`.
    """

    def __init__(self, rate_hz: int, generation: int = 0, prefill_s: float = PREFILL_S) -> None:
        self.rate_hz = rate_hz
        self.ring = RingBuffer(round(rate_hz * _RING_S))
        self.clips = RingBuffer(round(rate_hz * _CLIP_RING_S))
        self.heard = RingBuffer(round(rate_hz * HEARD_RING_S))
        self.underruns = 0
        self.square_sum = 0.0
        self.filled_frames = 0
        self.played_frames = np.zeros(REMEMBERED, np.int64)
        self.generation = generation
        self.playing = False
        self.begins = self.begun_ns = 0
        self.silences = self.silenced_ns = 0
        self._order = (generation, 0)
        self._paused_for: int | None = None
        self._starting = False
        self._prefill = round(rate_hz * prefill_s)
        self._ceiling = round(rate_hz * PREFILL_CEILING_S)
        self._window = round(rate_hz * _UNDERRUN_WINDOW_S)
        self._waited = 0
        self._empty_for = self._window
        fade = max(1, round(rate_hz * FADE_S))
        self._fade_in = ((np.arange(fade) + 1) / (fade + 1)).astype(np.float32)
        self._fade_out = self._fade_in[::-1].copy()
        self._last = np.float32(0)  # of the answer, in the block before
        self._tail_level = np.float32(0)
        self._tail_at = fade
        self._gain = self._wanted_gain = self._volume = 1.0
        self._ducked = False
        longest = round(rate_hz * _LONGEST_BLOCK_S)
        self._ramp_steps = ((np.arange(longest) + 1) / fade).astype(np.float32)
        self._ramp = np.zeros(longest, np.float32)
        self._clip = np.zeros((longest, 1), np.float32)

    @property
    def prefill_s(self) -> float:
        """Return the sound that is waited for now."""
        return self._prefill / self.rate_hz

    def flush(self, generation: int) -> None:
        """Let nothing that is in the ring now be played; what is written after this belongs to `generation`."""
        self._order = (generation, self.ring.written)

    def pause(self) -> None:
        """Hold the newest generation where it is; a flush to a newer one plays again."""
        self._paused_for = self._order[0]

    def play_on(self) -> None:
        """Take back `pause`."""
        self._paused_for = None

    def duck(self, on: bool) -> None:
        """Play `DUCK_DB` fainter, or as before."""
        self._ducked = on
        self._want_gain()

    def set_volume(self, volume: float) -> None:
        """Set the loudness of answers, 0 to 1."""
        self._volume = min(1.0, max(0.0, volume))
        self._want_gain()

    def _want_gain(self) -> None:
        gain = self._volume * (10 ** (DUCK_DB / 20) if self._ducked else 1.0)
        self._wanted_gain = float(np.float32(gain))  # in the precision of the ramp, which ends at exactly this

    def fill(self, out: NDArray[np.float32], now_ns: int = 0) -> None:
        """Fill a block of shape (frames, 1) with what is to be heard now. Never waits, never raises.

        `now_ns` is the callback's time in monotonic nanoseconds.
        """
        if self._idle():
            self._stay_idle(out)
            return
        written = self.ring.written
        order = self._order  # after `written`: sound of a new generation is never seen before its flush
        if order[0] != self.generation:
            self._turn_over(out, order, now_ns)
        elif self._paused_for == self.generation:
            self._hold(out, now_ns)
        else:
            available = written - self.ring.read
            if not self.playing:
                self._start_when_ready(available, len(out), now_ns)
            if self.playing:
                self._play(out, min(available, len(out)))
            else:
                out[:] = 0
                self._add_tail(out, 0)
        self._last = out[-1, 0]
        self._count(out)
        self._apply_gain(out)
        self._mix_clips(out)
        self.heard.write(out)

    def _idle(self) -> bool:
        """Return whether there is nothing to play, nothing to fade and nothing to heed."""
        return (
            not self.playing
            and self.ring.written == self.ring.read
            and self.clips.written == self.clips.read
            and self._order[0] == self.generation
            and self._paused_for is None
            and self._tail_at >= len(self._fade_out)
        )

    def _stay_idle(self, out: NDArray[np.float32]) -> None:
        """Play silence, as all else in `fill` would in the end: this is what a callback does most of the time."""
        out[:] = 0
        self._empty_for += len(out)
        self._last = _NOTHING
        self._gain = self._wanted_gain
        self.filled_frames += len(out)
        self.heard.write(out)

    def _turn_over(self, out: NDArray[np.float32], order: tuple[int, int], now_ns: int) -> None:
        self._fall_silent(out, max(0, order[1] - self.ring.read), now_ns)
        self.ring.skip_to(order[1])
        self._waited = 0
        self._empty_for = self._window
        self.played_frames[order[0] % REMEMBERED] = 0
        self.generation = order[0]

    def _hold(self, out: NDArray[np.float32], now_ns: int) -> None:
        if self.playing:
            self._waited = self._prefill  # what lies in the ring is played on at once
        self._fall_silent(out, self._window, now_ns)
        self._empty_for = self._window

    def _fall_silent(self, out: NDArray[np.float32], most: int, now_ns: int) -> None:
        """Play no more than the fade, out of at most so many frames of the ring; what they lack, the last one fills."""
        if not self.playing:
            out[:] = 0
            self._add_tail(out, 0)
            return
        fade = min(len(self._fade_out), len(out))
        frames = self.ring.read_into(out[: min(fade, most)])
        out[frames:fade] = out[frames - 1, 0] if frames else self._last
        out[:fade, 0] *= self._fade_out[:fade]
        out[fade:] = 0
        self.played_frames[self.generation % REMEMBERED] += frames
        self.silenced_ns = now_ns
        self.silences += 1
        self.playing = False  # last: who sees it, sees the count

    def _start_when_ready(self, available: int, frames: int, now_ns: int) -> None:
        if not available:
            self._empty_for += frames
            return
        if available < self._prefill and self._waited < self._prefill:
            self._waited += frames
            return
        if self._empty_for < self._window:
            self.underruns += 1
            self._prefill = min(self._ceiling, round(self._prefill * _PREFILL_GROWTH))
        self.playing = True
        self._starting = True
        self.begun_ns = now_ns
        self.begins += 1

    def _play(self, out: NDArray[np.float32], frames: int) -> None:
        frames = self.ring.read_into(out[:frames])
        out[frames:] = 0
        if self._starting and frames:
            head = min(frames, len(self._fade_in))
            out[:head, 0] *= self._fade_in[:head]
            self._starting = False
        self.played_frames[self.generation % REMEMBERED] += frames
        self._add_tail(out, 0)
        if frames < len(out):
            self._tail_level = out[frames - 1, 0] if frames else self._last
            self._tail_at = 0
            out[frames:] = 0
            self._add_tail(out, frames)
            self.playing = False
            self._waited = 0
            self._empty_for = len(out) - frames

    def _add_tail(self, out: NDArray[np.float32], start: int) -> None:
        """Let the last sample die away, so that a gap does not click."""
        frames = min(len(self._fade_out) - self._tail_at, len(out) - start)
        if frames > 0:
            out[start : start + frames, 0] += self._tail_level * self._fade_out[self._tail_at : self._tail_at + frames]
            self._tail_at += frames

    def _apply_gain(self, out: NDArray[np.float32]) -> None:
        wanted = self._wanted_gain
        if self._gain != wanted and len(out) <= len(self._ramp):
            ramp = self._ramp[: len(out)]
            if wanted > self._gain:
                np.add(self._ramp_steps[: len(out)], self._gain, out=ramp)
                np.minimum(ramp, wanted, out=ramp)
            else:
                np.subtract(self._gain, self._ramp_steps[: len(out)], out=ramp)
                np.maximum(ramp, wanted, out=ramp)
            out[:, 0] *= ramp
            self._gain = float(ramp[-1])
        elif wanted != 1.0:
            out *= np.float32(wanted)

    def _mix_clips(self, out: NDArray[np.float32]) -> None:
        if self.clips.written == self.clips.read or len(out) > len(self._clip):
            return
        frames = self.clips.read_into(self._clip[: len(out)])
        out[:frames] += self._clip[:frames]
        np.clip(out, -1.0, 1.0, out=out)

    def _count(self, out: NDArray[np.float32]) -> None:
        self.square_sum += float(np.dot(out[:, 0], out[:, 0]))
        self.filled_frames += len(out)
