"""The REST side: sessions, sound and history in the shapes of document 001, for the owner of a session alone."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from aiohttp import web

from novadesk.conversation.alarm import Alarm
from novadesk.errors import KnownError, Reason
from novadesk.models import Turn
from novadesk.protocol.envelope_client import Audio, CreateSession
from novadesk.protocol.envelope_kinds import Shape, Unfit
from novadesk.protocol.envelope_values import Configuration, ErrorCode
from novadesk.protocol.fields import parse
from novadesk.server.gateway.denial import Denied, no_session
from novadesk.server.gateway.dialogue import denied_by
from novadesk.server.gateway.door import Door
from novadesk.server.gateway.events import HEADERS, EventOutlet, bound_silence, cut, stamp
from novadesk.server.gateway.identity import SKEW_S, Identity
from novadesk.server.gateway.limits import RateLimiter
from novadesk.server.gateway.memory import RemoteMemory
from novadesk.server.gateway.metrics import GatewayMetrics
from novadesk.server.gateway.options import HEARTBEATS, GatewayLimits
from novadesk.server.gateway.refusal import refusal
from novadesk.server.gateway.remote_history import RemoteHistory
from novadesk.server.gateway.session import GatewaySession
from novadesk.server.gateway.sessions import REST, Sessions
from novadesk.server.gateway.state import SessionRecord
from novadesk.server.gateway.tracing import Step, traced
from novadesk.server.gateway.upstream import UpstreamParts

_log = logging.getLogger(__name__)

_AUDIO = Shape(Audio)
_PAGE = 200
_MOST_TURNS = 1_000
_MAX_ID_CHARS = 128
_MOST_PLACE = 2**32
_REMOTE_AGAIN_S = 5
_BODY_S = 20.0
_LONGEST_S = 30 * 86_400.0
type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RestServer:
    """Serves everything but `/ws`.

    Args:
        sessions: of this process.
        parts: the store, and time.
        door: says who somebody is, and who may not come in.
        memory: the remote copy of conversations; None without one.
        limits: how often somebody may ask.
        metrics: counts refusals.
    """

    def __init__(
        self,
        *,
        sessions: Sessions,
        parts: UpstreamParts,
        door: Door,
        memory: RemoteMemory | None,
        limits: GatewayLimits,
        metrics: GatewayMetrics,
    ) -> None:
        self._sessions, self._parts, self._door, self._memory = sessions, parts, door, memory
        self._store, self._clock, self._metrics = parts.store, parts.clock, metrics
        self._requests = RateLimiter(limits.requests)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        guard = self._guarded
        return [
            web.post("/session/start", guard(self._start)),
            web.get("/session/{session_id}/info", guard(self._info)),
            web.delete("/session/{session_id}", guard(self._end)),
            web.post("/audio/start", guard(self._audio_start)),
            web.post("/audio/chunk", guard(self._audio_chunk)),
            web.post("/audio/end", guard(self._audio_end)),
            web.get("/events/stream/{session_id}", guard(self._events), allow_head=False),
            web.get("/conversation/{session_id}/history", guard(self._history)),
            web.delete("/conversation/{conversation}", guard(self._forget)),
            web.options("/{path:.*}", guard(self._preflight)),
        ]

    # --- sessions --------------------------------------------------------------------------------

    async def _start(self, request: web.Request) -> web.Response:
        body = await _body(request)
        owner = await self._owner(request, body)
        existing, prompt = _text(body, "existingBedrockSessionId"), _text(body, "systemPrompt", 20_000)
        record = None
        if existing:
            record = await self._store.find_by_remote(owner, existing, now_s=self._door.now_s())
        if record is None:
            record = await self._begin(owner, existing, prompt)
        else:
            record = (await self._sessions.visit(owner, record.session_id)).record
        turns = await self._store.newest_turns(record.session_id, limit=_MOST_TURNS)
        return web.json_response(
            {
                "sessionId": record.session_id,
                "bedrockSessionId": record.bedrock_session_id or None,
                "status": "ACTIVE",
                "createdAt": stamp(record.created_ms),
                "historyLength": await self._store.count_turns(record.session_id),
                "conversationHistory": [_turn(turn) for turn in turns],
            }
        )

    async def _begin(self, owner: str, existing: str, prompt: str) -> SessionRecord:
        """Begin a session, with what was said before where there is something."""
        history = await self._recalled(owner, existing) if existing else None
        created = CreateSession(configuration=Configuration(prompt=prompt or None))
        session = (await self._sessions.create(owner, created, REST)).session
        try:
            remote = existing if history is not None else await self._remote_of(session)
            if history is not None and self._memory is not None:
                await self._memory.adopt(session.session_id, history)
            if remote:
                await session.name_remote(remote)
        except KnownError:  # nobody will know of it
            with contextlib.suppress(KnownError, Denied):
                await self._sessions.end(owner, session.session_id, "failed")
            raise
        return session.record

    async def _recalled(self, owner: str, bedrock_session_id: str) -> RemoteHistory:
        """Return what was said before, while there is no session yet that its absence would leave behind."""
        if self._memory is None:
            raise no_session()
        try:
            with traced(self._parts.tracer, Step.RECALL):
                return await self._memory.recall(owner, bedrock_session_id)
        except KnownError as error:
            if error.reason is Reason.UNKNOWN_CONVERSATION:
                raise
            _log.warning("what was said before cannot be had: %s", error.reason.value)
            raise Denied(
                ErrorCode.UPSTREAM_FAILED,
                "What was said before cannot be had now.",
                "Try again later, or begin without existingBedrockSessionId.",
                retry_after_s=_REMOTE_AGAIN_S,
            ) from error

    async def _remote_of(self, session: GatewaySession) -> str:
        """Return the remote session of a new one; empty while there is none: what is said is delivered later."""
        if self._memory is None:
            return ""
        try:
            return await self._memory.begin(session.session_id)
        except KnownError as error:
            _log.warning("session %s has no remote copy yet: %s", session.label, error.reason.value)
            return ""

    async def _info(self, request: web.Request) -> web.Response:
        record = await self._found(request, request.match_info["session_id"])
        here = next((session for session in self._sessions.here if session.session_id == record.session_id), None)
        return web.json_response(
            {
                "sessionId": record.session_id,
                "bedrockSessionId": record.bedrock_session_id or None,
                "status": "ACTIVE" if here is None else here.status().status.value.upper(),
                "createdAt": stamp(record.created_ms),
                "lastActivity": stamp(record.last_activity_ms),
                "audioBytesReceived": 0 if here is None else here.heard_bytes,
                "audioBytesSent": 0 if here is None else here.told_bytes,
                "messageCount": 0 if here is None else here.log.newest,
                "historyLength": await self._store.count_turns(record.session_id),
            }
        )

    async def _end(self, request: web.Request) -> web.Response:
        record = await self._found(request, request.match_info["session_id"])
        await self._sessions.end(record.owner, record.session_id, "deleted")
        if self._memory is not None:
            await self._memory.settle(record.session_id)  # whoever comes back at once finds it whole
        return web.json_response({"status": "success", "message": "Session ended"})

    async def _forget(self, request: web.Request) -> web.Response:
        conversation = _text(request.match_info, "conversation")
        owner = await self._owner(request, request.query)
        await self._sessions.forget(owner, conversation)
        if self._memory is not None:
            await self._memory.forget(owner, conversation)
        return web.json_response({"status": "success", "message": "Conversation deleted"})

    async def _history(self, request: web.Request) -> web.Response:
        record = await self._found(request, request.match_info["session_id"])
        after = _number(request.query.get("after", "-1"), -1)
        limit = min(_MOST_TURNS, max(1, _number(request.query.get("limit", str(_MOST_TURNS)), 1)))
        turns: list[Turn] = []
        while len(turns) < limit:
            page = await self._store.turns(record.session_id, after=after, limit=min(_PAGE, limit - len(turns)))
            turns += page
            if len(page) < _PAGE:
                break
            after = page[-1].position
        return web.json_response(
            {
                "sessionId": record.session_id,
                "bedrockSessionId": record.bedrock_session_id or None,
                "historyLength": await self._store.count_turns(record.session_id),
                "history": [_turn(turn) for turn in turns],
            }
        )

    # --- sound -----------------------------------------------------------------------------------

    async def _audio_start(self, request: web.Request) -> web.Response:
        session = await self._visited(request, await _body(request))
        session.open_voice()
        turns = await self._store.newest_turns(session.session_id, limit=_MOST_TURNS)
        return web.json_response(
            {
                "status": "success",
                "message": "Audio recording started",
                "historyLength": await self._store.count_turns(session.session_id),
                "history": [_turn(turn) for turn in turns],
            }
        )

    async def _audio_chunk(self, request: web.Request) -> web.Response:
        body = await _body(request)
        session = await self._visited(request, body)
        try:
            message: Audio = _AUDIO.read({**body, "sessionId": session.session_id})
        except Unfit as unfit:
            raise Denied(ErrorCode.INVALID_PARAMETERS, unfit.sentence) from unfit
        ack = session.take_audio(message)
        size_bytes = len(message.audio_data)
        return web.json_response(
            {"status": "success", "bytesSent": size_bytes, "sequence": ack.sequence, "dropped": ack.dropped}
        )

    async def _audio_end(self, request: web.Request) -> web.Response:
        session = await self._visited(request, await _body(request))
        session.end_of_speech()
        length = await self._store.count_turns(session.session_id)
        return web.json_response({"status": "success", "message": "Audio input ended", "historyLength": length})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        identity = await self._asker(request)
        record = await self._found_by(identity, request.match_info["session_id"])
        session = await self._sessions.visit(record.owner, record.session_id)
        behind = _number(request.headers.get("Last-Event-ID", "0"), 0)
        response = web.StreamResponse(headers={**HEADERS, **self._cors(request)})
        outlet = EventOutlet(self._clock, partial(cut, request))
        session.attach(outlet, session.record, behind)
        end = Alarm(partial(outlet.finish, "tokenExpired"))
        try:
            await response.prepare(request)
            bound_silence(request, self._sessions.timing.heartbeat_s * HEARTBEATS)
            if identity is not None:
                end.set_in(min(identity.expires_at_s - self._door.now_s() + SKEW_S, _LONGEST_S))
            await outlet.stream(response, self._sessions.timing.heartbeat_s)
        finally:
            end.cancel()
            session.detach(outlet)
        return response

    # --- who asks --------------------------------------------------------------------------------

    async def _asker(self, request: web.Request) -> Identity | None:
        """Return who asks; None for whoever is taken at their word."""
        return None if self._door.anybody(request) else await self._door.identity(request)

    async def _owner(self, request: web.Request, body: Mapping[str, Any]) -> str:
        identity = await self._asker(request)
        return _text(body, "userId") or "anonymous" if identity is None else identity.subject

    async def _found(self, request: web.Request, session_id: str) -> SessionRecord:
        return await self._found_by(await self._asker(request), session_id)

    async def _found_by(self, identity: Identity | None, session_id: str) -> SessionRecord:
        """Return a session of whoever asks; of a developer's own computer, any."""
        if not 0 < len(session_id) <= _MAX_ID_CHARS:
            raise no_session()
        if identity is not None:
            return await self._sessions.find(identity.subject, session_id)
        record = await self._store.find(session_id, now_s=self._door.now_s())
        if record is None:
            raise no_session()
        return record

    async def _visited(self, request: web.Request, body: Mapping[str, Any]) -> GatewaySession:
        record = await self._found(request, _text(body, "sessionId"))
        return await self._sessions.visit(record.owner, record.session_id)

    def _guarded(self, handler: Handler) -> Handler:
        """Return a handler behind origin and rate, whose refusals are answers."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                self._door.check_origin(request)
                if wait_s := self._requests.ask(self._door.address(request), self._door.now()):
                    raise Denied(ErrorCode.RATE_LIMIT_EXCEEDED, "Too many requests.", "Wait.", retry_after_s=wait_s)
                response = await handler(request)
            except Denied as denied:
                response = self._refused(denied)
            except KnownError as error:
                if error.reason is Reason.UNKNOWN_CONVERSATION:
                    response = self._refused(no_session())
                else:
                    _log.warning("a request could not be carried out: %s", error.reason.value)
                    response = self._refused(denied_by(error))
            if not response.prepared:
                response.headers.update(self._cors(request))
            return response

        return guarded

    def _refused(self, denied: Denied) -> web.Response:
        self._metrics.refused(denied.code.value)
        return refusal(denied)

    # --- pages of other origins ------------------------------------------------------------------

    def _cors(self, request: web.Request) -> dict[str, str]:
        origin = request.headers.get("Origin")
        if origin is None or not self._door.allows(origin):
            return {}
        exposed = {"Access-Control-Expose-Headers": "Retry-After, WWW-Authenticate"}
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin", **exposed}

    async def _preflight(self, _: web.Request) -> web.Response:
        allowed = {
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
            "Access-Control-Max-Age": "600",
        }
        return web.Response(status=204, headers=allowed)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_BODY_S):
            content = parse((await request.read()).decode())
    except TimeoutError as error:
        raise Denied(ErrorCode.INVALID_MESSAGE, "The request did not come in time.", "Send it again.") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise Denied(ErrorCode.MESSAGE_TOO_LARGE, "A request has at most 128 KB.") from error
    except UnicodeDecodeError as error:
        raise Denied(ErrorCode.INVALID_MESSAGE, "A request is a JSON object in UTF-8.") from error
    if not isinstance(content, dict):
        raise Denied(ErrorCode.INVALID_MESSAGE, "A request is a JSON object.")
    return content


def _text(body: Mapping[str, Any], name: str, most: int = _MAX_ID_CHARS) -> str:
    """Return an optional text.

    Raises:
        Denied: it is none, or too long.
    """
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most or "\x00" in value:
        raise Denied(ErrorCode.INVALID_PARAMETERS, f"{name} must be text of at most {most} characters.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Denied(ErrorCode.INVALID_PARAMETERS, f"{name} must be text.") from error
    return value


def _number(text: str, least: int) -> int:
    try:
        return min(max(least, int(json.loads(text))), _MOST_PLACE)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Denied(ErrorCode.INVALID_PARAMETERS, "A place must be a whole number.") from error


def _turn(turn: Turn) -> dict[str, str]:
    return {"role": turn.role.value, "text": turn.heard_text, "timestamp": stamp(turn.at_ms)}
