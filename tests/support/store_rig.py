"""Values and adapters for tests of the store."""

import functools
import sqlite3
import time
import uuid
from contextlib import closing
from typing import Any

from novadesk.errors import KnownError
from novadesk.models import BackendKind, Conversation, Role, Turn, make_handle
from novadesk.store import schema

START_MS = 1_790_000_000_000


def open_memory() -> sqlite3.Connection:
    """Open an empty store in memory: a copy of one that was made before, since its schema takes as long as a story."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.deserialize(_empty_store())
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    return db


@functools.cache
def _empty_store() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db)
        return db.serialize()


class RealClock:
    def now(self) -> float:
        return time.monotonic()

    def unix_ms(self) -> int:
        return time.time_ns() // 1_000_000


class MemoryKeychain:
    """A keyring in memory; raises `failure` while it is set."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.failure: KnownError | None = None
        self.calls = 0

    def _touch(self) -> None:
        self.calls += 1
        if self.failure is not None:
            raise self.failure

    async def get(self, name: str) -> str | None:
        self._touch()
        return self.entries.get(name)

    async def set(self, name: str, value: str) -> None:
        self._touch()
        self.entries[name] = value

    async def delete(self, name: str) -> None:
        self._touch()
        self.entries.pop(name, None)


def make_conversation(at_ms: int = START_MS, **given: Any) -> Conversation:
    values: dict[str, Any] = {
        "handle": make_handle(at_ms),
        "label": "caring-king-275",
        "title": "",
        "backend": BackendKind.PRACTICE,
        "created_ms": at_ms,
        "updated_ms": at_ms,
    }
    return Conversation(**(values | given))


def make_turn(conversation: str, text: str = "Hello.", at_ms: int = START_MS + 1, **given: Any) -> Turn:
    values: dict[str, Any] = {
        "turn_id": str(uuid.uuid4()),
        "conversation": conversation,
        "position": 0,
        "role": Role.USER,
        "text": text,
        "at_ms": at_ms,
        "wire_session": "11111111-1111-4111-8111-111111111111",
    }
    return Turn(**(values | given))
