"""Whether a session is still wanted here: by its client, by the clock, and by the store that other processes share."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable
from enum import Enum

from novadesk.conversation.ports import Clock
from novadesk.errors import KnownError
from novadesk.server.gateway.options import Timing
from novadesk.server.gateway.state import SessionRecord, SessionStore

_log = logging.getLogger(__name__)


class Over(Enum):
    """Why a session in this process is over.

    IDLE: nothing was said for too long. UNATTENDED: nobody came back in time. LOST: another process has it, or it has
    been ended there.
    """

    IDLE = "idle"
    UNATTENDED = "unattended"
    LOST = "lost"


def label_of(session_id: str) -> str:
    """Return what a session is called in logs: nothing that leads to it."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:8]


class Watch:
    """Looks after one session, and tells the store that it lives.

    Args:
        store: shared by all processes.
        clock: time.
        timing: when what is over.
        record: returns the session as this process has it.
        attended: returns whether it has a connection.
        grace_s: returns how long somebody without a connection is waited for.
        on_over: called once.
    """

    def __init__(
        self,
        *,
        store: SessionStore,
        clock: Clock,
        timing: Timing,
        record: Callable[[], SessionRecord],
        attended: Callable[[], bool],
        grace_s: Callable[[], float],
        on_over: Callable[[Over], None],
    ) -> None:
        self._store, self._clock, self._timing = store, clock, timing
        self._record, self._attended, self._grace_s, self._on_over = record, attended, grace_s, on_over
        self._hurry = asyncio.Event()
        self._seen_at = self._active_at = clock.now()
        self._label = label_of(record().session_id)
        self._task = asyncio.create_task(self._look(), name=f"session-{self._label}-watch")

    def seen(self) -> None:
        """Take a sign of life of a client without a connection."""
        self._seen_at = self._clock.now()

    def active(self) -> None:
        """Take that something was said."""
        self._active_at = self._clock.now()

    def look_now(self) -> None:
        """Look at once: something has changed that may be the end."""
        self._hurry.set()

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timing.touch_s):
                    await self._hurry.wait()
            self._hurry.clear()
            over = self._judge() or await self._touch()
            if over is not None:
                _log.info("session %s is over here: %s", self._label, over.value)
                self._on_over(over)
                return

    def _judge(self) -> Over | None:
        now = self._clock.now()
        if now - self._active_at >= self._timing.idle_s:
            return Over.IDLE
        return None if self._attended() or now - self._seen_at < self._grace_s() else Over.UNATTENDED

    async def _touch(self) -> Over | None:
        """Tell the store that the session lives; return whether it is ours no more."""
        record, now_ms = self._record(), self._clock.unix_ms()
        try:
            held = await self._store.touch(
                record.session_id,
                generation=record.generation,
                now_ms=now_ms,
                expires_at_s=now_ms // 1000 + round(self._timing.keep_s),
            )
            found = None if held else await self._store.find(record.session_id, now_s=now_ms / 1000)
        except KnownError as error:
            _log.warning("session %s: the store was not told that it lives: %s", self._label, error.reason.value)
            return None
        # Of a newer generation, but still in this process: it is just being given to another connection.
        return None if held or (found is not None and found.gateway == record.gateway) else Over.LOST
