"""A line to one session of the gateway: connections come and go, what is said and heard on it is in order and once.

A connection that breaks is made anew for a while: the rest of an answer arrives on the next one, and what was said
meanwhile goes out on it. Only where that takes too long the line is over.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeGuard, get_args

from novadesk.errors import BugError, KnownError, Reason
from novadesk.protocol import envelope_server as server
from novadesk.protocol.envelope import AudioFrame, ClientMessage, Malformed, ServerMessage
from novadesk.protocol.envelope_client import (
    CreateSession,
    EndSession,
    History,
    RefreshToken,
    Resume,
    ResumeSession,
    TextInput,
)
from novadesk.protocol.envelope_values import CallStatus, Configuration, ErrorCode, Played
from novadesk.transport.gateway_failures import CLOSED_GOING, closing, refusal, voiceless
from novadesk.transport.gateway_pulse import Pulse
from novadesk.transport.gateway_talk import Gone, SessionKey, Talk
from novadesk.transport.gateway_token import TokenSource

if TYPE_CHECKING:
    from novadesk.transport.gateway_socket import Channel

_log = logging.getLogger(__name__)

_PASSING = frozenset({Reason.LINK_LOST, Reason.UNREACHABLE, Reason.TIMED_OUT, Reason.UNAVAILABLE, Reason.STREAM_CLOSED})
_VOICELESS = frozenset({CallStatus.RECONNECTING, CallStatus.FAILED})
_GOODBYE_S = 0.5
_AGAIN = _PASSING | {Reason.CREDENTIALS_EXPIRED}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTiming:
    """Bounds of a line, in seconds; `window` is the number of microphone frames that may be on their way.

    Attributes:
        open_s: longest time for one connection.
        answer_s: longest wait for an answer: to a heartbeat, to a resumption.
        return_s: longest time in which a broken connection is made anew unnoticed.
        waits_s: pauses before the attempts of that; the last one again and again.
        tick_s: pause between two acknowledgements of what has arrived.
    """

    open_s: float = 10.0
    answer_s: float = 5.0
    return_s: float = 5.0
    waits_s: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0)
    tick_s: float = 0.25
    window: int = 62


@dataclass(frozen=True, slots=True)
class Over:
    """The line is over. `failure` is None after the end that was asked for."""

    failure: KnownError | None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another process of the gateway has the session: what the one before had not told yet never comes."""


type Counted = server.Sequenced | AudioFrame

type Said = ServerMessage | AudioFrame

_COUNTED = (AudioFrame, *get_args(server.Sequenced.__value__))


def is_counted(heard: Said) -> TypeGuard[Counted]:
    """Return whether a message carries a number, so that it is handed on once."""
    return isinstance(heard, _COUNTED)


