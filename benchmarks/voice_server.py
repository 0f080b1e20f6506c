"""The server side of the voice benchmark: hears with a time on every frame, answers and interrupts when told."""

import asyncio
import time
import zlib
from collections import Counter

import numpy as np

from benchmarks.voice_sound import Samples, speech_like
from novadesk.server.call import Call, Heard, HungUp

_THINKING_S = 0.25
ANSWER_S = 0.8
LONG_S = 6.0


class Stage:
    """The partner of one call after the other, all in the benchmark's own process."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget the last call."""
        self.call: Call | None = None
        self.calls = 0
        self.stamps_ns: list[int] = []
        self.frames: list[bytes] = []

    def partner(self) -> "Stage":
        """Return who takes the next call."""
        return self

    async def converse(self, call: Call) -> None:
        """Listen until the call is over."""
        self.call = call
        self.calls += 1
        while not isinstance(event := await call.receive(), HungUp):
            if isinstance(event, Heard):
                self.stamps_ns.append(time.monotonic_ns())
                self.frames.append(event.pcm)

    async def hears(self, deadline_s: float, frames: int = 20) -> bool:
        """Wait until microphone frames flow; say whether they do."""
        until = time.monotonic() + deadline_s
        while len(self.frames) < frames:
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.05)
        return True

    async def answer(self) -> int:
        """Give a short answer; return the time at which its sound was handed to the wire."""
        call = await self._asked()
        pcm = speech_like(call.output_rate_hz, ANSWER_S)
        begun_ns = time.monotonic_ns()
        await call.speak(pcm)
        await call.speech_ended(last=True)
        await call.spoken("Here is an answer.", last=True)
        return begun_ns

    async def long_answer(self) -> None:
        """Give an answer of `LONG_S`."""
        call = await self._asked()
        await call.speak(speech_like(call.output_rate_hz, LONG_S))
        await call.speech_ended(last=True)
        await call.spoken("Here is an answer.", last=True)

    async def interrupted_answer(self, after_s: float) -> int:
        """Begin a long answer and break it off; return the time at which the interruption was handed to the wire."""
        call = await self._asked()
        await call.speak(speech_like(call.output_rate_hz, LONG_S))
        await asyncio.sleep(after_s)
        begun_ns = time.monotonic_ns()
        await call.interrupted()
        return begun_ns

    async def _asked(self) -> Call:
        assert self.call is not None
        call = self.call
        await call.user_speech_ended()
        await call.user_said("go on")
        await asyncio.sleep(_THINKING_S)
        await call.plan("Here is an answer.")
        return call

    def sound(self) -> tuple[Samples, list[int], list[int]]:
        """Return all that was heard at 16 kHz, with the count of samples before the end of each frame and its time."""
        frames, stamps = list(self.frames), list(self.stamps_ns)
        counts = np.cumsum([len(frame) // 2 for frame in frames]).tolist()
        return np.frombuffer(b"".join(frames), dtype="<i2"), counts, stamps

    def checksums(self) -> dict[int, int]:
        """Return when each frame came that is like no other, by its checksum."""
        sums = [zlib.crc32(frame) for frame in self.frames]
        counts = Counter(sums)
        return {one: stamp for one, stamp in zip(sums, self.stamps_ns, strict=False) if counts[one] == 1}
