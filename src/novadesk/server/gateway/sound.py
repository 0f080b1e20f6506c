"""The client's connection as microphone and speaker: what it sends is heard, and what it was sent counts as played."""

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from novadesk.conversation.alarm import Alarm
from novadesk.conversation.ports import Clock, SoundListener
from novadesk.models import Cue
from novadesk.protocol.envelope_values import OUTPUT_RATE_HZ

FRAME_BYTES = 1_024
FRAME_S = 0.032
WAITING_FRAMES = 625
"""Most that waits to be heard, 20 s: more than a client keeps of what nobody has answered."""

RUSH = 8.0
"""How many times as fast as real time a client is heard that sends what it has kept. An upstream link keeps up."""

_CREDIT_FRAMES = 32.0
_PLAYED_S = 0.1
_PIECES = 64
_FULL_SCALE = 32_768.0


class Inlet:
    """Hands on frames as they come, and those of a rush a little later; the oldest of too many go, and are counted.

    Args:
        clock: time.
        hear: takes each frame of 32 ms; returns whether it was taken, else it waits.

    Attributes:
        dropped: frames that nobody will hear.
    """

    def __init__(self, clock: Clock, hear: Callable[[bytes], bool]) -> None:
        self.dropped = 0
        self._clock, self._hear = clock, hear
        self._rest = b""
        self._waiting: deque[bytes] = deque()
        self._credit, self._credited_at = _CREDIT_FRAMES, clock.now()
        self._again = Alarm(self._pump)

    @property
    def waiting_ms(self) -> int:
        """Return how much sound waits."""
        return round(len(self._waiting) * FRAME_S * 1000)

    def push(self, pcm: bytes) -> None:
        """Take sound of any length: s16le mono at 16 kHz."""
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % FRAME_BYTES
        self._rest = pcm[whole:]
        for at in range(0, whole, FRAME_BYTES):
            self._waiting.append(pcm[at : at + FRAME_BYTES])
        self._pump()

    def finish(self) -> None:
        """Hand on what is shorter than a frame, too: nothing more comes for now."""
        if self._rest:
            self.push(bytes(FRAME_BYTES - len(self._rest)))

    def clear(self) -> None:
        """Forget what waits; that is no loss."""
        self._rest = b""
        self._waiting.clear()
        self._again.cancel()

    def _pump(self) -> None:
        now = self._clock.now()
        earned = (now - self._credited_at) * RUSH / FRAME_S
        self._credit, self._credited_at = min(_CREDIT_FRAMES, self._credit + earned), now
        while self._waiting and self._credit >= 1.0 and self._hear(self._waiting[0]):
            self._waiting.popleft()
            self._credit -= 1.0
        while len(self._waiting) > WAITING_FRAMES:
            self._waiting.popleft()
            self.dropped += 1
        if self._waiting:
            self._again.set_in(FRAME_S)
        else:
            self._again.cancel()


class ClientSound:
    """A client as `conversation.ports.Sound`.

    An answer counts as heard by the samples that the client says it has played of which piece; as long as it says
    nothing, by the clock, as if it were played from its first sample on.

    Args:
        clock: time.

    Attributes:
        inlet: the microphone.
    """

    def __init__(self, clock: Clock) -> None:
        self.inlet = Inlet(clock, self._hear)
        self._clock = clock
        self._listener: SoundListener | None = None
        self._generation = self._queued = self._played = 0
        self._pieces: dict[str, int] = {}  # first sample of each piece of speech, counted as the generation's are
        self._begun_at = 0.0  # when a speaker would have begun that never ran dry since
        self._told = False
        self._tick = Alarm(self._play_on_time)

    # --- the client's side -----------------------------------------------------------------------

    def speech_began(self, content_id: str) -> None:
        """Take that what is queued from now on is another piece of speech."""
        self._pieces[content_id] = self._queued
        if len(self._pieces) > _PIECES:
            del self._pieces[next(iter(self._pieces))]

    def heard(self, content_id: str, samples: int) -> bool:
        """Take how many 24 kHz samples of a piece the client has played.

        Returns:
            False for one that was silenced here meanwhile, or that another process told: it changes nothing.
        """
        if (first := self._pieces.get(content_id)) is None:
            return False
        self._told = True
        self._tick.cancel()
        self._report(first + samples)
        return True

    def connection_changed(self) -> None:
        """Expect nothing of the new connection yet: until it says what is played, the clock does."""
        if self._told:
            self._told = False
            self._begun_at = self._clock.now() - self._played / OUTPUT_RATE_HZ
            self._play_on_time()

    def _hear(self, pcm: bytes) -> bool:
        if self._listener is None:
            return False
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        level = math.sqrt(float(np.dot(samples, samples)) / len(samples)) / _FULL_SCALE
        self._listener.on_frame(pcm, level)
        return True

    # --- conversation.ports.Sound ----------------------------------------------------------------

    async def open(self, listener: SoundListener) -> None:
        """See `Sound`."""
        self._listener = listener
        listener.on_opened("client", "client", "")
        self.inlet.push(b"")

    async def close(self) -> None:
        """See `Sound`."""
        self._listener = None
        self._tick.cancel()
        self.inlet.clear()

    def play(self, pcm: bytes, generation: int) -> None:
        """See `Sound`."""
        if generation != self._generation:
            return
        now = self._clock.now()
        if self._played >= self._queued:  # it ran dry
            self._begun_at = now - self._queued / OUTPUT_RATE_HZ
        self._queued += len(pcm) // 2
        if not self._told and not self._tick.is_set:
            self._tick.set_in(_PLAYED_S)

    def flush(self, generation: int) -> None:
        """See `Sound`."""
        self._generation = generation
        self._queued = self._played = 0
        self._pieces.clear()
        self._tick.cancel()

    def play_on(self, generation: int) -> None:
        """See `Sound`; a client pauses by itself."""

    def cue(self, cue: Cue) -> None:
        """See `Sound`; a client has its own."""

    def watch_barge_in(self, on: bool) -> None:
        """See `Sound`; a client does that by itself."""

    def set_volume(self, volume: float) -> None:
        """See `Sound`; a client has its own."""

    def _play_on_time(self) -> None:
        self._report(round((self._clock.now() - self._begun_at) * OUTPUT_RATE_HZ))
        if self._played < self._queued:
            self._tick.set_in(_PLAYED_S)

    def _report(self, samples: int) -> None:
        samples = min(samples, self._queued)
        if samples > self._played:
            self._played = samples
            if self._listener is not None:
                self._listener.on_played(self._generation, samples, 0.0)
