"""The link to Amazon Bedrock, or to the local server, which speaks the same."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from novadesk.config import Settings
from novadesk.daemon import DaemonCall
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.protocol.link import Accepted, Arrived, Closed, LinkMessage
from novadesk.transport.credentials import (
    CredentialSource,
    FrozenCredentials,
    ProfileCredentials,
    StaticCredentials,
)
from novadesk.transport.dial import dial
from novadesk.transport.endpoint import Endpoint, bedrock_endpoint, parse_endpoint
from novadesk.transport.failures import translate
from novadesk.transport.http2 import Exchange, Timing
from novadesk.transport.inbox import Inbox
from novadesk.transport.proxy import Proxy, find_proxy
from novadesk.transport.trust import Trust, make_trust

if TYPE_CHECKING:
    from novadesk.transport.sdk import SdkStream

_log = logging.getLogger(__name__)

_IMPORT_S = 30.0
_TRUST_S = 10.0
_PATIENCE_S = 0.5
# The service takes no further event after this one, so its end of the stream is in order from then on.
_GOODBYE = b'"sessionEnd"'


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTiming:
    """Bounds of one link, in seconds."""

    open_s: float = 10.0
    send_s: float = 5.0
    finish_s: float = 2.0
    close_s: float = 2.0
    exchange: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Everything that a link needs to know before it opens."""

    endpoint: Endpoint
    region: str
    model: str
    credentials: FrozenCredentials
    trust: Trust | None = None
    proxy: Proxy | None = None
    profile: str = ""


