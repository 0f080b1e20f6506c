"""Turns and what is owed of them as items of a DynamoDB table: the rules of `state.SessionStore`."""

import dataclasses
import secrets
from collections.abc import Sequence

from novadesk.models import Role, SyncState, Turn, no_such_conversation
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
    hold,
    pause,
    put,
    update,
)
from novadesk.server.gateway.state import (
    KEEP_TURNS_S,
    PendingTurn,
    RemoteChain,
    SessionRecord,
    StoreBusy,
    follows,
    renewed,
    taken_elsewhere,
)

_OWING = "owing"
"""The partition that names every session with undelivered turns."""

_AT_ONCE = 30
"""Turns owed again in one transaction, of two items each: DynamoDB takes 100 items."""

_DELETED_AT_ONCE = 100
_ALL_HEARD = -1
_CHAIN_FIELDS = tuple(field.name for field in dataclasses.fields(RemoteChain))


def partition(session_id: str) -> str:
    """Return the partition of a session."""
    return f"session#{session_id}"


def session_key(session_id: str) -> Key:
    """Return the key of a session's own item."""
    return partition(session_id), "session"


def make_chain(record: SessionRecord) -> Item:
    """Return the item that outlives a session: its place in Agent Runtime, and the count of its turns."""
    chain = RemoteChain(session_id=record.session_id, owner=record.owner, conversation=record.conversation)
    pk, sk = _chain_key(record.session_id)
    kept = {"turns": 0, "last_at_ms": 0, "holder": "", "held_until_ms": 0, "expiresAt": _expiry(record.created_ms)}
    return {"pk": pk, "sk": sk, **{name: getattr(chain, name) for name in _CHAIN_FIELDS}, **kept}


