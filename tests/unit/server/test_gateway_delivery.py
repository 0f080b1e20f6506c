"""What is owed to Agent Runtime arrives there once and in order, whatever happens meanwhile. On virtual time."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from novadesk.diagnostics.metrics import Measure
from novadesk.errors import KnownError, Reason
from novadesk.models import Role, SyncState
from novadesk.server.gateway.delivery import TurnDelivery
from novadesk.server.gateway.remote_chain import APP, KEY_OWNER
from novadesk.server.gateway.remote_history import HistoryReader, RemoteHistory, adopt
from novadesk.server.gateway.remote_memory import AgentRuntimeMemory
from novadesk.server.gateway.tracing import Span, Step
from novadesk.server.gateway.watch import label_of
from novadesk.store.agentruntime import RemoteStatus
from novadesk.store.chain import RollOver
from novadesk.store.metadata import KEY_APP, handle_of
from novadesk.store.steps import decode_turn, encode_turn
from tests.support.gateway_memory import MemorySessions
from tests.support.gateway_state import PLENTY, make_record, make_turn
from tests.support.leaks import LogWatch
from tests.support.model_runtime import Fault, Mishap, ModelRemote, ModelRuntime
from tests.support.virtual_loop import LoopClock, run_virtually

OUTAGE = KnownError(Reason.SYNC_UNREACHABLE, "The service cannot be reached.", "Wait.")


class Noted:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.values: dict[Measure, list[float]] = {}

    def note(self, measure: Measure, value: float = 1.0) -> None:
        self.values.setdefault(measure, []).append(value)


class World:
    """A store, the service, and as many processes of a gateway as a test wants."""

    def __init__(self, *, max_steps: int = 1000) -> None:
        self.clock = LoopClock()
        self.store = MemorySessions()
        self.runtime = ModelRuntime(self.clock.unix_ms, max_steps=max_steps)
        self.remote: Any = ModelRemote(self.runtime, lambda: None)
        self.meter = Noted()
        self.tasks: list[TurnDelivery] = []

    def process(self, name: str = "g1", **given: Any) -> TurnDelivery:
        made = TurnDelivery(self.store, self.remote, self.clock, gateway=name, meter=self.meter, **given)
        self.tasks.append(made)
        return made

    def started(self, name: str = "g1", **given: Any) -> TurnDelivery:
        made = self.process(name, **given)
        made.start()
        return made

    async def session(self, owner: str = "ann") -> str:
        now_ms = self.clock.unix_ms()
        made = make_record(owner, created_ms=now_ms, expires_at_s=now_ms // 1000 + 9000)
        return (await self.store.create(made, limits=PLENTY)).session_id

    async def say(self, session_id: str, *texts: str, **given: Any) -> None:
        for text in texts:
            await self.store.append_turn(make_turn(session_id, text, at_ms=self.clock.unix_ms(), **given))
        for task in self.tasks:
            task.kick()

    async def settle(self, within_s: float = 200.0) -> None:
        async with asyncio.timeout(within_s):
            while await self.store.waiting():
                await asyncio.sleep(0.5)

    def there(self) -> list[str]:
        """Return the texts of all steps in order of their times, over all sessions."""
        steps = [step for session in self.runtime.sessions.values() for step in session.steps.values()]
        return [_text(step.text) for step in sorted(steps, key=lambda step: step.step_ms)]

    def sessions(self) -> list[Any]:
        return list(self.runtime.sessions.values())

    async def load(self, owner: str, session_id: str) -> RemoteHistory:
        return await HistoryReader(self.remote, self.clock, meter=self.meter).load(owner, session_id)


def _text(step: str) -> str:
    turn = decode_turn(step, conversation="", step_id="", step_ms=0, wire_session="")
    assert turn is not None
    return turn.text


@contextlib.asynccontextmanager
async def _world(**given: Any) -> AsyncIterator[World]:
    world = World(**given)
    try:
        yield world
    finally:
        for task in world.tasks:
            await task.stop()
        await world.store.close()


def virtually(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Make a test of a coroutine that is given a world."""

    def run() -> None:
        async def inside() -> None:
            async with _world() as world:
                await test(world)

        run_virtually(inside())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@virtually
