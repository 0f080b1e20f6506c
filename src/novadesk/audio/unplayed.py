"""What the app has given to be played and no speaker has played yet: it survives the audio process."""

from novadesk.audio.formats import SAMPLE_BYTES

_REMEMBERED = 8


class Unplayed:
    """The newest generation's sound that the speaker has not played, and how much of it has been played."""

    def __init__(self) -> None:
        self.generation = 0
        self.pcm = bytearray()
        self._totals = {0: 0}
        self._bases = {0: 0}

    def flush(self, generation: int) -> bool:
        """Make a generation the newest; return whether it is newer than the one before."""
        if generation <= self.generation:
            return False
        self.generation = generation
        self.pcm.clear()
        self._totals[generation] = self._bases[generation] = 0
        for old in [known for known in self._totals if known < generation - _REMEMBERED]:
            del self._totals[old], self._bases[old]
        return True

    def played(self, generation: int, samples: int) -> int:
        """Take an engine's own count; return the count over all engines."""
        before = self._totals.get(generation, 0)
        total = max(before, self._bases.get(generation, 0) + samples)
        if generation in self._totals:
            self._totals[generation] = total
        if generation == self.generation:
            del self.pcm[: (total - before) * SAMPLE_BYTES]
        return total

    def begin_anew(self) -> None:
        """Expect the next engine to count from zero."""
        self._bases = dict(self._totals)
