"""Other sound settings under an open conversation, with an audio process that opens whatever it is asked for."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from novadesk.audio.client import EngineSound
from novadesk.config import AudioSettings, EchoSetting
from novadesk.errors import KnownError
from novadesk.models import BargeIn, InputTrouble

ENGINE = """
import sys, threading, time
from novadesk.audio.framing import HEADER, decode_command, encode, payload_bytes
from novadesk.audio.wire import Frame, Open, Opened, Ready, Volume

writing = threading.Lock()

def tell(report):
    with writing:
        sys.stdout.buffer.write(encode(report))
        sys.stdout.flush()

def hear():
    while True:
        tell(Frame(level=0.25, captured_ns=time.monotonic_ns(), pcm=bytes(1024)))
        time.sleep(0.03)

tell(Ready())
while header := sys.stdin.buffer.read(HEADER.size):
    command = decode_command(header, sys.stdin.buffer.read(payload_bytes(header)))
    if isinstance(command, Open):
        said = f"{command.echo.value} at {command.volume:.2f}"
        numbers = dict(capture_hz=48000, playout_hz=48000, capture_latency_s=0, playout_latency_s=0, one_clock=True)
        tell(Opened(microphone=command.microphone, speaker=command.speaker, note=said, **numbers))
        threading.Thread(target=hear, daemon=True).start()
"""


class Ear:
    """Fits `Listener`; remembers what was opened."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, str, str]] = []
        self.frames = 0
        self.changed = asyncio.Event()

    def on_frame(self, pcm: bytes, level: float) -> None:
        self.frames += 1
        self.changed.set()

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.opened.append((microphone, speaker, note))
        self.changed.set()

    def on_played(self, generation: int, samples: int, level: float) -> None:
        raise AssertionError

    def on_lost(self, error: KnownError) -> None:
        raise AssertionError(error)

    def on_barge_in(self, stage: BargeIn) -> None:
        raise AssertionError(stage)

    def on_input(self, trouble: InputTrouble) -> None:
        """Nothing is said of a sound that is made up."""

    async def until_opened(self, times: int) -> None:
        async with asyncio.timeout(60):
            while len(self.opened) < times:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def sound() -> AsyncIterator[EngineSound]:
    made = EngineSound((sys.executable, "-c", ENGINE), AudioSettings(microphone="ALSA: A", speaker="ALSA: S"))
    yield made
    await made.shutdown()


async def test_other_devices_and_echo_are_opened_under_a_conversation_without_a_loss(sound: EngineSound) -> None:
    ear = Ear()
    await sound.open(ear)
    await ear.until_opened(1)
    assert ear.opened[0][:2] == ("ALSA: A", "ALSA: S")
    sound.prefer(AudioSettings(microphone="ALSA: B", speaker="ALSA: S", echo=EchoSetting.HEADSET, volume=0.5))
    await ear.until_opened(2)
    assert ear.opened[-1][:2] == ("ALSA: B", "ALSA: S")
    assert "headset at 0.50" in ear.opened[-1][2]


async def test_another_volume_opens_nothing_anew(sound: EngineSound) -> None:
    ear = Ear()
    await sound.open(ear)
    process = sound.engine_pid
    sound.prefer(AudioSettings(microphone="ALSA: A", speaker="ALSA: S", volume=0.5, cue_volume=0.1))
    frames = ear.frames
    async with asyncio.timeout(60):
        while ear.frames < frames + 10:
            ear.changed.clear()
            await ear.changed.wait()
    assert (sound.engine_pid, len(ear.opened)) == (process, 1)


async def test_what_is_preferred_while_closed_is_opened_next(sound: EngineSound) -> None:
    sound.prefer(AudioSettings(microphone="ALSA: B", speaker="ALSA: T"))
    assert sound.engine_pid is None
    ear = Ear()
    await sound.open(ear)
    await ear.until_opened(1)
    assert ear.opened[0][:2] == ("ALSA: B", "ALSA: T")
