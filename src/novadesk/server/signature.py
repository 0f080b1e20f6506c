"""AWS Signature Version 4 as the service checks it: of a request, and of every event in a stream's chain.

Source of the rules: IAM user guide, "Create a signed AWS API request" and "Troubleshoot Signature Version 4";
of the event chain: Amazon Transcribe developer guide, "Event stream encoding". Signatures and keys never
appear in a message that this module makes.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

from novadesk.server.eventstream import Message, Timestamp, encode_headers
from novadesk.server.refusal import Refusal, validation

SKEW_S = 300  # the service's own words: "(… - 5 min.)"
STREAMING_PAYLOAD = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_ALGORITHM = "AWS4-HMAC-SHA256"
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_DATE = re.compile(r"\d{8}T\d{6}Z")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
_BAD_TOKEN = "The security token included in the request is invalid."


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """A pair of keys that the server knows.

    Attributes:
        session_token: the only token that fits a temporary key; None accepts any signed token or none.
        expires_at: UTC time after which the key is refused; None means never.
    """

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        return "AccessKey(…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What is signed of a request.

    Attributes:
        target: path and query exactly as they stand on the wire.
        headers: lower-case names with values, repeated where the wire repeats them; `:authority` stands for `host`.
        payload_sha256: hex digest of the body, or None while the body is a stream of signed events.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    payload_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A request whose signature fits. `signature` (hex) is the seed of the chain of events."""

    key: AccessKey
    region: str
    service: str
    signature: str

    def __repr__(self) -> str:
        return f"Verified(region={self.region!r}, service={self.service!r})"


