"""The border to the official SDK: shapes, the signed request, answers and typed errors are its own.

Ours are the connection, the frames of the events that are sent, and how the answer's bytes are read: all that happens
with every piece of sound.
Importing this module takes about 0.4 s: do it on a worker thread. The SDK is pre-alpha and held to exact versions;
nothing outside this module names it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, Literal, Self, cast

from aws_sdk_bedrock_runtime.client import AsyncBedrockRuntimeClient
from aws_sdk_bedrock_runtime.config import AsyncBedrockRuntimeConfig
from aws_sdk_bedrock_runtime.models import (
    BidirectionalInputPayloadPart,
    InvokeModelWithBidirectionalStreamInputChunk,
    InvokeModelWithBidirectionalStreamOperationInput,
    InvokeModelWithBidirectionalStreamOutputChunk,
)
from smithy_aws_core.aio.protocols import RestJsonClientProtocol
from smithy_aws_event_stream.aio import AWSEventReceiver
from smithy_core.aio.retries import StandardRetryStrategy
from smithy_core.exceptions import SmithyError
from smithy_http import Field, Fields
from smithy_http.aio import HTTPResponse

from novadesk.errors import KnownError, Reason
from novadesk.transport.credentials import FrozenCredentials
from novadesk.transport.eventchain import EventChain
from novadesk.transport.failures import ServiceRefused, read_refusal
from novadesk.transport.http2 import Exchange, Fault

_MAX_ERROR_BYTES = 65_536
_ERROR_BODY_S = 5.0
# A stream is not repeated by the SDK. One object for all: a strategy named by its mode is cached with the client that
# asked for it, which keeps the last 128 clients alive.
_NO_RETRIES = StandardRetryStrategy(max_attempts=1)


class _NoFiles:
    """Stands in for the person's AWS files: their profile may be any, or broken, and is resolved elsewhere."""

    async def read_file(self, path: str) -> str | None:
        del path
        return "[default]\n"


class DuplexTransport:
    """Fits the SDK's `DuplexClientTransport` on one exchange, for one request."""

    SUPPORTS_DUPLEX_STREAMING: Literal[True] = True
    TIMEOUT_EXCEPTIONS: tuple[type[Exception], ...] = (TimeoutError,)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.refused: ServiceRefused | None = None

    def __deepcopy__(self, memo: object) -> Self:
        """Return this very transport: the client copies its configuration deeply, and a connection is not copied."""
        return self

    async def send(self, request: Any, *, request_config: object = None) -> HTTPResponse:
        """Send the request; return when the response has begun. The bounds are those of the exchange."""
        del request_config
        to = request.destination
        path = (to.path or "/") + (f"?{to.query}" if to.query else "")
        headers = [
            (field.name.lower(), value)
            for field in request.fields
            for value in field.values
            if field.name.lower() not in ("host", "connection", "transfer-encoding")
        ]
        self._exchange.request(request.method, to.scheme or "https", to.netloc, path, headers, request.body)
        response = await self._exchange.response()
        fields = Fields()
        for name, value in response.headers:
            if not name.startswith(":"):
                fields.set_field(Field(name=name, values=[value]))
        if 200 <= response.status < 300:
            return HTTPResponse(status=response.status, fields=fields, body=_Body(self._exchange))
        body = await _error_body(self._exchange)
        self.refused = read_refusal(response.status, dict(response.headers), body)
        return HTTPResponse(status=response.status, fields=fields, body=body)

    async def close(self) -> None:
        """Close the connection."""
        await self._exchange.close()


class _Body(AsyncIterator[bytes]):
    """The body of the response, read as it is needed. No generator, so that nothing waits for a finalizer."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._rest = b""

    async def __anext__(self) -> bytes:
        part = await self._exchange.chunk()
        if part is None:
            raise StopAsyncIteration
        return part

    async def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer only at the end of the body."""
        while len(self._rest) < size or size < 0:
            part = await self._exchange.chunk()
            if part is None:
                size = len(self._rest)
            else:
                self._rest += part
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


