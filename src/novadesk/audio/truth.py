"""What is wrong with a microphone that is open: judged by its sound alone, in less than two seconds."""

import numpy as np
from numpy.typing import NDArray

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
_JUDGED_BLOCKS = 5  # what begins is looked for every 0.1 s


class InputTruth:
    """Listens to one microphone.

    Samples are to be fed as the device gave them, before any processing; a conversion of the rate rounds off the flat
    tops that tell of clipping.

    Args:
        rate_hz: samples per second.
    """

    def __init__(self, rate_hz: int) -> None:
        self._size = round(rate_hz * _BLOCK_S)
        self._pieces: list[Samples] = []
        self._waiting = 0  # samples in them
        self._levels = np.zeros(_BLOCKS)
        self._clipped = np.zeros(_BLOCKS, np.bool_)
        self._count = 0  # of blocks in the window, and those that have left it
        self._zeros = 0  # in a row
        self._trouble = InputTrouble.NONE

    @property
    def trouble(self) -> InputTrouble:
        """Return the newest judgement."""
        return self._trouble

    def feed(self, samples: Samples) -> InputTrouble:
        """Take the next samples, shape (n,), full scale is -1 to 1; return what is wrong from now on."""
        self._pieces.append(samples.copy())
        self._waiting += len(samples)
        if self._due_blocks():
            pending = np.concatenate(self._pieces)
            while count := self._due_blocks():
                whole, pending = pending[: count * self._size], pending[count * self._size :]
                self._waiting -= len(whole)
                self._take(whole.reshape(-1, self._size))
            self._pieces = [pending]
        return self._trouble

    def _due_blocks(self) -> int:
        """Return how many blocks are to be looked at now: what begins, only at its times; what ends, at once."""
        whole = self._waiting // self._size
        if self._trouble is not InputTrouble.NONE:
            return min(whole, 1)
        to_next = _JUDGED_BLOCKS - self._count % _JUDGED_BLOCKS
        return to_next if whole >= to_next else 0

    def _take(self, blocks: NDArray[np.float32]) -> None:
        levels = np.sqrt(np.einsum("ij,ij->i", blocks, blocks, dtype=np.float64) / self._size)
        peaks = np.abs(blocks).max(axis=1)
        for block, level, peak in zip(blocks, levels.tolist(), peaks.tolist(), strict=True):
            place = self._count % _BLOCKS
            self._count += 1
            self._levels[place] = level
            self._clipped[place] = peak >= _FULL_SCALE and _flat(block)
            self._zeros = 0 if peak else self._zeros + 1
            self._trouble = self._judged(level)

    def _judged(self, newest_level: float) -> InputTrouble:
        # What ends a trouble ends it at once; what begins one has to last.
        if self._trouble is InputTrouble.ZEROS and not self._zeros:
            self._count = 0
            self._clipped[:] = False
            return InputTrouble.NONE
        if self._trouble is InputTrouble.QUIET and newest_level >= _FAINT_LEVEL:
            return InputTrouble.NONE
        if self._count % _JUDGED_BLOCKS:
            return self._trouble
        if np.count_nonzero(self._clipped) >= _CLIPPED_BLOCKS:
            return InputTrouble.CLIPPED
        if self._count < _BLOCKS:
            return self._trouble
        if self._zeros >= _BLOCKS:
            return InputTrouble.ZEROS
        if _faint(self._levels):
            return InputTrouble.QUIET
        return self._trouble if self._trouble is InputTrouble.QUIET else InputTrouble.NONE


def _flat(block: Samples) -> bool:
    """Return whether several samples in a row stand at one end of the scale."""
    for full in (block >= _FULL_SCALE, block <= -_FULL_SCALE):
        if full.any() and np.convolve(full, np.ones(_FLAT_SAMPLES)).max() >= _FLAT_SAMPLES:
            return True
    return False


def _faint(levels: NDArray[np.float64]) -> bool:
    """Return whether nothing of the room arrives, or somebody speaks and is too faint."""
    loudest = levels.max()
    if loudest < _NOISE_LEVEL:
        return True
    if loudest >= _FAINT_LEVEL:
        return False
    room = np.partition(levels, len(levels) // 10)[len(levels) // 10]
    return bool(np.count_nonzero(levels >= max(_SPOKEN_RATIO * room, _NOISE_LEVEL)) >= _SPOKEN_BLOCKS)
