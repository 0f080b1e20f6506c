"""Never a storm, never a late event, nothing left behind: long outages, dead generations, a hundred cycles."""

import ast
import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import novadesk.transport
from novadesk.conversation.api import Phase
from novadesk.conversation.lifecycle_values import LinkReady
from novadesk.conversation.supervisor import VERDICTS, Policy
from novadesk.errors import KnownError, Reason
from novadesk.protocol.session_events import Interrupted, TurnEnded, UserTextReceived
from novadesk.server.faults import Fault
from tests.support.fault_matrix import check_books
from tests.support.fault_outcomes import VOICE, Outcome, Place
from tests.support.fault_service import FaultyLink, question_of
from tests.support.fault_world import RESTING, World, run_in_world
from tests.support.leaks import LogWatch
from tests.support.virtual_loop import VirtualLoop

pytestmark = pytest.mark.thorough

HOUR_S = 3_600.0
DOWN = Outcome(place=Place.AT_OPENING, reason=Reason.UNAVAILABLE, what="The service is unavailable.", advice="Wait.")


@pytest.fixture(autouse=True)
def _allow_what_troubles_log(expected_logs: LogWatch) -> None:
    expected_logs.allow("sync is put off")


async def lose_the_service(world: World) -> None:
    world.connect()
    await world.must(world.well, "the first link")
    await world.exchange(1)
    world.service.out_of_reach = DOWN
    for link in world.service.live:
        link.break_off(VOICE[Fault.RESET_TCP])


def gaps(times: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(times)]


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_an_hour_without_the_service_is_as_many_attempts_as_the_backoff_says(chance: float) -> None:
    policy, spent, attempts = Policy(), 0.0, 0
    while spent < HOUR_S:
        attempts += 1
        spent += policy.wait_s(attempts, chance) + 0.1

    async def work(world: World) -> None:
        await lose_the_service(world)
        world.service.attempts.clear()
        await asyncio.sleep(HOUR_S)
        tries = world.service.attempts
        assert attempts - 2 <= len(tries) <= attempts + 1
        assert len(tries) <= 250, "never a storm"
        waits = [policy.wait_s(number, chance) for number in range(2, len(tries) + 1)]
        assert all(gap >= wait - 1e-6 for gap, wait in zip(gaps(tries), waits, strict=True))
        assert world.now.phase is Phase.RECONNECTING
        assert world.now.error is not None
        world.service.out_of_reach = None
        world.controller.try_now()
        await world.must(world.well, "back at once", 2.0)
        await world.exchange(2)
        await check_books(world)

    run_in_world(work, chance=chance, idle_s=0.0)


def test_a_service_that_is_gone_for_an_hour_is_left_alone_once_nobody_talks() -> None:
    async def work(world: World) -> None:
        await lose_the_service(world)
        await asyncio.sleep(HOUR_S)
        assert world.now.phase is Phase.IDLE, "nobody waits: no attempt, no microphone, all night"
        assert world.sound.listener is None
        assert len(world.service.attempts) <= 25
        quiet_since = world.service.attempts[-1]
        assert world.time - quiet_since > HOUR_S / 2

    run_in_world(work)


@pytest.mark.parametrize("wish", ["on_network_up", "on_resumed", "try_now"])
def test_what_promises_a_better_chance_begins_the_backoff_anew(wish: str) -> None:
    async def work(world: World) -> None:
        await lose_the_service(world)
        await asyncio.sleep(HOUR_S / 4)
        assert world.now.attempt > 10
        tries = len(world.service.attempts)
        getattr(world.controller, wish)()
        await asyncio.sleep(0.01)
        assert len(world.service.attempts) == tries + 1, "at once"
        await asyncio.sleep(0.2)
        assert world.now.retry_in_s is not None
        assert world.now.retry_in_s <= Policy().backoff_first_s

    run_in_world(work, idle_s=0.0)


def hang(world: World) -> None:
    """Let every attempt from now on come to nothing, without a word."""

    async def link() -> FaultyLink:
        world.service.attempts.append(world.time)
        return await asyncio.get_running_loop().create_future()

    world.service.link = link  # type: ignore[method-assign]  # a look-up of keys that never ends


