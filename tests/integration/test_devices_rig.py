"""Sound devices that come and go under a running engine, on a private sound server."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from novadesk.audio import hotplug
from novadesk.audio.client import EngineSound, Listener
from novadesk.audio.devices import Direction
from novadesk.audio.formats import write_wav
from novadesk.audio.serverview import ServerView
from novadesk.audio.watch import DeviceWatch
from novadesk.config import AudioSettings, EchoSetting
from novadesk.errors import Reason
from novadesk.models import InputTrouble
from tests.support.desk import Desk
from tests.support.ears import Ear, capture_streams, has_hz, long_tone, tone, until
from tests.support.sound import Microphone, Speaker

pytestmark = pytest.mark.rig

ENGINE = (sys.executable, "-c", "from novadesk.audio.engine import main; raise SystemExit(main())")
WATCH = (sys.executable, "-c", "from novadesk.audio.pulse import main; raise SystemExit(main())")
MICROPHONE, SPEAKER = "ALSA: Virtual Mic A", "ALSA: Virtual Speaker A"
HZ_A, HZ_B = 500, 1000
GONE = "The {} “{}” is not connected; using “{}”."
SECOND_FRAMES = 32
"""Frames of 32 ms in a little more than a second."""
TWO_SECONDS_FRAMES = 63


def settings(microphone: str = MICROPHONE, speaker: str = SPEAKER) -> AudioSettings:
    return AudioSettings(microphone=microphone, speaker=speaker, echo=EchoSetting.HEADSET)


@pytest.fixture
def ear() -> Ear:
    return Ear()


class Watched(EngineSound):
    """Is open once both streams have been seen on the sound server: where they are then, a title's device is."""

    def __init__(self) -> None:
        super().__init__(ENGINE, settings(), WATCH)
        self.view: ServerView | None = None

    async def open(self, listener: Listener) -> None:
        await super().open(listener)
        await until(self._is_seen)

    def _is_seen(self) -> bool:
        pid = self.engine_pid
        return None not in (self.view, pid) and all(self.view.device_of(pid, direction) for direction in Direction)


@pytest.fixture
async def sound(on_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EngineSound]:
    made = Watched()

    class Watch(DeviceWatch):
        def __init__(self, command: Sequence[str], on_view: Callable[[ServerView | None], None]) -> None:
            def tell(view: ServerView | None) -> None:
                on_view(view)
                made.view = view

            super().__init__(command, tell)

    monkeypatch.setattr(hotplug, "DeviceWatch", Watch)
    yield made
    await made.shutdown()


@contextmanager
def tones(desk: Desk, folder: Path) -> Iterator[None]:
    """Let both microphones sound, each with its own tone, while the block runs."""
    players = []
    for microphone, hz in ((Microphone.A, HZ_A), (Microphone.B, HZ_B)):
        file = folder / f"{microphone.value}.wav"
        write_wav(file, 24_000, long_tone(240, hz))
        players.append(subprocess.Popen(["paplay", "--device", f"feed_{microphone.value}", str(file)], env=desk.env))
    try:
        yield
    finally:
        for player in players:
            player.terminate()
            player.wait()


def syllables(seconds: float, gain_db: float) -> npt.NDArray[np.float32]:
    """Return four syllables a second, at -15 dB of full scale and this gain, clipped there."""
    voice = tone(seconds, 200.0) * np.clip(np.sin(2 * np.pi * 4 * np.arange(round(24_000 * seconds)) / 24_000), 0, None)
    clipped: npt.NDArray[np.float32] = np.clip(voice * 10 ** (gain_db / 20), -1, 1).astype(np.float32)
    return clipped


def tell(**figures: float) -> None:
    sys.stdout.write(json.dumps({name: round(value, 3) for name, value in figures.items()}) + "\n")


@contextmanager
def away(desk: Desk, *devices: Microphone | Speaker) -> Iterator[None]:
    """Unplug devices; they are there again afterwards, and the defaults are what they were."""
    for device in devices:
        desk.unplug(device)
    try:
        yield
    finally:
        listed = desk.run("pactl", "list", "short", "sources") + desk.run("pactl", "list", "short", "sinks")
        for device in devices:
            name = f"{'mic' if isinstance(device, Microphone) else 'spk'}_{device.value}"
            if f"\t{name}\t" not in listed:
                desk.plug(device)
        desk.run("pactl", "set-default-source", "mic_a")
        desk.run("pactl", "set-default-sink", "spk_a")


