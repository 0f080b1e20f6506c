"""What a client takes of the processor while it hears a room, answers, and is interrupted."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.voice_clients import Running
from benchmarks.voice_course import Plan, Theatre, in_the_room, perform, wait_for_voice
from benchmarks.voice_sound import Tap

SCENE = Plan(pulses=16, answers=6, interruptions=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Percent of one core.

    Attributes:
        awake: all processes together, while other work keeps every core awake.
        dozing: the same while the cores sleep between two pieces of sound, and pay for every waking.
        shares: of `awake`, each process's.
    """

    awake: float
    dozing: float
    shares: Mapping[str, float] = field(default_factory=dict)


def take(
    client: AbstractContextManager[Running], theatre: Theatre, env: Mapping[str, str], folder: Path, scene: Plan
) -> Taken:
    """Start a client, let it go through the scene twice, and return what it took.

    Raises:
        NotHad: it did not come to a conversation.
    """
    theatre.stage.begin()
    with client as running, Tap(env, "spk_a.monitor") as speaker:
        wait_for_voice(running, theatre)
        with _kept_awake():
            awake = _shares(running, theatre, speaker, env, folder, scene)
        dozing = _shares(running, theatre, speaker, env, folder, scene)
    return Taken(awake=sum(awake.values()), dozing=sum(dozing.values()), shares=awake)


def _shares(
    running: Running, theatre: Theatre, speaker: Tap, env: Mapping[str, str], folder: Path, scene: Plan
) -> dict[str, float]:
    with in_the_room(env, folder, scene) as over_s:
        begun, before = time.monotonic(), running.cpu_s()
        time.sleep(over_s)
        perform(theatre, speaker, scene)
        per_s = 100 / (time.monotonic() - begun)
        return {name: per_s * took for name, took in running.cpu_s(before).items()}


@contextlib.contextmanager
def _kept_awake() -> Iterator[None]:
    """Give every core work that stands back for all other work."""
    command = (sys.executable, "-c", "while True: pass")
    idlers = [subprocess.Popen(command, preexec_fn=_stand_back) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for idler in idlers:
            idler.kill()
            idler.wait()


def _stand_back() -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
