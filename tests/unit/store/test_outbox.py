"""The outbox under retry, duplicate, delay and crash: nothing is lost, nothing is delivered as two turns."""

import dataclasses
import sqlite3
from collections.abc import Iterator

import pytest

from novadesk.models import BackendKind, SyncState, Turn
from novadesk.store import outbox
from novadesk.store.conversations import _append, _create
from novadesk.store.outbox import Lease, OutboxKind
from tests.support.store_rig import START_MS, make_conversation, make_turn, open_memory

LEASE_MS = 1_000


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    db = open_memory()
    yield db
    db.close()


def conversation(db: sqlite3.Connection, turns: int = 0) -> tuple[str, list[Turn]]:
    """Return a conversation whose session row is delivered, with turns that are not."""
    made = make_conversation()
    _create(db, made)
    db.execute("DELETE FROM outbox WHERE conversation = ?", (made.handle,))
    return made.handle, [_append(db, make_turn(made.handle, str(number))) for number in range(turns)]


def take(db: sqlite3.Connection, count: int = 100, now_ms: int = START_MS) -> tuple[Lease, ...]:
    return outbox.lease(db, count, now_ms, LEASE_MS)


def texts(leases: tuple[Lease, ...]) -> list[str]:
    return [held.turn.text for held in leases if held.turn is not None]


def test_nothing_waits_of_what_a_gateway_copies_itself(db: sqlite3.Connection) -> None:
    made = dataclasses.replace(make_conversation(), backend=BackendKind.GATEWAY)
    _create(db, made)
    stored = _append(db, make_turn(made.handle, "Hello."))
    again = _append(db, dataclasses.replace(stored, text="Hello there."))
    assert [stored.sync, again.sync] == [SyncState.LOCAL, SyncState.LOCAL]
    assert take(db) == ()
    assert outbox.waiting(db, BackendKind.GATEWAY).turns == 0


def test_rows_are_leased_oldest_first_and_once(db: sqlite3.Connection) -> None:
    conversation(db, 3)
    assert texts(take(db, 2)) == ["0", "1"]
    assert take(db) == ()


def test_a_lease_that_runs_out_is_given_again(db: sqlite3.Connection) -> None:
    conversation(db, 1)
    (first,) = take(db)
    assert take(db, now_ms=START_MS + LEASE_MS - 1) == ()
    (second,) = take(db, now_ms=START_MS + LEASE_MS)
    assert second.token != first.token
    assert dataclasses.replace(second, token=first.token) == first


def test_a_row_that_waits_holds_back_its_conversation_only(db: sqlite3.Connection) -> None:
    conversation(db, 2)
    other, _ = conversation(db, 2)
    first, rest = take(db)[0], take(db)
    outbox.recover(db)
    leases = take(db)
    outbox.fail(db, leases[0], START_MS + 500)
    outbox.release(db, leases[1:])
    assert rest == ()
    assert {held.conversation for held in take(db)} == {other}
    outbox.recover(db)
    again = take(db, now_ms=START_MS + 500)
    assert [held.number for held in again] == sorted(held.number for held in again)
    assert (again[0].number, again[0].attempts) == (first.number, 1)


def test_what_was_said_to_one_backend_is_never_delivered_to_another(db: sqlite3.Connection) -> None:
    for backend in (BackendKind.PRACTICE, BackendKind.BEDROCK):
        made = dataclasses.replace(make_conversation(), backend=backend)
        _create(db, made)
        db.execute("DELETE FROM outbox WHERE conversation = ?", (made.handle,))
        _append(db, make_turn(made.handle, backend.value))
    assert outbox.next_due_ms(db, BackendKind.GATEWAY) is None
    assert outbox.next_due_ms(db, BackendKind.BEDROCK) == 0
    assert texts(outbox.lease(db, 100, START_MS, LEASE_MS, BackendKind.BEDROCK)) == ["bedrock"]
    assert texts(outbox.lease(db, 100, START_MS, LEASE_MS, BackendKind.PRACTICE)) == ["practice"]


def test_a_parked_row_blocks_nothing_and_is_kept(db: sqlite3.Connection) -> None:
    conversation(db, 2)
    first, second = take(db)
    outbox.park(db, first, "service.bad_request")
    outbox.release(db, [second])
    assert texts(take(db)) == ["1"]
    assert outbox.pending_turns(db) == 2
    outbox.retry_all(db)
    outbox.recover(db)
    assert texts(take(db)) == ["0", "1"]


