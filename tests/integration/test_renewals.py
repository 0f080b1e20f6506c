"""Renewals, one every three seconds: nothing that was said is lost, said twice, or forgotten; nothing is heard broken.

Four conversations run side by side for three minutes, and some that meet an outage, each a real core in a process of
its own on a server of its own. They mostly wait.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

from novadesk.server.faults import Fault
from tests.support import renewal_verdicts as verdicts
from tests.support.renewal_person import Manner
from tests.support.renewal_rig import Plan, Run, run_all

pytestmark = [pytest.mark.timeout(400), pytest.mark.skipif(os.name != "posix", reason="a shell script gives the keys")]

DURATION_S = 190.0
LIMIT_S = 3.3
PAUSED_LIMIT_S = 6.0  # hands-free, an exchange takes the pause of 1.5 s as well
EXPIRY_S = 10.0
KEYS_LIMIT_S = 48.0  # long enough not to end a wire session, short enough to scale the haste of a renewal
RENEWALS = 60
SHORT_S = (0.0, 0.3, 0.5, 0.7)  # the second try succeeds

PLANS = {
    "hands-free": Plan(
        name="hands-free", manner=Manner.HANDS_FREE, duration_s=DURATION_S, limit_s=PAUSED_LIMIT_S, seed=20261121
    ),
    "hold": Plan(name="hold", manner=Manner.HOLD, duration_s=DURATION_S, limit_s=LIMIT_S, seed=20261122),
    "silent": Plan(name="silent", manner=Manner.SILENT, duration_s=DURATION_S, limit_s=LIMIT_S),
    "keys": Plan(
        name="keys",
        manner=Manner.HANDS_FREE,
        duration_s=DURATION_S,
        limit_s=KEYS_LIMIT_S,
        expiry_s=EXPIRY_S,
        seed=20261123,
    ),
}
LEAST = {"hands-free": RENEWALS // 2, "hold": RENEWALS, "silent": RENEWALS, "keys": round(DURATION_S / EXPIRY_S)}


async def outage(ran: Run, refused_s: float) -> None:
    """Cut the link once the person speaks; then refuse every new one for a while."""
    while not verdicts.is_speaking(ran):
        await asyncio.sleep(0.01)
    faults = ran.server.faults
    began = asyncio.get_running_loop().time()
    if refused_s:
        faults.add(Fault.HTTP_UNAVAILABLE, times=100)
    faults.strike(Fault.RESET_TCP)
    await asyncio.sleep(refused_s)
    faults.clear()
    ran.strikes.append((began, asyncio.get_running_loop().time()))


def outages(*refused_s: float) -> Callable[[Run], Awaitable[None]]:
    """Return what cuts the link so often, each time while the person speaks, and lets nobody in for so long."""

    async def cut(ran: Run) -> None:
        for seconds in refused_s:
            await asyncio.sleep(4.0)
            await outage(ran, seconds)

    return cut


OUTAGES = {
    "short outages": Plan(
        name="short outages",
        manner=Manner.HANDS_FREE,
        duration_s=30.0,
        limit_s=480.0,
        seed=7,
        typed_share=0.0,
        disturb=outages(*SHORT_S),
    ),
    "two seconds": Plan(
        name="two seconds",
        manner=Manner.HOLD,
        duration_s=20.0,
        limit_s=480.0,
        seed=9,
        typed_share=0.0,
        disturb=outages(2.0),
    ),
    "long outage": Plan(
        name="long outage",
        manner=Manner.HANDS_FREE,
        duration_s=22.0,
        limit_s=480.0,
        seed=8,
        typed_share=0.0,
        utterance_frames=(150, 160),
        disturb=outages(6.0),
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder, plans = tmp_path_factory.mktemp("renewals"), PLANS | OUTAGES
    ran = asyncio.run(run_all({plan: folder / name for name, plan in plans.items()}))
    return dict(zip(plans, ran, strict=True))


@pytest.fixture(params=PLANS)
def ran(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    return runs[request.param]


def test_it_is_renewed_in_time_and_never_more_than_two_wire_sessions_are_open(ran: Run) -> None:
    assert verdicts.sessions(ran, renewals=LEAST[ran.plan.name]) == []


def test_every_frame_of_the_microphone_is_heard_by_a_wire_session(ran: Run) -> None:
    assert verdicts.holes(ran, verdicts.captured(ran)) == []


def test_wire_sessions_share_no_more_than_the_held_three_seconds(ran: Run) -> None:
    assert verdicts.overlaps(ran) == []


def test_every_exchange_is_stored_and_delivered_once(ran: Run) -> None:
    assert verdicts.turns(ran) == []


def test_every_answer_is_heard_once_whole_and_without_a_gap(ran: Run) -> None:
    assert verdicts.answers(ran) == []


def test_the_model_knows_the_whole_conversation_whenever_it_answers(ran: Run) -> None:
    assert verdicts.context(ran) == []


def test_nothing_went_wrong_unseen(ran: Run) -> None:
    assert verdicts.log_lines(ran) == []
    assert ran.of("end")[0]["opened"] == 1, "the microphone was released in between"
    assert not ran.of("end")[0]["lost_s"]


def test_an_outage_of_up_to_three_seconds_loses_nothing_that_was_said(runs: dict[str, Run]) -> None:
    ran = runs["short outages"]
    assert len(ran.strikes) == len(SHORT_S)
    assert verdicts.outages(ran, short=True) == []
    assert verdicts.overlaps(ran) == []
    assert verdicts.turns(ran) == []
    assert verdicts.answers(ran) == []
    assert verdicts.context(ran) == []


@pytest.mark.parametrize("name", ["two seconds", "long outage"])
def test_of_an_outage_what_is_lost_is_counted_and_said(runs: dict[str, Run], name: str) -> None:
    assert len(runs[name].strikes) == 1
    assert verdicts.outages(runs[name]) == []


def test_an_outage_can_be_too_long(runs: dict[str, Run]) -> None:
    assert verdicts.lost_frames(runs["long outage"]), "the outage was too short to show anything"
