"""What is wrong with a microphone that is open: judged by its sound alone, in less than two seconds."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from novadesk.audio.formats import Samples
from novadesk.models import InputTrouble

WINDOW_S = 1.6
"""A trouble has to last this long, so that it is told in less than two seconds."""

_BLOCK_S = 0.02
_BLOCKS = round(WINDOW_S / _BLOCK_S)
_NOISE_LEVEL = 10 ** (-78 / 20)  # below it a 16-bit converter brings its own noise and nothing of the room
_FAINT_LEVEL = 10 ** (-50 / 20)  # speech whose loudest syllables stay below it is lost on a recogniser
_SPOKEN_RATIO = 4.0  # speech stands out of the room by 12 dB and more; a steady hum does not
_SPOKEN_BLOCKS = 25  # half a second of the window: more than typing makes
_FULL_SCALE = 0.985
_FLAT_SAMPLES = 3  # in a row at full scale: no undamaged wave stays there
_CLIPPED_BLOCKS = 4  # one knock on the table is no trouble


@dataclass(frozen=True, slots=True)
class _Block:
    level: float
    zero: bool
    clipped: bool


class InputTruth:
    """Listens to one microphone.

    Samples are to be fed as the device gave them, before any processing; a conversion of the rate rounds off the flat
    tops that tell of clipping.

    Args:
        rate_hz: samples per second.
    """

    def __init__(self, rate_hz: int) -> None:
        self._size = round(rate_hz * _BLOCK_S)
        self._rest = np.zeros(0, np.float32)
        self._blocks: deque[_Block] = deque(maxlen=_BLOCKS)
        self._waited_s = 0.0
        self._trouble = InputTrouble.NONE

    @property
    def trouble(self) -> InputTrouble:
        """Return the newest judgement."""
        return self._trouble

    def feed(self, samples: Samples) -> InputTrouble:
        """Take the next samples, shape (n,), full scale is -1 to 1; return what is wrong from now on."""
        if len(samples):
            self._waited_s = 0.0
            if self._trouble is InputTrouble.DEAD:
                self._trouble = InputTrouble.NONE
        pending = np.concatenate((self._rest, samples)) if len(self._rest) else samples
        whole = len(pending) - len(pending) % self._size
        self._rest = pending[whole:].copy()
        for start in range(0, whole, self._size):
            self._blocks.append(_measured(pending[start : start + self._size]))
            self._trouble = self._judged()
        return self._trouble

    def wait(self, seconds: float) -> InputTrouble:
        """Take note that for so many more seconds no sample came; return what is wrong from now on."""
        self._waited_s += seconds
        if self._waited_s >= WINDOW_S:
            self._blocks.clear()
            self._rest = self._rest[:0]
            self._trouble = InputTrouble.DEAD
        return self._trouble

    def _judged(self) -> InputTrouble:
        blocks, newest = self._blocks, self._blocks[-1]
        # What ends a trouble ends it at once; what begins one has to last.
        if self._trouble is InputTrouble.ZEROS and not newest.zero:
            blocks.clear()
            return InputTrouble.NONE
        if self._trouble is InputTrouble.QUIET and newest.level >= _FAINT_LEVEL:
            return InputTrouble.NONE
        if sum(block.clipped for block in blocks) >= _CLIPPED_BLOCKS:
            return InputTrouble.CLIPPED
        if len(blocks) < _BLOCKS:
            return self._trouble
        if all(block.zero for block in blocks):
            return InputTrouble.ZEROS
        if _faint([block.level for block in blocks]):
            return InputTrouble.QUIET
        return self._trouble if self._trouble is InputTrouble.QUIET else InputTrouble.NONE


def _measured(block: Samples) -> _Block:
    return _Block(
        level=float(np.sqrt(np.mean(np.square(block), dtype=np.float64))),
        zero=not block.any(),
        clipped=_flat(block),
    )


def _flat(block: Samples) -> bool:
    """Return whether several samples in a row stand at one end of the scale."""
    for full in (block >= _FULL_SCALE, block <= -_FULL_SCALE):
        if full.any() and np.convolve(full, np.ones(_FLAT_SAMPLES)).max() >= _FLAT_SAMPLES:
            return True
    return False


def _faint(levels: list[float]) -> bool:
    """Return whether nothing of the room arrives, or somebody speaks and is too faint."""
    loudest = max(levels)
    if loudest < _NOISE_LEVEL:
        return True
    if loudest >= _FAINT_LEVEL:
        return False
    room = sorted(levels)[len(levels) // 10]
    return sum(level >= max(_SPOKEN_RATIO * room, _NOISE_LEVEL) for level in levels) >= _SPOKEN_BLOCKS
