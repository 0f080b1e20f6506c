"""Rooms with a loudspeaker and a microphone, made of numbers: the same seed is the same room with the same voices.

Image sources give the reverberation (Allen and Berkley 1979); around it lie a delay, a loudspeaker that distorts, two
clocks that drift apart, and noise.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from novadesk.audio.formats import Samples, to_samples
from tests.support.voices import Speaker, speech

RATE_HZ = 16_000
STEP = RATE_HZ // 100
VOICE_DBFS = -26.0
ANSWER_LEVEL = 0.12  # of full scale, -18 dBFS: how loud the service speaks
_SOUND_M_S = 343.0
_SINC_TAPS = 32
_ACTIVE = 1e-3  # 30 dB under the loudest 20 ms

type Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a room is like.

    Attributes:
        seed: of the walls, the places in it and the noise.
        t60_s: time in which its echo falls by 60 dB.
        delay_ms: from handing a sample to the loudspeaker to hearing it, of buffers alone.
        drift_ppm: how much faster the loudspeaker's clock runs than the microphone's.
        drive: how far the loudspeaker is driven into saturation; 0 is linear, 1.5 clips loud vowels.
        echo_db: level of the echo against the person's voice, both at the microphone.
        noise_dbfs: level of the noise.
    """

    seed: int
    t60_s: float = 0.34
    delay_ms: float = 60.0
    drift_ppm: float = 0.0
    drive: float = 0.0
    echo_db: float = 0.0
    noise_dbfs: float = -62.0


class Room:
    """Turns what is played and said into what the microphone hears, as time passes.

    Args:
        plan: what it is like.
        answer: what will be played, to set the level of its echo by.
        seconds: how long it can be listened to.
    """

    def __init__(self, plan: Plan, answer: Samples, seconds: float) -> None:
        random = np.random.default_rng(plan.seed)
        self.plan = plan
        response = impulse_response(random, plan.t60_s)
        self._size = 1 << (len(response) + 2 * STEP - 1).bit_length()
        sample = answer[: 20 * RATE_HZ].astype(np.float64)
        echo = convolve(self._spoken(sample), response)
        level = 10 ** ((VOICE_DBFS + plan.echo_db) / 20)
        self._spectrum = np.fft.rfft(response * level / active_level(echo), self._size)
        self._line = np.zeros(int(seconds * RATE_HZ * 1.001) + self._size + RATE_HZ)
        self._played = 0
        self._heard = 0
        hiss = coloured_noise(random, int(seconds * RATE_HZ) + STEP)
        self._noise = hiss * 10 ** (plan.noise_dbfs / 20)
        self.echo = np.zeros(STEP)

    def frames_due(self) -> int:
        """Return how many frames the loudspeaker takes in the next 10 ms of the microphone."""
        return int((self._heard + STEP) * (1 + self.plan.drift_ppm * 1e-6)) - self._played

    def hear(self, played: Samples, voice: Samples) -> Samples:
        """Return 10 ms of the microphone; `echo` tells the part of it that is echo.

        Args:
            played: what the loudspeaker got meanwhile.
            voice: what the person says, as it arrives.
        """
        if np.any(played):
            part = np.fft.irfft(np.fft.rfft(self._spoken(played.astype(np.float64)), self._size) * self._spectrum)
            self._line[self._played : self._played + self._size] += part
        self._played += len(played)
        self.echo = self._read()
        self._heard += STEP
        sound = self.echo + voice + self._noise[self._heard - STEP : self._heard]
        return np.clip(sound, -1, 1).astype(np.float32)

    def _spoken(self, played: Signal) -> Signal:
        drive = 4 * self.plan.drive
        return np.tanh(played * drive) / drive if drive else played

    def _read(self) -> Signal:
        delay = self.plan.delay_ms * RATE_HZ / 1_000
        if not self.plan.drift_ppm:
            start = self._heard - round(delay)
            return self._line[start : start + STEP].copy() if start >= 0 else np.zeros(STEP)
        places = np.arange(self._heard, self._heard + STEP) * (1 + self.plan.drift_ppm * 1e-6)
        return interpolate(self._line, (places - delay).astype(np.float64))


