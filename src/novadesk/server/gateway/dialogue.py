"""What a client says on one WebSocket, and what follows: every message answered, every fault told to its sender."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from novadesk.errors import KnownError
from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.protocol.envelope import ClientMessage, Malformed, decode_client, unpack_audio
from novadesk.protocol.envelope_server import ServerMessage
from novadesk.protocol.envelope_values import ErrorCode
from novadesk.server.gateway.connection import SocketOutlet
from novadesk.server.gateway.denial import Denied, no_session
from novadesk.server.gateway.identity import Identity
from novadesk.server.gateway.metrics import GatewayMetrics
from novadesk.server.gateway.session import GatewaySession
from novadesk.server.gateway.sessions import Begun, Sessions
from novadesk.server.gateway.state import StoreBusy

_log = logging.getLogger(__name__)

type Verify = Callable[[str], Awaitable[Identity]]


def denied_by(error: KnownError) -> Denied:
    """Return what a client is told of a fault behind the gateway; what the fault says is for who runs it."""
    if isinstance(error, StoreBusy):
        return Denied(
            ErrorCode.RATE_LIMIT_EXCEEDED,
            "The gateway is busy.",
            "Try again in a moment.",
            retry_after_s=max(1, round(error.retry_after_s)),
        )
    return Denied(ErrorCode.INTERNAL_ERROR, "The gateway has a fault of its own.", "Try again in a moment.")


class Dialogue:
    """Carries out what one client asks for.

    Args:
        identity: whose connection it is.
        outlet: the way back.
        sessions: of this process.
        verify: checks a newer token.
        metrics: counts refusals.
        on_identity: called with the identity of a newer token.
    """

    def __init__(
        self,
        identity: Identity,
        outlet: SocketOutlet,
        *,
        sessions: Sessions,
        verify: Verify,
        metrics: GatewayMetrics,
        on_identity: Callable[[Identity], None],
    ) -> None:
        self.identity = identity
        self._outlet, self._sessions, self._verify = outlet, sessions, verify
        self._metrics, self._on_identity = metrics, on_identity
        self._session: GatewaySession | None = None
        self._early: list[said.Configure] = []

    @property
    def session(self) -> GatewaySession | None:
        """Return the session that this connection has."""
        held = self._session
        return held if held is not None and held.outlet is self._outlet else None

    async def take(self, text: str) -> None:
        """Take a text message."""
        message = decode_client(text)
        if isinstance(message, Malformed):
            self._refuse(Denied(message.code, message.message), message.request_id)
            return
        request_id = getattr(message, "request_id", None)
        try:
            await self._carry_out(message)
        except Denied as denied:
            self._refuse(denied, request_id)
        except KnownError as error:
            _log.warning("a message could not be carried out: %s", error.reason.value)
            self._refuse(denied_by(error), request_id)

    def take_sound(self, frame: bytes) -> None:
        """Take a binary message."""
        sound = unpack_audio(frame)
        if isinstance(sound, Malformed):
            self._refuse(Denied(sound.code, sound.message), None)
        elif (session := self.session) is None:
            self._refuse(no_session(), None)
        else:
            self._outlet.tell(session.hear(sound.pcm, sound.sequence))

    def over(self) -> None:
        """Take that the connection is gone."""
        if self._session is not None:
            self._session.detach(self._outlet)

    def refuse(self, denied: Denied) -> None:
        """Tell the client what is not done for it."""
        self._refuse(denied, None)

    def _refuse(self, denied: Denied, request_id: str | None) -> None:
        self._metrics.refused(denied.code.value)
        self._outlet.tell(denied.told(request_id=request_id))

    async def _carry_out(self, message: ClientMessage) -> None:
        match message:
            case said.Heartbeat(timestamp=timestamp):
                self._outlet.tell(told.HeartbeatAck(timestamp=timestamp))
            case said.Ack():
                self._held(None).acknowledge(message)
            case said.Audio():
                self._outlet.tell(self._held(message.session_id).take_audio(message))
            case said.AudioEnd():
                self._outlet.tell(self._held(message.session_id).end_of_speech())
            case said.CreateSession():
                await self._create(message)
            case said.ResumeSession():
                await self._resume(message)
            case said.Configure():
                await self._configure(message)
            case said.RefreshToken():
                await self._refresh(message)
            case said.EndSession():
                await self._end(message)
            case said.ResetSessions():
                await self._reset()
            case _:
                await self._ask_session(message)

    async def _ask_session(self, message: ClientMessage) -> None:
        """Carry out what the session answers itself."""
        session, tell = self._held(getattr(message, "session_id", None)), self._outlet.tell
        match message:
            case said.TextInput():
                session.say(message, partial(self._answer, session))
            case said.History(lines=lines):
                tell(await session.take_history(lines))
            case said.Stop():
                tell(session.stop_answer())
            case said.Pause():
                session.pause(partial(self._answer, session))
            case said.Resume():
                session.resume(partial(self._answer, session))
            case said.StartListening():
                tell(session.listen(on=True))
            case said.StopListening():
                tell(session.listen(on=False))
            case said.GetSessionStatus():
                tell(session.status())

    @staticmethod
    def _answer(session: GatewaySession, message: ServerMessage) -> None:
        """Give an answer that took its time to whichever connection has the session by then."""
        if session.outlet is not None:
            session.outlet.tell(message)

    def _held(self, session_id: str | None) -> GatewaySession:
        session = self.session
        if session is None or session_id not in (None, session.session_id):
            raise no_session()
        return session

    async def _create(self, message: said.CreateSession) -> None:
        held = self.session
        if held is not None and (message.request_id is None or held.record.request_id != message.request_id):
            raise Denied(ErrorCode.INVALID_PARAMETERS, "This connection has a session.", "End it first.")
        begun = await self._sessions.create(self.identity.subject, message, self._outlet.connection_id)
        record, session = begun.record, begun.session
        self._outlet.form = message.audio
        self._outlet.tell(
            told.SessionCreated(
                request_id=message.request_id,
                session_id=record.session_id,
                resume_secret=begun.secret,
                generation=record.generation,
                language=record.language or None,
                quality_tier=message.quality_tier,
                revision=record.revision,
                created_at=record.created_ms,
                expires_at=record.expires_at_s * 1000,
                heartbeat_s=max(1, round(self._sessions.timing.heartbeat_s)),
                title=record.title or None,
            )
        )
        self._attach(begun, behind=0)
        early, self._early = self._early, []
        for configuration in early:
            try:
                self._outlet.tell(await session.configure(configuration))
            except Denied as denied:
                self.refuse(denied)

    async def _resume(self, message: said.ResumeSession) -> None:
        if self.session is not None and self.session.session_id != message.session_id:
            raise Denied(ErrorCode.INVALID_PARAMETERS, "This connection has a session.", "End it first.")
        begun = await self._sessions.resume(self.identity.subject, message, self._outlet.connection_id)
        record, session = begun.record, begun.session
        self._outlet.form = message.audio
        self._outlet.tell(
            told.SessionResumed(
                session_id=record.session_id,
                generation=record.generation,
                history_length=begun.history_length,
                revision=record.revision,
                last_audio=session.last_audio,
                expires_at=record.expires_at_s * 1000,
                heartbeat_s=max(1, round(self._sessions.timing.heartbeat_s)),
            )
        )
        self._attach(begun, behind=message.last_sequence)

    def _attach(self, begun: Begun, behind: int) -> None:
        self._session = begun.session
        begun.session.attach(self._outlet, begun.record, behind)

    async def _configure(self, message: said.Configure) -> None:
        if self.session is not None:
            self._outlet.tell(await self.session.configure(message))
            return
        known = {kept.revision for kept in self._early}
        if message.revision is not None and message.revision in known:
            return
        if len(self._early) == _EARLY:
            raise Denied(ErrorCode.INVALID_PARAMETERS, "There is no session to configure yet.", "Begin one first.")
        self._early.append(message)

    async def _refresh(self, message: said.RefreshToken) -> None:
        identity = await self._verify(message.token)
        if identity.subject != self.identity.subject:
            raise Denied(ErrorCode.FORBIDDEN, "The token is somebody else's.", "Connect anew with it.")
        self.identity = identity
        self._on_identity(identity)
        self._outlet.tell(told.TokenRefreshed(expires_at=round(identity.expires_at_s * 1000)))

    async def _end(self, message: said.EndSession) -> None:
        session = self._held(message.session_id)
        await self._sessions.end(self.identity.subject, session.session_id, "asked", words=message.reason or "")

    async def _reset(self) -> None:
        held = self.session
        if held is not None:
            held.detach(self._outlet)  # this connection stays, for what is begun next
        count = await self._sessions.reset(self.identity.subject)
        if held is not None:
            self._outlet.tell(told.SessionEnded(session_id=held.session_id, reason="reset"))
        self._outlet.tell(told.SessionsReset(count=count))


_EARLY = 8
"""Configurations that wait for a session."""