async def test_what_is_said_is_there_in_order_under_its_own_ids(world: World) -> None:
    world.started()
    session_id = await world.session()
    await world.say(session_id, "one", "two", "three")
    await world.settle()
    assert world.there() == ["one", "two", "three"]
    (remote,) = world.sessions()
    turns = await world.store.turns(session_id)
    assert set(remote.steps) == {turn.turn_id for turn in turns}
    assert {turn.sync for turn in turns} == {SyncState.SYNCED}
    assert {step.invocation for step in remote.steps.values()} == {turns[0].wire_session}
    assert len(world.meter.values[Measure.TURN_DELIVERED]) == 3
    assert world.meter.values[Measure.OUTBOX_DEPTH][-1] == 0


@virtually
async def test_a_gateways_copies_are_no_conversations_of_anybodys_desktop(world: World) -> None:
    delivery = world.process()
    session_id = await world.session("ann@example.com")
    await delivery.begin(session_id)
    (remote,) = world.sessions()
    assert remote.metadata[KEY_APP] == APP
    assert handle_of(remote.metadata) is None
    assert "ann" not in str(remote.metadata)
    assert len(remote.metadata[KEY_OWNER]) == 64


@virtually
async def test_a_session_has_its_remote_session_before_the_first_turn_and_keeps_it(world: World) -> None:
    delivery = world.process()
    session_id = await world.session()
    told = await delivery.begin(session_id)
    assert await delivery.begin(session_id) == told
    await world.say(session_id, "one")
    assert await delivery.flush(session_id)
    assert [remote.session_id for remote in world.sessions()] == [told]


def test_an_outage_of_half_a_minute_loses_nothing_and_doubles_nothing(expected_logs: LogWatch) -> None:
    expected_logs.allow("turns are not delivered for now")

    async def story() -> None:
        async with _world() as world:
            world.started()
            session_id = await world.session()
            await world.say(session_id, "before")
            await world.settle()
            world.runtime.down = OUTAGE
            for number in range(10):
                await world.say(session_id, f"during {number}")
                await asyncio.sleep(3.0)
            assert len(await world.store.undelivered(session_id)) == 10
            world.runtime.heal()
            await world.settle(within_s=65.0)
            assert world.there() == ["before", *(f"during {number}" for number in range(10))]
            assert max(world.meter.values[Measure.TURN_DELIVERED]) >= 27_000

    run_virtually(story())


MISHAPS = [Fault.LOST_ANSWER, Fault.UNHEARD, Fault.LATE, Fault.TWICE, Fault.SLOW, Fault.REFUSED]


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("fault", MISHAPS, ids=lambda fault: fault.value)
def test_every_turn_is_there_once_whichever_call_goes_wrong(fault: Fault, place: int, expected_logs: LogWatch) -> None:
    expected_logs.allow("turns are not delivered for now")
    expected_logs.allow("a conversation is put off")

    async def story() -> None:
        async with _world() as world:
            session_id = await world.session()
            await world.say(session_id, "one", "two", "three")
            calls = _mishap_at(world, place, fault)
            world.started()
            await world.settle()
            await asyncio.sleep(60)  # what is late arrives
            world.runtime.heal()
            assert calls() > place
            found = [step for remote in world.sessions() for step in remote.steps]
            assert len(found) == len(set(found))
            assert sorted(set(world.there())) == ["one", "three", "two"]
            newest = await _told(world, session_id)
            assert [turn.text for turn in (await world.load("ann", newest)).turns] == ["one", "two", "three"]

    run_virtually(story())


def _mishap_at(world: World, place: int, fault: Fault) -> Callable[[], int]:
    """Have the call of this number go wrong; return what counts the calls."""
    count = 0
    ask = world.remote._ask

    async def counting(apply: Any) -> Any:
        nonlocal count
        if count == place:
            world.runtime.mishaps.append(Mishap(fault))
        count += 1
        return await ask(apply)

    world.remote._ask = counting
    return lambda: count


