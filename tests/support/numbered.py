"""A sound in which every sample has a number, and the reading of the numbers from a recording of it.

The sound is noise between 300 and 6,500 Hz with a period that neither 2 nor 3 divides: every second and every third of
its samples make the same sound at 24 and 16 kHz, and ten milliseconds of it occur once in a period. It survives any
change of rate by a linear-phase filter and any loudness; what it does not survive is a sample more or less, which is
what it is for: one sample beside its place, ten milliseconds correlate with 0.88 and less.

Every place and length is in samples at 48 kHz, whatever the rate of the recording.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

RATE_HZ = 48_000
BLOCK = RATE_HZ // 100
PERIOD = 5**9
"""Of the numbers: 40.7 s. A loss or repetition of more than half of it would be read as another."""

_LOWEST_HZ, _HIGHEST_HZ = 300.0, 6_500.0
_PEAK = 12_000
_EXACT = 0.97
_SILENT_RMS = 8.0
_FOLLOWED = 200
_CANDIDATES = 8
_AROUND = 12_000
_PATIENCE = 10
_NEAR = RATE_HZ // 10
Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a recording in which number follows number, in whole blocks of 10 ms.

    Attributes:
        received: where it begins in the recording.
        source: the number of its first sample, periods counted on.
    """

    received: int
    source: int
    length: int

    @property
    def received_end(self) -> int:
        """Return where it ends in the recording."""
        return self.received + self.length

    @property
    def source_end(self) -> int:
        """Return the number after its last sample."""
        return self.source + self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where the numbers do not go on.

    Attributes:
        received: where the last exact block before it ends in the recording; likewise `source`, its number.
        unread: samples of the recording between the exact blocks on both sides: silence, or a splice.
        skipped: numbers lost, to the sample; below zero: samples too many, be they repeated or silent.
    """

    received: int
    source: int
    unread: int
    skipped: int

    @property
    def missing(self) -> int:
        """Return the numbers that are not read; below zero: read twice."""
        return self.skipped + self.unread

    def __str__(self) -> str:
        lost = f"{self.skipped / 48:+.1f} ms, {self.missing / 48:.1f} ms not read"
        return f"{lost}, at {self.received / RATE_HZ:.3f} s, number {self.source}"


class Numbering:
    """One numbered sound; those of two seeds are strangers to each other."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        hertz = np.fft.rfftfreq(PERIOD, 1 / RATE_HZ)
        inside = (hertz >= _LOWEST_HZ) & (hertz <= _HIGHEST_HZ)
        spectrum = np.where(inside, np.exp(2j * np.pi * random.random(len(hertz))), 0)
        wave = np.fft.irfft(spectrum, PERIOD)
        self._wave = np.round(wave * (_PEAK / np.abs(wave).max())).astype(np.int16)
        self._cycles: dict[int, _Cycle] = {}

    def cut(self, source: int, length: int, rate_hz: int = RATE_HZ) -> Samples:
        """Return `length` numbers from `source` on, at this rate: length * rate_hz / 48000 samples."""
        cut: Samples = self._wave[np.arange(source, source + length, _stride(rate_hz)) % PERIOD]
        return cut

    def read(self, heard: npt.NDArray[np.int16] | Floats, rate_hz: int = RATE_HZ) -> list[Stretch]:
        """Return the stretches of a recording, in its order; silence and splices lie between them.

        The first stretch's number lies in the first period.
        """
        stride = _stride(rate_hz)
        cycle = self._cycles.setdefault(stride, _Cycle(self._wave, stride))
        size = rate_hz // 100
        blocks = heard[: len(heard) // size * size].reshape(-1, size)
        loud = np.sqrt(np.square(blocks.astype(np.float32)).mean(axis=1)) > _SILENT_RMS
        stretches: list[Stretch] = []
        place = 0
        everywhere_at = 0
        while place < len(blocks):
            expected = _expected(stretches, place * BLOCK)
            at = None
            if loud[place]:
                at = cycle.find(blocks[place], expected, everywhere=place >= everywhere_at)
                if at is None and place >= everywhere_at:
                    everywhere_at = place + _PATIENCE
            if at is None:
                place += 1
                continue
            free = stretches[-1].received_end // BLOCK if stretches else 0
            back = cycle.follow_back(blocks[free:place], at)
            count = cycle.follow(blocks[place : place + _FOLLOWED], at) + back
            number = (at - back * size) * stride % PERIOD
            number += PERIOD * round((expected - back * BLOCK - number) / PERIOD) if stretches else 0
            _add(stretches, Stretch(received=(place - back) * BLOCK, source=number, length=count * BLOCK))
            place += count - back
        return stretches


class _Cycle:
    """The numbered sound as a recording of one rate has it: every n-th sample, once around."""

    def __init__(self, wave: Samples, stride: int) -> None:
        self._wave = wave[np.arange(PERIOD) * stride % PERIOD].astype(np.float32)
        self._stride = stride
        self._inverse = pow(stride, -1, PERIOD)

    @cached_property
    def _spectrum(self) -> npt.NDArray[np.complex64]:
        return np.fft.rfft(self._wave)

    def find(self, block: npt.NDArray[np.int16] | Floats, expected: int, *, everywhere: bool) -> int | None:
        """Return the place of a block, or None; it is looked for around the expected number, and `everywhere`."""
        wanted = expected * self._inverse % PERIOD
        if self.follow(block[np.newaxis], wanted):
            return wanted
        for shift in range(self._stride):
            centre = (expected + shift) * self._inverse - _AROUND
            window = self._wave[np.arange(centre, centre + 2 * _AROUND) % PERIOD]
            match = np.abs(np.correlate(window, block.astype(np.float32)))
            at = (centre + int(match.argmax())) % PERIOD
            if self.follow(block[np.newaxis], at):
                return at
        return self._find_everywhere(block) if everywhere else None

    def _find_everywhere(self, block: npt.NDArray[np.int16] | Floats) -> int | None:
        heard = np.fft.rfft(block.astype(np.float32), PERIOD)
        match = np.abs(np.fft.irfft(self._spectrum * np.conj(heard), PERIOD))
        best = np.argpartition(match, -_CANDIDATES)[-_CANDIDATES:]
        return next((int(at) for at in best if self.follow(block[np.newaxis], int(at))), None)

    def follow_back(self, blocks: npt.NDArray[np.int16] | Floats, at: int) -> int:
        """Return how many of the last of these blocks are exactly what comes before a place."""
        count = 0
        while count < len(blocks):
            at -= blocks.shape[1]
            if not self.follow(blocks[len(blocks) - count - 1][np.newaxis], at):
                break
            count += 1
        return count

    def follow(self, blocks: npt.NDArray[np.int16] | Floats, at: int) -> int:
        """Return how many of these blocks are exactly what follows from a place on."""
        wanted = self._wave[np.arange(at, at + blocks.size) % PERIOD].reshape(blocks.shape)
        heard = blocks.astype(np.float32)
        energy = np.square(wanted).sum(axis=1) * np.square(heard).sum(axis=1)
        exact = (wanted * heard).sum(axis=1) >= _EXACT * np.sqrt(np.maximum(energy, 1.0))
        return len(exact) if exact.all() else int(np.argmin(exact))


def breaks(stretches: Sequence[Stretch]) -> list[Break]:
    """Return what lies between the stretches."""
    found = []
    for before, after in itertools.pairwise(stretches):
        unread = after.received - before.received_end
        skipped = after.source - before.source_end - unread
        found.append(Break(received=before.received_end, source=before.source_end, unread=unread, skipped=skipped))
    return found


def by_source(one: Break) -> int:
    """Return where a break lies in the numbers: to compare two recordings of one sound."""
    return one.source


def by_received(one: Break) -> int:
    """Return where a break lies in the recording: to compare two sounds of one recording."""
    return one.received


def unexplained(mine: Sequence[Break], control: Sequence[Break], where: Callable[[Break], int]) -> list[Break]:
    """Return the breaks that the control does not show: within 100 ms of them it skips another number of samples."""

    def near(place: int, some: Sequence[Break]) -> list[Break]:
        return [one for one in some if abs(where(one) - place) <= _NEAR]

    def skipped(some: Sequence[Break]) -> int:
        return sum(one.skipped for one in some)

    return [
        one
        for one in mine
        if not (shown := near(where(one), control)) or skipped(shown) != skipped(near(where(one), mine))
    ]


def _stride(rate_hz: int) -> int:
    if rate_hz not in (RATE_HZ, RATE_HZ // 2, RATE_HZ // 3):
        raise ValueError(rate_hz)
    return RATE_HZ // rate_hz


def _expected(stretches: Sequence[Stretch], received: int) -> int:
    return stretches[-1].source + received - stretches[-1].received if stretches else 0


def _add(stretches: list[Stretch], found: Stretch) -> None:
    last = stretches[-1] if stretches else None
    if last is not None and (last.received_end, last.source_end) == (found.received, found.source):
        stretches[-1] = Stretch(received=last.received, source=last.source, length=last.length + found.length)
    else:
        stretches.append(found)
