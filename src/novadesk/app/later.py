"""What stands in the window for a core that is still being made: its wishes and questions wait, in order."""

import asyncio
from collections.abc import Callable
from typing import Any


class Later[T]:
    """Something that will be there, on a loop.

    Args:
        loop: on which it is made and used.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._there: asyncio.Future[T] = loop.create_future()

    def arrive(self, what: T) -> None:
        """Take it; called on the loop."""
        self._there.set_result(what)

    def give_up(self) -> None:
        """Tell who waits that it will not come; called on the loop. Idempotent."""
        self._there.cancel()

    async def wait(self) -> T:
        """Return it once it is there."""
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
