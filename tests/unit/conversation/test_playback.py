"""What reaches the speaker and what was heard."""

from hypothesis import given
from hypothesis import strategies as st

from novadesk.conversation.playback import Answer, Playback

PCM = bytes(480)  # 240 samples


def make() -> Playback:
    playback = Playback()
    playback.present = True
    return playback


def test_an_answer_is_over_when_all_of_it_was_sent_and_played() -> None:
    playback = make()
    assert playback.begin(0.0)
    assert not playback.begin(0.1)
    assert playback.speech("a", PCM, 0.1)
    playback.all_sent()
    assert not playback.finished(0.2)
    assert playback.played(0, 240, 0.0)
    assert playback.finished(0.3)


def test_a_stopped_answer_is_thrown_away_until_its_turn_is_over() -> None:
    playback = make()
    playback.begin(0.0)
    playback.speech("a", PCM, 0.0)
    playback.discard()
    playback.flush()
    assert not playback.begin(0.1)
    assert not playback.speech("a", PCM, 0.1)
    playback.all_sent()
    assert playback.answer is Answer.NONE
    assert playback.begin(1.0)
    assert playback.speech("a", PCM, 1.0)


def test_heard_counts_from_the_beginning_of_the_answer() -> None:
    playback = make()
    playback.begin(0.0)
    playback.speech("a", PCM, 0.0)
    playback.all_sent()
    playback.begin(0.5)
    playback.speech("a", PCM, 0.5)
    playback.played(0, 300, 0.0)
    assert playback.heard == 60


def test_counts_of_a_flushed_generation_are_late() -> None:
    playback = make()
    playback.begin(0.0)
    playback.speech("a", PCM, 0.0)
    assert playback.flush() == 1
    assert not playback.played(0, 200, 0.0)
    assert playback.heard == 0


def test_without_a_speaker_nothing_is_played_and_the_answer_still_ends() -> None:
    playback = Playback()
    playback.begin(0.0)
    assert not playback.speech("a", PCM, 0.0)
    playback.all_sent()
    assert playback.finished(0.0)


def test_an_answer_that_is_to_be_read_only_is_not_played_and_still_ends() -> None:
    playback = make()
    playback.aloud = False
    playback.begin(0.0)
    assert not playback.speech("a", PCM, 0.0)
    playback.all_sent()
    assert playback.finished(0.0)


def test_a_turn_that_the_service_never_ends_is_over_after_a_while() -> None:
    playback = make()
    playback.begin(0.0)
    playback.speech("a", PCM, 0.0)
    playback.played(0, 240, 1.0)
    assert not playback.finished(6.9)
    assert playback.finished(7.5)


def test_an_answer_that_the_speaker_never_finishes_is_over_after_a_while() -> None:
    playback = make()
    playback.begin(0.0)
    playback.speech("a", PCM, 0.0)
    playback.all_sent()
    playback.played(0, 200, 3.0)
    assert not playback.finished(8.9)
    assert playback.finished(9.5)


@given(st.lists(st.sampled_from(["begin", "speech", "sent", "flush", "discard", "forget", "played"]), max_size=80))
def test_no_order_plays_a_discarded_answer_or_hears_more_than_was_queued(story: list[str]) -> None:
    playback, queued = make(), 0
    for at, what in enumerate(story):
        now = float(at)
        match what:
            case "begin":
                playback.begin(now)
            case "speech":
                discarded = playback.answer is Answer.DISCARDED
                assert playback.speech("a", PCM, now) is not discarded
                queued += 0 if discarded else 240
            case "sent":
                playback.all_sent()
            case "flush":
                playback.flush()
                queued = 0
            case "discard":
                playback.discard()
            case "forget":
                playback.forget()
            case _:
                playback.played(playback.generation, queued, 0.0)
        assert 0 <= playback.heard <= queued