async def test_another_microphone_takes_over_in_a_second_and_the_preferred_one_when_it_is_back(
    on_desk: Desk, sound: EngineSound, ear: Ear, tmp_path: Path
) -> None:
    with tones(on_desk, tmp_path):
        await sound.open(ear)
        await ear.until(lambda: ear.hears_hz(HZ_A))
        engine = sound.engine_pid
        unplugged, before = time.monotonic(), len(ear.frames)
        with away(on_desk, Microphone.A):
            await ear.until(lambda: ear.hears_hz(HZ_B))
            replaced_s = time.monotonic() - unplugged
            lost = sum(not (has_hz(frame, HZ_A) or has_hz(frame, HZ_B)) for frame in ear.frames[before:])
            await ear.until(lambda: len(ear.opened) == 2)
            told_s = time.monotonic() - unplugged
            plugged = time.monotonic()
            on_desk.plug(Microphone.A)
            await ear.until(lambda: ear.hears_hz(HZ_A))
            returned_s = time.monotonic() - plugged
            await ear.until(lambda: len(ear.opened) == 3)
    tell(replaced_s=replaced_s, told_s=told_s, returned_s=returned_s)
    assert lost <= SECOND_FRAMES
    assert ear.opened == [
        (MICROPHONE, SPEAKER, ""),
        ("Microphone B", SPEAKER, GONE.format("microphone", MICROPHONE, "Microphone B")),
        (MICROPHONE, SPEAKER, ""),
    ]
    assert (ear.lost, sound.engine_pid) == ([], engine)


async def test_the_default_microphone_is_followed(on_desk: Desk, ear: Ear, tmp_path: Path) -> None:
    sound = EngineSound(ENGINE, settings("", ""), WATCH)
    with tones(on_desk, tmp_path):
        await sound.open(ear)
        await ear.until(lambda: ear.hears_hz(HZ_A))
        with away(on_desk, Microphone.A):
            await ear.until(lambda: ear.hears_hz(HZ_B))
            on_desk.plug(Microphone.A)
            on_desk.run("pactl", "set-default-source", "mic_a")
            await ear.until(lambda: ear.hears_hz(HZ_A))
        await sound.shutdown()
    assert ear.lost == []


async def test_without_any_microphone_the_speaker_is_not_heard_and_that_is_said(
    on_desk: Desk, sound: EngineSound, ear: Ear, tmp_path: Path
) -> None:
    with tones(on_desk, tmp_path):
        await sound.open(ear)
        await ear.until(lambda: ear.hears_hz(HZ_A))
        begun = time.monotonic()
        with away(on_desk, Microphone.A, Microphone.B):
            await ear.until(lambda: ear.inputs[-1:] == [InputTrouble.MONITOR] and not ear.opened[-1][0])
            told_s = time.monotonic() - begun
            silent = len(ear.frames)
            await ear.more_frames(SECOND_FRAMES)
            assert not any(any(frame) for frame in ear.frames[silent:])
            assert "There is no microphone" in ear.opened[-1][2]
            plugged = time.monotonic()
            on_desk.plug(Microphone.B)
            await ear.until(lambda: ear.hears_hz(HZ_B))
            returned_s = time.monotonic() - plugged
    tell(monitor_told_s=told_s, another_microphone_s=returned_s)
    openings = sum(not microphone for microphone, _, _ in ear.opened)
    assert ear.inputs.count(InputTrouble.MONITOR) in (1, openings, 1 + openings), "an opening lets it be forgotten"
    assert ear.inputs[-1] is InputTrouble.NONE
    assert ear.lost == []


async def test_an_answer_goes_on_at_another_speaker_and_comes_back(on_desk: Desk, sound: EngineSound, ear: Ear) -> None:
    await sound.open(ear)
    sound.play((long_tone(120, 700) * 32_767).astype("<i2").tobytes(), 0)
    await ear.until(lambda: bool(ear.played) and ear.played[-1] > 4_800)
    with on_desk.recording(Speaker.B) as heard:
        unplugged = time.monotonic()
        with away(on_desk, Speaker.A):
            await until(lambda: heard.loudest() > 4_000)
            replaced_s = time.monotonic() - unplugged
            # Either the sound server moves the stream, or a stream that it stalls by that is opened anew.
            # The server may tell of the move before it tells of what is gone: then the reason comes a moment later.
            await ear.until(lambda: f"“{SPEAKER}”" in ear.opened[-1][2])
            assert ear.opened[-1][1] != SPEAKER
            on_desk.plug(Speaker.A)
            await ear.until(lambda: ear.opened[-1] == (MICROPHONE, SPEAKER, ""))
            with on_desk.recording(Speaker.A) as again:
                await until(lambda: again.loudest() > 4_000)
    tell(speaker_replaced_s=replaced_s)


async def test_devices_that_are_not_used_come_and_go_unnoticed(on_desk: Desk, sound: EngineSound, ear: Ear) -> None:
    await sound.open(ear)
    engine = sound.engine_pid
    with away(on_desk, Microphone.B, Speaker.B):
        await ear.more_frames(SECOND_FRAMES)
    await ear.more_frames(SECOND_FRAMES)
    assert (ear.opened, ear.lost, sound.engine_pid) == ([(MICROPHONE, SPEAKER, "")], [], engine)
    assert sound.statistics().respawns == 0


