"""PortAudio with one microphone and one speaker that never open; stands where `sounddevice` is looked for first.

Each process that loads it, and each opening that begins, is a line of the file that `HUNG_SOUND_TOLD` names.
"""

import os
import threading
from types import SimpleNamespace
from typing import NoReturn

MICROPHONE, SPEAKER = "Stuck microphone", "Stuck speaker"
default = SimpleNamespace(device=(0, 1))


class PortAudioError(Exception):
    """Is never raised: a driver that hangs does not say so."""


def query_hostapis() -> tuple[dict[str, object], ...]:
    """Return the one host API; with ALSA, each direction has a stream of its own."""
    return ({"name": "ALSA"},)


def query_devices() -> tuple[dict[str, object], ...]:
    """Return both devices."""
    common = {"hostapi": 0, "default_samplerate": 48_000.0}
    return (
        {"name": MICROPHONE, "max_input_channels": 1, "max_output_channels": 0, **common},
        {"name": SPEAKER, "max_input_channels": 0, "max_output_channels": 1, **common},
    )


def hang(*_: object, **__: object) -> NoReturn:
    """Begin an opening that does not end."""
    tell("opening")
    while True:
        threading.Event().wait()


def tell(what: str) -> None:
    """Write down what this process does."""
    if file := os.environ.get("HUNG_SOUND_TOLD"):
        with open(file, "a", encoding="utf-8") as told:
            told.write(f"{os.getpid()} {what}\n")


RawStream = RawInputStream = RawOutputStream = hang
tell("loads PortAudio")
