"""One request of an HTTP/2 connection and its response, as its handler sees them."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import h2.errors

from novadesk.errors import BugError

type Header = tuple[str, str]


class StreamLost(ConnectionError):
    """The client reset the stream or the connection is gone."""


class Carrier(Protocol):
    """What a stream needs of its connection."""

    def give_back(self, stream_id: int, window_bytes: int) -> None:
        """Return flow-control window for bytes that were read."""
        ...

    def send_headers(self, stream_id: int, headers: Sequence[Header], *, end: bool) -> None:
        """Send the headers of a response."""
        ...

    def send_data(self, stream_id: int, data: memoryview) -> int:
        """Send as many bytes as the windows allow; return how many."""
        ...

    def send_end(self, stream_id: int) -> None:
        """End a response."""
        ...

    def send_reset(self, stream_id: int, code: int) -> None:
        """Reset a stream."""
        ...

    async def drained(self) -> None:
        """Wait until the socket takes more."""
        ...

    def freeze(self) -> None:
        """Fall silent with the connection open."""
        ...

    def leave(self, code: int = 0, *, last_stream_id: int) -> None:
        """Send GOAWAY; the open streams go on."""
        ...

    def shut(self) -> None:
        """Close the connection in order (FIN)."""
        ...

    def abort(self) -> None:
        """Drop the connection with a TCP reset."""
        ...


class Stream:
    """One request and its response. Used by one handler on the connection's loop."""

    def __init__(self, connection: "Carrier", stream_id: int, headers: Sequence[Header]) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.headers = tuple(headers)
        self.responded = False
        self._inbox: deque[tuple[bytes, int]] = deque()
        self._ended = False
        self._sent_end = False
        self._lost = False
        self._deaf = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def is_lost(self) -> bool:
        """Return whether the stream can carry nothing any more."""
        return self._lost

    @property
    def is_done(self) -> bool:
        """Return whether nothing is left to be done: both sides have ended, or the stream is gone."""
        return self._lost or (self._sent_end and self._ended)

    def header(self, name: str) -> str:
        """Return a header's first value, or an empty string."""
        return next((value for key, value in self.headers if key == name), "")

    async def read(self) -> bytes:
        """Return the next bytes of the request, or none at its end; safe to cancel.

        Raises:
            StreamLost: when the client or the connection is gone.
        """
        while self._deaf or not self._inbox:
            if self._lost:
                raise StreamLost("the stream is gone")
            if self._ended and not self._deaf:
                return b""
            self._news.clear()
            await self._news.wait()
        data, window_bytes = self._inbox.popleft()
        self.connection.give_back(self.stream_id, window_bytes)
        return data

    async def lost(self) -> None:
        """Wait until the stream is gone."""
        while not self._lost:
            self._news.clear()
            await self._news.wait()

    def stop_reading(self) -> None:
        """Read nothing any more: no window goes back to the client."""
        self._deaf = True

    def respond(self, status: int, headers: Sequence[Header], *, end: bool = False) -> None:
        """Send the response's headers.

        Raises:
            StreamLost: when the stream is gone.
        """
        self._check()
        self.responded, self._sent_end = True, end
        self.connection.send_headers(self.stream_id, [(":status", str(status)), *headers], end=end)

    async def write(self, data: bytes) -> None:
        """Send bytes of the response; waits for the client's window and for the socket.

        Raises:
            StreamLost: when the stream is gone.
        """
        rest = memoryview(data)
        while rest:
            self._check()
            self._room.clear()
            sent = self.connection.send_data(self.stream_id, rest)
            rest = rest[sent:]
            if rest and not sent:
                await self._room.wait()
            await self.connection.drained()

    def end(self) -> None:
        """End the response. Does nothing on a stream that is gone or ended."""
        if not self._lost and not self._sent_end:
            self._sent_end = True
            self.connection.send_end(self.stream_id)

    def reset(self, code: int = h2.errors.ErrorCodes.INTERNAL_ERROR) -> None:
        """Reset the stream. Does nothing on a stream that is gone."""
        if not self._lost:
            self.connection.send_reset(self.stream_id, int(code))
            self.lose()

    async def finish(self, grace_s: float = 1.0) -> None:
        """End the response, then let the client end its request; the rest of it is dropped.

        A client that goes on sending is told after `grace_s` that nobody listens (RFC 9113, 8.1).
        """
        self.end()
        self._deaf = False
        with contextlib.suppress(StreamLost, TimeoutError):
            async with asyncio.timeout(grace_s):
                while await self.read():
                    pass
        if not self._ended:
            self.reset(h2.errors.ErrorCodes.NO_ERROR)

    def take(self, data: bytes, window_bytes: int) -> None:
        """Take bytes of the request from the connection."""
        self._inbox.append((data, window_bytes))
        self._news.set()

    def take_end(self) -> None:
        """Take the end of the request from the connection."""
        self._ended = True
        self._news.set()

    def make_room(self) -> None:
        """Wake a waiting write: the client's window grew."""
        self._room.set()

    def lose(self) -> None:
        """Mark the stream as gone and wake whoever waits."""
        self._lost = True
        self._news.set()
        self._room.set()

    def give_back_unread(self) -> None:
        """Return the window of what nobody read, so that the connection's other streams keep theirs."""
        while self._inbox:
            _, window_bytes = self._inbox.popleft()
            self.connection.give_back(self.stream_id, window_bytes)

    def _check(self) -> None:
        if self._lost:
            raise StreamLost("the stream is gone")
        if self._sent_end:
            raise BugError("the response has ended already")
