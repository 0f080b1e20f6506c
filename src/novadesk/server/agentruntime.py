"""The session API of Bedrock Agent Runtime over HTTP, kept in SQLite: 11 session and 3 tag operations.

Wire (paths, methods, status codes, error header) is that of the service model bedrock-agent-runtime/2023-07-26. Every
path is taken with and without its final slash. Signatures are a middleware's business, given to `application`.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from novadesk.server.agentruntime_shapes import (
    ErrorType,
    ServiceError,
    check_arn,
    check_body,
    check_key_arn,
    check_metadata,
    check_page,
    check_session,
    check_step,
    check_tag_key,
    check_tags,
    check_text,
    check_uuid,
    invalid,
)
from novadesk.server.agentruntime_store import DEFAULT_MAX_STEPS, Document, SessionStore

DEFAULT_IDLE_TIMEOUT_S = 3_600.0
"""Idle time after which the service is said to expire a session (unverified); pass it to have it."""

_log = logging.getLogger(__name__)
_MAX_BODY_BYTES = 120_000_000  # 20 images of 3.75 MB in base64, and text.
_DEFAULT_PAGE = 100


class AgentRuntime:
    """The local Agent Runtime: one SQLite file behind one aiohttp application.

    Args:
        database: SQLite file; created when missing.
        clock: Unix seconds.
        idle_timeout_s: idle time after which a session is EXPIRED; None means never.
        max_steps: steps a session takes.
    """

    def __init__(
        self,
        database: Path,
        region: str = "us-east-1",
        account: str = "000000000000",
        clock: Callable[[], float] = time.time,
        *,
        idle_timeout_s: float | None = None,
        max_steps: int = DEFAULT_MAX_STEPS,
    ) -> None:
        self._store = SessionStore(
            database,
            region=region,
            account=account,
            clock=clock,
            idle_timeout_s=idle_timeout_s,
            max_steps=max_steps,
        )
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="agentruntime")

    def application(self, middlewares: Sequence[Middleware] = ()) -> web.Application:
        """Return the application to serve; `middlewares` (signatures, faults) run before any operation."""
        application = web.Application(middlewares=[_speak_json, *middlewares], client_max_size=_MAX_BODY_BYTES)
        one = "/sessions/{session}"
        routes: list[tuple[str, str, Handler]] = [
            ("PUT", "/sessions", self._create_session),
            ("POST", "/sessions", self._list_sessions),
            ("GET", one, self._get_session),
            ("PUT", one, self._update_session),
            ("PATCH", one, self._end_session),
            ("DELETE", one, self._delete_session),
            ("PUT", f"{one}/invocations", self._create_invocation),
            ("POST", f"{one}/invocations", self._list_invocations),
            ("PUT", f"{one}/invocationSteps", self._put_step),
            ("POST", f"{one}/invocationSteps", self._list_steps),
            ("POST", one + "/invocationSteps/{step}", self._get_step),
            ("GET", "/tags/{arn}", self._list_tags),
            ("POST", "/tags/{arn}", self._tag),
            ("DELETE", "/tags/{arn}", self._untag),
        ]
        for method, path, handler in routes:
            application.router.add_route(method, path, handler)
            application.router.add_route(method, path + "/", handler)
        return application

    def close(self) -> None:
        """Finish what is being written and close the file; the application must not be served any more."""
        self._thread.submit(self._store.close)
        self._thread.shutdown(wait=True)

    async def close_all(self, status: str | None) -> None:
        """Put every session into a state of the service, or delete them all for None."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._store.close_all, status)

    async def _run(self, status: int, call: Callable[..., Document], *values: Any) -> web.Response:
        answer = await asyncio.get_running_loop().run_in_executor(self._thread, call, *values)
        return web.json_response(answer, status=status)

    async def _create_session(self, request: web.Request) -> web.Response:
        body = check_body(await request.read())
        key_arn = check_key_arn(body["encryptionKeyArn"]) if "encryptionKeyArn" in body else None
        metadata = check_metadata(body["sessionMetadata"]) if "sessionMetadata" in body else None
        tags = check_tags(body["tags"]) if "tags" in body else {}
        return await self._run(201, self._store.create_session, key_arn, metadata, tags)

    async def _get_session(self, request: web.Request) -> web.Response:
        return await self._run(200, self._store.get_session, _session(request))

    async def _update_session(self, request: web.Request) -> web.Response:
        session, body = _session(request), check_body(await request.read())
        metadata = check_metadata(body["sessionMetadata"]) if "sessionMetadata" in body else None
        return await self._run(200, self._store.update_session, session, metadata)

    async def _end_session(self, request: web.Request) -> web.Response:
        return await self._run(200, self._store.end_session, _session(request))

    async def _delete_session(self, request: web.Request) -> web.Response:
        return await self._run(200, self._store.delete_session, _session(request))

    async def _list_sessions(self, request: web.Request) -> web.Response:
        return await self._run(200, self._store.list_sessions, *check_page(request.query, _DEFAULT_PAGE))

    async def _create_invocation(self, request: web.Request) -> web.Response:
        session, body = _session(request), check_body(await request.read())
        invocation = check_uuid(body["invocationId"], "invocationId") if "invocationId" in body else None
        description = check_text(body["description"], "description", 1, 200) if "description" in body else None
        return await self._run(201, self._store.create_invocation, session, invocation, description)

    async def _list_invocations(self, request: web.Request) -> web.Response:
        page = check_page(request.query, _DEFAULT_PAGE)
        return await self._run(200, self._store.list_invocations, _session(request), *page)

    async def _put_step(self, request: web.Request) -> web.Response:
        session = _session(request)
        return await self._run(201, self._store.put_step, session, check_step(check_body(await request.read())))

    async def _get_step(self, request: web.Request) -> web.Response:
        session, body = _session(request), check_body(await request.read())
        invocation = check_uuid(body.get("invocationIdentifier"), "invocationIdentifier")
        step = check_uuid(request.match_info["step"], "invocationStepId")
        return await self._run(200, self._store.get_step, session, invocation, step)

    async def _list_steps(self, request: web.Request) -> web.Response:
        session, body = _session(request), check_body(await request.read())
        given = body.get("invocationIdentifier")
        invocation = None if given is None else check_uuid(given, "invocationIdentifier")
        page = check_page(request.query, _DEFAULT_PAGE)
        return await self._run(200, self._store.list_steps, session, invocation, *page)

    async def _list_tags(self, request: web.Request) -> web.Response:
        return await self._run(200, self._store.tags, check_arn(request.match_info["arn"]))

    async def _tag(self, request: web.Request) -> web.Response:
        session, body = check_arn(request.match_info["arn"]), check_body(await request.read())
        return await self._run(200, self._store.tag, session, check_tags(body.get("tags")))

    async def _untag(self, request: web.Request) -> web.Response:
        keys = [check_tag_key(key) for key in request.query.getall("tagKeys", [])]
        if not 1 <= len(keys) <= 200:
            raise invalid("Value at 'tagKeys' must hold 1 to 200 keys")
        return await self._run(200, self._store.untag, check_arn(request.match_info["arn"]), keys)


def _session(request: web.Request) -> str:
    return check_session(request.match_info["session"])


def error_response(kind: ErrorType, message: str) -> web.Response:
    """Return an error as the service words it: header `x-amzn-ErrorType` and a JSON body with the message."""
    headers = {"x-amzn-ErrorType": kind.wire_name}
    return web.json_response({"message": message}, status=kind.status, headers=headers)


@web.middleware
async def _speak_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into the API's error answers and give every answer a request id."""
    try:
        response = await handler(request)
    except ServiceError as error:
        response = error_response(error.kind, error.message)
    except web.HTTPRequestEntityTooLarge:
        response = error_response(ErrorType.VALIDATION, "The request is too large")
    except web.HTTPException as error:
        response = error_response(ErrorType.UNKNOWN_OPERATION, f"No such operation: {error.reason}")
    except ConnectionError:
        response = error_response(ErrorType.VALIDATION, "The connection was lost")  # Nobody is there to read it.
    except Exception:  # The outermost frame of a request: the caller must get an answer.
        _log.exception("an operation of the local Agent Runtime failed")
        response = error_response(ErrorType.INTERNAL, "The request could not be carried out")
    if not response.prepared:
        response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    return response
