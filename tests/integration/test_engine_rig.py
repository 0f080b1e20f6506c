"""The audio process with real PortAudio streams on a private sound server."""

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from novadesk.audio.client import EngineSound
from novadesk.audio.formats import read_wav, to_pcm, to_samples, write_wav
from novadesk.audio.resampler import convert
from novadesk.config import AudioSettings, EchoSetting
from novadesk.errors import KnownError, Reason
from novadesk.models import BargeIn, Cue, InputTrouble
from tests.support.desk import Desk
from tests.support.sound import Microphone, Recording, Speaker

pytestmark = pytest.mark.rig

ENGINE = (sys.executable, "-c", "from novadesk.audio.engine import main; raise SystemExit(main())")
MICROPHONE, SPEAKER = "ALSA: Virtual Mic A", "ALSA: Virtual Speaker A"
WITHIN_S = 60.0
LONG_S = 60.0
"""Longer than whatever is waited for while it plays."""

Floats = npt.NDArray[np.float64]


@dataclass
class Ear:
    frames: list[bytes] = field(default_factory=list)
    played: list[tuple[int, int]] = field(default_factory=list)
    opened: list[tuple[str, str, str]] = field(default_factory=list)
    lost: list[KnownError] = field(default_factory=list)
    stages: list[BargeIn] = field(default_factory=list)
    troubles: list[InputTrouble] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_frame(self, pcm: bytes, level: float) -> None:
        self.frames.append(pcm)
        self.changed.set()

    def on_played(self, generation: int, samples: int, level: float) -> None:
        self.played.append((generation, samples))
        self.changed.set()

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.opened.append((microphone, speaker, note))
        self.changed.set()

    def on_lost(self, error: KnownError) -> None:
        self.lost.append(error)
        self.changed.set()

    def on_barge_in(self, stage: BargeIn) -> None:
        self.stages.append(stage)

    def on_input(self, trouble: InputTrouble) -> None:
        self.troubles.append(trouble)

    @property
    def heard(self) -> Floats:
        return np.frombuffer(b"".join(self.frames), "<i2").astype(np.float64)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def sound(on_desk: Desk) -> AsyncIterator[EngineSound]:
    made = EngineSound(ENGINE, AudioSettings(microphone=MICROPHONE, speaker=SPEAKER, echo=EchoSetting.HEADSET))
    yield made
    await made.shutdown()


def speech(desk: Desk, folder: Path, text: str) -> Path:
    file = folder / "speech.wav"
    desk.run("flite", "-voice", "slt", "-t", text, "-o", str(file))
    return file


def best_match(heard: Floats, wanted: Floats) -> tuple[float, int]:
    """Return the correlation at the best place, and the place."""
    length = len(heard) + len(wanted)
    product = np.fft.irfft(np.fft.rfft(heard, length) * np.conj(np.fft.rfft(wanted, length)), length)
    energy = np.concatenate(([0.0], (heard**2).cumsum()))
    around = energy[len(wanted) :] - energy[: -len(wanted)]  # of each window of heard: else loud places always win
    floor = (wanted**2).sum() / 100
    place = int(np.argmax(product[: len(around)] / np.sqrt(np.maximum(around, floor))))
    return float(np.corrcoef(heard[place : place + len(wanted)], wanted)[0, 1]), place


def assert_whole(heard: Floats, wanted: Floats, rate_hz: int, *, holes: int) -> None:
    """Check that every quarter of a second with sound in it arrived, one after the other.

    Args:
        holes: interruptions that the sound server itself has reported; each, and one that it did not see, may spoil
            the piece that it falls into and delay what follows.
    """
    size = rate_hz // 4
    starts = range(0, len(wanted) - size, size)
    loud = [start for start in starts if wanted[start : start + size].std() > 0.3 * wanted.std()]
    matches = [(*best_match(heard, wanted[start : start + size]), start) for start in loud]
    good = [place - start for correlation, place, start in matches if correlation > 0.95]
    assert len(good) >= len(loud) - holes - 1, matches
    shifts = {later - earlier for earlier, later in itertools.pairwise(good)} - {0}
    assert len(shifts) <= holes + 1, matches
    assert all(shift > 0 for shift in shifts), matches


def tone(seconds: float, hz: float = 440.0) -> bytes:
    return (8_000 * np.sin(2 * np.pi * hz * np.arange(round(24_000 * seconds)) / 24_000)).astype("<i2").tobytes()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.005)


