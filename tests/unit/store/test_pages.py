"""A page costs what it holds, however much is stored: counted in steps of the database, not in time."""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation

_GRAIN = 10
SMALL, LARGE = 400, 4_000

type Read = Callable[[Conversations, str, int], Awaitable[object]]


async def cost(folder: Path, count: int, read: Read, *, conversations: bool) -> int:
    """Return the steps of a read in a store of so many conversations, or of a single one with so many turns."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += _GRAIN
        return 0

    async with Database(folder / f"{count}.db") as database:
        archive = Conversations(database)
        handle = make_conversation().handle
        await database.run(lambda db: fill(db, handle, *((count, 1) if conversations else (1, count))))
        await database.read(lambda db: db.set_progress_handler(step, _GRAIN))
        assert await read(archive, handle, count)
        await database.read(lambda db: db.set_progress_handler(None, 0))
    return steps


def fill(db: sqlite3.Connection, handle: str, conversations: int, turns: int) -> None:
    names = [handle, *(make_conversation(START_MS + place).handle for place in range(1, conversations))]
    db.executemany(
        "INSERT INTO conversation (number, handle, label, title, backend, created_ms, updated_ms)"
        f" VALUES (?, ?, 'caring-king-1', '', 'practice', {START_MS}, ?)",
        [(number, name, START_MS + number) for number, name in enumerate(names, 1)],
    )
    db.executemany(
        "INSERT INTO turn (turn_id, conversation, position, role, text, at_ms, wire_session, sync)"
        " VALUES (?, 1, ?, 'user', ?, ?, 'w', 'synced')",
        [
            (f"t{place}", place, "rare words" if place == 7 else "some words", START_MS + place)
            for place in range(turns)
        ],
    )


READS: dict[str, Read] = {
    "the newest turns": lambda archive, handle, _: archive.turns(handle, limit=60),
    "turns of the middle": lambda archive, handle, count: archive.turns(handle, before=count // 2, limit=60),
    "the first turns": lambda archive, handle, _: archive.turns(handle, before=60, limit=60),
    "the newest conversations": lambda archive, _, __: archive.conversations(limit=200),
    "a frequent word": lambda archive, _, __: archive.search("words", 50),
    "a rare word": lambda archive, _, __: archive.search("rare", 50),
}


@pytest.mark.parametrize("what", READS)
async def test_ten_times_as_much_is_read_as_fast(tmp_path: Path, what: str) -> None:
    many = what == "the newest conversations"
    small, large = [await cost(tmp_path, count, READS[what], conversations=many) for count in (SMALL, LARGE)]
    assert small > _GRAIN
    assert large < 1.2 * small + 10 * _GRAIN
