"""Rates, frame sizes, sample conversions and WAV files: PCM 16-bit, 8 to 48 kHz, one or two channels."""

import contextlib
import os
import struct
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from novadesk.errors import KnownError, Reason

type Samples = NDArray[np.float32]
"""One channel, full scale is -1 to 1, shape (n,)."""

LISTEN_HZ = 16_000
"""Rate of what the service hears."""

SPEAK_HZ = 24_000
"""Rate of what the service says."""

FRAME_SAMPLES = 512
"""Samples of one microphone frame: 32 ms at `LISTEN_HZ`."""

SAMPLE_BYTES = 2

WAV_LOWEST_HZ = 8_000
WAV_HIGHEST_HZ = 48_000
_WAV_CHANNELS = (1, 2)
_FULL_SCALE = 32_768.0
_READ_FRAMES = 65_536
_WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A sound file in memory.

    Attributes:
        rate_hz: frames per second.
        samples: mean of the channels.
    """

    rate_hz: int
    samples: Samples

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return len(self.samples) / self.rate_hz


def to_samples(pcm: bytes | bytearray | memoryview) -> Samples:
    """Return s16le bytes as floats; the length must be even."""
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(_FULL_SCALE)


def to_pcm(samples: Samples) -> bytes:
    """Return floats as s16le bytes, rounded; what is beyond full scale is clipped."""
    return np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2").tobytes()


def to_mono(block: NDArray[np.float32]) -> Samples:
    """Return the mean of the columns of a block of shape (frames, channels)."""
    if block.shape[1] == 1:
        return block[:, 0]
    return block.mean(axis=1, dtype=np.float32)


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[wave.Wave_read]:
    try:
        with wave.open(str(file), "rb") as wav:
            yield wav
    except FileNotFoundError as error:
        raise KnownError(
            Reason.FILE_MISSING, f"There is no file {file}.", "Check the path of the sound file."
        ) from error
    except OSError as error:
        raise KnownError(
            Reason.FILE_MISSING,
            f"The file {file} cannot be read ({error.strerror or 'input/output error'}).",
            "Choose a sound file that you may read.",
        ) from error
    except (wave.Error, EOFError) as error:
        raise _bad_wav(file, "is not a PCM WAV file") from error


def check_wav(file: Path) -> float:
    """Return the length in seconds that the header states, when the file is one that NovaDesk reads.

    Raises:
        KnownError: `FILE_MISSING` or `BAD_WAV`.
    """
    with _reading(file) as wav:
        _check_header(file, wav)
        return wav.getnframes() / wav.getframerate()


def read_wav(file: Path) -> Recording:
    """Read a whole file; a file cut short counts up to where it ends.

    Raises:
        KnownError: `FILE_MISSING` or `BAD_WAV`.
    """
    with _reading(file) as wav:
        _check_header(file, wav)
        channels, rate_hz = wav.getnchannels(), wav.getframerate()
        pieces = []
        while data := wav.readframes(_READ_FRAMES):
            whole = len(data) - len(data) % (SAMPLE_BYTES * channels)
            pieces.append(to_mono(to_samples(data[:whole]).reshape(-1, channels)))
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if not len(samples):
        raise _bad_wav(file, "holds no sound")
    return Recording(rate_hz=rate_hz, samples=samples)


def write_wav(file: Path, rate_hz: int, samples: Samples) -> None:
    """Write one channel of 16-bit PCM.

    Raises:
        KnownError: `BAD_INPUT` when the file cannot be written.
    """
    writer = WavWriter(file, rate_hz)
    writer.write(to_pcm(samples))
    writer.close()


class WavWriter:
    """Writes one channel of 16-bit PCM as it comes. After `close` the file is whole, and `resume` goes on with it.

    Args:
        file: is replaced.
        rate_hz: samples per second.

    Raises:
        KnownError: `BAD_INPUT` when the file cannot be written.
    """

    def __init__(self, file: Path, rate_hz: int) -> None:
        self._file = file
        self._rate_hz = rate_hz
        self._data_bytes = 0
        self._stream: BinaryIO | None = self._opened("wb")
        self._stream.write(self._header())

    def write(self, pcm: bytes) -> None:
        """Add s16le bytes; dropped when closed."""
        if self._stream is not None:
            self._stream.write(pcm)
            self._data_bytes += len(pcm)

    def resume(self) -> None:
        """Go on after `close`.

        Raises:
            KnownError: `BAD_INPUT` when the file cannot be written any more.
        """
        if self._stream is None:
            self._stream = self._opened("r+b")
            self._stream.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Complete the file. Idempotent."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with stream:
                stream.seek(0)
                stream.write(self._header())

    def _opened(self, mode: Literal["wb", "r+b"]) -> BinaryIO:
        try:
            return open(self._file, mode)
        except OSError as error:
            raise KnownError(
                Reason.BAD_INPUT,
                f"The file {self._file} cannot be written ({error.strerror or 'input/output error'}).",
                "Choose another place for the recording.",
            ) from error

    def _header(self) -> bytes:
        """Return the 44 bytes of RIFF, format and data headers."""
        return _WAV_HEADER.pack(
            b"RIFF",
            _WAV_HEADER.size - 8 + self._data_bytes,
            b"WAVE",
            b"fmt ",
            16,
            1,
            1,
            self._rate_hz,
            self._rate_hz * SAMPLE_BYTES,
            SAMPLE_BYTES,
            8 * SAMPLE_BYTES,
            b"data",
            self._data_bytes,
        )


def _check_header(file: Path, wav: wave.Wave_read) -> None:
    if wav.getsampwidth() != SAMPLE_BYTES:
        raise _bad_wav(file, f"has {8 * wav.getsampwidth()}-bit samples")
    if wav.getnchannels() not in _WAV_CHANNELS:
        raise _bad_wav(file, f"has {wav.getnchannels()} channels")
    if not WAV_LOWEST_HZ <= wav.getframerate() <= WAV_HIGHEST_HZ:
        raise _bad_wav(file, f"has a rate of {wav.getframerate()} Hz")


def _bad_wav(file: Path, what: str) -> KnownError:
    return KnownError(
        Reason.BAD_WAV,
        f"The file {file} {what}.",
        "Use a WAV file with 16-bit PCM, 8 to 48 kHz, one or two channels.",
    )
