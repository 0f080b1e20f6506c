"""What a gateway allows, and what it keeps of its output."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.models import Role
from novadesk.protocol.envelope_server import Transcript
from novadesk.server.gateway.limits import Rate, RateLimiter
from novadesk.server.gateway.narration import Speech
from novadesk.server.gateway.outputlog import OutputLog


def test_so_many_are_granted_at_once_and_then_as_fast_as_the_rate() -> None:
    limiter = RateLimiter(Rate(most=3, span_s=30.0))
    assert [limiter.ask("ann", 0.0) for _ in range(4)] == [0, 0, 0, 10]
    assert limiter.ask("ann", 5.0) == 5
    assert limiter.ask("ann", 10.0) == 0
    assert limiter.ask("ben", 10.0) == 0


@given(st.lists(st.floats(0, 5), max_size=60))
def test_never_more_than_the_rate_allows(pauses: list[float]) -> None:
    limiter, now, granted = RateLimiter(Rate(most=4, span_s=8.0)), 0.0, []
    for pause in pauses:
        now += pause
        if not limiter.ask("ann", now):
            granted.append(now)
    for at in granted:
        assert sum(at - 8.0 < other <= at for other in granted) <= 8  # the bucket, and what flowed into it


def test_those_who_asked_for_nothing_longest_are_forgotten() -> None:
    limiter = RateLimiter(Rate(most=1, span_s=1e9))
    for number in range(10_001):
        assert limiter.ask(str(number), 0.0) == 0
    assert limiter.ask("10000", 0.0) > 0
    assert limiter.ask("0", 0.0) == 0


def test_output_is_numbered_kept_and_let_go_of_when_it_has_arrived() -> None:
    log = OutputLog()
    for text in ("a", "b", "c"):
        log.add(Transcript(content_id="x", role=Role.USER, text=text))
    assert [(entry.sequence, getattr(entry.item, "sequence", 0)) for entry in log.behind(0)] == [(1, 1), (2, 2), (3, 3)]
    log.acknowledge(2)
    assert [entry.sequence for entry in log.behind(0)] == [3]
    log.acknowledge(99)
    assert log.add(Speech("x", b"..")).sequence == 4


@pytest.mark.parametrize("behind", [0, 17])
def test_output_of_another_process_is_numbered_on(behind: int) -> None:
    assert OutputLog(behind).add(Speech("x", b"..")).sequence == behind + 1


def test_the_oldest_of_too_much_output_goes_with_a_count() -> None:
    log = OutputLog(most_bytes=1_000)
    for _ in range(10):
        log.add(Speech("x", bytes(100)))
    assert [entry.sequence for entry in log.behind(0)] == [8, 9, 10]
    assert log.lost == 7
