"""The core's own thread: one plain asyncio loop, so that a busy window never makes the conversation wait."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

STOP_S = 15.0


class CoreThread:
    """Runs a loop on a thread of its own until `stop`."""

    def __init__(self) -> None:
        self._made: Future[asyncio.AbstractEventLoop] = Future()
        self._over: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="core", daemon=True)

    def start(self) -> asyncio.AbstractEventLoop:
        """Start the thread; return its running loop."""
        self._thread.start()
        return self._made.result()

    def submit(self, work: Callable[[], Awaitable[Any]]) -> "Future[Any]":
        """Run a coroutine function on the core's loop; return its future."""

        async def run() -> Any:
            return await work()

        return asyncio.run_coroutine_threadsafe(run(), self._made.result())

    def stop(self) -> None:
        """End the loop and wait for the thread, at most `STOP_S`."""
        loop = self._made.result()
        loop.call_soon_threadsafe(self._over.set)
        self._thread.join(STOP_S)

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._over = asyncio.Event()
        self._made.set_result(asyncio.get_running_loop())
        await self._over.wait()