async def test_a_preferred_microphone_that_comes_later_is_opened_then(
    on_desk: Desk, sound: EngineSound, ear: Ear, tmp_path: Path
) -> None:
    with tones(on_desk, tmp_path), away(on_desk, Microphone.A):
        await sound.open(ear)
        assert ear.opened[0][0].startswith("ALSA: default")
        assert f"The microphone “{MICROPHONE}” does not open" in ear.opened[0][2]
        await ear.until(lambda: ear.hears_hz(HZ_B))
        plugged = time.monotonic()
        on_desk.plug(Microphone.A)
        await ear.until(lambda: ear.hears_hz(HZ_A))
        tell(opened_later_s=time.monotonic() - plugged)
    await ear.until(lambda: ear.opened[-1] == (MICROPHONE, SPEAKER, ""))
    assert ear.lost == [], "the way back is no loss"


async def test_a_change_made_in_the_systems_settings_is_told_and_left_alone(
    on_desk: Desk, sound: EngineSound, ear: Ear, tmp_path: Path
) -> None:
    with tones(on_desk, tmp_path):
        await sound.open(ear)
        await ear.until(lambda: ear.hears_hz(HZ_A))
        (stream,) = capture_streams(on_desk)
        on_desk.run("pactl", "move-source-output", stream, "mic_b")
        await ear.until(lambda: len(ear.opened) == 2)
        await ear.more_frames(SECOND_FRAMES)
        assert ear.hears_hz(HZ_B)
    assert ear.opened[1][0] == "Microphone B"
    assert "in the system's sound settings" in ear.opened[1][2]


async def test_opening_anew_on_purpose_loses_no_sound_of_an_answer_and_is_no_loss(
    on_desk: Desk, sound: EngineSound, ear: Ear
) -> None:
    await sound.open(ear)
    before = sound.engine_pid
    sound.play((tone(3.0, 700.0) * 32_767).astype("<i2").tobytes(), 0)
    await ear.until(lambda: bool(ear.played) and ear.played[-1] > 4_800)
    sound.reopen()
    sound.reopen()
    await ear.until(lambda: len(ear.opened) == 2)
    await ear.until(lambda: ear.played[-1] == 3 * 24_000)
    assert ear.played == sorted(ear.played)
    assert ear.lost == []
    assert sound.engine_pid != before
    assert sound.statistics().respawns == 1


async def test_the_microphone_is_open_from_open_to_close_only(on_desk: Desk, sound: EngineSound, ear: Ear) -> None:
    assert capture_streams(on_desk) == []
    await sound.devices()
    assert capture_streams(on_desk) == []
    await sound.open(ear)
    assert len(capture_streams(on_desk)) == 1
    await sound.close()
    await until(lambda: capture_streams(on_desk) == [])
    await sound.open(ear)
    sound.reopen()
    await sound.close()
    await until(lambda: capture_streams(on_desk) == [])


async def test_a_sound_server_that_comes_back_is_used_at_once(ear: Ear) -> None:
    with Desk() as own:
        names = ("PULSE_SERVER", "ALSA_CONFIG_PATH")
        on_own = ("env", *(f"{name}={own.env[name]}" for name in names))
        sound = EngineSound((*on_own, *ENGINE), settings(), (*on_own, *WATCH))
        await sound.open(ear)
        own.run("pactl", "exit")
        await ear.until(lambda: bool(ear.lost))
        # So long that the time between two tries has grown to seconds.
        await asyncio.sleep(4.0)
        again = await asyncio.create_subprocess_exec(
            "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--high-priority=no",
            "--realtime=no", "-F", str(own.folder / "sound.pa"),
            env=own.env, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        started = time.monotonic()
        try:
            await ear.until(lambda: len(ear.opened) == 2)
            tell(after_server_restart_s=time.monotonic() - started)
            await ear.more_frames(3)
        finally:
            await sound.shutdown()
            again.terminate()
            await again.wait()
    assert {error.reason for error in ear.lost} <= {Reason.SOUND_SERVER_GONE, Reason.DEVICE_STALLED}


async def test_a_switched_off_microphone_is_told_from_one_that_is_too_loud_or_too_faint(
    on_desk: Desk, sound: EngineSound, ear: Ear, tmp_path: Path
) -> None:
    told: dict[str, float] = {}
    await sound.open(ear)
    for name, gain_db, trouble in (
        ("muted", None, InputTrouble.MUTED),
        ("clipped", 24.0, InputTrouble.CLIPPED),
        ("fine", 0.0, InputTrouble.NONE),
        ("quiet", -50.0, InputTrouble.QUIET),
    ):
        frames = len(ear.frames)
        if gain_db is None:
            await asyncio.to_thread(on_desk.run, "pactl", "set-source-mute", "mic_a", "1")
            frames = len(ear.frames)
            await ear.until(lambda trouble=trouble: ear.inputs[-1:] == [trouble])  # type: ignore[misc]
            on_desk.run("pactl", "set-source-mute", "mic_a", "0")
            assert len(ear.frames) - frames <= TWO_SECONDS_FRAMES
        else:
            file = tmp_path / f"{name}.wav"
            write_wav(file, 24_000, syllables(4.0, gain_db))
            playing = asyncio.create_task(asyncio.to_thread(on_desk.play, file))
            await ear.until(lambda trouble=trouble: ear.inputs[-1:] == [trouble])  # type: ignore[misc]
            told[name] = (len(ear.frames) - frames) * 0.032
            await playing
    tell(**told)
    assert ear.lost == []
