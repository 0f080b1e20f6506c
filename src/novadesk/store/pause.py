"""What a failure of the remote side means, and how long to leave the remote side alone after it."""

import asyncio
import contextlib
import random
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from novadesk.errors import KnownError, Reason


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    def unix_ms(self) -> int:
        """Return Unix milliseconds."""
        ...


class Verdict(Enum):
    """What a failed delivery means for the rest."""

    WAIT = "wait"
    """The remote side is out of reach: everything waits, with growing pauses."""

    OFF = "off"
    """No right to it: sync is off for a long while, conversations go on locally."""

    LATER = "later"
    """Only this conversation waits."""

    NEVER = "never"
    """This row is refused for good: it is parked with the reason."""


_VERDICTS = {
    Reason.SYNC_UNREACHABLE: Verdict.WAIT,
    Reason.UNAVAILABLE: Verdict.WAIT,
    Reason.THROTTLED: Verdict.WAIT,
    Reason.UNREACHABLE: Verdict.WAIT,
    Reason.TIMED_OUT: Verdict.WAIT,
    Reason.TLS_REFUSED: Verdict.WAIT,
    Reason.PROXY_REFUSED: Verdict.WAIT,
    Reason.PRACTICE_FAILED: Verdict.WAIT,
    Reason.STORE_LOCKED: Verdict.WAIT,
    Reason.STORE_BROKEN: Verdict.WAIT,
    Reason.DISK_FULL: Verdict.WAIT,
    Reason.SYNC_DENIED: Verdict.OFF,
    Reason.ACCESS_DENIED: Verdict.OFF,
    Reason.BAD_SIGNATURE: Verdict.OFF,
    Reason.NO_CREDENTIALS: Verdict.OFF,
    Reason.CREDENTIALS_EXPIRED: Verdict.OFF,
    Reason.BAD_SETTINGS: Verdict.OFF,
    Reason.PRACTICE_PARTS_MISSING: Verdict.OFF,
    Reason.KEYRING_ABSENT: Verdict.OFF,
    Reason.KEYRING_LOCKED: Verdict.OFF,
    Reason.KEYRING_DENIED: Verdict.OFF,
    Reason.KEYRING_TIMED_OUT: Verdict.OFF,
    Reason.QUOTA: Verdict.LATER,
    Reason.SYNC_CONFLICT: Verdict.LATER,
    Reason.SYNC_SESSION_CLOSED: Verdict.LATER,
    Reason.BAD_REQUEST: Verdict.NEVER,
    Reason.UNKNOWN_CONVERSATION: Verdict.NEVER,
}


def verdict(error: KnownError) -> Verdict:
    """Return what a failure means; one that the table does not know concerns its conversation only."""
    return _VERDICTS.get(error.reason, Verdict.LATER)


def in_words(error: KnownError) -> str:
    """Return one line for people about what keeps sync from working."""
    if verdict(error) is Verdict.OFF:
        return f"Sync is off: {error.what} {error.advice}"
    return f"Sync waits: {error.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPolicy:
    """Times of the sync task. A pause doubles with each failure up to its ceiling, less up to half at random.

    Attributes:
        off_pause_s: how seldom a service is asked that gave no right to it.
        batch: rows taken from the outbox at once.
        turns_between_pulls: turns of the open conversation after which it is read again.
    """

    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    off_pause_s: float = 900.0
    lease_s: float = 300.0
    batch: int = 128
    turns_between_pulls: int = 5

    def backoff_s(self, misses: int) -> float:
        """Return a pause after `misses` earlier failures in a row."""
        longest = min(self.first_pause_s * 2.0 ** min(misses, 16), self.longest_pause_s)
        return longest * random.uniform(0.5, 1.0)


class Pause:
    """Leaves the remote side alone for a while after each failure.

    Attributes:
        error: what failed last, None when the last try went well.
    """

    def __init__(self, policy: SyncPolicy, clock: Clock) -> None:
        self.error: KnownError | None = None
        self._policy = policy
        self._clock = clock
        self._until = 0.0
        self._misses = 0
        self._ended = asyncio.Event()
        self._wished = False

    def miss(self, error: KnownError) -> bool:
        """Begin a pause; return whether the reason is a new one.

        There is none when `end` was called since the last one was sat out: what failed may have been asked before, of
        another network or without the rights that are there now.
        """
        if not self._wished:
            off = verdict(error) is Verdict.OFF
            pause_s = self._policy.off_pause_s if off else self._policy.backoff_s(self._misses)
            self._until = self._clock.now() + pause_s
            self._misses += 1
        is_new = self.error is None or self.error.reason is not error.reason
        self.error = error
        return is_new

    def rest(self) -> None:
        """Begin the longest pause, after a bug."""
        self._until = self._clock.now() + self._policy.longest_pause_s

    def clear(self) -> bool:
        """Take note that all is well; return whether it was not before."""
        was_bad, self.error, self._misses = self.error is not None, None, 0
        return was_bad

    def end(self) -> None:
        """End the pause now, and begin again with short ones."""
        self._until = 0.0
        self._misses = 0
        self._wished = True
        self._ended.set()

    async def sit_out(self) -> None:
        """Return when the pause is over."""
        while (pause_s := self._until - self._clock.now()) > 0:
            self._ended.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), pause_s)
        self._wished = False
