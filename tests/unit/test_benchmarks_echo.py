"""The echo benchmark judges as its gates say: at most, at least, missed, false."""

import math

import pytest

from benchmarks.echo import Outcome, edits, judge, nearest
from benchmarks.sheet import Rule, Sheet
from novadesk.models import BargeIn
from tests.support.rooms import RATE_HZ, Said

SAID = Said(start=10 * RATE_HZ, end=12 * RATE_HZ, text="stop talking")


def outcome(*stop_s: float) -> Outcome:
    stages = [(round(at * RATE_HZ), BargeIn.CONFIRMED) for at in stop_s]
    return Outcome(said=[SAID], stages=stages, idle_steps=12_000)


@pytest.mark.parametrize(
    ("stop_s", "late_ms", "false_per_minute"),
    [
        ((10.25,), 250, 0),
        ((11.6,), math.inf, 0),
        ((), math.inf, 0),
        ((9.0, 10.5), 500, 0.5),
        ((13.0, 20.0), math.inf, 1),
    ],
)
def test_a_stop_is_timely_late_or_false(stop_s: tuple[float, ...], late_ms: float, false_per_minute: float) -> None:
    judged = judge([outcome(*stop_s)], BargeIn.CONFIRMED)
    assert judged.late_ms == [late_ms]
    assert judged.false_per_minute == false_per_minute
    assert judged.missed_percent == (100 if math.isinf(late_ms) else 0)
    assert judge([outcome(*stop_s)], BargeIn.SUSPECTED).late_ms == [math.inf]


def test_a_percentile_of_what_was_missed_is_no_number_and_keeps_no_gate() -> None:
    late_ms = [100.0] * 8 + [math.inf] * 2
    assert nearest(late_ms, 50) == nearest(late_ms, 80) == 100
    sheet = Sheet()
    sheet.row("p90", nearest(late_ms, 90), 500, rule=Rule.AT_MOST)
    assert sheet.missed


@pytest.mark.parametrize(
    ("figure", "rule", "missed"),
    [(5, Rule.AT_MOST, False), (5.1, Rule.AT_MOST, True), (5, Rule.AT_LEAST, False), (4.9, Rule.AT_LEAST, True)],
)
def test_a_limit_is_kept_from_its_own_side(figure: float, rule: Rule, missed: bool) -> None:
    sheet = Sheet()
    sheet.row("echo", figure, 5, 5, unit="dB", rule=rule)
    assert sheet.missed is missed
    assert sheet.figures[0].goal_verdict == ("not reached" if missed else "reached")
    strict = Sheet(gates=1e-9)
    strict.row("echo", figure, 5, rule=rule)
    assert strict.missed


@pytest.mark.parametrize(("got", "wrong"), [("set a timer", 0), ("set timer", 1), ("", 3), ("get a timer now", 2)])
def test_words_lost_are_words_left_out_put_in_or_taken_for_others(got: str, wrong: int) -> None:
    assert edits(["set", "a", "timer"], got.split()) == wrong
