"""The AsyncAPI description of the gateway's WebSocket, made of the tables that messages are read by."""

import re
from collections.abc import Mapping
from typing import Any

from novadesk.protocol.envelope import ALIASES, CLIENT_TYPES, SERVER_TYPES
from novadesk.protocol.envelope_kinds import Shape, camel
from novadesk.protocol.envelope_values import INPUT_RATE_HZ, MAX_FRAME_BYTES, OUTPUT_RATE_HZ, ErrorCode

_CODE = re.compile(r"`\w+`")
_CLOSES = {
    "1000": "after sessionEnded",
    "1001": "the gateway drains",
    "1002": "what was sent is no WebSocket",
    "1007": "a text was no UTF-8",
    "1009": "a message had more than 256 KB",
    "4401": "the token is missing, wrong or expired",
    "4408": "no heartbeat came in time",
    "4409": "another connection has taken the session",
}


def describe() -> dict[str, Any]:
    """Return the description (AsyncAPI 3.0.0) as JSON has it."""
    messages = {
        **_messages(CLIENT_TYPES),
        **_messages(SERVER_TYPES),
        "microphone": _sound("Microphone sound", INPUT_RATE_HZ),
        "speech": _sound("Speech of the open audio content", OUTPUT_RATE_HZ),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "NovaDesk gateway",
            "version": "1.0.0",
            "description": "Voice for people who hold no AWS keys. See gateway.md. Sub-protocol: novadesk.v1.",
        },
        "channels": {
            "ws": {
                "address": "/ws",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
                "x-close-codes": _CLOSES,
            }
        },
        "operations": {
            "hear": _operation("receive", [*CLIENT_TYPES, "microphone"]),
            "say": _operation("send", [*SERVER_TYPES, "speech"]),
        },
        "components": {
            "messages": messages,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "x-error-codes": [code.value for code in ErrorCode],
    }


def payload(name: str, kind: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema of one message."""
    schema = Shape(kind).schema()
    properties = {"type": {"const": name}, **schema["properties"]}
    return {"type": "object", "properties": properties, "required": ["type", *schema.get("required", [])]}


def _messages(types: Mapping[str, type[Any]]) -> dict[str, Any]:
    return {
        name: {
            "name": name,
            "summary": _CODE.sub(lambda code: camel(code[0]), " ".join((kind.__doc__ or "").split())),
            "contentType": "application/json",
            "payload": payload(name, kind),
            **_aliases(name),
        }
        for name, kind in types.items()
    }


def _aliases(name: str) -> dict[str, Any]:
    others = [alias for alias, meant in ALIASES.items() if meant == name]
    return {"x-aliases": others} if others else {}


def _sound(title: str, rate_hz: int) -> dict[str, Any]:
    return {
        "name": title,
        "summary": f"{title}: u32 big-endian sequence, then s16le mono at {rate_hz} Hz.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary", "maxLength": MAX_FRAME_BYTES},
    }


def _operation(action: str, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/ws"},
        "security": [{"$ref": "#/components/securitySchemes/token"}],
        "messages": [{"$ref": f"#/channels/ws/messages/{name}"} for name in names],
    }
