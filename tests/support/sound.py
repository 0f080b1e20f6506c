"""The desktop's virtual sound devices: speak into its microphones, hear its speakers."""

import contextlib
import subprocess
import time
import wave
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.support import voices
from tests.support.daemons import DeskError

HEAR_HZ = 24_000
# The recogniser hears this voice word for word; it mishears Flite's, and espeak's most of the time.
_VOICE = voices.Speaker.FESTIVAL
_COMMAND_S = 60.0
_BREATH_S = 0.4  # said after the last word: a busy sound server still holds that back when its player has ended
Samples = npt.NDArray[np.int16]


class Microphone(Enum):
    """The virtual microphones; the first is the default one."""

    A = "a"
    B = "b"


class Speaker(Enum):
    """The virtual speakers; the first is the default one."""

    A = "a"
    B = "b"


# norewinds=1: without it an idle null sink renders two seconds ahead and a new stream waits as long.
_NULL_SINK = "load-module module-null-sink norewinds=1"
_SPEAKER = _NULL_SINK + " sink_name=spk_{0} rate=48000 channels=2 sink_properties=\"device.description='Speaker {1}'\""
_FEED = _NULL_SINK + " sink_name=feed_{0} rate=48000 channels=1 sink_properties=\"device.description='Feed {1}'\""
_MICROPHONE = (
    "load-module module-remap-source source_name=mic_{0} master=feed_{0}.monitor"
    " source_properties=\"device.description='Microphone {1}'\""
)

# PortAudio lists each of these by its name, and nothing else: no noise about missing cards.
ALSA_CONFIG = """
pcm.!default { type pulse }
ctl.!default { type pulse }
pcm.pulse { type pulse }
pcm."Virtual Mic A" { type pulse device mic_a }
pcm."Virtual Mic B" { type pulse device mic_b }
pcm."Virtual Speaker A" { type pulse device spk_a }
pcm."Virtual Speaker B" { type pulse device spk_b }
"""


def server_script(socket: Path, *, echo_ms: int | None) -> str:
    """Return the sound server's start-up script.

    Args:
        socket: where it listens.
        echo_ms: latency at which speaker A leaks into microphone A; None means no leak.
    """
    lines = [f"load-module module-native-protocol-unix socket={socket} auth-anonymous=1"]
    for template in (_SPEAKER, _FEED, _MICROPHONE):
        lines += [template.format(letter, letter.upper()) for letter in "ab"]
    lines += ["set-default-sink spk_a", "set-default-source mic_a"]
    if echo_ms is not None:
        lines.append(f"load-module module-loopback source=spk_a.monitor sink=feed_a latency_msec={echo_ms}")
    return "\n".join(lines) + "\n"


class Recording:
    """What a speaker plays from now on; `stop` gives 24 kHz mono samples."""

    def __init__(self, process: "subprocess.Popen[bytes]", file: Path) -> None:
        self._process = process
        self._file = file
        self._samples: Samples | None = None

    @property
    def samples(self) -> Samples:
        """Return what has been heard so far."""
        if self._samples is not None:
            return self._samples
        raw = self._file.read_bytes()
        return np.frombuffer(raw[: len(raw) // 2 * 2], dtype="<i2")

    def loudest(self) -> int:
        """Return the largest absolute sample so far."""
        samples = self.samples
        return int(np.abs(samples.astype(np.int32)).max()) if samples.size else 0

    def stop(self) -> Samples:
        """End the recording."""
        if self._samples is None:
            self._process.terminate()
            self._process.wait()
            self._samples = self.samples
        return self._samples


class SoundServer:
    """The running sound server, spoken to by its own command-line tools."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self._env = env
        self._folder = folder
        self._count = 0

    def answers(self) -> bool:
        """Say whether the last device of the start-up script is there."""
        listed = subprocess.run(
            ["pactl", "list", "short", "sources"], env=dict(self._env), capture_output=True, check=False
        )
        return b"mic_b" in listed.stdout

    def say(self, text: str, microphone: Microphone = Microphone.A) -> None:
        """Speak into a microphone; returns when all has been said."""
        file = self._next_file("say.wav")
        speech, rate_hz = voices.utterance(_VOICE, text)
        write_wav(file, np.pad(speech, (0, int(_BREATH_S * rate_hz))), rate_hz)
        self.play(file, microphone)

    def play(self, file: Path, microphone: Microphone = Microphone.A) -> None:
        """Feed a sound file into a microphone; returns when it has been played."""
        self._run("paplay", "--device", f"feed_{microphone.value}", str(file))

    @contextlib.contextmanager
    def recording(self, speaker: Speaker = Speaker.A) -> Iterator[Recording]:
        """Record what a speaker plays while the block runs."""
        file = self._next_file("heard.raw")
        with file.open("wb") as sink:
            process = subprocess.Popen(
                ["parec", "-d", f"spk_{speaker.value}.monitor", "--raw", "--format=s16le", f"--rate={HEAR_HZ}",
                 "--channels=1", "--latency-msec=20"],
                stdout=sink, env=dict(self._env),
            )  # fmt: skip
        recording = Recording(process, file)
        try:
            self._wait_for_first_bytes(file, process)
            yield recording
        finally:
            recording.stop()

    def hear(self, seconds: float, speaker: Speaker = Speaker.A) -> Samples:
        """Return what a speaker plays in the next seconds: mono, 24 kHz."""
        with self.recording(speaker) as recording:
            time.sleep(seconds)
        return recording.stop()

    def unplug(self, device: Microphone | Speaker) -> None:
        """Take a device away."""
        wanted = f"_name={_name(device)}"
        for line in self._run("pactl", "list", "short", "modules").splitlines():
            number, _, arguments = line.partition("\t")
            if any(word == wanted or word.endswith(wanted) for word in arguments.split()):
                self._run("pactl", "unload-module", number)
                return
        raise DeskError(f"{_name(device)} is not plugged in.")

    def plug(self, device: Microphone | Speaker) -> None:
        """Bring a device back."""
        template = _MICROPHONE if isinstance(device, Microphone) else _SPEAKER
        line = template.format(device.value, device.value.upper())
        _, module, *arguments = _split(line)
        self._run("pactl", "load-module", module, *arguments)

    def _wait_for_first_bytes(self, file: Path, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + _COMMAND_S
        while file.stat().st_size == 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise DeskError("The speaker cannot be heard.")
            time.sleep(0.01)

    def _next_file(self, suffix: str) -> Path:
        self._count += 1
        return self._folder / f"{self._count:04d}-{suffix}"

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=dict(self._env), capture_output=True, text=True, timeout=_COMMAND_S, check=False
        )
        if done.returncode != 0:
            raise DeskError(f"{command[0]} failed: {done.stderr.strip()}")
        return done.stdout


def _name(device: Microphone | Speaker) -> str:
    return f"{'mic' if isinstance(device, Microphone) else 'spk'}_{device.value}"


def _split(line: str) -> list[str]:
    """Split at blanks outside the double quotes, which the sound server's own parser wants to see."""
    words, quoted = [""], False
    for character in line:
        quoted ^= character == '"'
        if character == " " and not quoted:
            words.append("")
        else:
            words[-1] += character
    return words


def write_wav(file: Path, samples: Samples, rate_hz: int) -> None:
    """Write mono 16-bit samples."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(samples.astype("<i2").tobytes())
