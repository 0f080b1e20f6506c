"""`/ws`: one connection from its first byte to its last, each wait with a deadline."""

import asyncio
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMsgType, web

from novadesk.conversation.alarm import Alarm
from novadesk.protocol.envelope_server import ConnectionWarning
from novadesk.protocol.envelope_values import MAX_MESSAGE_BYTES, ErrorCode
from novadesk.server.gateway.connection import NO_HEARTBEAT, UNAUTHORIZED, SocketOutlet
from novadesk.server.gateway.denial import Denied, draining
from novadesk.server.gateway.dialogue import Dialogue
from novadesk.server.gateway.door import Door
from novadesk.server.gateway.identity import SKEW_S, SUBPROTOCOL, Identity
from novadesk.server.gateway.limits import RateLimiter
from novadesk.server.gateway.metrics import GatewayMetrics
from novadesk.server.gateway.options import HEARTBEATS, GatewayLimits
from novadesk.server.gateway.refusal import refusal
from novadesk.server.gateway.sessions import Sessions

_NO_SOCKET = Denied(ErrorCode.INVALID_ACTION, "This address is a WebSocket.", "Connect to it with ws:// or wss://.")
_READ_BYTES = 2 * MAX_MESSAGE_BYTES
"""Up to this size a message is refused with a sentence; a larger one is not read, and ends its connection."""

_CLOSE_S = 2.0


class SocketServer:
    """Serves `/ws`.

    Args:
        sessions: of this process.
        door: says who somebody is, and who may not come in.
        limits: how often somebody may connect, and say something.
        metrics: counts connections and refusals.
    """

    def __init__(self, *, sessions: Sessions, door: Door, limits: GatewayLimits, metrics: GatewayMetrics) -> None:
        self._sessions, self._door, self._limits, self._metrics = sessions, door, limits, metrics
        self._arrivals = RateLimiter(limits.connections)
        self._open: set[SocketOutlet] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        try:
            self._door.check_origin(request)
        except Denied as denied:
            self._metrics.refused(denied.code.value)
            return refusal(denied)
        if wait_s := self._arrivals.ask(self._door.address(request), self._door.now()):
            self._metrics.refused(ErrorCode.RATE_LIMIT_EXCEEDED.value)
            many = Denied(ErrorCode.RATE_LIMIT_EXCEEDED, "Too many connections.", "Wait.", retry_after_s=wait_s)
            return refusal(many)
        socket = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), max_msg_size=_READ_BYTES, compress=False, timeout=_CLOSE_S
        )
        if not socket.can_prepare(request).ok:
            answer = refusal(_NO_SOCKET, status=426)
            answer.headers["Upgrade"] = "websocket"
            return answer
        await socket.prepare(request)
        outlet = SocketOutlet(socket)
        self._open.add(outlet)
        self._metrics.connected(1)
        try:
            await self._serve(request, socket, outlet)
        finally:
            await outlet.stop()
            self._open.discard(outlet)
            self._metrics.connected(-1)
        return socket

    async def close(self) -> None:
        """Close every connection: this process is about to end."""
        for outlet in tuple(self._open):
            outlet.finish(WSCloseCode.GOING_AWAY)
        await self.gone()

    async def gone(self) -> None:
        """Return once no connection is left of those that there are now."""
        await asyncio.gather(*(outlet.over.wait() for outlet in tuple(self._open)))

    async def _serve(self, request: web.Request, socket: web.WebSocketResponse, outlet: SocketOutlet) -> None:
        try:
            identity = await self._door.identity(request)
        except Denied as denied:
            self._metrics.refused(denied.code.value)
            outlet.finish(UNAUTHORIZED, denied.told(fatal=True))
            return
        if self._sessions.draining:
            outlet.finish(WSCloseCode.GOING_AWAY, draining().told(fatal=True))
            return
        patience = _Patience(outlet, self._sessions.timing.heartbeat_s * HEARTBEATS, self._door.now)
        term = _Term(outlet, self._door, self._sessions.timing.warning_s)
        term.begin(identity)
        dialogue = Dialogue(
            identity,
            outlet,
            sessions=self._sessions,
            verify=self._door.verify,
            metrics=self._metrics,
            on_identity=term.begin,
        )
        try:
            await self._talk(socket, dialogue, patience)
        finally:
            patience.stop()
            term.stop()
            dialogue.over()

    async def _talk(self, socket: web.WebSocketResponse, dialogue: Dialogue, patience: "_Patience") -> None:
        messages = RateLimiter(self._limits.messages)
        while True:
            message = await socket.receive()
            patience.heard()
            match message.type:
                case WSMsgType.BINARY:
                    dialogue.take_sound(message.data)
                case WSMsgType.TEXT if wait_s := messages.ask("", self._door.now()):
                    dialogue.refuse(
                        Denied(ErrorCode.RATE_LIMIT_EXCEEDED, "Too many messages.", "Wait.", retry_after_s=wait_s)
                    )
                case WSMsgType.TEXT:
                    await dialogue.take(message.data)
                case _:
                    return


class _Patience:
    """Closes a connection on which nothing comes any more.

    Args:
        outlet: of the connection.
        seconds: longest time without a message.
        now: returns monotonic seconds.
    """

    def __init__(self, outlet: SocketOutlet, seconds: float, now: Callable[[], float]) -> None:
        self._outlet, self._seconds, self._now = outlet, seconds, now
        self._heard_at = now()
        self._alarm = Alarm(self._look)
        self._alarm.set_in(seconds)

    def heard(self) -> None:
        """Take that something came."""
        self._heard_at = self._now()

    def stop(self) -> None:
        """Look no more."""
        self._alarm.cancel()

    def _look(self) -> None:
        left_s = self._heard_at + self._seconds - self._now()
        if left_s > 0:
            self._alarm.set_in(left_s)
        else:
            self._outlet.finish(NO_HEARTBEAT)


class _Term:
    """Tells a client that its token ends, and closes the connection when it has.

    Args:
        outlet: of the connection.
        door: knows the time.
        warning_s: how long before the client is told.
    """

    def __init__(self, outlet: SocketOutlet, door: Door, warning_s: float) -> None:
        self._outlet, self._door, self._warning_s = outlet, door, warning_s
        self._warning, self._end = Alarm(self._warn), Alarm(self._expire)
        self._expires_at_s = 0.0

    def begin(self, identity: Identity) -> None:
        """Count to the end of another token."""
        self._expires_at_s = identity.expires_at_s
        left_s = min(identity.expires_at_s - self._door.now_s(), _LONGEST_S)
        self._warning.set_in(left_s - self._warning_s)
        self._end.set_in(left_s + SKEW_S)

    def stop(self) -> None:
        """Count no more."""
        self._warning.cancel()
        self._end.cancel()

    def _warn(self) -> None:
        left_s = max(0, round(self._expires_at_s - self._door.now_s()))
        self._outlet.tell(ConnectionWarning(reason="tokenExpiring", remaining_s=left_s))

    def _expire(self) -> None:
        denied = Denied(ErrorCode.TOKEN_EXPIRED, "The token has expired.", "Connect again with a new one.")
        self._outlet.finish(UNAUTHORIZED, denied.told(fatal=True))


_LONGEST_S = 30 * 86_400.0