async def test_speech_into_the_microphone_arrives_whole(
    desk: Desk, sound: EngineSound, ear: Ear, tmp_path: Path
) -> None:
    file = speech(desk, tmp_path, "The quick brown fox jumps over the lazy dog, and then it sleeps in the sun.")
    recording = read_wav(file)
    wanted = convert(recording.samples, recording.rate_hz, 16_000).astype(np.float64)
    await sound.open(ear)
    await asyncio.to_thread(desk.play, file)
    frames = len(ear.frames)
    await ear.until(lambda: len(ear.frames) > frames + 8)
    engine = sound.statistics().engine
    assert_whole(ear.heard, wanted, 16_000, holes=engine.input_overflows)
    assert (engine.dropped_frames, engine.dropped_messages) == (0, 0)


async def test_an_answer_arrives_whole_at_the_speaker(desk: Desk, sound: EngineSound, ear: Ear, tmp_path: Path) -> None:
    recording = read_wav(speech(desk, tmp_path, "Good morning. I am your partner, and I am glad to hear you."))
    wanted = convert(recording.samples, recording.rate_hz, 24_000)
    await sound.open(ear)
    with desk.recording() as heard:
        sound.play(to_pcm(wanted), 0)
        await ear.until(lambda: bool(ear.played) and ear.played[-1] == (0, len(wanted)))
        await until(lambda: len(heard.samples) > len(wanted) and not heard.samples[-4_800:].any())
    engine = sound.statistics().engine
    assert_whole(heard.stop().astype(np.float64), wanted.astype(np.float64), 24_000, holes=engine.output_underflows)
    assert engine.underruns == 0


async def test_a_flush_silences_the_speaker(desk: Desk, sound: EngineSound, ear: Ear) -> None:
    await sound.open(ear)
    with desk.recording() as heard:
        sound.play(tone(LONG_S), 0)
        await until(lambda: heard.loudest() > 4_000)
        sound.flush(1)
        await until(lambda: not heard.samples[-4_800:].any())
        sound.play(tone(LONG_S), 0)
        sound.play(tone(0.2, hz=880.0), 1)
        await ear.until(lambda: (1, 4_800) in ear.played)
    last = max(samples for generation, samples in ear.played if generation == 0)
    assert last < LONG_S * 24_000 / 2
    assert ear.played == sorted(ear.played)


async def test_the_volume_is_heard_and_cues_have_their_own(desk: Desk, sound: EngineSound, ear: Ear) -> None:
    sound.set_volume(0.25)
    await sound.open(ear)
    with desk.recording() as heard:
        sound.play(tone(LONG_S), 0)
        await until(lambda: heard.loudest() > 1_000)
        await ear.until(lambda: bool(ear.played) and ear.played[-1][1] > 12_000)
        assert heard.loudest() == pytest.approx(2_000, rel=0.1)
        sound.set_volume(0.0)
        await until(lambda: not heard.samples[-4_800:].any())
        sound.cue(Cue.STOPPED)
        await until(lambda: np.abs(heard.samples[-2_400:].astype(int)).max() > 2_500)
        sound.set_volume(1.0)
        await until(lambda: heard.loudest() > 7_500)


async def test_a_killed_engine_is_replaced_and_the_answer_goes_on(desk: Desk, sound: EngineSound, ear: Ear) -> None:
    await sound.open(ear)
    sound.play(tone(3.0), 0)
    await ear.until(lambda: bool(ear.played) and ear.played[-1][1] > 12_000)
    killed = sound.engine_pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    await ear.until(lambda: bool(ear.lost))
    frames = len(ear.frames)
    await ear.until(lambda: len(ear.opened) == 2 and len(ear.frames) > frames + 3)
    assert [error.reason for error in ear.lost] == [Reason.ENGINE_DIED]
    assert ear.opened[0] == ear.opened[1] == (MICROPHONE, SPEAKER, "")
    assert sound.engine_pid != killed
    assert sound.statistics().respawns == 1
    await ear.until(lambda: ear.played[-1] == (0, 3 * 24_000))
    assert ear.played == sorted(ear.played)


async def test_after_the_engines_death_old_generations_stay_silent(desk: Desk, sound: EngineSound, ear: Ear) -> None:
    await sound.open(ear)
    sound.flush(5)
    sound.play(tone(LONG_S), 5)
    await ear.until(lambda: bool(ear.played))
    assert sound.engine_pid is not None
    os.kill(sound.engine_pid, signal.SIGKILL)
    await ear.until(lambda: bool(ear.lost))
    sound.flush(6)
    sound.play(tone(LONG_S), 5)
    sound.play(tone(0.1), 6)
    await ear.until(lambda: (6, 2_400) in ear.played)
    assert max(samples for generation, samples in ear.played if generation == 5) < LONG_S * 24_000


