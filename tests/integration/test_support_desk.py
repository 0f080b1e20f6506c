"""The private desktop itself: each part works, and nothing stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support import desk as desk_module
from tests.support.daemons import DeskError
from tests.support.desk import Desk, Keyring
from tests.support.requirements import missing_programs, rig_packages
from tests.support.sound import HEAR_HZ, Microphone, Speaker, write_wav

pytestmark = pytest.mark.rig

ROOT = Path(__file__).resolve().parents[2]


def test_speech_into_the_microphone_is_recorded_from_it(desk: Desk, tmp_path: Path) -> None:
    heard = tmp_path / "heard.raw"
    with heard.open("wb") as out:
        recorder = subprocess.Popen(
            ["parec", "-d", "mic_a", "--raw", "--format=s16le", "--rate=16000", "--channels=1"],
            stdout=out,
            env=desk.env,
        )
    while heard.stat().st_size == 0:
        time.sleep(0.01)
    desk.say("hello")
    recorder.terminate()
    recorder.wait()
    samples = np.frombuffer(heard.read_bytes(), dtype="<i2").astype(float)
    assert np.abs(samples).max() > 3_000


def test_a_speaker_is_heard_and_the_other_is_silent(desk: Desk, tmp_path: Path) -> None:
    tone = (8_000 * np.sin(2 * np.pi * 440 * np.arange(HEAR_HZ) / HEAR_HZ)).astype(np.int16)
    write_wav(tmp_path / "tone.wav", tone, HEAR_HZ)
    with desk.recording() as first, desk.recording(Speaker.B) as second:
        desk.run("paplay", str(tmp_path / "tone.wav"))
        deadline = time.monotonic() + 60
        while first.loudest() < 4_000 and time.monotonic() < deadline:
            time.sleep(0.01)
    samples = first.stop()
    spectrum = np.abs(np.fft.rfft(samples))
    assert abs(np.argmax(spectrum) * HEAR_HZ / samples.size - 440) < 5
    assert second.loudest() == 0


def test_devices_can_be_unplugged_and_plugged_in_again(desk: Desk) -> None:
    sources = lambda: desk.run("pactl", "list", "short", "sources")  # noqa: E731 - one expression, used twice
    desk.unplug(Microphone.B)
    assert "mic_b" not in sources()
    with pytest.raises(DeskError, match="mic_b is not plugged in"):
        desk.unplug(Microphone.B)
    desk.plug(Microphone.B)
    assert "mic_b" in sources()
    desk.unplug(Speaker.B)
    desk.plug(Speaker.B)
    assert "spk_b" in desk.run("pactl", "list", "short", "sinks")


def test_the_keyring_keeps_a_secret(desk: Desk) -> None:
    script = "import keyring; keyring.set_password('desk', 'a', 's3'); print(keyring.get_password('desk', 'a'))"
    assert desk.run(sys.executable, "-c", script).strip() == "s3"


def test_the_screen_can_be_seen(desk: Desk, tmp_path: Path) -> None:
    desk.screenshot(tmp_path / "screen.png")
    assert "1280x800" in desk.run("identify", str(tmp_path / "screen.png"))


def test_a_desk_without_a_secret_service() -> None:
    with Desk(keyring=Keyring.ABSENT) as bare:
        script = "import keyring; print(type(keyring.get_keyring()).__module__)"
        assert bare.run(sys.executable, "-c", script).strip() == "keyring.backends.fail"


def test_a_locked_keyring_says_so() -> None:
    with Desk(keyring=Keyring.LOCKED) as locked:
        script = (
            "import secretstorage; bus = secretstorage.dbus_init();"
            "print(secretstorage.get_default_collection(bus).is_locked()); bus.close()"
        )
        assert locked.run(sys.executable, "-c", script).strip() == "True"


def test_the_command_line_gives_the_commands_own_status_and_leaves_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.desk", "--", "sh", "-c", "echo $XDG_RUNTIME_DIR; exit 7"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert not Path(done.stdout.strip()).parent.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ended_from_outside_every_daemon_ends_too(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.desk", "--", "sh", "-c", "echo $XDG_RUNTIME_DIR; exec sleep 600"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    folder = process.stdout.readline().strip()
    assert _mentions(folder)
    process.send_signal(number)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 60
    while _mentions(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _mentions(folder) == []


def _mentions(folder: str) -> list[str]:
    """Return the command lines of the running processes whose environment names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if folder in (entry / "environ").read_text(errors="replace") and (entry / "cmdline").read_bytes():
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
    return found


def test_without_its_packages_it_fails_with_the_line_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "missing_programs", lambda: ["Xvfb", "text2wave"])
    with pytest.raises(DeskError, match="apt-get install --no-install-recommends festival xvfb"):
        Desk().__enter__()


def test_every_program_it_needs_is_in_the_list_that_setup_installs() -> None:
    assert missing_programs() == []
    assert {"xvfb", "pulseaudio", "gnome-keyring", "festival"} <= set(rig_packages())
