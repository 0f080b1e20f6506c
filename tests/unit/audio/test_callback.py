"""What a PortAudio callback does beside moving sound: nothing. No lock, log, input or output; nothing that grows."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from novadesk.audio import duplex as opening
from novadesk.audio.duplex import Duplex, open_duplex
from tests.unit.audio.test_duplex import FakePortAudio, Status, Stream, device, raw

FRAMES = 480
WARM_UP, WATCHED = 300, 1_200
GROWS_BYTES = 2_000
"""Integers that count up are made anew, and may be a little larger than those before."""

OURS = {"duplex.py", "playout.py", "ringbuffer.py"}
HARMLESS = {"getattr", "frombuffer", "reshape", "dot", "clip", "len", "min", "max", "monotonic_ns"}
"""Functions of C that neither wait nor keep anything."""


@pytest.fixture(params=["Core Audio", "ALSA"], ids=["one stream", "a stream each"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Duplex, Callable[[], None]]:
    """Return open streams, and what calls them back once."""
    world = FakePortAudio()
    for kind in ("Stream", "InputStream", "OutputStream"):
        monkeypatch.setattr(
            opening.sounddevice, f"Raw{kind}", lambda kind=kind, **options: Stream(world, kind, options)
        )  # type: ignore[attr-defined]
    duplex = open_duplex(device(request.param), device(request.param), 0)
    captured, played = raw(np.full((FRAMES, 1), 0.25, np.float32)), raw(np.zeros((FRAMES, 1), np.float32))
    status = Status(input_overflow=True, output_underflow=True)
    callbacks = [stream.options["callback"] for stream in world.streams]

    def call_back() -> None:
        if duplex.one_clock:
            callbacks[0](captured, played, FRAMES, None, status)
        else:
            callbacks[0](captured, FRAMES, None, status)
            callbacks[1](played, FRAMES, None, status)

    return duplex, call_back


def live(duplex: Duplex, call_back: Callable[[], None], times: int) -> None:
    """Let everything happen to what is played, again and again, and fetch nothing of the microphone."""
    sound, cue = np.full((4 * FRAMES, 1), 0.5, np.float32), np.full((FRAMES, 1), 0.1, np.float32)
    playout = duplex.playout
    for time in range(times):
        match time % 30:
            case 0:
                playout.ring.write(sound)
            case 8:
                playout.ring.write(sound)
                playout.clips.write(cue)
            case 10:
                playout.duck(True)
            case 11:
                playout.pause()
            case 14:
                playout.play_on()
                playout.duck(False)
            case 16:
                playout.ring.write(sound)
            case 18:
                playout.flush(playout.generation + 1)
            case 22:
                playout.set_volume(0.5 if time % 60 < 30 else 1.0)
        call_back()


def test_low_latency_and_short_blocks_are_asked_for(made: tuple[Duplex, Callable[[], None]]) -> None:
    asked = [stream.options for stream in made[0].streams]
    assert {one["latency"] for one in asked} == {"low"}
    blocks_s = [one["blocksize"] / one["samplerate"] for one in asked]
    assert blocks_s == ([0.01] if made[0].one_clock else [0.016, 0.01])


def test_a_callback_calls_nothing_that_could_wait(made: tuple[Duplex, Callable[[], None]]) -> None:
    duplex, call_back = made
    files: set[str] = set()
    functions: set[str] = set()

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            files.add(Path(frame.f_code.co_filename).as_posix())
        elif event == "c_call":
            functions.add(argument.__name__)

    def watched() -> None:
        sys.setprofile(watch)
        call_back()
        sys.setprofile(None)

    live(duplex, call_back, WARM_UP)  # a library may import parts of its own at their first use
    live(duplex, watched, WARM_UP)
    ours = {Path(file).name for file in files if "/numpy/" not in file and not Path(file).name.startswith("test_")}
    assert ours == OURS
    assert functions - {"setprofile"} <= HARMLESS
    assert duplex.playout.begins > 10, "something was played"
    assert duplex.capture.overflows == duplex.output_underflows() == 2 * WARM_UP


def test_callbacks_keep_no_memory(made: tuple[Duplex, Callable[[], None]]) -> None:
    duplex, call_back = made
    live(duplex, call_back, WARM_UP)
    tracemalloc.start()
    try:
        live(duplex, call_back, WARM_UP)
        before, _ = tracemalloc.get_traced_memory()
        live(duplex, call_back, WATCHED)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < GROWS_BYTES


def test_in_the_engine_the_garbage_collector_leaves_alone_what_was_there_at_the_start() -> None:
    words = (
        "import gc; from novadesk.audio.engine import main; main(); raise SystemExit(gc.get_freeze_count() < 10_000)"
    )
    engine = subprocess.run([sys.executable, "-c", words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert engine.returncode == 0
