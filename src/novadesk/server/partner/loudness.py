"""Find utterances by loudness alone: enough for scripts and the echo, where no speech parts are wanted."""

import numpy as np

_WINDOW_BYTES = 640
_WINDOW_MS = 20
_LOUD_RMS = 10 ** (-45 / 20) * 32_768


class UtteranceMeter:
    """Count utterances in s16le mono at 16 kHz: sound above -45 dBFS, then quiet.

    Args:
        least_ms: sound that makes an utterance.
        quiet_ms: quiet that ends it.
    """

    def __init__(self, *, least_ms: int = 100, quiet_ms: int = 400) -> None:
        self._least_ms = least_ms
        self._quiet_ms = quiet_ms
        self._rest = b""
        self._sound_ms = 0
        self._silence_ms = 0

    def take(self, pcm: bytes) -> int:
        """Take audio of any length; return how many utterances ended in it."""
        sound = self._rest + pcm
        whole = len(sound) - len(sound) % _WINDOW_BYTES
        self._rest = sound[whole:]
        ended = 0
        for start in range(0, whole, _WINDOW_BYTES):
            samples = np.frombuffer(sound, "<i2", _WINDOW_BYTES // 2, start).astype(np.float32)
            if float(np.sqrt(np.mean(samples * samples))) >= _LOUD_RMS:
                self._sound_ms += _WINDOW_MS
                self._silence_ms = 0
                continue
            self._silence_ms += _WINDOW_MS
            if self._silence_ms >= self._quiet_ms:
                ended += self._sound_ms >= self._least_ms
                self._sound_ms = 0
        return ended
