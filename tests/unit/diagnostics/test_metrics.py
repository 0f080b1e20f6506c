"""What the numbers say: window, thresholds, samples enough, clocks that jump."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.diagnostics.metrics import (
    ALERT_SAMPLES,
    DELIVERED_MS,
    WINDOW_MS,
    Measure,
    Metric,
    Row,
    Unit,
    percentile,
    summarise,
)

NOW = 1_800_000_000_000
OLD = NOW - 3_600_000  # in the window, and old enough to be judged


def rows(measure: Measure, count: int, value: float = 1.0, at_ms: int = OLD) -> list[Row]:
    return [Row(at_ms=at_ms, measure=measure, value=value) for _ in range(count)]


def metric(name: str, given_rows: Sequence[Row], now_ms: int = NOW) -> Metric:
    (found,) = [metric for metric in summarise(given_rows, now_ms) if metric.name == name]
    return found


def test_nothing_at_all_is_no_value_and_no_alert() -> None:
    found = summarise((), NOW)
    assert len({metric.name for metric in found}) == len(found)
    assert not any(metric.alert for metric in found)
    for shown in found:
        counted = shown.name in ("reconnects", "renewals", "samples_lost", "core_stalls", "window_stalls")
        assert shown.value == (0.0 if counted else None), shown.name
        assert shown.samples == 0


def test_the_thresholds_are_those_of_the_documents() -> None:
    limits = {shown.name: (shown.threshold, shown.unit) for shown in summarise((), NOW) if shown.threshold is not None}
    assert limits == {
        "session_recovery_rate": (90.0, Unit.PERCENT),
        "history_load_time": (2.0, Unit.SECONDS),
        "persistence_success_rate": (95.0, Unit.PERCENT),
    }


# --- recovery ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tried", "whole", "value", "alert"),
    [
        (20, 18, 90.0, False),
        (20, 17, 85.0, True),
        (19, 0, 0.0, False),
        (20, 0, 0.0, True),
        (20, 20, 100.0, False),
        (1, 0, 0.0, False),
        (1_000, 899, 89.9, True),
        (1_000, 900, 90.0, False),
    ],
)
def test_recovery(tried: int, whole: int, value: float, alert: bool) -> None:
    found = metric("session_recovery_rate", rows(Measure.RESUME_TRIED, tried) + rows(Measure.RESUME_COMPLETE, whole))
    assert (found.value, found.samples, found.alert) == (pytest.approx(value), tried, alert)


def test_recovery_never_passes_a_hundred_at_the_edge_of_the_window() -> None:
    edge = NOW - WINDOW_MS
    cut = [
        Row(at_ms=edge, measure=Measure.RESUME_TRIED),
        Row(at_ms=edge + 1, measure=Measure.RESUME_COMPLETE),
        Row(at_ms=OLD, measure=Measure.RESUME_TRIED),
        Row(at_ms=OLD, measure=Measure.RESUME_COMPLETE),
    ]
    found = metric("session_recovery_rate", cut)
    assert (found.value, found.samples) == (100.0, 1)


# --- load ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slow", "alert"),
    [(1, False), (2, True)],  # of 20 loads the 19th in order counts: one slow one is not the rule
)
def test_load_time_is_the_95th_percentile(slow: int, alert: bool) -> None:
    found = metric("history_load_time", rows(Measure.LOAD, 20 - slow, 300.0) + rows(Measure.LOAD, slow, 2_001.0))
    assert found.value == pytest.approx(2.001 if alert else 0.3)
    assert found.alert is alert
    assert "95th percentile" in found.title


def test_load_time_of_exactly_the_threshold_is_good() -> None:
    assert not metric("history_load_time", rows(Measure.LOAD, 20, 2_000.0)).alert
    assert metric("history_load_time", rows(Measure.LOAD, 20, 2_000.1)).alert
    assert not metric("history_load_time", rows(Measure.LOAD, 19, 9_000.0)).alert


# --- persistence -----------------------------------------------------------------------------------


def exchange(kept_ms: int, delivered_after_ms: float | None) -> list[Row]:
    made = [Row(at_ms=kept_ms, measure=Measure.TURN_KEPT)]
    if delivered_after_ms is not None:
        at_ms = kept_ms + int(delivered_after_ms)
        made.append(Row(at_ms=at_ms, measure=Measure.TURN_DELIVERED, value=delivered_after_ms))
    return made


@pytest.mark.parametrize(
    ("delivered", "value", "alert"),
    [(20, 100.0, False), (19, 95.0, False), (18, 90.0, True), (0, 0.0, True)],
)
def test_persistence(delivered: int, value: float, alert: bool) -> None:
    made = [row for n in range(20) for row in exchange(OLD, 800 if n < delivered else None)]
    found = metric("persistence_success_rate", made)
    assert (found.value, found.samples, found.alert) == (value, 20, alert)


def test_a_turn_delivered_too_late_counts_as_not_delivered() -> None:
    made = [row for delay in (59_999, 60_000, 60_001, 400_000) for row in exchange(OLD, delay)]
    found = metric("persistence_success_rate", made)
    assert (found.value, found.samples) == (50.0, 4)


def test_a_turn_too_young_to_be_judged_does_not_count() -> None:
    made = exchange(NOW - DELIVERED_MS, 500) + exchange(NOW - DELIVERED_MS + 1, None) + exchange(NOW, None)
    found = metric("persistence_success_rate", made)
    assert (found.value, found.samples) == (100.0, 1)
    later = metric("persistence_success_rate", made, NOW + DELIVERED_MS)
    assert (later.value, later.samples) == (pytest.approx(100 / 3), 3)


def test_a_young_turn_that_is_delivered_does_not_make_up_for_an_older_one() -> None:
    made = exchange(OLD, None) + exchange(NOW - 1_000, 500)
    assert metric("persistence_success_rate", made).value == 0.0


def test_a_turn_delivered_into_the_window_from_before_it_does_not_count() -> None:
    before = NOW - WINDOW_MS - 10_000
    made = exchange(before, 30_000) + exchange(OLD, None)
    found = metric("persistence_success_rate", made)
    assert (found.value, found.samples) == (0.0, 1)


def test_a_clock_set_back_between_turn_and_acknowledgement_counts_as_at_once() -> None:
    made = [
        Row(at_ms=OLD, measure=Measure.TURN_KEPT),
        Row(at_ms=OLD - 5_000, measure=Measure.TURN_DELIVERED, value=-5_000),
    ]
    assert metric("persistence_success_rate", made).value == 100.0


# --- the rest ----------------------------------------------------------------------------------------


def test_counts_sums_and_times() -> None:
    made = [
        *rows(Measure.RECONNECT, 2, 4_000),
        *rows(Measure.RECONNECT, 1, 6_500),
        *rows(Measure.RENEWAL, 3, 1_200),
        *rows(Measure.SAMPLES_LOST, 2, 16_000),
        *rows(Measure.CORE_STALL, 1, 120),
        *rows(Measure.CORE_STALL, 1, 340),
    ]
    values = {shown.name: shown.value for shown in summarise(made, NOW)}
    assert values["reconnects"] == 3
    assert values["reconnect_time"] == 6.5
    assert values["renewals"] == 3
    assert values["renewal_time"] == 1.2
    assert values["samples_lost"] == 32_000
    assert (values["core_stalls"], values["core_stall_longest"]) == (2, 0.34)
    assert (values["window_stalls"], values["window_stall_longest"]) == (0, None)


def test_outbox_depth_is_the_newest_whatever_the_order_of_rows() -> None:
    made = [
        Row(at_ms=OLD + 2, measure=Measure.OUTBOX_DEPTH, value=3),
        Row(at_ms=OLD + 1, measure=Measure.OUTBOX_DEPTH, value=9),
    ]
    assert metric("outbox_depth", made).value == 3
    assert metric("outbox_depth", made[::-1]).value == 3
    same_time = [Row(at_ms=OLD, measure=Measure.OUTBOX_DEPTH, value=value) for value in (5, 4)]
    assert metric("outbox_depth", same_time).value == 4


def test_the_window_has_an_open_old_edge_and_a_closed_new_one() -> None:
    for at_ms, counted in ((NOW - WINDOW_MS, 0), (NOW - WINDOW_MS + 1, 1), (NOW, 1), (NOW + 1, 0)):
        assert metric("reconnects", rows(Measure.RECONNECT, 1, at_ms=at_ms)).value == counted


def test_rows_of_a_clock_that_was_set_back_wait_for_their_time() -> None:
    ahead = rows(Measure.LOAD, 20, 5_000, at_ms=NOW + 3_600_000)
    assert metric("history_load_time", ahead).value is None
    assert metric("history_load_time", ahead, NOW + 3_600_000).alert


def test_a_value_that_is_no_number_is_left_out() -> None:
    made = [*rows(Measure.LOAD, 1, math.nan), *rows(Measure.LOAD, 2, 1.7e308), *rows(Measure.LOAD, 1, 250.0)]
    found = metric("history_load_time", made)
    assert (found.value, found.samples) == (0.25, 1)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([7], 95, 7), (range(1, 21), 95, 19), (range(1, 101), 95, 95), ([1, 2], 50, 1), ([1, 2], 0, 1), ([1, 2], 100, 2)],
)
def test_percentile(values: Sequence[float], percent: int, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a value"):
        percentile([], 95)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, Unit.PERCENT, "–"),
        (99.96, Unit.PERCENT, "99.9 %"),
        (100.0, Unit.PERCENT, "100.0 %"),
        (0.181, Unit.SECONDS, "0.18 s"),
        (48_000.0, Unit.COUNT, "48,000"),
    ],
)
def test_values_in_words(value: float | None, unit: Unit, words: str) -> None:
    assert Metric(name="x", title="X", value=value, unit=unit, samples=1).words == words


def test_thresholds_in_words() -> None:
    bounds = {shown.name: shown.bound for shown in summarise((), NOW)}
    assert bounds["session_recovery_rate"] == "below 90 %"
    assert bounds["history_load_time"] == "above 2 s"
    assert bounds["reconnects"] == ""


any_row = st.builds(
    Row,
    at_ms=st.integers(NOW - 2 * WINDOW_MS, NOW + WINDOW_MS),
    measure=st.sampled_from(Measure),
    value=st.floats(allow_nan=True, allow_infinity=True),
)


@given(made=st.lists(any_row, max_size=60), now_ms=st.integers(NOW - WINDOW_MS, NOW + WINDOW_MS))
def test_whatever_is_measured_makes_sense(made: list[Row], now_ms: int) -> None:
    found = summarise(made, now_ms)
    assert [shown.name for shown in found] == [shown.name for shown in summarise((), 0)]
    for shown in found:
        assert shown.value is None or shown.value >= 0
        if shown.unit is Unit.PERCENT:
            assert shown.value is None or shown.value <= 100
        if shown.alert:
            assert shown.samples >= ALERT_SAMPLES
            assert shown.threshold is not None
            assert shown.value is not None
            assert (shown.value < shown.threshold) is shown.alert_below


@given(made=st.lists(any_row, max_size=40))
def test_the_order_of_rows_says_nothing(made: list[Row]) -> None:
    distinct = list({(row.at_ms, row.measure): row for row in made}.values())
    turned = list(reversed(distinct))
    assert summarise(distinct, NOW) == summarise(turned, NOW)
