"""Work that outlasts the call that asked for it: chores, done one after another."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from novadesk.errors import KnownError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Chore:
    work: Callable[..., Awaitable[None]]
    given: tuple[object, ...]
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class Background:
    """Owns every chore of a controller, so that none is lost, leaked or unobserved.

    Args:
        on_error: called with the known error of a failed chore.
        on_done: called after each chore.
    """

    def __init__(self, *, on_error: Callable[[KnownError], None], on_done: Callable[[], None]) -> None:
        self._on_error = on_error
        self._on_done = on_done
        self._chores: asyncio.Queue[_Chore] = asyncio.Queue()
        self._present: _Chore | None = None
        self._last: _Chore | None = None  # the one asked for last, until it is done
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._worker = asyncio.create_task(self._work(), name="chores")

    async def stop(self) -> None:
        """Drop the chores that wait, cancelling whoever waits for them."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
        self._last = None
        while not self._chores.empty():
            _cancel(self._chores.get_nowait().waiting)

    def queue[*Given](self, work: Callable[[*Given], Awaitable[None]], *given: *Given) -> None:
        """Do a chore after those before, unless it is the one asked for last and not done: that is the same wish."""
        self._add(work, given)

    def in_turn(self, work: Callable[[], None]) -> None:
        """Do something at once when there is no chore, else after those there are; nothing any more after `stop`."""
        if self._worker is None:
            return
        if self._present is None and self._chores.empty():
            work()
            return

        async def chore() -> None:
            work()

        self.queue(chore)

    async def do[*Given](self, work: Callable[[*Given], Awaitable[None]], *given: *Given) -> None:
        """Do as `queue` and return once it is done; its errors are raised here."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._add(work, given).waiting.append(done)
        await done

    def _add(self, work: Callable[..., Awaitable[None]], given: tuple[object, ...]) -> _Chore:
        last = self._last
        if last is None or (last.work, last.given) != (work, given):
            last = self._last = _Chore(work, given)
            self._chores.put_nowait(last)
        return last

    async def _work(self) -> None:
        while True:
            chore = self._present = await self._chores.get()
            error = await self._carry_out(chore)
            self._present = None
            if self._last is chore:
                self._last = None
            self._tell(chore, error)
            self._on_done()

    def _tell(self, chore: _Chore, error: Exception | None) -> None:
        """Tell of the end of a chore whoever waits for it, else (of an error) the owner."""
        waiting = [done for done in chore.waiting if not done.done()]
        for done in waiting:
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
        if error is None or waiting:
            return
        if isinstance(error, KnownError):
            self._on_error(error)
        else:
            _log.error("a chore failed by a bug", exc_info=error)

    @staticmethod
    async def _carry_out(chore: _Chore) -> Exception | None:
        try:
            await chore.work(*chore.given)
        except asyncio.CancelledError:
            _cancel(chore.waiting)
            raise
        except Exception as error:
            return error
        return None


def _cancel(waiting: Iterable[asyncio.Future[None]]) -> None:
    for done in waiting:
        done.cancel()