def test_a_stale_lease_can_neither_fail_nor_park_a_row(db: sqlite3.Connection) -> None:
    conversation(db, 1)
    (stale,) = take(db)
    (held,) = take(db, now_ms=START_MS + LEASE_MS)
    outbox.fail(db, stale, START_MS + 99_999)
    outbox.park(db, stale, "why")
    outbox.release(db, [stale])
    assert not outbox.change_step(db, stale, "other", 1)
    row = db.execute("SELECT * FROM outbox").fetchone()
    assert (row["due_ms"], row["parked"], row["lease"], row["step_id"]) == (0, None, held.token, held.step_id)


def test_a_late_acknowledgement_counts(db: sqlite3.Connection) -> None:
    _, (turn,) = conversation(db, 1)
    (stale,) = take(db)
    (held,) = take(db, now_ms=START_MS + LEASE_MS)
    assert outbox.acknowledge(db, stale, step_ms=5)
    assert not outbox.acknowledge(db, held, step_ms=5)
    assert outbox.pending_turns(db) == 0
    assert [row["step_id"] for row in db.execute("SELECT step_id FROM step")] == [turn.turn_id]


def test_a_turn_confirmed_while_under_way_is_delivered_again_under_a_new_id(db: sqlite3.Connection) -> None:
    handle, _ = conversation(db)
    heard = _append(db, make_turn(handle, "I think", unconfirmed=True))
    (held,) = take(db)
    _append(db, dataclasses.replace(heard, text="I think so.", unconfirmed=False))
    assert not outbox.acknowledge(db, held, step_ms=5)
    (again,) = take(db)
    assert texts((again,)) == ["I think so."]
    assert again.step_id != heard.turn_id
    assert outbox.acknowledge(db, again, step_ms=6)
    assert outbox.pending_turns(db) == 0


def test_a_parked_turn_comes_back_when_its_content_changes(db: sqlite3.Connection) -> None:
    handle, _ = conversation(db)
    heard = _append(db, make_turn(handle, "", unconfirmed=True))
    outbox.park(db, take(db)[0], "service.bad_request")
    _append(db, dataclasses.replace(heard, text="Now.", unconfirmed=False))
    assert texts(take(db)) == ["Now."]


def test_steps_are_promised_times_in_order_and_keep_them(db: sqlite3.Connection) -> None:
    handle, _ = conversation(db, 3)
    first = take(db)
    times = [held.step_ms for held in first]
    assert times == [START_MS, START_MS + 1, START_MS + 2]
    outbox.recover(db)
    assert [held.step_ms for held in take(db, now_ms=START_MS + 9_000)] == times
    outbox.recover(db)
    _append(db, make_turn(handle, "3"))
    assert [held.step_ms for held in take(db, now_ms=START_MS - 5_000)] == [*times, START_MS + 3]


def test_a_clock_that_is_set_back_puts_nothing_off(db: sqlite3.Connection) -> None:
    conversation(db, 2)
    outbox.fail(db, take(db)[0], START_MS + 60_000)
    assert texts(take(db)) == []
    hour_ms = 3_600_000
    assert outbox.next_due_ms(db, None, START_MS - hour_ms) == 0
    assert texts(take(db, now_ms=START_MS - hour_ms)) == ["0", "1"]


def test_a_step_comes_after_all_that_the_service_is_known_to_have(db: sqlite3.Connection) -> None:
    handle, _ = conversation(db, 2)
    bound(db, handle, 0)
    outbox.note_step(db, handle, "theirs", None, 0, START_MS + 500)
    assert [held.step_ms for held in take(db)] == [START_MS + 501, START_MS + 502]
    assert outbox.next_step_ms(db, handle, START_MS) == START_MS + 503


def bound(db: sqlite3.Connection, handle: str, generation: int) -> None:
    db.execute(
        "INSERT INTO remote_session (handle, generation, state, created_ms) VALUES (?, ?, 'bound', 0)",
        (handle, generation),
    )


def deliver(db: sqlite3.Connection, generation: int, count: int = 100) -> None:
    for held in take(db, count):
        outbox.acknowledge(db, held, generation=generation, step_ms=held.step_ms)


def test_what_a_lost_session_held_is_delivered_again_before_what_waits(db: sqlite3.Connection) -> None:
    handle, _ = conversation(db, 5)
    for generation in (0, 1):
        bound(db, handle, generation)
    deliver(db, 0, 2)
    deliver(db, 1, 1)
    stale = take(db)
    assert texts(stale) == ["3", "4"]
    assert outbox.deliver_again(db, handle, 0) == 2
    assert outbox.waiting(db).turns == 4
    again = take(db)
    assert texts(again) == ["0", "1", "3", "4"]
    assert [held.again for held in again] == [True, True, False, False]
    assert [held.step_ms for held in again] == sorted({held.step_ms for held in again})
    for held in stale:
        outbox.fail(db, held, START_MS + 99_999)
        outbox.park(db, held, "why")
    assert {row["parked"] for row in db.execute("SELECT parked FROM outbox")} == {None}
    assert outbox.deliver_again(db, handle, 0) == 0