async def test_a_stopped_engine_is_replaced(desk: Desk, sound: EngineSound, ear: Ear) -> None:
    await sound.open(ear)
    stopped = sound.engine_pid
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)
    await ear.until(lambda: len(ear.opened) == 2)
    assert [error.reason for error in ear.lost] == [Reason.ENGINE_DIED]
    with pytest.raises(ProcessLookupError):
        os.kill(stopped, 0)


async def test_a_device_that_falls_silent_is_reopened(desk: Desk, sound: EngineSound, ear: Ear) -> None:
    await sound.open(ear)
    desk.run("pactl", "suspend-source", "mic_a", "1")
    desk.run("pactl", "suspend-sink", "spk_a", "1")
    try:
        await ear.until(lambda: bool(ear.lost))
    finally:
        desk.run("pactl", "suspend-source", "mic_a", "0")
        desk.run("pactl", "suspend-sink", "spk_a", "0")
    await ear.until(lambda: len(ear.opened) == 2)
    assert ear.lost[0].reason is Reason.DEVICE_STALLED
    frames = len(ear.frames)
    await ear.until(lambda: len(ear.frames) > frames + 3)


async def test_a_held_up_app_loses_no_microphone_sample_and_leaves_no_gap(
    desk: Desk, sound: EngineSound, ear: Ear, tmp_path: Path
) -> None:
    file = speech(desk, tmp_path, "One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve.")
    recording = read_wav(file)
    wanted = convert(recording.samples, recording.rate_hz, 16_000).astype(np.float64)
    await sound.open(ear)
    feeding = asyncio.create_task(asyncio.to_thread(desk.play, file))
    await asyncio.sleep(0)
    sound.play(tone(3.0), 0)
    await ear.until(lambda: bool(ear.played))
    time.sleep(2.0)  # noqa: ASYNC251 - the loop is held up on purpose
    await feeding
    frames = len(ear.frames)
    await ear.until(lambda: len(ear.frames) > frames + 8)
    engine = sound.statistics().engine
    assert_whole(ear.heard, wanted, 16_000, holes=engine.input_overflows)
    assert ear.lost == []
    assert (engine.dropped_frames, engine.dropped_messages, engine.underruns) == (0, 0, 0)


async def test_devices_are_listed_by_name_with_and_without_an_open_stream(sound: EngineSound, ear: Ear) -> None:
    closed = await sound.devices()
    assert closed[0][0] == closed[1][0] == "ALSA: default"
    assert MICROPHONE in closed[0]
    assert SPEAKER in closed[1]
    await sound.open(ear)
    assert await sound.devices() == closed
    frames = len(ear.frames)
    await ear.until(lambda: len(ear.frames) > frames + 3)
    assert ear.lost == []


async def test_an_unknown_device_is_a_known_error(on_desk: Desk, ear: Ear) -> None:
    sound = EngineSound(ENGINE, AudioSettings(microphone="Golden Microphone"))
    with pytest.raises(KnownError, match="Golden Microphone") as caught:
        await sound.open(ear)
    assert caught.value.reason is Reason.UNKNOWN_DEVICE
    assert (ear.opened, ear.lost) == ([], [])


async def test_a_device_that_is_not_connected_is_replaced_and_that_is_said(on_desk: Desk, ear: Ear) -> None:
    sound = EngineSound(ENGINE, AudioSettings(microphone="ALSA: USB Headset", speaker="Virtual Speaker B"))
    await sound.open(ear)
    await sound.shutdown()
    note = "The microphone “ALSA: USB Headset” is not connected; using “ALSA: default”."
    assert ear.opened == [("ALSA: default", "ALSA: Virtual Speaker B", note)]


async def test_each_speaker_is_the_one_that_was_chosen(on_desk: Desk, ear: Ear) -> None:
    sound = EngineSound(ENGINE, AudioSettings(microphone="ALSA: Virtual Mic B", speaker="ALSA: Virtual Speaker B"))
    await sound.open(ear)
    recordings: list[Recording] = []
    with on_desk.recording(Speaker.A) as a, on_desk.recording(Speaker.B) as b:
        recordings += [a, b]
        sound.play(tone(0.5), 0)
        await until(lambda: b.loudest() > 4_000)
    await sound.shutdown()
    assert recordings[0].loudest() == 0


async def test_each_microphone_is_the_one_that_was_chosen(on_desk: Desk, ear: Ear, tmp_path: Path) -> None:
    write_wav(tmp_path / "tone.wav", 24_000, to_samples(tone(0.5)))
    sound = EngineSound(ENGINE, AudioSettings(microphone="ALSA: Virtual Mic B", echo=EchoSetting.HEADSET))
    await sound.open(ear)
    await asyncio.to_thread(on_desk.play, tmp_path / "tone.wav", Microphone.A)
    assert np.abs(ear.heard).max(initial=0) == 0
    await asyncio.to_thread(on_desk.play, tmp_path / "tone.wav", Microphone.B)
    await ear.until(lambda: np.abs(ear.heard).max(initial=0) > 4_000)
    await sound.shutdown()


