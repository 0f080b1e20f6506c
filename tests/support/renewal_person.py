"""Whoever talks in the renewal tests: says numbered utterances at random moments and waits for each answer. Pure."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.support.renewal_frames import FRAME_S, MicFrame
from tests.support.renewal_words import typed

PATIENCE_FRAMES = round(12.0 / FRAME_S)
"""Longest wait for an answer; the person goes on then, and the exchange counts as unanswered."""

_AFTER_LAST = 2
_BEFORE_FIRST = 3


class Manner(Enum):
    """How the person talks."""

    HANDS_FREE = "hands_free"
    HOLD = "hold"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """What the person does besides speaking."""

    press: Callable[[], None]
    release: Callable[[], None]
    say: Callable[[str], None]
    note: Callable[..., None]


class Person:
    """Decides frame by frame; begins nothing while `stopped`, and is `resting` between two exchanges.

    Args:
        manner: how the person talks.
        seed: of all that is random.
        acts: what the person does besides speaking.
        utterance_frames: least and most frames of one utterance.
        typed_share: share of exchanges that are typed.
    """

    def __init__(
        self,
        manner: Manner,
        seed: int,
        acts: Acts,
        *,
        utterance_frames: tuple[int, int] = (15, 50),
        typed_share: float = 0.15,
    ) -> None:
        self.answered: Callable[[int], bool] = lambda _: False
        self.stopped = True
        self.resting = True
        self._manner, self._acts, self._random = manner, acts, random.Random(seed)
        self._lengths, self._typed_share = utterance_frames, typed_share
        self.utterance = 0
        self._length = self._place = 0
        self._pause = 20
        self._waited: int | None = None
        self._first = 0
        self._release_in = 0

    def frame(self, number: int) -> MicFrame:
        """Return the next frame, after doing what comes with it."""
        if self._place < self._length:
            return self._voice(number)
        if self._release_in:
            self._release_in -= 1
            if not self._release_in:
                self._acts.release()
                self._acts.note("released", frame=number - 1)
        if self._waited is not None:
            self._wait(number)
        elif not (self.stopped and self.resting) and self._manner is not Manner.SILENT:
            self._pause -= 1
            if self._manner is Manner.HOLD and self._pause == _BEFORE_FIRST:
                self._choose()
                self.resting = False
                if self._length:
                    self._acts.press()
                    self._acts.note("pressed", frame=number)
            if self._pause <= 0:
                self._begin(number)
        return MicFrame(number)

    def _choose(self) -> None:
        self.utterance += 1
        typed = self._random.random() < self._typed_share
        self._length = 0 if typed else self._random.randint(*self._lengths)
        self._place = self._length

    def _begin(self, number: int) -> None:
        if self._manner is Manner.HANDS_FREE:
            self._choose()
        self.resting = False
        self._waited = 0
        self._first = number + 1
        if self._length:
            self._place = 0
        else:
            self._acts.say(typed(self.utterance))
            self._acts.note("typed", utterance=self.utterance)

    def _voice(self, number: int) -> MicFrame:
        frame = MicFrame(number, self.utterance, self._place, self._length)
        self._place += 1
        if self._place == self._length:
            self._acts.note("spoken", utterance=self.utterance, first=self._first, last=number)
            if self._manner is Manner.HOLD:
                self._release_in = _AFTER_LAST
        return frame

    def _wait(self, number: int) -> None:
        assert self._waited is not None
        self._waited += 1
        answered = self.answered(self.utterance)
        if not answered and self._waited < PATIENCE_FRAMES:
            return
        if not answered:
            self._acts.note("unanswered", utterance=self.utterance, frame=number)
        self._waited = None
        self.resting = True
        self._pause = self._random.randint(8, 45)
