"""Hear yourself, and hear whether the microphone hears the speaker: before a conversation depends on either.

Nothing of what is heard is kept: it lies in memory until the check is over.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from novadesk.audio.client import EngineSound
from novadesk.audio.formats import FRAME_SAMPLES, LISTEN_HZ, SPEAK_HZ, Samples, to_pcm, to_samples
from novadesk.audio.leak import Leak, find_leak, loudness_db
from novadesk.audio.resampler import Resampler
from novadesk.config import AudioSettings, EchoSetting
from novadesk.conversation.echolevel import FAR_ABOVE_DB
from novadesk.conversation.firststeps import Recording, RecordingStage, SelfHearing
from novadesk.errors import KnownError, Reason
from novadesk.models import BargeIn, InputTrouble
from novadesk.text import Text

RECORD_S = 4.0
NOISE_S = 0.8
ECHO_S = 0.8
"""Longest delay from handing sound to the speaker to hearing it: Bluetooth takes a third of a second."""

_SPARE_S = 4.0
_VOICE_DB = -50.0
"""What is not louder is no voice: a quiet room's noise is at -60 dB or below, a faint voice at -45 dB."""

_FRAME_S = FRAME_SAMPLES / LISTEN_HZ


async def record_and_play(
    command: Sequence[str], devices: AudioSettings, tell: Callable[[Recording], None], watch: Sequence[str] = ()
) -> float | None:
    """Record `RECORD_S` of the microphone, play them on the speaker; return how loud the voice was, in dB, or None.

    Args:
        command: starts the audio process.
        devices: what to use.
        tell: takes how far it is, on this loop.
        watch: starts the process that watches the sound server; empty for none.

    Raises:
        KnownError: the devices do not open, or are lost.
    """
    sound = EngineSound(command, replace(devices, echo=EchoSetting.HEADSET), watch, whole=True)
    ear = _Ear()
    tell(Recording(stage=RecordingStage.OPENING))
    try:
        await sound.open(ear)
        ear.on_level = lambda level: tell(
            Recording(stage=RecordingStage.RECORDING, level=level, left_s=max(0.0, RECORD_S - ear.seconds))
        )
        recorded = await ear.take(RECORD_S)
        ear.on_level = None
        tell(Recording(stage=RecordingStage.PLAYING, left_s=RECORD_S))
        await _play(sound, ear, recorded)
    finally:
        await sound.shutdown()
    voice_db = loudness_db(recorded)
    return voice_db if voice_db > _VOICE_DB else None


async def hear_itself(
    command: Sequence[str],
    devices: AudioSettings,
    speech: Samples,
    voice_db: float | None,
    watch: Sequence[str] = (),
) -> SelfHearing:
    """Play speech (at `LISTEN_HZ`) and say how much of it the microphone hears, and what follows.

    Raises:
        KnownError: the devices do not open, or are lost.
    """
    sound = EngineSound(
        command, replace(devices, echo=EchoSetting.HEADSET), watch, whole=True
    )  # nothing is taken out of it
    ear = _Ear()
    try:
        await sound.open(ear)
        before = await ear.take(NOISE_S)
        listening = asyncio.create_task(ear.take(len(speech) / LISTEN_HZ + ECHO_S), name="self-hearing")
        try:
            await _play(sound, ear, speech)
            heard = await listening
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    finally:
        await sound.shutdown()
    return judge_leak(find_leak(speech, before, heard), voice_db)


def judge_leak(leak: Leak, voice_db: float | None) -> SelfHearing:
    """Return what follows from what was found.

    Args:
        leak: what the microphone heard of the speaker.
        voice_db: how loud the person's own voice is, None when unknown.
    """
    if leak.silent:
        return SelfHearing(
            heard=None,
            what=Text("The microphone sends exact silence. Look for a mute switch on it, then try again."),
        )
    if not leak.heard:
        return SelfHearing(
            heard=False,
            over_noise_db=leak.over_noise_db,
            advice=EchoSetting.HEADSET,
            what=Text("The microphone does not hear the speaker. Your voice can be passed on as it is."),
        )
    too_loud = voice_db is not None and leak.loud_db - voice_db >= FAR_ABOVE_DB
    if leak.clipped or too_loud:
        return SelfHearing(
            heard=True,
            over_noise_db=leak.over_noise_db,
            advice=EchoSetting.HALF_DUPLEX,
            what=Text("The speaker drowns your voice in the microphone. Turn it down, use a headset, or take turns."),
        )
    return SelfHearing(
        heard=True,
        over_noise_db=leak.over_noise_db,
        advice=EchoSetting.SPEAKERS,
        what=Text("The microphone hears the speaker. NovaDesk takes its own voice out, so you can still cut in."),
    )


async def _play(sound: EngineSound, ear: "_Ear", samples: Samples) -> None:
    """Play sound (at `LISTEN_HZ`) and wait until it was heard."""
    resampler = Resampler(LISTEN_HZ, SPEAK_HZ)
    tail = np.zeros(resampler.tail_frames, np.float32)
    pcm = to_pcm(resampler.feed(np.concatenate((samples, tail))))
    sound.play(pcm, 0)
    try:
        async with asyncio.timeout(len(samples) / LISTEN_HZ + _SPARE_S):
            await ear.play_out(len(pcm) // 2)
    except TimeoutError as error:
        raise KnownError(
            Reason.DEVICE_STALLED, "The speaker does not play.", "Choose another one, or connect it again."
        ) from error


class _Ear:
    """Fits `SoundListener`: collects what the microphone hears."""

    def __init__(self) -> None:
        self.on_level: Callable[[float], None] | None = None
        self._heard: list[bytes] = []
        self._wanted = 0
        self._played = 0
        self._moved = asyncio.Event()
        self._lost: KnownError | None = None

    @property
    def seconds(self) -> float:
        """Return how much was heard since `take` began."""
        return len(self._heard) * _FRAME_S

    async def take(self, seconds: float) -> Samples:
        """Return the next seconds of the microphone."""
        self._heard.clear()
        self._wanted = round(seconds / _FRAME_S)
        try:
            async with asyncio.timeout(seconds + _SPARE_S):
                await self._until(lambda: len(self._heard) >= self._wanted)
        except TimeoutError as error:
            raise KnownError(
                Reason.DEVICE_STALLED, "The microphone sends nothing.", "Choose another one, or connect it again."
            ) from error
        heard, self._wanted = b"".join(self._heard), 0
        self._heard.clear()
        return to_samples(heard)

    async def play_out(self, samples: int) -> None:
        """Wait until so many samples were played."""
        await self._until(lambda: self._played >= samples)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._lost is not None:
                raise self._lost
            self._moved.clear()
            await self._moved.wait()

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        """Take the names of the devices, which the page knows."""

    def on_frame(self, pcm: bytes, level: float) -> None:
        if len(self._heard) < self._wanted:
            self._heard.append(pcm)
            if self.on_level is not None:
                self.on_level(level)
        self._moved.set()

    def on_input(self, trouble: InputTrouble) -> None:
        """Take what is wrong with the sound: the meter before says so."""

    def on_played(self, generation: int, samples: int, level: float) -> None:  # noqa: ARG002
        self._played = samples
        self._moved.set()

    def on_barge_in(self, stage: BargeIn) -> None:
        """Nobody breaks into a test."""

    def on_lost(self, error: KnownError) -> None:
        self._lost = error
        self._moved.set()
