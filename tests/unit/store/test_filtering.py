"""What the person wants to see of the history: names, stars, backends, days."""

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from novadesk.models import BackendKind, Choices, Filter, Role, Totals
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.filtering import choices, condition, fold, teach
from tests.support.store_rig import START_MS, make_conversation, make_turn, open_memory

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


async def test_conversations_in_which_a_voice_answered_or_a_tool_was_asked_for(archive: Conversations) -> None:
    assert await archive.choices() == Choices()
    newest, _, oldest = await archive.conversations()
    for of, voice, tools in ((newest, "tina", ("sums", "clock")), (newest, "amy", ()), (oldest, "amy", ("clocks",))):
        at_ms = of.updated_ms + 60_000
        await archive.append(make_turn(of.handle, "violet, ja", at_ms, role=Role.ASSISTANT, voice=voice, tools=tools))
    assert await archive.choices() == Choices(voices=("amy", "tina"), tools=("clock", "clocks", "sums"))
    wanted = {
        Filter(voice="tina"): [2], Filter(voice="Amy"): [2, 0], Filter(voice="am"): [], Filter(voice="%"): [],
        Filter(tool="clock"): [2], Filter(tool="clocks"): [0], Filter(tool="sums clock"): [2], Filter(tool="lock"): [],
        Filter(voice="amy", tool="clock"): [2], Filter(voice="tina", tool="clocks"): [],
        Filter(voice="amy", starred=True): [],
    }  # fmt: skip
    for only, expected in wanted.items():
        assert await days(archive, only=only) == expected, only
        assert sorted({day for day, _ in await found(archive, only)}, reverse=True) == expected, only
    await archive.set_aside([newest.handle], START_MS)
    assert await archive.choices() == Choices(voices=("amy",), tools=("clocks",))
    assert await days(archive, only=Filter(tool="sums")) == []
    await archive.bring_back([newest.handle])
    assert await days(archive, only=Filter(tool="sums")) == [2]


def test_voices_and_tools_are_found_without_reading_what_was_said() -> None:
    wanted, values = condition("", Filter(voice="amy", tool="clock"))
    with closing(open_memory()) as db:
        asked: list[str] = []
        db.set_trace_callback(asked.append)
        choices(db)
        db.set_trace_callback(None)
        teach(db)
        asked.append(f"SELECT c.number FROM conversation c WHERE {wanted}")
        plans = [[row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", values)] for query in asked]
    used = [[line for line in plan if "turn" in line] for plan in plans]
    assert [len(lines) for lines in used] == [1, 1, 2]
    assert all("COVERING INDEX turn_" in line for lines in used for line in lines), used


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
@example(name="𝗔ᴮ™")
def test_any_name_is_a_condition(name: str) -> None:
    words, values = condition(name, Filter())
    assert words.count("instr") == len(values)
    assert all(isinstance(value, str) and value == fold(value) for value in values.values())
    "".join(str(value) for value in values.values()).encode()
