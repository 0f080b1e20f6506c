"""`kill -9` at random moments: of the app, of the engine, of the local server. At most the turn in flight is lost.

The seed of a failing run stands in its report; `KILL_SEED=number` repeats it.
"""

import os
import random
import sys
from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.kill_parts import PART_MOMENTS, Part, kill_part
from tests.support.kill_stories import APP_MOMENTS, AppStory, Report, not_hit

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="SIGKILL, fork and /proc"),
]

KILLS = 20


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1_000_000))


def assert_survived(report: Report, missed: list[str]) -> None:
    assert report.wrong == [], f"{report}\n" + "\n".join(report.wrong)
    assert report.kills >= KILLS
    assert missed == [], str(report)


async def test_the_app_is_killed_and_every_next_start_finds_what_was_final(tmp_path: Path, seed: int) -> None:
    report = await AppStory(tmp_path, KILLS, seed).run()
    assert_survived(report, not_hit(APP_MOMENTS, report.landed))


async def test_the_local_server_is_killed_and_the_conversation_goes_on(tmp_path: Path, seed: int) -> None:
    report = await kill_part(Part.SERVER, tmp_path, KILLS, seed)
    assert_survived(report, not_hit(PART_MOMENTS, report.landed))


@pytest.mark.rig
async def test_the_engine_is_killed_and_the_conversation_goes_on(desk: Desk, tmp_path: Path, seed: int) -> None:
    report = await kill_part(Part.ENGINE, tmp_path, KILLS, seed, desk.env)
    assert_survived(report, not_hit(PART_MOMENTS, report.landed))
