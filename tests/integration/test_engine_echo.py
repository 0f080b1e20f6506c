"""The audio process in a room where the microphone hears the speaker, and somebody speaks into an answer."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from novadesk.audio.client import EngineSound
from novadesk.audio.formats import read_wav, to_pcm
from novadesk.audio.resampler import convert
from novadesk.config import AudioSettings, EchoSetting
from novadesk.errors import KnownError
from novadesk.models import BargeIn, InputTrouble
from tests.support.desk import Desk
from tests.support.sound import Recording

pytestmark = pytest.mark.rig

WITHIN_S = 60.0
LOUD = 1_000
BELOW_A_VOICE = 0.3
"""Volume at which the echo of an answer is 10 dB below a voice: as loud as one, it needs a room that keeps time."""

ANSWER = (
    "Good morning. I am your partner, and I am glad to hear you. Let me tell you of a small town by the sea, "
    "where every evening the fishermen came home, and where the children waited for them on the long wooden pier."
)


@dataclass
class Ear:
    frames: list[bytes] = field(default_factory=list, repr=False)
    played: int = 0
    level: float = 0.0
    stages: list[BargeIn] = field(default_factory=list)
    play_on: Callable[[], None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_frame(self, pcm: bytes, level: float) -> None:
        self.frames.append(pcm)
        self.changed.set()

    def on_played(self, generation: int, samples: int, level: float) -> None:
        self.played, self.level = samples, level
        self.changed.set()

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        assert note == ""

    def on_lost(self, error: KnownError) -> None:
        raise AssertionError(error)

    def on_barge_in(self, stage: BargeIn) -> None:
        self.stages.append(stage)
        if stage is BargeIn.CONFIRMED and self.play_on is not None:
            self.play_on()
        self.changed.set()

    def on_input(self, trouble: InputTrouble) -> None:
        pass

    @property
    def heard(self) -> npt.NDArray[np.float64]:
        return np.frombuffer(b"".join(self.frames), "<i2") / 32_768

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture(scope="module")
def room() -> Iterator[Desk]:
    with Desk(echo_ms=20) as desk:
        yield desk


@pytest.fixture(scope="module")
def answer(room: Desk, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file: Path = tmp_path_factory.mktemp("answer") / "answer.wav"
    room.run("flite", "-voice", "slt", "-t", ANSWER, "-o", str(file))
    recording = read_wav(file)
    return to_pcm(convert(recording.samples, recording.rate_hz, 24_000))


def engine_of(room: Desk, echo: EchoSetting, volume: float = 1.0) -> EngineSound:
    settings = AudioSettings(
        microphone="ALSA: Virtual Mic A", speaker="ALSA: Virtual Speaker A", echo=echo, volume=volume
    )
    own = (f"{name}={room.env[name]}" for name in ("PULSE_SERVER", "ALSA_CONFIG_PATH"))
    start = "from novadesk.audio.engine import main; raise SystemExit(main())"
    return EngineSound(("env", *own, sys.executable, "-c", start), settings)


@pytest.fixture
async def sound(room: Desk) -> AsyncIterator[EngineSound]:
    made = engine_of(room, EchoSetting.SPEAKERS, BELOW_A_VOICE)
    yield made
    await made.shutdown()


async def levels_of_echo(room: Desk, echo: EchoSetting, answer: bytes) -> npt.NDArray[np.float64]:
    """Return the level at the wire in dB in each of the seconds of an answer from the third to the sixth."""
    sound, ear = engine_of(room, echo), Ear()
    sound.watch_barge_in(False)
    await sound.open(ear)
    sound.play(answer, 0)
    marks = []
    try:
        for second in range(2, 7):
            await ear.until(lambda second=second: ear.played >= second * 24_000)  # type: ignore[misc]
            marks.append(512 * len(ear.frames))
    finally:
        await sound.shutdown()
    power = [np.mean(ear.heard[start:end] ** 2) for start, end in itertools.pairwise(marks)]
    return 10 * np.log10(np.array(power) + 1e-10)


async def test_with_speakers_the_echo_does_not_reach_the_wire(room: Desk, answer: bytes) -> None:
    """Where the sound itself has holes because the computer is busy, echo comes through; one second is without."""
    as_it_is = await levels_of_echo(room, EchoSetting.HEADSET, answer)
    cancelled = await levels_of_echo(room, EchoSetting.SPEAKERS, answer)
    assert as_it_is.min() > -40
    assert (as_it_is - cancelled).max() > 20


async def test_who_takes_turns_is_not_heard_while_an_answer_is_played(room: Desk, answer: bytes) -> None:
    levels = await levels_of_echo(room, EchoSetting.HALF_DUPLEX, answer)
    assert levels.max() == -100, "exact silence, whatever the room does"


def sounds(recording: Recording) -> bool:
    return bool(np.abs(recording.samples[-2_400:].astype(int)).max(initial=0) > LOUD)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.005)


async def test_who_speaks_into_an_answer_pauses_it_and_it_plays_on_where_it_was(
    room: Desk, sound: EngineSound, answer: bytes
) -> None:
    ear = Ear()
    await sound.open(ear)
    with room.recording() as speaker:
        ear.play_on = lambda: sound.play_on(0)  # what is taken for a voice before there is one
        sound.play(answer * 3, 0)
        await ear.until(lambda: ear.played >= 3 * 24_000)

        async def interrupt() -> None:
            """Say it until the answer pauses: a computer too busy to play without holes may not hear it at once."""
            while BargeIn.CONFIRMED not in ear.stages:
                await asyncio.to_thread(room.say, "Wait a moment, I have a question about the town.")

        ear.play_on = None
        ear.stages.clear()
        speaking = asyncio.create_task(interrupt())
        await ear.until(lambda: BargeIn.CONFIRMED in ear.stages)
        await ear.until(lambda: not ear.level)  # what was played before the silence is counted
        await until(lambda: not speaker.samples[-2_400:].any())
        held = ear.played
        await speaking
        assert ear.played == held
        assert not speaker.samples[-2_400:].any()
        ear.play_on = lambda: sound.play_on(0)  # what is taken for a voice when there is none any more
        sound.play_on(0)
        await ear.until(lambda: ear.played > held + 12_000)
        await until(lambda: sounds(speaker))


async def test_nobody_is_looked_for_through_a_closed_gate(room: Desk, sound: EngineSound, answer: bytes) -> None:
    ear = Ear()
    sound.watch_barge_in(False)
    await sound.open(ear)
    sound.play(answer, 0)
    await ear.until(lambda: ear.played >= 24_000)
    await asyncio.to_thread(room.say, "Wait a moment.")
    assert ear.stages == []
    assert ear.played > 2 * 24_000
