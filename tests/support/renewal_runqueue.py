"""How long this thread had work to do and no processor to do it on, as Linux counts it."""

import time
from pathlib import Path

_FILE = Path("/proc/thread-self/schedstat")  # proc(5): time on a processor, time waiting for one, in nanoseconds
_WORTH_S = 0.005


class RunQueue:
    """Tells what of a pause was the computer's fault."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._waited_s = self._read_s()

    def look(self) -> tuple[float, float, float] | None:
        """Return (begin, end, seconds waited) since the last look, or None when it was next to nothing."""
        begin, before = self._at, self._waited_s
        self._at, self._waited_s = time.monotonic(), self._read_s()
        waited_s = self._waited_s - before
        return (begin, self._at, waited_s) if waited_s >= _WORTH_S else None

    @staticmethod
    def _read_s() -> float:
        try:
            return int(_FILE.read_text().split()[1]) / 1e9
        except OSError:
            return 0.0
