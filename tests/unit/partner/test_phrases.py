from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.server.partner.phrasebook import PHRASES, Intent
from novadesk.server.partner.phrases import (
    LEAST_SIMILARITY,
    find_name,
    likeliest,
    nearest,
    plain,
    similarity,
    understand,
)
from novadesk.server.partner.sums import is_number

pytestmark = pytest.mark.thorough

_PHRASES = [(intent, phrase) for intent, phrases in PHRASES.items() for phrase in phrases]
_PLAINLY = [phrase for _, phrase in _PHRASES if not any(map(is_number, phrase.split()))]
_WORDS = sorted({word for _, phrase in _PHRASES for word in phrase.split()})


@pytest.mark.parametrize(("intent", "phrase"), _PHRASES)
def test_every_known_phrase_is_understood(intent: Intent, phrase: str) -> None:
    spoken = phrase.replace("number", "seven").replace("is name", "is anna")
    match = understand(spoken)
    assert match is not None
    assert match.intent is intent
    assert match.similarity > 0.95


def test_no_phrase_stands_under_two_intents() -> None:
    phrases = [phrase for _, phrase in _PHRASES]
    assert len(phrases) == len(set(phrases))


@pytest.mark.parametrize(
    ("heard", "intent"),
    [
        ("hello how are you to day", Intent.HOW_ARE_YOU),
        ("hello are you today", Intent.HOW_ARE_YOU),
        ("what is three plus for", Intent.SUM),
        ("what is free plus four", Intent.SUM),
        ("what did we talk a bout", Intent.TALKED_ABOUT),
        ("what do we talk about", Intent.TALKED_ABOUT),
        ("what did i sang", Intent.WHAT_I_SAID),
        ("what time is in", Intent.TIME),
        ("could you please repeat that", Intent.REPEAT),
        ("please peak more slowly", Intent.SLOWER),
        ("What's your name?", Intent.YOUR_NAME),
        ("My name's Anna.", Intent.MY_NAME),
        ("Let's practice a conversation about travel!", Intent.TRAVEL),
        ("Do you remember my name?", Intent.WHAT_IS_MY_NAME),
        ("do you remember what i said about the market", Intent.REMEMBER),
        ("thank you so much", Intent.THANKS),
        ("goodbye and see you tomorrow", Intent.GOODBYE),
    ],
)
def test_misheard_and_varied_phrases_are_understood(heard: str, intent: Intent) -> None:
    match = understand(heard)
    assert match is not None
    assert match.intent is intent


@pytest.mark.parametrize(
    "sentence",
    [
        "it was the best of times it was the worst of times",
        "she sells sea shells by the sea shore",
        "the quick brown fox jumps over the lazy dog",
        "i have been learning english for three years",
        "open the window because it is very hot in here",
        "it was raining all morning so we stayed at home",
        "i like to play football with my friends",
        "do you have any questions for me",
        "who is the president of the united states",
        "what did you do last weekend",
        "how much does this shirt cost",
        "turn the volume down a little",
    ],
)
def test_free_talk_meets_no_phrase(sentence: str) -> None:
    assert understand(sentence) is None


@given(text=st.one_of(st.text(max_size=400), st.lists(st.sampled_from(_WORDS), max_size=12).map(" ".join)))
def test_nothing_is_understood_below_the_least_similarity(text: str) -> None:
    match, near = understand(text), nearest(text)
    if match is not None:
        assert match.similarity >= LEAST_SIMILARITY
        assert match == near
        assert match.phrase in PHRASES[match.intent]
    assert near is None or 0 <= near.similarity <= 1
    assert (near is None) == (not plain(text))


@given(words=st.lists(st.sampled_from([word for word in _WORDS if not is_number(word)]), min_size=1, max_size=9))
def test_the_nearest_phrase_is_the_nearest(words: list[str]) -> None:
    sentence = " ".join(words)
    near = nearest(sentence)
    assert near is not None
    if find_name(sentence) is None:
        reached = near.similarity + 1e-9
        by_letters = SequenceMatcher(None, "", sentence, autojunk=False)
        by_words = SequenceMatcher(None, [], words, autojunk=False)
        for phrase in _PLAINLY:
            by_letters.set_seq1(phrase)
            by_words.set_seq1(phrase.split())
            if (by_letters.quick_ratio() + by_words.quick_ratio()) / 2 > reached:  # difflib: never below the ratio
                assert similarity(sentence, phrase) <= reached


@given(text=st.text(max_size=300))
def test_plain_text_stays_plain(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    assert plain(text) == plain(text).strip()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("my name is anna", "Anna"),
        ("Hello, my name's Peter and I live in Berlin", "Peter"),
        ("please call me Zoë", "Zoë"),
        ("what is my name", None),
        ("my name is", None),
        ("my name is not important", None),
        ("call me later", None),
        ("my name is and", None),
        ("my name is 42", None),
    ],
)
def test_names_are_found(text: str, name: str | None) -> None:
    assert find_name(text) == name


@pytest.mark.parametrize(
    ("hypotheses", "chosen"),
    [
        ((), ""),
        (("",), ""),
        (("hello hello argue", "hello how are you", "hello how argue"), "hello how are you"),
        (("what did we got the town", "what did we talk down", "what did we talk about"), "what did we talk about"),
        (("i like to play football", "i like to pay football"), "i like to play football"),
        (("what time is it", "what time is in"), "what time is it"),
        (
            ("i would like to order a cup of tea", "i would like to order a cup of coffee"),
            "i would like to order a cup of tea",
        ),
    ],
)
def test_a_known_phrase_is_preferred_among_the_guesses(hypotheses: tuple[str, ...], chosen: str) -> None:
    assert likeliest(hypotheses) == chosen


@given(hypotheses=st.lists(st.lists(st.sampled_from(_WORDS), max_size=6).map(" ".join), min_size=1, max_size=6))
def test_only_a_guess_is_chosen_and_never_a_worse_one(hypotheses: list[str]) -> None:
    chosen = likeliest(hypotheses)
    assert chosen in hypotheses
    before, after = nearest(hypotheses[0]), nearest(chosen)
    if chosen != hypotheses[0]:
        assert before is not None
        assert after is not None
        assert after.similarity > before.similarity + 0.1
        assert after.similarity > 0.8
