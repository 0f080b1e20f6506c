"""The outbox in any order: a model of its rows says which are leased, and the remote side ends with the truth."""

import dataclasses
import sqlite3

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from novadesk.models import Turn
from novadesk.store import deletion, outbox
from novadesk.store.conversations import _append, _create
from novadesk.store.outbox import LONGEST_MS, Lease, OutboxKind
from tests.support.store_rig import START_MS, make_conversation, make_turn, open_memory

pytestmark = pytest.mark.thorough

LEASE_MS = 1_000
REFUSED = "service.bad_request"


@dataclasses.dataclass(slots=True)
class Entry:
    """What is to be known of a row: who has it and until when, when it is due, whether it was refused, its promise."""

    token: int | None = None
    until_ms: int = 0
    due_ms: int = 0
    attempts: int = 0
    parked: bool = False
    step_ms: int = 0

    def free(self) -> None:
        self.token, self.until_ms = None, 0

    def is_blocked(self, now_ms: int) -> bool:
        return any(now_ms < at_ms <= now_ms + LONGEST_MS for at_ms in (self.until_ms, self.due_ms))


class OutboxMachine(RuleBasedStateMachine):
    """A store, couriers that crash, repeat and come late, and a remote side that keeps each step id once."""

    handles = Bundle("handles")
    leases = Bundle("leases")
    unconfirmed = Bundle("unconfirmed")

    def __init__(self) -> None:
        super().__init__()
        self.db = open_memory()
        self.now_ms = START_MS
        self.remote: dict[str, tuple[str, str]] = {}
        self.truth: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.entries: dict[int, Entry] = {}
        self.given: list[Lease] = []
        self.void: set[int] = set()
        self.arrived_ms: dict[str, int] = {}

    def teardown(self) -> None:
        try:
            self.heal()
        finally:
            self.db.close()

    # --- what there is -------------------------------------------------------------------------------

    def rows(self, handle: str | None = None) -> list[sqlite3.Row]:
        query = "SELECT * FROM outbox WHERE coalesce(conversation = ?, 1) ORDER BY number"
        return self.db.execute(query, (handle,)).fetchall()

    def entry(self, number: int) -> Entry:
        return self.entries.setdefault(number, Entry())

    def holds(self, held: Lease) -> Entry | None:
        """Return the row of a lease that has not passed to somebody else."""
        there = self.db.execute("SELECT 1 FROM outbox WHERE number = ?", (held.number,)).fetchone() is not None
        entry = self.entry(held.number)
        return entry if there and entry.token == held.token else None

    def expected(self, count: int) -> list[int]:
        """Return the rows that nothing holds back, oldest first."""
        blocked: set[str] = set()
        free = []
        for row in self.rows():
            entry = self.entry(row["number"])
            if entry.parked or row["conversation"] in blocked:
                continue
            if entry.is_blocked(self.now_ms):
                blocked.add(row["conversation"])
            else:
                free.append(row["number"])
        return free[:count]

    def latest_ms(self, handle: str) -> int:
        promised = [self.entry(row["number"]).step_ms for row in self.rows(handle)]
        return max((*promised, self.arrived_ms.get(handle, 0)))

    # --- couriers ------------------------------------------------------------------------------------

    def post(self, held: Lease) -> Lease | None:
        """Carry a lease to the remote side as `Delivery` does; return what it may acknowledge."""
        if held.token in self.void:
            return None
        if held.turn is None or held.step_id is None:
            return held
        content = (held.turn.turn_id, held.turn.text)
        while self.remote.setdefault(held.step_id, content) != content:
            step_id, step_ms = outbox.new_step_id(), outbox.next_step_ms(self.db, held.conversation, self.now_ms)
            changed = outbox.change_step(self.db, held, step_id, step_ms)
            entry = self.holds(held)
            assert changed is (entry is not None), "only who has the row may deliver it under another id"
            if entry is None:
                return None
            entry.step_ms = step_ms
            held = dataclasses.replace(held, step_id=step_id, step_ms=step_ms)
        return held

    def acknowledge(self, held: Lease) -> None:
        row = self.db.execute("SELECT * FROM outbox WHERE number = ?", (held.number,)).fetchone()
        gone = outbox.acknowledge(self.db, held, step_ms=held.step_ms)
        if held.turn is not None:
            self.arrived_ms[held.conversation] = max(held.step_ms, self.arrived_ms.get(held.conversation, 0))
        assert gone is (row is not None and row["revision"] == held.revision)
        if gone:
            del self.entries[held.number]
        elif row is not None and row["step_id"] == held.step_id:
            entry = self.entry(held.number)
            if entry.token in (None, held.token):
                self.entries[held.number] = Entry(parked=entry.parked)
                (step_id,) = self.db.execute("SELECT step_id FROM outbox WHERE number = ?", (held.number,)).fetchone()
                assert step_id not in self.remote, "what was said since is another step"

    @initialize(target=handles)
    def begin(self) -> object:
        made = [make_conversation() for _ in range(3)]
        for one in made:
            _create(self.db, one)
            insert = "INSERT INTO remote_session (handle, generation, state, created_ms) VALUES (?, 0, 'bound', 0)"
            self.db.execute(insert, (one.handle,))
        return multiple(*(one.handle for one in made))

    @rule(target=unconfirmed, handle=handles, kinds=st.lists(st.booleans(), min_size=1, max_size=3))
    def append(self, handle: str, kinds: list[bool]) -> object:
        turns = []
        for unconfirmed in kinds if handle not in self.deleted else ():
            turn = make_turn(handle, f"text {len(self.truth)}", unconfirmed=unconfirmed)
            _append(self.db, turn)
            self.truth[turn.turn_id] = turn.text
            turns += [turn] if unconfirmed else []
        return multiple(*turns)

    @rule(turn=consumes(unconfirmed))
    def confirm(self, turn: Turn) -> None:
        if turn.conversation in self.deleted:
            return
        text = turn.text + ", in full"
        query = "SELECT o.number FROM outbox o JOIN turn t ON t.number = o.turn WHERE t.turn_id = ?"
        waits = self.db.execute(query, (turn.turn_id,)).fetchone()
        _append(self.db, dataclasses.replace(turn, text=text, unconfirmed=False))
        self.truth[turn.turn_id] = text
        if waits is not None and (entry := self.entry(waits["number"])).parked:
            entry.parked, entry.due_ms = False, 0

    @rule(handle=handles)
    def rename(self, handle: str) -> None:
        if handle in self.deleted:
            return
        waits = [
            row
            for row in self.rows(handle)
            if row["kind"] == "metadata" and not (entry := self.entry(row["number"])).parked and entry.token is None
        ]
        before = len(self.rows(handle))
        outbox.add(self.db, handle, OutboxKind.METADATA)
        assert len(self.rows(handle)) == before + (not waits)

    @rule(target=leases, count=st.integers(1, 5))
    def lease(self, count: int) -> object:
        return multiple(*self.take(count))

    def take(self, count: int) -> tuple[Lease, ...]:
        expected = self.expected(count)
        latest_ms = {handle: self.latest_ms(handle) for handle in {row["conversation"] for row in self.rows()}}
        leases = outbox.lease(self.db, count, self.now_ms, LEASE_MS)
        assert [held.number for held in leases] == expected
        for held in leases:
            entry = self.entry(held.number)
            assert held.attempts == entry.attempts
            entry.token, entry.until_ms = held.token, self.now_ms + LEASE_MS
            if held.turn is None:
                continue
            if entry.step_ms:
                assert held.step_ms == entry.step_ms, "a repetition says the same time"
            else:
                assert held.step_ms >= self.now_ms
                assert held.step_ms > latest_ms[held.conversation], "a later step has a later time"
                entry.step_ms = latest_ms[held.conversation] = held.step_ms
        self.given += leases
        return leases

    @rule(held=leases)
    def deliver(self, held: Lease) -> None:
        if (done := self.post(held)) is not None:
            self.acknowledge(done)

    @rule(held=leases)
    def deliver_and_lose_the_answer(self, held: Lease) -> None:
        self.post(held)
        self.put_off(held)

    def put_off(self, held: Lease) -> None:
        self.fail(held, 300)

    @rule(held=leases, delay_ms=st.integers(0, 2 * LEASE_MS))
    def fail(self, held: Lease, delay_ms: int) -> None:
        outbox.fail(self.db, held, self.now_ms + delay_ms)
        if (entry := self.holds(held)) is not None:
            entry.free()
            entry.due_ms, entry.attempts = self.now_ms + delay_ms, entry.attempts + 1

    @rule(held=leases)
    def refuse(self, held: Lease) -> None:
        row = self.db.execute("SELECT revision FROM outbox WHERE number = ?", (held.number,)).fetchone()
        outbox.park(self.db, held, REFUSED)
        if (entry := self.holds(held)) is not None:
            entry.free()
            entry.parked = row["revision"] == held.revision

    @rule(held=leases)
    def release(self, held: Lease) -> None:
        outbox.release(self.db, [held])
        if (entry := self.holds(held)) is not None:
            entry.free()

    @rule(
        target=leases,
        handle=handles,
        deed=st.sampled_from(["deliver", "fail", "refuse", "release"]),
        other=st.sampled_from(["nobody", "has it", "delivers it"]),
    )
    def say_more_meanwhile(self, handle: str, deed: str, other: str) -> object:
        """A turn is confirmed while a courier has it; its lease may run out, and another one be there first."""
        if handle in self.deleted:
            return multiple()
        turn = make_turn(handle, f"text {len(self.truth)}", unconfirmed=True)
        _append(self.db, turn)
        self.restart()
        self.retry()
        first, second = self.take(100), tuple[Lease, ...]()
        self.confirm(turn)
        if other != "nobody":
            self.restart()
            second = self.take(100)
            for held in second:
                if other == "delivers it" and held.turn is not None and held.turn.turn_id == turn.turn_id:
                    self.post(held)
        for held in first:
            if held.turn is not None and held.turn.turn_id == turn.turn_id:
                {"deliver": self.deliver, "refuse": self.refuse, "release": self.release}.get(deed, self.put_off)(held)
        return multiple(*first, *second)

    @rule(ms=st.integers(1, 3 * LEASE_MS))
    def wait(self, ms: int) -> None:
        self.now_ms += ms

    @rule(target=leases, ms=st.sampled_from([LEASE_MS, 2 * LONGEST_MS]))
    def set_the_clock_back(self, ms: int) -> object:
        self.now_ms -= ms
        return multiple(*self.take(100))

    @rule(handle=handles)
    def lose_the_session(self, handle: str) -> None:
        """The service loses a session: what it held is gone, and who was writing to it finds that out."""
        query = "SELECT turn_id FROM turn JOIN conversation c ON c.number = conversation WHERE handle = ?"
        turn_ids = {row["turn_id"] for row in self.db.execute(query, (handle,))}
        self.remote = {step: content for step, content in self.remote.items() if content[0] not in turn_ids}
        before = {row["number"] for row in self.rows(handle)}
        if outbox.deliver_again(self.db, handle, 0):
            query = (
                "SELECT o.number, t.position FROM outbox o JOIN turn t ON t.number = o.turn"
                " WHERE o.conversation = ? AND o.parked IS NULL ORDER BY o.number"
            )
            again = self.db.execute(query, (handle,)).fetchall()
            assert [row["position"] for row in again] == sorted(row["position"] for row in again)
            assert not before & {row["number"] for row in again}, "who has an old row can do nothing any more"
            for row in self.rows(handle):
                if row["number"] not in before:
                    self.entries[row["number"]] = Entry(attempts=row["attempts"])
        self.void |= {held.token for held in self.given if held.conversation == handle}
        for held in self.given:
            if held.conversation == handle:
                self.release(held)

    @rule()
    def restart(self) -> None:
        outbox.recover(self.db)
        for entry in self.entries.values():
            entry.free()

    @rule()
    def retry(self) -> None:
        outbox.retry_all(self.db)
        for entry in self.entries.values():
            entry.step_ms = 0 if entry.parked else entry.step_ms
            entry.due_ms, entry.parked = 0, False

    @precondition(lambda self: not self.deleted)
    @rule(handle=handles)
    def delete(self, handle: str) -> None:
        query = "SELECT turn_id FROM turn JOIN conversation c ON c.number = conversation WHERE handle = ?"
        for row in self.db.execute(query, (handle,)).fetchall():
            del self.truth[row["turn_id"]]
        deletion.delete(self.db, handle, self.now_ms)
        self.deleted.add(handle)
        assert [row["kind"] for row in self.rows(handle)] == ["delete"]

    def heal(self) -> None:
        """Let everything through: afterwards the remote side holds the truth, each content of a turn once."""
        self.restart()
        self.retry()
        while leases := self.take(3):
            for held in leases:
                self.deliver(held)
        assert outbox.next_due_ms(self.db) is None
        assert outbox.pending_turns(self.db) == 0
        delivered = list(self.remote.values())
        assert len(delivered) == len(set(delivered))
        assert set(self.truth.items()) <= set(delivered)

    @invariant()
    def every_turn_is_delivered_or_waits(self) -> None:
        stored = {row["turn_id"]: row for row in self.db.execute("SELECT * FROM turn")}
        assert {turn_id: row["text"] for turn_id, row in stored.items()} == self.truth
        waiting = {row["turn"]: row for row in self.rows() if row["turn"] is not None}
        delivered = set(self.remote.values())
        for turn_id, row in stored.items():
            assert (row["number"] in waiting) == (row["sync"] != "synced")
            if row["sync"] == "synced":
                assert (turn_id, row["text"]) in delivered
            else:
                parked = self.entry(waiting[row["number"]]["number"]).parked
                assert row["sync"] == ("failed" if parked else "pending")

    @invariant()
    def the_next_is_due_when_the_first_row_of_a_conversation_is_free(self) -> None:
        free: dict[str, int] = {}
        for row in self.rows():
            if not (entry := self.entry(row["number"])).parked:
                times = (at_ms if at_ms <= self.now_ms + LONGEST_MS else 0 for at_ms in (entry.due_ms, entry.until_ms))
                free.setdefault(row["conversation"], max(times))
        due_ms = outbox.next_due_ms(self.db, now_ms=self.now_ms)
        assert due_ms == min(free.values(), default=None)
        assert (due_ms is not None and due_ms <= self.now_ms) == bool(self.expected(1)), "one would look in vain"


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
