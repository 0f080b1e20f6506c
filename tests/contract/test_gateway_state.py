"""What every store of a gateway's state holds to, whichever it is."""

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.models import Role, SyncState, Turn
from novadesk.server.gateway.state import (
    Limits,
    Scope,
    SessionRecord,
    SessionStatus,
    SessionStore,
    TooMany,
)
from novadesk.server.gateway.state_sqlite import SqliteSessions
from tests.support.gateway_state import HOUR_S, NOW_MS, NOW_S, PLENTY, make_record, make_turn
from tests.support.gateway_table import TableServer

pytestmark = pytest.mark.thorough

type Opener = Callable[[], SessionStore]


@pytest.fixture(scope="module")
def tables() -> Iterator[TableServer]:
    server = TableServer()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "dynamodb"])
def opener(request: pytest.FixtureRequest, tmp_path: Path, tables: TableServer) -> Opener:
    """Return what opens the same state once more, as another process of the gateway would."""
    if request.param == "dynamodb":
        return tables.opener(tables.make_table())
    return lambda: SqliteSessions(tmp_path / "state.sqlite")


@pytest.fixture
async def store(opener: Opener) -> AsyncIterator[SessionStore]:
    opened = opener()
    yield opened
    await opened.close()


@pytest.fixture
async def beside(opener: Opener) -> AsyncIterator[SessionStore]:
    """The same state as another process sees it."""
    opened = opener()
    yield opened
    await opened.close()


async def _take(store: SessionStore, session_id: str, generation: int, connection: str) -> SessionRecord | None:
    return await store.take_over(
        session_id,
        generation=generation,
        connection=connection,
        gateway="g1",
        now_ms=NOW_MS + 5,
        expires_at_s=NOW_S + 2 * HOUR_S,
    )


# --- sessions ---


async def test_a_session_is_found_as_it_was_made_by_every_process(store: SessionStore, beside: SessionStore) -> None:
    record = make_record(
        request_id="r1",
        connection="c1",
        gateway="g1",
        status=SessionStatus.PAUSED,
        configuration='{"jobTitle": "Bäcker 🥐"}',
        revision=3,
        bedrock_session_id=str(uuid.uuid4()),
        language="de",
        quality_tier="premium",
        title="Übung",
        last_audio=4_000_000_000,
    )
    assert await store.create(record, limits=PLENTY) == record
    assert await beside.find(record.session_id, now_s=NOW_S) == record


async def test_an_unknown_session_is_not_found(store: SessionStore) -> None:
    assert await store.find(make_record().session_id, now_s=NOW_S) is None
    assert await store.find("../../etc/passwd", now_s=NOW_S) is None


async def test_the_same_request_gives_the_same_session(store: SessionStore, beside: SessionStore) -> None:
    first = await store.create(make_record(request_id="r1"), limits=PLENTY)
    again = await beside.create(make_record(request_id="r1"), limits=Limits(per_owner=1, in_all=1))
    assert again == first
    assert await store.count(now_s=NOW_S) == 1


async def test_the_same_request_of_another_owner_is_another_one(store: SessionStore) -> None:
    mine = await store.create(make_record("ann", request_id="r1"), limits=PLENTY)
    theirs = await store.create(make_record("bob", request_id="r1"), limits=PLENTY)
    assert mine.session_id != theirs.session_id


async def test_without_a_request_id_every_wish_is_a_new_one(store: SessionStore) -> None:
    first = await store.create(make_record(), limits=PLENTY)
    second = await store.create(make_record(), limits=PLENTY)
    assert first.session_id != second.session_id


@pytest.mark.parametrize("over", ["removed", "expired"])
async def test_the_request_of_a_session_that_is_over_makes_a_new_one(store: SessionStore, over: str) -> None:
    first = await store.create(make_record(request_id="r1"), limits=PLENTY)
    later = make_record(request_id="r1", created_ms=(NOW_S + HOUR_S) * 1000, expires_at_s=NOW_S + 2 * HOUR_S)
    if over == "removed":
        await store.remove(first.session_id, owner="ann")
    second = await store.create(later, limits=Limits(per_owner=1, in_all=1))
    assert second == later
    assert await store.find(second.session_id, now_s=NOW_S + HOUR_S) == second


