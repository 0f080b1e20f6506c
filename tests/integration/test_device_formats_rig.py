"""Devices of the rates and channel layouts that there are, measured with a tone on a private sound server."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from novadesk.audio.client import EngineSound
from novadesk.audio.formats import write_wav
from novadesk.config import AudioSettings, EchoSetting
from tests.support.desk import Desk
from tests.support.ears import Ear, Floats, tone

pytestmark = pytest.mark.rig

FORMATS = [(44_100, 1), (44_100, 2), (48_000, 2), (48_000, 8), (16_000, 1)]
HZ = 1_000.0
RECORD = ("parec", "-d", "shape_spk.monitor", "--raw", "--format=s16le", "--rate=48000")


@contextmanager
def devices_of(desk: Desk, folder: Path, rate_hz: int, channels: int) -> Iterator[Path]:
    """Add a microphone and a speaker of this rate and layout; give an ALSA configuration that knows them."""
    shape = (f"rate={rate_hz}", f"channels={channels}", "norewinds=1")
    modules = [
        desk.run("pactl", "load-module", "module-null-sink", "sink_name=shape_spk", *shape),
        desk.run("pactl", "load-module", "module-null-sink", "sink_name=shape_feed", *shape),
        desk.run("pactl", "load-module", "module-remap-source", "source_name=shape_mic", "master=shape_feed.monitor"),
    ]
    config = folder / "shape.conf"
    config.write_text(
        "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
        'pcm."Shape Mic" { type pulse device shape_mic }\npcm."Shape Speaker" { type pulse device shape_spk }\n'
    )
    try:
        yield config
    finally:
        for module in reversed(modules):
            desk.run("pactl", "unload-module", module.strip())


def shaped_engine(rate_hz: int, channels: int) -> tuple[str, ...]:
    """Return an engine whose PortAudio takes this rate and layout only, as of a device without a sound server."""
    return (
        sys.executable,
        "-c",
        "import sounddevice\n"
        "real = sounddevice._StreamBase.__init__\n"
        "def strict(self, *args, **kwargs):\n"
        f"    if (kwargs['samplerate'], kwargs['channels']) != ({rate_hz}, {channels}):\n"
        "        raise sounddevice.PortAudioError('Invalid sample rate', -9997)\n"
        "    real(self, *args, **kwargs)\n"
        "sounddevice._StreamBase.__init__ = strict\n"
        "query = sounddevice.query_devices\n"
        "def shaped(*args, **kwargs):\n"
        "    if args or kwargs:\n"
        "        return query(*args, **kwargs)\n"
        "    rows = [dict(row) for row in query()]\n"
        "    for row in rows:\n"
        f"        row['default_samplerate'] = {rate_hz}.0\n"
        "        for way in ('input', 'output'):\n"
        f"            row[f'max_{{way}}_channels'] = min({channels}, row[f'max_{{way}}_channels'])\n"
        "    return rows\n"
        "sounddevice.query_devices = shaped\n"
        "from novadesk.audio.engine import main; raise SystemExit(main())",
    )


def purity_db(samples: Floats, rate_hz: int, hz: float) -> float:
    """Return how far a tone stands above everything else, of a piece that is fitted by least squares."""
    angle = 2 * np.pi * hz * np.arange(len(samples)) / rate_hz
    basis = np.stack([np.cos(angle), np.sin(angle), np.ones(len(samples))], axis=1)
    fitted = basis @ np.linalg.lstsq(basis, samples, rcond=None)[0]
    return float(10 * math.log10(fitted.var() / (samples - fitted).var()))


def best_piece(samples: Floats, rate_hz: int) -> tuple[float, float]:
    """Return purity in dB and amplitude (0 to 1) of the best eighth of a second: a busy computer may spoil others."""
    size = rate_hz // 8
    starts = range(0, len(samples) - size, size // 2)
    best = max(starts, key=lambda start: purity_db(samples[start : start + size] + 1e-9, rate_hz, HZ))
    piece = samples[best : best + size]
    return purity_db(piece, rate_hz, HZ), float(np.sqrt(2) * piece.std() / 32_768)


@contextmanager
def running(desk: Desk, output: int | BinaryIO, *command: str) -> Iterator[None]:
    """Run a program of the desktop's while the block runs."""
    process = subprocess.Popen(command, stdout=output, env=desk.env)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize(("rate_hz", "channels"), FORMATS)
async def test_devices_of_every_rate_and_layout_sound_right(
    on_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate_hz: int, channels: int
) -> None:
    ear, file, heard = Ear(), tmp_path / "tone.wav", tmp_path / "heard.raw"
    write_wav(file, 48_000, tone(4.0, HZ, 48_000))
    with devices_of(on_desk, tmp_path, rate_hz, channels) as config:
        monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
        chosen = AudioSettings(microphone="ALSA: Shape Mic", speaker="ALSA: Shape Speaker", echo=EchoSetting.HEADSET)
        sound = EngineSound(shaped_engine(rate_hz, channels), chosen)
        await sound.open(ear)
        opened = sound.statistics().opened
        # One after the other: who speaks into an answer makes it softer.
        with running(on_desk, subprocess.DEVNULL, "paplay", "--device", "shape_feed", str(file)):
            await ear.until(lambda: ear.hears_hz(HZ))
            await ear.more_frames(20)
        await ear.until(lambda: not ear.hears_hz(HZ))
        with heard.open("wb") as sink, running(on_desk, sink, *RECORD, f"--channels={channels}"):
            sound.play((tone(1.0, HZ) * 32_767).astype("<i2").tobytes(), 0)
            await ear.until(lambda: bool(ear.played) and ear.played[-1] == 24_000)
            await ear.more_frames(8)
        await sound.shutdown()
    assert opened is not None
    assert (opened.capture_hz, opened.playout_hz, opened.note) == (rate_hz, rate_hz, "")
    captured = np.frombuffer(b"".join(ear.frames), "<i2").astype(np.float64)
    raw = heard.read_bytes()
    played = (
        np.frombuffer(raw[: len(raw) // (2 * channels) * 2 * channels], "<i2")
        .reshape(-1, channels)[:, 0]
        .astype(np.float64)
    )
    in_db, in_level = best_piece(captured, 16_000)
    out_db, out_level = best_piece(played, 48_000)
    figures = {"in_db": in_db, "in_level": in_level, "out_db": out_db, "out_level": out_level}
    shown = {name: round(value, 3) for name, value in figures.items()}
    sys.stdout.write(json.dumps({"rate_hz": rate_hz, "channels": channels, **shown}) + "\n")
    assert in_db > 40
    assert out_db > 40
    assert in_level == pytest.approx(0.25, rel=0.06)
    assert out_level == pytest.approx(0.25, rel=0.06)
