"""Two minutes of numbered sound through real streams: no sample lost or repeated that the sound server did not lose.

Three apps run at the same time: one in peace, one that freezes for two seconds every ten, and one whose devices are
suspended, unplugged and lost with their sound server. In each, the audio process runs without any processing.
"""

import json
import sys

import pytest

from tests.support import numbered_verdicts as verdicts
from tests.support.numbered_run import Ran, Trouble, Variant, run

pytestmark = [pytest.mark.rig, pytest.mark.timeout(600)]

DURATION_S = 120.0


@pytest.fixture(scope="module")
def rans(tmp_path_factory: pytest.TempPathFactory) -> dict[Variant, Ran]:
    done = run(DURATION_S, tmp_path_factory.mktemp("isolation"))
    for variant, ran in done.items():
        sys.stdout.write(f"{variant.value}: {json.dumps(verdicts.figures(ran), indent=1)}\n")
    return done


@pytest.mark.parametrize("variant", [Variant.QUIET, Variant.FROZEN])
def test_nothing_is_lost_or_repeated_that_a_recorder_beside_it_has(rans: dict[Variant, Ran], variant: Variant) -> None:
    ran = rans[variant]
    assert len(ran.seen.frozen) == (12 if variant is Variant.FROZEN else 0)
    assert verdicts.microphone(ran) + verdicts.speaker(ran) + verdicts.engine(ran) == []


def test_with_devices_that_come_and_go_sound_is_lost_in_the_outages_only(rans: dict[Variant, Ran]) -> None:
    ran = rans[Variant.OUTAGES]
    assert {outage.trouble for outage in ran.outages} == set(Trouble)
    assert verdicts.outages(ran) == []
