"""Sessions and turns to try a gateway's session store with."""

import uuid
from typing import Any

from novadesk.models import Role, Turn, make_handle
from novadesk.server.gateway.state import Limits, SessionRecord

NOW_S = 1_790_000_000
NOW_MS = NOW_S * 1000
HOUR_S = 3600
PLENTY = Limits(per_owner=50, in_all=100)


def make_record(owner: str = "ann", **changes: Any) -> SessionRecord:
    """Return a session of an hour that begins now."""
    given = {
        "session_id": make_handle(NOW_MS),
        "owner": owner,
        "secret_hash": "5ec8e7",
        "created_ms": NOW_MS,
        "last_activity_ms": NOW_MS,
        "expires_at_s": NOW_S + HOUR_S,
    }
    return SessionRecord(**given | changes)


def make_turn(session_id: str, text: str = "hello", **changes: Any) -> Turn:
    """Return a turn that was said now."""
    given = {
        "turn_id": str(uuid.uuid4()),
        "conversation": session_id,
        "position": 0,
        "role": Role.USER,
        "text": text,
        "at_ms": NOW_MS,
        "wire_session": str(uuid.UUID(int=7)),
    }
    return Turn(**given | changes)
