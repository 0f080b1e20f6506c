"""Microphone and speaker of the renewal tests: numbered frames in, numbered answers out, both in real time."""

import asyncio
import time
from collections.abc import Callable

from novadesk.audio.activity import level_of_pcm
from novadesk.conversation.ports import SoundListener
from tests.support.plain_sound import PlainSound
from tests.support.renewal_frames import FRAME_S, MicFrame, encode_frame
from tests.support.renewal_speaker import SpeakerModel


class NumberedSound(PlainSound):
    """Fits `conversation.ports.Sound`.

    Args:
        make_frame: returns the next microphone frame, given its number.
    """

    def __init__(self, make_frame: Callable[[int], MicFrame]) -> None:
        self.captured = 0
        self.opened = 0
        self.speaker = SpeakerModel()
        self._make_frame = make_frame
        self._task: asyncio.Task[None] | None = None
        self._reported = (0, 0)

    async def open(self, listener: SoundListener) -> None:
        self.opened += 1
        listener.on_opened("numbered", "numbered", "")
        self._task = asyncio.create_task(self._run(listener), name="numbered-sound")

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def play(self, pcm: bytes, generation: int) -> None:
        self.speaker.play(pcm, generation, time.monotonic())

    def flush(self, generation: int) -> None:
        self.speaker.flush(generation, time.monotonic())

    async def _run(self, listener: SoundListener) -> None:
        begun, ticks = time.monotonic(), 0
        while True:
            ticks += 1
            # From the beginning, not from the last tick: a late loop catches up and loses nothing.
            await asyncio.sleep(max(0.0, begun + ticks * FRAME_S - time.monotonic()))
            pcm = encode_frame(self._make_frame(self.captured))
            self.captured += 1
            listener.on_frame(pcm, level_of_pcm(pcm))
            self._report(listener)

    def _report(self, listener: SoundListener) -> None:
        now = time.monotonic()
        played = (self.speaker.generation, self.speaker.played(now))
        if played != self._reported:
            self._reported = played
            listener.on_played(*played, 0.1 if self.speaker.busy(now) else 0.0)