def impulse_response(random: np.random.Generator, t60_s: float) -> Signal:
    """Return the way from a loudspeaker on a desk to a microphone an arm's length away, in a room of walls alike."""
    size = random.uniform((3.2, 2.8, 2.4), (5.5, 4.5, 2.8))
    speaker = size * (0.5, 0.4, 0.0) + random.uniform((-0.5, -0.3, 0.75), (0.5, 0.3, 0.95))
    angle, distance = random.uniform(0, 2 * np.pi), random.uniform(0.3, 0.7)
    microphone = speaker + distance * np.array((np.cos(angle), np.sin(angle), 0.0)) + (0, 0, random.uniform(-0.05, 0.1))
    surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    reflected = np.sqrt(1 - min(0.95, 0.161 * np.prod(size) / (surface * t60_s)))
    length = int(t60_s * RATE_HZ * 1.1)
    counts = np.ceil(length / RATE_HZ * _SOUND_M_S / (2 * size)).astype(int) + 1
    grid = np.meshgrid(*(np.arange(-count, count + 1) for count in counts), indexing="ij")
    response = np.zeros(length)
    for mirrored in np.ndindex(2, 2, 2):
        axes = range(3)
        away = [(1 - 2 * mirrored[i]) * speaker[i] + 2 * grid[i] * size[i] - microphone[i] for i in axes]
        bounces = sum(np.abs(grid[i] - mirrored[i]) + np.abs(grid[i]) for i in axes)
        far = np.sqrt(sum(part * part for part in away)).ravel()
        place = np.rint(far / _SOUND_M_S * RATE_HZ).astype(int)
        near = place < length
        weight = reflected ** bounces.ravel()[near] / np.maximum(far[near], 0.05)
        response += np.bincount(place[near], weight, length)
    return _without_bass(response)


def _without_bass(response: Signal) -> Signal:
    """Take away what image sources leave at 0 Hz and what no small loudspeaker plays."""
    spectrum = np.fft.rfft(response, 2 * len(response))
    ratio = np.fft.rfftfreq(2 * len(response), 1 / RATE_HZ) / 120.0
    result: Signal = np.fft.irfft(spectrum * (ratio**2 / (1 + ratio**2)))[: len(response)]
    return result


def interpolate(line: Signal, places: Signal) -> Signal:
    """Return a signal between its samples; before its begin it is silent."""
    whole = np.floor(places).astype(int)
    taps = np.arange(_SINC_TAPS) - _SINC_TAPS // 2 + 1
    distance = taps - (places - whole)[:, None]
    kernel = np.sinc(distance) * np.cos(np.pi * distance / (_SINC_TAPS + 2)) ** 2
    index = whole[:, None] + taps
    result: Signal = np.einsum("ij,ij->i", np.where(index >= 0, line[np.maximum(index, 0)], 0.0), kernel)
    return result


def convolve(signal: Signal, response: Signal) -> Signal:
    """Return as much of the response to a signal as the signal is long."""
    size = 1 << (len(signal) + len(response) - 1).bit_length()
    result: Signal = np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(response, size))[: len(signal)]
    return result


