"""The connection in words: unknown until measured, then from delays and outages."""

from novadesk.conversation.api import Quality
from novadesk.conversation.quality import ENOUGH, FAIR_S, OUTAGE_S, POOR_S, ConnectionQuality


def judged(quality: ConnectionQuality, now: float = 1_000.0, *, live: bool = True, unsent_s: float = 0.0) -> Quality:
    return quality.at(now, live=live, unsent_from=now - unsent_s).quality


def measured(seconds: float, count: int = ENOUGH) -> ConnectionQuality:
    quality = ConnectionQuality()
    for _ in range(count):
        quality.sent(seconds)
    return quality


def test_unknown_until_measured_and_without_a_connection() -> None:
    assert judged(ConnectionQuality()) is Quality.UNKNOWN
    assert judged(measured(0.001, ENOUGH - 1)) is Quality.UNKNOWN
    assert judged(measured(0.001), live=False) is Quality.UNKNOWN


def test_delays_decide() -> None:
    assert judged(measured(0.001)) is Quality.GOOD
    assert judged(measured(FAIR_S)) is Quality.FAIR
    assert judged(measured(POOR_S)) is Quality.POOR


def test_what_waits_for_the_link_counts_before_anything_was_measured() -> None:
    assert judged(ConnectionQuality(), unsent_s=POOR_S + 0.01) is Quality.POOR
    assert judged(measured(0.001), unsent_s=FAIR_S + 0.01) is Quality.FAIR


def test_outages_count_for_a_while_and_delays_of_a_lost_link_do_not() -> None:
    quality = measured(POOR_S)
    quality.lost(1_000.0)
    assert judged(quality, 1_001.0) is Quality.UNKNOWN
    for _ in range(ENOUGH):
        quality.sent(0.001)
    assert judged(quality, 1_010.0) is Quality.FAIR
    quality.lost(1_011.0)
    assert judged(quality, 1_012.0) is Quality.POOR
    for _ in range(ENOUGH):
        quality.sent(0.001)
    assert judged(quality, 1_013.0) is Quality.POOR
    assert judged(quality, 1_012.0 + OUTAGE_S) is Quality.GOOD


def test_it_is_judged_once_a_second_and_anew_for_the_next_conversation() -> None:
    quality = measured(0.001)
    assert judged(quality, 1.0) is Quality.GOOD
    assert judged(quality, 1.9, unsent_s=POOR_S + 0.01) is Quality.GOOD
    assert judged(quality, 2.0, unsent_s=POOR_S + 0.01) is Quality.POOR
    quality.over()
    assert judged(quality, 2.1) is Quality.UNKNOWN
