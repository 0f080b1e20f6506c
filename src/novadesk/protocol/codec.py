"""Bytes to events and back. Writing is strict, reading is tolerant."""

import json
from codecs import BOM_UTF8

from novadesk.errors import BugError, KnownError, Reason
from novadesk.protocol.decoding import INPUTS, OUTPUTS
from novadesk.protocol.encoding import envelope
from novadesk.protocol.events import AudioInput, InputEvent, OutputEvent, UnknownEvent
from novadesk.protocol.fields import Body, parse, text_of
from novadesk.protocol.limits import DEFAULT


class MalformedPayload(KnownError):
    """A payload that is no event at all: no JSON object, too large, or unusable where nothing can be guessed."""

    def __init__(self, what: str) -> None:
        super().__init__(Reason.BAD_EVENT_BYTES, what, "A new connection usually helps.")


def encode(event: InputEvent | OutputEvent) -> bytes:
    """Return the JSON of one event, as UTF-8.

    Raises:
        BugError: the event cannot be carried: text without a UTF-8 form, an unknown rate, a schema that is no JSON
            object, or more than `DEFAULT.event_bytes`.
    """
    name, body = envelope(event)
    try:
        payload = (_sound(body) if isinstance(event, AudioInput) else _WRITER.encode({"event": {name: body}})).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise BugError(f"A {name} event has a value that JSON cannot carry.") from error
    if len(payload) > DEFAULT.event_bytes:
        raise BugError(f"A {name} event has {len(payload)} bytes; the wire takes {DEFAULT.event_bytes}.")
    return payload


def _sound(body: Body) -> str:
    """Return the JSON of a frame, thirty a second of each conversation: base64 has nothing to be escaped."""
    prompt, content = _WRITER.encode(body["promptName"]), _WRITER.encode(body["contentName"])
    return (
        f'{{"event":{{"audioInput":{{"promptName":{prompt},"contentName":{content},"content":"{body["content"]}"}}}}}}'
    )


_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def decode_input(payload: bytes) -> InputEvent:
    """Return the client's event.

    Raises:
        MalformedPayload: no event, or one of ours with a value that nothing can be made of. The service answers such
            a payload with "Unable to parse input chunk", so this side is less tolerant than `decode_output`.
    """
    name, body = _open_envelope(payload)
    read = INPUTS.get(name)
    if read is None:
        return UnknownEvent(name=name, body=body)
    try:
        return read(body)
    except (ValueError, RecursionError) as error:
        raise MalformedPayload(f"A {name} event cannot be read.") from error


def decode_output(payload: bytes) -> OutputEvent:
    """Return the service's event; one with unusable values becomes an `UnknownEvent` of its name.

    Raises:
        MalformedPayload: no event.
    """
    name, body = _open_envelope(payload)
    read = OUTPUTS.get(name)
    if read is None:
        return UnknownEvent(name=name, body=body)
    try:
        return read(body)
    except (ValueError, RecursionError):
        return UnknownEvent(name=name, body=body)


def _open_envelope(payload: bytes) -> tuple[str, Body]:
    if len(payload) > DEFAULT.event_bytes:
        raise MalformedPayload("An event is larger than the wire allows.")
    try:
        document = parse(payload.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        raise MalformedPayload("An event is not UTF-8.") from error
    if not isinstance(document, dict):
        raise MalformedPayload("An event is not a JSON object.")
    events = document.get("event")
    if not isinstance(events, dict) or not events:
        return "", document
    name, body = next(iter(events.items()))
    return text_of({"name": name}, "name"), body if isinstance(body, dict) else {}
