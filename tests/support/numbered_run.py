"""Three apps side by side for some minutes, each with the real audio process, numbered sounds in and out, and controls.

Two have a desktop in common, one is left in peace and one freezes; the third loses its devices again and again.
"""

import contextlib
import functools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

import numpy as np

from tests.support.desk import Desk
from tests.support.numbered import PERIOD, RATE_HZ, Numbering, Stretch
from tests.support.numbered_host import ANSWER_SEED, CYCLE_S, Seen
from tests.support.parec import Player, Recorder, Samples, hurry
from tests.support.sound import Microphone

SPEECH_SEED = 1
CONTROL_SEED = 3
LISTEN_HZ = 16_000
FRAME = 512 * RATE_HZ // LISTEN_HZ
OUTAGE_EVERY_S = 20.0
_FIRST_OUTAGE_S = 12.0
_SUSPENDED_S = 2.0
_UNPLUGGED_S = 3.0
_AFTER_S = 4.0  # gaps that are excused move the end of the last answer
_WITHIN_S = 60.0


class Variant(Enum):
    """What happens to an app."""

    QUIET = "quiet"
    FROZEN = "frozen"
    OUTAGES = "outages"


class Trouble(Enum):
    """What happens to the devices of the third."""

    SUSPEND = "suspend"
    RESTART = "restart"
    UNPLUG = "unplug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From before the command that took the devices away until after the one that brought them back (monotonic)."""

    trouble: Trouble
    down_ns: int
    up_ns: int


