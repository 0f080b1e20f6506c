"""Speak: a sentence in, speech out, by espeak-ng. Its library is loaded late and only in the server's process."""

import ctypes
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np

from novadesk.audio.resampler import convert
from novadesk.errors import KnownError, Reason
from novadesk.server.partner.recognise import parts_missing

_LEVEL = 10 ** (-18 / 20)
_PEAK = 10 ** (-1 / 20)
_AUDIBLE = 0.004
_LEAD_MS = 10
_PAUSE_MS = 220

_SYNCHRONOUS = 2
_UTF8 = 1
_BY_CHARACTER = 1
_NEVER_EXIT = 0x8000
_RATE_PARAMETER = 1
_LONGEST_PATH = 150  # espeak-ng keeps its data path in a buffer of 160 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Timbre:
    """How a Nova voice sounds here: espeak's language, and its variant for the sex of the voice."""

    language: str
    variant: str

    def name(self, *, english: bool) -> str:
        """Return espeak's voice name; `english` keeps the timbre but reads English text."""
        language = self.language if self.language.startswith("en") or not english else "en-us"
        return f"{language}{self.variant}"


_MAN, _WOMAN = "+m3", "+f3"
TIMBRES = {
    "matthew": Timbre(language="en-us", variant=_MAN),
    "tiffany": Timbre(language="en-us", variant=_WOMAN),
    "amy": Timbre(language="en", variant=_WOMAN),
    "olivia": Timbre(language="en", variant="+f2"),
    "arjun": Timbre(language="en", variant="+m1"),
    "kiara": Timbre(language="en", variant="+f4"),
    "lupe": Timbre(language="es-419", variant=_WOMAN),
    "carlos": Timbre(language="es-419", variant=_MAN),
    "ambre": Timbre(language="fr", variant=_WOMAN),
    "florian": Timbre(language="fr", variant=_MAN),
    "tina": Timbre(language="de", variant=_WOMAN),
    "greta": Timbre(language="de", variant=_WOMAN),
    "lennart": Timbre(language="de", variant=_MAN),
    "beatrice": Timbre(language="it", variant=_WOMAN),
    "lorenzo": Timbre(language="it", variant=_MAN),
    "carolina": Timbre(language="pt-br", variant=_WOMAN),
    "leo": Timbre(language="pt-br", variant=_MAN),
}
"""Voices of Nova 2 Sonic by id (user guide, "Language support"); any other id sounds like matthew."""


class Voice(Protocol):
    """Turns a sentence into speech."""

    def say(self, sentence: str, *, voice: str, english: bool, words_per_minute: int, rate_hz: int) -> bytes:
        """Return s16le mono at `rate_hz`. Blocks: for a worker thread.

        Raises:
            KnownError: `PRACTICE_PARTS_MISSING` or `PRACTICE_FAILED`.
        """
        ...


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakVoice:
    """espeak-ng through its C interface: 1 % of real time, first sound in a few milliseconds once loaded."""

    def warm(self) -> None:
        """Load the library now (60 ms). Blocks.

        Raises:
            KnownError: `PRACTICE_PARTS_MISSING` or `PRACTICE_FAILED`.
        """
        with _TURN:
            _espeak()

    def say(self, sentence: str, *, voice: str, english: bool, words_per_minute: int, rate_hz: int) -> bytes:
        """Return the sentence as s16le mono at `rate_hz`, about -18 dBFS, a short pause after it. Blocks.

        Raises:
            KnownError: `PRACTICE_PARTS_MISSING` or `PRACTICE_FAILED`.
        """
        name = TIMBRES.get(voice.lower(), TIMBRES["matthew"]).name(english=english)
        with _TURN:
            espeak = _espeak()
            pcm = espeak.synthesise(sentence, name, words_per_minute)
        return _shape(pcm, espeak.rate_hz, rate_hz)