class TurnItems:
    """The part of a `SessionStore` that is about turns."""

    def __init__(self, table: Table) -> None:
        self._items = table

    async def append_turn(  # noqa: D102
        self, turn: Turn, *, gateway: str | None = None, delivered: bool = False
    ) -> Turn:
        sync = SyncState.SYNCED if delivered else SyncState.PENDING
        for tries in range(TRIES):
            chain = await self._items.get(_chain_key(turn.conversation))
            if chain is None:
                raise no_such_conversation()
            fence = [] if gateway is None else [await self._fence(turn.conversation, gateway)]
            written = await self._find(turn.conversation, turn.turn_id)
            if written is not None:
                stored = _turn(written)
                if not turn.replaces(stored):
                    return stored
                stored = renewed(turn, stored, sync)
                actions = _replacement(stored, int(written["revision"]), delivered=delivered)
            else:
                stored = follows(turn, int(chain["turns"]), int(chain["last_at_ms"]), sync)
                # What is recalled may be older than what is kept: a session's records go together.
                expires = max(int(chain["expiresAt"]), _expiry(stored.at_ms))
                actions = _addition(stored, expires, delivered=delivered)
            if await self._items.transact([*fence, *actions]):
                return stored
            await pause(tries)
        raise StoreBusy

    async def turns(self, session_id: str, *, after: int = -1, limit: int = 200) -> Sequence[Turn]:  # noqa: D102
        items = await self._items.query(
            partition(session_id), first=_sort("turn", after + 1), last="turn#~", limit=limit
        )
        return tuple(_turn(item) for item in items)

    async def newest_turns(  # noqa: D102
        self, session_id: str, *, before: int | None = None, limit: int = 200
    ) -> Sequence[Turn]:
        if before is not None and before <= 0:
            return ()
        last = "turn#~" if before is None else _sort("turn", before - 1)
        items = await self._items.query(partition(session_id), first="turn#", last=last, limit=limit, forward=False)
        return tuple(_turn(item) for item in reversed(items))

    async def count_turns(self, session_id: str) -> int:  # noqa: D102
        chain = await self._items.get(_chain_key(session_id))
        return 0 if chain is None else int(chain["turns"])

    async def waiting(self, *, limit: int = 100) -> Sequence[str]:  # noqa: D102
        return tuple(str(item["session_id"]) for item in await self._items.query(_OWING, limit=limit))

    async def undelivered(self, session_id: str, *, limit: int = 100) -> Sequence[PendingTurn]:  # noqa: D102
        owed = await self._items.query(partition(session_id), first="owed#", last="owed#~", limit=limit)
        items = await self._items.get_all(_turn_key(session_id, int(one["position"])) for one in owed)
        found = [PendingTurn(turn=_turn(item), revision=int(item["revision"])) for item in items]
        return tuple(
            sorted((one for one in found if one.turn.sync is SyncState.PENDING), key=lambda one: one.turn.position)
        )

    async def mark_delivered(  # noqa: D102
        self, session_id: str, turn_id: str, *, revision: int, sync: SyncState = SyncState.SYNCED
    ) -> bool:
        for tries in range(TRIES):
            item = await self._find(session_id, turn_id)
            if item is None or item["revision"] != revision or item["sync"] != SyncState.PENDING.value:
                return False
            if await self._items.transact(_acknowledgement(item, sync)):
                await self._forget_debt(session_id)
                return True
            await pause(tries)
        raise StoreBusy

    async def redeliver(self, session_id: str) -> int:  # noqa: D102
        turns = await self._items.query(partition(session_id), first="turn#", last="turn#~")
        for start in range(0, len(turns), _AT_ONCE):
            actions = [action for item in turns[start : start + _AT_ONCE] for action in _debt_of(item)]
            if not await self._items.transact([*actions, _debtor(session_id)]):
                raise StoreBusy
        return len(turns)

    async def lease_chain(  # noqa: D102
        self, session_id: str, *, holder: str, now_ms: int, until_ms: int
    ) -> RemoteChain | None:
        free = Check(
            "attribute_exists(#pk) AND (#holder = :nobody OR #holder = :me OR #held_until_ms <= :now)",
            {"nobody": "", "me": holder, "now": now_ms},
        )
        lease: dict[str, Value] = {"holder": holder, "held_until_ms": until_ms}
        item = await self._items.change(_chain_key(session_id), lease, free)
        return None if item is None else _chain(item)

    async def save_chain(self, chain: RemoteChain, *, holder: str) -> bool:  # noqa: D102
        fields: dict[str, Value] = {name: getattr(chain, name) for name in _CHAIN_FIELDS}
        mine = Check("#holder = :me", {"me": holder})
        return await self._items.change(_chain_key(chain.session_id), fields, mine) is not None

    async def free_chain(self, session_id: str, *, holder: str) -> None:  # noqa: D102
        free: dict[str, Value] = {"holder": "", "held_until_ms": 0}
        await self._items.change(_chain_key(session_id), free, Check("#holder = :me", {"me": holder}))

    async def _fence(self, session_id: str, gateway: str) -> Action:
        """Return what lets a transaction hold only as long as nobody else serves the session.

        Raises:
            KnownError: `SESSION_TAKEN`: somebody does.
        """
        key = session_key(session_id)
        session = await self._items.get(key)
        if session is not None and session["gateway"] != gateway:
            raise taken_elsewhere()
        return hold(key, Check("attribute_not_exists(#pk) OR #gateway = :mine", {"mine": gateway}))

    async def _forget_turns(self, session_id: str, owner: str) -> RemoteChain | None:
        """Delete everything of a session of this owner; return its chain, None where there is nothing.

        The chain goes last, and only with no turn behind what was deleted: whoever repeats a broken-off call finds it.
        """
        for tries in range(TRIES):
            chain = await self._items.get(_chain_key(session_id))
            if chain is None or chain["owner"] != owner:
                return None
            items = await self._items.query(partition(session_id))
            keys = [(str(item["pk"]), str(item["sk"])) for item in items if item["sk"] != _chain_key(session_id)[1]]
            for start in range(0, len(keys), _DELETED_AT_ONCE):
                await self._items.transact([delete(key) for key in keys[start : start + _DELETED_AT_ONCE]])
            await self._items.transact([delete((_OWING, session_id))])
            if await self._items.delete(_chain_key(session_id), Check("#turns = :seen", {"seen": chain["turns"]})):
                return _chain(chain)
            await pause(tries)
        raise StoreBusy

    async def _find(self, session_id: str, turn_id: str) -> Item | None:
        index = await self._items.get((partition(session_id), f"id#{turn_id}"))
        return None if index is None else await self._items.get(_turn_key(session_id, int(index["position"])))

    async def _forget_debt(self, session_id: str) -> None:
        """Take a session off the list when it owes nothing; one that owes again meanwhile has a new token."""
        debtor = await self._items.get((_OWING, session_id))
        if debtor is None or await self._items.query(partition(session_id), first="owed#", last="owed#~", limit=1):
            return
        await self._items.delete((_OWING, session_id), Check("#token = :seen", {"seen": debtor["token"]}))