class BedrockLink:
    """One wire session on one HTTP/2 stream; fits `conversation.ports.Link`.

    Args:
        route: where to, and with which keys.
        timing: bounds in time.
        inbox: the messages on their way to the owner.
    """

    def __init__(self, route: Route, *, timing: LinkTiming | None = None, inbox: Inbox | None = None) -> None:
        self._route = route
        self._timing = timing or LinkTiming()
        self._inbox = inbox or Inbox()
        self._one_at_a_time = asyncio.Lock()
        self._exchange: Exchange | None = None
        self._opening: asyncio.Task[SdkStream] | None = None
        self._stream: SdkStream | None = None
        self._pump: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._failure: KnownError | None = None
        self._accepted = False
        self._goodbye_said = False
        self._closing = False

    @property
    def expires_at_ms(self) -> int | None:
        """Return when the keys of this link expire, in Unix milliseconds, or None when that is not known."""
        return self._route.credentials.expires_at_ms

    @property
    def unheard_s(self) -> float:
        """Return the seconds since the service's last sign of life; 0 before the connection."""
        return 0.0 if self._exchange is None else asyncio.get_running_loop().time() - self._exchange.heard_at

    async def open(self) -> None:
        """Connect and send the request, see `Link`."""
        model = self._route.model.strip()
        if not model:
            raise KnownError(Reason.BAD_MODEL, "No model id is set.", "Set [backend] model.")
        sdk = await load_sdk()
        try:
            async with asyncio.timeout(self._timing.open_s):
                wire = await dial(
                    self._route.endpoint,
                    trust=self._route.trust,
                    proxy=self._route.proxy,
                    deadline_s=self._timing.open_s,
                )
                self._exchange = Exchange(wire, self._timing.exchange)
                self._opening = asyncio.create_task(
                    sdk.SdkStream.open(
                        self._exchange,
                        uri=self._route.endpoint.uri,
                        region=self._route.region,
                        model=model,
                        credentials=self._route.credentials,
                    ),
                    name="bedrock-open",
                )
                self._stream = await asyncio.shield(self._opening)
        except TimeoutError as error:
            await self.close()
            raise KnownError(
                Reason.TIMED_OUT, "The connection did not come about in time.", "NovaDesk tries again by itself."
            ) from error
        except BaseException:
            await self.close()
            raise
        self._pump = asyncio.create_task(self._receive_all(self._stream), name="bedrock-receive")

    async def send(self, payload: bytes) -> None:
        """Send one event, see `Link`. An event that is not taken in time ends the link: its signature is spent."""
        try:
            async with asyncio.timeout(self._timing.send_s), self._one_at_a_time:
                self._check_open()
                assert self._stream is not None
                if payload.find(_GOODBYE, 0, 64) >= 0:
                    self._goodbye_said = True
                await self._stream.send(payload)
        except TimeoutError as error:
            late = KnownError(
                Reason.TIMED_OUT, "The service does not take the audio in time.", "NovaDesk connects again by itself."
            )
            late.__cause__ = error
            await self._give_up(late)
            raise late from error
        except KnownError:
            raise
        except Exception as error:
            if self._exchange is not None and self._exchange.over:
                self._check_open()
            known = translate(error, profile=self._route.profile)
            if known is None:
                raise
            await self._give_up(known)
            raise known from error

    async def receive(self) -> LinkMessage:
        """Return the next message, see `Link`."""
        return await self._inbox.get()

    async def finish(self) -> None:
        """End our side of the stream, see `Link`."""
        self._goodbye_said = True
        if self._stream is None or self._ending is not None or self._exchange is None or self._exchange.over:
            return
        self._ending = asyncio.create_task(self._end(self._stream), name="bedrock-finish")
        await asyncio.wait({self._ending}, timeout=self._timing.finish_s)

    async def close(self) -> None:
        """Drop the connection and every task, see `Link`. Without a goodbye the connection is cut at once."""
        self._closing = True
        self._inbox.close(Closed(None), at_once=True)
        if self._exchange is not None:
            await self._exchange.close(patience_s=_PATIENCE_S if self._goodbye_said else 0.0)
        if self._pump is None and self._opening is not None:
            self._pump = asyncio.create_task(_abandon(self._opening), name="bedrock-abandon")
        tasks = {task for task in (self._pump, self._ending) if task is not None}
        if tasks:
            # The SDK's reader ends by the closed connection; cancelling it is the last resort.
            await asyncio.wait(tasks, timeout=self._timing.close_s / 2)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closing or self._ending is not None or self._stream is None or self._exchange is None:
            raise KnownError(Reason.LINK_LOST, "The connection is closed.", "Connect again.")
        if self._exchange.failure is not None:
            raise self._exchange.failure
        if self._exchange.over:
            raise _stream_closed()

    async def _give_up(self, known: KnownError) -> None:
        self._failure = self._failure or known
        self._inbox.close(Closed(known))
        if self._exchange is not None:
            await self._exchange.close()

    async def _receive_all(self, stream: "SdkStream") -> None:
        failure: KnownError | None
        try:
            await stream.response()
            self._accepted = True
            await self._inbox.put(Accepted())
            while (payload := await stream.receive()) is not None:
                await self._inbox.put(Arrived(payload))
            failure = None if self._goodbye_said else _stream_closed()
        except Exception as error:
            failure = translate(error, profile=self._route.profile, accepted=self._accepted)
            if failure is None:
                _log.exception("The voice stream met a fault of our own.")
                failure = KnownError(
                    Reason.LINK_LOST, "NovaDesk lost the connection by its own fault.", "It connects again by itself."
                )
            failure.__cause__ = failure.__cause__ or error
        self._failure = self._failure or failure
        self._inbox.close(Closed(failure))
        if failure is not None and self._exchange is not None:
            await self._exchange.close()

    async def _end(self, stream: "SdkStream") -> None:
        try:
            async with self._one_at_a_time:
                await stream.finish()
        except Exception as error:
            # The reader of this very stream reports what ended it.
            _log.debug("The end of the stream could not be sent: %s", type(error).__name__)


