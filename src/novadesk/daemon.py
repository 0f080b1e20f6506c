"""One blocking call on a daemon thread, awaited with a deadline: for libraries that may block for ever."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue

type _Work = Callable[[], None]


class DaemonCall[T]:
    """A call that runs by itself: giving up on it costs nothing, and it never holds up the end of the program.

    An executor's thread is joined at exit, so one stuck call would keep the whole program; a daemon thread is not.

    Args:
        function: the blocking call, without arguments.
        name: name of the thread, for reports.
        threads: run on one of these instead of on a thread of its own; then they have the name.
    """

    def __init__(self, function: Callable[[], T], *, name: str = "", threads: "DaemonThreads | None" = None) -> None:
        self._function = function
        self._future: Future[T] = Future()
        self._future.set_running_or_notify_cancel()
        if threads is not None:
            threads.run(self._run)
        else:
            threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def running(self) -> bool:
        """Say whether the call has not returned yet."""
        return not self._future.done()

    async def result(self, *, deadline_s: float) -> T:
        """Return or raise what the call did. Cancelling or timing out leaves the call running.

        Raises:
            TimeoutError: the call has not returned within `deadline_s` seconds.
        """
        loop, returned = asyncio.get_running_loop(), asyncio.Event()

        def tell(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may be closed by the time a stuck call returns
                loop.call_soon_threadsafe(returned.set)

        self._future.add_done_callback(tell)
        async with asyncio.timeout(deadline_s):
            await returned.wait()
        return self._future.result()

    def _run(self) -> None:
        try:
            outcome = self._function()
        except BaseException as error:
            self._future.set_exception(error)
        else:
            self._future.set_result(outcome)


class DaemonThreads:
    """Daemon threads that are kept a while for the next call, for those who call often.

    Starting a thread waits until it has run once, and beside busy threads that holds up an event loop for
    milliseconds. A call never waits for another one: when no thread is free, one is started.

    Args:
        name: name of the threads, for reports.
        idle_s: seconds after which a thread without work ends.
    """

    def __init__(self, *, name: str, idle_s: float = 10.0) -> None:
        self._name = name
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[_Work | None]] = []
        self._closed = False

    def run(self, work: _Work) -> None:
        """Run `work`, which raises nothing, on a thread. After `close` that thread ends with it."""
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is not None:
            inbox.put(work)
            return
        inbox = SimpleQueue()
        inbox.put(work)
        threading.Thread(target=self._serve, args=(inbox,), name=self._name, daemon=True).start()

    def close(self) -> None:
        """Have the free threads end now, and every other one after its work. Idempotent."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for inbox in idle:
            inbox.put(None)

    def _serve(self, inbox: "SimpleQueue[_Work | None]") -> None:
        while (work := self._next(inbox)) is not None:
            work()
            del work  # or it and its outcome would stay until the next one
            with self._lock:
                if self._closed:
                    return
                self._idle.append(inbox)

    def _next(self, inbox: "SimpleQueue[_Work | None]") -> _Work | None:
        try:
            return inbox.get(timeout=self._idle_s)
        except Empty:
            with self._lock:
                if inbox in self._idle:
                    self._idle.remove(inbox)
                    return None
        return inbox.get()  # It was given work, or told to end, at the last moment.
