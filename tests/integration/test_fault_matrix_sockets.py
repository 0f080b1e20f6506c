"""One run of each fault over real sockets: SQLite on disk, sync with boto3, the local server and its Agent Runtime.

After each: what the service heard and said, what is on disk and what is in the session store are the same, in order,
once; and there was never more than one attempt to connect at a time.
"""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from novadesk.conversation.api import RENEWED, Phase
from novadesk.errors import KnownError, Reason
from novadesk.protocol.limits import Limits
from novadesk.server.faults import Fault
from tests.support.fault_matrix import TROUBLES
from tests.support.fault_outcomes import PATIENT, SHORT, STORE, VOICE, Place
from tests.support.fault_sockets import Talk, read_remote, talking
from tests.support.fault_table import VIRTUAL_ONLY
from tests.support.leaks import LogWatch, take_census

from novadesk.conversation.supervisor import VERDICTS, Verdict  # isort: skip


def of(place: Place, *verdicts: Verdict) -> list[Fault]:
    """Return the faults that meet us at a place and mean one of these."""
    return [
        fault
        for fault, outcome in VOICE.items()
        if outcome.place is place and outcome.reason is not None and VERDICTS[outcome.reason] in verdicts
    ]


PASSING_AT_OPENING = of(Place.BEFORE, Verdict.RETRY, Verdict.RENEW)
LASTING_AT_OPENING = of(Place.BEFORE, Verdict.FAIL)
PASSING_IN_STREAM = of(Place.IN_STREAM, Verdict.RETRY, Verdict.RENEW)
LASTING_IN_STREAM = of(Place.IN_STREAM, Verdict.FAIL)
HARMLESS = [fault for fault, outcome in VOICE.items() if outcome.place is Place.NOWHERE]
HERE, NOWHERE = "127.0.0.1", "nowhere.localhost"


@pytest.fixture(autouse=True)
def _allow_what_faults_log(expected_logs: LogWatch) -> None:
    expected_logs.allow("put off|refused for good|keyring")


async def begin(talk: Talk) -> None:
    """Come to a conversation with one exchange in it, and a second question that the service has just understood."""
    await talk.ready()
    await talk.ask("one")
    await talk.ask_in_vain("two")


async def finish(talk: Talk) -> None:
    """See the second question answered, once, ask a third one, and compare the books."""
    await talk.answered("two")
    await talk.ask("three")
    assert [text for _, text in await talk.local()] == [
        "one",
        "To one: I know of 0 messages.",
        "two",
        "To two: I know of 2 messages.",
        "three",
        "To three: I know of 4 messages.",
    ]
    await talk.check_books()


async def fail_honestly(talk: Talk, reason: Reason) -> None:
    """See the failure told with its reason and advice."""
    failed = await talk.until(lambda now: now.phase is Phase.FAILED)
    assert failed.error is not None
    assert failed.error.reason == reason.value
    assert failed.error.what
    assert failed.error.advice


@pytest.mark.parametrize("fault", PASSING_IN_STREAM, ids=lambda fault: fault.name)
async def test_a_fault_in_mid_stream_is_survived(fault: Fault, tmp_path: Path) -> None:
    async with talking(tmp_path, timing=SHORT.get(fault, PATIENT)) as talk:
        await begin(talk)
        talk.rig.server.faults.strike(fault)
        await finish(talk)
        if fault is not Fault.SLOW_READER:  # it still answers
            assert talk.partner.asked.count("two") == 2, "the question went down with the link and was asked again"