async def test_racing_wishes_of_one_request_make_one_session(store: SessionStore, beside: SessionStore) -> None:
    wishes = [make_record(request_id="r1") for _ in range(8)]
    made = await asyncio.gather(
        *((store, beside)[number % 2].create(wish, limits=PLENTY) for number, wish in enumerate(wishes))
    )
    assert len({record.session_id for record in made}) == 1
    assert await store.count(now_s=NOW_S) == 1


async def test_an_expired_session_is_not_there_even_before_it_is_swept(store: SessionStore) -> None:
    record = await store.create(make_record(request_id="r1", bedrock_session_id=str(uuid.UUID(int=1))), limits=PLENTY)
    at_the_end = NOW_S + HOUR_S
    assert await store.find(record.session_id, now_s=at_the_end - 0.001) == record
    assert await store.find(record.session_id, now_s=at_the_end) is None
    assert await store.find_by_remote("ann", record.bedrock_session_id, now_s=at_the_end) is None
    assert await store.list_of("ann", now_s=at_the_end) == ()
    assert await store.count(now_s=at_the_end) == 0
    late = {"generation": 1, "now_ms": at_the_end * 1000, "expires_at_s": at_the_end + HOUR_S}
    assert await store.take_over(record.session_id, connection="c2", gateway="g1", **late) is None
    assert not await store.touch(record.session_id, **late)
    assert not await store.release(record.session_id, **late)
    assert await store.find(record.session_id, now_s=at_the_end) is None


async def test_a_touch_keeps_a_session_alive(store: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    assert await store.touch(record.session_id, generation=1, now_ms=NOW_MS + 9, expires_at_s=NOW_S + 2 * HOUR_S)
    found = await store.find(record.session_id, now_s=NOW_S + HOUR_S)
    assert found == dataclasses.replace(record, last_activity_ms=NOW_MS + 9, expires_at_s=NOW_S + 2 * HOUR_S)


async def test_an_owner_has_a_list_of_the_live_sessions_and_nobody_elses(store: SessionStore) -> None:
    first = await store.create(make_record(created_ms=NOW_MS - 2), limits=PLENTY)
    second = await store.create(make_record(created_ms=NOW_MS - 1), limits=PLENTY)
    short = await store.create(make_record(expires_at_s=NOW_S + 1), limits=PLENTY)
    await store.create(make_record("bob"), limits=PLENTY)
    assert await store.list_of("ann", now_s=NOW_S) == (first, second, short)
    assert await store.list_of("ann", now_s=NOW_S + 1) == (first, second)
    assert await store.count(now_s=NOW_S + 1) == 3


async def test_a_remote_session_leads_to_its_owners_newest_session_only(store: SessionStore) -> None:
    remote = str(uuid.uuid4())
    await store.create(make_record(created_ms=NOW_MS - 1, bedrock_session_id=remote), limits=PLENTY)
    newest = await store.create(make_record(bedrock_session_id=remote), limits=PLENTY)
    await store.create(make_record("bob", bedrock_session_id=remote), limits=PLENTY)
    await store.create(make_record(), limits=PLENTY)
    assert await store.find_by_remote("ann", remote, now_s=NOW_S) == newest
    assert await store.find_by_remote("eve", remote, now_s=NOW_S) is None
    assert await store.find_by_remote("ann", str(uuid.uuid4()), now_s=NOW_S) is None


# --- limits ---


async def test_an_owners_limit_counts_live_sessions_only(store: SessionStore) -> None:
    limits = Limits(per_owner=2, in_all=10)
    short = await store.create(make_record(expires_at_s=NOW_S + 1), limits=limits)
    ended = await store.create(make_record(), limits=limits)
    with pytest.raises(TooMany) as refused:
        await store.create(make_record(), limits=limits)
    assert (refused.value.scope, refused.value.limit) == (Scope.OWNER, 2)
    await store.create(make_record("bob"), limits=limits)
    assert await store.remove(ended.session_id, owner="ann")
    await store.create(make_record(), limits=limits)
    later = {"created_ms": NOW_MS + 1000}
    await store.create(make_record(**later), limits=limits)
    with pytest.raises(TooMany):
        await store.create(make_record(**later), limits=limits)
    assert await store.find(short.session_id, now_s=NOW_S + 1) is None


async def test_a_session_whose_place_was_given_away_does_not_come_back(store: SessionStore) -> None:
    limits = Limits(per_owner=1, in_all=1)
    old = await store.create(make_record(expires_at_s=NOW_S + 1), limits=limits)
    await store.create(make_record("bob", created_ms=NOW_MS + 1000), limits=limits)
    # A process whose clock is behind thinks that it is alive.
    assert not await store.touch(old.session_id, generation=1, now_ms=NOW_MS, expires_at_s=NOW_S + HOUR_S)
    assert await store.find(old.session_id, now_s=NOW_S) is None
    assert await store.count(now_s=NOW_S) == 1


@pytest.mark.parametrize(("limits", "scope"), [((3, 100), Scope.OWNER), ((100, 3), Scope.ALL)])
async def test_limits_are_kept_however_many_ask_at_once(
    store: SessionStore, beside: SessionStore, limits: tuple[int, int], scope: Scope
) -> None:
    given = Limits(per_owner=limits[0], in_all=limits[1])
    asked = [(store, beside)[number % 2].create(make_record(), limits=given) for number in range(10)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, TooMany)]
    made = [answer for answer in answers if isinstance(answer, SessionRecord)]
    assert (len(made), len(refused)) == (3, 7), answers
    assert {error.scope for error in refused} == {scope}
    assert await store.count(now_s=NOW_S) == 3