def active_level(signal: Signal) -> float:
    """Return the root mean square of the parts that are not silent."""
    power = np.square(signal[: len(signal) // 320 * 320]).reshape(-1, 320).mean(axis=1)
    return float(np.sqrt(power[power > power.max() * _ACTIVE].mean()))


def coloured_noise(random: np.random.Generator, frames: int) -> Signal:
    """Return noise like a quiet room's, more of it below 400 Hz, of level 1."""
    spectrum = np.fft.rfft(random.standard_normal(frames))
    spectrum *= 0.05 + 1 / np.sqrt(1 + (np.fft.rfftfreq(frames, 1 / RATE_HZ) / 400) ** 2)
    noise: Signal = np.fft.irfft(spectrum, frames)
    return noise / float(np.sqrt(np.mean(noise * noise)))


# ---------------------------------------------------------------- who speaks in them

ANSWERS = (
    "Of course, I would be happy to help you plan your holiday in the mountains this summer.",
    "First you should decide how many days you want to stay, and whether you prefer a hotel or a small house.",
    "The weather in July is usually warm, but in the evening you will need a good jacket.",
    "Trains are usually comfortable, although they can be late in the winter when heavy snow covers the tracks.",
    "If you buy the ticket early you often pay much less, and you can choose a seat next to the window.",
    "Remember to check the platform number, because it may change a few minutes before departure.",
    "When you arrive, ask a friendly person for directions, and do not be afraid to make mistakes.",
    "Learning a language takes patience, yet every short conversation makes the next one easier.",
    "The answer might be, go straight ahead for two hundred metres, then turn left at the old bridge.",
    "Very good. In the next part we will order dinner in a small restaurant beside the harbour.",
)
SAID = (
    "hello how are you today", "what time is it", "tell me a joke please", "my name is peter and i live in berlin",
    "what is the weather like in london tomorrow", "can you repeat that please", "stop talking for a moment",
    "i would like to order a cup of coffee and a sandwich", "set a timer for ten minutes", "please speak more slowly",
    "how do i get to the train station from here", "what is seven plus twelve", "turn the volume down a little",
    "i went to the market yesterday and bought some apples", "thank you very much for your help",
    "could you explain how a computer works", "i have been learning english for three years",
    "where can i find a good restaurant near the river", "let us practice a conversation about travel",
    "do you have any questions for me", "i am not sure what you mean by that", "how much does this shirt cost",
    "it was raining all morning so we stayed at home", "open the window because it is very hot in here",
    "goodbye and see you next week", "wait a second",
)  # fmt: skip
_PAUSE_S = (3.0, 5.0)
_HAS_VOICES = shutil.which("flite") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that the person says. `start` and `end` are sample numbers, `start` that of the first audible 10 ms."""

    start: int
    end: int
    text: str


@cache
def answer_track(seed: int, seconds: int) -> Samples:
    """Return an assistant that speaks without end, with short breaths."""
    random = np.random.default_rng(seed)
    pieces: list[Samples] = []
    while sum(map(len, pieces)) < seconds * RATE_HZ:
        for number in random.permutation(len(ANSWERS)):
            pieces += [_voiced(Speaker.SLT, ANSWERS[number]), np.zeros(RATE_HZ // 4, np.float32)]
    track = np.concatenate(pieces)[: seconds * RATE_HZ]
    track *= np.float32(ANSWER_LEVEL / np.sqrt(np.mean(track * track)))
    return track


def voice_track(seed: int, seconds: float, speakers: Sequence[Speaker], first_s: float) -> tuple[Samples, list[Said]]:
    """Return people who say something now and then, at `VOICE_DBFS`, and when they say what."""
    random = np.random.default_rng(seed)
    track, said = np.zeros(int(seconds * RATE_HZ), np.float32), list[Said]()
    place = int(first_s * RATE_HZ)
    while True:
        text = SAID[int(random.integers(len(SAID)))]
        sound = _voiced(speakers[int(random.integers(len(speakers)))], text)
        sound = sound * np.float32(10 ** (VOICE_DBFS / 20) / active_level(sound.astype(np.float64)))
        if place + len(sound) + 2 * RATE_HZ > len(track):
            return track, said
        track[place : place + len(sound)] = sound
        said.append(Said(start=place + _onset(sound), end=place + len(sound), text=text))
        place += len(sound) + int(random.uniform(*_PAUSE_S) * RATE_HZ)


def _onset(sound: Samples) -> int:
    """Return where the first 10 ms lie that are less than 22 dB under the loudest."""
    levels = np.sqrt(np.square(sound[: len(sound) // STEP * STEP]).reshape(-1, STEP).mean(axis=1))
    return int(np.argmax(levels > 0.08 * levels.max())) * STEP


def _voiced(speaker: Speaker, text: str) -> Samples:
    return to_samples(speech(speaker, text)) if _HAS_VOICES else murmur(speaker, text)


@cache
def murmur(speaker: Speaker, text: str) -> Samples:
    """Return speech-like sound without words: a buzz through three moving resonances, a syllable for every vowel."""
    random = np.random.default_rng(sum(map(ord, speaker.value + text)))
    pitch_hz = {Speaker.SLT: 190.0, Speaker.RMS: 105.0}.get(speaker, 130.0)
    syllables: list[Signal] = []
    for _ in range(max(2, sum(letter in "aeiouy" for letter in text))):
        frames = int(random.uniform(0.12, 0.26) * RATE_HZ)
        time = np.arange(frames) / RATE_HZ
        phase = np.cumsum(pitch_hz * random.uniform(0.9, 1.15) * (1 - 0.3 * time)) / RATE_HZ
        formants = random.uniform((280, 900, 2_200), (800, 2_100, 3_000))
        sound = np.zeros(frames)
        for harmonic in range(1, int(0.45 * RATE_HZ / pitch_hz)):
            gain = sum(1 / (1 + ((harmonic * pitch_hz - place) / 120) ** 2) for place in formants) / harmonic**0.3
            sound += gain * np.sin(2 * np.pi * harmonic * phase)
        hiss = np.diff(random.standard_normal(int(0.06 * RATE_HZ) + 1)) * random.uniform(0.05, 0.4)
        syllables += [hiss, sound * np.sin(np.pi * np.arange(frames) / frames) ** 0.5]
    joined = np.concatenate(syllables)
    joined *= 0.1 / np.sqrt(np.mean(joined * joined))
    return joined.astype(np.float32)
