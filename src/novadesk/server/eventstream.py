"""The framing `application/vnd.amazon.eventstream`: messages of typed headers and a payload, guarded by two CRCs.

Layout (AWS, "Event stream encoding"; all integers big-endian): total length u32, headers length u32, CRC-32 of
these 8 bytes; headers; payload; CRC-32 of everything before it.
"""

import json
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from zlib import crc32

from novadesk.errors import BugError, KnownError, Reason

PRELUDE_BYTES = 12
_OVERHEAD_BYTES = 16
_MAX_HEADERS_BYTES = 128 * 1024  # AWS, "Event stream encoding"
_MAX_VALUE_BYTES = 32 * 1024 - 1  # the same
MAX_MESSAGE_BYTES = 1_500_000
"""The largest message taken: 1,000,000 bytes of event (botocore, `PartBody`) as base64 in two envelopes."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A point in time in Unix milliseconds (header type 8)."""

    unix_ms: int


type HeaderValue = bool | int | bytes | str | Timestamp | uuid.UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of the stream."""

    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    payload: bytes = b""


def encode_headers(headers: Mapping[str, HeaderValue]) -> bytes:
    """Return headers as they stand on the wire; a plain `int` takes 4 bytes, or 8 where it must.

    Raises:
        BugError: for a name or value that the format cannot hold.
    """
    return b"".join(_encode_header(name, value) for name, value in headers.items())


def encode(message: Message) -> bytes:
    """Return a message as it stands on the wire."""
    headers = encode_headers(message.headers)
    total_bytes = len(headers) + len(message.payload) + _OVERHEAD_BYTES
    lengths = struct.pack(">II", total_bytes, len(headers))
    prelude = lengths + struct.pack(">I", crc32(lengths))
    body = prelude + headers + message.payload
    return body + struct.pack(">I", crc32(body))


def encode_event(payload: bytes, *, event_type: str = "chunk") -> bytes:
    """Return the message of one event around a finished JSON payload."""
    return encode(
        Message(
            headers={":event-type": event_type, ":content-type": "application/json", ":message-type": "event"},
            payload=payload,
        )
    )


def encode_exception(exception_type: str, message: str, extra: Mapping[str, object] | None = None) -> bytes:
    """Return the message of a modelled in-stream exception such as "validationException"."""
    return encode(
        Message(
            headers={
                ":exception-type": exception_type,
                ":content-type": "application/json",
                ":message-type": "exception",
            },
            payload=json.dumps({"message": message, **(extra or {})}).encode(),
        )
    )


def encode_error(code: str, message: str) -> bytes:
    """Return the message of an unmodelled in-stream error."""
    return encode(Message(headers={":error-code": code, ":error-message": message, ":message-type": "error"}))


class MessageBuffer:
    """Cuts messages out of bytes that arrive in any pieces: message borders and frame borders are unrelated."""

    def __init__(self, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._bytes = bytearray()
        self._max_message_bytes = max_message_bytes

    @property
    def is_empty(self) -> bool:
        """Return whether the bytes so far ended with a whole message."""
        return not self._bytes

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes and return the messages that they complete.

        Raises:
            KnownError: `BAD_EVENT_BYTES` for a wrong checksum, an impossible length or a broken header;
                the buffer is of no use afterwards.
        """
        self._bytes += data
        messages: list[Message] = []
        start = 0
        while len(self._bytes) - start >= PRELUDE_BYTES:
            total_bytes = self._check_prelude(start)
            if len(self._bytes) - start < total_bytes:
                break
            messages.append(_decode(bytes(self._bytes[start : start + total_bytes])))
            start += total_bytes
        del self._bytes[:start]
        return messages

    def _check_prelude(self, start: int) -> int:
        total_bytes, headers_bytes, prelude_crc = struct.unpack_from(">III", self._bytes, start)
        if crc32(self._bytes[start : start + 8]) != prelude_crc:
            raise _broken("the checksum of a prelude is wrong")
        if total_bytes > self._max_message_bytes:
            raise _broken("a message is too long")
        if headers_bytes > _MAX_HEADERS_BYTES or headers_bytes + _OVERHEAD_BYTES > total_bytes:
            raise _broken("a length is impossible")
        return int(total_bytes)


