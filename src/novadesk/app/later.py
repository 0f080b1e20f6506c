"""What stands in the window for a core that is still being made: its wishes and questions wait, in order.

The window is painted with it, and asyncio is not loaded by then.
"""

import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class Doorstep:
    """Stands before a loop that will run: what is called waits for it, in order. Used on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def lead_to(self, loop: "asyncio.AbstractEventLoop") -> None:
        """Have the loop do what waits, and whatever comes."""
        with self._lock:
            self._loop = loop
            for callback, arguments in self._waiting:
                loop.call_soon_threadsafe(callback, *arguments)
            self._waiting.clear()

    def call_soon_threadsafe[*Given](self, callback: Callable[[*Given], object], /, *arguments: *Given) -> None:
        """Have the loop call back. Raises RuntimeError once it is closed, as the loop itself does."""
        with self._lock:
            if self._loop is None:
                self._waiting.append((callback, arguments))
            else:
                self._loop.call_soon_threadsafe(callback, *arguments)

    def is_closed(self) -> bool:
        """Return whether the loop is there no longer."""
        return self._loop is not None and self._loop.is_closed()


class Later[T]:
    """Something that will be there, on the one loop on which it is made and used."""

    @cached_property
    def _there(self) -> "asyncio.Future[T]":
        import asyncio

        return asyncio.get_running_loop().create_future()

    def arrive(self, what: T) -> None:
        """Take it; called on the loop."""
        self._there.set_result(what)

    def give_up(self) -> None:
        """Tell who waits that it will not come; called on the loop. Idempotent."""
        self._there.cancel()

    async def wait(self) -> T:
        """Return it once it is there."""
        import asyncio

        return await asyncio.shield(self._there)

    def when_there(self, do: Callable[[T], object]) -> None:
        """Call `do` with it, soon or once it is there; calls keep their order."""
        self._there.add_done_callback(lambda there: None if there.cancelled() else do(there.result()))


class Questions[T]:
    """Fits any protocol of asynchronous methods: each waits until there is somebody to answer.

    Args:
        later: will be there.
        find: returns who answers.
    """

    def __init__(self, later: Later[T], find: Callable[[T], Any]) -> None:
        self._later, self._find = later, find

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a method that waits."""

        async def ask(*values: Any, **named: Any) -> Any:
            return await getattr(self._find(await self._later.wait()), name)(*values, **named)

        return ask


class Wishes[T]:
    """Fits any protocol of methods without an answer: each is carried out once there is somebody to do it.

    Args:
        later: will be there.
        find: returns who does it, anew for each wish.
    """

    def __init__(self, later: Later[T], find: Callable[[T], Any]) -> None:
        self._later, self._find = later, find

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Return a method that waits; it is to be called on the loop."""

        def wish(*values: Any, **named: Any) -> None:
            self._later.when_there(lambda what: getattr(self._find(what), name)(*values, **named))

        return wish