@dataclass(slots=True, kw_only=True)
class Ran:
    """What was seen and heard of one app.

    Attributes:
        numbers: how much was spoken into the microphone; `answers`, how many there were.
        heard: the microphone as the app had it, and `controls` as the recorders did.
        answered: the speaker's monitor, and `beside` what the control player played there; one for each recorder.
    """

    variant: Variant
    numbers: int
    answers: int
    seen: Seen
    heard: list[Stretch]
    controls: list[list[Stretch]]
    answered: list[list[Stretch]]
    beside: list[list[Stretch]]
    outages: list[Outage] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounds:
    """The files that are played, as long as the run and a little more."""

    speech: Path
    control: Path
    frames: int
    answers: int

    @classmethod
    def write(cls, folder: Path, duration_s: float) -> "Sounds":
        """Write them: the speech, and the control for the speaker on its left channel only."""
        frames = round(duration_s * RATE_HZ)
        made = cls(
            speech=folder / "speech.raw",
            control=folder / "control.raw",
            frames=frames,
            answers=int(duration_s // CYCLE_S),
        )
        _numbering(SPEECH_SEED).cut(0, frames).astype("<i2").tofile(made.speech)
        stereo = np.zeros((frames, 2), "<i2")
        stereo[:, 0] = _numbering(CONTROL_SEED).cut(0, frames)
        stereo.tofile(made.control)
        return made


class Station:
    """One app, and what records and plays beside it."""

    def __init__(self, variant: Variant, desk: Desk, letter: str, folder: Path, sounds: Sounds) -> None:
        self.variant = variant
        self.desk = desk
        self.outages: list[Outage] = []
        self._letter = letter
        self._sounds = sounds
        self._folder = folder / variant.value
        self._folder.mkdir()
        self._tools = contextlib.ExitStack()
        self._microphones: list[tuple[Recorder, int]] = []
        self._monitors: list[Recorder] = []
        manner = "freezing" if variant is Variant.FROZEN else "quiet"
        names = (f"ALSA: Virtual {kind} {letter.upper()}" for kind in ("Mic", "Speaker"))
        with (self._folder / "host.log").open("wb") as log:
            self._host = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "tests.support.numbered_host",
                 str(self._folder), *names, str(sounds.answers), manner],
                env=desk.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip

    def begin(self) -> None:
        """Wait for the devices, then record, play and speak."""
        assert self._host.stdout is not None
        assert self._host.stdin is not None
        if self._host.stdout.readline() != b"open\n":
            raise AssertionError(f"{self.variant}: {(self._folder / 'host.log').read_text()[-2000:]}")
        self._begun = time.monotonic()
        self.play_and_record()
        self._host.stdin.write(b"begin\n")
        self._host.stdin.flush()

    def play_and_record(self) -> None:
        """Start recorders, then players, at the place in the files that the time has come to."""
        env, count = self.desk.env, len(self._monitors)
        # The microphone itself goes with each outage; what feeds it goes with the sound server only.
        source = f"feed_{self._letter}.monitor" if self.variant is Variant.OUTAGES else f"mic_{self._letter}"
        microphone = Recorder(env, source, self._folder / f"microphone{count}.raw")
        monitor = Recorder(env, f"spk_{self._letter}.monitor", self._folder / f"monitor{count}.raw", channels=2)
        for recorder in (microphone, monitor):
            self._tools.enter_context(recorder)
        _until(lambda: microphone.begun and monitor.begun, "recorders")
        frame = round((time.monotonic() - self._begun) * RATE_HZ) if count else 0
        for sink, file, channels in (("feed", self._sounds.speech, 1), ("spk", self._sounds.control, 2)):
            self._tools.enter_context(Player(env, f"{sink}_{self._letter}", file, channels, frame))
        self._microphones.append((microphone, frame))
        self._monitors.append(monitor)

    def leave(self) -> None:
        """Let the app close its devices."""
        assert self._host.stdin is not None
        self._host.stdin.close()

    def end(self) -> None:
        """Wait until the app has left, and end everything else."""
        self._host.wait(_WITHIN_S)
        self._tools.close()
        assert self._host.stdout is not None
        self._host.stdout.close()
        assert self._host.returncode == 0, (self._folder / "host.log").read_text()[-2000:]

    def kill(self) -> None:
        """Leave no process, whatever went wrong."""
        self._tools.close()
        self._host.kill()
        self._host.wait()
        for pipe in (self._host.stdin, self._host.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def result(self) -> Ran:
        """Read the numbers from everything that was recorded."""
        speech, answer, control = (_numbering(seed) for seed in (SPEECH_SEED, ANSWER_SEED, CONTROL_SEED))
        monitors = [monitor.samples() for monitor in self._monitors]
        frames = np.fromfile(self._folder / "frames.raw", "<i2")
        seen = Seen(**json.loads((self._folder / "seen.json").read_text()))
        return Ran(
            variant=self.variant,
            numbers=self._sounds.frames,
            answers=self._sounds.answers,
            seen=seen,
            heard=by_clock(speech.read(frames, LISTEN_HZ), seen.frame_ns),
            controls=[_moved(speech.read(one.samples()[:, 0]), near) for one, near in self._microphones],
            answered=[answer.read(samples[:, 1]) for samples in monitors],
            beside=[control.read(_difference(samples)) for samples in monitors],
            outages=self.outages,
        )


def run(duration_s: float, folder: Path, troubles: Sequence[Trouble] = tuple(Trouble)) -> dict[Variant, Ran]:
    """Run the three side by side; the devices of the third have one trouble after the other, every 20 s."""
    sounds = Sounds.write(folder, duration_s)
    with Desk() as steady, Desk() as broken, contextlib.ExitStack() as stack:
        for desk in (steady, broken):
            hurry(desk.daemons.pids()["pulse"])
        places = ((Variant.QUIET, steady, "a"), (Variant.FROZEN, steady, "b"), (Variant.OUTAGES, broken, "a"))
        stations = []
        for variant, desk, letter in places:
            stations.append(Station(variant, desk, letter, folder, sounds))
            stack.callback(stations[-1].kill)
        for station in stations:
            station.begin()
        begun = time.monotonic()
        for trouble, at_s in _course(duration_s, troubles):
            time.sleep(max(0.0, begun + at_s - time.monotonic()))
            _OUTAGES[trouble](stations[-1], stack)
        time.sleep(max(0.0, begun + duration_s + _AFTER_S - time.monotonic()))
        for station in stations:
            station.leave()
        for station in stations:
            station.end()
    results = {station.variant: station.result() for station in stations}
    shutil.rmtree(folder)
    return results


def by_clock(stretches: Sequence[Stretch], frame_ns: Sequence[int]) -> list[Stretch]:
    """Count the periods of what the app heard by when it came: nothing was recorded in the outages."""
    counted: list[Stretch] = []
    for one in stretches:
        at_ns = frame_ns[min(len(frame_ns) - 1, one.received // FRAME)]
        begin = counted[0] if counted else one
        since_ns = at_ns - frame_ns[min(len(frame_ns) - 1, begin.received // FRAME)]
        periods = round((begin.source + since_ns * RATE_HZ / 1e9 - one.source) / PERIOD)
        counted.append(replace(one, source=one.source + periods * PERIOD))
    return counted


def _course(duration_s: float, troubles: Sequence[Trouble]) -> Iterator[tuple[Trouble, float]]:
    at_s, count = _FIRST_OUTAGE_S, 0
    while at_s + OUTAGE_EVERY_S / 2 <= duration_s:
        yield troubles[count % len(troubles)], at_s
        at_s += OUTAGE_EVERY_S
        count += 1


def _suspend(station: Station, _stack: contextlib.ExitStack) -> None:
    desk = station.desk
    with _outage(station, Trouble.SUSPEND):
        desk.run("pactl", "suspend-source", "mic_a", "1")
        desk.run("pactl", "suspend-sink", "spk_a", "1")
        time.sleep(_SUSPENDED_S)
        desk.run("pactl", "suspend-source", "mic_a", "0")
        desk.run("pactl", "suspend-sink", "spk_a", "0")


def _unplug(station: Station, _stack: contextlib.ExitStack) -> None:
    with _outage(station, Trouble.UNPLUG):
        station.desk.unplug(Microphone.A)
        time.sleep(_UNPLUGGED_S)
        station.desk.plug(Microphone.A)


def _restart(station: Station, stack: contextlib.ExitStack) -> None:
    desk = station.desk
    socket = desk.folder / "run" / "pulse.sock"
    with _outage(station, Trouble.RESTART):
        desk.run("pactl", "exit")
        _until(lambda: not socket.exists(), "the sound server to leave")
        command = (
            "setpriv --pdeathsig KILL -- pulseaudio -n --daemonize=no --use-pid-file=no --exit-idle-time=-1"
            " --high-priority=yes --realtime=no -F"
        )
        again = subprocess.Popen(
            [*command.split(), str(desk.folder / "sound.pa")], env=desk.env, stderr=subprocess.DEVNULL
        )
        stack.callback(again.wait)
        stack.callback(again.terminate)
        _until(desk.sound.answers, "the sound server")
        hurry(again.pid)
    station.play_and_record()


_OUTAGES = {Trouble.SUSPEND: _suspend, Trouble.RESTART: _restart, Trouble.UNPLUG: _unplug}


@contextlib.contextmanager
def _outage(station: Station, trouble: Trouble) -> Iterator[None]:
    down_ns = time.monotonic_ns()
    yield
    station.outages.append(Outage(trouble=trouble, down_ns=down_ns, up_ns=time.monotonic_ns()))


def _until(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _WITHIN_S
    while not holds():
        if time.monotonic() > until:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.01)


@functools.cache
def _numbering(seed: int) -> Numbering:
    return Numbering(seed)


def _difference(samples: Samples) -> Samples:
    return (samples[:, 0].astype(np.int32) - samples[:, 1]).astype(np.int16)


def _moved(stretches: list[Stretch], near: int) -> list[Stretch]:
    """Count the periods of a recording that began `near` this number."""
    if not stretches:
        return []
    by = PERIOD * round((near - stretches[0].source) / PERIOD)
    return [Stretch(received=one.received, source=one.source + by, length=one.length) for one in stretches]