def decode(data: bytes) -> Message:
    """Return the one message that `data` is.

    Raises:
        KnownError: `BAD_EVENT_BYTES` when it is anything else.
    """
    buffer = MessageBuffer(max_message_bytes=max(len(data), PRELUDE_BYTES))
    messages = buffer.feed(data)
    if len(messages) != 1 or not buffer.is_empty:
        raise _broken("there is not exactly one message")
    return messages[0]


def _decode(data: bytes) -> Message:
    (message_crc,) = struct.unpack_from(">I", data, len(data) - 4)
    if crc32(data[:-4]) != message_crc:
        raise _broken("the checksum of a message is wrong")
    (headers_bytes,) = struct.unpack_from(">I", data, 4)
    end = PRELUDE_BYTES + headers_bytes
    return Message(headers=_decode_headers(data[PRELUDE_BYTES:end]), payload=data[end:-4])


def _decode_headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            name_bytes = data[at]
            name = data[at + 1 : at + 1 + name_bytes].decode()
            at += 1 + name_bytes
            value, at = _decode_value(data, at)
            if not name or name in headers:
                raise _broken("a header is empty or stands twice")
            headers[name] = value
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise _broken("a header is broken") from error
    return headers


_FIXED_FORMATS: dict[int, str] = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}


def _decode_value(data: bytes, at: int) -> tuple[HeaderValue, int]:
    kind, at = data[at], at + 1
    if kind in (0, 1):
        return kind == 0, at
    if kind in _FIXED_FORMATS:
        (number,) = struct.unpack_from(_FIXED_FORMATS[kind], data, at)
        end = at + struct.calcsize(_FIXED_FORMATS[kind])
        return (Timestamp(number) if kind == 8 else int(number)), end
    if kind == 9:
        if at + 16 > len(data):
            raise _broken("a header is cut off")
        return uuid.UUID(bytes=data[at : at + 16]), at + 16
    if kind not in (6, 7):
        raise _broken("a header is of an unknown type")
    (length,) = struct.unpack_from(">H", data, at)
    raw = data[at + 2 : at + 2 + length]
    if len(raw) != length or length > _MAX_VALUE_BYTES:
        raise _broken("a header is cut off")
    return (raw if kind == 6 else raw.decode()), at + 2 + length


def _encode_header(name: str, value: HeaderValue) -> bytes:
    raw = name.encode()
    if not 1 <= len(raw) <= 255:
        raise BugError("a header name takes 1 to 255 bytes")
    return bytes([len(raw)]) + raw + _encode_value(value)


def _encode_value(value: HeaderValue) -> bytes:
    match value:
        case bool():
            return b"\x00" if value else b"\x01"
        case int() if -(2**31) <= value < 2**31:
            return b"\x04" + struct.pack(">i", value)
        case int() if -(2**63) <= value < 2**63:
            return b"\x05" + struct.pack(">q", value)
        case bytes() | str():
            raw = value if isinstance(value, bytes) else value.encode()
            if len(raw) > _MAX_VALUE_BYTES:
                raise BugError("a header value is too long")
            return (b"\x06" if isinstance(value, bytes) else b"\x07") + struct.pack(">H", len(raw)) + raw
        case Timestamp():
            return b"\x08" + struct.pack(">q", value.unix_ms)
        case uuid.UUID():
            return b"\x09" + value.bytes
        case _:
            raise BugError("a header value is of a kind that the format does not know")


def _broken(why: str) -> KnownError:
    return KnownError(Reason.BAD_EVENT_BYTES, f"The event stream is broken: {why}.", "Open a new stream.")
