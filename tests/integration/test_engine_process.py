"""The audio process and its handle, without any sound device."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from novadesk.audio.child import Child
from novadesk.audio.client import EngineSound
from novadesk.config import AudioSettings
from novadesk.errors import BugError, KnownError, Reason
from novadesk.models import BargeIn, InputTrouble

ENGINE = (sys.executable, "-c", "from novadesk.audio.engine import main; raise SystemExit(main())")


class Ear:
    def __init__(self) -> None:
        self.lost: list[KnownError] = []
        self.opened = 0

    def on_frame(self, pcm: bytes, level: float) -> None:
        raise AssertionError

    def on_played(self, generation: int, samples: int, level: float) -> None:
        raise AssertionError

    def on_opened(self, microphone: str, speaker: str, note: str) -> None:
        self.opened += 1

    def on_lost(self, error: KnownError) -> None:
        self.lost.append(error)

    def on_barge_in(self, stage: BargeIn) -> None:
        raise AssertionError(stage)

    def on_input(self, trouble: InputTrouble) -> None:
        raise AssertionError(trouble)


@pytest.mark.parametrize(
    "command",
    [
        ("/no/such/program",),
        (sys.executable, "-c", "raise SystemExit(3)"),
        (sys.executable, "-c", "print('I do not speak this protocol', flush=True); input()"),
    ],
)
async def test_a_program_that_is_no_engine_is_a_known_error(command: tuple[str, ...]) -> None:
    ear = Ear()
    sound = EngineSound(command, AudioSettings())
    with pytest.raises(KnownError) as caught:
        await sound.open(ear)
    assert caught.value.reason is Reason.ENGINE_DIED
    with pytest.raises(KnownError) as caught:
        await sound.devices()
    assert caught.value.reason is Reason.ENGINE_DIED
    assert (ear.opened, ear.lost) == (0, [])
    await sound.shutdown()


async def test_a_device_that_never_opens_has_three_seconds() -> None:
    stuck = "import sys, time; from novadesk.audio.devices import Direction\n"
    stuck += "from novadesk.audio.framing import encode; from novadesk.audio.wire import Ready, Trying\n"
    stuck += "for report in Ready(), Trying(direction=Direction.MICROPHONE, device='mine'):\n"
    stuck += "    sys.stdout.buffer.write(encode(report))\n"
    stuck += "sys.stdout.flush(); time.sleep(60)"
    sound = EngineSound((sys.executable, "-c", stuck), AudioSettings())
    async with asyncio.timeout(60):
        with pytest.raises(KnownError) as caught:
            await sound.open(Ear())
    assert caught.value.reason is Reason.DEVICE_STALLED
    assert caught.value.what == "The microphone does not open in time."


OPENING = """
import sys, time
from novadesk.audio.framing import encode
from novadesk.audio.wire import Failed, Opened, Ready
from novadesk.errors import Reason
opened = Opened(microphone="mine", speaker="mine", note="", capture_hz=1, playout_hz=1, capture_latency_s=0,
                playout_latency_s=0, one_clock=True)
failed = Failed(reason=Reason.DEVICE_STALLED, what="mine stands", advice="", cause="no callback for 512 ms")
for report in (Ready(), opened, failed)[:int(sys.argv[1])]:
    sys.stdout.buffer.write(encode(report))
sys.stdout.flush()
time.sleep(60 * (sys.argv[1] == "3"))
"""


@pytest.mark.parametrize(
    ("reports", "line"),
    [
        (2, "the audio process is replaced (audio.engine_died): The audio process has stopped."),
        (3, "the audio process is replaced (audio.device_stalled): no callback for 512 ms"),
    ],
)
async def test_the_log_says_why_a_process_was_replaced(
    caplog: pytest.LogCaptureFixture, reports: int, line: str
) -> None:
    caplog.set_level("INFO", "novadesk.audio")
    sound, ear = EngineSound((sys.executable, "-c", OPENING, str(reports)), AudioSettings()), Ear()
    await sound.open(ear)
    async with asyncio.timeout(60):
        while not ear.lost:
            await asyncio.sleep(0.02)
    await sound.shutdown()
    assert line in caplog.messages
    assert "mine" not in caplog.text


async def test_shutdown_during_open_and_list_ends_both() -> None:
    silent = (sys.executable, "-c", "input()")
    sound = EngineSound(silent, AudioSettings())
    opening, listing = asyncio.create_task(sound.open(Ear())), asyncio.create_task(sound.devices())
    await asyncio.sleep(0.2)
    async with asyncio.timeout(60):
        await sound.shutdown()
        results = await asyncio.gather(opening, listing, return_exceptions=True)
    assert isinstance(results[0], KnownError)
    assert isinstance(results[1], asyncio.CancelledError)


async def test_ending_a_process_is_done_whole_however_often_it_is_cancelled() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    child = await Child.start((sys.executable, "-c", deaf))
    ending = asyncio.create_task(child.end())
    for _ in range(3):
        await asyncio.sleep(0)  # no longer: a busy computer could have ended it by then
        ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


async def test_half_a_sample_is_a_bug() -> None:
    with pytest.raises(BugError):
        EngineSound(ENGINE, AudioSettings()).play(b"\0", 0)


async def test_without_the_sound_library_open_and_list_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sound = EngineSound(ENGINE, AudioSettings())
    with pytest.raises(KnownError, match="PortAudio is missing") as caught:
        await sound.open(Ear())
    assert caught.value.reason is Reason.SOUND_SERVER_GONE
    with pytest.raises(KnownError, match="PortAudio is missing"):
        await sound.devices()


def test_the_process_ends_with_its_input() -> None:
    done = subprocess.run(ENGINE, input=b"", capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr == b""


def test_the_process_ends_at_a_command_that_makes_no_sense() -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(ENGINE, stdin=reading, stdout=subprocess.DEVNULL)
    os.close(reading)
    os.write(writing, b"what is this?")
    assert process.wait(timeout=60) == 0
    os.close(writing)