async def attempts_that_are_refused(world: World) -> None:
    await lose_the_service(world)


async def attempts_that_hang(world: World) -> None:
    await lose_the_service(world)
    hang(world)


async def successors_that_hang(world: World) -> None:
    world.connect()
    await world.must(world.well, "the first link")
    hang(world)


@pytest.mark.parametrize("begin", [attempts_that_are_refused, attempts_that_hang, successors_that_hang])
def test_chance_spreads_the_waits(begin: Callable[[World], Awaitable[None]]) -> None:
    async def work(world: World) -> None:
        await begin(world)
        await asyncio.sleep(HOUR_S / 8)

    runs = [gaps(run_in_world(work, chance=None, idle_s=0.0).service.attempts) for _ in range(2)]
    assert all(len(waits) >= 4 for waits in runs)
    assert max(abs(first - second) for first, second in zip(*runs, strict=False)) > 1e-4


def test_a_network_that_flaps_brings_no_storm() -> None:
    async def work(world: World) -> None:
        await lose_the_service(world)
        tries = len(world.service.attempts)
        for _ in range(30):
            world.controller.on_network_up()
            await asyncio.sleep(1.0)
        assert len(world.service.attempts) - tries <= 3 * 30
        world.service.out_of_reach = None
        world.controller.on_network_up()
        await world.must(world.well, "back at once", 2.0)
        await world.exchange(2)
        await check_books(world)

    run_in_world(work, idle_s=0.0)


def test_a_person_who_keeps_pressing_try_now_never_has_two_attempts_in_flight() -> None:
    async def work(world: World) -> None:
        await lose_the_service(world)
        await world.must(lambda: world.now.phase is Phase.RECONNECTING, "an outage")
        tries = len(world.service.attempts)
        for _ in range(1_000):  # the service counts attempts in flight, see `count_attempts`
            world.controller.try_now()
            await asyncio.sleep(0.01)
        assert len(world.service.attempts) - tries <= 10.0 / 0.1 + 1, "the next one begins when the last one has failed"

    run_in_world(work)


def reasons_raised_in(folder: Path) -> set[Reason]:
    """Return every `Reason.X` that the modules of a package name."""
    found = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason":
                found.add(Reason[node.attr])
    return found


def test_every_reason_that_a_link_can_raise_has_a_verdict() -> None:
    raised = reasons_raised_in(Path(novadesk.transport.__file__).parent)
    assert len(raised) > 15
    assert raised - set(VERDICTS) == set()


def test_no_fault_of_the_server_raises_a_reason_without_a_verdict() -> None:
    assert {outcome.reason for outcome in VOICE.values() if outcome.reason is not None} <= set(VERDICTS)


# --- late events -----------------------------------------------------------------------------


def shake(world: World) -> None:
    """Let every dead generation say everything it could still say."""
    driver = world.controller._driver
    known = {driver.state.generation} | ({driver.state.successor.generation} if driver.state.successor else set())
    before = (driver.state, world.now.turns, world.now.live, len(world.service.attempts))
    for generation in range(driver.state.newest + 3):
        if generation in known:
            continue
        driver.dispatch(LinkReady(generation=generation, opened_at=0.0))
        for event in (UserTextReceived(text="late", content_id="late"), TurnEnded(), Interrupted()):
            driver._on_event(generation, event)
        driver._on_link_ended(generation, KnownError(Reason.ACCESS_DENIED, "Late.", "Late."), 0.0)
        driver._on_link_ended(generation, None, 0.0)
    assert (driver.state, world.now.turns, world.now.live, len(world.service.attempts)) == before


def say_late(world: World) -> None:
    for link in world.service.links:
        if link.broken or link.closed:
            link.say_late(question_of(7_000))


CHANGED_S = 5.0
"""Who asks for a new conversation, types, and asks again gets two, the second once the first is there."""

OPS = ("ask", "type", "break", "limit", "half open", "end", "new", "sleep", "network", "try", "stop", "wait", "press")