class BedrockLinker:
    """Makes links to Amazon Bedrock; fits `conversation.ports.Linker`.

    Args:
        settings: backend, model and profile.
        environment: variables that name a proxy.
        credentials: where the keys come from; None for the profile of the settings.
        timing: bounds in time for each link.
    """

    kind = BackendKind.BEDROCK

    def __init__(
        self,
        settings: Settings,
        *,
        environment: Mapping[str, str],
        credentials: CredentialSource | None = None,
        timing: LinkTiming | None = None,
    ) -> None:
        self._backend = settings.backend
        self._environment = environment
        self._credentials = credentials or ProfileCredentials(settings.backend.profile)
        self._timing = timing
        self._trust: Trust | None = None

    async def link(self) -> BedrockLink:
        """Return a link that is not open yet, its keys frozen; see `Linker`."""
        backend = self._backend
        if not backend.model.strip():
            raise KnownError(Reason.BAD_MODEL, "No model id is set.", "Set [backend] model.")
        named = backend.bedrock_endpoint
        endpoint = parse_endpoint(named) if named else bedrock_endpoint(backend.region)
        proxy = find_proxy(endpoint, self._environment)
        if self._trust is None and endpoint.tls:
            self._trust = await _load_trust(backend.ca_bundle)
        route = Route(
            endpoint=endpoint,
            region=backend.region,
            model=backend.model,
            credentials=await self._credentials.freeze(),
            trust=self._trust,
            proxy=proxy,
            profile=backend.profile,
        )
        return BedrockLink(route, timing=self._timing)


class PracticeLinker:
    """Makes links to the local server; fits `conversation.ports.Linker`.

    Args:
        address: returns the address that the local server printed, starting it where needed.
        settings: the model id that is asked for.
        timing: bounds in time for each link.
    """

    kind = BackendKind.PRACTICE

    def __init__(
        self,
        address: Callable[[], Awaitable[Mapping[str, Any]]],
        settings: Settings,
        *,
        timing: LinkTiming | None = None,
    ) -> None:
        self._address = address
        self._settings = settings
        self._timing = timing

    async def link(self) -> BedrockLink:
        """Return a link that is not open yet; see `Linker`."""
        address = await self._address()
        try:
            endpoint, region = parse_endpoint(str(address["bedrock"])), str(address["region"])
            keys = FrozenCredentials(
                access_key_id=str(address["access_key_id"]), secret_access_key=str(address["secret_access_key"])
            )
        except KeyError as error:
            raise KnownError(
                Reason.PRACTICE_FAILED, "The practice partner gave no usable address.", "Start NovaDesk anew."
            ) from error
        credentials = await StaticCredentials(keys).freeze()
        route = Route(endpoint=endpoint, region=region, model=self._settings.backend.model, credentials=credentials)
        return BedrockLink(route, timing=self._timing)


async def load_sdk() -> Any:
    """Return the module around the SDK. The first call imports it, 0.4 s on a thread: call it ahead of the first link.

    Raises:
        KnownError: `TIMED_OUT`.
    """

    def load() -> Any:
        from novadesk.transport import sdk

        return sdk

    try:
        return await DaemonCall(load, name="novadesk-sdk").result(deadline_s=_IMPORT_S)
    except TimeoutError as error:
        raise KnownError(
            Reason.TIMED_OUT, "The AWS library took too long to load.", "Close other programs and try again."
        ) from error


async def _abandon(opening: "asyncio.Task[SdkStream]") -> None:
    """Take what becomes of a request whose exchange is closed: nobody else waits for it."""
    stream = await opening
    await stream.abandon()


async def _load_trust(ca_bundle: str) -> Trust:
    try:
        return await DaemonCall(lambda: make_trust(ca_bundle), name="novadesk-trust").result(deadline_s=_TRUST_S)
    except TimeoutError as error:
        raise KnownError(
            Reason.TIMED_OUT, "The system's certificates took too long to read.", "Close other programs and try again."
        ) from error


def _stream_closed() -> KnownError:
    return KnownError(Reason.STREAM_CLOSED, "The service ended the session.", "NovaDesk opens the next one.")