def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """Return the key of a day (yyyymmdd), a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def verify_request(
    request: SignedRequest, *, keys: Mapping[str, AccessKey], now: datetime, region: str, service: str = "bedrock"
) -> Verified:
    """Return who signed a request.

    Args:
        request: the request as received.
        keys: the known keys by their id.
        now: UTC time.
        region: the region that the server stands for.
        service: the signing name.

    Raises:
        Refusal: 403 with the name and text that AWS answers.
    """
    headers = _headers(request.headers)
    fields = _authorization(headers.get("authorization"))
    day, scope_region, scope_service = _scope(fields["Credential"])
    key_id = fields["Credential"].split("/", 1)[0]
    date = _request_date(headers)
    signed = fields["SignedHeaders"].split(";")
    _check_signed(signed, headers)
    key = keys.get(key_id)
    if key is None or not _token_fits(key, headers.get("x-amz-security-token")):
        raise Refusal(403, "UnrecognizedClientException", _BAD_TOKEN)
    if key.expires_at is not None and now >= key.expires_at:
        raise Refusal(403, "ExpiredTokenException", "The security token included in the request is expired")
    if scope_region != region:
        raise _invalid("Credential should be scoped to a valid region.")
    if scope_service != service:
        raise _invalid(f"Credential should be scoped to correct service: '{service}'.")
    if day != date[:8]:
        raise _invalid(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{day}' != '{date[:8]}', from '{date}'."
        )
    _check_skew(date, now)
    canonical = _canonical_request(request, headers, signed)
    to_sign = "\n".join((_ALGORITHM, date, f"{day}/{region}/{service}/aws4_request", _sha256(canonical.encode())))
    expected = _hmac(signing_key(key.secret_access_key, day, region, service), to_sign).hex()
    if not hmac.compare_digest(expected.encode(), fields["Signature"].encode()):
        raise _invalid(_MISMATCH)
    return Verified(key=key, region=region, service=service, signature=expected)


class EventChain:
    """Checks the signature of each event: every one covers the one before it, the first covers the request.

    Args:
        verified: the request that opened the stream.
    """

    def __init__(self, verified: Verified) -> None:
        self._verified = verified
        self._previous = verified.signature
        self._day = ""
        self._key = b""

    def verify(self, message: Message, now: datetime) -> bytes:
        """Return the payload of a signature message: an encoded inner message, or empty for the end of the stream.

        Raises:
            Refusal: ValidationException in the service's words; the chain is of no use afterwards.
        """
        date, signature = message.headers.get(":date"), message.headers.get(":chunk-signature")
        if not isinstance(date, Timestamp) or not isinstance(signature, bytes):
            raise validation("Every event must be signed: the headers :date and :chunk-signature are missing.")
        try:
            stamp = datetime.fromtimestamp(date.unix_ms // 1000, UTC).strftime(_DATE_FORMAT)
            _check_skew(stamp, now)
        except Refusal as refusal:
            raise validation(refusal.message) from refusal
        except (ValueError, OverflowError, OSError) as error:
            raise validation("The date of an event is invalid.") from error
        scope = f"{stamp[:8]}/{self._verified.region}/{self._verified.service}/aws4_request"
        to_sign = "\n".join(
            (
                f"{_ALGORITHM}-PAYLOAD",
                stamp,
                scope,
                self._previous,
                _sha256(encode_headers({":date": date})),
                _sha256(message.payload),
            )
        )
        expected = _hmac(self._key_of(stamp[:8]), to_sign)
        if not hmac.compare_digest(expected, signature):
            raise validation(_MISMATCH)
        self._previous = expected.hex()
        return message.payload

    def _key_of(self, day: str) -> bytes:
        if day != self._day:
            verified = self._verified
            self._key = signing_key(verified.key.secret_access_key, day, verified.region, verified.service)
            self._day = day
        return self._key


def _headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        clean = " ".join(value.split())
        headers[name] = f"{headers[name]},{clean}" if name in headers else clean
    if ":authority" in headers:
        headers.setdefault("host", headers[":authority"])
    elif "host" in headers:
        headers[":authority"] = headers["host"]
    return headers


def _authorization(value: str | None) -> dict[str, str]:
    if not value:
        raise Refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    algorithm, _, rest = value.partition(" ")
    if algorithm != _ALGORITHM:
        raise _incomplete("Unsupported AWS 'algorithm'.")
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, _, content = part.strip().partition("=")
        fields[name] = content
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not fields.get(name):
            raise _incomplete(f"Authorization header requires '{name}' parameter.")
    return fields


def _scope(credential: str) -> tuple[str, str, str]:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
        )
    return parts[1], parts[2], parts[3]


def _request_date(headers: Mapping[str, str]) -> str:
    date = headers.get("x-amz-date", "")
    if not date:
        raise _incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if not _DATE.fullmatch(date):
        raise _incomplete(
            "Date must be in ISO-8601 'basic format'. Got a date in another format. See http://en.wikipedia.org/wiki/ISO_8601"
        )
    return date


def _check_signed(signed: list[str], headers: Mapping[str, str]) -> None:
    if "host" not in signed and ":authority" not in signed:
        raise _invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name in ("x-amz-date", "x-amz-security-token", "x-amz-content-sha256"):
        if name in headers and name not in signed:
            raise _invalid(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    for name in signed:
        if name not in headers:
            raise _invalid(_MISMATCH)


def _token_fits(key: AccessKey, token: str | None) -> bool:
    return key.session_token is None or hmac.compare_digest(key.session_token.encode(), (token or "").encode())


def _check_skew(stamp: str, now: datetime) -> None:
    try:
        date = datetime.strptime(stamp, _DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise _incomplete("Date must be in ISO-8601 'basic format'.") from error
    here, skew = now.strftime(_DATE_FORMAT), timedelta(seconds=SKEW_S)
    if date < now - skew:
        edge = (now - skew).strftime(_DATE_FORMAT)
        raise _invalid(f"Signature expired: {stamp} is now earlier than {edge} ({here} - 5 min.)")
    if date > now + skew:
        edge = (now + skew).strftime(_DATE_FORMAT)
        raise _invalid(f"Signature not yet current: {stamp} is still later than {edge} ({here} + 5 min.)")


def _canonical_request(request: SignedRequest, headers: Mapping[str, str], signed: list[str]) -> str:
    path, _, query = request.target.partition("?")
    declared = headers.get("x-amz-content-sha256", "")
    payload = declared if declared in (STREAMING_PAYLOAD, UNSIGNED_PAYLOAD) else request.payload_sha256 or declared
    return "\n".join(
        (
            request.method,
            quote(path, safe="/-_.~"),  # encoded a second time, as for every service but S3
            _canonical_query(query),
            *(f"{name}:{headers[name]}" for name in signed),
            "",
            ";".join(signed),
            payload,
        )
    )


def _canonical_query(query: str) -> str:
    pairs = []
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        pairs.append((_encode(name), _encode(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encode(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _invalid(message: str) -> Refusal:
    return Refusal(403, "InvalidSignatureException", message)


def _incomplete(message: str) -> Refusal:
    return Refusal(403, "IncompleteSignatureException", message)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
