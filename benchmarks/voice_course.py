"""What every client of the voice benchmark goes through, and what is found out about it from both ends."""

import asyncio
import contextlib
import json
import math
import subprocess
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.voice_clients import Running
from benchmarks.voice_server import ANSWER_S, LONG_S, Stage
from benchmarks.voice_sound import Tap, find_pulses, microphone_track
from novadesk.diagnostics.metrics import percentile
from novadesk.server.address import ServerAddress
from novadesk.server.runner import LocalServer, ServerOptions

CONNECT_S = 45.0
_SETTLE_S = 2.5
_PAUSE_S = 1.0
_PLAYING_S = 1.3  # an answer's sound before it is interrupted
_STOP_S = 1.6
_SOONEST_S, _LATEST_S = -0.02, 0.65
_HEARD_HZ = 16_000


class NotHad(Exception):
    """A client gave no figures; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often each thing is done."""

    pulses: int = 20
    answers: int = 12
    interruptions: int = 20


COURSE = Plan()


@dataclass(slots=True, kw_only=True)
class Found:
    """Milliseconds of each kind.

    Attributes:
        heard_ms: from the virtual microphone to the server, with the time that a frame takes to fill.
        spoken_ms: from the server to the speaker's monitor.
        stopped_ms: from the server's interruption to silence at the speaker's monitor.
        wire_ms: from the callback with a frame's last sample to the server, where it came at `frames_ns`.
        before_ms: from the virtual microphone to that callback, for the frames with the begin of a pulse.
        first_ms: from the server to the callback with the first sample; likewise `quiet_ms`, to the first silent one.
        counts: the audio process's last statistics.
    """

    heard_ms: list[float] = field(default_factory=list)
    spoken_ms: list[float] = field(default_factory=list)
    stopped_ms: list[float] = field(default_factory=list)
    asked: Plan = field(default_factory=Plan)
    wire_ms: list[float] = field(default_factory=list)
    frames_ns: list[int] = field(default_factory=list)
    before_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    quiet_ms: list[float] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)


