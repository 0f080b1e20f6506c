"""What a client takes of the processor in a conversation: it hears a room, answers, and is interrupted."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.voice_clients import Running
from benchmarks.voice_course import Plan, Theatre, in_the_room, wait_for_voice
from benchmarks.voice_server import LONG_S

SCENE = Plan(pulses=12, answers=2, interruptions=2)
"""About twelve seconds of listening, and twice as much of answers of some seconds."""

ROUNDS = 3
"""The least counts: other guests of the same host make the same work half as dear again, and never cheaper."""

_PAUSE_S = 1.0
_PLAYING_S, _STOP_S = 3.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Percent of one core.

    Attributes:
        awake: of each round, all processes together, while other work keeps every core awake.
        dozing: of one round, while the cores sleep between two pieces of sound, and pay for every waking.
        shares: of the round that took least, each process's.
    """

    awake: Sequence[float]
    dozing: float
    shares: Mapping[str, float] = field(default_factory=dict)


def take(
    client: AbstractContextManager[Running], theatre: Theatre, env: Mapping[str, str], folder: Path, scene: Plan
) -> Taken:
    """Start a client, let it go through the scene again and again, and return what it took.

    Raises:
        NotHad: it did not come to a conversation.
    """
    theatre.stage.begin()
    with client as running:
        wait_for_voice(running, theatre)
        with _kept_awake():
            rounds = [_shares(running, theatre, env, folder, scene) for _ in range(ROUNDS)]
        dozing = _shares(running, theatre, env, folder, scene)
    awake = [sum(shares.values()) for shares in rounds]
    return Taken(awake=awake, dozing=sum(dozing.values()), shares=rounds[awake.index(min(awake))])


def _shares(running: Running, theatre: Theatre, env: Mapping[str, str], folder: Path, scene: Plan) -> dict[str, float]:
    with in_the_room(env, folder, scene) as over_s:
        begun, before = time.monotonic(), running.cpu_s()
        time.sleep(over_s)
        _answer(theatre, scene)
        per_s = 100 / (time.monotonic() - begun)
        return {name: per_s * took for name, took in running.cpu_s(before).items()}


def _answer(theatre: Theatre, scene: Plan) -> None:
    for _ in range(scene.answers):
        theatre.do(theatre.stage.long_answer())
        time.sleep(LONG_S + _PAUSE_S)
    for _ in range(scene.interruptions):
        theatre.do(theatre.stage.interrupted_answer(_PLAYING_S))
        time.sleep(_STOP_S)


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
