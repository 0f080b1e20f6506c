"""Hearing itself is told from a person who repeats, asks, or says nothing at all."""

import pytest

from novadesk.conversation.selfhearing import FALSE_STOPS, WITHIN_S, SelfHearing, echoed, words_of

SAID = "The lighthouse at the end of the bay was built in eighteen twelve, after three ships had been lost."


@pytest.mark.parametrize(
    ("heard", "is_echo"),
    [
        ("the lighthouse at the end of the bay", True),
        ("Built in eighteen-twelve after tree ships had been lost.", True),
        ("at the end", True),
        ("what is the height of the lighthouse", False),
        ("the bay", False),
        ("the end of all ships", False),
        ("", False),
    ],
)
def test_an_echo_has_runs_of_the_assistants_words(heard: str, is_echo: bool) -> None:
    assert echoed(words_of(SAID), words_of(heard)) is is_echo


def playing(until_s: float, *, voiced: bool) -> SelfHearing:
    itself = SelfHearing()
    itself.said(SAID)
    for at in range(round(until_s / 0.1)):
        itself.played(at * 0.1, voiced=voiced)
    return itself


def test_a_long_echo_is_told_once() -> None:
    itself = playing(5.0, voiced=True)
    assert itself.heard("the lighthouse at the end of the bay", 7.0)
    assert itself.found
    assert not itself.heard("was built in eighteen twelve after three ships", 7.1)


def test_of_short_echoes_it_takes_two() -> None:
    itself = playing(5.0, voiced=True)
    assert not itself.heard("after three ships", 5.5)
    assert itself.heard("at the end", 5.9)


def test_who_repeats_an_answer_after_it_is_no_echo() -> None:
    itself = playing(5.0, voiced=False)
    assert not itself.heard("the lighthouse at the end of the bay", 5.0 + 3.5)
    assert not playing(5.0, voiced=True).heard("the lighthouse at the end of the bay", 5.0 + 9.0)


def test_pauses_that_no_words_follow_are_its_own_voice_when_they_are_many() -> None:
    itself = SelfHearing()
    assert [itself.stopped_for_nothing(at * 10.0) for at in range(FALSE_STOPS)] == [False] * (FALSE_STOPS - 1) + [True]
    slow = SelfHearing()
    assert not any(slow.stopped_for_nothing(at * WITHIN_S) for at in range(10))
    person = SelfHearing()
    for at in range(10):
        assert not person.stopped_for_nothing(at * 5.0)
        assert not person.heard("and another thing", at * 5.0 + 1)