async def _told(world: World, session_id: str) -> str:
    chain = await world.store.lease_chain(session_id, holder="look", now_ms=world.clock.unix_ms(), until_ms=0)
    assert chain is not None
    return chain.bedrock_session_id


def test_a_process_that_dies_with_a_chain_in_its_hands_leaves_the_rest_to_another(expected_logs: LogWatch) -> None:
    async def story() -> None:
        async with _world() as world:
            session_id = await world.session()
            await world.say(session_id, "one", "two")
            dying = world.process("dying")
            free, world.store.free_chain = world.store.free_chain, _nothing  # type: ignore[method-assign]
            task = asyncio.create_task(dying.flush(session_id))
            while not world.there():
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            world.store.free_chain = free  # type: ignore[method-assign]
            began = world.clock.now()
            world.started("heir")
            await world.settle()
            assert world.clock.now() - began > 30.0  # the dead one's hold had to run out
            assert world.there() == ["one", "two"]

    run_virtually(story())


async def _nothing(session_id: str, *, holder: str) -> None:
    return None


@virtually
async def test_two_processes_deliver_side_by_side_and_nothing_twice(world: World) -> None:
    world.started("g1")
    world.started("g2")
    sessions = [await world.session(owner) for owner in ("ann", "bob", "eve")]
    for number in range(5):
        for session_id in sessions:
            await world.say(session_id, f"{session_id} {number}")
    await world.settle()
    assert len(world.sessions()) == 3
    for session_id in sessions:
        mine = [text for text in world.there() if text.startswith(session_id)]
        assert mine == [f"{session_id} {number}" for number in range(5)]


def test_a_full_session_is_followed_by_another_and_read_as_one(expected_logs: LogWatch) -> None:
    async def story() -> None:
        async with _world() as world:
            world.started(roll_over=RollOver(max_steps=3))
            session_id = await world.session()
            delivery = world.tasks[0]
            told = await delivery.begin(session_id)
            await world.say(session_id, *(f"turn {number}" for number in range(8)))
            await world.settle()
            assert [len(remote.steps) for remote in world.sessions()] == [3, 3, 2]
            everything = [f"turn {number}" for number in range(8)]
            for remote in world.sessions():
                history = await world.load("ann", remote.session_id)
                assert [turn.text for turn in history.turns] == everything
                assert (history.newest, history.number, history.steps) == (world.sessions()[-1].session_id, 2, 2)
            assert world.sessions()[0].session_id == told

    run_virtually(story())


def test_a_quota_that_is_smaller_than_ours_begins_a_successor() -> None:
    async def story() -> None:
        async with _world(max_steps=2) as world:
            world.started()
            session_id = await world.session()
            await world.say(session_id, "one", "two", "three")
            await world.settle()
            assert [len(remote.steps) for remote in world.sessions()] == [2, 1]
            assert world.there() == ["one", "two", "three"]

    run_virtually(story())


@virtually
async def test_a_session_that_expired_is_followed_by_another(world: World) -> None:
    world.started()
    session_id = await world.session()
    await world.say(session_id, "one")
    await world.settle()
    world.sessions()[0].status = RemoteStatus.EXPIRED
    await world.say(session_id, "two")
    await world.settle()
    assert [len(remote.steps) for remote in world.sessions()] == [1, 1]
    first = world.sessions()[0].session_id  # it could not be told its successor
    assert [turn.text for turn in (await world.load("ann", first)).turns] == ["one", "two"]


@virtually
async def test_what_went_with_a_session_that_is_gone_is_delivered_again(world: World) -> None:
    world.started()
    session_id = await world.session()
    await world.say(session_id, "one", "two")
    await world.settle()
    world.runtime.sessions.clear()
    await world.say(session_id, "three")
    await world.settle()
    assert world.there() == ["one", "two", "three"]


