"""The sound that the voice benchmark plays and recognises, and a recorder that knows when each sample was there."""

import os
import subprocess
import threading
import time
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

RATE_HZ = 48_000
PULSE_S = 0.12
"""Length of the pulse that is looked for: a rising tone that begins at once."""

LOUD = 800
"""A sample above this is of an answer."""

_PEAK = 16_000
_NOISE = 24.0  # root mean square of the room that is always there, so that no two frames are alike
_APART_S = 0.4
_NEAR_S = 2.0
Samples = npt.NDArray[np.int16]
Waves = npt.NDArray[np.float64]


def pulse(rate_hz: int) -> Waves:
    """Return the pulse, from -1 to 1."""
    at = np.arange(round(rate_hz * PULSE_S)) / rate_hz
    tone = np.sin(2 * np.pi * (400 * at + (3_000 - 400) / (2 * PULSE_S) * at**2) + np.pi / 2)
    return tone * np.minimum(1, (PULSE_S - at) / 0.01)


def speech_like(rate_hz: int, seconds: float) -> bytes:
    """Return an answer that begins at once and is loud to its end: s16le mono."""
    at = np.arange(round(rate_hz * seconds)) / rate_hz
    tone = np.zeros(len(at))
    for order in (1, 2, 3, 5):
        tone += np.sin(2 * np.pi * 220 * order * at + np.pi / 2) / order
    return to_pcm(_PEAK / 2 * tone)


def to_pcm(samples: Waves) -> bytes:
    """Return s16le."""
    return np.clip(np.round(samples), -32_767, 32_767).astype("<i2").tobytes()


def microphone_track(file: Path, pulses: int, rest_s: float, seed: int) -> float:
    """Write what is said into the microphone: a quiet room, pulses at odd intervals, then the room alone.

    Returns:
        Seconds until the last pulse is over.
    """
    dice = np.random.default_rng(seed)
    starts = 0.5 + np.cumsum(dice.uniform(0.7, 1.0, pulses))
    over_s = float(starts[-1]) + 1.0
    track = dice.normal(0, _NOISE, round((over_s + rest_s) * RATE_HZ))
    shape = pulse(RATE_HZ) * _PEAK
    for start in np.round(starts * RATE_HZ).astype(int):
        track[start : start + len(shape)] += shape
    with wave.open(str(file), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(RATE_HZ)
        stream.writeframes(to_pcm(track))
    return over_s


def find_pulses(samples: Samples, rate_hz: int, least: float = 0.4) -> list[int]:
    """Return where pulses begin; `least` is the correlation that counts as one."""
    shape = pulse(rate_hz)
    if len(samples) < 2 * len(shape):
        return []
    sound = samples.astype(np.float64)
    size = 1 << (len(sound) + len(shape)).bit_length()
    alike = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(shape, size)), size)
    alike = alike[: len(sound) - len(shape)]
    energy = np.concatenate(([0.0], np.cumsum(sound**2)))
    energy = energy[len(shape) : len(shape) + len(alike)] - energy[: len(alike)]
    score = alike / (np.sqrt(np.maximum(energy, len(shape) * 100.0)) * np.linalg.norm(shape))
    found: list[int] = []
    apart = round(rate_hz * _APART_S)
    for place in np.flatnonzero(score > least):
        if not found or place - found[-1] > apart:
            found.append(int(place))
        elif score[place] > score[found[-1]]:
            found[-1] = int(place)
    return found


class Tap:
    """Records a source of the sound server for as long as the block runs, and knows the time of every sample.

    A sample is taken to have been there when the earliest reading around it says so: readings come late, never early.
    """

    def __init__(self, env: Mapping[str, str], source: str) -> None:
        self._env, self._source = env, source
        self._pieces: list[bytes] = []
        self._counts: list[int] = []
        self._stamps_ns: list[int] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["parec", "-d", self._source, "--raw", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1",
             "--latency-msec=5"],
            stdout=subprocess.PIPE, env=dict(self._env),
        )  # fmt: skip
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        until = time.monotonic() + 10
        while not self._counts:
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self._source} cannot be recorded")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join(5)

    def _read(self) -> None:
        assert self._process.stdout is not None
        descriptor, total = self._process.stdout.fileno(), 0
        while piece := os.read(descriptor, 1 << 16):
            now_ns = time.monotonic_ns()
            total += len(piece)
            self._pieces.append(piece)
            self._counts.append(total // 2)
            self._stamps_ns.append(now_ns)

    def samples(self) -> Samples:
        """Return all that was recorded so far."""
        raw = b"".join(self._pieces)
        return np.frombuffer(raw[: len(raw) // 2 * 2], dtype="<i2")

    def time_ns(self, place: int) -> float:
        """Return the monotonic time at which a sample was there."""
        counts, stamps = self._readings()
        near = np.abs(counts - place) < _NEAR_S * RATE_HZ
        return float(np.min(stamps[near] - (counts[near] - place) * 1e9 / RATE_HZ))

    def place_at(self, now_ns: int) -> int:
        """Return the sample that was there at a time."""
        counts, stamps = self._readings()
        near = np.abs(stamps - now_ns) < _NEAR_S * 1e9
        return int(np.max(counts[near] - (stamps[near] - now_ns) * RATE_HZ / 1e9))

    def _readings(self) -> tuple[Waves, Waves]:
        size = len(self._stamps_ns)
        return np.array(self._counts[:size], float), np.array(self._stamps_ns, float)[:size]

    def first_loud_ns(self, from_ns: int, within_s: float) -> float | None:
        """Return when the first loud sample after a time was there."""
        loud, start = self._loud(from_ns, within_s)
        return self.time_ns(start + int(loud[0])) if len(loud) else None

    def last_loud_ns(self, from_ns: int, within_s: float) -> float | None:
        """Return when the last loud sample within a time was there; None when it is loud to the end of it."""
        loud, start = self._loud(from_ns, within_s)
        if not len(loud) or loud[-1] > (within_s - 0.2) * RATE_HZ:
            return None
        return self.time_ns(start + int(loud[-1]))

    def _loud(self, from_ns: int, within_s: float) -> tuple[npt.NDArray[np.int64], int]:
        start = max(0, self.place_at(from_ns))
        cut = self.samples()[start : start + round(within_s * RATE_HZ)]
        return np.flatnonzero(np.abs(cut.astype(np.int32)) > LOUD), start
