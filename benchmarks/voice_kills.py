"""The audio process killed again and again in the middle of an answer: how long until NovaDesk hears, and is heard."""

import math
import os
import signal
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.voice_clients import Running
from benchmarks.voice_course import Plan, Theatre, in_the_room, wait_for_voice
from benchmarks.voice_server import LONG_S
from benchmarks.voice_sound import LOUD, RATE_HZ, Tap
from tests.support.program import children

_PLAYING_S = 1.5  # an answer's sound before the kill
_SILENT_S = 0.03  # at the monitor: longer than any gap within an answer
_WITHIN_S = 4.0


@dataclass(slots=True, kw_only=True)
class Killed:
    """Milliseconds from each kill, no number where it did not come in time.

    Attributes:
        heard_ms: to the receipt of the new process's first microphone frame by the server.
        sounding_ms: to the sound of the answer at the speaker's monitor, behind the silence that the kill makes.
    """

    heard_ms: list[float] = field(default_factory=list)
    sounding_ms: list[float] = field(default_factory=list)


def kill_again_and_again(
    client: AbstractContextManager[Running], theatre: Theatre, env: Mapping[str, str], folder: Path, times: int
) -> Killed:
    """Start a client, kill its audio process in so many answers, and return what came of it.

    Raises:
        NotHad: it did not come to a conversation.
    """
    stage, killed_ns = theatre.stage, []
    stage.begin()
    with client as running:
        wait_for_voice(running, theatre)
        noise = Plan(pulses=1, answers=0, interruptions=times)  # no two frames of it are alike
        with Tap(env, "spk_a.monitor") as speaker, in_the_room(env, folder, noise, seed=8):
            for _ in range(times):
                theatre.do(stage.long_answer())
                time.sleep(_PLAYING_S)
                killed_ns.append(time.monotonic_ns())
                os.kill(_engine(running.pid), signal.SIGKILL)
                time.sleep(LONG_S)
        assert running.probe is not None
        heard_ns = _heard_ns(running.probe, stage.checksums())
        return Killed(
            heard_ms=[_first_ms(heard_ns, at) for at in killed_ns],
            sounding_ms=[_sounding_ms(speaker, at) for at in killed_ns],
        )


def _engine(pid: int) -> int:
    """Return the audio process of a window."""
    for child in children(pid):
        if b"engine" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
            return child
        if found := _engine(child):
            return found
    return 0


def _heard_ns(probe: Path, arrived: Mapping[int, int]) -> list[tuple[int, int]]:
    """Return when each frame was captured, and when it came to the server."""
    frames = (line.split()[1:] for line in probe.read_text().splitlines() if line.startswith("frame "))
    return [(int(captured), arrived[int(checksum)]) for captured, checksum in frames if int(checksum) in arrived]


def _first_ms(heard_ns: list[tuple[int, int]], from_ns: int) -> float:
    later = [arrived for captured, arrived in heard_ns if 0 < captured - from_ns < _WITHIN_S * 1e9]
    return (min(later) - from_ns) / 1e6 if later else math.nan


def _sounding_ms(speaker: Tap, from_ns: int) -> float:
    start = max(0, speaker.place_at(from_ns))
    loud = np.flatnonzero(np.abs(speaker.samples()[start : start + round(_WITHIN_S * RATE_HZ)].astype(np.int32)) > LOUD)
    gaps = np.flatnonzero(np.diff(loud) > _SILENT_S * RATE_HZ)
    return (speaker.time_ns(start + int(loud[gaps[0] + 1])) - from_ns) / 1e6 if len(gaps) else math.nan
