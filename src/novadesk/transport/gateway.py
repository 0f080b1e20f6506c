"""The link to a gateway: one wire session on a session of the gateway, which outlives connections and links."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakSet

from novadesk.config import Settings
from novadesk.daemon import DaemonCall
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Conversation
from novadesk.protocol import envelope_server as server
from novadesk.protocol.envelope_client import Configure, History
from novadesk.protocol.envelope_talk import Begin, Carried, Opened, Said, Sound, Translation
from novadesk.protocol.envelope_values import Played
from novadesk.protocol.link import Accepted, Arrived, Closed, LinkMessage, Missed
from novadesk.transport.endpoint import parse_gateway
from novadesk.transport.gateway_failures import voiceless
from novadesk.transport.gateway_line import Elsewhere, Line, LineTiming, Over
from novadesk.transport.gateway_talk import Keys, Talk
from novadesk.transport.gateway_token import TokenSource
from novadesk.transport.inbox import Inbox
from novadesk.transport.proxy import find_proxy
from novadesk.transport.trust import Trust, make_trust

_log = logging.getLogger(__name__)

_IMPORT_S = 30.0
_TRUST_S = 10.0
_KEYRING_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTiming:
    """Bounds of one link, in seconds."""

    send_s: float = 8.0
    line: LineTiming = field(default_factory=LineTiming)


class GatewayLink:
    """One wire session on a session of the gateway; fits `conversation.ports.Link`.

    Args:
        line: the line to the gateway, not open yet.
        talk: the session, shared with the links before and after.
        keys: where its key is kept.
        timing: bounds in time.
    """

    def __init__(self, line: Line, talk: Talk, keys: Keys, *, timing: LinkTiming) -> None:
        self._line, self._talk, self._keys, self._timing = line, talk, keys, timing
        self._translation = Translation(talk.carried, talk.turns)
        self._inbox = Inbox()
        self._one_at_a_time = asyncio.Lock()
        self._resumed = self._accepted = False
        self._opened_at: float | None = None
        self._pump: asyncio.Task[None] | None = None
        self._keyring = asyncio.Lock()
        self._ringing: set[asyncio.Task[None]] = set()
        self._failure: KnownError | None = None
        self._closing = False
        talk.held = True

    @property
    def expires_at_ms(self) -> int | None:
        """Return None: the gateway renews what expires, and the token is renewed on the line."""
        return None

    @property
    def unheard_s(self) -> float:
        """Return since when the gateway has not taken what was said; before anybody hears it, since the opening."""
        now = asyncio.get_running_loop().time()
        since = self._talk.sent.oldest_at if self._accepted else self._opened_at
        return 0.0 if since is None else now - since

    async def open(self) -> None:
        """Connect, see `Link`."""
        self._opened_at = asyncio.get_running_loop().time()
        try:
            await self._line.open()
        except BaseException:
            await self.close()
            raise
        self._pump = asyncio.create_task(self._receive_all(), name="gateway-receive")

    async def send(self, payload: bytes) -> None:
        """Send one event, see `Link`. Sound that the gateway does not take in time ends the link."""
        try:
            async with asyncio.timeout(self._timing.send_s), self._one_at_a_time:
                for said in self._translation.said(payload):
                    self._check_open()
                    await self._say(said)
        except TimeoutError as error:
            late = KnownError(
                Reason.TIMED_OUT, "The gateway does not take the audio in time.", "NovaDesk connects again by itself."
            )
            late = voiceless() if self._talk.voiceless else late
            self._over(late)
            raise late from error

    async def receive(self) -> LinkMessage:
        """Return the next message, see `Link`."""
        return await self._inbox.get()

    async def finish(self) -> None:
        """Do nothing: the end of the session was said, and the gateway answers it. See `Link`."""

    async def close(self) -> None:
        """Drop the connection and every task, see `Link`. A session to which nobody can come back is ended."""
        self._closing = True
        self._inbox.close(Closed(None), at_once=True)
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        await self._line.close(leave=self._talk.handle is None or not self._talk.begun)
        if self._ringing:
            _, late = await asyncio.wait(self._ringing, timeout=_KEYRING_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._talk.carried = self._translation.carried
        self._talk.turns.broken_off()
        self._talk.held = False

    def heard(self, played: Played) -> None:
        """Have the gateway know how much was heard of speech that came on this link."""
        if not self._closing and self._translation.spoke(played.content_id):
            self._line.note_heard(played)

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closing or self._pump is None:
            raise KnownError(Reason.LINK_LOST, "The connection is closed.", "Connect again.")

    async def _say(self, said: Said) -> None:
        match said:
            case Begin(configuration=configuration):
                self._configuration = configuration
                self._talk.sent.say_again()
                await self._line.begin(configuration)
            case History() if self._resumed:
                pass  # the gateway has it
            case Opened():
                self._talk.begun = True
                if self._resumed:
                    await self._line.say(Configure(configuration=self._configuration))
                elif self._talk.handle is not None and self._talk.key is not None:
                    if self._talk.named:
                        self._ring(partial(self._keys.note, self._talk.handle))
                    if self._talk.kept:
                        self._ring(partial(self._keys.keep, self._talk.handle, self._talk.key))
            case Sound(pcm=pcm):
                await self._line.say_frame(pcm)
            case _:
                await self._line.say(said)

    async def _receive_all(self) -> None:
        failure: KnownError | None
        try:
            while not isinstance(heard := await self._line.receive(), Over):
                if isinstance(heard, Elsewhere):
                    for payload in self._translation.broken_off():
                        await self._inbox.put(Arrived(payload))
                    continue
                if isinstance(heard, server.SessionCreated | server.SessionResumed):
                    self._resumed = isinstance(heard, server.SessionResumed)
                    if not self._resumed:
                        self._translation.forget(self._talk.turns)
                if self._line.confirmed and not (self._accepted or self._talk.voiceless):
                    self._accepted = True
                    await self._inbox.put(Accepted())
                for told in self._translation.heard(heard):
                    await self._inbox.put(Arrived(told) if isinstance(told, bytes) else Missed(told))
            failure = heard.failure
        except Exception as error:
            _log.exception("The line to the gateway met a fault of our own.")
            failure = KnownError(
                Reason.LINK_LOST, "NovaDesk lost the connection by its own fault.", "It connects again by itself."
            )
            failure.__cause__ = error
        self._over(failure)
        if self._talk.key is None and self._talk.handle is not None and self._talk.kept:
            self._ring(partial(self._keys.drop, self._talk.handle))

    def _ring(self, work: Callable[[], Awaitable[None]]) -> None:
        """Bring the keyring up to date meanwhile, one change after another: it may take its time."""

        async def in_turn() -> None:
            async with self._keyring:
                await work()

        self._ringing.add(asyncio.create_task(in_turn(), name="gateway-keyring"))

    def _over(self, failure: KnownError | None) -> None:
        self._failure = self._failure or failure
        self._inbox.close(Closed(failure))


class GatewayLinker:
    """Makes links to a gateway, and tells it what is heard; fits `conversation.ports.Linker` and `Hearing`.

    Args:
        settings: where the gateway is.
        environment: variables that name a proxy.
        tokens: where the person's tokens come from.
        keys: where the keys of sessions are kept.
        conversation: returns the open conversation, None without one.
        unix_ms: the time.
        timing: bounds in time for each link.
    """

    kind = BackendKind.GATEWAY

    def __init__(
        self,
        settings: Settings,
        *,
        environment: Mapping[str, str],
        tokens: TokenSource,
        keys: Keys,
        conversation: Callable[[], Conversation | None],
        unix_ms: Callable[[], int],
        timing: LinkTiming | None = None,
    ) -> None:
        self._settings, self._environment, self._tokens, self._keys = settings, environment, tokens, keys
        self._conversation, self._unix_ms, self._timing = conversation, unix_ms, timing or LinkTiming()
        self._trust: Trust | None = None
        self._talk: Talk | None = None
        self._links: WeakSet[GatewayLink] = WeakSet()

    def heard(self, content_id: str, samples: int, *, last: bool) -> None:
        """Take what was heard, see `Hearing`."""
        for link in self._links:
            link.heard(Played(content_id=content_id, samples=samples, last=last))

    async def link(self) -> GatewayLink:
        """Return a link that is not open yet; see `Linker`."""
        endpoint, url = parse_gateway(self._settings.backend.gateway)
        proxy = find_proxy(endpoint, self._environment)
        sockets = await load_sockets()
        if self._trust is None and endpoint.tls:
            self._trust = await self._load_trust()
        address = sockets.Address(url=url, endpoint=endpoint, trust=self._trust, proxy=proxy)
        timing = self._timing.line
        talk = await self._talk_of(self._conversation())
        line = Line(
            dial=lambda token: sockets.Channel.open(address, token, deadline_s=timing.open_s),
            tokens=self._tokens,
            talk=talk,
            unix_ms=self._unix_ms,
            timing=timing,
        )
        link = GatewayLink(line, talk, self._keys, timing=self._timing)
        self._links.add(link)
        return link

    async def _talk_of(self, conversation: Conversation | None) -> Talk:
        """Return the gateway session of a conversation; a new one beside a link that carries it still."""
        handle = None if conversation is None else conversation.handle
        known = self._talk
        if known is not None and known.handle == handle and not known.held:
            return known
        named = conversation is not None and not conversation.private
        # The keyring entry of one that began elsewhere has the sessions that it has there.
        kept = named and conversation is not None and conversation.backend is self.kind
        self._talk = talk = Talk(handle, kept=kept, named=named)
        if talk.kept and handle is not None and (known is None or known.handle != handle):
            talk.key = await self._keys.find(handle)
            talk.begun = talk.key is not None
            talk.carried = Carried(unsure=talk.begun)
            talk.turns.broken_off()
        return talk

    async def _load_trust(self) -> Trust:
        bundle = self._settings.backend.ca_bundle
        try:
            return await DaemonCall(lambda: make_trust(bundle), name="novadesk-trust").result(deadline_s=_TRUST_S)
        except TimeoutError as error:
            raise KnownError(
                Reason.TIMED_OUT,
                "The system's certificates took too long to read.",
                "Close other programs and try again.",
            ) from error


async def load_sockets() -> Any:
    """Return the module around aiohttp. The first call imports it on a thread.

    Raises:
        KnownError: `TIMED_OUT`.
    """

    def load() -> Any:
        from novadesk.transport import gateway_socket

        return gateway_socket

    try:
        return await DaemonCall(load, name="novadesk-aiohttp").result(deadline_s=_IMPORT_S)
    except TimeoutError as error:
        raise KnownError(
            Reason.TIMED_OUT, "The network library took too long to load.", "Close other programs and try again."
        ) from error