@pytest.mark.parametrize("fault", LASTING_IN_STREAM, ids=lambda fault: fault.name)
async def test_a_fault_in_mid_stream_that_only_the_person_can_mend_is_said(fault: Fault, tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await begin(talk)
        talk.rig.server.faults.strike(fault)
        reason = VOICE[fault].reason
        assert reason is not None
        await fail_honestly(talk, reason)
        talk.controller.try_now()
        await finish(talk)


@pytest.mark.parametrize("fault", PASSING_AT_OPENING, ids=lambda fault: fault.name)
async def test_a_passing_fault_at_the_opening_is_tried_again(fault: Fault, tmp_path: Path) -> None:
    async with talking(tmp_path, timing=SHORT.get(fault, PATIENT)) as talk:
        await begin(talk)
        talk.rig.server.faults.add(fault, after_inputs=0)
        talk.rig.server.faults.strike(Fault.RESET_TCP)
        await finish(talk)
        assert talk.wirings.attempts == 3


@pytest.mark.parametrize("fault", LASTING_AT_OPENING, ids=lambda fault: fault.name)
async def test_what_only_the_person_can_mend_is_said_and_tried_again_on_request(fault: Fault, tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await begin(talk)
        talk.rig.server.faults.add(fault, after_inputs=0)
        talk.rig.server.faults.strike(Fault.RESET_TCP)
        reason = VOICE[fault].reason
        assert reason is not None
        await fail_honestly(talk, reason)
        talk.controller.try_now()
        await finish(talk)


@pytest.mark.parametrize("fault", HARMLESS, ids=lambda fault: fault.name)
async def test_an_oddity_of_the_service_disturbs_nobody(fault: Fault, tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await begin(talk)
        talk.rig.server.faults.strike(fault)
        await finish(talk)
        assert talk.wirings.attempts == 1


@pytest.mark.parametrize("fault", STORE, ids=lambda fault: fault.name)
async def test_a_fault_of_the_session_store_never_touches_the_conversation(fault: Fault, tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await talk.ready()
        await talk.ask("one")
        await talk.settled()
        talk.rig.server.faults.add(
            fault, times=3 if STORE[fault].reason is not Reason.SYNC_CONFLICT else 1, delay_s=0.3
        )
        await talk.ask("two")
        await finish(talk)
        assert talk.wirings.attempts == 1
        await talk.until(
            lambda _: talk.sync.note == ""
        )  # told when the last delivery has come back, not when it is done


@pytest.mark.parametrize("name", [HERE, NOWHERE])
async def test_no_network_and_no_name_service(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def find(host: str, *arguments: Any, **options: Any) -> Any:
        if host == NOWHERE:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", find)
    async with talking(tmp_path) as talk:
        await begin(talk)
        talk.wirings.broken_address = {"bedrock": f"http://{name}:9"}
        talk.rig.server.faults.strike(Fault.RESET_TCP)
        waiting = await talk.until(lambda now: now.attempt >= 2)
        assert waiting.error is not None
        assert waiting.error.reason == Reason.UNREACHABLE.value
        talk.wirings.broken_address = {}
        talk.controller.on_network_up()
        await finish(talk)


async def test_a_service_that_is_down_is_tried_until_it_is_back(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await begin(talk)
        talk.rig.server.faults.add(Fault.HTTP_UNAVAILABLE, times=2, after_inputs=0)
        talk.rig.server.faults.strike(Fault.RESET_TCP)
        waiting = await talk.until(lambda now: now.attempt >= 2)
        assert waiting.error is not None
        assert waiting.error.reason == Reason.UNAVAILABLE.value
        await finish(talk)  # nobody says that it is back
        assert talk.wirings.attempts == 4


async def test_a_successor_that_is_lost_is_replaced_beside_the_live_wire_session(tmp_path: Path) -> None:
    async with talking(tmp_path, life_s=2.0) as talk:
        await talk.ready()
        talk.rig.server.faults.add(Fault.RESET_TCP_EARLY, after_inputs=0)
        await talk.ask("one")
        await talk.ask("two")
        renewed = await talk.until(lambda now: now.renewals == 1)
        assert talk.wirings.attempts == 3, "the live one, the one that was lost, the one that took over"
        assert talk.rig.server.faults.pending == 0
        assert (renewed.phase, renewed.reconnects, renewed.notices) == (Phase.READY, 0, (RENEWED,))
        await finish(talk)


async def test_keys_that_expire_on_the_way_are_said(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await begin(talk)
        talk.wirings.failure = VOICE[Fault.HTTP_EXPIRED_TOKEN].error()
        talk.rig.server.faults.strike(Fault.RESET_TCP)
        await fail_honestly(talk, Reason.CREDENTIALS_EXPIRED)
        talk.wirings.failure = None
        talk.controller.try_now()
        await finish(talk)


@pytest.mark.parametrize("ahead_s", [3_600.0, -3_600.0])
async def test_a_clock_that_jumps_is_said_and_harms_nothing(ahead_s: float, tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await begin(talk)
        talk.clock.ahead_s = ahead_s
        talk.rig.server.faults.strike(Fault.RESET_TCP)
        await fail_honestly(talk, Reason.BAD_SIGNATURE)
        assert await talk.archive.pending() <= 3
        talk.clock.ahead_s = 0.0
        talk.controller.try_now()
        await finish(talk)


@pytest.mark.parametrize("counted_s", [0.0, 3_600.0], ids=["timers sleep too", "timers count the hour"])
async def test_the_computer_sleeps(counted_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(tmp_path, timing=SHORT[Fault.HALF_OPEN]) as talk:
        await begin(talk)
        talk.rig.server.faults.strike(Fault.HALF_OPEN)
        uninterrupted = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: uninterrupted() + counted_s)
        talk.controller.on_resumed()
        if counted_s:  # nobody has said anything for an hour
            await talk.until(lambda now: now.phase is Phase.IDLE)
            talk.controller.connect()
        await finish(talk)


async def test_the_keyring_is_locked(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        talk.keychain.failure = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it.")
        await begin(talk)
        await talk.answered("two")
        await talk.settled()
        assert "locked" in talk.sync.note
        talk.keychain.failure = None
        await finish(talk)


async def test_the_disk_is_full(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await talk.ready()
        await talk.ask("one")
        await talk.settled()
        await talk.database.run(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())
        talk.controller.say("two " * 4_000)
        full = await talk.until(lambda now: now.error is not None)
        assert full.error is not None
        assert full.error.reason == Reason.DISK_FULL.value
        await talk.database.run(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchone())
        await talk.until(lambda now: now.error is None and len(now.turns) == 4)
        await talk.check_books()


async def test_sessions_that_reach_their_limit_follow_one_another(tmp_path: Path) -> None:
    async with talking(tmp_path, limits=Limits(connection_s=1.5)) as talk:
        await talk.ready()
        for number in range(4):
            await talk.ask(f"question {number}")
            attempts = talk.wirings.attempts
            await talk.until(lambda _, before=attempts: talk.wirings.attempts > before)
            await talk.ready()
        await talk.check_books()


WORLD = {
    "NO_NETWORK": test_no_network_and_no_name_service,
    "NO_NAMES": test_no_network_and_no_name_service,
    "SERVICE_DOWN": test_a_service_that_is_down_is_tried_until_it_is_back,
    "KEYS_EXPIRED": test_keys_that_expire_on_the_way_are_said,
    "CLOCK_FORWARD": test_a_clock_that_jumps_is_said_and_harms_nothing,
    "CLOCK_BACK": test_a_clock_that_jumps_is_said_and_harms_nothing,
    "SLEEP": test_the_computer_sleeps,
    "SLEEP_CLOCK_RUNS": test_the_computer_sleeps,
    "KEYRING_LOCKED": test_the_keyring_is_locked,
    "DISK_FULL": test_the_disk_is_full,
    "SUCCESSOR_LOST": test_a_successor_that_is_lost_is_replaced_beside_the_live_wire_session,
}


def test_every_fault_of_the_table_has_its_run_or_says_why_not() -> None:
    voice = {*PASSING_IN_STREAM, *LASTING_IN_STREAM, *PASSING_AT_OPENING, *LASTING_AT_OPENING, *HARMLESS}
    run = [fault.name for fault in (*voice, *STORE)] + [*WORLD, *VIRTUAL_ONLY]
    assert sorted(run) == sorted(trouble.name for trouble in TROUBLES)


@pytest.mark.parametrize("way", ["start and end", "new conversation"])
async def test_a_hundred_cycles_leave_nothing_behind(way: str, tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        await talk.ready()
        await talk.ask("one")
        await talk.settled()
        tasks, census = len(asyncio.all_tasks()), take_census()
        for number in range(100):
            if way == "new conversation":
                await talk.controller.begin_anew()
            else:
                await talk.controller.end()
                talk.controller.connect()
            await asyncio.sleep(0.02 * (number % 4))  # before, while and after the link comes about
        await talk.ready()
        await talk.until(lambda _: len(asyncio.all_tasks()) <= tasks)
        await talk.until(lambda _: talk.rig.server.open_sessions == 1)
        assert len(take_census().grown_since(census)) <= 2, "the one connection, on both its sides"
        await talk.ask("two")
        assert talk.wirings.most_opening <= 2, "one that is being torn down beside the new one"
        await talk.settled()
        assert await asyncio.to_thread(read_remote, talk.rig) == talk.partner.said