def test_a_late_acknowledgement_of_a_lease_that_is_void_does_no_harm(db: sqlite3.Connection) -> None:
    handle, _ = conversation(db, 2)
    bound(db, handle, 0)
    deliver(db, 0, 1)
    (stale,) = take(db)
    outbox.deliver_again(db, handle, 0)
    assert not outbox.acknowledge(db, stale, generation=0, step_ms=stale.step_ms)
    assert outbox.waiting(db).turns == 2


def test_what_another_session_has_too_is_not_delivered_again(db: sqlite3.Connection) -> None:
    handle, (turn,) = conversation(db, 1)
    for generation in (0, 1):
        bound(db, handle, generation)
    deliver(db, 0)
    outbox.note_step(db, handle, "the same elsewhere", turn.turn_id, 1, START_MS + 9)
    assert outbox.deliver_again(db, handle, 0) == 0
    assert outbox.deliver_again(db, handle, 1) == 1


def test_a_turn_that_was_confirmed_since_is_delivered_again_as_it_is_now(db: sqlite3.Connection) -> None:
    handle, _ = conversation(db)
    for generation in (0, 1):
        bound(db, handle, generation)
    heard = _append(db, make_turn(handle, "I th", unconfirmed=True))
    deliver(db, 0)
    _append(db, dataclasses.replace(heard, text="I think so.", unconfirmed=False))
    deliver(db, 1)
    assert outbox.deliver_again(db, handle, 0) == 0, "the newer version is still there"
    outbox.note_step(db, handle, "the older one", heard.turn_id, 0, START_MS)
    assert outbox.deliver_again(db, handle, 1) == 1, "the older version alone is not enough"
    assert texts(take(db)) == ["I think so."]


def test_what_waits_is_counted_for_the_backend_in_use(db: sqlite3.Connection) -> None:
    conversation(db, 2)
    made = dataclasses.replace(make_conversation(), backend=BackendKind.BEDROCK)
    _create(db, made)
    _append(db, make_turn(made.handle, "elsewhere"))
    assert outbox.waiting(db, BackendKind.PRACTICE).turns == 2
    outbox.park(db, outbox.lease(db, 1, START_MS, LEASE_MS, BackendKind.PRACTICE)[0], "why")
    assert outbox.waiting(db, BackendKind.PRACTICE) == outbox.Waiting(turns=1, refused=1)
    assert outbox.waiting(db, BackendKind.BEDROCK) == outbox.Waiting(turns=1, refused=0)
    assert outbox.waiting(db, BackendKind.GATEWAY) == outbox.Waiting()
    assert outbox.waiting(db) == outbox.Waiting(turns=2, refused=1)


def test_a_wish_that_waits_is_not_repeated(db: sqlite3.Connection) -> None:
    handle, _ = conversation(db)
    outbox.add(db, handle, OutboxKind.METADATA)
    outbox.add(db, handle, OutboxKind.METADATA)
    take(db)
    outbox.add(db, handle, OutboxKind.METADATA)
    assert db.execute("SELECT count(*) FROM outbox").fetchone()[0] == 2


def test_nothing_is_due_behind_a_row_that_was_put_off(db: sqlite3.Connection) -> None:
    conversation(db, 2)
    first, second = take(db)
    outbox.fail(db, first, START_MS + 70)
    outbox.release(db, (second,))
    assert take(db) == ()
    assert outbox.next_due_ms(db) == START_MS + 70
    outbox.park(db, take(db, 1, START_MS + 70)[0], "why")
    assert outbox.next_due_ms(db) == 0


def test_the_next_due_time_is_that_of_the_first_row_that_waits(db: sqlite3.Connection) -> None:
    assert outbox.next_due_ms(db) is None
    conversation(db, 1)
    assert outbox.next_due_ms(db) == 0
    (held,) = take(db)
    assert outbox.next_due_ms(db) == START_MS + LEASE_MS
    outbox.fail(db, held, START_MS + 70)
    assert outbox.next_due_ms(db) == START_MS + 70
    outbox.park(db, take(db, now_ms=START_MS + 70)[0], "why")
    assert outbox.next_due_ms(db) is None
