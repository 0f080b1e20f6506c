"""The real audio process under a stand-in for the app: a window's thread that freezes, a core's thread with the sound.

    python -m tests.support.numbered_host FOLDER MICROPHONE SPEAKER ANSWERS quiet|freezing

Says "open" when the devices are. At the line "begin" it starts to play numbered answers and to freeze; at the end of
its input it closes the devices and writes what it has seen: `frames.raw` and `seen.json`.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from novadesk.app.corethread import CoreThread
from novadesk.audio.client import EngineSound
from novadesk.config import AudioSettings, EchoSetting
from novadesk.errors import KnownError
from novadesk.models import BargeIn, InputTrouble
from tests.support.numbered import RATE_HZ, Numbering

ENGINE = (
    sys.executable,
    "-c",
    "from tests.support.parec import hurry; hurry(); from novadesk.audio.engine import main; raise SystemExit(main())",
)
WATCH = (sys.executable, "-c", "from novadesk.audio.pulse import main; raise SystemExit(main())")
CYCLE_S = 10.0
ANSWER_SEED = 2
ANSWER_S = 7.0
ANSWER_NUMBERS = round(ANSWER_S * RATE_HZ)
_ANSWER_AT_S = 2.0
_PIECE_S = 0.2
_HASTE = 2.5  # a service sends its answer faster than it is spoken
_FROZEN_S = 2.0
_STARVED_S = 0.05


class Freeze(Enum):
    """What stands still for two seconds."""

    WINDOW = "window"  # its thread computes; the core must get on beside it
    LOOP = "loop"  # the core's loop, with all that hears from the audio process


# One in each cycle, and when: over the begin of an answer, or with two and a half seconds of it handed over in advance.
FREEZES = ((Freeze.WINDOW, 1.5), (Freeze.LOOP, 1.5), (Freeze.LOOP, 4.5))


@dataclass(slots=True)
class Seen:
    """What the listener was told, with the monotonic nanoseconds of it.

    Attributes:
        underflows: times that the sound server asked an audio process in vain, over all of them.
        starved: times that this process waited for a processor for more than 50 ms before it handed over a piece.
        engine: the counts of the last of them.
    """

    frame_ns: list[int] = field(default_factory=list)
    opened: list[tuple[int, str, str]] = field(default_factory=list)
    lost: list[tuple[int, str]] = field(default_factory=list)
    played: list[tuple[int, int]] = field(default_factory=list)
    frozen: list[tuple[int, str]] = field(default_factory=list)
    underflows: int = 0
    starved: int = 0
    respawns: int = 0
    capture_ms: tuple[float, float] = (0.0, 0.0)
    engine: dict[str, Any] = field(default_factory=dict)


class Ear:
    def __init__(self) -> None:
        self.seen = Seen()
        self.frames: list[bytes] = []
        self.underflows: Callable[[], int]

    def on_frame(self, pcm: bytes, level: float) -> None:
        self.seen.frame_ns.append(time.monotonic_ns())
        self.frames.append(pcm)

    def on_played(self, generation: int, samples: int, level: float) -> None:
        self.seen.played.append((time.monotonic_ns(), samples))

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.seen.opened.append((time.monotonic_ns(), microphone, speaker))

    def on_lost(self, error: KnownError) -> None:
        self.seen.lost.append((time.monotonic_ns(), error.reason.value))
        self.seen.underflows += self.underflows()

    def on_barge_in(self, stage: BargeIn) -> None:
        pass

    def on_input(self, trouble: InputTrouble) -> None:
        pass


class Host:
    """One app with its devices open."""

    def __init__(self, folder: Path, microphone: str, speaker: str, answers: int, *, freezing: bool) -> None:
        self._folder = folder
        self._answers = answers
        self._freezing = freezing
        self._ear = Ear()
        settings = AudioSettings(microphone=microphone, speaker=speaker, echo=EchoSetting.HEADSET)
        self._sound = EngineSound(ENGINE, settings, WATCH)
        self._ear.underflows = lambda: self._sound.statistics().engine.output_underflows
        self._core = CoreThread()
        self._numbering = Numbering(ANSWER_SEED)
        self._over = threading.Event()
        self._waited_s = 0.0

    def run(self) -> None:
        self._loop = self._core.start()
        self._core.submit(self._open).result()
        sys.stdout.write("open\n")
        sys.stdout.flush()
        if sys.stdin.readline() == "begin\n":
            threading.Thread(target=self._wait_for_end, daemon=True).start()
            begun = time.monotonic()
            answering = self._core.submit(lambda: self._answer(begun))
            self._live(begun)
            answering.cancel()
        self._core.submit(self._close).result()
        self._core.stop()
        (self._folder / "frames.raw").write_bytes(b"".join(self._ear.frames))
        (self._folder / "seen.json").write_text(json.dumps(asdict(self._ear.seen)))

    def _wait_for_end(self) -> None:
        sys.stdin.read()
        self._over.set()

    async def _open(self) -> None:
        self._sound.watch_barge_in(False)  # the numbers never fall silent: they would be taken for an interruption
        await self._sound.open(self._ear)

    async def _close(self) -> None:
        told, seen = self._sound.statistics(), self._ear.seen
        seen.engine = asdict(told.engine)
        seen.underflows += told.engine.output_underflows
        seen.respawns = told.respawns
        seen.capture_ms = (told.capture_ms_p50, told.capture_ms_p99)
        await self._sound.shutdown()

    async def _answer(self, begun: float) -> None:
        """Hand over an answer in each cycle, as a service would send it; their numbers go on from one to the next."""
        length = round(_PIECE_S * RATE_HZ)
        for cycle in range(self._answers):
            start = begun + cycle * CYCLE_S + _ANSWER_AT_S
            for piece in range(round(ANSWER_S / _PIECE_S)):
                await asyncio.sleep(max(0.0, start + piece * _PIECE_S / _HASTE - time.monotonic()))
                pcm = self._numbering.cut(cycle * ANSWER_NUMBERS + piece * length, length, RATE_HZ // 2).tobytes()
                self._sound.play(pcm, 0)
                self._look_for_hunger()

    def _look_for_hunger(self) -> None:
        before, self._waited_s = self._waited_s, _waited_s()
        self._ear.seen.starved += self._waited_s - before > _STARVED_S

    def _live(self, begun: float) -> None:
        """Be the window's thread until the end of the input."""
        for cycle in range(self._answers):
            freeze, at_s = FREEZES[cycle % len(FREEZES)]
            if self._over.wait(max(0.0, begun + cycle * CYCLE_S + at_s - time.monotonic())):
                return
            if self._freezing:
                self._ear.seen.frozen.append((time.monotonic_ns(), freeze.name))
                self._freeze(freeze)
        self._over.wait()

    def _freeze(self, freeze: Freeze) -> None:
        if freeze is Freeze.LOOP:
            self._loop.call_soon_threadsafe(time.sleep, _FROZEN_S)
            return
        until = time.monotonic() + _FROZEN_S
        while time.monotonic() < until:
            pass


def _waited_s() -> float:
    """Return how long the threads of this process had work to do and no processor: schedstat of proc(5)."""
    files = Path("/proc/self/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[1]) for file in files) / 1e9


def main(folder: str, microphone: str, speaker: str, answers: str, manner: str) -> int:
    Host(Path(folder), microphone, speaker, int(answers), freezing=manner == "freezing").run()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
