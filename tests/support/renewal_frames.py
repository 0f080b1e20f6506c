"""Sound whose every frame says which one it is: microphone frames that carry their number, answers that carry theirs.

The marks are faint (at most 16 of 32,768), so that a quiet frame is quiet for whoever measures its level.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FRAME_SAMPLES = 512
FRAME_BYTES = 2 * FRAME_SAMPLES
FRAME_S = 0.032
BLOCK_SAMPLES = 480
BLOCK_BYTES = 2 * BLOCK_SAMPLES
BLOCK_S = 0.02
SPEAK_HZ = 24_000

_MIC_MAGIC = (11, -13)
_ANSWER_MAGIC = (12, -14)
_LOUD = 2_000
_QUIET = 6
_SILENCE = bytes(FRAME_BYTES)


@dataclass(frozen=True, slots=True)
class MicFrame:
    """One microphone frame. `utterance` is 0 while the person is quiet; `place` counts within the utterance."""

    number: int
    utterance: int = 0
    place: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Silence:
    """A frame of zeros: what a closed gate sends."""


@dataclass(frozen=True, slots=True)
class Torn:
    """A frame that is none of ours as we made it."""


type HeardFrame = MicFrame | Silence | Torn


def encode_frame(frame: MicFrame) -> bytes:
    """Return the frame as 512 samples of s16le mono."""
    marks = [
        *_MIC_MAGIC,
        *_digits(frame.number, 6),
        *_digits(frame.utterance, 4),
        *_digits(frame.place, 2),
        *_digits(frame.length, 2),
    ]
    return _fill(marks, FRAME_SAMPLES, frame.number, loud=bool(frame.utterance))


def decode_frame(pcm: bytes) -> HeardFrame:
    """Return which frame this is; `Torn` when a single sample differs from what was made."""
    if pcm == _SILENCE:
        return Silence()
    marks = np.frombuffer(pcm[:32], dtype="<i2").tolist()
    if len(pcm) != FRAME_BYTES or tuple(marks[:2]) != _MIC_MAGIC:
        return Torn()
    frame = MicFrame(_number(marks[2:8]), _number(marks[8:12]), _number(marks[12:14]), _number(marks[14:16]))
    try:
        whole = encode_frame(frame) == pcm
    except OverflowError:
        whole = False
    return frame if whole else Torn()


class FrameReader:
    """Cuts what was heard into frames, however it was cut on its way."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, pcm: bytes) -> Iterator[HeardFrame]:
        """Return the frames that are complete now, in order."""
        data = self._rest + pcm
        whole = len(data) // FRAME_BYTES * FRAME_BYTES
        self._rest = data[whole:]
        for start in range(0, whole, FRAME_BYTES):
            yield decode_frame(data[start : start + FRAME_BYTES])


@dataclass(frozen=True, slots=True)
class AnswerBlock:
    """20 ms of an answer: which answer, which wire session gave it, which block, of how many."""

    answer: int
    session: int
    index: int
    count: int


def encode_block(block: AnswerBlock) -> bytes:
    """Return the block as 480 samples of s16le mono at 24 kHz."""
    marks = [
        *_ANSWER_MAGIC,
        *_digits(block.answer, 4),
        *_digits(block.session, 4),
        *_digits(block.index, 3),
        *_digits(block.count, 3),
    ]
    return _fill(marks, BLOCK_SAMPLES, block.index, loud=True)


def decode_blocks(pcm: bytes) -> list[AnswerBlock | Torn]:
    """Return the blocks of what is to be played."""
    found: list[AnswerBlock | Torn] = []
    for start in range(0, len(pcm), BLOCK_BYTES):
        piece = pcm[start : start + BLOCK_BYTES]
        marks = np.frombuffer(piece[:32], dtype="<i2").tolist()
        if len(piece) != BLOCK_BYTES or tuple(marks[:2]) != _ANSWER_MAGIC:
            found.append(Torn())
        else:
            found.append(
                AnswerBlock(_number(marks[2:6]), _number(marks[6:10]), _number(marks[10:13]), _number(marks[13:16]))
            )
    return found


def _fill(marks: list[int], samples: int, salt: int, *, loud: bool) -> bytes:
    body = _noise(_LOUD if loud else _QUIET)
    start = salt * 13 % 509
    return np.concatenate([np.array(marks, dtype="<i2"), body[start : start + samples - len(marks)]]).tobytes()


@lru_cache(maxsize=2)
def _noise(peak: int) -> npt.NDArray[np.int16]:
    made: npt.NDArray[np.int16] = np.random.default_rng(7).integers(-peak, peak, 1_100).astype("<i2")
    return made


def _digits(value: int, count: int) -> list[int]:
    if not 0 <= value < 16**count:
        raise OverflowError(value)
    return [(value >> (4 * place) & 15) + 1 for place in reversed(range(count))]


def _number(digits: list[int]) -> int:
    value = 0
    for digit in digits:
        value = value * 16 + (digit - 1 & 15)
    return value
