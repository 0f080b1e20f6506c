"""The gateway's protocol, both ways: text of the WebSocket to values and back. See docs/gateway.md.

Reading never raises: what cannot be read becomes `Malformed`, which says why in words that name no content.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from novadesk.errors import BugError
from novadesk.protocol import envelope_client as client
from novadesk.protocol import envelope_server as server
from novadesk.protocol.envelope_client import ClientMessage
from novadesk.protocol.envelope_kinds import U32, Shape, Unfit
from novadesk.protocol.envelope_server import ServerMessage
from novadesk.protocol.envelope_values import (
    MAX_FRAME_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PCM_BYTES,
    ErrorCode,
    sound_problem,
)
from novadesk.protocol.fields import Body, parse

__all__ = [
    "CLIENT_TYPES",
    "SERVER_TYPES",
    "AudioFrame",
    "ClientMessage",
    "Malformed",
    "ServerMessage",
    "decode_client",
    "decode_server",
    "encode",
    "pack_audio",
    "unpack_audio",
]

CLIENT_TYPES: Mapping[str, type[Any]] = {
    "createSession": client.CreateSession,
    "resumeSession": client.ResumeSession,
    "history": client.History,
    "configure": client.Configure,
    "audio": client.Audio,
    "audioEnd": client.AudioEnd,
    "text": client.TextInput,
    "ack": client.Ack,
    "stop": client.Stop,
    "pause": client.Pause,
    "resume": client.Resume,
    "startListening": client.StartListening,
    "stopListening": client.StopListening,
    "refreshToken": client.RefreshToken,
    "getSessionStatus": client.GetSessionStatus,
    "heartbeat": client.Heartbeat,
    "endSession": client.EndSession,
    "resetSessions": client.ResetSessions,
}
"""Every message of a client, by its type."""

ALIASES: Mapping[str, str] = {
    "job.configuration": "configure",
    "sendAudio": "audio",
    "pauseBroadcast": "pause",
    "resumeBroadcast": "resume",
    "refreshConnection": "refreshToken",
}
"""Other names of client messages, which are only read."""

SERVER_TYPES: Mapping[str, type[Any]] = {
    "sessionCreated": server.SessionCreated,
    "sessionResumed": server.SessionResumed,
    "historyTaken": server.HistoryTaken,
    "configured": server.Configured,
    "audioAck": server.AudioAck,
    "textAccepted": server.TextAccepted,
    "content_start": server.ContentStart,
    "transcript": server.Transcript,
    "audio_response": server.AudioResponse,
    "toolUse": server.ToolUse,
    "content_end": server.ContentEnd,
    "userSpeechEnded": server.UserSpeechEnded,
    "usage": server.Usage,
    "completed": server.Completed,
    "turn": server.Turn,
    "call.status_changed": server.CallStatusChanged,
    "pipelineState": server.PipelineState,
    "heartbeatAck": server.HeartbeatAck,
    "paused": server.Paused,
    "resumed": server.Resumed,
    "stopped": server.Stopped,
    "listeningStarted": server.ListeningStarted,
    "listeningStopped": server.ListeningStopped,
    "tokenRefreshed": server.TokenRefreshed,
    "connectionWarning": server.ConnectionWarning,
    "connectionRefreshRequired": server.ConnectionRefreshRequired,
    "sessionStatus": server.SessionStatus,
    "sessionEnded": server.SessionEnded,
    "sessionsReset": server.SessionsReset,
    "error": server.Error,
}
"""Every message of the gateway, by its type."""

_NAMES = {kind: name for table in (CLIENT_TYPES, SERVER_TYPES) for name, kind in table.items()}
_SHAPES = {kind: Shape(kind) for kind in _NAMES}
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_SEQUENCE = struct.Struct(">I")
_MAX_ID_CHARS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A message that cannot be read, and which request it would have been."""

    code: ErrorCode
    message: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """A binary message: its number, and s16le mono."""

    sequence: int
    pcm: bytes = field(repr=False)


