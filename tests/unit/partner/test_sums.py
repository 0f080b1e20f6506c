from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadesk.server.partner.phrases import plain
from novadesk.server.partner.sums import Sum, find_sum, is_number, say_number, say_sum, solve


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("what is three plus four", "Three plus four is seven."),
        ("what is three plus for", "Three plus four is seven."),
        ("what is to plus too", "Two plus two is four."),
        ("what is seven plus twelve", "Seven plus twelve is nineteen."),
        ("how much is ten minus fifteen", "Ten minus fifteen is minus five."),
        ("what is two plus three times four", "Two plus three times four is fourteen."),
        ("what is twenty one times two", "Twenty-one times two is forty-two."),
        ("what is twenty-one times two", "Twenty-one times two is forty-two."),
        ("what is one hundred and five plus one", "One hundred and five plus one is one hundred and six."),
        (
            "what is two thousand and twenty six minus six",
            "Two thousand and twenty-six minus six is two thousand and twenty.",
        ),
        ("what is ten divided by four", "Ten divided by four is 2.5."),
        ("what is ten divided by three", "Ten divided by three is about 3.33."),
        ("what is eight divided by zero", "Nobody can divide by zero, and neither can I."),
        ("what is ten multiplied by ten", "Ten times ten is one hundred."),
        ("add two and three", "Two plus three is five."),
        ("add two to three", "Two plus three is five."),
        ("What's 12*12?", "Twelve times twelve is one hundred and forty-four."),
        ("12 - 5", "Twelve minus five is seven."),
        ("what is 1.5 + 1.5", "1.5 plus 1.5 is three."),
        ("999999999 times 999999999", "That number is too large for me."),
    ],
)
def test_a_sum_is_found_and_solved(sentence: str, answer: str) -> None:
    task = find_sum(plain(sentence))
    assert task is not None
    assert say_sum(task) == answer


@pytest.mark.parametrize(
    "sentence",
    ["", "hello", "i am three", "three times", "plus four", "what is plus", "i have two dogs and a cat for you"],
)
def test_other_sentences_are_no_sums(sentence: str) -> None:
    assert find_sum(sentence) is None


@pytest.mark.parametrize("word", ["three", "twenty-one", "hundred", "12", "1.5"])
def test_number_words(word: str) -> None:
    assert is_number(word)


@pytest.mark.parametrize("word", ["for", "to", "", "-", "three-", "1.", "12345678901", "²", "١٢"])
def test_other_words_are_no_numbers(word: str) -> None:
    assert not is_number(word)


@given(number=st.integers(-999_999, 999_999))
def test_a_whole_number_survives_being_said(number: int) -> None:
    said = say_number(Fraction(number))
    task = find_sum(f"{said.removeprefix('minus ')} plus zero")
    assert task is not None
    assert solve(task) == abs(number)
    assert said.startswith("minus ") == (number < 0)


_SIGNS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}


@given(
    terms=st.lists(st.integers(0, 9_999), min_size=2, max_size=6),
    signs=st.lists(st.sampled_from("+-*/"), min_size=5, max_size=5),
)
def test_any_spoken_sum_is_solved_as_written_arithmetic(terms: list[int], signs: list[str]) -> None:
    used = signs[: len(terms) - 1]
    sentence, formula = say_number(Fraction(terms[0])), f"Fraction({terms[0]})"
    for sign, term in zip(used, terms[1:], strict=True):
        sentence += f" {_SIGNS[sign]} {say_number(Fraction(term))}"
        formula += f" {sign} Fraction({term})"
    task = find_sum(sentence)
    assert task == Sum(terms=tuple(map(Fraction, terms)), signs=tuple(used))
    try:
        expected = eval(formula, {"Fraction": Fraction})
    except ZeroDivisionError:
        expected = None
    assert solve(task) == expected
