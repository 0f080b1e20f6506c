"""A small HTTP/2 client of the voice stream, signed and decoded by other people's code (botocore, AWS signers)."""

import asyncio
import base64
import contextlib
import json
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from aws_sdk_signers import AsyncEventSigner, AWSCredentialIdentity
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer, EventStreamMessage
from smithy_aws_event_stream.events import EventHeaderEncoder, EventMessage

MODEL = "amazon.nova-2-sonic-v1:0"
WAIT_S = 60.0


@dataclass(slots=True, kw_only=True)
class Keys:
    """What a client signs with."""

    access_key_id: str
    secret_access_key: str
    region: str = "us-east-1"
    service: str = "bedrock"
    token: str | None = None


class Lost(Exception):
    """The stream was reset or the connection closed."""


@dataclass(slots=True)
class Inbox:
    """What one stream has received."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    messages: list[EventStreamMessage] = field(default_factory=list)
    ended: bool = False
    lost: str = ""
    trailing: str = ""


class WireStream:
    """One request on a client."""

    def __init__(self, client: "WireClient", stream_id: int, keys: Keys, seed: str) -> None:
        self.client, self.stream_id, self.keys = client, stream_id, keys
        self.inbox = Inbox()
        self._decoder = EventStreamBuffer()
        self._read = 0
        self._signer = AsyncEventSigner(initial_signature=seed.encode(), event_encoder_cls=EventHeaderEncoder)
        self._identity = AWSCredentialIdentity(
            access_key_id=keys.access_key_id, secret_access_key=keys.secret_access_key, session_token=keys.token
        )

    async def sign(self, payload: bytes) -> bytes:
        """Return the signed envelope of one event's JSON."""
        chunk = json.dumps({"bytes": base64.b64encode(payload).decode()}).encode()
        inner = EventMessage(
            headers={":message-type": "event", ":event-type": "chunk", ":content-type": "application/json"},
            payload=chunk,
        )
        return await self.sign_inner(inner)

    async def sign_inner(self, inner: EventMessage) -> bytes:
        properties: Any = {"region": self.keys.region, "service": self.keys.service}
        outer = await self._signer.sign(event=inner, identity=self._identity, properties=properties)
        return outer.encode()

    async def sign_end(self) -> bytes:
        properties: Any = {"region": self.keys.region, "service": self.keys.service}
        outer = await self._signer.sign_empty(event=EventMessage(), identity=self._identity, properties=properties)
        return outer.encode()

    async def send(self, *events: dict[str, Any]) -> None:
        """Send events, each in a frame of its own."""
        for event in events:
            await self.send_raw(await self.sign(json.dumps({"event": event}).encode()))

    async def send_raw(self, data: bytes, *, end: bool = False) -> None:
        await self.client.send_data(self.stream_id, data, end=end)

    async def end(self, *, signed: bool = True) -> None:
        await self.send_raw(await self.sign_end() if signed else b"", end=True)

    def reset(self) -> None:
        self.client.machine.reset_stream(self.stream_id)
        self.client.flush()

    async def response(self) -> int:
        """Return the status once the headers are there."""
        await self.client.wait(lambda: self.inbox.status or self.inbox.lost)
        if not self.inbox.status:
            raise Lost(self.inbox.lost)
        return self.inbox.status

    async def message(self) -> EventStreamMessage | None:
        """Return the next message, or None at the end of the stream."""
        await self.client.wait(lambda: len(self.inbox.messages) > self._read or self.inbox.ended or self.inbox.lost)
        if len(self.inbox.messages) > self._read:
            self._read += 1
            return self.inbox.messages[self._read - 1]
        if self.inbox.lost and not self.inbox.ended:
            raise Lost(self.inbox.lost)
        return None

    async def event(self) -> tuple[str, dict[str, Any]] | None:
        """Return the next Nova event as (name, body), or None at the end."""
        message = await self.message()
        if message is None:
            return None
        assert message.headers[":message-type"] == "event", (message.headers, message.payload)
        document = json.loads(base64.b64decode(json.loads(message.payload)["bytes"]))["event"]
        ((name, body),) = document.items()
        return name, body

    async def rest(self) -> list[tuple[str, dict[str, Any]]]:
        """Return all events up to the end."""
        found = []
        while (event := await self.event()) is not None:
            found.append(event)
        return found

    async def failure(self) -> tuple[str, str]:
        """Return type and text of the exception that ends the stream, skipping events before it."""
        while (message := await self.message()) is not None:
            if message.headers[":message-type"] == "exception":
                return message.headers[":exception-type"], json.loads(message.payload)["message"]
        raise AssertionError("the stream ended without an exception")

    def take(self, data: bytes) -> None:
        self.inbox.body += data
        if self.inbox.status == 200:
            try:
                self._decoder.add_data(data)
                self.inbox.messages.extend(self._decoder)
            except Exception as error:
                self.inbox.lost = f"undecodable: {type(error).__name__}"


