"""The local issuer as a service to sign in at, a browser that a test drives, and a keyring in memory."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from novadesk.errors import KnownError
from novadesk.server.gateway.issuer import LocalIssuer

START_S = 1_800_000_000.0


class WallClock:
    """Unix seconds, moved by hand."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def served_issuer(
    folder: Path, clock: WallClock, *, access_s: float = 3600.0, interval_s: float = 0.01
) -> AsyncIterator[tuple[LocalIssuer, str]]:
    """Serve an issuer; yield it and the address of the gateway that it belongs to."""
    issuer = LocalIssuer(folder, clock=clock, user="alice", access_s=access_s, interval_s=interval_s)
    app = web.Application()
    app.add_routes(issuer.routes())
    server = TestServer(app)
    await server.start_server()
    try:
        yield issuer, str(server.make_url("/ws")).replace("http", "ws")
    finally:
        await server.close()
        issuer.close()


class Browser:
    """Opens pages and answers them, each in a task of its own, as a person does.

    Args:
        answer: to the question of the page: "allow" or "deny".
        user: whom the person says they are.
    """

    def __init__(self, answer: str = "allow", user: str = "alice") -> None:
        self._answer, self._user = answer, user
        self._visits: list[asyncio.Task[str]] = []
        self.opened: list[str] = []

    def open(self, address: str) -> None:
        """Visit a page."""
        self.opened.append(address)
        self._visits.append(asyncio.create_task(self._visit(address), name="browser"))

    async def end(self) -> list[str]:
        """Return what was seen last of each visit."""
        return list(await asyncio.gather(*self._visits))

    async def _visit(self, address: str) -> str:
        async with aiohttp.ClientSession() as session:
            async with session.get(address) as response:
                page, origin = await response.text(), f"http://{response.url.authority}"
            hidden = dict(re.findall(r'name="(wish|user_code)" value="([^"]*)"', page))
            form = {**hidden, "user": self._user, "answer": self._answer}
            target = "/authorize" if "wish" in hidden else "/activate"
            async with session.post(f"{origin}{target}", data=form, headers={"Origin": origin}) as response:
                return await response.text()


class Secrets:
    """Keeps one secret in memory; an `error` stands for a keyring that fails."""

    def __init__(self) -> None:
        self.kept: str | None = None
        self.error: KnownError | None = None

    async def get(self) -> str | None:
        self._fail()
        return self.kept

    async def set(self, value: str) -> None:
        self._fail()
        self.kept = value

    async def delete(self) -> bool:
        self._fail()
        had, self.kept = self.kept is not None, None
        return had

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error
