"""What the program measures about its promises, and what the numbers say: values and one pure function.

A measurement is a kind, a time and a number. It never carries a text, an id or a key, so it may outlive a private
conversation.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

WINDOW_MS = 24 * 3_600_000
"""Span that a metric looks back over."""

DELIVERED_MS = 60_000
"""Age within which a final turn must be acknowledged to count as delivered; a younger turn is not judged yet."""

ALERT_SAMPLES = 20
"""Samples below which a metric never raises an alert."""

RECOVERY_PERCENT = 90.0
LOAD_S = 2.0
PERSISTENCE_PERCENT = 95.0
"""Alarm thresholds of the session service that NovaDesk's promise is taken from: history load time above 2 s,
persistence success below 95 %, session recovery below 90 %."""

_ABSURD = 1e15


class Measure(Enum):
    """What can be measured. The value is the name on disk.

    Attributes:
        RESUME_TRIED: a stored conversation was to be carried over into a wire session.
        RESUME_COMPLETE: it was, with all stored turns that fit.
        LOAD: milliseconds until a conversation's history was readable.
        RECONNECT: milliseconds without a link, noted when the next one is ready.
        RENEWAL: milliseconds from the begin of the preparation of a wire session to the hand-over.
        SAMPLES_LOST: microphone samples at 16 kHz that nobody will hear.
        TURN_KEPT: a final turn reached the disk.
        TURN_DELIVERED: milliseconds from a turn's end to its acknowledgement by the session store.
        OUTBOX_DEPTH: turns that wait for the session store.
        CORE_STALL: milliseconds that the core's loop was late.
        WINDOW_STALL: milliseconds that the window's loop was late.
    """

    RESUME_TRIED = "resume_tried"
    RESUME_COMPLETE = "resume_complete"
    LOAD = "load"
    RECONNECT = "reconnect"
    RENEWAL = "renewal"
    SAMPLES_LOST = "samples_lost"
    TURN_KEPT = "turn_kept"
    TURN_DELIVERED = "turn_delivered"
    OUTBOX_DEPTH = "outbox_depth"
    CORE_STALL = "core_stall"
    WINDOW_STALL = "window_stall"


class Meter(Protocol):
    """Takes measurements. Called on the core loop, returns at once, never raises."""

    def note(self, measure: Measure, value: float = 1.0) -> None:
        """Take one measurement of this moment."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement. `at_ms` is Unix milliseconds."""

    at_ms: int
    measure: Measure
    value: float = 1.0


