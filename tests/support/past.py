"""What was said in the past, written into the store before the program starts."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path

from novadesk.models import Conversation, Role, Turn
from novadesk.paths import find_folders
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import make_conversation, make_turn

_ROLES = (Role.USER, Role.ASSISTANT)
_TURN_MS = 5_000


def yesterday_ms(hour: int) -> int:
    """Return a time of yesterday, in the zone of this computer."""
    day = datetime.now().date() - timedelta(days=1)
    return int(datetime.combine(day, time(hour)).timestamp() * 1000)


def remember(home: Path, at_ms: int, said: Sequence[str], *, title: str = "") -> tuple[Conversation, list[Turn]]:
    """Write a conversation: you and Nova by turns, the first at this Unix time."""
    made = make_conversation(at_ms, title=title)

    async def write() -> list[Turn]:
        async with Database(_store(home)) as database:
            archive = Conversations(database)
            await archive.create(made)
            return [
                await archive.append(
                    make_turn(made.handle, words, at_ms + place * _TURN_MS, role=_ROLES[place % 2], typed=not place % 2)
                )
                for place, words in enumerate(said)
            ]

    return made, asyncio.run(write())


def remember_much(home: Path, at_ms: int, said: Iterator[str], *, title: str) -> Conversation:
    """Write a long conversation at once, as if all of it were delivered."""
    made = make_conversation(at_ms, title=title)
    turns = [(f"{made.handle}-{place}", place, _ROLES[place % 2].value, words, at_ms + place)
             for place, words in enumerate(said)]  # fmt: skip

    async def write() -> None:
        async with Database(_store(home)) as database:
            archive = Conversations(database)
            await archive.create(made)
            await archive.set_current(made.handle)
            await database.run(lambda db: db.execute("DELETE FROM outbox"))
            await database.run(
                lambda db: db.executemany(
                    "INSERT INTO turn (conversation, turn_id, position, role, text, at_ms, wire_session, sync)"
                    " SELECT max(number), ?, ?, ?, ?, ?, 'w', 'synced' FROM conversation",
                    turns,
                )
            )
            await database.run(
                lambda db: db.execute("UPDATE conversation SET turns = ?, updated_ms = ?", (len(turns), turns[-1][-1]))
            )

    asyncio.run(write())
    return made


def _store(home: Path) -> Path:
    return find_folders(home=str(home)).make().database
