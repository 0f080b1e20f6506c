"""One thread of its own for work that would hold up the event loop."""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from functools import partial

_log = logging.getLogger(__name__)
_LEAVE_S = 1.0


class Worker:
    """Run jobs one after another on a daemon thread that ends with `close`.

    The thread starts with the first job. A job that hangs cannot keep the process alive.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._left: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def run[T](self, job: Callable[[], T]) -> T:
        """Return what `job` returns, or raise what it raises. Cancelling leaves the job to finish unheard."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                value = job()
            except Exception as error:
                _tell(loop, partial(_fail, answer, error))
            else:
                _tell(loop, partial(_finish, answer, value))

        self._post(work)
        return await answer

    async def close(self, last: Callable[[], object] | None = None) -> None:
        """Drop the jobs that have not begun, do a `last` one, end the thread. Bounded, idempotent, never raises.

        A thread that hangs in a job is left behind; as a daemon it dies with the process.
        """
        if self._closed:
            return
        self._closed = True
        if self._thread is None or self._left is None:
            return
        while not self._jobs.empty():
            self._jobs.get()
        if last is not None:
            self._jobs.put(partial(_quietly, last))
        self._jobs.put(None)
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._left.wait()
        except TimeoutError:
            _log.warning("a worker of the practice partner did not end in time")
            return
        self._thread.join(_LEAVE_S)

    def _post(self, work: Callable[[], None]) -> None:
        if self._closed:
            raise RuntimeError("this worker is closed")
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._left = asyncio.Event()
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put(work)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
        if self._loop is not None and self._left is not None:
            _tell(self._loop, self._left.set)


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        return  # the loop is closed: nobody is left to hear it


def _finish[T](answer: asyncio.Future[T], value: T) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail[T](answer: asyncio.Future[T], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _quietly(job: Callable[[], object]) -> None:
    try:
        job()
    except Exception as error:
        _log.warning("the last job of a worker failed: %s", type(error).__name__)