async def do(world: World, op: str, number: int) -> None:
    match op:
        case "ask":
            await world.say(number)
        case "type":
            world.controller.say(f"Typed {number}.")
        case "break":
            for link in world.service.live:
                link.break_off(VOICE[Fault.RESET_TCP])
        case "limit" if (carrier := world.service.carrier) is not None:
            carrier.befall(VOICE[Fault.STREAM_TIMED_OUT], Fault.STREAM_TIMED_OUT)
        case "half open" if (carrier := world.service.carrier) is not None:
            carrier.befall(VOICE[Fault.HALF_OPEN], Fault.HALF_OPEN)
        case "end":
            await world.controller.end()
        case "new":
            world.controller.new_conversation()
        case "sleep":
            world.controller.on_resumed()
        case "network":
            world.controller.on_network_up()
        case "try":
            world.controller.try_now()
        case "stop":
            world.controller.stop_speaking()
        case "press":
            world.controller.press_talk()
            world.controller.release_talk()
        case _:
            await asyncio.sleep(3.0)


@example(ops=[("ask", 0.0), ("new", 0.0), ("type", 0.0), ("new", 0.0), ("try", 0.0)])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ops=st.lists(st.tuples(st.sampled_from(OPS), st.sampled_from([0.0, 0.05, 0.25, 1.0, 2.5])), max_size=8))
def test_late_events_of_dead_generations_change_nothing(ops: list[tuple[str, float]]) -> None:
    async def work(world: World) -> None:
        world.connect()
        for number, (op, pause_s) in enumerate(ops, start=1):
            await do(world, op, number)
            shake(world)
            say_late(world)
            await asyncio.sleep(pause_s)
            shake(world)
        await asyncio.sleep(CHANGED_S)
        await world.until(world.well, 60.0)
        if world.now.phase in RESTING:
            world.connect()
        await world.must(world.well, "live in the end")
        await world.must(lambda: world.now.phase is Phase.READY and not world.now.live, "quiet")
        await world.exchange(99)
        await check_books(world, crossing=True)
        assert "late" not in " ".join(turn.text for turn in world.local())
        assert question_of(7_000) not in " ".join(turn.text for turn in world.local())

    run_in_world(work)


# --- a hundred cycles ------------------------------------------------------------------------


def census(world: World) -> tuple[int, int, int]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    timers = [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
    return len(asyncio.all_tasks()), len(timers), sum(not link.closed for link in world.service.links)


@pytest.mark.parametrize("pause_s", [0.0, 0.05, 0.35])
def test_a_hundred_fast_starts_and_ends_leave_nothing_behind(pause_s: float) -> None:
    async def work(world: World) -> None:
        world.connect()
        await world.must(world.well, "the first link")
        await world.exchange(1)
        await world.controller.end()
        await asyncio.sleep(5.0)
        before = census(world)
        for _ in range(100):
            world.connect()
            await asyncio.sleep(pause_s)
            await world.controller.end()
        await asyncio.sleep(5.0)
        assert census(world) == before
        assert world.sound.listener is None
        world.connect()
        await world.must(world.well, "one more")
        await world.exchange(2)
        await check_books(world)

    run_in_world(work)


@pytest.mark.parametrize("pause_s", [0.0, 0.05, 0.35, 3.0])
def test_a_hundred_new_conversations_leave_nothing_behind(pause_s: float) -> None:
    async def work(world: World) -> None:
        world.connect()
        await world.must(world.well, "the first link")
        await world.exchange(1)
        await asyncio.sleep(5.0)
        before = census(world)
        for number in range(100):
            world.controller.new_conversation()
            if number % 10 == 0:
                await world.say(100 + number, frames=2)
            await asyncio.sleep(pause_s)
        await world.must(world.well, "the last one")
        await world.must(lambda: world.now.phase is Phase.READY and not world.now.live, "quiet")
        await asyncio.sleep(5.0)
        assert census(world) == before
        await world.exchange(2)
        await check_books(world)
        rows = world.disk.handles()
        assert len(rows) <= 12, "a conversation without a turn is not kept"

    run_in_world(work)
