"""What every Sound does, be it a file, nothing, or real devices in a process of their own."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from novadesk.audio.client import EngineSound
from novadesk.audio.formats import write_wav
from novadesk.audio.nullio import FileSound, NullSound
from novadesk.config import AudioSettings
from novadesk.conversation.ports import Sound, SoundListener
from novadesk.errors import KnownError
from novadesk.models import BargeIn, InputTrouble

ENGINE = (sys.executable, "-c", "from novadesk.audio.engine import main; raise SystemExit(main())")
WITHIN_S = 60.0


@dataclass
class Ear:
    frames: list[bytes] = field(default_factory=list)
    played: list[tuple[int, int]] = field(default_factory=list)
    opened: list[tuple[str, str, str]] = field(default_factory=list)
    troubles: list[InputTrouble] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_frame(self, pcm: bytes, level: float) -> None:
        assert 0 <= level <= 1
        self.frames.append(pcm)
        self.changed.set()

    def on_played(self, generation: int, samples: int, level: float) -> None:
        assert 0 <= level <= 1
        self.played.append((generation, samples))
        self.changed.set()

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.opened.append((microphone, speaker, note))

    def on_lost(self, error: KnownError) -> None:
        raise AssertionError(error)

    def on_barge_in(self, stage: BargeIn) -> None:
        raise AssertionError(stage)

    def on_input(self, trouble: InputTrouble) -> None:
        self.troubles.append(trouble)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


def listener(ear: Ear) -> SoundListener:
    return ear


@pytest.fixture(scope="session", params=["null", "file", pytest.param("engine", marks=pytest.mark.rig)])
def kind(request: pytest.FixtureRequest) -> str:
    """Bring up the desktop before anything is counted, where devices are needed."""
    if request.param == "engine":
        request.getfixturevalue("desk")
    return str(request.param)


@pytest.fixture
async def sound(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sound]:
    made: Sound
    if kind == "engine":
        request.getfixturevalue("on_desk")
        made = EngineSound(ENGINE, AudioSettings())
    elif kind == "file":
        write_wav(tmp_path / "in.wav", 44_100, np.zeros(44_100, np.float32))
        made = FileSound(tmp_path / "in.wav", tmp_path / "out.wav", pace=4.0)
    else:
        made = NullSound(pace=4.0)
    yield made
    await made.close()


async def test_open_tells_its_devices_and_frames_follow(sound: Sound) -> None:
    ear = Ear()
    await sound.open(listener(ear))
    assert len(ear.opened) == 1
    assert ear.opened[0][0]
    assert ear.opened[0][2] == ""
    await ear.until(lambda: len(ear.frames) >= 5)
    assert {len(frame) for frame in ear.frames} == {1_024}


async def test_after_close_nothing_more_is_told(sound: Sound) -> None:
    ear = Ear()
    await sound.open(ear)
    sound.play(bytes(48_000), 0)
    await ear.until(lambda: bool(ear.frames))
    await sound.close()
    frames, played = len(ear.frames), len(ear.played)
    sound.play(bytes(48_000), 0)
    sound.flush(1)
    await asyncio.sleep(0.1)
    assert (len(ear.frames), len(ear.played)) == (frames, played)


async def test_close_may_come_at_any_time(sound: Sound) -> None:
    await sound.close()
    await sound.open(Ear())
    await sound.close()
    await sound.close()


async def test_it_can_be_opened_again_and_the_generation_is_kept(sound: Sound) -> None:
    first, second = Ear(), Ear()
    await sound.open(first)
    sound.flush(4)
    await sound.close()
    await sound.open(second)
    sound.play(bytes(2 * 2_400), 3)
    sound.play(bytes(2 * 4_800), 4)
    await second.until(lambda: (4, 4_800) in second.played)
    assert {generation for generation, _ in second.played} == {4}


async def test_the_count_of_played_samples_ends_at_exactly_what_was_given(sound: Sound) -> None:
    ear = Ear()
    await sound.open(ear)
    for count in (1_000, 1, 7_777, 480):
        sound.play(bytes(2 * count), 0)
    await ear.until(lambda: bool(ear.played) and ear.played[-1][1] >= 9_258)
    assert ear.played == sorted(ear.played)
    assert ear.played[-1] == (0, 9_258)


async def test_a_flush_ends_the_old_generation_and_its_sound_is_dropped(sound: Sound) -> None:
    ear = Ear()
    await sound.open(ear)
    sound.play(bytes(2 * 240_000), 0)
    await ear.until(lambda: bool(ear.played) and ear.played[-1][1] > 4_000)
    sound.flush(1)
    sound.play(bytes(2 * 240_000), 0)
    sound.play(bytes(2 * 3_000), 1)
    await ear.until(lambda: (1, 3_000) in ear.played)
    assert max(samples for generation, samples in ear.played if generation == 0) < 100_000


async def test_a_cancelled_open_leaves_nothing_running(sound: Sound) -> None:
    opening: Awaitable[None] = asyncio.ensure_future(sound.open(Ear()))
    await asyncio.sleep(0)
    opening.cancel()  # type: ignore[attr-defined]
    await asyncio.gather(opening, return_exceptions=True)
    await sound.close()
    ear = Ear()
    await sound.open(ear)
    await ear.until(lambda: len(ear.frames) >= 2)
