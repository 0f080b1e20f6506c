"""A speaker that consumes in real time at 24 kHz and knows when it ran dry. Pure: time is handed in."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.renewal_frames import BLOCK_S, SPEAK_HZ, AnswerBlock, Torn, decode_blocks


@dataclass(slots=True, kw_only=True)
class Playing:
    """What the speaker has played of one answer of one wire session.

    Attributes:
        gaps: (block, time at which it was due, time at which it came), where sound that was begun ran dry.
        holes: (last block before, first block after) where blocks never came.
        cut: blocks queued and not played when the speaker was flushed.
    """

    answer: int
    session: int
    count: int
    began: float
    blocks: int = 0
    last: int = -1
    gaps: list[tuple[int, float, float]] = field(default_factory=list)
    holes: list[tuple[int, int]] = field(default_factory=list)
    cut: int = 0
    torn: int = 0

    def row(self) -> dict[str, Any]:
        """Return it as a log row."""
        return {
            "answer": self.answer,
            "session": self.session,
            "count": self.count,
            "began": self.began,
            "blocks": self.blocks,
            "last": self.last,
            "gaps": self.gaps,
            "holes": self.holes,
            "cut": self.cut,
            "torn": self.torn,
        }


class SpeakerModel:
    """Follows what is queued and flushed."""

    def __init__(self) -> None:
        self.generation = 0
        self.done: list[Playing] = []
        self._now_playing: Playing | None = None
        self._dry_at = 0.0
        self._queued = 0

    def play(self, pcm: bytes, generation: int, now: float) -> None:
        """Queue s16le mono at 24 kHz; an older generation is dropped."""
        if generation != self.generation:
            return
        for block in decode_blocks(pcm):
            self._note(block, now)
            self._dry_at = max(self._dry_at, now) + BLOCK_S
        self._queued += len(pcm) // 2

    def flush(self, generation: int, now: float) -> None:
        """Drop what is queued of older generations."""
        if generation <= self.generation:
            return
        left_s = self._dry_at - now
        if self._now_playing is not None and left_s > 0:
            self._now_playing.cut += round(left_s * 50)
        self._dry_at = min(self._dry_at, now)
        self.generation, self._queued = generation, 0

    def played(self, now: float) -> int:
        """Return how many samples of the present generation have been played."""
        return self._queued - max(0, round((self._dry_at - now) * SPEAK_HZ))

    def busy(self, now: float) -> bool:
        """Return whether sound is coming out."""
        return now < self._dry_at

    def finished(self) -> list[Playing]:
        """Return the answers that another one has followed, and forget them."""
        done, self.done = self.done, []
        return done

    def all(self) -> list[Playing]:
        """Return what `finished` has not returned yet, the one being played included."""
        return [*self.finished(), *([self._now_playing] if self._now_playing is not None else [])]

    def _note(self, block: AnswerBlock | Torn, now: float) -> None:
        playing = self._now_playing
        if isinstance(block, Torn):
            if playing is not None:
                playing.torn += 1
            return
        if playing is None or (playing.answer, playing.session) != (block.answer, block.session):
            if playing is not None:
                self.done.append(playing)
            playing = Playing(answer=block.answer, session=block.session, count=block.count, began=now)
            self._now_playing = playing
            if block.index:
                playing.holes.append((-1, block.index))
        else:
            if block.index != playing.last + 1:
                playing.holes.append((playing.last, block.index))
            if now > self._dry_at:
                playing.gaps.append((block.index, self._dry_at, now))
        playing.blocks += 1
        playing.last = block.index
