"""The gateway's DynamoDB table: what its refusals mean, and what DynamoDB does to it by itself."""

import dataclasses
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from novadesk.errors import BugError, KnownError, Reason
from novadesk.server.gateway.dynamo_table import Table, put
from novadesk.server.gateway.state import KEEP_TURNS_S, Limits, StoreBusy, TooMany
from novadesk.server.gateway.state_dynamodb import DynamoSessions
from novadesk.store.remoteclient import RemoteAccess
from tests.support.gateway_state import HOUR_S, NOW_MS, NOW_S, PLENTY, make_record, make_turn
from tests.support.gateway_table import SHIPPED, Refusal, TableServer

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def tables() -> Iterator[TableServer]:
    server = TableServer()
    yield server
    server.stop()


@pytest.fixture
def table(tables: TableServer) -> str:
    return tables.make_table()


@pytest.fixture
async def store(tables: TableServer, table: str) -> AsyncIterator[DynamoSessions]:
    opened = tables.opener(table)()
    yield opened
    tables.refusals.clear()
    await opened.close()


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(code="ProvisionedThroughputExceededException"),
        Refusal(code="ThrottlingException"),
        Refusal(code="RequestLimitExceeded"),
        Refusal(code="TransactionCanceledException", reasons=("None", "ThrottlingError")),
    ],
    ids=lambda refusal: refusal.code,
)
async def test_a_table_that_asks_to_slow_down_says_when_to_come_again(
    tables: TableServer, store: DynamoSessions, refusal: Refusal
) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    tables.refusals.extend([refusal] * 2)  # the client library tries twice
    with pytest.raises(StoreBusy) as refused:
        await store.append_turn(make_turn(record.session_id))
    assert refused.value.retry_after_s > 0
    assert refused.value.reason is Reason.THROTTLED
    tables.refusals.clear()
    assert (await store.append_turn(make_turn(record.session_id))).position == 0


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Refusal(code="ResourceNotFoundException"), Reason.BAD_SETTINGS),
        (Refusal(code="AccessDeniedException"), Reason.SYNC_DENIED),
        (Refusal(code="UnrecognizedClientException"), Reason.SYNC_DENIED),
        (Refusal(code="InternalServerError", status=500), Reason.SYNC_UNREACHABLE),
    ],
    ids=lambda value: value.code if isinstance(value, Refusal) else "",
)
async def test_a_refusal_is_said_in_plain_words_and_nothing_of_an_item(
    tables: TableServer, store: DynamoSessions, refusal: Refusal, reason: Reason
) -> None:
    tables.refusals.extend([refusal] * 2)
    with pytest.raises(KnownError) as refused:
        await store.find(make_record().session_id, now_s=NOW_S)
    assert refused.value.reason is reason
    assert refused.value.advice
    chain: BaseException | None = refused.value
    while chain is not None:
        assert "secret-owner" not in str(chain)
        assert "session_" not in str(chain)
        chain = chain.__cause__ or chain.__context__
    tables.refusals.clear()
    assert await store.find(make_record().session_id, now_s=NOW_S) is None


async def test_a_change_that_meets_a_transaction_is_tried_again(tables: TableServer, store: DynamoSessions) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    tables.refusals.append(Refusal(code="TransactionConflictException"))
    assert await store.update(record.session_id, generation=1, revision=4)
    conflict = Refusal(
        operation="TransactWriteItems", code="TransactionCanceledException", reasons=("TransactionConflict", "None")
    )
    tables.refusals.append(conflict)
    assert (await store.append_turn(make_turn(record.session_id))).position == 0
    assert not tables.refusals


async def test_nobody_at_the_address_is_said_in_plain_words(tables: TableServer) -> None:
    async def access() -> RemoteAccess:
        return dataclasses.replace(tables.access, endpoint="http://127.0.0.1:9")

    store = DynamoSessions(Table(access, "gateway"))
    with pytest.raises(KnownError) as refused:
        await store.count(now_s=NOW_S)
    await store.close()
    assert refused.value.reason is Reason.SYNC_UNREACHABLE


async def test_credentials_are_asked_for_again_after_they_were_refused(tables: TableServer, table: str) -> None:
    given: list[str] = []

    async def access() -> RemoteAccess:
        given.append(f"AKID{len(given)}")
        return dataclasses.replace(tables.access, access_key_id=given[-1])

    store = DynamoSessions(Table(access, table))
    await store.count(now_s=NOW_S)
    await store.count(now_s=NOW_S)
    assert len(given) == 1
    tables.refusals.append(Refusal(code="AccessDeniedException"))
    with pytest.raises(KnownError):
        await store.count(now_s=NOW_S)
    await store.count(now_s=NOW_S)
    assert len(given) == 2
    await store.close()
    with pytest.raises(BugError):
        await store.count(now_s=NOW_S)


async def test_turns_of_more_than_a_page_are_all_read_in_order(store: DynamoSessions) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    for number in range(4):
        await store.append_turn(make_turn(record.session_id, str(number) * 350_000))
    there = await store.turns(record.session_id)
    assert [turn.text[0] for turn in there] == ["0", "1", "2", "3"]
    assert [turn.text[0] for turn in await store.newest_turns(record.session_id, limit=3)] == ["1", "2", "3"]


