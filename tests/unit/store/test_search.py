"""Search over what was heard: any input is a search, and what is gone is not found."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from novadesk.models import Role
from novadesk.store import schema
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.search import MOST_WORDS, make_query, search
from tests.support.store_rig import START_MS, make_conversation, make_turn


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(tmp_path / "a.db") as database:
        yield database


@pytest.fixture
def archive(database: Database) -> Conversations:
    return Conversations(database)


async def said(archive: Conversations, *texts: str) -> str:
    """Store these as turns of one conversation; return its handle."""
    made = make_conversation()
    await archive.create(made)
    for text in texts:
        await archive.append(make_turn(made.handle, text))
    return made.handle


async def found(archive: Conversations, text: str) -> list[str]:
    return [one.turn.text for one in await archive.search(text)]


async def test_words_phrases_and_beginnings(archive: Conversations) -> None:
    await said(archive, "The green house is old", "An old green door", "Greenhouses need light", "green apples")
    assert await found(archive, "old green") == ["An old green door", "The green house is old"]
    assert await found(archive, '"old green"') == ["An old green door"]
    assert await found(archive, '"green house"') == ["The green house is old"]
    assert await found(archive, '"old gr"') == []
    assert await found(archive, '"old gr"*') == ["An old green door"]
    assert await found(archive, "gre") == [
        "green apples", "Greenhouses need light", "An old green door", "The green house is old",
    ]  # fmt: skip
    assert await found(archive, "greenh light") == [], "only the last word may be a beginning"
    assert await found(archive, "greenh* light") == ["Greenhouses need light"]
    assert await found(archive, "purple") == await found(archive, "green purple") == []


async def test_case_and_diacritics_make_no_difference(archive: Conversations) -> None:
    await said(archive, "Où est le CAFÉ?", "Das Mu\u0308sli", "मैं हिन्दी बोलता हूँ", "naïve œuvre")
    for typed in ("cafe", "CAFÉ", "cafe\u0301", "ou est"):
        assert await found(archive, typed) == ["Où est le CAFÉ?"], typed
    assert await found(archive, "müsli") == await found(archive, "MUSLI") == ["Das Mu\u0308sli"]
    assert await found(archive, "हिन्दी") == ["मैं हिन्दी बोलता हूँ"]
    assert await found(archive, "हन्दी") == []
    assert await found(archive, "naive") == ["naïve œuvre"]


async def test_the_words_are_marked_in_the_snippet(archive: Conversations) -> None:
    handle = await said(archive, "one " * 40 + "the needle here " + "two " * 40)
    (hit,) = await archive.search('"needle here" tw')
    assert [hit.snippet[first:end] for first, end in hit.marks][:1] == ["needle here"]
    assert {hit.snippet[first:end] for first, end in hit.marks} == {"needle here", "two"}
    assert hit.snippet.startswith("…")
    assert len(hit.snippet) < 120
    assert (hit.conversation.handle, hit.turn.conversation) == (handle, handle)


async def test_hits_come_in_pages_newest_first(archive: Conversations) -> None:
    await said(archive, *(f"hit {number}" for number in range(7)))
    pages = [await archive.search("hit", 3, offset) for offset in (0, 3, 6, 9)]
    assert [[hit.turn.text[-1] for hit in page] for page in pages] == [["6", "5", "4"], ["3", "2", "1"], ["0"], []]


async def test_what_was_not_heard_is_not_found(archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    turn = make_turn(made.handle, "heard unheard", role=Role.ASSISTANT, heard_chars=6, interrupted=True)
    await archive.append(turn)
    assert await found(archive, "heard") == ["heard unheard"]
    assert await found(archive, "unheard") == []


async def test_replaced_and_deleted_turns_are_not_found(archive: Conversations) -> None:
    made = make_conversation()
    await archive.create(made)
    turn = make_turn(made.handle, "provisional words", role=Role.ASSISTANT, unconfirmed=True)
    await archive.append(turn)
    assert await found(archive, "provisional")
    await archive.append(replace(turn, text="confirmed words", unconfirmed=False))
    assert await found(archive, "provisional") == []
    assert await found(archive, "words") == ["confirmed words"]
    await archive.delete(made.handle, START_MS)
    assert await found(archive, "words") == []


async def test_the_words_of_a_deleted_conversation_are_in_no_file(database: Database, archive: Conversations) -> None:
    """While the store is open, in the index as in the table: not one of the words, nor the beginning of one."""
    await said(archive, *(f"ordinary words number {number}" for number in range(200)))
    handle = await said(archive, "zanzibar quokka", "zanzibarian quokkas " * 50)
    await said(archive, *(f"later words number {number}" for number in range(200)))
    folder = database.file.parent
    assert b"quokka" in everything(folder)
    await archive.delete(handle, START_MS)
    left = everything(folder)
    for trace in (b"quokka", b"zanzibar", b"uokka", b"anzibar"):
        assert trace not in left
    assert len(await archive.search("words", limit=1_000)) == 400
    await database.run(lambda db: db.execute("INSERT INTO turn_text (turn_text, rank) VALUES ('integrity-check', 1)"))


async def test_a_reader_in_the_way_does_not_hold_up_a_deletion(database: Database, archive: Conversations) -> None:
    handle = await said(archive, "zanzibar quokka")
    with closing(sqlite3.connect(database.file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM turn").fetchone()
        await archive.delete(handle, START_MS)
        assert b"quokka" in everything(database.file.parent), "the reader still sees the old pages"
        reader.execute("COMMIT")
    await database.forget_old_pages()
    assert b"quokka" not in everything(database.file.parent)


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


@pytest.fixture(scope="module")
def memory() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        schema.migrate(db)
        db.execute(
            "INSERT INTO conversation (number, handle, label, title, backend, created_ms, updated_ms)"
            " VALUES (1, 'h', '', '', 'practice', 0, 0)"
        )
        yield db


def hold(db: sqlite3.Connection, text: str) -> None:
    """Have `text` be the only turn."""
    db.execute("DELETE FROM turn")
    db.execute(
        "INSERT INTO turn (turn_id, conversation, position, role, text, at_ms, wire_session, sync)"
        " VALUES ('t', 1, 0, 'user', ?, 0, '', 'local')",
        (text,),
    )


SAID = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
TYPED = st.text() | st.text(alphabet="\"*^:(){}+-. aAND OR NEAR,\0'é")


@given(typed=TYPED)
@example(typed="\ud800 half a pair")
@example(typed='"')
@example(typed='"*" AND *')
@example(typed="NEAR(a b, 2) text:a -b ^c {text}:d")
@example(typed="'; DROP TABLE turn; --")
@example(typed="a" * 100_000)
@example(typed="word " * 5_000)
@example(typed="\0a\0")
@example(typed="¼ ² Ⅷ ৴ \u0301 \ufdd0a\ufdd1")
def test_whatever_is_typed_is_a_search(memory: sqlite3.Connection, typed: str) -> None:
    hold(memory, "some text and near or not")
    for hit in search(memory, typed, 10, 0):
        assert hit.marks


@given(text=SAID)
@example(text="\ufdd1\ufdd0 a \ufdd0 b \ufdd1 c")
def test_whatever_was_said_is_found_by_its_words_and_marked_within_it(memory: sqlite3.Connection, text: str) -> None:
    hold(memory, text)
    tokens = [row["term"] for row in _vocabulary(memory)]
    for token in tokens[:3]:
        if not any(character.isalnum() for character in token):
            continue
        (hit,) = search(memory, token, 10, 0)
        assert hit.turn.text == text
        for first, end in hit.marks:
            assert 0 <= first < end <= len(hit.snippet)


def _vocabulary(db: sqlite3.Connection) -> list[sqlite3.Row]:
    db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab (main, turn_text, row)")
    return db.execute("SELECT term FROM temp.vocabulary ORDER BY term").fetchall()


def test_a_search_has_no_more_than_so_many_words() -> None:
    assert make_query("a " * 100).count('"a"') == MOST_WORDS
    assert make_query("") == make_query(' ?! "" * "***" ') == ""


async def test_searching_beside_the_writer_needs_no_lock(database: Database, archive: Conversations) -> None:
    await said(archive, "words for all")
    async with Database(database.file, read_only=True) as reader:
        assert await found(Conversations(reader), "words") == ["words for all"]
        await asyncio.gather(archive.search("all"), Conversations(reader).search("all"))