class Line:
    """One session of the gateway for one link. `receive` makes connections anew, so it has to be awaited throughout.

    Args:
        dial: returns an open connection for a token; raises `KnownError`.
        tokens: where tokens come from.
        talk: the session, as far as it is known.
        unix_ms: the time.
        timing: bounds.

    Attributes:
        confirmed: the gateway has made or resumed the session.
        ending: its end was asked for.
    """

    def __init__(
        self,
        *,
        dial: Callable[[str], Awaitable["Channel"]],
        tokens: TokenSource,
        talk: Talk,
        unix_ms: Callable[[], int],
        timing: LineTiming,
    ) -> None:
        self._dial, self._tokens, self._talk, self._timing = dial, tokens, talk, timing
        self.confirmed = self.ending = False
        self._channel: Channel | None = None
        self._token = ""
        self._configuration = Configuration()
        self._up, self._room = asyncio.Event(), asyncio.Event()
        self._texts: dict[str, TextInput] = {}
        self._history_owed = 0
        self._pulse = Pulse(talk, self._carrying, unix_ms=unix_ms, tick_s=timing.tick_s, answer_s=timing.answer_s)
        self._complaint: KnownError | None = None
        self._pulsing: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._renewals: asyncio.Task[None] | None = None

    # --- what is said ------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect.

        Raises:
            KnownError: why that did not come about.
        """
        self._channel = await self._connect()
        self._up.set()
        self._pulsing = asyncio.create_task(self._pulse.run(), name="gateway-line-pulse")
        self._renewals = asyncio.create_task(self._keep_token_new(), name="gateway-line-renewals")

    async def begin(self, configuration: Configuration) -> None:
        """Ask for the session: the one that the talk has a key of, else a new one."""
        self._configuration = configuration
        if (resumption := self._resumption()) is None:
            request = CreateSession(
                request_id=self._talk.request_id,
                configuration=configuration,
                conversation=self._talk.handle if self._talk.named else None,
                private=not self._talk.named,
            )
            await self._give(request)
        else:
            await self._give(resumption)

    async def say(self, message: ClientMessage) -> None:
        """Send a message, on the next connection where this one is broken."""
        match message:
            case TextInput(request_id=str(request_id)):
                self._texts[request_id] = message
            case History():
                self._history_owed += 1
            case EndSession():
                self.ending = True
                message = replace(message, session_id=None if self._talk.key is None else self._talk.key.session_id)
            case _:
                pass
        await self._up.wait()
        await self._give(message)

    async def say_frame(self, pcm: bytes) -> None:
        """Send a microphone frame; waits while nobody hears it, or the gateway has not taken too many before it."""
        while not self._up.is_set() or self._full:
            await self._up.wait()
            if self._full:
                self._room.clear()
                await self._room.wait()
        sent = self._talk.sent.number(pcm, self._now())
        await self._open_channel().send_audio(sent.sequence, sent.pcm)

    @property
    def _full(self) -> bool:
        return self._talk.voiceless or self._talk.sent.waiting >= self._timing.window

    def note_heard(self, played: Played) -> None:
        """Have the gateway know how much of a piece of speech was heard."""
        self._pulse.heard(played)

    # --- what is heard -----------------------------------------------------------------------

    async def receive(self) -> Said | Elsewhere | Over:
        """Return the next message that has not been here before, or the end."""
        while True:
            heard = await self._open_channel().receive()
            step: Said | Elsewhere | Over | None = None
            if isinstance(heard, Gone):
                step = await self._broken(self._complaint or closing(heard.code))
            elif isinstance(heard, Malformed):
                _log.info("a message of the gateway was not understood: %s", heard.code.value)
            elif is_counted(heard):
                step = self._counted(heard)
            else:
                step = await self._noted(heard)
            if step is not None:
                return step

    def _counted(self, heard: "Counted") -> Said | Over | None:
        if not self._talk.received.take(heard.sequence):
            return None
        if isinstance(heard, server.CallStatusChanged):
            self._talk.voiceless = heard.status in _VOICELESS
            self._room.set()
            if heard.status is CallStatus.FAILED:
                return Over(voiceless(heard.reason))
        return heard

    async def _noted(self, heard: Said) -> Said | Elsewhere | Over | None:
        match heard:
            case server.SessionCreated():
                self._talk.key = SessionKey(heard.session_id, heard.resume_secret)
                self._confirm(heard.heartbeat_s)
                return heard
            case server.SessionResumed():
                self._talk.sent.resumed(heard.last_audio)
                self._confirm(heard.heartbeat_s)
                if self._talk.voiceless:
                    await self._give(Resume())  # it is to try now
                return heard
            case server.AudioAck(sequence=sequence):
                self._talk.sent.acknowledge(sequence)
                self._room.set()
            case server.TextAccepted(request_id=str(request_id)):
                self._texts.pop(request_id, None)
            case server.HistoryTaken():
                self._history_owed -= 1
            case server.ConnectionRefreshRequired():
                return await self._broken(closing(CLOSED_GOING))
            case server.SessionEnded(session_id=session_id):
                if self._talk.key is not None and session_id == self._talk.key.session_id:
                    self._talk.forget()
                    return Over(None if self.ending else _ended())
            case server.Error():
                return await self._complained(heard)
            case _:
                pass
        return None

    async def _complained(self, error: server.Error) -> Over | None:
        """Take an error: one before the session is there is the end; others are about one message, unless fatal."""
        if error.code is ErrorCode.SESSION_NOT_FOUND and not self.confirmed and self._talk.key is not None:
            self._talk.forget()
            await self.begin(self._configuration)
            return None
        if not self.confirmed:
            return Over(refusal(error))
        _log.info("the gateway complains: %s", error.code.value)
        if error.code is ErrorCode.TOKEN_EXPIRED and not error.fatal:
            self._tokens.refused(self._token)
            self._renew()
        if error.fatal:
            self._complaint = refusal(error)
        return None

    def _confirm(self, heartbeat_s: int) -> None:
        self.confirmed = True
        self._pulse.begin(heartbeat_s)

    # --- connections -------------------------------------------------------------------------

    async def close(self, *, leave: bool) -> None:
        """Drop the connection and every task; `leave`: nobody comes back, so the session is ended."""
        tasks = [task for task in (self._pulsing, self._renewing, self._renewals) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._channel is None:
            return
        if leave and self.confirmed and not self.ending and self._talk.key is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._give(EndSession(session_id=self._talk.key.session_id))
            self._talk.forget()
        await self._channel.close()

    async def _connect(self) -> "Channel":
        self._token = await self._tokens.token()
        try:
            return await self._dial(self._token)
        except KnownError as error:
            if error.reason is not Reason.CREDENTIALS_EXPIRED:
                raise
        self._tokens.refused(self._token)
        self._token = await self._tokens.token()
        return await self._dial(self._token)

    async def _broken(self, failure: KnownError) -> Elsewhere | Over | None:
        """Take the end of a connection: the line goes on with another one where that can be."""
        self._up.clear()
        self._complaint = None
        await self._open_channel().close()
        if self.ending or not self.confirmed or self._history_owed or failure.reason not in _AGAIN:
            return Over(failure)
        _log.info("the connection to the gateway is made anew: %s", failure.reason.value)
        if failure.reason is Reason.CREDENTIALS_EXPIRED:
            self._tokens.refused(self._token)
        try:
            async with asyncio.timeout(self._timing.return_s):
                for wait_s in chain(self._timing.waits_s, repeat(self._timing.waits_s[-1])):
                    await asyncio.sleep(wait_s)
                    try:
                        return await self._come_back()
                    except KnownError as error:
                        failure = error
                    if failure.reason not in _PASSING:
                        break
        except TimeoutError:
            pass
        return Over(failure)

    async def _come_back(self) -> Elsewhere | Over | None:
        """Resume the session on a new connection, and say again what the gateway has not taken."""
        channel = await self._connect()
        try:
            async with asyncio.timeout(self._timing.answer_s):
                resumed = await self._resume(channel)
            if isinstance(resumed, Over):
                await channel.close()
                return resumed
            elsewhere = self._talk.sent.resumed(resumed.last_audio)
            for frame in self._talk.sent.unacknowledged():
                await channel.send_audio(frame.sequence, frame.pcm)
            for text in self._texts.values():
                await channel.send(text)
        except TimeoutError as error:
            await channel.close()
            raise KnownError(
                Reason.TIMED_OUT, "The gateway did not answer in time.", "NovaDesk tries again by itself."
            ) from error
        except BaseException:
            await channel.close()
            raise
        self._channel = channel
        self._confirm(resumed.heartbeat_s)
        self._up.set()
        self._room.set()
        return Elsewhere() if elsewhere else None

    async def _resume(self, channel: "Channel") -> server.SessionResumed | Over:
        resumption = self._resumption()
        assert resumption is not None, "a confirmed session has a key"
        await channel.send(resumption)
        while True:
            match await channel.receive():
                case server.SessionResumed() as resumed:
                    return resumed
                case server.Error(code=ErrorCode.SESSION_NOT_FOUND) as error:
                    self._talk.forget()
                    return Over(refusal(error))
                case server.Error() as error:
                    raise refusal(error)
                case Gone(code=code):
                    raise closing(code)
                case _:
                    pass

    def _resumption(self) -> ResumeSession | None:
        key = self._talk.key
        if key is None:
            return None
        return ResumeSession(
            session_id=key.session_id, resume_secret=key.resume_secret, last_sequence=self._talk.received.newest
        )

    # --- what goes on by itself --------------------------------------------------------------

    async def _keep_token_new(self) -> None:
        async for token in self._tokens.renewals():
            await self._show(token)

    def _renew(self) -> None:
        """Show the gateway another token, as soon as there is one."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._show_another(), name="gateway-line-token")

    async def _show_another(self) -> None:
        try:
            await self._show(await self._tokens.token())
        except KnownError as error:
            _log.info("there is no other token: %s", error.reason.value)

    async def _show(self, token: str) -> None:
        self._token = token
        if self._up.is_set():
            await self._give(RefreshToken(token=token))

    async def _give(self, message: ClientMessage) -> None:
        """Send a message on the connection there is. Of one that is lost the reader learns."""
        await self._open_channel().send(message)

    def _carrying(self) -> "Channel | None":
        return self._channel if self._up.is_set() and self.confirmed else None

    def _open_channel(self) -> "Channel":
        if self._channel is None:
            raise BugError("a line that was never opened")
        return self._channel

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _ended() -> KnownError:
    return KnownError(Reason.SESSION_LIMIT, "The gateway ended the session.", "NovaDesk begins the next one.")
