"""One DynamoDB table, asked on daemon threads, each call with a deadline; its faults in plain words.

Every item has the keys `pk` and `sk`, and `expiresAt` (Unix seconds), after which DynamoDB may delete it some day.
Reads are consistent: what one process has written, every other one sees.
"""

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from novadesk import permission
from novadesk.errors import BugError, KnownError, Reason
from novadesk.server.gateway.state import StoreBusy
from novadesk.store.remoteclient import AccessSource, ClientFault, RemoteAccess, RemoteClient, open_client

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

TRIES = 16
"""How often a transaction that met another one is begun anew before the caller is told to come again."""

_BATCH_GET = 100  # limit of BatchGetItem
_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.3
_NAME = re.compile(r"#(\w+)")
_BUSY = {
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "ThrottlingException",
    "ThrottlingError",
    "RequestLimitExceeded",
    "LimitExceededException",
}
_LOST = {"ConditionalCheckFailed", "ConditionalCheckFailedException", "TransactionConflict"}

type Value = str | int | bool
type Item = dict[str, Value]
type Key = tuple[str, str]
type Action = tuple[Literal["Put", "Update", "Delete", "ConditionCheck"], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Check:
    """A condition: names of attributes as `#name`, and values as `:name` that are given here."""

    expression: str
    values: Mapping[str, Value] = field(default_factory=dict)


ABSENT = Check("attribute_not_exists(#pk)")


def put(item: Item, check: Check | None = None) -> Action:
    """Write an item whole."""
    return "Put", {"Item": _encode(item), **_expressions(check, {})}


def update(key: Key, fields: Mapping[str, Value], check: Check | None = None) -> Action:
    """Set attributes of an item."""
    changes = {f"set_{name}": value for name, value in fields.items()}
    text = "SET " + ", ".join(f"#{name} = :set_{name}" for name in fields)
    return "Update", {"Key": _encode_key(key), "UpdateExpression": text, **_expressions(check, changes, text)}


def delete(key: Key, check: Check | None = None) -> Action:
    """Delete an item."""
    return "Delete", {"Key": _encode_key(key), **_expressions(check, {})}


def hold(key: Key, check: Check) -> Action:
    """Change nothing, but let a transaction hold only with a check of this item."""
    return "ConditionCheck", {"Key": _encode_key(key), **_expressions(check, {})}


async def pause(tries: int) -> None:
    """Let others go first after `tries` tries."""
    await asyncio.sleep(random.uniform(0, min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**tries)))