def _addition(turn: Turn, expires: int, *, delivered: bool) -> list[Action]:
    """Add a turn at its position, if that is still the next one."""
    pk, sk = _turn_key(turn.conversation, turn.position)
    counted: dict[str, Value] = {"turns": turn.position + 1, "last_at_ms": turn.at_ms, "expiresAt": expires}
    actions = [
        update(_chain_key(turn.conversation), counted, Check("#turns = :next", {"next": turn.position})),
        put({"pk": pk, "sk": sk, **_plain(turn), "revision": 0, "expiresAt": expires}),
        put({"pk": pk, "sk": f"id#{turn.turn_id}", "position": turn.position, "expiresAt": expires}, ABSENT),
    ]
    return actions if delivered else [*actions, _debt(turn.conversation, turn.position), _debtor(turn.conversation)]


def _replacement(turn: Turn, revision: int, *, delivered: bool) -> list[Action]:
    """Write a turn over its version `revision`, if that is still the newest."""
    key, fields = _turn_key(turn.conversation, turn.position), {**_plain(turn), "revision": revision + 1}
    actions = [update(key, fields, Check("#revision = :seen", {"seen": revision}))]
    if delivered:
        return [*actions, delete(_owed_key(turn.conversation, turn.position))]
    return [*actions, _debt(turn.conversation, turn.position), _debtor(turn.conversation)]


def _acknowledgement(item: Item, sync: SyncState) -> list[Action]:
    session_id, position = str(item["session_id"]), int(item["position"])
    as_seen = Check(
        "#revision = :seen AND #sync = :pending",
        {"seen": item["revision"], "pending": SyncState.PENDING.value},
    )
    return [
        update(_turn_key(session_id, position), {"sync": sync.value}, as_seen),
        delete(_owed_key(session_id, position)),
    ]


def _debt_of(item: Item) -> list[Action]:
    session_id, position = str(item["session_id"]), int(item["position"])
    there = Check("attribute_exists(#pk)")
    return [
        update(_turn_key(session_id, position), {"sync": SyncState.PENDING.value}, there),
        _debt(session_id, position),
    ]


def _debt(session_id: str, position: int) -> Action:
    pk, sk = _owed_key(session_id, position)
    return put({"pk": pk, "sk": sk, "position": position})


def _debtor(session_id: str) -> Action:
    return put({"pk": _OWING, "sk": session_id, "session_id": session_id, "token": secrets.token_hex(8)})


def _chain_key(session_id: str) -> Key:
    return partition(session_id), "chain"


def _turn_key(session_id: str, position: int) -> Key:
    return partition(session_id), _sort("turn", position)


def _owed_key(session_id: str, position: int) -> Key:
    return partition(session_id), _sort("owed", position)


def _sort(kind: str, position: int) -> str:
    return f"{kind}#{position:010d}"


def _expiry(at_ms: int) -> int:
    return at_ms // 1000 + KEEP_TURNS_S


def _chain(item: Item) -> RemoteChain:
    item = {"conversation": "", **item}
    return RemoteChain(**{name: item[name] for name in _CHAIN_FIELDS})  # type: ignore[arg-type]


def _plain(turn: Turn) -> dict[str, Value]:
    return {
        "session_id": turn.conversation,
        "turn_id": turn.turn_id,
        "position": turn.position,
        "role": turn.role.value,
        "text": turn.text,
        "at_ms": turn.at_ms,
        "wire_session": turn.wire_session,
        "heard_chars": _ALL_HEARD if turn.heard_chars is None else turn.heard_chars,
        "interrupted": turn.interrupted,
        "unconfirmed": turn.unconfirmed,
        "typed": turn.typed,
        "voice": turn.voice,
        "tools": " ".join(turn.tools),
        "sync": turn.sync.value,
    }


def _turn(item: Item) -> Turn:
    heard_chars = int(item["heard_chars"])
    return Turn(
        turn_id=str(item["turn_id"]),
        conversation=str(item["session_id"]),
        position=int(item["position"]),
        role=Role(item["role"]),
        text=str(item["text"]),
        at_ms=int(item["at_ms"]),
        wire_session=str(item["wire_session"]),
        heard_chars=None if heard_chars == _ALL_HEARD else heard_chars,
        interrupted=bool(item["interrupted"]),
        unconfirmed=bool(item["unconfirmed"]),
        typed=bool(item["typed"]),
        voice=str(item["voice"]),
        tools=tuple(str(item["tools"]).split()),
        sync=SyncState(item["sync"]),
    )
