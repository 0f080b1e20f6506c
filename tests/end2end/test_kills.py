"""`kill -9` at random moments: of the app, of the engine, of the local server. At most the turn in flight is lost.

The three stories mostly wait, and are told side by side. The seed of a failing run stands in its report;
`KILL_SEED=number` repeats it.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.kill_parts import PART_MOMENTS, Part, kill_part
from tests.support.kill_stories import APP_MOMENTS, AppStory, Report, not_hit

pytestmark = [
    pytest.mark.rig,
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


async def test_whatever_is_killed_the_conversation_goes_on_and_what_was_final_is_found(
    desk: Desk, tmp_path: Path, seed: int
) -> None:
    homes = {name: tmp_path / name for name in ("app", "server", "engine")}
    homes["app"].mkdir()
    async with asyncio.TaskGroup() as group:
        app = group.create_task(AppStory(homes["app"], KILLS, seed).run())
        server = group.create_task(kill_part(Part.SERVER, homes["server"], KILLS, seed))
        engine = group.create_task(kill_part(Part.ENGINE, homes["engine"], KILLS, seed, desk.env))
    assert_survived(app.result(), not_hit(APP_MOMENTS, app.result().landed))
    assert_survived(server.result(), not_hit(PART_MOMENTS, server.result().landed))
    assert_survived(engine.result(), not_hit(PART_MOMENTS, engine.result().landed))
