"""Both stores of a gateway's state do what a model in memory does, whatever is asked of them in whatever order."""

import asyncio
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from novadesk.errors import KnownError, Reason
from novadesk.models import SyncState, Turn
from novadesk.server.gateway import state_file
from novadesk.server.gateway.state import (
    Limits,
    PendingTurn,
    SessionRecord,
    SessionStatus,
    SessionStore,
    TooMany,
    renewed,
)
from novadesk.server.gateway.state_sqlite import SqliteSessions
from tests.support.gateway_state import NOW_S, make_record, make_turn
from tests.support.gateway_table import PATIENCE_S, TableServer

pytestmark = pytest.mark.thorough

LIMITS = Limits(per_owner=2, in_all=3)
OWNERS = ("ann", "bob")
owners = st.sampled_from(OWNERS)
picks = st.integers(0, 50)
generations = st.integers(-1, 0)


class Model:
    """What `SessionStore` promises, in dictionaries."""

    def __init__(self) -> None:
        self.sessions: dict[str, SessionRecord] = {}
        self.turns: dict[str, list[PendingTurn]] = {}

    def alive(self, now_s: float) -> list[SessionRecord]:
        return [one for one in self.sessions.values() if one.expires_at_s > now_s]

    def create(self, record: SessionRecord) -> SessionRecord | str:
        alive = self.alive(record.created_ms / 1000)
        for one in alive:
            if (one.owner, one.request_id) == (record.owner, record.request_id) and one.request_id:
                return one
        if sum(one.owner == record.owner for one in alive) >= LIMITS.per_owner:
            return "owner"
        if len(alive) >= LIMITS.in_all:
            return "all"
        self.sessions = {one.session_id: one for one in alive}
        self.sessions[record.session_id] = record
        self.turns[record.session_id] = []
        return record

    def change(self, session_id: str, held: int, now_s: float | None, /, **fields: Any) -> SessionRecord | None:
        there = self.sessions.get(session_id)
        if there is None or there.generation != held or (now_s is not None and there.expires_at_s <= now_s):
            return None
        self.sessions[session_id] = dataclasses.replace(there, **fields)
        return self.sessions[session_id]

    def append(self, turn: Turn, delivered: bool, gateway: str | None = None) -> Turn | Reason:
        served = self.sessions.get(turn.conversation)
        if gateway is not None and served is not None and served.gateway != gateway:
            return Reason.SESSION_TAKEN
        turns = self.turns[turn.conversation]
        sync = SyncState.SYNCED if delivered else SyncState.PENDING
        for number, kept in enumerate(turns):
            if kept.turn.turn_id == turn.turn_id:
                if turn.replaces(kept.turn):
                    better = renewed(turn, kept.turn, sync)
                    turns[number] = PendingTurn(turn=better, revision=kept.revision + 1)
                return turns[number].turn
        at_ms = max(turn.at_ms, turns[-1].turn.at_ms + 1) if turns else turn.at_ms
        stored = dataclasses.replace(turn, position=len(turns), at_ms=at_ms, sync=sync)
        turns.append(PendingTurn(turn=stored, revision=0))
        return stored

    def mark(self, session_id: str, turn_id: str, revision: int) -> bool:
        for number, kept in enumerate(self.turns[session_id]):
            is_it = (kept.turn.turn_id, kept.revision, kept.turn.sync) == (turn_id, revision, SyncState.PENDING)
            if is_it:
                synced = dataclasses.replace(kept.turn, sync=SyncState.SYNCED)
                self.turns[session_id][number] = dataclasses.replace(kept, turn=synced)
                return True
        return False