@virtually
async def test_a_turn_that_is_confirmed_after_its_delivery_is_read_as_confirmed(world: World) -> None:
    world.started()
    session_id = await world.session()
    heard = make_turn(session_id, "Good mor", unconfirmed=True, role=Role.ASSISTANT, at_ms=world.clock.unix_ms())
    await world.store.append_turn(heard)
    await world.settle()
    await world.store.append_turn(dataclasses.replace(heard, text="Good morning.", unconfirmed=False))
    await world.settle()
    (remote,) = world.sessions()
    assert len(remote.steps) == 2
    (turn,) = (await world.load("ann", remote.session_id)).turns
    assert (turn.text, turn.unconfirmed, turn.turn_id) == ("Good morning.", False, heard.turn_id)


def test_a_turn_that_is_refused_for_good_holds_nothing_up(expected_logs: LogWatch) -> None:
    expected_logs.allow("a turn is refused for good: service.bad_request")

    async def story() -> None:
        async with _world() as world:
            delivery = world.process()
            session_id = await world.session()
            await delivery.begin(session_id)
            await world.say(session_id, "bad", "good")
            put = world.remote.put_step

            async def picky(*given: Any) -> None:
                if _text(given[-1]) == "bad":
                    raise KnownError(Reason.BAD_REQUEST, "The service refuses it.", "")
                await put(*given)

            world.remote.put_step = picky
            assert await delivery.flush(session_id)
            assert world.there() == ["good"]
            states = [turn.sync for turn in await world.store.turns(session_id)]
            assert states == [SyncState.FAILED, SyncState.SYNCED]

    run_virtually(story())


def test_a_conversation_that_fails_by_itself_holds_no_other_up(expected_logs: LogWatch) -> None:
    expected_logs.allow("a conversation is put off: sync.conflict")

    async def story() -> None:
        async with _world() as world:
            sick, sound = await world.session(), await world.session("bob")
            await world.say(sick, "sick")
            await world.say(sound, "sound")
            put, healed = world.remote.put_step, False

            async def picky(*given: Any) -> None:
                if _text(given[-1]) == "sick" and not healed:
                    raise KnownError(Reason.SYNC_CONFLICT, "The service refuses it.", "")
                await put(*given)

            world.remote.put_step = picky
            world.started()
            await asyncio.sleep(20)
            assert world.there() == ["sound"]
            healed = True
            await world.settle()
            assert sorted(world.there()) == ["sick", "sound"]

    run_virtually(story())


# --- reading back ---


@virtually
async def test_nobody_reads_what_another_person_said(world: World) -> None:
    delivery = world.process()
    session_id = await world.session("ann")
    told = await delivery.begin(session_id)
    await world.say(session_id, "secret")
    await delivery.flush(session_id)
    foreign = world.runtime.create({"app": "novadesk", "novadesk.handle": session_id})
    for owner, remote in (("bob", told), ("ann", foreign.session_id), ("ann", "no such id")):
        with pytest.raises(KnownError) as refused:
            await world.load(owner, remote)
        assert refused.value.reason is Reason.UNKNOWN_CONVERSATION
    assert Measure.RESUME_TRIED not in world.meter.values


@virtually
async def test_a_conversation_whose_last_session_is_closed_is_not_found(world: World) -> None:
    delivery = world.process()
    told = await delivery.begin(await world.session())
    world.sessions()[0].status = RemoteStatus.EXPIRED
    with pytest.raises(KnownError) as refused:
        await world.load("ann", told)
    assert refused.value.reason is Reason.UNKNOWN_CONVERSATION
    assert Measure.RESUME_COMPLETE not in world.meter.values


@virtually
async def test_an_outage_while_reading_is_no_empty_history(world: World) -> None:
    delivery = world.process()
    told = await delivery.begin(await world.session())
    world.runtime.down = OUTAGE
    with pytest.raises(KnownError) as refused:
        await world.load("ann", told)
    assert refused.value.reason is Reason.SYNC_UNREACHABLE


