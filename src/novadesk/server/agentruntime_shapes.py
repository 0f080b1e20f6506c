"""Shapes of the Agent Runtime session API: what a request must look like, checked as the service model states it.

Patterns, lengths and enums are those of the service model bedrock-agent-runtime/2023-07-26; the client library checks
only required members, types and lengths. Image limits are those of the user guide (20 images, 3.75 MB each).
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

_UUID_TEXT = r"[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"
_UUID = re.compile(_UUID_TEXT)
_SESSION_ARN = re.compile(rf"arn:aws(?:-[^:]+)?:bedrock:[a-z0-9-]+:[0-9]{{12}}:session/({_UUID_TEXT})")
_KEY_ARN = re.compile(r"arn:aws(|-cn|-us-gov):kms:[a-zA-Z0-9-]*:[0-9]{12}:key/[a-zA-Z0-9-]{36}")
_TAG_TEXT = re.compile(r"[a-zA-Z0-9\s._:/=+@-]*")
_TOKEN = re.compile(r"\S{1,2048}")
_S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.{1,1024}", re.DOTALL)
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})")

MAX_METADATA_KEYS = 50
MAX_METADATA_KEY_CHARS = 100
MAX_METADATA_VALUE_CHARS = 5_000
MAX_TAGS = 200
MAX_PAGE = 1_000
MAX_IMAGES = 20
MAX_IMAGE_BYTES = 3_932_160
IMAGE_FORMATS = frozenset({"png", "jpeg", "gif", "webp"})


class ErrorType(Enum):
    """The error types of the API with their HTTP status."""

    VALIDATION = ("ValidationException", 400)
    QUOTA = ("ServiceQuotaExceededException", 400)
    DENIED = ("AccessDeniedException", 403)
    NOT_FOUND = ("ResourceNotFoundException", 404)
    UNKNOWN_OPERATION = ("UnknownOperationException", 404)
    CONFLICT = ("ConflictException", 409)
    THROTTLED = ("ThrottlingException", 429)
    INTERNAL = ("InternalServerException", 500)

    @property
    def wire_name(self) -> str:
        """Return the value of the `x-amzn-ErrorType` header."""
        return self.value[0]

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return self.value[1]


class ServiceError(Exception):
    """A refusal, sent to the caller as error type and message."""

    def __init__(self, kind: ErrorType, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInput:
    """A checked PutInvocationStep body. `payload` is its JSON text, `step_id` None when the caller gave none."""

    invocation_id: str
    step_id: str | None
    time: str
    payload: str


def invalid(message: str) -> ServiceError:
    """Return the refusal of a malformed request."""
    return ServiceError(ErrorType.VALIDATION, message)


def check_uuid(value: object, name: str) -> str:
    """Return a lower-case UUID."""
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise invalid(f"Value at '{name}' failed to satisfy constraint: must be a lower-case UUID")
    return value


def check_session(segment: str) -> str:
    """Return the session's UUID from a path segment, which holds the UUID or the session's ARN."""
    if _UUID.fullmatch(segment):
        return segment
    match = _SESSION_ARN.fullmatch(segment)
    if match is None:
        raise invalid("Value at 'sessionIdentifier' failed to satisfy constraint: must be a session id or session ARN")
    return match[1]


def check_arn(segment: str) -> str:
    """Return the session's UUID from the path segment of a tag operation, which must hold an ARN."""
    match = _SESSION_ARN.fullmatch(segment)
    if match is None:
        raise invalid("Value at 'resourceArn' failed to satisfy constraint: must be a session ARN")
    return match[1]


def check_body(raw: bytes) -> dict[str, Any]:
    """Return the members of a JSON body; an empty body has none."""
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ServiceError(ErrorType.VALIDATION, "The request body is not valid JSON") from error
    if not isinstance(body, dict):
        raise invalid("The request body must be a JSON object")
    return {name: value for name, value in body.items() if value is not None}


def check_text(value: object, name: str, low: int, high: int) -> str:
    """Return a string of `low` to `high` characters."""
    if not isinstance(value, str) or not low <= len(value) <= high:
        raise invalid(f"Value at '{name}' failed to satisfy constraint: must have length between {low} and {high}")
    return value


def check_metadata(value: object) -> dict[str, str]:
    """Return session metadata: at most 50 pairs, keys of 1-100 and values of 0-5000 characters."""
    if not isinstance(value, dict) or len(value) > MAX_METADATA_KEYS:
        raise invalid(f"Value at 'sessionMetadata' must be a map of at most {MAX_METADATA_KEYS} pairs")
    for key, text in value.items():
        check_text(key, "sessionMetadata.key", 1, MAX_METADATA_KEY_CHARS)
        check_text(text, "sessionMetadata.value", 0, MAX_METADATA_VALUE_CHARS)
    return value


