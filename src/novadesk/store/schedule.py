"""When the remote side is read: at the start, when a conversation is opened, every few turns, and on demand."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from novadesk.errors import KnownError
from novadesk.store.pause import Clock, Pause, SyncPolicy
from novadesk.store.pull import Pulled, Puller
from novadesk.store.together import together

_log = logging.getLogger(__name__)

_SIDE_BY_SIDE = 4
"""Conversations read at once when everything is read; their calls share the connections."""

type Progress = tuple[int, int]
"""Steps read, steps to read."""


@dataclass(slots=True)
class _Shared:
    """A pull under way and how many wait for it."""

    task: "asyncio.Task[Pulled]"
    waiting: int = 0


class PullSchedule:
    """Reads what other machines wrote. Never reads one conversation twice at once; who comes late waits along.

    Args:
        puller: does the reading.
        policy: pauses after failures, turns between two pulls.
        clock: monotonic seconds.
        on_progress: called with the progress of everything that is being read, and with None at the end.
        on_changed: called when something came in, or when `error` changed.
        on_listed: called when the account's list was read: there may be something to say to it.
        on_read: called after each planned pull of the open conversation, with whether it was the first since it was
            opened; awaited.
    """

    def __init__(
        self,
        puller: Puller,
        policy: SyncPolicy,
        clock: Clock,
        *,
        on_progress: Callable[[Progress | None], None],
        on_changed: Callable[[], None],
        on_listed: Callable[[], None],
        on_read: Callable[[str, Pulled, bool], Awaitable[None]],
    ) -> None:
        self._puller = puller
        self._policy = policy
        self._pause = Pause(policy, clock)
        self._on_progress = on_progress
        self._on_changed = on_changed
        self._on_listed = on_listed
        self._on_read = on_read
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._pulls: dict[str, _Shared] = {}
        self._progress: dict[str, Progress] = {}
        self._wishes: list[str | None] = []
        self._wished = asyncio.Event()
        self._open: str | None = None
        self._just_opened = False
        self._turns = 0
        self._reading: tuple[str, asyncio.Task[Pulled]] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def error(self) -> KnownError | None:
        """Return what keeps the remote side from being read, or None."""
        return self._pause.error

    def start(self) -> None:
        """Start to carry out plans; the first one is to find what other machines began."""
        if self._task is None:
            self._wishes = [None, *(wish for wish in self._wishes if wish is not None)]
            self._wished.set()
            self._task = asyncio.get_running_loop().create_task(self._run(), name="sync-pull")

    async def stop(self) -> None:
        """Stop whatever is being read; what was read is kept. Idempotent."""
        task, self._task = self._task, None
        tasks = [one for one in (task, *(shared.task for shared in self._pulls.values())) if one is not None]
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def opened(self, handle: str | None) -> None:
        """Plan to read the conversation that is open now; what is read of the one before stops."""
        self._open, self._just_opened, self._turns = handle, True, 0
        self._wishes = [wish for wish in self._wishes if wish is None]
        if self._reading is not None and self._reading[0] != handle:
            self._reading[1].cancel()
        if handle is not None:
            self._wish(handle)

    def turn_kept(self) -> None:
        """Count a turn of the open conversation; every few turns it is read again, and then the list."""
        self._turns += 1
        if self._open is not None and self._turns % self._policy.turns_between_pulls == 0:
            self._wish(self._open)
            self._wish(None)

    def try_now(self) -> None:
        """End a pause after a failure."""
        self._pause.end()

    async def pull(self, handle: str) -> int:
        """Read one conversation now; return the number of turns added or confirmed.

        Raises:
            KnownError: the remote side or the store; what was read until then is kept.
        """
        return (await self._told(self._pull(handle))).turns

    async def discover(self) -> int:
        """Find what other machines began; return how many conversations are new or have new names.

        Raises:
            KnownError: the remote side or the store.
        """
        return await self._told(self._discover(fresh=True))

    async def pull_all(self) -> int:
        """Find conversations, then read every one that the account has; return the number of turns that came in.

        Raises:
            KnownError: as `pull`.
        """
        return await self._told(self._pull_all())

    async def _told[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out a wish on demand; the state it finds is shown like that of a planned one."""
        try:
            result = await work
        except KnownError as error:
            self._fail(error)
            raise
        self._succeed()
        return result

    def _wish(self, wish: str | None) -> None:
        if wish not in self._wishes:
            self._wishes.append(wish)
        self._wished.set()

    async def _run(self) -> None:
        while True:
            await self._wished.wait()
            await self._pause.sit_out()
            try:
                await self._carry_out_wishes()
            except KnownError as error:
                self._fail(error)
            except Exception:  # The outermost frame of the task: reading outlives its own bugs.
                _log.exception("reading the remote side met a bug")
                self._wishes.clear()
                self._pause.rest()

    async def _carry_out_wishes(self) -> None:
        while self._wishes:
            wish = self._wishes[0]
            if wish is None:
                await self._discover()
            else:
                await self._read_open(wish)
            if wish in self._wishes:
                self._wishes.remove(wish)
            self._succeed()
        self._wished.clear()

    async def _read_open(self, handle: str) -> None:
        """Read the open conversation; another one being opened stops that."""
        task = asyncio.ensure_future(self._pull(handle))
        self._reading = handle, task
        first, self._just_opened = self._just_opened, False
        try:
            await self._on_read(handle, await task, first)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
        except KnownError:
            self._just_opened = first and self._open == handle
            raise
        finally:
            self._reading = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _discover(self, *, fresh: bool = False) -> int:
        changed, _ = await self._list(fresh=fresh)
        return changed

    async def _list(self, *, fresh: bool) -> tuple[int, list[str]]:
        changed, handles = await self._puller.discover(fresh=fresh)
        self._on_listed()
        if changed:
            self._on_changed()
        return changed, handles

    async def _pull_all(self) -> int:
        _, handles = await self._list(fresh=True)
        slots = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def pull(handle: str) -> int:
            async with slots:
                return (await self._pull(handle)).turns

        return sum(await together(*(pull(handle) for handle in handles)))

    async def _pull(self, handle: str) -> Pulled:
        """Wait for the pull of a conversation, begun now or before; it stops when nobody waits for it any more."""
        shared = self._pulls.get(handle)
        if shared is None:
            shared = _Shared(asyncio.create_task(self._pull_alone(handle), name="sync-pull-one"))
            self._pulls[handle] = shared
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting:
                if self._pulls.get(handle) is shared:
                    del self._pulls[handle]
                shared.task.cancel()
                await asyncio.gather(shared.task, return_exceptions=True)

    async def _pull_alone(self, handle: str) -> Pulled:
        async with self._locks[handle]:
            try:
                return await self._puller.pull(handle, partial(self._note, handle))
            finally:
                if self._progress.pop(handle, None) is not None:
                    self._show_progress()

    def _note(self, handle: str, read: int, to_read: int, changed: int) -> None:
        self._progress[handle] = read, to_read
        self._show_progress()
        if changed:
            self._on_changed()

    def _show_progress(self) -> None:
        if not self._progress:
            self._on_progress(None)
            return
        read, to_read = zip(*self._progress.values(), strict=True)
        self._on_progress((sum(read), sum(to_read)))

    def _fail(self, error: KnownError) -> None:
        if self._pause.miss(error):
            _log.warning("reading the remote side is put off: %s", error.reason.value)
            self._on_changed()

    def _succeed(self) -> None:
        if self._pause.clear():
            self._pause.end()
            self._on_changed()