@virtually
async def test_a_new_session_goes_on_where_the_remote_one_stopped(world: World) -> None:
    delivery = world.process()
    old = await world.session()
    told = await delivery.begin(old)
    await world.say(old, "one", "two")
    await delivery.flush(old)
    await world.store.remove(old, owner="ann")
    history = await world.load("ann", told)
    assert world.meter.values[Measure.RESUME_TRIED] == world.meter.values[Measure.RESUME_COMPLETE] == [1.0]
    assert world.meter.values[Measure.LOAD][0] > 0
    new = await world.session()
    for _ in range(2):  # again, it changes nothing
        await adopt(world.store, new, history, holder="g1", now_ms=world.clock.unix_ms())
    before = [dataclasses.replace(turn, conversation=old) for turn in await world.store.turns(new)]
    assert before == list(await world.store.turns(old))
    assert not await world.store.undelivered(new)
    assert await delivery.begin(new) == told
    await world.say(new, "three")
    await delivery.flush(new)
    assert len(world.sessions()) == 1
    assert world.there() == ["one", "two", "three"]
    assert [turn.text for turn in (await world.load("ann", told)).turns] == ["one", "two", "three"]


@virtually
async def test_a_memory_knows_its_owners_conversations_and_recalls_them(world: World) -> None:
    memory = AgentRuntimeMemory(world.store, world.remote, world.clock, gateway="g1", meter=world.meter)
    memory.start()
    old = await world.session()
    told = await memory.begin(old)
    await world.say(old, "one")
    memory.kick()
    await world.settle()
    for owner, unknown in (("bob", told), ("ann", "no such id")):
        with pytest.raises(KnownError) as error:
            await memory.recall(owner, unknown)
        assert error.value.reason is Reason.UNKNOWN_CONVERSATION
    new = await world.session()
    await memory.adopt(new, await memory.recall("ann", told))
    assert [turn.text for turn in await world.store.turns(new)] == ["one"]
    assert await memory.begin(new) == told
    await memory.stop()
    await memory.stop()


@virtually
async def test_steps_of_others_and_torn_ones_are_left_out(world: World) -> None:
    delivery = world.process()
    session_id = await world.session()
    told = await delivery.begin(session_id)
    await world.say(session_id, "ours")
    await delivery.flush(session_id)
    (turn,) = await world.store.turns(session_id)
    later = dataclasses.replace(turn, text="theirs", turn_id="", at_ms=turn.at_ms + 5)
    for number, text in enumerate(("{", '["no turn"]', '{"role":"user","text":"plain"}', encode_turn(later))):
        world.runtime.put_step(told, turn.wire_session, f"step-{number}", turn.at_ms + 1 + number, text)
    history = await world.load("ann", told)
    assert [one.text for one in history.turns] == ["ours", "plain", "theirs"]
    assert history.steps == 5


class Spans:
    """A tracer that keeps how its spans ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []

    def begin(self, step: Step, *, within: Span | None = None, label: str = "") -> "Spans":
        self.begun = f"{step.value} {label}"
        return self

    def note(self, moment: str) -> None:
        raise AssertionError(moment)

    def end(self, outcome: str, *, failed: bool = False) -> None:
        self.ended.append((self.begun, f"failed: {outcome}" if failed else outcome))


@virtually
async def test_what_is_delivered_in_one_go_is_a_span(world: World) -> None:
    spans = Spans()
    delivery = world.process(tracer=spans)
    session_id = await world.session()
    await delivery.begin(session_id)
    assert spans.ended == []
    await world.say(session_id, "one", "two")
    world.runtime.mishaps.append(Mishap(Fault.REFUSED))
    with pytest.raises(KnownError):
        await delivery.flush(session_id)
    await delivery.flush(session_id)
    begun = f"delivery {label_of(session_id)}"
    assert spans.ended == [(begun, f"failed: {Reason.UNAVAILABLE.value}"), (begun, "done")]
