"""What stands before several gateways: one address, connections that lead to one of them, and that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Switch:
    """Passes bytes on, to the gateway that it leads to."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._targets = [urlsplit(url) for url in urls]
        self._leads_to = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def start(self, *, again: bool = False) -> None:
        port = urlsplit(self.url).port if again else 0
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.url = "ws://{}:{}".format(*self._server.sockets[0].getsockname()[:2])

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def lead_to(self, gateway: int) -> None:
        """Lead the next connections to another gateway."""
        self._leads_to = gateway

    def cut(self) -> None:
        """Break every connection without a word."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self._targets[self._leads_to]
        self._writers.add(writer)
        try:
            there = await asyncio.open_connection(target.hostname, target.port)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(there[1])
        for way in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(self._pass(*way))
            self._tasks.add(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def switch(urls: Sequence[str]) -> AsyncIterator[Switch]:
    """Run one."""
    made = Switch(urls)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