def check_tags(value: object) -> dict[str, str]:
    """Return tags: 1-200 pairs, keys of 1-128 and values of 0-256 allowed characters."""
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_TAGS:
        raise invalid(f"Value at 'tags' must be a map of 1 to {MAX_TAGS} pairs")
    for key, text in value.items():
        check_tag_key(key)
        if not _TAG_TEXT.fullmatch(check_text(text, "tags.value", 0, 256)):
            raise invalid("Value at 'tags.value' holds a character that is not allowed")
    return value


def check_tag_key(key: object) -> str:
    """Return one tag key."""
    text = check_text(key, "tags.key", 1, 128)
    if not _TAG_TEXT.fullmatch(text):
        raise invalid("Value at 'tags.key' holds a character that is not allowed")
    return text


def check_key_arn(value: object) -> str:
    """Return the ARN of an encryption key; an alias is refused."""
    text = check_text(value, "encryptionKeyArn", 1, 2048)
    if not _KEY_ARN.fullmatch(text):
        raise invalid("Value at 'encryptionKeyArn' failed to satisfy constraint: must be the ARN of a KMS key")
    return text


def check_page(query: Mapping[str, str], default: int) -> tuple[int, str | None]:
    """Return page size (1-1000) and the token of a list request."""
    size = query.get("maxResults")
    count = default
    if size is not None:
        if not re.fullmatch(r"-?[0-9]{1,9}", size) or not 1 <= int(size) <= MAX_PAGE:
            raise invalid(f"Value at 'maxResults' failed to satisfy constraint: must be between 1 and {MAX_PAGE}")
        count = int(size)
    token = query.get("nextToken")
    if token is not None and not _TOKEN.fullmatch(token):
        raise invalid("Value at 'nextToken' failed to satisfy constraint: must be 1 to 2048 characters without blanks")
    return count, token


def check_step(body: Mapping[str, Any]) -> StepInput:
    """Return a checked PutInvocationStep body."""
    for name in ("invocationIdentifier", "invocationStepTime", "payload"):
        if name not in body:
            raise invalid(f"Value at '{name}' failed to satisfy constraint: must not be null")
    step_id = body.get("invocationStepId")
    return StepInput(
        invocation_id=check_uuid(body["invocationIdentifier"], "invocationIdentifier"),
        step_id=None if step_id is None else check_uuid(step_id, "invocationStepId"),
        time=_check_time(body["invocationStepTime"]),
        payload=json.dumps(_check_payload(body["payload"]), ensure_ascii=False, separators=(",", ":")),
    )


def format_time(unix_s: float) -> str:
    """Return ISO 8601 in UTC with microseconds."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _check_time(value: object) -> str:
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        raise invalid("Value at 'invocationStepTime' failed to satisfy constraint: must be an ISO 8601 time")
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError) as error:
        raise ServiceError(ErrorType.VALIDATION, "Value at 'invocationStepTime' is no moment in time") from error


def _check_payload(value: object) -> dict[str, Any]:
    blocks = _member(value, "payload", {"contentBlocks"})[1]
    if not isinstance(blocks, list) or not blocks:
        raise invalid("Value at 'payload.contentBlocks' failed to satisfy constraint: must hold at least 1 block")
    checked = [_check_block(block) for block in blocks]
    if sum("image" in block for block in checked) > MAX_IMAGES:
        raise invalid(f"A step holds at most {MAX_IMAGES} images")
    return {"contentBlocks": checked}


def _check_block(value: object) -> dict[str, Any]:
    kind, content = _member(value, "contentBlock", {"text", "image"})
    if kind == "text":
        if not isinstance(content, str) or not content:
            raise invalid("Value at 'contentBlock.text' failed to satisfy constraint: must have length of at least 1")
        return {"text": content}
    if not isinstance(content, dict) or content.get("format") not in IMAGE_FORMATS:
        raise invalid("Value at 'image.format' failed to satisfy constraint: must be one of png, jpeg, gif, webp")
    source, place = _member(content.get("source"), "image.source", {"bytes", "s3Location"})
    if source == "bytes":
        _check_image_bytes(place)
    else:
        uri = place.get("uri") if isinstance(place, dict) else None
        if not _S3_URI.fullmatch(check_text(uri, "s3Location.uri", 1, 1024)):
            raise invalid("Value at 's3Location.uri' failed to satisfy constraint: must be an s3:// address")
        place = {"uri": uri}
    return {"image": {"format": content["format"], "source": {source: place}}}


def _check_image_bytes(value: object) -> None:
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError) as error:
        raise ServiceError(ErrorType.VALIDATION, "Value at 'image.source.bytes' is not base64") from error
    if not 1 <= len(data) <= MAX_IMAGE_BYTES:
        raise invalid(f"Value at 'image.source.bytes' must hold 1 to {MAX_IMAGE_BYTES} bytes")


def _member(value: object, name: str, known: set[str]) -> tuple[str, Any]:
    """Return the one member of a union."""
    present = [(key, item) for key, item in value.items() if item is not None] if isinstance(value, dict) else []
    if len(present) != 1 or present[0][0] not in known:
        raise invalid(f"Value at '{name}' must hold exactly one of {', '.join(sorted(known))}")
    return present[0]
