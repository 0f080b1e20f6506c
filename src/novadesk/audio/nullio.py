"""Sound without devices: a file for a microphone, a file for a speaker, both at the pace of real time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from novadesk.audio.activity import level_of_pcm
from novadesk.audio.formats import (
    FRAME_SAMPLES,
    LISTEN_HZ,
    SAMPLE_BYTES,
    SPEAK_HZ,
    WavWriter,
    read_wav,
    to_pcm,
)
from novadesk.audio.listener import Listener
from novadesk.audio.resampler import convert
from novadesk.errors import BugError, KnownError, Reason
from novadesk.models import Cue

_LOG = logging.getLogger(__name__)

TICK_S = FRAME_SAMPLES / LISTEN_HZ
_FRAME_BYTES = FRAME_SAMPLES * SAMPLE_BYTES
_TICK_BYTES = round(TICK_S * SPEAK_HZ) * SAMPLE_BYTES
_SILENCE = bytes(_FRAME_BYTES)
_LATEST_S = 5.0  # what a busy computer makes late comes quicker afterwards; the hours of a sleep do not come at all


class VirtualSpeaker:
    """Plays in real time into a recording, or to nobody. Pure but for the file.

    The recording begins with the first sample played and keeps the pauses between answers, but not the one at its end.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._queue = bytearray()
        self._played = {0: 0}
        self._recording: WavWriter | None = None
        self._pause = 0
        self._begun = False
        self._loud = False

    def record(self, file: Path) -> None:
        """Begin a recording, or go on with it after `stop`.

        Raises:
            KnownError: the file cannot be written.
        """
        if self._recording is None:
            self._recording = WavWriter(file, SPEAK_HZ)
        else:
            self._recording.resume()

    def stop(self) -> None:
        """Complete the recording and drop what is queued."""
        self._queue.clear()
        if self._recording is not None:
            self._recording.close()

    def play(self, pcm: bytes, generation: int) -> None:
        """Queue s16le mono at 24 kHz."""
        if generation == self.generation:
            self._queue += pcm

    def flush(self, generation: int) -> None:
        """Drop everything older than `generation`."""
        if generation > self.generation:
            self._queue.clear()
            self.generation = generation
            self._played = {generation: 0}

    def tick(self) -> tuple[int, int, float] | None:
        """Play the next 32 ms; return (generation, samples so far, level) when there is something to tell."""
        pcm = bytes(self._queue[:_TICK_BYTES])
        del self._queue[:_TICK_BYTES]
        self._played[self.generation] += len(pcm) // SAMPLE_BYTES
        self._write(pcm)
        was_loud, self._loud = self._loud, bool(pcm)
        if not pcm and not was_loud:
            return None
        return self.generation, self._played[self.generation], level_of_pcm(pcm)

    def _write(self, pcm: bytes) -> None:
        if self._recording is None:
            return
        if pcm:
            self._begun = True
            self._recording.write(bytes(self._pause) + pcm)
            self._pause = 0
        if self._begun:
            self._pause += _TICK_BYTES - len(pcm)


class FileSound:
    """A WAV file as the microphone, then silence; what is played goes to another WAV file.

    Args:
        read: 16-bit PCM, 8 to 48 kHz, one or two channels; None is silence from the start.
        write: receives 24 kHz mono from the first sample played on; None records nothing.
        pace: speed of the pretended time: 2 is twice as fast as real time.
        sleep: waits for seconds; for tests.
        now: returns monotonic seconds; for tests.
    """

    def __init__(
        self,
        read: Path | None,
        write: Path | None = None,
        *,
        pace: float = 1.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.finished_feeding = asyncio.Event()
        self._read = read
        self._write = write
        self._pace = pace
        self._sleep = sleep
        self._now = now
        self._speaker = VirtualSpeaker()
        self._input: bytes | None = None
        self._position = 0
        self._task: asyncio.Task[None] | None = None

    async def open(self, listener: Listener) -> None:
        """Start. After a close the input goes on where it stopped.

        Raises:
            KnownError: `FILE_MISSING`, `BAD_WAV`, or `BAD_INPUT` when the recording cannot be written.
        """
        if self._task is not None:
            raise BugError("the sound is open already")
        if self._input is None:
            self._input = await asyncio.to_thread(load_microphone, self._read) if self._read is not None else b""
        if self._write is not None:
            self._speaker.record(self._write)
        listener.on_opened(self._read.name if self._read is not None else "silence", "file", "")
        self._task = asyncio.create_task(self._run(listener), name="file-sound")

    async def close(self) -> None:
        """Stop and complete the recording; the next `open` goes on with it. Idempotent, never raises."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        try:
            self._speaker.stop()
        except OSError as error:
            _LOG.warning("the recording is not complete: %s", error.strerror)

    async def shutdown(self) -> None:
        """Stop and complete the recording. Idempotent, never raises."""
        await self.close()

    def play(self, pcm: bytes, generation: int) -> None:
        """Queue s16le mono at 24 kHz; dropped when `generation` is not the newest one flushed to, or when closed."""
        if self._task is not None:
            self._speaker.play(pcm, generation)

    def flush(self, generation: int) -> None:
        """Silence everything older than `generation` within one block."""
        self._speaker.flush(generation)

    def play_on(self, generation: int) -> None:
        """Do nothing: a file has no barge-in that could pause it."""

    def cue(self, cue: Cue) -> None:
        """Do nothing: cues are no part of a recording."""

    def watch_barge_in(self, on: bool) -> None:
        """Do nothing: nobody speaks into a file."""

    def set_volume(self, volume: float) -> None:
        """Do nothing: a recording is as loud as the answer."""

    async def devices(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return nothing: there are no devices."""
        return (), ()

    async def _run(self, listener: Listener) -> None:
        now = self._now or asyncio.get_running_loop().time
        begun, ticks = now(), 0
        try:
            while True:
                ticks += 1
                # From the beginning, not from the last tick: a late loop catches up and loses nothing.
                wait_s = begun + ticks * TICK_S / self._pace - now()
                if wait_s < -_LATEST_S:
                    begun -= wait_s
                await self._sleep(max(0.0, wait_s))
                self._tick(listener)
        except OSError as error:
            why = error.strerror or "input/output error"
            listener.on_lost(
                KnownError(
                    Reason.BAD_INPUT, f"The recording cannot be written ({why}).", "Choose another place for it."
                )
            )
        except Exception:
            _LOG.exception("the file sound has failed")
            listener.on_lost(KnownError(Reason.ENGINE_DIED, "The file sound has failed.", "See the log file."))

    def _tick(self, listener: Listener) -> None:
        assert self._input is not None
        frame = self._input[self._position : self._position + _FRAME_BYTES]
        self._position += len(frame)
        frame = frame.ljust(_FRAME_BYTES, b"\0") if frame else _SILENCE
        news = self._speaker.tick()
        listener.on_frame(frame, level_of_pcm(frame))
        if news is not None:
            listener.on_played(*news)
        if self._position >= len(self._input):
            self.finished_feeding.set()


class NullSound(FileSound):
    """Silence for a microphone and nobody at the speaker, at the pace of real time."""

    def __init__(self, *, pace: float = 1.0) -> None:
        super().__init__(None, None, pace=pace)


def load_microphone(file: Path) -> bytes:
    """Return a sound file as s16le mono at 16 kHz.

    Raises:
        KnownError: `FILE_MISSING` or `BAD_WAV`.
    """
    recording = read_wav(file)
    return to_pcm(np.ascontiguousarray(convert(recording.samples, recording.rate_hz, LISTEN_HZ)))