class StoresMachine(RuleBasedStateMachine):
    """Asks the model and both stores the same. Set `tables` before it runs."""

    tables: TableServer

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.now_s = NOW_S
        self.model = Model()
        self.known: list[str] = []
        self.said: list[Turn] = []
        self.stores: list[SessionStore] = [
            SqliteSessions(Path(self.folder.name) / "state.sqlite"),
            self.tables.opener(self.tables.make_table())(),
        ]

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            for store in self.stores:
                self.runner.run(store.close())
            self.runner.close()
            self.folder.cleanup()

    def ask(self, name: str, expected: Any, *given: Any, **named: Any) -> None:
        """Hold every store's answer against the model's."""
        for store in self.stores:
            try:
                answer = self.runner.run(getattr(store, name)(*given, **named))
            except TooMany as error:
                answer = error.scope.value
            except KnownError as error:
                answer = error.reason
            assert answer == expected, f"{type(store).__name__}.{name}"

    def pick(self, number: int) -> str:
        return self.known[number % len(self.known)] if self.known else make_record().session_id

    @rule(owner=owners, request=st.sampled_from(["", "r1", "r2"]), lives_s=st.integers(1, 40))
    def create(self, owner: str, request: str, lives_s: int) -> None:
        record = make_record(
            owner,
            request_id=request,
            created_ms=self.now_s * 1000,
            expires_at_s=self.now_s + lives_s,
            bedrock_session_id=f"b{len(self.known)}",
        )
        expected = self.model.create(record)
        self.ask("create", expected, record, limits=LIMITS)
        if expected is record:
            self.known.append(record.session_id)

    @rule(seconds=st.integers(1, 25))
    def wait(self, seconds: int) -> None:
        self.now_s += seconds

    @rule(pick=picks, off=generations, connection=st.sampled_from(["c1", "c2"]))
    def take_over(self, pick: int, off: int, connection: str) -> None:
        session_id, generation = self._of(pick, off)
        given = {"connection": connection, "gateway": "g", "expires_at_s": self.now_s + 30}
        fields = {**given, "generation": generation + 1, "last_activity_ms": self.now_s * 1000}
        expected = self.model.change(session_id, generation, self.now_s, **fields)
        if expected is None:
            there = self.model.change(session_id, generation + 1, self.now_s)
            expected = there if there is not None and there.connection == connection else None
        self.ask("take_over", expected, session_id, generation=generation, now_ms=self.now_s * 1000, **given)

    @rule(pick=picks, off=generations, lives_s=st.integers(1, 40), name=st.sampled_from(["touch", "release"]))
    def hold(self, pick: int, off: int, lives_s: int, name: str) -> None:
        session_id, generation = self._of(pick, off)
        times = {"now_ms": self.now_s * 1000, "expires_at_s": self.now_s + lives_s}
        fields = {"last_activity_ms": self.now_s * 1000} if name == "touch" else {"connection": ""}
        changed = self.model.change(session_id, generation, self.now_s, expires_at_s=self.now_s + lives_s, **fields)
        self.ask(name, changed is not None, session_id, generation=generation, **times)

    @rule(pick=picks, off=generations, revision=st.integers(0, 3), status=st.sampled_from(SessionStatus))
    def update(self, pick: int, off: int, revision: int, status: SessionStatus) -> None:
        session_id, generation = self._of(pick, off)
        if session_id not in {one.session_id for one in self.model.alive(self.now_s)}:
            return  # It may be there still or not.
        fields = {"revision": revision, "status": status}
        changed = self.model.change(session_id, generation, None, **fields)
        self.ask("update", changed is not None, session_id, generation=generation, **fields)

    @rule(pick=picks, owner=owners)
    def remove(self, pick: int, owner: str) -> None:
        session_id = self.pick(pick)
        if session_id not in {one.session_id for one in self.model.alive(self.now_s)}:
            return
        if owned := self.model.sessions[session_id].owner == owner:
            del self.model.sessions[session_id]
        self.ask("remove", owned, session_id, owner=owner)

    @rule()
    def sweep(self) -> None:
        self.model.sessions = {one.session_id: one for one in self.model.alive(self.now_s)}
        for store in self.stores:
            self.runner.run(store.sweep(now_s=self.now_s))

    @rule(
        pick=picks,
        unconfirmed=st.booleans(),
        delivered=st.booleans(),
        late_ms=st.integers(-3000, 3000),
        gateway=st.sampled_from([None, "", "g"]),
    )
    def say(self, pick: int, unconfirmed: bool, delivered: bool, late_ms: int, gateway: str | None) -> None:
        if self.known:
            session_id, at_ms = self.pick(pick), self.now_s * 1000 + late_ms
            if session_id not in {one.session_id for one in self.model.alive(self.now_s)}:
                gateway = None  # It may be there still or not.
            turn = make_turn(session_id, f"turn {len(self.said)}", unconfirmed=unconfirmed, at_ms=at_ms)
            expected = self.model.append(turn, delivered, gateway)
            if isinstance(expected, Turn):
                self.said.append(turn)
            self.ask("append_turn", expected, turn, gateway=gateway, delivered=delivered)

    @rule(pick=picks, text=st.sampled_from(["", " and more"]), unconfirmed=st.booleans(), delivered=st.booleans())
    def say_again(self, pick: int, text: str, unconfirmed: bool, delivered: bool) -> None:
        if self.said:
            turn = self.said[pick % len(self.said)]
            turn = dataclasses.replace(turn, text=turn.text + text, unconfirmed=unconfirmed)
            self.ask("append_turn", self.model.append(turn, delivered), turn, delivered=delivered)

    @rule(pick=picks, revision=st.integers(0, 2))
    def deliver(self, pick: int, revision: int) -> None:
        if self.said:
            turn = self.said[pick % len(self.said)]
            expected = self.model.mark(turn.conversation, turn.turn_id, revision)
            self.ask("mark_delivered", expected, turn.conversation, turn.turn_id, revision=revision)

    @rule(pick=picks)
    def redeliver(self, pick: int) -> None:
        if self.known:
            session_id = self.pick(pick)
            turns = self.model.turns[session_id]
            turns[:] = [
                dataclasses.replace(kept, turn=dataclasses.replace(kept.turn, sync=SyncState.PENDING)) for kept in turns
            ]
            self.ask("redeliver", len(turns), session_id)

    @rule(pick=picks, after=st.integers(-1, 3), limit=st.integers(1, 3))
    def read(self, pick: int, after: int, limit: int) -> None:
        session_id = self.pick(pick)
        kept = [one.turn for one in self.model.turns.get(session_id, ())]
        self.ask("turns", tuple(kept[after + 1 : after + 1 + limit]), session_id, after=after, limit=limit)
        before = kept[: max(0, after)]
        self.ask("newest_turns", tuple(before[-limit:]), session_id, before=after, limit=limit)
        self.ask("count_turns", len(kept), session_id)

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "runner"):
            return
        alive = self.model.alive(self.now_s)
        self.ask("count", len(alive), now_s=self.now_s)
        for session_id in self.known[-2:]:
            found = next((one for one in alive if one.session_id == session_id), None)
            self.ask("find", found, session_id, now_s=self.now_s)
            owed = [one for one in self.model.turns[session_id] if one.turn.sync is SyncState.PENDING]
            self.ask("undelivered", tuple(owed), session_id)
        owing = {key for key, turns in self.model.turns.items() if any(o.turn.sync is SyncState.PENDING for o in turns)}
        for store in self.stores:
            assert owing <= set(self.runner.run(store.waiting()))

    def _of(self, pick: int, off: int) -> tuple[str, int]:
        """Return a session and a generation that it has, or had before."""
        session_id = self.pick(pick)
        there = self.model.sessions.get(session_id)
        return session_id, max(1, (there.generation if there is not None else 1) + off)


@pytest.fixture(scope="module")
def tables() -> Iterator[TableServer]:
    server = TableServer()
    yield server
    server.stop()


def test_both_stores_do_what_the_model_does(tables: TableServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # An answer that a busy computer gives too late comes in time when it is asked for again: "inconsistent data".
    monkeypatch.setattr(state_file, "_DEADLINE_S", PATIENCE_S)
    machine = type("Machine", (StoresMachine,), {"tables": tables})
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
    few = settings(max_examples=4, stateful_step_count=15, deadline=None, phases=phases)
    run_state_machine_as_test(machine, settings=few)