class _Publisher:
    """Fits the SDK's `EventPublisher`: signs, frames and sends events.

    Args:
        writer: the body of the request.
        scheme: how the request was signed; `context` of it likewise.
        authorization: the header with the request's signature.
    """

    def __init__(self, writer: Any, scheme: Any, context: Any, authorization: str) -> None:
        self._writer = writer
        self._scheme = scheme
        self._context = context
        self._signature = authorization.rpartition("Signature=")[2]
        self._chain: EventChain | None = None
        self._exchange: Exchange | None = None
        self._direct = False
        self.closed = False

    def attach(self, exchange: Exchange) -> None:
        """Write to the exchange itself as soon as it has begun: the body costs two turns of the loop for each event."""
        self._exchange = exchange

    async def send(self, event: Any) -> None:
        """Send an event; raises `OSError` when it cannot be written, and closes."""
        if self.closed:
            raise OSError("the stream is closed")
        chain = await self._begun()
        try:
            await self._write(chain.event(event.value.bytes_, datetime.now(UTC)))
        except SmithyError as error:
            self.closed = True
            raise OSError("the stream does not take the event") from error

    async def close(self) -> None:
        """Send the signed end, and end the body."""
        if self.closed:
            return
        self.closed = True
        try:
            await self._write((await self._begun()).end(datetime.now(UTC)))
        finally:
            await self._writer.close()

    async def _write(self, frame: bytes) -> None:
        if self._exchange is not None and not self._direct and self._exchange.begun:
            await self._writer.flush()  # what was written before goes first
            self._direct = True
        if self._exchange is not None and self._direct:
            await self._exchange.write(frame)
        else:
            await self._writer.write(frame)

    async def _begun(self) -> EventChain:
        if self._chain is None:
            resolver = self._scheme.identity_resolver(context=self._context)
            identity = await resolver.get_identity(properties=self._scheme.identity_properties(context=self._context))
            scope = self._scheme.signer_properties(context=self._context)
            self._chain = EventChain(
                secret_access_key=identity.secret_access_key,
                region=scope["region"],
                service=scope["service"],
                signature=self._signature,
            )
        return self._chain


class _Protocol(RestJsonClientProtocol):
    """The SDK's own, but for what passes with every piece of sound."""

    def create_event_publisher(self, *, request: Any, context: Any, auth_scheme: Any = None, **_: Any) -> Any:
        """Return what sends events in the request's body."""
        authorization = request.fields["Authorization"].as_string()
        return _Publisher(request.body, auth_scheme, context, authorization)

    def create_event_receiver(
        self, *, response: Any, event_deserializer: Callable[[Any], Any], **_: Any
    ) -> AWSEventReceiver[Any]:
        """Return what reads events from the response's body, which the SDK would look at anew for every read."""
        return AWSEventReceiver(payload_codec=self.payload_codec, source=response.body, deserializer=event_deserializer)


async def _error_body(exchange: Exchange) -> bytes:
    """Return the text of an error; an incomplete one is better than waiting for its end."""
    body = bytearray()
    try:
        async with asyncio.timeout(_ERROR_BODY_S):
            while len(body) < _MAX_ERROR_BYTES and (part := await exchange.chunk()) is not None:
                body += part
    except (TimeoutError, Fault):
        pass
    return bytes(body)


class SdkStream:
    """One bidirectional stream of the SDK.

    Only `open` makes it. `open`, `response` and `receive` must not be cancelled while they wait, or the SDK forgets
    tasks that it has begun: close the exchange instead.
    """

    def __init__(self, transport: DuplexTransport, stream: Any) -> None:
        self._transport = transport
        self._stream = stream
        self._output: Any = None

    @classmethod
    async def open(
        cls, exchange: Exchange, *, uri: str, region: str, model: str, credentials: FrozenCredentials
    ) -> "SdkStream":
        """Sign and send the request; return before the service has answered.

        Neither the person's AWS files nor variables are read here: everything is given.
        """
        transport = DuplexTransport(exchange)
        config = await AsyncBedrockRuntimeConfig.resolve(
            profile="default",
            fs=_NoFiles(),
            retry_mode="standard",
            max_attempts=1,
            retry_strategy=_NO_RETRIES,
            region=region,
            endpoint_uri=uri,
            transport=cast(Any, transport),
            protocol=cast(Any, _Protocol),
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
        )
        client = AsyncBedrockRuntimeClient(config)
        stream = await client.invoke_model_with_bidirectional_stream(
            InvokeModelWithBidirectionalStreamOperationInput(model_id=model)
        )
        stream.input_stream.attach(exchange)
        return cls(transport, stream)

    async def abandon(self) -> None:
        """Take what became of the request, which nobody else waits for. The exchange is closed."""
        await asyncio.gather(self._stream.await_output(), return_exceptions=True)

    async def response(self) -> None:
        """Wait until the service has accepted the request; raises `ServiceRefused` or what broke it otherwise."""
        try:
            _, self._output = await self._stream.await_output()
        except SmithyError as error:
            raise (self._transport.refused or error) from error.__cause__
        if self._output is None:
            raise KnownError(Reason.BAD_EVENT_BYTES, "The service answered without a stream.", "NovaDesk tries again.")

    async def receive(self) -> bytes | None:
        """Return the bytes of the next event, or None at the end; unknown kinds of events are skipped."""
        while True:
            event = await self._output.receive()
            if event is None:
                return None
            if isinstance(event, InvokeModelWithBidirectionalStreamOutputChunk) and event.value.bytes_ is not None:
                return bytes(event.value.bytes_)

    async def send(self, payload: bytes) -> None:
        """Sign and send one event. Calls must not overlap: each signature continues the one before."""
        part = BidirectionalInputPayloadPart(bytes_=payload)
        await self._stream.input_stream.send(InvokeModelWithBidirectionalStreamInputChunk(part))

    async def finish(self) -> None:
        """Send the signed end, then END_STREAM."""
        await self._stream.input_stream.close()
