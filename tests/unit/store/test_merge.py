"""How turns of other machines come between those that are here."""

import dataclasses
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.models import Role, SyncState, Turn
from novadesk.store.agentruntime import RemoteStep, StepSummary
from novadesk.store.conversations import _append, _create
from novadesk.store.merge import FoundStep, merge_steps, slots_by_time, unknown_steps
from novadesk.store.steps import encode_turn
from tests.support.store_rig import START_MS, make_conversation, make_turn, open_memory

pytestmark = pytest.mark.thorough

KEYS = st.tuples(st.integers(0, 6), st.sampled_from("abc"))


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(open_memory()) as db:
        yield db


def found(turn: Turn, step_ms: int | None = None) -> FoundStep:
    step_ms = turn.at_ms if step_ms is None else step_ms
    return FoundStep(
        generation=0,
        session_id="s",
        summary=StepSummary(step_id=turn.turn_id, invocation=turn.wire_session, step_ms=step_ms),
        content=RemoteStep(text=encode_turn(turn), step_ms=step_ms),
    )


def stored(db: sqlite3.Connection) -> list[tuple[int, str]]:
    return [(row["position"], row["text"]) for row in db.execute("SELECT * FROM turn ORDER BY position")]


@given(st.lists(KEYS), st.lists(KEYS).map(sorted))
def test_a_new_turn_comes_behind_the_last_one_that_is_older(
    here: list[tuple[int, str]], new: list[tuple[int, str]]
) -> None:
    slots = slots_by_time(here, new)
    assert slots == sorted(slots)
    for key, slot in zip(new, slots, strict=True):
        assert slot == max((index + 1 for index, one in enumerate(here) if one < key), default=0)


@given(st.data())
def test_batches_in_any_order_end_in_the_order_of_time(data: st.DataObject) -> None:
    times = data.draw(st.lists(st.integers(0, 50), min_size=1, max_size=25))
    made = make_conversation()
    turns = [make_turn(made.handle, f"{n}", at_ms=START_MS + at, role=Role.USER) for n, at in enumerate(times)]
    pieces = data.draw(st.permutations(turns))
    with closing(open_memory()) as db:
        _create(db, made)
        while pieces:
            count = data.draw(st.integers(1, len(pieces)))
            batch, pieces = pieces[:count], pieces[count:]
            assert merge_steps(db, made.handle, [found(turn) for turn in batch]) == len(batch)
            assert merge_steps(db, made.handle, [found(turn) for turn in batch]) == 0
        in_order = sorted(turns, key=lambda turn: (turn.at_ms, turn.turn_id))
        assert stored(db) == [(position, turn.text) for position, turn in enumerate(in_order)]
        (count,) = db.execute("SELECT turns FROM conversation").fetchone()
        assert count == len(turns)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=25))
def test_what_is_said_here_stays_in_its_order_between_what_comes_in(moves: list[tuple[bool, int]]) -> None:
    made = make_conversation()
    said = []
    with closing(open_memory()) as db:
        _create(db, made)
        for number, (here, at) in enumerate(moves):
            turn = make_turn(made.handle, str(number), at_ms=START_MS + at)
            if here:
                said.append(_append(db, turn).text)
            else:
                merge_steps(db, made.handle, [found(turn)])
        rows = stored(db)
        assert [position for position, _ in rows] == list(range(len(moves)))
        assert [text for _, text in rows if text in said] == said


def test_newer_state_here_is_never_replaced(db: sqlite3.Connection) -> None:
    made = make_conversation()
    _create(db, made)
    heard = _append(db, make_turn(made.handle, "I th", unconfirmed=True))
    whole = dataclasses.replace(heard, text="I think so.", unconfirmed=False)
    assert merge_steps(db, made.handle, [found(whole)]) == 0, "it still has to be delivered"
    db.execute("UPDATE turn SET sync = ?", (SyncState.SYNCED.value,))
    assert merge_steps(db, made.handle, [found(whole)]) == 1
    assert merge_steps(db, made.handle, [found(heard)]) == 0
    assert stored(db) == [(0, "I think so.")]


def test_of_what_nobody_has_confirmed_the_longest_version_counts(db: sqlite3.Connection) -> None:
    made = make_conversation()
    _create(db, made)
    short = make_turn(made.handle, "I", unconfirmed=True)
    longer, longest = (dataclasses.replace(short, text=text) for text in ("I think", "I think so"))
    assert merge_steps(db, made.handle, [found(longer, START_MS), found(short, START_MS + 9)]) == 1
    assert stored(db) == [(0, "I think")]
    assert merge_steps(db, made.handle, [found(longest, START_MS + 10)]) == 1
    assert merge_steps(db, made.handle, [found(longer, START_MS + 11)]) == 0
    assert stored(db) == [(0, "I think so")]


def test_of_two_versions_in_one_batch_the_confirmed_one_counts(db: sqlite3.Connection) -> None:
    made = make_conversation()
    _create(db, made)
    heard = make_turn(made.handle, "I th", unconfirmed=True)
    whole = dataclasses.replace(heard, text="I think so.", unconfirmed=False)
    other = dataclasses.replace(
        found(whole, START_MS + 9), summary=dataclasses.replace(found(whole).summary, step_id="x")
    )
    assert merge_steps(db, made.handle, [other, found(heard)]) == 1
    assert stored(db) == [(0, "I think so.")]


def test_steps_that_are_known_or_torn_are_not_read_again(db: sqlite3.Connection) -> None:
    made = make_conversation()
    _create(db, made)
    whole = found(make_turn(made.handle, "whole"))
    torn = dataclasses.replace(found(make_turn(made.handle)), content=RemoteStep(text='{"role":', step_ms=START_MS))
    late = found(make_turn(made.handle, at_ms=START_MS + 99))
    assert merge_steps(db, made.handle, [whole, torn]) == 1
    assert unknown_steps(db, [whole, torn, late]) == [late]
    vanished = dataclasses.replace(late, content=None)
    assert merge_steps(db, made.handle, [vanished]) == 0
    assert unknown_steps(db, [late]) == [late], "what could not be read is asked for again"


def test_a_conversation_that_was_deleted_meanwhile_takes_nothing(db: sqlite3.Connection) -> None:
    made = make_conversation()
    assert merge_steps(db, made.handle, [found(make_turn(made.handle))]) == 0
    assert db.execute("SELECT count(*) FROM step").fetchone()[0] == 0


def about(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return [(row["voice"], row["tools"]) for row in db.execute("SELECT * FROM turn ORDER BY position")]


def test_voice_and_tools_come_with_a_turn_and_are_not_taken_away_by_one_who_does_not_know_them(
    db: sqlite3.Connection,
) -> None:
    made = make_conversation()
    _create(db, made)
    unknown = make_turn(made.handle, "from an earlier version", START_MS + 1)
    known = make_turn(made.handle, "It is no", START_MS + 2, voice="amy", tools=("clock", "sums"), unconfirmed=True)
    assert merge_steps(db, made.handle, [found(unknown), found(known)]) == 2
    assert about(db) == [("", ""), ("amy", "clock sums")]
    confirmed = dataclasses.replace(known, text="It is noon.", unconfirmed=False)
    assert merge_steps(db, made.handle, [found(dataclasses.replace(confirmed, voice="", tools=()))]) == 1
    assert about(db)[1] == ("amy", "clock sums")
    later = dataclasses.replace(confirmed, text="It is noon, and late.", tools=("clock", "sums", "alarm"))
    assert merge_steps(db, made.handle, [found(later, START_MS + 9)]) == 1
    assert about(db)[1] == ("amy", "clock sums alarm")
