"""Whom an open sound tells."""

from typing import Protocol

from novadesk.audio.telling import Told
from novadesk.errors import KnownError
from novadesk.models import BargeIn


class Listener(Told, Protocol):
    """Hears from the devices, on the loop that opened them."""

    def on_frame(self, pcm: bytes, level: float) -> None:
        """Take 512 samples of s16le mono at 16 kHz."""
        ...

    def on_played(self, generation: int, samples: int, level: float) -> None:
        """Take the count of 24 kHz samples of this generation that the speaker has played so far."""
        ...

    def on_lost(self, error: KnownError) -> None:
        """Take the loss of the devices."""
        ...

    def on_barge_in(self, stage: BargeIn) -> None:
        """Take that somebody begins to speak while an answer is played; CONFIRMED has paused the answer."""
        ...
