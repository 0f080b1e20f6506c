"""How a turn is worded as a remote step: one JSON object in one text block."""

import json
import re
from typing import Any

from novadesk.models import Role, SyncState, Turn
from novadesk.protocol.events import TOOL_NAME

_UUID = re.compile(r"[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}")
_VOICE = re.compile(r"[\w .-]{1,64}")
_MOST_TOOLS = 64
"""What is read of members that another program may have written."""

_VERSION = 1


def encode_turn(turn: Turn) -> str:
    """Return the JSON text of a turn; the same turn gives the same text."""
    content: dict[str, Any] = {
        "v": _VERSION,
        "role": turn.role.value,
        "text": turn.text,
        "interrupted": turn.interrupted,
        "heard_chars": turn.heard_chars,
        "unconfirmed": turn.unconfirmed,
        "typed": turn.typed,
        "turn_id": turn.turn_id,
        "at_ms": turn.at_ms,
    }
    content |= {"voice": turn.voice} if turn.voice else {}
    content |= {"tools": list(turn.tools)} if turn.tools else {}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def decode_turn(text: str, *, conversation: str, step_id: str, step_ms: int, wire_session: str) -> Turn | None:
    """Return the turn of a step, None for a torn or foreign one; missing members take the step's own values."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("text"), str):
        return None
    if content.get("role") not in {role.value for role in Role}:
        return None
    turn_id = content.get("turn_id")
    return Turn(
        turn_id=turn_id if isinstance(turn_id, str) and _UUID.fullmatch(turn_id) else step_id,
        conversation=conversation,
        position=0,
        role=Role(content["role"]),
        text=content["text"],
        at_ms=_whole(content.get("at_ms"), step_ms),
        wire_session=wire_session,
        heard_chars=_whole(content.get("heard_chars"), None),
        interrupted=content.get("interrupted") is True,
        unconfirmed=content.get("unconfirmed") is True,
        typed=content.get("typed") is True,
        voice=_voice(content.get("voice")),
        tools=_tools(content.get("tools")),
        sync=SyncState.SYNCED,
    )


def _voice(value: Any) -> str:
    return value if isinstance(value, str) and _VOICE.fullmatch(value) else ""


def _tools(values: Any) -> tuple[str, ...]:
    given = values[:_MOST_TOOLS] if isinstance(values, list) else []
    return tuple(dict.fromkeys(one for one in given if isinstance(one, str) and TOOL_NAME.fullmatch(one)))


def _whole[T](value: Any, otherwise: T) -> int | T:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
    return value if good else otherwise
