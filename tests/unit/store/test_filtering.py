"""What the person wants to see of the history: names, stars, backends, days."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from novadesk.models import BackendKind, Filter, Totals
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.filtering import condition, fold
from tests.support.store_rig import START_MS, make_conversation, make_turn

DAY_MS = 86_400_000


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Conversations]:
    """Return three conversations, one a day, each with two turns half an hour apart; the second has a star."""
    async with Database(tmp_path / "a.db") as database:
        archive = Conversations(database)
        for day, (title, backend) in enumerate(
            [("Aspirin call", BackendKind.PRACTICE), ("Café Größe", BackendKind.BEDROCK), ("", BackendKind.PRACTICE)]
        ):
            made = make_conversation(
                START_MS + day * DAY_MS, title=title, backend=backend, label=f"caring-king-{27 * day}"
            )
            await archive.create(made)
            for minute in (0, 30):
                words = f"violet words {minute}"
                await archive.append(make_turn(made.handle, words, START_MS + day * DAY_MS + minute * 60_000))
            if day == 1:
                await archive.star(made.handle, True, START_MS)
        yield archive


async def days(archive: Conversations, name: str = "", only: Filter | None = None) -> list[int]:
    shown = await archive.conversations(name=name, only=only or Filter())
    return [(one.created_ms - START_MS) // DAY_MS for one in shown]


async def found(archive: Conversations, only: Filter) -> list[tuple[int, int]]:
    times = [hit.turn.at_ms - START_MS for hit in await archive.search("violet", only=only)]
    return [(time // DAY_MS, time % DAY_MS // 60_000) for time in times]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("", [2, 1, 0]),
        ("CALL asp", [0]),
        ("cafe GROSSE", [1]),
        ("cafe große", [1]),
        ('"king-54"', [2]),
        ("king-5*", [2]),
        ("caring call", [0]),
        ("%", []),
        ("_", []),
        ("'", []),
        ("a\0b", []),
    ],
)
async def test_names_are_looked_for_word_by_word(archive: Conversations, name: str, wanted: list[int]) -> None:
    assert await days(archive, name) == wanted


async def test_stars_backends_and_days_narrow_both_lists(archive: Conversations) -> None:
    starred, bedrock = Filter(starred=True), Filter(backend=BackendKind.BEDROCK)
    assert await days(archive, only=starred) == await days(archive, only=bedrock) == [1]
    assert await found(archive, starred) == await found(archive, bedrock) == [(1, 30), (1, 0)]
    assert await days(archive, only=Filter(starred=True, backend=BackendKind.PRACTICE)) == []
    since = Filter(since_ms=START_MS + DAY_MS + 60_000)
    assert (await days(archive, only=since), await found(archive, since)) == ([2, 1], [(2, 30), (2, 0), (1, 30)])
    until = Filter(until_ms=START_MS + DAY_MS + 60_000)
    assert (await days(archive, only=until), await found(archive, until)) == ([0], [(1, 0), (0, 30), (0, 0)])
    assert await days(archive, "king-27", Filter(starred=True)) == [1]
    assert await days(archive, "king-54", Filter(starred=True)) == []


async def test_conversations_in_which_an_answer_was_interrupted(archive: Conversations) -> None:
    interrupted = Filter(interrupted=True)
    assert await days(archive, only=interrupted) == []
    newest = (await archive.conversations())[0]
    await archive.append(make_turn(newest.handle, "violet, and", START_MS + 2 * DAY_MS, interrupted=True))
    assert await days(archive, only=interrupted) == [2]
    assert await found(archive, interrupted) == [(2, 30), (2, 30), (2, 0)]


async def test_what_is_set_aside_is_in_no_list_and_no_total(archive: Conversations) -> None:
    (starred,) = await archive.conversations(only=Filter(starred=True))
    assert await archive.totals() == Totals(conversations=3, starred=1, remote=0)
    await archive.set_aside([starred.handle], START_MS)
    assert await archive.totals() == Totals(conversations=2, starred=0, remote=0)
    for only in (Filter(), Filter(starred=True), Filter(since_ms=0)):
        assert 1 not in await days(archive, only=only)
        assert 1 not in [day for day, _ in await found(archive, only)]


async def test_the_remote_ones_are_counted(archive: Conversations) -> None:
    handles = [one.handle for one in await archive.conversations()]
    states = [(handles[0], 0, "bound"), (handles[0], 1, "bound"), (handles[1], 0, "intended")]
    insert = "INSERT INTO remote_session (handle, generation, state, created_ms) VALUES (?, ?, ?, 0)"
    await archive._database.run(lambda db: db.executemany(insert, states))
    assert (await archive.totals()).remote == 0, "what the practice partner keeps lies on this computer"
    await archive._database.run(lambda db: db.execute("UPDATE conversation SET backend = 'bedrock'").rowcount)
    assert (await archive.totals()).remote == 1


async def test_a_conversation_is_as_long_as_from_its_first_turn_to_its_last(archive: Conversations) -> None:
    assert [one.length_ms for one in await archive.conversations()] == [30 * 60_000] * 3
    empty = make_conversation(START_MS + 9 * DAY_MS)
    await archive.create(empty)
    assert [one.length_ms for one in await archive.conversations(limit=1)] == [0]


@given(name=st.text(max_size=40))
@example(name="\ud800 ﬁ ß İ")
def test_any_name_is_a_condition(name: str) -> None:
    words, values = condition(name, Filter())
    assert words.count("instr") == len(values)
    assert all(isinstance(value, str) and value == fold(value) for value in values.values())
    "".join(str(value) for value in values.values()).encode()
