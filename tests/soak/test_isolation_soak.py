"""Ten minutes of numbered sound through real streams, beside freezes and outages. Part of `make soak`."""

import sys
from pathlib import Path

import pytest

from tests.support import numbered_verdicts as verdicts
from tests.support.numbered_run import Ran, Variant, run
from tests.support.soak_report import keep

pytestmark = [
    pytest.mark.soak,
    pytest.mark.rig,
    pytest.mark.timeout(1_200),
    pytest.mark.skipif(sys.platform != "linux", reason="PulseAudio"),
]

DURATION_S = 600.0


def all_wrong(ran: Ran) -> list[str]:
    """Return every sentence that the checks find."""
    if ran.variant is Variant.OUTAGES:
        return verdicts.outages(ran)
    return verdicts.microphone(ran) + verdicts.speaker(ran) + verdicts.engine(ran)


def test_ten_minutes_of_numbered_sound(tmp_path: Path) -> None:
    folder = tmp_path / "isolation"
    folder.mkdir()
    rans = run(DURATION_S, folder)
    runs = [{"name": one.value, "figures": verdicts.figures(ran), "wrong": all_wrong(ran)} for one, ran in rans.items()]
    keep("isolation", {"duration_s": DURATION_S, "runs": runs})
    assert [line for ran in rans.values() for line in all_wrong(ran)] == []
