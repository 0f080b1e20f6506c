"""What stands before the Agent Runtime operations on their HTTP port: planned faults and signatures."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from novadesk.server.faults import API_ERRORS, SESSION_FAULTS, Fault, FaultPlan
from novadesk.server.refusal import Refusal
from novadesk.server.signature import AccessKey, SignedRequest, verify_request


def signature_guard(keys: Mapping[str, AccessKey], region: str, clock: Callable[[], datetime]) -> Middleware:
    """Return the middleware that lets only rightly signed requests through."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        body = await request.read()
        signed = SignedRequest(
            method=request.method,
            target=request.raw_path,
            headers=tuple((name.lower(), value) for name, value in request.headers.items()),
            payload_sha256=hashlib.sha256(body).hexdigest(),
        )
        try:
            verify_request(signed, keys=keys, now=clock(), region=region)
        except Refusal as refusal:
            return _answer(refusal)
        return await handler(request)

    return guard


def fault_guard(faults: FaultPlan, close_all: Callable[[str | None], Awaitable[None]]) -> Middleware:
    """Return the middleware that commits the planned faults of the Agent Runtime.

    Args:
        faults: what goes wrong, and when.
        close_all: puts every session into a state, or deletes them for None.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        planned = faults.next_request()
        if planned is None:
            return await handler(request)
        if planned.fault in API_ERRORS:
            await request.read()
            return _answer(API_ERRORS[planned.fault])
        if planned.fault is Fault.API_DOWN:
            return _dropped(request)
        if planned.fault in SESSION_FAULTS:
            await close_all(SESSION_FAULTS[planned.fault])
            return await handler(request)
        if planned.fault is Fault.API_SLOW:
            await asyncio.sleep(planned.delay_s)
            return await handler(request)
        if planned.fault is Fault.API_LOST_ANSWER:
            await handler(request)
            return _dropped(request)
        return await _torn(request, handler)

    return guard


def _answer(refusal: Refusal) -> web.Response:
    headers = [pair for pair in refusal.headers(str(uuid4())) if pair[0] != "content-length"]
    return web.Response(status=refusal.status, body=refusal.body(), headers=headers)


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _torn(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Do as asked and lose the answer half way: the client cannot know whether it was done."""
    response = await handler(request)
    body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    torn = web.StreamResponse(status=response.status, headers={"content-type": "application/json"})
    torn.content_length = max(len(body), 2)
    await torn.prepare(request)
    await torn.write(body[: len(body) // 2])
    return _cut(request, torn)


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.close()
    return response
