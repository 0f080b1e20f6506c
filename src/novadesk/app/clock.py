"""The one real clock; everything else is handed the time."""

import time


class SystemClock:
    """Monotonic seconds and Unix milliseconds of this machine."""

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def unix_ms(self) -> int:
        """Return Unix milliseconds."""
        return time.time_ns() // 1_000_000
