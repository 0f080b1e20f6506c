"""Work that outlasts the call that asked for it: chores, done one after another."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from novadesk.errors import KnownError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Chore:
    work: Callable[[], Awaitable[None]]
    done: asyncio.Future[None] | None = None


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
        while not self._chores.empty():
            if (done := self._chores.get_nowait().done) is not None:
                done.cancel()

    def queue(self, chore: Callable[[], Awaitable[None]]) -> None:
        """Do a chore after those before."""
        self._chores.put_nowait(_Chore(chore))

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

    async def do(self, chore: Callable[[], Awaitable[None]]) -> None:
        """Do a chore after those before and return once it is done; its errors are raised here."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._chores.put_nowait(_Chore(chore, done))
        await done

    async def _work(self) -> None:
        while True:
            chore = self._present = await self._chores.get()
            error = await self._carry_out(chore)
            self._present = None
            if chore.done is not None and not chore.done.done():
                if error is None:
                    chore.done.set_result(None)
                else:
                    chore.done.set_exception(error)
            elif isinstance(error, KnownError):
                self._on_error(error)
            elif error is not None:
                _log.error("a chore failed by a bug", exc_info=error)
            self._on_done()

    @staticmethod
    async def _carry_out(chore: _Chore) -> Exception | None:
        try:
            await chore.work()
        except asyncio.CancelledError:
            if chore.done is not None:
                chore.done.cancel()
            raise
        except Exception as error:
            return error
        return None