def quantile(values_ms: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile, or no number."""
    return percentile(values_ms, percent) if values_ms else math.nan


class Theatre:
    """The local server in a thread of its own, with the stage as its partner."""

    def __init__(self, options: ServerOptions) -> None:
        self.stage = Stage()
        self._server = LocalServer(options, self.stage.partner)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.address: ServerAddress = self.do(self._server.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def do[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the server's loop to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CONNECT_S + 30)


def go_through(
    client: AbstractContextManager[Running], theatre: Theatre, env: Mapping[str, str], folder: Path, plan: Plan
) -> Found:
    """Start a client, let it hear, speak and be interrupted; return what was found.

    Raises:
        NotHad: it did not come to a conversation.
    """
    stage, found = theatre.stage, Found(asked=plan)
    stage.begin()
    with client as running:
        wait_for_voice(running, theatre)
        with Tap(env, "mic_a") as microphone, Tap(env, "spk_a.monitor") as speaker:
            with in_the_room(env, folder, plan) as over_s:
                time.sleep(over_s)
                answered, broken_off = perform(theatre, speaker, plan)
            time.sleep(0.3)
            found.heard_ms, arrivals_ns = heard_ms(microphone, stage)
            found.spoken_ms = [_ms(at, speaker.first_loud_ns(at, ANSWER_S + _PAUSE_S)) for at in answered]
            found.stopped_ms = [_ms(at, speaker.last_loud_ns(at, _STOP_S)) for at in broken_off]
        if running.probe is not None:
            _look_inside(found, running.probe, stage, answered, broken_off)
            wire = dict(zip(found.frames_ns, found.wire_ms, strict=True))
            found.before_ms = [
                late - wire[at] for late, at in zip(found.heard_ms, arrivals_ns, strict=True) if at in wire
            ]
    for values in (found.spoken_ms, found.stopped_ms, found.first_ms, found.quiet_ms):
        values[:] = [value for value in values if not math.isnan(value)]
    return found


def wait_for_voice(running: Running, theatre: Theatre) -> None:
    """Wait until a client's microphone is heard by the server, and has settled.

    Raises:
        NotHad: it did not come to a conversation.
    """
    if not theatre.do(theatre.stage.hears(CONNECT_S)):
        raise NotHad(f"no microphone frame reached the server in {CONNECT_S:.0f} s: {running.words()}")
    time.sleep(_SETTLE_S)


@contextlib.contextmanager
def in_the_room(env: Mapping[str, str], folder: Path, plan: Plan, *, seed: int = 7) -> Iterator[float]:
    """Let a plan's sounds, and the room's noise for as long as it takes, be heard; yield the sounds' seconds."""
    track = folder / "room.wav"
    over_s = microphone_track(
        track, plan.pulses, rest_s=(LONG_S + 2.0) * (plan.answers + plan.interruptions), seed=seed
    )
    room = subprocess.Popen(["paplay", "--device", "feed_a", str(track)], env=dict(env))
    try:
        yield over_s
    finally:
        room.terminate()
        room.wait()


def perform(theatre: Theatre, speaker: Tap, plan: Plan) -> tuple[list[int], list[int]]:
    """Give the answers and interruptions of a plan; return when each was handed to the wire, in monotonic ns."""
    stage = theatre.stage
    answered, broken_off = [], []
    for _ in range(plan.answers):
        answered.append(theatre.do(stage.answer()))
        time.sleep(ANSWER_S + _PAUSE_S)
    for _ in range(plan.interruptions):
        broken_off.append(theatre.do(stage.interrupted_answer(_PLAYING_S)))
        time.sleep(_STOP_S + 0.2)
        if speaker.last_loud_ns(broken_off[-1], _STOP_S) is None:
            time.sleep(LONG_S)  # it was not stopped: it plays to its end
    return answered, broken_off


def heard_ms(microphone: Tap, stage: Stage) -> tuple[list[float], list[int]]:
    """Return, for each pulse, milliseconds from the microphone to the receipt of the frame with its begin, and when."""
    sound, counts, stamps = stage.sound()
    arrivals = []
    for place in find_pulses(sound, _HEARD_HZ):
        frame = next(index for index, count in enumerate(counts) if count > place)
        arrivals.append(stamps[frame])
    taken: list[float] = []
    taken_ns: list[int] = []
    for place in find_pulses(microphone.samples(), 48_000):
        said_ns = microphone.time_ns(place)
        arrival = next((at for at in arrivals if _SOONEST_S < (at - said_ns) / 1e9 < _LATEST_S), None)
        if arrival is not None:
            taken.append((arrival - said_ns) / 1e6)
            taken_ns.append(arrival)
    return taken, taken_ns


def _ms(from_ns: int, to_ns: float | None) -> float:
    return math.nan if to_ns is None else (to_ns - from_ns) / 1e6


def _look_inside(found: Found, probe: Path, stage: Stage, answered: Sequence[int], broken_off: Sequence[int]) -> None:
    arrived = stage.checksums()
    sounds: list[int] = []
    quiets: list[int] = []
    for line in probe.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        match kind:
            case "frame":
                captured_ns, checksum = map(int, rest.split())
                if checksum in arrived:
                    found.wire_ms.append((arrived[checksum] - captured_ns) / 1e6)
                    found.frames_ns.append(arrived[checksum])
            case "sound":
                sounds.append(int(rest))
            case "quiet":
                quiets.append(int(rest))
            case "count":
                found.counts = json.loads(rest)
    found.first_ms = [_ms(at, _next(sounds, at, ANSWER_S)) for at in answered]
    found.quiet_ms = [_ms(at, _next(quiets, at, _STOP_S)) for at in broken_off]


def _next(moments_ns: Sequence[int], from_ns: int, within_s: float) -> int | None:
    return next((moment for moment in moments_ns if 0 <= moment - from_ns < within_s * 1e9), None)
