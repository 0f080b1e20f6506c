"""The state of a gateway in one DynamoDB table, shared by processes on many machines.

A session takes one place of its owner's and one of all, and these are items: as many as the limit allows, each written
only where none is. So a limit is kept however many processes ask at once, without a counter that could go wrong, and
the places of a session that has expired, or that DynamoDB has deleted, are known by the session that is not there.
"""

import dataclasses
import hashlib
import random
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Unpack

from novadesk.server.gateway.dynamo_table import (
    ABSENT,
    TRIES,
    Action,
    Check,
    Item,
    Key,
    Table,
    Value,
    delete,
    pause,
    put,
)
from novadesk.server.gateway.state import (
    KEEP_TURNS_S,
    Limits,
    Scope,
    SessionFields,
    SessionRecord,
    SessionStatus,
    StoreBusy,
    TooMany,
)
from novadesk.server.gateway.state_dynamodb_turns import TurnItems, make_chain, session_key

_ALL = "places"
_NAMES = tuple(field.name for field in dataclasses.fields(SessionRecord))
_RENAMED = {"expires_at_s": "expiresAt"}


class DynamoSessions(TurnItems):
    """A `SessionStore` in a table, see there for what every method promises."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._table = table

    async def create(self, record: SessionRecord, *, limits: Limits) -> SessionRecord:  # noqa: D102
        now_s = record.created_ms / 1000
        for tries in range(TRIES):
            wish = await self._table.get(_request_key(record)) if record.request_id else None
            before = None if wish is None else await self.find(str(wish["session_id"]), now_s=now_s)
            if before is not None:
                return before
            places = await self._free_places(record, limits, now_s)
            if places is not None and await self._table.transact(_creation(record, wish, *places)):
                return record
            await pause(tries)
        raise StoreBusy

    async def find(self, session_id: str, *, now_s: float) -> SessionRecord | None:  # noqa: D102
        item = await self._table.get(session_key(session_id))
        return _record(item) if item is not None and _is_alive(item, now_s) else None

    async def find_by_remote(  # noqa: D102
        self, owner: str, bedrock_session_id: str, *, now_s: float
    ) -> SessionRecord | None:
        found = [one for one in await self.list_of(owner, now_s=now_s) if one.bedrock_session_id == bedrock_session_id]
        return found[-1] if found else None

    async def list_of(self, owner: str, *, now_s: float) -> Sequence[SessionRecord]:  # noqa: D102
        places = await self._places(_owner_partition(owner))
        items = await self._table.get_all(session_key(str(place["session_id"])) for place in places)
        records = [_record(item) for item in items if _is_alive(item, now_s)]
        return tuple(sorted(records, key=lambda record: (record.created_ms, record.session_id)))

    async def count(self, *, now_s: float) -> int:  # noqa: D102
        return len(await self._alive(await self._places(_ALL), now_s))

    async def take_over(  # noqa: D102
        self, session_id: str, *, generation: int, connection: str, gateway: str, now_ms: int, expires_at_s: int
    ) -> SessionRecord | None:
        fields = {
            "generation": generation + 1,
            "connection": connection,
            "gateway": gateway,
            "last_activity_ms": now_ms,
            "expires_at_s": expires_at_s,
        }
        taken = await self._change(session_id, generation, fields, now_ms=now_ms)
        if taken is None:  # it may be ours by an answer that was lost
            there = await self.find(session_id, now_s=now_ms / 1000)
            is_ours = there is not None and (there.generation, there.connection) == (generation + 1, connection)
            return there if is_ours else None
        return taken

    async def update(self, session_id: str, *, generation: int, **fields: Unpack[SessionFields]) -> bool:  # noqa: D102
        return await self._change(session_id, generation, fields or {"generation": generation}) is not None

    async def touch(self, session_id: str, *, generation: int, now_ms: int, expires_at_s: int) -> bool:  # noqa: D102
        fields = {"last_activity_ms": now_ms, "expires_at_s": expires_at_s}
        return await self._change(session_id, generation, fields, now_ms=now_ms) is not None

    async def release(self, session_id: str, *, generation: int, now_ms: int, expires_at_s: int) -> bool:  # noqa: D102
        fields = {"connection": "", "expires_at_s": expires_at_s}
        return await self._change(session_id, generation, fields, now_ms=now_ms) is not None

    async def remove(self, session_id: str, *, owner: str) -> bool:  # noqa: D102
        for tries in range(TRIES):
            item = await self._table.get(session_key(session_id))
            if item is None or item["owner"] != owner:
                return False
            if await self._table.transact(_removal(item, Check("attribute_exists(#pk)"))):
                await self._forget_private(item)
                return True
            await pause(tries)
        raise StoreBusy

    async def kept_of(self, owner: str, conversation: str) -> Sequence[str]:  # noqa: D102
        pk, first = _conversation_key(owner, conversation, "")
        return tuple(str(item["session_id"]) for item in await self._table.query(pk, first=first, last=f"{first}~"))

    async def forget(self, session_id: str, *, owner: str) -> bool:  # noqa: D102
        await self.remove(session_id, owner=owner)
        chain = await self._forget_turns(session_id, owner)
        if chain is None:
            return False
        if chain.conversation:
            await self._table.transact([delete(_conversation_key(owner, chain.conversation, session_id))])
        return True

    async def sweep(self, *, now_s: float) -> int:  # noqa: D102
        return await self._forget_dead(await self._places(_ALL), now_s)

    async def close(self) -> None:  # noqa: D102
        await self._table.close()

    async def _free_places(self, record: SessionRecord, limits: Limits, now_s: float) -> tuple[int, int] | None:
        """Return a place of the owner's and one of all; None when it is worth looking again.

        Raises:
            TooMany: live sessions have them all.
        """
        chosen = []
        for scope, pk, name, limit in (
            (Scope.OWNER, _owner_partition(record.owner), "owner_place", limits.per_owner),
            (Scope.ALL, _ALL, "all_place", limits.in_all),
        ):
            places = await self._places(pk)
            if len(places) >= limit:
                if len(await self._alive(places, now_s)) >= limit:
                    raise TooMany(scope, limit)
                await self._forget_dead(places, now_s)
                return None
            taken = {place[name] for place in places}
            chosen.append(random.choice([number for number in range(limit) if number not in taken]))
        return chosen[0], chosen[1]

    async def _places(self, pk: str) -> list[Item]:
        return await self._table.query(pk, first="place#", last="place#~")

    async def _alive(self, places: Sequence[Item], now_s: float) -> set[str]:
        items = await self._table.get_all(session_key(str(place["session_id"])) for place in places)
        return {str(item["session_id"]) for item in items if _is_alive(item, now_s)}

    async def _forget_dead(self, places: Sequence[Item], now_s: float) -> int:
        alive = await self._alive(places, now_s)
        over = Check("attribute_not_exists(#pk) OR #expiresAt <= :now", {"now": int(now_s)})
        gone = 0
        for place in places:
            if place["session_id"] not in alive and await self._table.transact(_removal(place, over)):
                await self._forget_private(place)
                gone += 1
        return gone

    async def _forget_private(self, where: Item) -> None:
        if where.get("private"):
            await self._forget_turns(str(where["session_id"]), str(where["owner"]))

    async def _change(
        self, session_id: str, generation: int, fields: Mapping[str, Any], *, now_ms: int | None = None
    ) -> SessionRecord | None:
        expression, values = "#generation = :held", {"held": generation}
        if now_ms is not None:
            # Whole seconds behind are as good as the fraction: times of expiry are whole.
            expression, values = f"{expression} AND #expiresAt > :now", values | {"now": now_ms // 1000}
        changes = {_RENAMED.get(name, name): _plain(value) for name, value in fields.items()}
        item = await self._table.change(session_key(session_id), changes, Check(expression, values))
        return None if item is None else _record(item)


def _creation(record: SessionRecord, wish: Item | None, owner_place: int, all_place: int) -> list[Action]:
    where: Item = {
        "session_id": record.session_id,
        "owner": record.owner,
        "owner_place": owner_place,
        "all_place": all_place,
        "private": record.private,
    }
    owner = _owner_partition(record.owner)
    fields: Item = {_RENAMED.get(name, name): _plain(getattr(record, name)) for name in _NAMES}
    actions = [
        put(_keyed(session_key(record.session_id), where | fields), ABSENT),
        put(make_chain(record), ABSENT),
        put(_keyed((_ALL, _place(all_place)), where), ABSENT),
        put(_keyed((owner, _place(owner_place)), where), ABSENT),
    ]
    if record.conversation:
        name: Item = {"session_id": record.session_id, "expiresAt": record.created_ms // 1000 + 2 * KEEP_TURNS_S}
        actions.append(put(_keyed(_conversation_key(record.owner, record.conversation, record.session_id), name)))
    if record.request_id:
        pointer: Item = {"session_id": record.session_id, "expiresAt": record.created_ms // 1000 + KEEP_TURNS_S}
        as_seen = ABSENT if wish is None else Check("#session_id = :seen", {"seen": wish["session_id"]})
        actions.append(put(_keyed(_request_key(record), pointer), as_seen))
    return actions


def _removal(where: Item, check: Check) -> list[Action]:
    """Delete a session that meets a check, with its places: who finds these gone was not the first."""
    session_id = str(where["session_id"])
    still = Check("#session_id = :of", {"of": session_id})
    owner = _owner_partition(str(where["owner"]))
    return [
        delete(session_key(session_id), check),
        delete((_ALL, _place(int(where["all_place"]))), still),
        delete((owner, _place(int(where["owner_place"]))), still),
    ]


def _keyed(key: Key, fields: Mapping[str, Value]) -> Item:
    return {"pk": key[0], "sk": key[1], **fields}


def _place(number: int) -> str:
    return f"place#{number:06d}"


def _owner_partition(owner: str) -> str:
    return f"owner#{_hashed(owner)}"


def _request_key(record: SessionRecord) -> Key:
    return _owner_partition(record.owner), f"request#{_hashed(record.request_id)}"


def _conversation_key(owner: str, conversation: str, session_id: str) -> Key:
    return _owner_partition(owner), f"conversation#{_hashed(conversation)}#{session_id}"


def _hashed(text: str) -> str:
    """Return a key of a bounded length."""
    return hashlib.sha256(text.encode()).hexdigest()


def _is_alive(item: Item, now_s: float) -> bool:
    return int(item["expiresAt"]) > now_s


def _record(item: Item) -> SessionRecord:
    item = {"conversation": "", "private": False, **item}
    given: dict[str, Any] = {name: item[_RENAMED.get(name, name)] for name in _NAMES}
    return SessionRecord(**{**given, "status": SessionStatus(given["status"])})


def _plain(value: Any) -> Value:
    plain: Value = value.value if isinstance(value, Enum) else value
    return plain