class Table:
    """The table. Every method raises only `KnownError`, and is safe to cancel.

    Args:
        access: returns credentials and place; asked at the first call, and again after it was denied.
        name: of the table.
        deadline_s: longest wait for one call.
    """

    def __init__(self, access: AccessSource, name: str, *, deadline_s: float = 10.0) -> None:
        self._name = name
        self._closed = False
        self._client = RemoteClient(
            access,
            open_client=_open_client,
            translated=_translated,
            access_may_help=lambda error: not isinstance(error, StoreBusy),
            no_answer=_unreachable,
            name="novadesk-gateway-table",
            deadline_s=deadline_s,
        )

    async def get(self, key: Key) -> Item | None:
        """Return an item."""
        answer = await self._ask("get_item", Key=_encode_key(key), ConsistentRead=True)
        return _decode(answer["Item"]) if "Item" in answer else None

    async def get_all(self, keys: Iterable[Key]) -> list[Item]:
        """Return those of the items that are there, in any order."""
        left = [_encode_key(key) for key in dict.fromkeys(keys)]
        found: list[Item] = []
        tries = 0
        while left:
            asked, left = left[:_BATCH_GET], left[_BATCH_GET:]
            request = {self._name: {"Keys": asked, "ConsistentRead": True}}
            answer = await self._call("batch_get_item", RequestItems=request)
            found += [_decode(item) for item in answer["Responses"].get(self._name, ())]
            refused = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
            left += refused
            if refused:
                tries += 1
                if tries == TRIES:
                    raise StoreBusy
                await pause(tries)
        return found

    async def query(
        self, pk: str, *, first: str = " ", last: str = "~", limit: int | None = None, forward: bool = True
    ) -> list[Item]:
        """Return the items of a partition from sort key `first` to `last` in order, or the other way, all pages."""
        given: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
            "ConsistentRead": True,
            "ScanIndexForward": forward,
        }
        found: list[Item] = []
        while limit is None or len(found) < limit:
            size = {} if limit is None else {"Limit": limit - len(found)}
            answer = await self._ask("query", **given, **size)
            found += [_decode(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            given["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    async def change(self, key: Key, fields: Mapping[str, Value], check: Check) -> Item | None:
        """Set attributes of an item if the check holds; return the item as it is then, or None."""
        _, given = update(key, fields, check)
        answer = await self._write("update_item", **given, ReturnValues="ALL_NEW")
        return None if answer is None else _decode(answer["Attributes"])

    async def delete(self, key: Key, check: Check) -> bool:
        """Delete an item if the check holds; return whether it did."""
        _, given = delete(key, check)
        return await self._write("delete_item", **given) is not None

    async def transact(self, actions: Sequence[Action]) -> bool:
        """Carry out all of the actions or none. False: a check does not hold, or another transaction was first."""
        items = [{kind: {"TableName": self._name, **given}} for kind, given in actions]
        try:
            await self._call("transact_write_items", TransactItems=items)
        except _LostError:
            return False
        return True

    async def close(self, *, deadline_s: float = 2.0) -> None:
        """Close the connections; calls that are stuck are left to their threads. Idempotent."""
        self._closed = True
        await self._client.close(deadline_s=deadline_s)

    async def _write(self, operation: str, **given: Any) -> Mapping[str, Any] | None:
        for tries in range(TRIES):
            try:
                return await self._ask(operation, **given)
            except _LostError as error:
                if not error.conflict:
                    return None
            await pause(tries)
        raise StoreBusy

    async def _ask(self, operation: str, **given: Any) -> Mapping[str, Any]:
        return await self._call(operation, TableName=self._name, **given)

    async def _call(self, operation: str, **given: Any) -> Mapping[str, Any]:
        if self._closed:
            raise BugError("the gateway's session store is closed")
        return await self._client.call(lambda client: getattr(client, operation)(**given))


class _LostError(Exception):
    """A check did not hold, or (`conflict`) another transaction was under way."""

    def __init__(self, conflict: bool) -> None:
        super().__init__("lost")
        self.conflict = conflict


def _open_client(access: RemoteAccess, deadline_s: float) -> Any:
    return open_client("dynamodb", access, deadline_s=deadline_s, attempts=2)


def _translated[T](work: Callable[[], T]) -> T:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return work()
    except ClientError as error:
        known, name = _refused(error), str(error.response.get("Error", {}).get("Code"))
    except (BotoCoreError, ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        known, name = _unreachable(), type(error).__name__
    raise known from ClientFault(name)  # Outside the handlers, or the original would stay on as the context.


def _refused(error: "ClientError") -> Exception:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    reasons = {str(one.get("Code")) for one in error.response.get("CancellationReasons", ())} - {"None"}
    if code in _BUSY or reasons & _BUSY:
        return StoreBusy()
    if code in _LOST or (reasons and reasons <= _LOST):
        return _LostError(conflict=False)
    if code in ("TransactionConflictException", "TransactionInProgressException"):
        return _LostError(conflict=True)
    if code == "ResourceNotFoundException":
        return KnownError(
            Reason.BAD_SETTINGS,
            "The gateway's DynamoDB table does not exist.",
            "Create it with packaging/gateway/dynamodb.json, or name the right table and region.",
        )
    if status in (401, 403) or code in ("AccessDeniedException", "UnrecognizedClientException"):
        told = permission.advice(
            error.response.get("Error", {}).get("Message", ""),
            "Give the gateway's AWS identity the rights of packaging/gateway/policy.json.",
        )
        return KnownError(Reason.SYNC_DENIED, "The gateway has no access to its DynamoDB table.", told)
    if code == "ValidationException":
        return BugError("the session store's table refuses a request as malformed")
    return _unreachable()


def _unreachable() -> KnownError:
    return KnownError(
        Reason.SYNC_UNREACHABLE,
        "The gateway's session store cannot be reached.",
        "Look after the network and the region of the table; the gateway tries again.",
    )


def _expressions(check: Check | None, changes: Mapping[str, Value], text: str = "") -> dict[str, Any]:
    given: dict[str, Any] = {}
    values = dict(changes)
    if check is not None:
        given["ConditionExpression"] = check.expression
        values |= check.values
        text += check.expression
    names = {f"#{name}": name for name in _NAME.findall(text)}
    if names:
        given["ExpressionAttributeNames"] = names
    if values:
        given["ExpressionAttributeValues"] = {f":{name}": _encode_value(value) for name, value in values.items()}
    return given


def _encode_key(key: Key) -> dict[str, dict[str, str]]:
    pk, sk = key
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _encode(item: Item) -> dict[str, Any]:
    return {name: _encode_value(value) for name, value in item.items()}


def _encode_value(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def _decode(item: Mapping[str, Mapping[str, Any]]) -> Item:
    values: Item = {}
    for name, typed in item.items():
        ((kind, value),) = typed.items()
        values[name] = int(value) if kind == "N" else value
    return values
