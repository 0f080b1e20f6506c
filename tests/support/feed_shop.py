"""A server of update feeds on this computer."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.support.feeds import Signer


class Shop:
    """Serves files, and sends elsewhere; notes who asked for what."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.address = ""
        self.signer = Signer()

    async def serve(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self.headers = dict(request.headers)
        if (elsewhere := self.moved.get(request.path)) is not None:
            return web.Response(status=302, headers={"Location": elsewhere})
        if (body := self.files.get(request.path)) is None:
            return web.Response(status=404, text="not here")
        return web.Response(body=body)

    def publish(self, content: bytes, path: str = "/stable.json") -> None:
        """Serve a feed with its signature."""
        self.files |= {path: content, f"{path}.sig": self.signer.sign(content)}


@asynccontextmanager
async def opened(tls: ssl.SSLContext | None = None) -> AsyncIterator[Shop]:
    """Yield a server that is open; with `tls` an encrypted one."""
    shop, application = Shop(), web.Application()
    application.router.add_get("/{path:.*}", shop.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        shop.address = f"http://127.0.0.1:{port}" if tls is None else f"https://localhost:{port}"
        yield shop
    finally:
        await runner.cleanup()
