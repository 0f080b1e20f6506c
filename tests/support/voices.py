"""Speech for recognisers: synthetic voices of the machine (flite, festival), made once per run."""

import subprocess
import tempfile
import wave
from enum import Enum
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from novadesk.audio.resampler import convert

RATE_HZ = 16_000
_LEVEL = 0.1  # -20 dBFS


class Speaker(Enum):
    """Who speaks."""

    SLT = "slt"
    RMS = "rms"
    KAL16 = "kal16"
    AWB = "awb"
    FESTIVAL = "festival slt"


@cache
def utterance(speaker: Speaker, text: str) -> tuple[npt.NDArray[np.int16], int]:
    """Return a sentence as the voice speaks it, mono, and its samples per second."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        if speaker is Speaker.FESTIVAL:
            command = ["text2wave", "-eval", "(voice_cmu_us_slt_arctic_hts)", "-o", str(file), "-F", str(RATE_HZ)]
        else:
            command = ["flite", "-voice", speaker.value, "-t", text, "-o", str(file)]
        subprocess.run(command, input=text.encode(), check=True, timeout=60, stderr=subprocess.DEVNULL)
        with wave.open(str(file)) as sound:
            return np.frombuffer(sound.readframes(sound.getnframes()), "<i2"), sound.getframerate()


@cache
def speech(speaker: Speaker, text: str) -> bytes:
    """Return a sentence as s16le mono at 16 kHz, -20 dBFS, without silence around it."""
    whole, rate_hz = utterance(speaker, text)
    samples = whole.astype(np.float32) / np.float32(32_768)
    samples = convert(samples, rate_hz, RATE_HZ)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    samples = samples[loud[0] : loud[-1] + 1]
    samples = samples * np.float32(_LEVEL / np.sqrt(np.mean(samples * samples)))
    return np.rint(np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes()


def silence(length_ms: int) -> bytes:
    """Return digital silence at 16 kHz."""
    return bytes(2 * RATE_HZ * length_ms // 1_000)


def room_noise(length_ms: int, *, dbfs: float = -62.0, seed: int = 1) -> bytes:
    """Return white noise at 16 kHz."""
    random = np.random.default_rng(seed)
    return np.rint(random.normal(0, 32_767 * 10 ** (dbfs / 20), RATE_HZ * length_ms // 1_000)).astype("<i2").tobytes()
