"""Listen: find where speech begins and ends, and have it written down."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from novadesk.protocol.events import Sensitivity

RATE_HZ = 16_000
WINDOW_SAMPLES = 512
WINDOW_BYTES = 2 * WINDOW_SAMPLES
WINDOW_MS = 1_000 * WINDOW_SAMPLES // RATE_HZ
_SILENT_WINDOW = bytes(WINDOW_BYTES)

END_SILENCE_MS = {Sensitivity.HIGH: 480, Sensitivity.MEDIUM: 640, Sensitivity.LOW: 800}
"""Silence that ends an utterance. Measured response time, speech end to first reply audio, with 480 / 640 / 800 ms:
0.61-0.72 / 0.76-0.88 / 0.93-1.05 s (five utterances each, two shared cores)."""

_HESITATIONS = frozenset({"a", "ah", "and", "eh", "er", "hm", "hmm", "huh", "mm", "oh", "of", "the", "uh", "uhm", "um"})


class VoiceActivity(Protocol):
    """Tells speech from other sound."""

    def __call__(self, window: bytes, /) -> float:
        """Return the probability of speech, 0 to 1, in 512 samples of s16le at 16 kHz."""
        ...

    def reset(self) -> None:
        """Forget what was heard before."""
        ...


class Recogniser(Protocol):
    """Writes down one utterance at a time."""

    def start(self, tuning: str) -> None:
        """Begin an utterance of somebody whose `tuning` is known; empty for a new voice."""
        ...

    def feed(self, pcm: bytes) -> None:
        """Take s16le mono at 16 kHz."""
        ...

    def finish(self) -> str:
        """End the utterance; return its words in lower case, or nothing."""
        ...

    def tuning(self) -> str:
        """Return what the last utterance told about the voice and its microphone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningRules:
    """When speech counts.

    Attributes:
        threshold: Silero probability above which a window is speech.
        continue_threshold: probability that keeps an utterance open.
        onset_windows: windows of speech in a row that begin an utterance.
        confirm_ms: speech within an utterance that proves a person talks: it stops an answer being spoken.
        least_ms: shorter speech is a click or a cough.
        end_silence_ms: silence that ends an utterance.
        lead_ms: sound kept from before the onset, so that the first phoneme is not lost; silence fills it up.
        longest_ms: an utterance is cut here.
    """

    threshold: float = 0.5
    continue_threshold: float = 0.35
    onset_windows: int = 2
    confirm_ms: int = 224
    least_ms: int = 128
    end_silence_ms: int = END_SILENCE_MS[Sensitivity.MEDIUM]
    lead_ms: int = 480
    longest_ms: int = 30_000


def rules_for(sensitivity: Sensitivity | None, *, pause_scale: float = 1.0) -> ListeningRules:
    """Return the rules of an endpointing sensitivity; `pause_scale` lengthens or shortens the pause."""
    pause_ms = END_SILENCE_MS[sensitivity or Sensitivity.MEDIUM] * pause_scale
    return ListeningRules(end_silence_ms=max(WINDOW_MS, round(pause_ms)))


class Dismissal(Enum):
    """Why sound that began like speech is no utterance."""

    TOO_SHORT = "too_short"
    NO_WORDS = "no_words"


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """Sound that may be speech began."""


