"""Hear yourself and be heard by yourself, against an audio process that is made up: what it plays, it also hears."""

import asyncio
import sys

import numpy as np
import pytest

from novadesk.app import soundcheck
from novadesk.app.soundcheck import hear_itself, record_and_play
from novadesk.config import AudioSettings, EchoSetting
from novadesk.conversation.firststeps import Recording, RecordingStage
from novadesk.errors import KnownError, Reason

ENGINE = """
import sys, threading, time
import numpy as np
from novadesk.audio.framing import HEADER, decode_command, encode, payload_bytes
from novadesk.audio.wire import Frame, Opened, Play, Played, Ready

def tell(report):
    sys.stdout.buffer.write(encode(report))
    sys.stdout.flush()

lock, queue, played = threading.Lock(), [], 0

def listen():
    global played
    while header := sys.stdin.buffer.read(HEADER.size):
        message = decode_command(header, sys.stdin.buffer.read(payload_bytes(header)))
        if isinstance(message, Play):
            sound = np.frombuffer(message.pcm, "<i2")
            with lock:
                played += len(sound)
                queue.append(np.interp(np.arange(0, len(sound), 1.5), np.arange(len(sound)), sound))

tell(Ready())
opened = dict(capture_hz=48000, playout_hz=48000, capture_latency_s=0.01, playout_latency_s=0.01, one_clock=True)
tell(Opened(microphone="Mic A", speaker="Speaker A", note="", **opened))
threading.Thread(target=listen, daemon=True).start()
random, echo = np.random.default_rng(1), np.zeros(0)
while True:
    frame = random.normal(0, 33 if {noise} else 0, 512)
    with lock:
        if queue:
            echo = np.concatenate((echo, np.zeros(800), *queue))
            queue.clear()
    heard, echo = echo[:512], echo[512:]
    if {leaks}:
        frame[: len(heard)] += heard * 0.1
    tell(Frame(level=0.25, captured_ns=time.monotonic_ns(), pcm=frame.astype("<i2").tobytes()))
    if played and {plays}:
        tell(Played(generation=0, samples=played - min(played, round(len(echo) * 1.5)), level=0.1))
    time.sleep(0.002)
"""


def engine(*, noise: bool = True, leaks: bool = True, plays: bool = True) -> tuple[str, ...]:
    text = ENGINE
    for name, value in (("noise", noise), ("leaks", leaks), ("plays", plays)):
        text = text.replace(f"{{{name}}}", str(value))
    return sys.executable, "-c", text


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundcheck, "RECORD_S", 0.64)
    monkeypatch.setattr(soundcheck, "NOISE_S", 0.32)


def speech() -> np.ndarray:
    return np.random.default_rng(7).normal(0, 0.1, 24_000).astype(np.float32)


async def left() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_recording_is_played_back_and_its_stages_are_told() -> None:
    told: list[Recording] = []
    async with asyncio.timeout(60):
        voice_db = await record_and_play(engine(), AudioSettings(), told.append)
    assert voice_db is None, "noise is no voice"
    assert list(dict.fromkeys(each.stage for each in told)) == list(RecordingStage)
    recording = [each for each in told if each.stage is RecordingStage.RECORDING]
    assert [each.left_s for each in recording] == sorted((each.left_s for each in recording), reverse=True)
    assert await left() == []


@pytest.mark.parametrize(
    ("leaks", "advice"), [(True, EchoSetting.SPEAKERS), (False, EchoSetting.HEADSET)], ids=["speakers", "headset"]
)
async def test_what_is_played_is_looked_for_in_the_microphone(leaks: bool, advice: EchoSetting) -> None:
    async with asyncio.timeout(60):
        found = await hear_itself(engine(leaks=leaks), AudioSettings(), speech(), None)
    assert (found.heard, found.advice) == (leaks, advice)
    assert await left() == []


async def test_a_speaker_that_does_not_play_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundcheck, "_SPARE_S", 0.5)
    async with asyncio.timeout(60):
        with pytest.raises(KnownError) as caught:
            await hear_itself(engine(plays=False), AudioSettings(), speech()[:8_000], None)
    assert caught.value.reason is Reason.DEVICE_STALLED
    assert await left() == []