class WireClient:
    """One HTTP/2 connection."""

    def __init__(self) -> None:
        self.machine = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.streams: dict[int, WireStream] = {}
        self.closed = ""
        self.auto_window = True
        self.goaway: int | None = None
        self._frames: bytearray | None = None
        self._changed = asyncio.Condition()

    async def connect(self, url: str, ca_file: str | None = None) -> "WireClient":
        parts = urlsplit(url)
        self.scheme, self.authority = parts.scheme, parts.netloc
        context = None
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca_file)
            context.set_alpn_protocols(["h2"])
        self.reader, self.writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
        self.machine.initiate_connection()
        self.flush()
        self._task = asyncio.create_task(self._pump())
        return self

    async def __aenter__(self) -> "WireClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        self.writer.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def open(
        self,
        keys: Keys,
        *,
        model: str = MODEL,
        method: str = "POST",
        path: str | None = None,
        query: str = "",
        sign_as: str = "host",
        date: datetime | None = None,
        tamper: dict[str, str] | None = None,
    ) -> WireStream:
        """Send a signed request and return its stream."""
        path = path or f"/model/{quote(model, safe='')}/invoke-with-bidirectional-stream"
        headers = self._signed_headers(keys, method, path, sign_as, date)
        headers.update(tamper or {})
        stream_id = self.machine.get_next_available_stream_id()
        seed = headers.get("authorization", "Signature=").rpartition("Signature=")[2]
        self.streams[stream_id] = stream = WireStream(self, stream_id, keys, seed)
        pseudo = [
            (":method", method),
            (":scheme", self.scheme),
            (":authority", self.authority),
            (":path", path + query),
        ]
        self.machine.send_headers(stream_id, pseudo + [(n, v) for n, v in headers.items() if v and n != "host"])
        self.flush()
        return stream

    def _signed_headers(
        self, keys: Keys, method: str, path: str, sign_as: str, date: datetime | None
    ) -> dict[str, str]:
        request = AWSRequest(
            method=method,
            url=f"{self.scheme}://{self.authority}{path}",
            headers={
                "content-type": "application/vnd.amazon.eventstream",
                "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-EVENTS",
                "accept": "application/json",
            },
        )
        signer = _Signer(Credentials(keys.access_key_id, keys.secret_access_key, keys.token), keys.service, keys.region)
        signer.sign_as, signer.date = sign_as, date
        signer.add_auth(request)
        return {name.lower(): value for name, value in request.headers.items()}

    async def send_data(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        async with asyncio.timeout(WAIT_S):
            while data:
                size = min(len(data), self.machine.local_flow_control_window(stream_id), 16_384)
                if self.closed:
                    raise Lost(self.closed)
                if size == 0:
                    async with self._changed:
                        await self._changed.wait()
                    continue
                self.machine.send_data(stream_id, data[:size])
                data = data[size:]
                self.flush()
                await self.writer.drain()
        if end:
            self.machine.end_stream(stream_id)
            self.flush()

    def let_goaway_pass(self) -> None:
        """Note GOAWAY and go on; `h2` closes its state machine on it, which HTTP/2 does not ask for."""
        self._frames = bytearray()

    def _without_goaway(self, data: bytes) -> bytes:
        assert self._frames is not None
        self._frames += data
        kept = b""
        while len(self._frames) >= 9 and len(self._frames) >= (size := 9 + int.from_bytes(self._frames[:3])):
            frame = bytes(self._frames[:size])
            del self._frames[:size]
            if frame[3] == 7:
                self.goaway = int.from_bytes(frame[13:17])
            else:
                kept += frame
        return kept

    def flush(self) -> None:
        if data := self.machine.data_to_send():
            self.writer.write(data)

    async def wait(self, ready: Any) -> None:
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(ready)

    async def _pump(self) -> None:
        why = "closed"
        try:
            while data := await self.reader.read(65_536):
                if self._frames is not None:
                    data = self._without_goaway(data)
                for event in self.machine.receive_data(data):
                    self._on(event)
                self.flush()
                async with self._changed:
                    self._changed.notify_all()
        except (OSError, h2.exceptions.ProtocolError) as error:
            why = f"closed: {type(error).__name__}"
        self.closed = why
        for stream in self.streams.values():
            stream.inbox.lost = stream.inbox.lost or why
        async with self._changed:
            self._changed.notify_all()

    def _on(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = int(event.error_code)
            return
        stream = self.streams.get(getattr(event, "stream_id", None) or 0)
        if stream is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            stream.inbox.headers = dict(event.headers)
            stream.inbox.status = int(stream.inbox.headers[":status"])
        elif isinstance(event, h2.events.DataReceived):
            stream.take(event.data)
            if self.auto_window:
                self.machine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream.inbox.ended = True
        elif isinstance(event, h2.events.StreamReset):
            if not stream.inbox.ended:
                stream.inbox.lost = f"reset {int(event.error_code)}"
            else:
                stream.inbox.trailing = f"reset {int(event.error_code)}"


class _Signer(SigV4Auth):
    """SigV4 of botocore, with the clock and the name of the host header in the caller's hands."""

    sign_as = "host"
    date: datetime | None = None

    def add_auth(self, request: AWSRequest) -> None:
        moment = self.date or datetime.now(UTC)
        request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        to_sign = self.string_to_sign(request, canonical)
        self._inject_signature_to_request(request, self.signature(to_sign, request))

    def canonical_request(self, request: AWSRequest) -> str:
        return super().canonical_request(request).replace("\nhost:", f"\n{self.sign_as}:")

    def headers_to_sign(self, request: AWSRequest) -> Any:
        found = super().headers_to_sign(request)
        if self.sign_as != "host":
            found[self.sign_as] = found["host"]
            del found["host"]
        return found


def opening(prompt: str = "p", *, voice: str = "matthew", system: str = "Be kind.", rate_hz: int = 24_000) -> list[Any]:
    """Return the events up to the end of the system prompt."""
    return [
        {"sessionStart": {"inferenceConfiguration": {"maxTokens": 1024, "topP": 0.9, "temperature": 0.7}}},
        {
            "promptStart": {
                "promptName": prompt,
                "textOutputConfiguration": {"mediaType": "text/plain"},
                "audioOutputConfiguration": {
                    "mediaType": "audio/lpcm",
                    "sampleRateHertz": rate_hz,
                    "sampleSizeBits": 16,
                    "channelCount": 1,
                    "voiceId": voice,
                    "encoding": "base64",
                    "audioType": "SPEECH",
                },
            }
        },
        *text(prompt, "system", system, role="SYSTEM", interactive=False),
    ]


def text(prompt: str, name: str, content: str, *, role: str, interactive: bool) -> list[Any]:
    """Return the three events of a text block."""
    ids = {"promptName": prompt, "contentName": name}
    start = {
        **ids,
        "type": "TEXT",
        "interactive": interactive,
        "role": role,
        "textInputConfiguration": {"mediaType": "text/plain"},
    }
    return [{"contentStart": start}, {"textInput": {**ids, "content": content}}, {"contentEnd": ids}]


def audio_start(prompt: str = "p", name: str = "audio", rate_hz: int = 16_000) -> dict[str, Any]:
    """Return the event that opens the audio block."""
    configuration = {
        "mediaType": "audio/lpcm",
        "sampleRateHertz": rate_hz,
        "sampleSizeBits": 16,
        "channelCount": 1,
        "audioType": "SPEECH",
        "encoding": "base64",
    }
    ids = {"promptName": prompt, "contentName": name}
    start = {**ids, "type": "AUDIO", "interactive": True, "role": "USER", "audioInputConfiguration": configuration}
    return {"contentStart": start}


def audio(pcm: bytes = bytes(1024), prompt: str = "p", name: str = "audio") -> dict[str, Any]:
    """Return one frame of audio."""
    return {"audioInput": {"promptName": prompt, "contentName": name, "content": base64.b64encode(pcm).decode()}}


def closing(prompt: str = "p", name: str = "audio") -> list[Any]:
    """Return the events that close everything in order."""
    return [
        {"contentEnd": {"promptName": prompt, "contentName": name}},
        {"promptEnd": {"promptName": prompt}},
        {"sessionEnd": {}},
    ]
