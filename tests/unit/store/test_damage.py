"""Any damage: whatever becomes of the bytes, the store opens, says what it did, and works."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from novadesk.store import repair
from novadesk.store.conversations import Conversations
from novadesk.store.copies import Health, RecoveryCopies, check
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation, make_turn

pytestmark = pytest.mark.thorough

PAGE = 4_096
CHATS, TURNS = 3, 25


@pytest.fixture
async def whole(tmp_path: Path) -> Path:
    """A folder with a store and a recovery copy that lacks the last turn of each conversation."""
    file = tmp_path / "whole" / "novadesk.db"
    async with Database(file) as database:
        archive = Conversations(database)
        for chat in range(CHATS):
            made = make_conversation(START_MS + chat)
            await archive.create(made)
            for number in range(TURNS):
                await archive.append(make_turn(made.handle, f"chat {chat} turn {number} " + "word " * 30))
    RecoveryCopies(file).make(START_MS)
    async with Database(file) as database:
        archive = Conversations(database)
        for one in await archive.conversations():
            await archive.append(make_turn(one.handle, "said later"))
    return file.parent


def flip_bytes(content: bytearray, dice: random.Random) -> None:
    for _ in range(dice.randint(1, 20)):
        content[dice.randrange(PAGE, len(content))] = dice.randrange(256)


def flip_bits_of_a_header(content: bytearray, dice: random.Random) -> None:
    start = dice.randrange(1, len(content) // PAGE) * PAGE
    for _ in range(dice.randint(1, 6)):
        content[start + dice.randrange(120)] ^= 1 << dice.randrange(8)


def destroy_pages(content: bytearray, dice: random.Random) -> None:
    for _ in range(dice.randint(1, 12)):
        start = dice.randrange(len(content) // PAGE) * PAGE
        content[start : start + PAGE] = dice.randbytes(PAGE)


def cut_short(content: bytearray, dice: random.Random) -> None:
    del content[dice.randrange(len(content)) :]


def empty_a_stretch(content: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(content))
    end = min(len(content), start + dice.randint(1, 20_000))
    content[start:end] = bytes(end - start)


def swap_pages(content: bytearray, dice: random.Random) -> None:
    one, other = (dice.randrange(len(content) // PAGE) * PAGE for _ in range(2))
    content[one : one + PAGE], content[other : other + PAGE] = (
        content[other : other + PAGE],
        content[one : one + PAGE],
    )


DAMAGES = [flip_bytes, flip_bits_of_a_header, destroy_pages, cut_short, empty_a_stretch, swap_pages]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("copied", [True, False], ids=["with a copy", "without"])
async def test_after_any_damage_the_store_opens_and_works(
    whole: Path, tmp_path: Path, damage: Callable[[bytearray, random.Random], None], copied: bool
) -> None:
    for seed in range(6):
        folder = tmp_path / f"{seed}"
        shutil.copytree(whole, folder)
        if not copied:
            shutil.rmtree(folder / "recovery")
        file = folder / "novadesk.db"
        content = bytearray(file.read_bytes())
        damage(content, random.Random(seed))
        file.write_bytes(content)
        repair.mark_suspect(file)
        await use(file, copied=copied, damaged=bytes(content))


async def use(file: Path, *, copied: bool, damaged: bytes) -> None:
    """Open, read everything, write, search and delete; then look at every page."""
    async with Database(file) as database:
        done = database.repaired
        archive = Conversations(database)
        found = [
            turn
            for one in await archive.conversations(limit=10_000)
            for turn in await archive.turns(one.handle, limit=10_000)
        ]
        assert len({turn.turn_id for turn in found}) == len(found)
        if done is not None:
            assert done.turns == len(found)
            assert not copied or len(found) >= CHATS * TURNS, "all that the copy has"
            if damaged:
                assert done.kept is not None
                assert done.kept.read_bytes() == damaged
        made = make_conversation(START_MS + 77)
        await archive.create(made)
        await archive.append(make_turn(made.handle, "unheard of"))
        assert [hit.turn.text for hit in await archive.search("unheard")] == ["unheard of"]
        await archive.delete(made.handle, START_MS)
    if done is not None:
        assert check(file) is Health.WHOLE
        assert not [name for name in os.listdir(file.parent) if "suspect" in name or "repaired" in name]
