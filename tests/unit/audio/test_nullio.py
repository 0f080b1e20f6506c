"""The file for a microphone and the file for a speaker, under a pretended clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from novadesk.audio.formats import read_wav, to_pcm, write_wav
from novadesk.audio.nullio import TICK_S, FileSound, NullSound
from novadesk.errors import BugError, KnownError, Reason
from novadesk.models import BargeIn, InputTrouble


@dataclass
class Listener:
    frames: list[bytes] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    played: list[tuple[int, int]] = field(default_factory=list)
    opened: list[tuple[str, str, str]] = field(default_factory=list)

    def on_frame(self, pcm: bytes, level: float) -> None:
        self.frames.append(pcm)
        self.levels.append(level)

    def on_played(self, generation: int, samples: int, level: float) -> None:
        self.played.append((generation, samples))

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.opened.append((microphone, speaker, note))

    def on_lost(self, error: KnownError) -> None:
        raise AssertionError(error)

    def on_barge_in(self, stage: BargeIn) -> None:
        raise AssertionError(stage)

    def on_input(self, trouble: InputTrouble) -> None:
        raise AssertionError(trouble)


class World:
    """Pretended time: `pass_by` lets exactly the sleeps end whose time has come."""

    def __init__(self) -> None:
        self.time_s = 100.0
        self._wake: asyncio.Event = asyncio.Event()
        self._until = 0.0

    def now(self) -> float:
        return self.time_s

    async def sleep(self, seconds: float) -> None:
        until = self.time_s + seconds
        while self.time_s < until - 1e-9:
            self._until = until
            self._wake.clear()
            await self._wake.wait()

    async def pass_by(self, seconds: float) -> None:
        end = self.time_s + seconds
        while True:
            for _ in range(5):
                await asyncio.sleep(0)
            if self._until > end + 1e-9 or self._until <= self.time_s:
                break
            self.time_s = self._until
            self._wake.set()
        self.time_s = end

    async def jump(self, seconds: float) -> None:
        """Let time go by in one step, as if the loop had been held up."""
        self.time_s += seconds
        self._wake.set()
        for _ in range(5):
            await asyncio.sleep(0)


@asynccontextmanager
async def opened(read: Path | None, write: Path | None = None, pace: float = 1.0) -> AsyncIterator[
    tuple[FileSound, Listener, World]
]:  # fmt: skip
    world, listener = World(), Listener()
    sound = FileSound(read, write, pace=pace, sleep=world.sleep, now=world.now)
    await sound.open(listener)
    try:
        yield sound, listener, world
    finally:
        await sound.shutdown()


def ramp(file: Path, rate_hz: int, seconds: float) -> Path:
    write_wav(file, rate_hz, np.linspace(-0.5, 0.5, round(rate_hz * seconds), dtype=np.float32))
    return file


async def test_the_file_comes_in_real_time_and_then_silence(tmp_path: Path) -> None:
    file = ramp(tmp_path / "in.wav", 16_000, 0.1)
    async with opened(file) as (sound, listener, world):
        await world.pass_by(TICK_S * 3)
        assert len(listener.frames) == 3
        assert not sound.finished_feeding.is_set()
        await world.pass_by(TICK_S * 3)
        assert sound.finished_feeding.is_set()
        data = b"".join(listener.frames)
        assert data[: 2 * 1_600] == to_pcm(read_wav(file).samples)
        assert not any(data[2 * 1_600 :])
        assert len(data) == 6 * 1_024
        assert listener.levels[0] > 0
        assert listener.levels[-1] == 0
        assert listener.opened == [("in.wav", "file", "")]


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
async def test_a_file_of_another_rate_is_converted(tmp_path: Path, rate_hz: int) -> None:
    async with opened(ramp(tmp_path / "in.wav", rate_hz, 0.32)) as (sound, listener, world):
        await world.pass_by(TICK_S * 10)
        assert sound.finished_feeding.is_set()
        heard = np.frombuffer(b"".join(listener.frames), "<i2") / 32_768
        np.testing.assert_allclose(heard[200:4_900], np.linspace(-0.5, 0.5, 5_120)[200:4_900], atol=0.002)


async def test_what_is_played_is_recorded_from_its_first_sample_with_the_pauses_between(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    async with opened(None, out) as (sound, listener, world):
        await world.pass_by(TICK_S * 5)
        sound.play(b"\1\0" * 1_000, 0)
        await world.pass_by(TICK_S * 5)
        sound.play(b"\2\0" * 768, 0)
        await world.pass_by(TICK_S * 20)
        assert max(listener.played) == (0, 1_768)
    recording = read_wav(out)
    assert recording.rate_hz == 24_000
    values = np.rint(recording.samples * 32_768)
    assert values.tolist() == [1.0] * 1_000 + [0.0] * (5 * 768 - 1_000) + [2.0] * 768


async def test_the_speaker_plays_no_faster_than_real_time() -> None:
    async with opened(None) as (sound, listener, world):
        sound.play(bytes(2 * 24_000), 0)
        await world.pass_by(TICK_S * 10)
        assert listener.played[-1] == (0, 10 * 768)


async def test_a_flush_silences_and_old_sound_is_dropped(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    async with opened(None, out) as (sound, listener, world):
        sound.play(b"\1\0" * 24_000, 0)
        await world.pass_by(TICK_S * 2)
        sound.flush(1)
        sound.play(b"\1\0" * 24_000, 0)
        sound.play(b"\3\0" * 768, 1)
        await world.pass_by(TICK_S * 4)
        assert listener.played[:3] == [(0, 768), (0, 1_536), (1, 768)]
    values = np.rint(read_wav(out).samples * 32_768)
    assert values.tolist() == [1.0] * 1_536 + [3.0] * 768


async def test_a_faster_pace_is_the_same_in_less_time(tmp_path: Path) -> None:
    async with opened(ramp(tmp_path / "in.wav", 16_000, 1.0), pace=10.0) as (sound, listener, world):
        await world.pass_by(0.11)
        assert sound.finished_feeding.is_set()
        assert len(listener.frames) == 34


async def test_a_loop_that_was_held_up_catches_up_and_loses_nothing(tmp_path: Path) -> None:
    async with opened(ramp(tmp_path / "in.wav", 16_000, 1.0)) as (_, listener, world):
        await world.pass_by(TICK_S)
        await world.jump(1.0)
        assert len(listener.frames) == 32


async def test_the_hour_that_the_computer_slept_is_not_caught_up(tmp_path: Path) -> None:
    async with opened(ramp(tmp_path / "in.wav", 16_000, 1.0)) as (_, listener, world):
        await world.pass_by(TICK_S)
        await world.jump(3_600.0)
        await world.pass_by(10 * TICK_S)
        assert 10 <= len(listener.frames) <= 13


async def test_after_a_pause_input_and_recording_go_on_where_they_stopped(tmp_path: Path) -> None:
    file, out = ramp(tmp_path / "in.wav", 16_000, 0.128), tmp_path / "out.wav"
    async with opened(file, out) as (sound, listener, world):
        sound.play(b"\1\0" * 768, 0)
        await world.pass_by(TICK_S * 2)
        await sound.close()
        assert len(read_wav(out).samples) == 768
        sound.play(b"\7\0" * 768, 0)
        await sound.open(listener)
        sound.play(b"\2\0" * 768, 0)
        await world.pass_by(TICK_S * 2)
        assert b"".join(listener.frames) == to_pcm(read_wav(file).samples)
        assert listener.played[-1] == (0, 1_536)
    assert set(np.rint(read_wav(out).samples * 32_768).tolist()) <= {0.0, 1.0, 2.0}


@pytest.mark.parametrize(("name", "reason"), [("none.wav", Reason.FILE_MISSING), ("bad.wav", Reason.BAD_WAV)])
async def test_a_bad_input_is_a_known_error_and_nothing_runs(tmp_path: Path, name: str, reason: Reason) -> None:
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    sound = FileSound(tmp_path / name)
    with pytest.raises(KnownError) as caught:
        await sound.open(Listener())
    assert caught.value.reason is reason
    await sound.close()


async def test_an_unwritable_recording_is_a_known_error(tmp_path: Path) -> None:
    sound = FileSound(None, tmp_path / "no" / "out.wav")
    with pytest.raises(KnownError) as caught:
        await sound.open(Listener())
    assert caught.value.reason is Reason.BAD_INPUT
    await sound.close()


async def test_without_an_answer_the_recording_is_an_empty_wav(tmp_path: Path) -> None:
    async with opened(None, tmp_path / "out.wav") as (_, _, world):
        await world.pass_by(1.0)
    assert (tmp_path / "out.wav").stat().st_size == 44


async def test_opening_twice_is_a_bug() -> None:
    sound = NullSound(pace=100.0)
    await sound.open(Listener())
    with pytest.raises(BugError):
        await sound.open(Listener())
    await sound.close()
