"""A gateway as a web application: its routes, and what begins and ends with it."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler

from novadesk import __version__
from novadesk.errors import KnownError
from novadesk.protocol.envelope_values import MAX_MESSAGE_BYTES
from novadesk.protocol.signin import SignInTerms
from novadesk.server.gateway.door import Door
from novadesk.server.gateway.identity import Verifier
from novadesk.server.gateway.issuer import LocalIssuer
from novadesk.server.gateway.memory import RemoteMemory
from novadesk.server.gateway.metrics import CONTENT_TYPE, GatewayMetrics
from novadesk.server.gateway.options import GatewayLimits, Timing
from novadesk.server.gateway.refusal import in_words
from novadesk.server.gateway.rest import RestServer
from novadesk.server.gateway.sessions import Sessions
from novadesk.server.gateway.terms import terms_route
from novadesk.server.gateway.upstream import UpstreamParts
from novadesk.server.gateway.websocket import SocketServer

_log = logging.getLogger(__name__)

SWEEP_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What a gateway is made of. Whoever made store, issuer and linker ends them, after the gateway.

    Attributes:
        upstream: conversations, and the store that all processes of this gateway share.
        verifier: checks tokens.
        memory: the remote copy of conversations; None without one.
        issuer: of a developer's own computer, served beside the gateway, with terms of its own.
        terms: where people sign in; None leaves it to the issuer, or to a proxy before the gateway.
        metrics: counts; also given to `upstream` as its meter.
        origins: pages that may ask.
        dev: REST requests from this computer need no token.
        behind_proxy: all requests come through a proxy that says in `X-Forwarded-For` who asks.
        name: of this process in the store.
    """

    upstream: UpstreamParts
    verifier: Verifier
    memory: RemoteMemory | None = None
    issuer: LocalIssuer | None = None
    terms: SignInTerms | None = None
    metrics: GatewayMetrics = field(default_factory=GatewayMetrics)
    limits: GatewayLimits = field(default_factory=GatewayLimits)
    timing: Timing = field(default_factory=Timing)
    origins: Collection[str] = ()
    dev: bool = False
    behind_proxy: bool = False
    name: str = field(default_factory=lambda: secrets.token_hex(8))


class Gateway:
    """One process's part of a gateway.

    Args:
        options: what it is made of.

    Attributes:
        application: serves it; its shutdown hands every session over to the store.
        sessions: what is served now.
    """

    def __init__(self, options: GatewayOptions) -> None:
        self._options = options
        self.sessions = Sessions(
            parts=options.upstream,
            limits=options.limits,
            timing=options.timing,
            metrics=options.metrics,
            gateway=options.name,
        )
        door = Door(
            options.verifier,
            clock=options.upstream.clock,
            origins=options.origins,
            dev=options.dev,
            behind_proxy=options.behind_proxy,
            tracer=options.upstream.tracer,
        )
        self._sockets = SocketServer(sessions=self.sessions, door=door, limits=options.limits, metrics=options.metrics)
        rest = RestServer(
            sessions=self.sessions,
            parts=options.upstream,
            door=door,
            memory=options.memory,
            limits=options.limits,
            metrics=options.metrics,
        )
        self.application = web.Application(client_max_size=MAX_MESSAGE_BYTES, middlewares=[_let_go, in_words])
        self.application.add_routes(
            [
                web.get("/ws", self._sockets.handle),
                web.get("/health", self._health),
                web.get("/metrics", self._metrics),
                *rest.routes(),
                *([] if options.issuer is None else options.issuer.routes()),
                *([] if options.terms is None else [terms_route(options.terms)]),
            ]
        )
        self.application.cleanup_ctx.append(self._sweeping)
        self.application.on_shutdown.append(self._shut_down)

    async def drain(self) -> None:
        """Take nothing new, and return once every client has gone elsewhere, or has had the time to."""
        self.sessions.begin_drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._options.timing.drain_s):
                await asyncio.gather(self._sockets.gone(), self.sessions.gone())

    async def _shut_down(self, _: web.Application) -> None:
        await self.sessions.stop()
        await self._sockets.close()

    async def _sweeping(self, _: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._sweep(), name="gateway-sweep")
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _sweep(self) -> None:
        """Forget sessions that are over, once in a while."""
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self._options.upstream.store.sweep(now_s=self._options.upstream.clock.unix_ms() / 1000)
            except KnownError as error:
                _log.warning("sessions that are over could not be forgotten: %s", error.reason.value)

    async def _health(self, _: web.Request) -> web.Response:
        draining = self.sessions.draining
        content = {
            "status": "draining" if draining else "ok",
            "service": "novadesk-gateway",
            "version": __version__,
            "sessions": len(self.sessions.here),
        }
        return web.json_response(content, status=503 if draining else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._options.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


def make_gateway(options: GatewayOptions) -> web.Application:
    """Return a gateway's application; running it is all there is to do."""
    return Gateway(options).application


def make_runner(application: web.Application, *, end_s: float = 2.0) -> web.AppRunner:
    """Return what serves a gateway's application, and logs nothing of what it is sent.

    Args:
        application: of a gateway.
        end_s: longest time that open requests have at its end.
    """
    return web.AppRunner(application, access_log=None, shutdown_timeout=end_s, handle_signals=False, logger=_http_log)


@web.middleware
async def _let_go(request: web.Request, handler: Handler) -> web.StreamResponse:
    """End a request whose client has gone, wherever that is noticed: nobody is left to answer, and nothing is wrong."""
    try:
        return await handler(request)
    except ConnectionError:
        if request.transport is not None and not request.transport.is_closing():
            raise
        return web.Response()


def _leave_out(record: logging.LogRecord) -> bool:
    """Keep of a request that is none its kind alone: aiohttp cites it, and there may be a token in it."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.levelno, record.levelname, record.exc_info = logging.INFO, logging.getLevelName(logging.INFO), None
        record.msg, record.args = "a request could not be read: %s", (type(error).__name__,)
    return True


_http_log = logging.getLogger(f"{__name__}.http")
_http_log.addFilter(_leave_out)
logging.getLogger("aiohttp.websocket").addFilter(lambda _: False)
"""There aiohttp cites the protocols that a client offers; one of them is its token."""