# --- who holds a session ---


async def test_a_take_over_moves_the_session_on_by_one_generation(store: SessionStore) -> None:
    record = await store.create(make_record(connection="c1", gateway="g0"), limits=PLENTY)
    taken = await _take(store, record.session_id, 1, "c2")
    assert taken == dataclasses.replace(
        record,
        generation=2,
        connection="c2",
        gateway="g1",
        last_activity_ms=NOW_MS + 5,
        expires_at_s=NOW_S + 2 * HOUR_S,
    )
    assert await store.find(record.session_id, now_s=NOW_S) == taken


async def test_who_asks_again_after_a_lost_answer_has_taken_over(store: SessionStore) -> None:
    record = await store.create(make_record(connection="c1"), limits=PLENTY)
    taken = await _take(store, record.session_id, 1, "c2")
    assert await _take(store, record.session_id, 1, "c2") == taken
    assert await _take(store, record.session_id, 1, "c1") is None


async def test_of_racing_take_overs_one_wins(store: SessionStore, beside: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    racing = [_take((store, beside)[number % 2], record.session_id, 1, f"c{number}") for number in range(10)]
    winners = [taken for taken in await asyncio.gather(*racing) if taken is not None]
    assert len(winners) == 1
    assert await store.find(record.session_id, now_s=NOW_S) == winners[0]


async def test_a_late_release_of_an_old_holder_changes_nothing(store: SessionStore) -> None:
    record = await store.create(make_record(connection="c1"), limits=PLENTY)
    taken = await _take(store, record.session_id, 1, "c2")
    old = {"generation": 1, "now_ms": NOW_MS + 10, "expires_at_s": NOW_S + 60}
    assert not await store.release(record.session_id, **old)
    assert not await store.touch(record.session_id, **old)
    assert not await store.update(record.session_id, generation=1, revision=9, status=SessionStatus.PAUSED)
    assert await _take(store, record.session_id, 1, "c3") is None
    assert await store.find(record.session_id, now_s=NOW_S) == taken


async def test_a_released_session_can_be_taken_over_until_its_time_is_up(store: SessionStore) -> None:
    record = await store.create(make_record(connection="c1"), limits=PLENTY)
    assert await store.release(record.session_id, generation=1, now_ms=NOW_MS, expires_at_s=NOW_S + 60)
    assert await store.find(record.session_id, now_s=NOW_S + 59) == dataclasses.replace(
        record, connection="", expires_at_s=NOW_S + 60
    )
    assert await store.find(record.session_id, now_s=NOW_S + 60) is None
    taken = await _take(store, record.session_id, 1, "c2")
    assert taken is not None
    assert (taken.generation, taken.expires_at_s) == (2, NOW_S + 2 * HOUR_S)


async def test_the_holder_changes_what_it_names_and_nothing_else(store: SessionStore) -> None:
    record = await store.create(make_record(connection="c1"), limits=PLENTY)
    fields = {"configuration": '{"voice": "ash"}', "revision": 2, "status": SessionStatus.PAUSED, "last_audio": 77}
    assert await store.update(record.session_id, generation=1, **fields)
    assert await store.find(record.session_id, now_s=NOW_S) == dataclasses.replace(record, **fields)
    assert await store.update(record.session_id, generation=1)


async def test_only_the_owner_ends_a_session_and_only_once(store: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    assert not await store.remove(record.session_id, owner="bob")
    assert await store.find(record.session_id, now_s=NOW_S) == record
    assert await store.remove(record.session_id, owner="ann")
    assert not await store.remove(record.session_id, owner="ann")
    assert await store.find(record.session_id, now_s=NOW_S) is None
    assert not await store.update(record.session_id, generation=1, revision=1)
    assert await _take(store, record.session_id, 1, "c2") is None


async def test_a_sweep_forgets_what_is_over_and_nothing_else(store: SessionStore, beside: SessionStore) -> None:
    for expires in (NOW_S + 1, NOW_S + 2, NOW_S + 3):
        await store.create(make_record(expires_at_s=expires), limits=PLENTY)
    assert await store.sweep(now_s=NOW_S) == 0
    counts = await asyncio.gather(store.sweep(now_s=NOW_S + 2), beside.sweep(now_s=NOW_S + 2))
    assert sum(counts) == 2
    assert await store.count(now_s=NOW_S) == 1


# --- turns ---


async def test_turns_have_their_order_and_are_read_page_by_page(store: SessionStore, beside: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    said = [
        make_turn(
            record.session_id,
            f"Wörter {number}",
            role=(Role.USER, Role.ASSISTANT)[number % 2],
            at_ms=NOW_MS + 10 * number,
            heard_chars=number or None,
            interrupted=number == 1,
            typed=number == 2,
            voice="matthew" if number % 2 else "",
            tools=("clock", "notes") if number == 3 else (),
        )
        for number in range(5)
    ]
    kept = [await store.append_turn(turn) for turn in said]
    assert kept == [dataclasses.replace(turn, position=number) for number, turn in enumerate(said)]
    assert await beside.turns(record.session_id, limit=2) == tuple(kept[:2])
    assert await beside.turns(record.session_id, after=1, limit=2) == tuple(kept[2:4])
    assert await beside.turns(record.session_id, after=4) == ()
    assert await beside.newest_turns(record.session_id, limit=2) == tuple(kept[3:])
    assert await beside.newest_turns(record.session_id, before=3, limit=2) == tuple(kept[1:3])
    assert await beside.count_turns(record.session_id) == 5
    assert await beside.count_turns(make_record().session_id) == 0


async def test_the_same_turn_again_changes_nothing(store: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    turn = make_turn(record.session_id)
    first = await store.append_turn(turn)
    await store.append_turn(make_turn(record.session_id, "next"))
    assert await store.append_turn(dataclasses.replace(turn, at_ms=NOW_MS + 99)) == first
    assert await store.count_turns(record.session_id) == 2
    assert [owed.revision for owed in await store.undelivered(record.session_id)] == [0, 0]


async def test_what_is_not_confirmed_grows_in_its_place(store: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    heard = make_turn(record.session_id, "Good mor", unconfirmed=True, role=Role.ASSISTANT)
    kept = await store.append_turn(heard)
    more = dataclasses.replace(heard, text="Good morning.")
    for version in (more, heard, more):
        stored = await store.append_turn(version)
        assert stored == dataclasses.replace(more, position=0, at_ms=kept.at_ms)
    owed = await store.undelivered(record.session_id)
    assert [(one.turn, one.revision) for one in owed] == [(stored, 1)]


async def test_what_is_confirmed_replaces_what_was_not_in_its_place(store: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    heard = make_turn(record.session_id, "Good mor", unconfirmed=True, role=Role.ASSISTANT)
    kept = await store.append_turn(heard)
    await store.append_turn(make_turn(record.session_id, "next"))
    final = dataclasses.replace(
        heard, text="Good morning.", unconfirmed=False, interrupted=True, heard_chars=8, tools=("clock",)
    )
    replaced = await store.append_turn(final)
    assert replaced == dataclasses.replace(final, position=0, at_ms=kept.at_ms)
    assert await store.append_turn(heard) == replaced
    owed = await store.undelivered(record.session_id)
    assert [(one.turn.text, one.revision) for one in owed] == [("Good morning.", 1), ("next", 0)]
    assert owed[0].step_id != final.turn_id
    assert owed[1].step_id == owed[1].turn.turn_id


async def test_turns_come_in_order_though_their_times_do_not(store: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    first = await store.append_turn(make_turn(record.session_id, at_ms=NOW_MS))
    second = await store.append_turn(make_turn(record.session_id, at_ms=NOW_MS - 5000))
    assert (first.at_ms, second.at_ms) == (NOW_MS, NOW_MS + 1)


async def test_turns_written_side_by_side_leave_no_gap(store: SessionStore, beside: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    said = [make_turn(record.session_id, str(number)) for number in range(6)]
    both = [(store, beside)[number % 2].append_turn(turn) for number, turn in enumerate([*said, *said])]
    kept = await asyncio.gather(*both)
    assert {turn.position for turn in kept} == set(range(6))
    there = await store.turns(record.session_id)
    assert [turn.position for turn in there] == list(range(6))
    assert {turn.turn_id for turn in there} == {turn.turn_id for turn in said}
    times = [turn.at_ms for turn in there]
    assert times == sorted(set(times))


async def _refused(store: SessionStore, turn: Turn, gateway: str) -> bool:
    try:
        await store.append_turn(turn, gateway=gateway)
    except KnownError as error:
        return error.reason is Reason.SESSION_TAKEN
    return False


async def test_only_who_serves_a_session_writes_its_turns(store: SessionStore, beside: SessionStore) -> None:
    record = await store.create(make_record(gateway="g0"), limits=PLENTY)
    first = make_turn(record.session_id, "Good mor", unconfirmed=True, role=Role.ASSISTANT)
    assert not await _refused(store, first, "g0")
    assert await _take(beside, record.session_id, 1, "c2") is not None
    assert await _refused(store, make_turn(record.session_id, "late"), "g0")
    assert await _refused(store, dataclasses.replace(first, text="Good morning.", unconfirmed=False), "g0")
    assert not await _refused(beside, make_turn(record.session_id, "next"), "g1")
    await store.append_turn(make_turn(record.session_id, "recalled"), delivered=True)
    assert await store.remove(record.session_id, owner="ann")
    assert not await _refused(beside, make_turn(record.session_id, "last words"), "g1")
    texts = [turn.text for turn in await store.turns(record.session_id)]
    assert texts == ["Good mor", "next", "recalled", "last words"]


async def test_what_is_there_at_a_take_over_is_all_that_the_one_before_writes(
    store: SessionStore, beside: SessionStore
) -> None:
    record = await store.create(make_record(gateway="g0"), limits=PLENTY)

    async def take() -> Sequence[Turn]:
        await _take(beside, record.session_id, 1, "c2")
        return await beside.turns(record.session_id)

    late = [_refused(store, make_turn(record.session_id, str(number)), "g0") for number in range(6)]
    there, *refused = await asyncio.gather(take(), *late)
    assert await store.turns(record.session_id) == there
    assert len(there) + sum(refused) == 6


async def test_a_turn_of_no_session_is_refused(store: SessionStore) -> None:
    with pytest.raises(KnownError) as refused:
        await store.append_turn(make_turn(make_record().session_id))
    assert refused.value.reason is Reason.UNKNOWN_CONVERSATION


async def test_a_turn_may_be_in_two_sessions(store: SessionStore) -> None:
    first = await store.create(make_record(), limits=PLENTY)
    second = await store.create(make_record(), limits=PLENTY)
    turn = make_turn(first.session_id)
    await store.append_turn(turn)
    await store.append_turn(dataclasses.replace(turn, conversation=second.session_id), delivered=True)
    assert len(await store.turns(first.session_id)) == len(await store.turns(second.session_id)) == 1
    assert await store.waiting() == (first.session_id,)


# --- what is owed to Agent Runtime ---


async def test_a_turn_is_owed_until_it_is_delivered(store: SessionStore, beside: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    turn = await store.append_turn(make_turn(record.session_id))
    assert turn.sync is SyncState.PENDING
    assert await beside.waiting() == (record.session_id,)
    (owed,) = await beside.undelivered(record.session_id)
    assert (owed.turn, owed.revision, owed.step_id) == (turn, 0, turn.turn_id)
    assert await store.mark_delivered(record.session_id, turn.turn_id, revision=0)
    assert not await store.mark_delivered(record.session_id, turn.turn_id, revision=0)
    assert await store.undelivered(record.session_id) == ()
    assert await beside.waiting() == ()
    assert await store.turns(record.session_id) == (dataclasses.replace(turn, sync=SyncState.SYNCED),)


async def test_what_changed_on_its_way_stays_owed(store: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    heard = make_turn(record.session_id, "Good mor", unconfirmed=True)
    await store.append_turn(heard)
    await store.append_turn(dataclasses.replace(heard, text="Good morning.", unconfirmed=False))
    assert not await store.mark_delivered(record.session_id, heard.turn_id, revision=0)
    assert await store.waiting() == (record.session_id,)
    assert await store.mark_delivered(record.session_id, heard.turn_id, revision=1)
    assert await store.waiting() == ()


async def test_a_delivered_turn_that_is_confirmed_later_is_owed_again(store: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    heard = make_turn(record.session_id, "Good mor", unconfirmed=True)
    await store.append_turn(heard)
    await store.mark_delivered(record.session_id, heard.turn_id, revision=0)
    await store.append_turn(dataclasses.replace(heard, text="Good morning.", unconfirmed=False))
    assert [owed.revision for owed in await store.undelivered(record.session_id)] == [1]
    assert await store.waiting() == (record.session_id,)


async def test_a_turn_that_is_refused_for_good_is_owed_no_more(store: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    turn = await store.append_turn(make_turn(record.session_id))
    assert await store.mark_delivered(record.session_id, turn.turn_id, revision=0, sync=SyncState.FAILED)
    assert await store.waiting() == ()
    assert [kept.sync for kept in await store.turns(record.session_id)] == [SyncState.FAILED]


async def test_a_lost_copy_is_owed_again_whole(store: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    for number in range(3):
        await store.append_turn(make_turn(record.session_id, str(number)), delivered=number < 2)
    assert [owed.turn.text for owed in await store.undelivered(record.session_id)] == ["2"]
    assert await store.redeliver(record.session_id) == 3
    owed = await store.undelivered(record.session_id)
    assert [one.turn.text for one in owed] == ["0", "1", "2"]
    assert {one.turn.sync for one in owed} == {SyncState.PENDING}
    assert [one.turn.text for one in await store.undelivered(record.session_id, limit=2)] == ["0", "1"]


@pytest.mark.parametrize("over", ["removed", "swept"])
async def test_what_a_session_that_is_over_owes_is_still_owed(store: SessionStore, over: str) -> None:
    record = await store.create(make_record(expires_at_s=NOW_S + 1), limits=PLENTY)
    await store.append_turn(make_turn(record.session_id))
    if over == "removed":
        await store.remove(record.session_id, owner="ann")
    else:
        assert await store.sweep(now_s=NOW_S + 2) == 1
    late = await store.append_turn(make_turn(record.session_id, "late"))
    assert late.position == 1
    assert await store.waiting() == (record.session_id,)
    assert len(await store.undelivered(record.session_id)) == 2
    chain = await store.lease_chain(record.session_id, holder="g1", now_ms=NOW_MS, until_ms=NOW_MS + 1)
    assert chain is not None
    assert chain.owner == "ann"


async def test_one_holder_at_a_time_has_a_chain(store: SessionStore, beside: SessionStore) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    asked = [
        (store, beside)[number % 2].lease_chain(
            record.session_id, holder=f"g{number}", now_ms=NOW_MS, until_ms=NOW_MS + 1000
        )
        for number in range(6)
    ]
    answers = await asyncio.gather(*asked)
    (holder,) = [number for number, chain in enumerate(answers) if chain is not None]
    chain = answers[holder]
    assert chain is not None
    grown = dataclasses.replace(
        chain, number=1, bedrock_session_id="b2", predecessor="b1", begun_ms=5, steps=6, last_step_ms=7
    )
    assert await store.save_chain(grown, holder=f"g{holder}")
    assert not await store.save_chain(chain, holder="somebody else")
    lease = {"now_ms": NOW_MS + 500, "until_ms": NOW_MS + 1500}
    assert await store.lease_chain(record.session_id, holder=f"g{holder}", **lease) == grown
    assert await store.lease_chain(record.session_id, holder="late", **lease) is None
    later = {"now_ms": NOW_MS + 1500, "until_ms": NOW_MS + 2500}
    assert await store.lease_chain(record.session_id, holder="late", **later) == grown
    assert not await store.save_chain(chain, holder=f"g{holder}")
    await store.free_chain(record.session_id, holder=f"g{holder}")
    assert await store.lease_chain(record.session_id, holder="third", **later) is None
    await store.free_chain(record.session_id, holder="late")
    assert await store.lease_chain(record.session_id, holder="third", **later) == grown


async def test_there_is_no_chain_of_no_session(store: SessionStore) -> None:
    unknown = make_record().session_id
    assert await store.lease_chain(unknown, holder="g1", now_ms=NOW_MS, until_ms=NOW_MS + 1) is None
    assert await store.waiting() == ()
    assert await store.undelivered(unknown) == ()
    assert not await store.mark_delivered(unknown, str(uuid.uuid4()), revision=0)
    assert await store.redeliver(unknown) == 0


async def test_closing_twice_is_closing_once(opener: Opener) -> None:
    opened = opener()
    record = await opened.create(make_record(), limits=PLENTY)
    await opened.close()
    await opened.close()
    again = opener()
    assert await again.find(record.session_id, now_s=NOW_S) == record
    await again.close()


async def test_a_conversation_is_forgotten_whole_and_by_its_owner_alone(
    store: SessionStore, beside: SessionStore
) -> None:
    first, second, other, strangers = (
        make_record(conversation="talk"),
        make_record(conversation="talk"),
        make_record(conversation="another"),
        make_record(owner="ben", conversation="talk"),
    )
    for record in (first, second, other, strangers):
        await store.create(record, limits=PLENTY)
        await store.append_turn(make_turn(record.session_id))
    assert set(await beside.kept_of("ann", "talk")) == {first.session_id, second.session_id}
    await store.remove(first.session_id, owner="ann")
    assert set(await store.kept_of("ann", "talk")) == {first.session_id, second.session_id}  # over, and kept
    assert not await store.forget(first.session_id, owner="ben")
    assert await store.forget(first.session_id, owner="ann")
    assert await beside.forget(second.session_id, owner="ann")
    assert not await store.forget(second.session_id, owner="ann")
    assert await store.kept_of("ann", "talk") == ()
    for gone in (first, second):
        assert await beside.find(gone.session_id, now_s=NOW_S) is None
        assert await store.turns(gone.session_id) == ()
        assert await store.undelivered(gone.session_id) == ()
        with pytest.raises(KnownError) as caught:
            await beside.append_turn(make_turn(gone.session_id, "late"))
        assert caught.value.reason is Reason.UNKNOWN_CONVERSATION
    assert set(await store.waiting()) == {other.session_id, strangers.session_id}
    assert len(await store.turns(other.session_id)) == len(await store.turns(strangers.session_id)) == 1


async def test_what_is_said_in_private_goes_with_its_session_however_that_ends(store: SessionStore) -> None:
    ended, over, open_still, usual = (
        make_record(private=True),
        make_record(private=True, expires_at_s=NOW_S + 1),
        make_record(private=True, expires_at_s=NOW_S + 9 * HOUR_S),
        make_record(),
    )
    for record in (ended, over, open_still, usual):
        await store.create(record, limits=PLENTY)
        await store.append_turn(make_turn(record.session_id), delivered=record.private)
    assert (await store.find(ended.session_id, now_s=NOW_S)) == ended
    assert await store.remove(ended.session_id, owner="ann")
    assert await store.remove(usual.session_id, owner="ann")
    await store.sweep(now_s=NOW_S + HOUR_S / 2)
    for gone in (ended, over):
        assert await store.turns(gone.session_id) == ()
        with pytest.raises(KnownError) as caught:
            await store.append_turn(make_turn(gone.session_id, "late"))
        assert caught.value.reason is Reason.UNKNOWN_CONVERSATION
    assert len(await store.turns(open_still.session_id)) == len(await store.turns(usual.session_id)) == 1
    assert await store.waiting() == (usual.session_id,)
