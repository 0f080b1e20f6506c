"""Recorders and players of the sound server's own, to control what a program records and plays beside them."""

import contextlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

RATE_HZ = 48_000
SAMPLE_BYTES = 2
_END_S = 5.0
_URGENCY = 5  # PulseAudio's own, where it may
Samples = npt.NDArray[np.int16]


def hurry(pid: int = 0) -> None:
    """Let a process (0: this one) go before everything that computes at the same time, where that is allowed.

    How sound does on a computer without time to spare is another question than who loses it. What it starts from now
    on is as urgent.
    """
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid or 'self'}/task"):
            os.sched_setscheduler(int(task), os.SCHED_RR, os.sched_param(_URGENCY))


class _Tool:
    def __init__(self, command: list[str], env: Mapping[str, str], **files: object) -> None:
        guarded = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        self._process: subprocess.Popen[bytes] = subprocess.Popen(guarded, env=dict(env), **files)  # type: ignore[call-overload]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ended(self) -> bool:
        """Return whether the tool has left, all played or the sound server gone."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """End it now."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Recorder(_Tool):
    """`parec` on a source, 16 bits at 48 kHz."""

    def __init__(self, env: Mapping[str, str], source: str, file: Path, channels: int = 1) -> None:
        self._file = file
        self._channels = channels
        with file.open("wb") as sink:
            super().__init__(
                ["parec", "-d", source, "--raw", "--format=s16le", f"--rate={RATE_HZ}", f"--channels={channels}",
                 "--latency-msec=20"],
                env, stdout=sink, stderr=subprocess.DEVNULL,
            )  # fmt: skip

    @property
    def begun(self) -> bool:
        """Return whether something has been recorded."""
        return self._file.stat().st_size > 0

    def samples(self) -> Samples:
        """Return what was recorded so far: (frames, channels)."""
        raw = np.fromfile(self._file, "<i2")
        return raw[: len(raw) // self._channels * self._channels].reshape(-1, self._channels)


class Player(_Tool):
    """`pacat` into a sink, 16 bits at 48 kHz, from a frame of the file on to its end."""

    def __init__(self, env: Mapping[str, str], sink: str, file: Path, channels: int = 1, frame: int = 0) -> None:
        with file.open("rb") as sound:
            sound.seek(frame * channels * SAMPLE_BYTES)
            super().__init__(
                ["pacat", "--playback", "-d", sink, "--raw", "--format=s16le", f"--rate={RATE_HZ}",
                 f"--channels={channels}"],
                env, stdin=sound, stderr=subprocess.DEVNULL,
            )  # fmt: skip