def decode_client(text: str) -> ClientMessage | Malformed:
    """Return the client's message."""
    document = _open(text)
    if isinstance(document, Malformed):
        return document
    name = document.get("type", document.get("action"))
    kind = CLIENT_TYPES.get(ALIASES.get(name, name)) if isinstance(name, str) else None
    body = _nested(document) if kind is client.Configure else document
    message: ClientMessage | Malformed = _read(name, kind, body)
    return message


def decode_server(text: str) -> ServerMessage | Malformed:
    """Return the gateway's message."""
    document = _open(text)
    if isinstance(document, Malformed):
        return document
    name = document.get("type")
    kind = SERVER_TYPES.get(name) if isinstance(name, str) else None
    message: ServerMessage | Malformed = _read(name, kind, document)
    return message


def encode(message: ClientMessage | ServerMessage) -> str:
    """Return the text of a message.

    Raises:
        BugError: it is larger than `MAX_MESSAGE_BYTES`.
    """
    text = _ENCODER.encode({"type": _NAMES[type(message)], **_SHAPES[type(message)].write(message)})
    if 4 * len(text) > MAX_MESSAGE_BYTES and len(text.encode()) > MAX_MESSAGE_BYTES:
        raise BugError(f"A message {_NAMES[type(message)]} is larger than {MAX_MESSAGE_BYTES} bytes.")
    return text


def pack_audio(sequence: int, pcm: bytes) -> bytes:
    """Return the binary message of s16le mono.

    Raises:
        BugError: no sequence number, no sound, half a sample, or more than `MAX_PCM_BYTES`.
    """
    if not 0 <= sequence <= U32 or not 0 < len(pcm) <= MAX_PCM_BYTES or len(pcm) % 2:
        raise BugError("A piece of sound does not fit into a message.")
    return _SEQUENCE.pack(sequence) + pcm


def unpack_audio(frame: bytes) -> AudioFrame | Malformed:
    """Return the sound of a binary message."""
    if len(frame) > MAX_FRAME_BYTES:
        return Malformed(code=ErrorCode.MESSAGE_TOO_LARGE, message="A binary message has at most 32 KB.")
    pcm = frame[_SEQUENCE.size :]
    if wrong := "more than its number" if not pcm else sound_problem(pcm):
        return Malformed(code=ErrorCode.INVALID_PARAMETERS, message=f"A binary message must be {wrong}.")
    return AudioFrame(_SEQUENCE.unpack_from(frame)[0], pcm)


def _open(text: str) -> Body | Malformed:
    if len(text) > MAX_MESSAGE_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_MESSAGE_BYTES:
        return Malformed(code=ErrorCode.MESSAGE_TOO_LARGE, message="A message has at most 128 KB.")
    document = parse(text)
    if not isinstance(document, dict):
        return Malformed(code=ErrorCode.INVALID_MESSAGE, message="A message is a JSON object.")
    return document


def _read(name: object, kind: type[Any] | None, body: Body) -> Any:
    """Return the message of a kind, or why there is none."""
    asked = body.get("requestId")
    request_id = asked if isinstance(asked, str) and 0 < len(asked) <= _MAX_ID_CHARS and asked.isascii() else None
    if not isinstance(name, str):
        return Malformed(code=ErrorCode.INVALID_MESSAGE, message="A message says its type.", request_id=request_id)
    if kind is None:
        return Malformed(
            code=ErrorCode.INVALID_ACTION, message="There is no message of this type.", request_id=request_id
        )
    try:
        return _SHAPES[kind].read(body)
    except Unfit as unfit:
        within = "configuration" in unfit.path
        code = ErrorCode.INVALID_CONFIGURATION if within else ErrorCode.INVALID_PARAMETERS
        return Malformed(code=code, message=unfit.sentence, request_id=request_id)


def _nested(body: Body) -> Body:
    """Return a `configure` whose fields may stand beside its revision in the one form."""
    if "configuration" in body:
        return body
    beside = {name: value for name, value in body.items() if name not in ("type", "action", "revision")}
    return {"type": body.get("type"), "revision": body.get("revision"), "configuration": beside}