async def test_more_sessions_than_one_request_reads_are_all_counted(store: DynamoSessions) -> None:
    places = [
        {"pk": "places", "sk": f"place#{number:06d}", "session_id": f"s{number}", "all_place": number}
        for number in range(120)
    ]
    alive = [{"pk": f"session#s{number}", "sk": "session", "session_id": f"s{number}"} for number in range(120)]
    for number in range(0, 120, 20):
        several = [*places[number : number + 20], *alive[number : number + 20]]
        assert await store._table.transact([put({**item, "expiresAt": NOW_S + HOUR_S}) for item in several])
    assert await store.count(now_s=NOW_S) == 120


async def test_the_place_of_a_session_that_dynamodb_has_deleted_is_free_again(
    tables: TableServer, table: str, store: DynamoSessions
) -> None:
    limits = Limits(per_owner=1, in_all=1)
    old = await store.create(make_record(request_id="r1"), limits=limits)
    with pytest.raises(TooMany):
        await store.create(make_record(), limits=limits)
    key = {"pk": {"S": f"session#{old.session_id}"}, "sk": {"S": "session"}}
    tables.client.delete_item(TableName=table, Key=key)
    assert await store.count(now_s=NOW_S) == 0
    new = await store.create(make_record(request_id="r1"), limits=limits)
    assert await store.list_of("ann", now_s=NOW_S) == (new,)


async def test_what_ends_with_time_carries_the_attribute_that_dynamodb_deletes_by(
    tables: TableServer, table: str, store: DynamoSessions
) -> None:
    record = await store.create(make_record(request_id="r1"), limits=PLENTY)
    await store.append_turn(make_turn(record.session_id))
    told = tables.client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert told == {"AttributeName": "expiresAt", "TimeToLiveStatus": "ENABLED"}
    items = tables.client.scan(TableName=table, ConsistentRead=True)["Items"]
    lasting = {item["sk"]["S"].partition("#")[0] for item in items if "expiresAt" not in item}
    # Places are freed when their session is gone, and debts when they are paid.
    assert lasting == {"place", "owed", record.session_id}
    assert {int(item["expiresAt"]["N"]) for item in items if item["sk"]["S"] == "session"} == {NOW_S + HOUR_S}


async def test_what_is_recalled_after_a_long_time_does_not_expire_before_its_session(
    tables: TableServer, table: str, store: DynamoSessions
) -> None:
    record = await store.create(make_record(), limits=PLENTY)
    old = make_turn(record.session_id, at_ms=NOW_MS - 400 * 86_400_000)
    await store.append_turn(old, delivered=True)
    items = tables.client.scan(TableName=table, ConsistentRead=True)["Items"]
    expiries = {int(item["expiresAt"]["N"]) for item in items if item["sk"]["S"].startswith(("chain", "turn", "id"))}
    assert expiries == {NOW_S + KEEP_TURNS_S}


async def test_a_session_without_debts_leaves_nothing_but_its_turns(
    tables: TableServer, table: str, store: DynamoSessions
) -> None:
    record = await store.create(make_record(request_id="r1"), limits=PLENTY)
    turn = await store.append_turn(make_turn(record.session_id))
    await store.mark_delivered(record.session_id, turn.turn_id, revision=0)
    await store.remove(record.session_id, owner="ann")
    items = tables.client.scan(TableName=table, ConsistentRead=True)["Items"]
    kinds = sorted(item["sk"]["S"].partition("#")[0] for item in items)
    assert kinds == ["chain", "id", "request", "turn"]
    assert all(int(item["expiresAt"]["N"]) > NOW_S for item in items)


async def test_the_policy_allows_the_calls_that_the_store_makes_and_no_more(
    tables: TableServer, store: DynamoSessions
) -> None:
    tables.asked.clear()
    record = await store.create(make_record(request_id="r1"), limits=PLENTY)
    await store.create(make_record(request_id="r1"), limits=PLENTY)
    turn = await store.append_turn(make_turn(record.session_id, unconfirmed=True), gateway=record.gateway)
    await store.append_turn(dataclasses.replace(turn, unconfirmed=False))
    await store.mark_delivered(record.session_id, turn.turn_id, revision=1)
    await store.redeliver(record.session_id)
    await store.touch(record.session_id, generation=1, now_ms=NOW_MS, expires_at_s=NOW_S + 1)
    assert await store.sweep(now_s=NOW_S + 1) == 1
    # A transaction needs the rights of what it does: puts, updates, deletes, and checks of other items.
    needed = {f"dynamodb:{name}" for name in tables.asked if name != "TransactWriteItems"} | {
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
        "dynamodb:ConditionCheckItem",
    }
    policy = json.loads((SHIPPED / "policy.json").read_text())
    (statement,) = [one for one in policy["Statement"] if one["Sid"] == "NovaDeskGatewayState"]
    assert set(statement["Action"]) == needed
    name = json.loads((SHIPPED / "dynamodb.json").read_text())["TableName"]
    assert statement["Resource"] == f"arn:aws:dynamodb:us-east-1:*:table/{name}"
