"""What of the microphone goes to the service: gate, mute, release tail, and the stretch kept for the next wire session.

Pure: frames and times in, frames out. Each frame is 32 ms, 512 samples of s16le mono at 16 kHz.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from novadesk.conversation.api import MicrophoneState, TalkMode

FRAME_BYTES = 1_024
FRAME_S = 0.032
SILENCE = bytes(FRAME_BYTES)
SILENT_LEVEL = 0.002  # -54 dB of full scale, where the level meter begins
NEVER = float("inf")
_WATCHED = 1_000  # 32 s of frames: longer than any link stays mute before it is given up
PAUSE_S = 1.5  # shortest pause that ends a turn; Amazon Nova user guide, "Turn detection", sensitivity HIGH
SPOKEN_LEVEL = 0.01  # -40 dB of full scale, above the noise of most rooms
_UNDERSTOOD_S = 3.0  # from the end of a voice to its text: `PAUSE_S`, and about as long again
_EARLY_FRAMES = 8  # 0.26 s: longer than a key is held before it opens the gate (`press.BARE_S`), timers being late
_PAUSE_FRAMES = 10  # 0.32 s: what stays of a pause that makes room for a voice; longer than the gap between two words


class Flow(Enum):
    """Where frames go."""

    DROPPED = "dropped"
    HELD = "held"
    LIVE = "live"


@dataclass(slots=True)
class _Kept:
    """A frame that passed the gate.

    `spoken`: its loss is one, which that of hands-free silence is not, nor of silence after the key was let go.
    `voiced`: loud enough for a voice. `handed_at`: when it was given to a wire session, None while there is none.
    `refused`: that one does not keep up and did not take it.
    """

    pcm: bytes
    at: float
    spoken: bool
    voiced: bool
    handed_at: float | None
    refused: bool = False


class Uplink:
    """Decides, frame by frame, what is sent. A closed gate sends silence, never nothing.

    The newest stretch of speech that nobody has answered is kept, sent or not: the next wire session gets it again,
    so that a sentence outlives the link that it was said on. It is voice that is kept, rather than time: a pause gives
    way first, for the one after a sentence is as long as many a sentence.

    Args:
        mode: how the person talks.
        release_tail_s: how long the gate stays open after release.
        held_s: most that is kept; the oldest voice goes last, and is counted when no wire session took it.

    Attributes:
        tail_s: how long the gate stays open after release.
        spoken_at: when a voice was captured last, whatever became of it.
    """

    def __init__(self, *, mode: TalkMode, release_tail_s: float, held_s: float) -> None:
        self.mode = mode
        self.muted = False
        self.talking = False
        self.present = False
        self.lost_frames = 0
        self._level: float | None = None
        self._loudest: float | None = None
        self.spoken_at = float("-inf")
        self._flow = Flow.DROPPED
        self.tail_s = release_tail_s
        self._tail_until = float("-inf")
        self._kept: deque[_Kept] = deque()
        self._most = max(1, round(held_s / FRAME_S))
        self._gone: deque[float] = deque(maxlen=_WATCHED)
        self._unheard_from = NEVER
        self._early: deque[tuple[bytes, float]] = deque(maxlen=_EARLY_FRAMES)

    def press(self, since: float = NEVER) -> list[bytes]:
        """Open the gate; return the frames that were captured before it, from `since` on, to be taken again."""
        self.talking = True
        self._loudest = self._level
        early = [pcm for pcm, at in self._early if at >= since]
        self._early.clear()
        return early

    def note_level(self, level: float, now: float) -> None:
        """Take the level of a captured frame, 0 to 1 RMS of full scale."""
        self._level = level
        if level >= SPOKEN_LEVEL:
            self.spoken_at = now
        if self.talking:
            self._loudest = max(level, self._loudest or 0.0)

    @property
    def silent(self) -> bool:
        """Return whether the microphone works and has brought nothing but silence since the gate was opened."""
        return self._loudest is not None and self._loudest < SILENT_LEVEL

    def voiceless(self, now: float, quiet_s: float) -> bool:
        """Return whether no voice comes through: the gate is closed, or nothing was heard for `quiet_s`."""
        return not self.open_at(now) or now - self.spoken_at >= quiet_s

    def unanswered(self, now: float) -> bool:
        """Return whether somebody has just spoken and was not understood yet."""
        return now - self.spoken_at < _UNDERSTOOD_S and any(kept.voiced for kept in self._kept)

    @property
    def key_held(self) -> bool:
        """Return whether the person holds the talk key, which means: I am not done."""
        return self.talking and self.mode is TalkMode.HOLD

    def quiet(self, now: float, quiet_s: float) -> bool:
        """Return whether nobody is speaking. Who holds the talk key may be thinking about the next word."""
        return self.voiceless(now, quiet_s) and not self.key_held

    def release(self, now: float) -> None:
        """Close the gate after the release tail."""
        if self.talking:
            self.talking = False
            self._tail_until = now + self.tail_s

    def hold(self) -> None:
        """Keep frames until `go_live`."""
        self._flow = Flow.HELD

    def understood(self, now: float, unwritten_from: float = NEVER) -> None:
        """Forget what was sent: the service has understood it, or there was nothing to understand.

        While the key is held the last `PAUSE_S` stay: what was understood ended before a pause of that length. What
        was handed over from `unwritten_from` on still waits in this program. A refused frame whose place in the
        stream has passed is lost.
        """
        before = now - PAUSE_S if self.talking else NEVER
        over = [kept for kept in self._kept if _is_over(kept, before, unwritten_from)]
        self.lost_frames += sum(kept.refused and kept.spoken for kept in over)
        self._kept = deque(kept for kept in self._kept if not _is_over(kept, before, unwritten_from))
        self._gone = deque((at for at in self._gone if at >= unwritten_from), maxlen=_WATCHED)

    def refused(self, pcm: bytes) -> None:
        """Take back the newest frame: the wire session did not take it."""
        if self._kept and self._kept[-1].pcm is pcm:
            self._kept[-1].refused = True

    def link_lost(self, unheard_from: float) -> None:
        """Count what was handed over from `unheard_from` on and is not kept any more: nobody has heard it.

        What is still kept of that is lost once it has to go before the next wire session is there.
        """
        self.lost_frames += sum(at >= unheard_from for at in self._gone)
        self._gone.clear()
        self._unheard_from = min(unheard_from, self._unheard_from)

    def forget(self) -> bool:
        """Forget what was kept, none of which is a loss; return whether there was speech among it."""
        spoken = any(kept.spoken for kept in self._kept)
        self._kept.clear()
        self._gone.clear()
        return spoken

    def stop(self) -> None:
        """Send nothing and forget what was kept."""
        self._flow = Flow.DROPPED
        self.forget()
        self._early.clear()
        self.talking = False
        self._tail_until = float("-inf")

    def go_live(self, now: float) -> list[bytes]:
        """Send frames from now on; return the kept ones, oldest first, to be sent before."""
        self._flow = Flow.LIVE
        self._gone.clear()  # those went to an earlier wire session
        self._unheard_from = NEVER
        for kept in self._kept:
            kept.handed_at, kept.refused = now, False
        return [kept.pcm for kept in self._kept]

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
        if self._flow is Flow.DROPPED:
            return None
        if not self.open_at(now):
            if self.present and not self.muted:
                self._early.append((pcm, now))
            return SILENCE if self._flow is Flow.LIVE else None
        handed_at = now if self._flow is Flow.LIVE else None
        voiced = (self._level or 0.0) >= SPOKEN_LEVEL
        spoken = voiced or (self.mode is TalkMode.HOLD and self.talking)
        self._kept.append(_Kept(pcm=pcm, at=now, spoken=spoken, voiced=voiced, handed_at=handed_at))
        if len(self._kept) > self._most:
            silent_tail = self.mode is TalkMode.HOLD and not spoken
            self._let_go(len(self._kept) - 1 if silent_tail else _least_needed(self._kept))
        return None if handed_at is None else pcm

    def _let_go(self, place: int) -> None:
        kept = self._kept[place]
        del self._kept[place]
        if not kept.spoken:
            return
        if kept.handed_at is None or kept.refused or kept.handed_at >= self._unheard_from:
            self.lost_frames += 1
        else:
            self._gone.append(kept.handed_at)


def _least_needed(kept: Sequence[_Kept]) -> int:
    """Return the place of the oldest frame, or of one in the middle of the first long pause that was heard already.

    What nobody has heard yet stays in one piece.
    """
    pause = 0
    for place, frame in enumerate(kept):
        if frame.voiced or frame.refused or frame.handed_at is None:
            pause = 0
            continue
        pause += 1
        if pause > _PAUSE_FRAMES:
            begin = place - _PAUSE_FRAMES
            return begin + _PAUSE_FRAMES // 2 if begin else 0
    return 0


def _is_over(kept: _Kept, before: float, unwritten_from: float) -> bool:
    return kept.handed_at is not None and kept.at <= before and kept.handed_at < unwritten_from
