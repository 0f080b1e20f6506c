"""One blocking call on a daemon thread, awaited with a deadline: for libraries that may block for ever."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future


class DaemonCall[T]:
    """A call that runs by itself: giving up on it costs nothing, and it never holds up the end of the program.

    An executor's thread is joined at exit, so one stuck call would keep the whole program; a daemon thread is not.

    Args:
        function: the blocking call, without arguments.
        name: name of the thread, for reports.
    """

    def __init__(self, function: Callable[[], T], *, name: str) -> None:
        self._function = function
        self._future: Future[T] = Future()
        self._future.set_running_or_notify_cancel()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

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