@dataclass(frozen=True, slots=True)
class SpeechConfirmed:
    """A person talks, without doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceHeard:
    """An utterance is over. `speech_ms` counts the speech in it, pauses left out."""

    text: str
    speech_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceDismissed:
    """What began was no utterance."""

    why: Dismissal
    speech_ms: int


type HearingEvent = SpeechBegan | SpeechConfirmed | UtteranceHeard | UtteranceDismissed


class Hearing:
    """Cut the microphone's sound into utterances and write them down. Counts time in samples only.

    Args:
        activity: speech detector of this conversation.
        lease: returns a recogniser for one utterance.
        give_back: takes it back.
        rules: when speech counts.
    """

    def __init__(
        self,
        activity: VoiceActivity,
        lease: Callable[[], Recogniser],
        give_back: Callable[[Recogniser], None],
        rules: ListeningRules,
    ) -> None:
        self._activity = activity
        self._lease = lease
        self._give_back = give_back
        self._rules = rules
        self._rest = b""
        self._lead: deque[bytes] = deque(maxlen=max(1, rules.lead_ms // WINDOW_MS))
        self._run = 0
        self._activity_clean = True
        self._recogniser: Recogniser | None = None
        self._speech_windows = 0
        self._quiet_windows = 0
        self._windows = 0
        self._confirmed = False
        self._tuning = ""

    def hear(self, pcm: bytes) -> list[HearingEvent]:
        """Take s16le mono at 16 kHz, any length; return what became clear."""
        sound = self._rest + pcm
        whole = len(sound) - len(sound) % WINDOW_BYTES
        self._rest = sound[whole:]
        events: list[HearingEvent] = []
        for start in range(0, whole, WINDOW_BYTES):
            events.extend(self._hear_window(sound[start : start + WINDOW_BYTES]))
        return events

    def close(self) -> None:
        """Drop an open utterance."""
        if self._recogniser is not None:
            recogniser, self._recogniser = self._recogniser, None
            recogniser.finish()
            self._give_back(recogniser)

    def _hear_window(self, window: bytes) -> Iterator[HearingEvent]:
        probability = self._probability(window)
        if self._recogniser is None:
            self._lead.append(window)
            self._run = self._run + 1 if probability >= self._rules.threshold else 0
            if self._run >= self._rules.onset_windows:
                self._begin()
                yield SpeechBegan()
            return
        self._recogniser.feed(window)
        self._windows += 1
        if probability >= self._rules.threshold:
            self._speech_windows += 1
        self._quiet_windows = 0 if probability >= self._rules.continue_threshold else self._quiet_windows + 1
        if not self._confirmed and self._speech_windows * WINDOW_MS >= self._rules.confirm_ms:
            self._confirmed = True
            yield SpeechConfirmed()
        too_long = self._windows * WINDOW_MS >= self._rules.longest_ms
        if too_long or self._quiet_windows * WINDOW_MS >= self._rules.end_silence_ms:
            yield self._end()

    def _probability(self, window: bytes) -> float:
        """Return the detector's verdict; a muted microphone's zeros cost nothing."""
        if window == _SILENT_WINDOW:
            if not self._activity_clean and self._recogniser is None:
                self._activity.reset()
                self._activity_clean = True
            return 0.0
        self._activity_clean = False
        return self._activity(window)

    def _begin(self) -> None:
        recogniser = self._lease()
        recogniser.start(self._tuning)
        self._recogniser = recogniser
        missing = (self._lead.maxlen or 0) - len(self._lead)
        for window in (*[_SILENT_WINDOW] * missing, *self._lead):
            recogniser.feed(window)
        self._windows = len(self._lead)
        self._lead.clear()
        self._speech_windows = self._run
        self._run = self._quiet_windows = 0
        self._confirmed = False

    def _end(self) -> HearingEvent:
        recogniser, self._recogniser = self._recogniser, None
        assert recogniser is not None
        try:
            text = recogniser.finish()
            tuning = recogniser.tuning()
        finally:
            self._give_back(recogniser)
        self._activity.reset()
        self._activity_clean = True
        speech_ms = self._speech_windows * WINDOW_MS
        if speech_ms < self._rules.least_ms:
            return UtteranceDismissed(why=Dismissal.TOO_SHORT, speech_ms=speech_ms)
        if all(word in _HESITATIONS for word in text.split()):
            return UtteranceDismissed(why=Dismissal.NO_WORDS, speech_ms=speech_ms)
        self._tuning = tuning
        return UtteranceHeard(text=text, speech_ms=speech_ms)
