"""Somebody who listens to an audio process in a test, and tones to tell devices apart by."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from novadesk.errors import KnownError
from novadesk.models import BargeIn, InputTrouble
from tests.support.desk import Desk

WITHIN_S = 60.0
Floats = npt.NDArray[np.float64]


@dataclass
class Ear:
    """Fits `SoundListener` and keeps everything."""

    frames: list[bytes] = field(default_factory=list)
    played: list[int] = field(default_factory=list)
    opened: list[tuple[str, str, str]] = field(default_factory=list)
    lost: list[KnownError] = field(default_factory=list)
    inputs: list[InputTrouble] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_frame(self, pcm: bytes, level: float) -> None:
        self.frames.append(pcm)
        self.changed.set()

    def on_played(self, generation: int, samples: int, level: float) -> None:
        self.played.append(samples)
        self.changed.set()

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.opened.append((microphone, speaker, note))
        self.changed.set()

    def on_lost(self, error: KnownError) -> None:
        self.lost.append(error)
        self.changed.set()

    def on_barge_in(self, stage: BargeIn) -> None: ...

    def on_input(self, trouble: InputTrouble) -> None:
        self.inputs.append(trouble)
        self.changed.set()

    def hears_hz(self, hz: float) -> bool:
        """Return whether the newest frame has a tone."""
        return bool(self.frames) and has_hz(self.frames[-1], hz)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what is told."""
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    async def more_frames(self, count: int) -> None:
        """Wait for so many more frames."""
        wanted = len(self.frames) + count
        await self.until(lambda: len(self.frames) >= wanted)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.005)


def has_hz(frame: bytes, hz: float) -> bool:
    """Return whether a frame has a tone."""
    samples = np.frombuffer(frame, "<i2").astype(np.float64)
    return samples.std() > 500 and abs(dominant_hz(samples, 16_000) - hz) < 40


def tone(seconds: float, hz: float, rate_hz: int = 24_000) -> npt.NDArray[np.float32]:
    """Return a tone at a quarter of full scale."""
    return (0.25 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)).astype(np.float32)


def dominant_hz(samples: Floats, rate_hz: int) -> float:
    """Return the frequency that is strongest, as exactly as the length of the piece allows."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate_hz / len(samples))


def long_tone(seconds: int, hz: int) -> npt.NDArray[np.float32]:
    """Return a tone that lasts as long as a busy computer may take over what is done meanwhile."""
    return np.tile(tone(1.0, hz), seconds)


def capture_streams(desk: Desk) -> list[str]:
    """Return the numbers of the streams that programs listen with."""
    rows = [line.split("\t") for line in desk.run("pactl", "list", "short", "source-outputs").splitlines()]
    return [row[0] for row in rows if row[3] == "protocol-native.c"]
