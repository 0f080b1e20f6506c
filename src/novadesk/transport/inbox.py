"""Messages of a link on their way to its owner: bounded, and safe to stop waiting for."""

import asyncio
from collections import deque

from novadesk.protocol.link import Arrived, Closed, LinkMessage


class Inbox:
    """A queue with an end. One writer, one reader.

    Args:
        most_bytes: bytes of events kept before the writer has to wait.
    """

    def __init__(self, *, most_bytes: int = 1_048_576) -> None:
        self._most_bytes = most_bytes
        self._messages: deque[LinkMessage] = deque()
        self._bytes = 0
        self._closed: Closed | None = None
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, message: LinkMessage) -> None:
        """Add a message, waiting for room; dropped after the end."""
        while self._bytes >= self._most_bytes and self._closed is None:
            self._room.clear()
            await self._room.wait()
        if self._closed is None:
            self._bytes += _size(message)
            self._messages.append(message)
            self._arrived.set()

    def close(self, message: Closed, *, at_once: bool = False) -> None:
        """End the queue with `message`; `at_once` drops what is waiting. Only the first end counts."""
        if at_once:
            self._messages.clear()
            self._bytes = 0
        if self._closed is None:
            self._closed = message
        self._arrived.set()
        self._room.set()

    async def get(self) -> LinkMessage:
        """Return the next message; the end again and again. Safe to cancel."""
        while not self._messages:
            if self._closed is not None:
                return self._closed
            self._arrived.clear()
            await self._arrived.wait()
        message = self._messages.popleft()
        self._bytes -= _size(message)
        self._room.set()
        return message


def _size(message: LinkMessage) -> int:
    return len(message.payload) if isinstance(message, Arrived) else 0
