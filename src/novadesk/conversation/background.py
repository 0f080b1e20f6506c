"""Work that outlasts the call that asked for it: chores, done one after another, and tasks, done at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from novadesk.errors import KnownError

_log = logging.getLogger(__name__)


class Background:
    """Owns every chore and task of a controller, so that none is lost, leaked or unobserved.

    Args:
        on_error: called with the known error of a failed chore.
        on_done: called after each chore.
    """

    def __init__(self, *, on_error: Callable[[KnownError], None], on_done: Callable[[], None]) -> None:
        self._on_error = on_error
        self._on_done = on_done
        self._chores: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._worker = asyncio.create_task(self._work(), name="chores")

    async def stop(self) -> None:
        """Drop the chores that wait, and let the tasks end."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None
        await self.settle()

    def queue(self, chore: Callable[[], Awaitable[None]]) -> None:
        """Do a chore after those before."""
        self._chores.put_nowait(chore)

    async def do(self, chore: Callable[[], Awaitable[None]]) -> None:
        """Do a chore after those before and return once it is done; its errors are raised here."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def watched() -> None:
            try:
                await chore()
            except KnownError as error:
                if not done.cancelled():
                    done.set_exception(error)
            else:
                if not done.cancelled():
                    done.set_result(None)

        self.queue(watched)
        await done

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do something at once, beside everything else."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    async def settle(self) -> None:
        """Return once no task runs."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _work(self) -> None:
        while True:
            chore = await self._chores.get()
            try:
                await chore()
            except KnownError as error:
                self._on_error(error)
            except Exception:
                _log.exception("a chore failed by a bug")
            self._on_done()

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            _log.error("task %s failed by a bug", task.get_name(), exc_info=bug)