async def test_without_a_sound_server_open_and_list_say_so(
    sound: EngineSound, ear: Ear, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody.sock")
    with pytest.raises(KnownError) as caught:
        await sound.open(ear)
    assert caught.value.reason is Reason.SOUND_SERVER_GONE
    with pytest.raises(KnownError) as caught:
        await sound.devices()
    assert caught.value.reason is Reason.SOUND_SERVER_GONE


async def test_a_sound_server_that_goes_and_comes_back_is_found_again(ear: Ear, tmp_path: Path) -> None:
    with Desk() as own:
        command = ("env", *(f"{name}={own.env[name]}" for name in ("PULSE_SERVER", "ALSA_CONFIG_PATH")), *ENGINE)
        sound = EngineSound(command, AudioSettings(microphone=MICROPHONE, speaker=SPEAKER, echo=EchoSetting.HEADSET))
        await sound.open(ear)
        socket = own.folder / "run" / "pulse.sock"
        own.run("pactl", "exit")
        await ear.until(lambda: bool(ear.lost))
        await until(lambda: not socket.exists())
        again = await asyncio.create_subprocess_exec(
            "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--high-priority=no",
            "--realtime=no", "-F", str(own.folder / "sound.pa"),
            env=own.env, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await ear.until(lambda: len(ear.opened) == 2)
            frames = len(ear.frames)
            await ear.until(lambda: len(ear.frames) > frames + 3)
        finally:
            await sound.shutdown()
            again.terminate()
            await again.wait()
    assert ear.lost[0].reason in (Reason.SOUND_SERVER_GONE, Reason.DEVICE_STALLED)


async def test_delays_are_measured(desk: Desk, sound: EngineSound, ear: Ear) -> None:
    """Print the figures (`-s`), and hold only what no computer is too slow for."""
    await sound.open(ear)
    play_ms, flush_ms = [], []
    with desk.recording() as heard:
        for turn in range(8):
            quiet = len(heard.samples)
            begun = time.monotonic()
            sound.play(tone(20.0), 2 * turn)
            await until(lambda quiet=quiet: np.abs(heard.samples[quiet:].astype(int)).max(initial=0) > 1_000)  # type: ignore[misc]
            play_ms.append((time.monotonic() - begun) * 1e3)
            begun = time.monotonic()
            sound.flush(2 * turn + 2)
            await until(lambda: not heard.samples[-480:].any())
            flush_ms.append((time.monotonic() - begun) * 1e3)
    statistics = sound.statistics()
    figures = {
        "capture_to_on_frame_ms_p50": statistics.capture_ms_p50,
        "capture_to_on_frame_ms_p99": statistics.capture_ms_p99,
        "play_to_monitor_ms": sorted(play_ms),
        "flush_to_silence_ms_with_20_ms_of_proof": sorted(flush_ms),
        "worst_callback_gap_us": statistics.engine.worst_gap_us,
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    assert statistics.frames > 0
    assert statistics.engine.callbacks > 0
    assert statistics.engine.dropped_frames == 0


async def test_the_app_dying_takes_the_engine_along(on_desk: Desk, tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from novadesk.audio.client import EngineSound\n"
        "from novadesk.config import AudioSettings\n"
        "class Ear:\n"
        "    on_frame = on_played = on_opened = on_lost = on_barge_in = on_input = lambda *_: None\n"
        "async def main():\n"
        f"    sound = EngineSound({ENGINE!r}, AudioSettings())\n"
        "    await sound.open(Ear())\n"
        "    print(sound.engine_pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    app = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert app.stdout is not None
    engine = int(await app.stdout.readline())
    app.kill()
    await app.wait()
    await until(lambda: _ended(engine))


async def test_what_a_library_prints_does_not_reach_the_channel(on_desk: Desk, ear: Ear) -> None:
    noisy = (
        sys.executable,
        "-c",
        "import os, novadesk.audio.outbox as outbox\n"
        "from novadesk.audio import engine\n"
        "put = outbox.Outbox.put\n"
        "def loud(self, *reports):\n"
        "    print('hello from a library'); os.write(1, b'and from its C part')\n"
        "    put(self, *reports)\n"
        "outbox.Outbox.put = loud\n"
        "raise SystemExit(engine.main())",
    )
    sound = EngineSound(noisy, AudioSettings())
    await sound.open(ear)
    await ear.until(lambda: len(ear.frames) >= 5)
    await sound.shutdown()
    assert ear.lost == []


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