class Unit(Enum):
    """What a metric counts in; the value is what stands behind the number."""

    PERCENT = "%"
    SECONDS = "s"
    MILLISECONDS = "ms"
    DECIBELS = "dB"
    PPM = "ppm"
    COUNT = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number about a span of time, such as the last 24 hours.

    Attributes:
        name: for programs, lower case with underscores.
        title: for people.
        value: None when nothing has been measured that could say it.
        samples: measurements behind the value.
        threshold: the value from which on it is bad, on the side that `alert_below` names; None when there is none.
        alert: the value is bad, and there are enough samples to say so.
        alert_below: bad is below the threshold rather than above it.
    """

    name: str
    title: str
    value: float | None
    unit: Unit
    samples: int
    threshold: float | None = None
    alert: bool = False
    alert_below: bool = False

    @property
    def words(self) -> str:
        """Return the value with its unit; a share is rounded down, so that 99.96 % does not pass for all."""
        match self.unit:
            case _ if self.value is None:
                return "–"
            case Unit.PERCENT:
                return f"{math.floor(self.value * 10) / 10:.1f} %"
            case Unit.SECONDS:
                return f"{self.value:.2f} s"
            case Unit.MILLISECONDS | Unit.DECIBELS:
                return f"{self.value:.1f} {self.unit.value}"
            case Unit.PPM:
                return f"{self.value:+.0f} ppm"
            case Unit.COUNT:
                return f"{self.value:,.0f}"

    @property
    def bound(self) -> str:
        """Return the threshold with its side, such as "above 2 s"; empty when there is none."""
        side = "below" if self.alert_below else "above"
        return "" if self.threshold is None else f"{side} {self.threshold:g} {self.unit.value}"


def summarise(rows: Sequence[Row], now_ms: int) -> tuple[Metric, ...]:
    """Return the metrics of the 24 hours up to `now_ms`, always the same ones in the same order.

    Rows in any order. A row at exactly 24 hours is out. A row later than `now_ms`, left by a clock that was set back,
    counts once its time has come.
    """
    recent = _Window([row for row in rows if _is_sound(row)], now_ms)
    kept = recent.count(Measure.TURN_KEPT, until_ms=now_ms - DELIVERED_MS)
    tried = recent.count(Measure.RESUME_TRIED)
    resumed = recent.count(Measure.RESUME_COMPLETE)
    return (
        _share("session_recovery_rate", "Conversations resumed with every turn", resumed, tried, RECOVERY_PERCENT),
        _slowest("history_load_time", "Time to a readable history (95th percentile)", recent.of(Measure.LOAD), LOAD_S),
        _share(
            "persistence_success_rate",
            "Turns in the session store within 60 s",
            _delivered_in_time(recent, now_ms),
            kept,
            PERSISTENCE_PERCENT,
        ),
        _count("reconnects", "Reconnects", recent.of(Measure.RECONNECT)),
        _slowest("reconnect_time", "Time without a link (95th percentile)", recent.of(Measure.RECONNECT)),
        _count("renewals", "Renewals of the wire session", recent.of(Measure.RENEWAL)),
        _slowest("renewal_time", "Time to prepare a renewal (95th percentile)", recent.of(Measure.RENEWAL)),
        _sum("samples_lost", "Microphone samples lost (16 kHz)", recent.of(Measure.SAMPLES_LOST)),
        _latest("outbox_depth", "Turns waiting for the session store", recent.rows(Measure.OUTBOX_DEPTH)),
        _count("core_stalls", "Stalls of the core", recent.of(Measure.CORE_STALL)),
        _longest("core_stall_longest", "Longest stall of the core", recent.of(Measure.CORE_STALL)),
        _count("window_stalls", "Stalls of the window", recent.of(Measure.WINDOW_STALL)),
        _longest("window_stall_longest", "Longest stall of the window", recent.of(Measure.WINDOW_STALL)),
    )


class _Window:
    """Rows of the last 24 hours by measure."""

    def __init__(self, rows: Sequence[Row], now_ms: int) -> None:
        self._all = rows
        self._from_ms, self._now_ms = now_ms - WINDOW_MS, now_ms

    def rows(
        self, measure: Measure, *, until_ms: int | None = None, at: Callable[[Row], float] | None = None
    ) -> list[Row]:
        """Return rows of a measure; `at` says when a row counts, by default when it was noted."""
        until = self._now_ms if until_ms is None else until_ms
        found = (row for row in self._all if row.measure is measure)
        return [row for row in found if self._from_ms < (row.at_ms if at is None else at(row)) <= until]

    def of(self, measure: Measure) -> list[float]:
        return [max(0.0, row.value) for row in self.rows(measure)]

    def count(self, measure: Measure, *, until_ms: int | None = None) -> int:
        return len(self.rows(measure, until_ms=until_ms))


def _is_sound(row: Row) -> bool:
    return abs(row.value) < _ABSURD  # False for what is no number


def _delivered_in_time(window: _Window, now_ms: int) -> int:
    def ended_ms(row: Row) -> float:
        return row.at_ms - max(0.0, row.value)

    rows = window.rows(Measure.TURN_DELIVERED, until_ms=now_ms - DELIVERED_MS, at=ended_ms)
    return sum(row.value <= DELIVERED_MS for row in rows)


def _share(name: str, title: str, good: int, tried: int, threshold: float) -> Metric:
    # The two are noted at slightly different times: at the window's edge one may be in and the other out.
    value = min(100.0, 100.0 * good / tried) if tried else None
    return Metric(
        name=name,
        title=title,
        value=value,
        unit=Unit.PERCENT,
        samples=tried,
        threshold=threshold,
        alert=value is not None and tried >= ALERT_SAMPLES and value < threshold,
        alert_below=True,
    )


def _slowest(name: str, title: str, times_ms: Sequence[float], threshold_s: float | None = None) -> Metric:
    value = percentile(times_ms, 95) / 1000 if times_ms else None
    over = value is not None and threshold_s is not None and value > threshold_s
    return Metric(
        name=name,
        title=title,
        value=value,
        unit=Unit.SECONDS,
        samples=len(times_ms),
        threshold=threshold_s,
        alert=over and len(times_ms) >= ALERT_SAMPLES,
    )


def _longest(name: str, title: str, times_ms: Sequence[float]) -> Metric:
    value = max(times_ms) / 1000 if times_ms else None
    return Metric(name=name, title=title, value=value, unit=Unit.SECONDS, samples=len(times_ms))


def _count(name: str, title: str, values: Sequence[float]) -> Metric:
    return Metric(name=name, title=title, value=float(len(values)), unit=Unit.COUNT, samples=len(values))


def _sum(name: str, title: str, values: Sequence[float]) -> Metric:
    return Metric(name=name, title=title, value=sum(values, 0.0), unit=Unit.COUNT, samples=len(values))


def _latest(name: str, title: str, rows: Sequence[Row]) -> Metric:
    newest = max(enumerate(rows), key=lambda pair: (pair[1].at_ms, pair[0]), default=None)
    value = None if newest is None else max(0.0, newest[1].value)
    return Metric(name=name, title=title, value=value, unit=Unit.COUNT, samples=len(rows))


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile: the least value that `percent` of the values do not exceed.

    Raises:
        ValueError: no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile needs a value")
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
