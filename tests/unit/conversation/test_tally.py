"""What is counted, and what is measured of it."""

import pytest

from novadesk.conversation.tally import Tally
from novadesk.diagnostics.metrics import Measure


class Notes:
    """Keeps what was measured."""

    def __init__(self) -> None:
        self.rows: list[tuple[Measure, float]] = []

    def note(self, measure: Measure, value: float = 1.0) -> None:
        self.rows.append((measure, value))


def test_a_turn_that_a_later_version_replaces_is_kept_once() -> None:
    notes = Notes()
    tally = Tally(notes)
    for turn_id in ("a", "b", "a", "c", "b"):
        tally.kept(turn_id)
    assert notes.rows == [(Measure.TURN_KEPT, 1.0)] * 3


def test_lost_speech_is_told_once_in_seconds_and_measured_in_samples() -> None:
    notes = Notes()
    tally = Tally(notes)
    assert tally.lost(0) == 0.0
    assert tally.lost(50) == pytest.approx(1.6)
    assert tally.lost(50) == 0.0
    assert tally.lost_s == pytest.approx(1.6)
    assert notes.rows == [(Measure.SAMPLES_LOST, 25_600)]


def test_outages_and_renewals_are_counted_and_timed() -> None:
    notes = Notes()
    tally = Tally(notes)
    tally.came_back(4.0)
    tally.renewed(0.25)
    assert (tally.reconnects, tally.renewals) == (1, 1)
    assert notes.rows == [(Measure.RECONNECT, 4000.0), (Measure.RENEWAL, 250.0)]


def test_nobody_has_to_measure() -> None:
    tally = Tally(None)
    tally.kept("a")
    tally.renewed(1.0)
    assert tally.renewals == 1
