"""How loud a sound is."""

import numpy as np

from novadesk.audio.formats import Samples, to_samples


def level_of_samples(samples: Samples) -> float:
    """Return the root mean square, 0 to 1 of full scale; 0 for nothing."""
    if not len(samples):
        return 0.0
    return min(1.0, float(np.sqrt(np.dot(samples, samples) / len(samples))))


def level_of_pcm(pcm: bytes) -> float:
    """Return the root mean square of s16le mono, 0 to 1 of full scale."""
    return level_of_samples(to_samples(pcm))
