"""Half an hour of renewals and two hundred kills of each process. `make soak` runs it and writes what it found."""

import random
import sys
from pathlib import Path

import pytest

from tests.support import renewal_verdicts as verdicts
from tests.support.desk import Desk
from tests.support.kill_parts import PART_MOMENTS, Part, kill_part
from tests.support.kill_stories import APP_MOMENTS, AppStory, Report, not_hit
from tests.support.renewal_person import Manner
from tests.support.renewal_rig import Plan, Run, run_all
from tests.support.soak_report import keep

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(3_600),
    pytest.mark.skipif(sys.platform != "linux", reason="SIGKILL, fork and /proc"),
]

DURATION_S = 1_800.0
KILLS = 200
SLOPE_MB_PER_H = 1.0
PLANS = (
    Plan(name="hands-free", manner=Manner.HANDS_FREE, duration_s=DURATION_S, limit_s=3.3, seed=31),
    Plan(name="hold", manner=Manner.HOLD, duration_s=DURATION_S, limit_s=12.0, seed=32, utterance_frames=(15, 60)),
    Plan(name="silent", manner=Manner.SILENT, duration_s=DURATION_S, limit_s=6.0),
    Plan(name="keys", manner=Manner.HANDS_FREE, duration_s=DURATION_S, limit_s=48.0, expiry_s=10.0, seed=33),
)


def all_wrong(ran: Run) -> list[str]:
    """Return every sentence that the checks find."""
    life_s = ran.plan.limit_s if ran.plan.expiry_s is None else ran.plan.expiry_s
    return [
        *verdicts.sessions(ran, renewals=round(DURATION_S / life_s)),
        *verdicts.holes(ran, verdicts.captured(ran)),
        *verdicts.overlaps(ran),
        *verdicts.turns(ran),
        *verdicts.answers(ran),
        *verdicts.context(ran),
        *verdicts.log_lines(ran),
        *memory(verdicts.slope_mb_per_h(ran)),
    ]


def memory(slope_mb_per_h: float | None) -> list[str]:
    """Return what is wrong with the growth of the app's memory; one that was not measured is wrong."""
    if slope_mb_per_h is None:
        return ["the growth of the memory was not measured"]
    return [f"memory grows by {slope_mb_per_h:.1f} MB/h"] if slope_mb_per_h > SLOPE_MB_PER_H else []


async def test_half_an_hour_of_renewals(tmp_path: Path) -> None:
    found = []
    for ran in await run_all({plan: tmp_path / plan.name for plan in PLANS}):
        slope = verdicts.slope_mb_per_h(ran)
        figures = verdicts.summary(ran) | {"memory, MB/h": None if slope is None else round(slope, 2)}
        found.append({"name": ran.plan.name, "figures": figures, "wrong": all_wrong(ran)})
    keep("renewals", {"duration_s": DURATION_S, "runs": found})
    assert [line for one in found for line in one["wrong"]] == []  # type: ignore[union-attr]


async def test_two_hundred_kills_of_the_app(tmp_path: Path) -> None:
    report = await AppStory(tmp_path, KILLS, random.SystemRandom().randrange(1_000_000)).run()
    judge("app", report, not_hit(APP_MOMENTS, report.landed))


async def test_two_hundred_kills_of_the_server(tmp_path: Path) -> None:
    report = await kill_part(Part.SERVER, tmp_path, KILLS, random.SystemRandom().randrange(1_000_000))
    judge("server", report, not_hit(PART_MOMENTS, report.landed))


@pytest.mark.rig
async def test_two_hundred_kills_of_the_engine(desk: Desk, tmp_path: Path) -> None:
    report = await kill_part(Part.ENGINE, tmp_path, KILLS, random.SystemRandom().randrange(1_000_000), desk.env)
    judge("engine", report, not_hit(PART_MOMENTS, report.landed))


def judge(part: str, report: Report, missed: list[str]) -> None:
    wrong = report.wrong + missed
    keep(
        part,
        {
            "what": report.what,
            "seed": report.seed,
            "kills": report.kills,
            "seconds": round(report.took_s),
            "turns": report.turns,
            "landed": dict(report.landed),
            "wrong": wrong,
        },
    )
    assert wrong == [], str(report)