class _Espeak:
    """The library, which holds one state for the whole process: made once, used by one thread at a time.

    Raises:
        KnownError: `PRACTICE_PARTS_MISSING` or `PRACTICE_FAILED`.
    """

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise parts_missing() from error
        try:
            self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise _broken("does not load") from error
        data = str(espeakng_loader.get_data_path()).encode()
        if len(data) > _LONGEST_PATH:
            raise KnownError(
                Reason.PRACTICE_FAILED,
                "NovaDesk lies too deep in the file system for the practice partner's speech synthesiser.",
                "Move NovaDesk to a folder with a shorter path.",
            )
        _declare(self._library)
        self.rate_hz: int = self._library.espeak_Initialize(_SYNCHRONOUS, 100, data, _NEVER_EXIT)
        if self.rate_hz <= 0:
            raise _broken("does not find its data")
        self._pieces: list[bytes] = []
        self._callback = _CALLBACK(self._take)
        self._library.espeak_SetSynthCallback(self._callback)

    def choose(self, name: str) -> bool:
        """Choose a voice; return whether there is one of that name."""
        return bool(self._library.espeak_SetVoiceByName(name.encode()) == 0)

    def synthesise(self, sentence: str, name: str, words_per_minute: int) -> bytes:
        """Return a sentence as s16le mono at `rate_hz`."""
        self._pieces.clear()
        if not self.choose(name):
            self.choose("en-us")
        self._library.espeak_SetParameter(_RATE_PARAMETER, words_per_minute, 0)
        text = sentence.replace("\0", " ").encode() + b"\0"
        if self._library.espeak_Synth(text, len(text), 0, _BY_CHARACTER, 0, _UTF8, None, None) != 0:
            raise _broken("refuses a sentence")
        self._library.espeak_Synchronize()
        pcm = b"".join(self._pieces)
        self._pieces.clear()
        return pcm

    def _take(self, samples: Any, count: int, _events: object) -> int:
        if samples and count > 0:
            self._pieces.append(ctypes.string_at(samples, 2 * count))
        return 0


_TURN = threading.Lock()


@cache
def _espeak() -> _Espeak:
    return _Espeak()


def _declare(library: Any) -> None:
    """Give the functions of speak_lib.h their C types."""
    pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    library.espeak_Initialize.argtypes = [number, number, text, number]
    library.espeak_Initialize.restype = number
    library.espeak_SetSynthCallback.argtypes = [_CALLBACK]
    library.espeak_SetSynthCallback.restype = None
    library.espeak_SetVoiceByName.argtypes = [text]
    library.espeak_SetVoiceByName.restype = number
    library.espeak_SetParameter.argtypes = [number, number, number]
    library.espeak_SetParameter.restype = number
    library.espeak_Synth.argtypes = [
        text, ctypes.c_size_t, ctypes.c_uint, number, ctypes.c_uint, ctypes.c_uint, pointer, pointer
    ]  # fmt: skip
    library.espeak_Synth.restype = number
    library.espeak_Synchronize.argtypes = []
    library.espeak_Synchronize.restype = number


def _shape(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """Return speech without its silent ends, at another rate and the usual level, followed by a short pause."""
    pause = bytes(2 * (to_hz * _PAUSE_MS // 1_000))
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)
    audible = np.flatnonzero(np.abs(samples) > _AUDIBLE)
    if not len(audible):
        return pause
    lead = from_hz * _LEAD_MS // 1_000
    samples = samples[max(0, audible[0] - lead) : audible[-1] + lead]
    spoken = convert(samples, from_hz, to_hz)
    loud = spoken[np.abs(spoken) > _AUDIBLE]
    gain = _LEVEL / float(np.sqrt(np.mean(loud * loud))) if len(loud) else 1.0
    gain = min(gain, _PEAK / float(np.abs(spoken).max()))
    return np.rint(spoken * (gain * 32_767)).astype("<i2").tobytes() + pause


def _broken(how: str) -> KnownError:
    return KnownError(
        Reason.PRACTICE_FAILED,
        f"The speech synthesiser of the practice partner {how}.",
        "Install the practice parts again with `make setup`.",
    )
