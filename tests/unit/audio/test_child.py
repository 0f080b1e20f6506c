"""How long the audio process is waited for: what counts is the time in which it could have answered."""

import itertools
from collections.abc import Iterable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.audio.child import slices


def waited(deadline_s: float, lateness_s: Iterable[float]) -> float:
    """Return how long a wait takes on a loop that comes so late to the end of each slice."""
    loop, late = SimpleNamespace(now=100.0), iter(lateness_s)
    for due in slices(deadline_s, lambda: loop.now):
        loop.now = due + next(late)
    return float(loop.now) - 100.0


@pytest.mark.parametrize("deadline_s", [0.05, 0.5, 2.0, 3.0, 10.0])
def test_on_a_punctual_loop_a_wait_takes_its_time(deadline_s: float) -> None:
    assert waited(deadline_s, itertools.repeat(0.0)) == pytest.approx(deadline_s)


def test_a_loop_that_was_held_up_waits_the_whole_time_once_it_is_back() -> None:
    assert waited(2.0, [60.0, *[0.0] * 4]) == pytest.approx(0.5 + 60.0 + 2.0)


def test_a_busy_computer_gets_three_times_as_many_slices() -> None:
    assert waited(2.0, itertools.repeat(0.5)) == pytest.approx(12 * (0.5 + 0.5))


@given(st.floats(0.01, 20.0), st.lists(st.floats(0.0, 3.0), max_size=50))
def test_no_wait_is_shorter_than_its_deadline_and_none_is_endless(deadline_s: float, lateness_s: list[float]) -> None:
    took = waited(deadline_s, itertools.chain(lateness_s, itertools.repeat(0.0)))
    assert deadline_s <= took + 1e-9
    assert took <= 3 * (deadline_s + 0.5) + sum(lateness_s) + 1e-9
