"""What of the microphone goes to the service: gate, mute, release tail, and the stretch held while no link is live.

Pure: frames and times in, frames out. Each frame is 32 ms, 512 samples of s16le mono at 16 kHz.
"""

from collections import deque
from enum import Enum

from novadesk.conversation.api import MicrophoneState, TalkMode

FRAME_BYTES = 1_024
FRAME_S = 0.032
SILENCE = bytes(FRAME_BYTES)
SILENT_LEVEL = 0.002  # -54 dB of full scale, where the level meter begins


class Flow(Enum):
    """Where frames go."""

    DROPPED = "dropped"
    HELD = "held"
    LIVE = "live"


class Uplink:
    """Decides, frame by frame, what is sent. A closed gate sends silence, never nothing.

    Args:
        mode: how the person talks.
        release_tail_s: how long the gate stays open after release.
        held_s: longest stretch kept while no link is live; the oldest is dropped and counted.
    """

    def __init__(self, *, mode: TalkMode, release_tail_s: float, held_s: float) -> None:
        self.mode = mode
        self.muted = False
        self.talking = False
        self.present = False
        self.held_frames_dropped = 0
        self._level: float | None = None
        self._loudest: float | None = None
        self._flow = Flow.DROPPED
        self._tail_s = release_tail_s
        self._tail_until = float("-inf")
        self._held: deque[bytes] = deque(maxlen=max(1, round(held_s / FRAME_S)))

    def press(self) -> None:
        """Open the gate."""
        self.talking = True
        self._loudest = self._level

    def note_level(self, level: float) -> None:
        """Take the level of a captured frame, 0 to 1 RMS of full scale."""
        self._level = level
        if self.talking:
            self._loudest = max(level, self._loudest or 0.0)

    @property
    def silent(self) -> bool:
        """Return whether the microphone works and has brought nothing but silence since the gate was opened."""
        return self._loudest is not None and self._loudest < SILENT_LEVEL

    def release(self, now: float) -> None:
        """Close the gate after the release tail."""
        if self.talking:
            self.talking = False
            self._tail_until = now + self._tail_s

    def hold(self) -> None:
        """Keep frames until `go_live`."""
        self._flow = Flow.HELD

    def stop(self) -> None:
        """Send nothing and forget what was held."""
        self._flow = Flow.DROPPED
        self._held.clear()
        self.talking = False
        self._tail_until = float("-inf")

    def go_live(self) -> list[bytes]:
        """Send frames from now on; return the held ones, oldest first, to be sent before."""
        held = list(self._held)
        self._held.clear()
        self._flow = Flow.LIVE
        return held

    def open_at(self, now: float) -> bool:
        """Return whether the person's voice passes the gate."""
        if self.muted or not self.present:
            return False
        return self.mode is TalkMode.HANDS_FREE or self.talking or now < self._tail_until

    def state(self, now: float) -> MicrophoneState:
        """Return what the microphone does."""
        if not self.present:
            return MicrophoneState.ABSENT
        if self.muted:
            return MicrophoneState.MUTED
        return MicrophoneState.OPEN if self.open_at(now) else MicrophoneState.GATED

    def take(self, pcm: bytes, now: float) -> bytes | None:
        """Return the frame to send for a captured one, or None when nothing is sent now."""
        is_open = self.open_at(now)
        match self._flow:
            case Flow.LIVE:
                return pcm if is_open else SILENCE
            case Flow.HELD if is_open:
                if len(self._held) == self._held.maxlen:
                    self.held_frames_dropped += 1
                self._held.append(pcm)
                return None
            case _:
                return None
