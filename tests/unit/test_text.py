"""Sentences that remember how they were made."""

import copy
import json
import pickle

import pytest

from novadesk.errors import KnownError, Reason
from novadesk.text import Text, packed, unpacked


def test_text_reads_as_english_and_remembers_its_template() -> None:
    text = Text("{n} of {whole} took {s} s at port {port}", n=1234, whole=5, s=0.9, port="8080")
    assert text == "1,234 of 5 took 0.9 s at port 8080"
    assert json.dumps([text]) == '["1,234 of 5 took 0.9 s at port 8080"]'
    assert (text.template, text.many) == ("{n} of {whole} took {s} s at port {port}", "")
    assert dict(text.values) == {"n": 1234, "whole": 5, "s": 0.9, "port": "8080"}


@pytest.mark.parametrize(("n", "words"), [(0, "0 turns of a"), (1, "1 turn of a"), (2000, "2,000 turns of a")])
def test_counted_text_has_the_form_of_its_number(n: int, words: str) -> None:
    text = Text.counted("1 turn of {who}", "{n} turns of {who}", n, who="a")
    assert text == words
    assert (text.template, text.many, text.values["n"]) == ("1 turn of {who}", "{n} turns of {who}", n)


def test_text_without_values_keeps_its_braces() -> None:
    assert Text("a {dict}") == "a {dict}"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda text: pickle.loads(pickle.dumps(text))])
def test_a_copy_remembers_as_well(copied: object) -> None:
    text = Text.counted("1 {x}", "{n} {x}s", 3, x="cat")
    again = copied(text)  # type: ignore[operator]
    assert (again, again.template, again.many, again.values) == (text, text.template, text.many, text.values)


def test_known_error_fills_both_sentences() -> None:
    error = KnownError(Reason.FILE_MISSING, "There is no file {file}.", "Make {file}.", file="a{b}")
    assert str(error) == "There is no file a{b}. Make a{b}."
    assert isinstance(error.what, Text)
    assert isinstance(error.advice, Text)
    assert error.advice.template == "Make {file}."


def test_a_text_comes_whole_out_of_another_process() -> None:
    inner = Text("no reason given")
    text = Text("{host} refused ({why}) {n} times.", host="a\x1fb", why=inner, n=2)
    again = unpacked(packed(text))
    assert isinstance(again, Text)
    assert (again, again.template, again.values) == (text, text.template, text.values)
    assert isinstance(again.values["why"], Text)
    assert unpacked(packed("a plain one")) == "a plain one"
    with pytest.raises(ValueError, match="no text"):
        unpacked(packed(text)[:5] + "3")


def test_joined_sentences_leave_out_the_empty_ones() -> None:
    text = Text.joined(Text("One {n}.", n=1), "", Text("Two."))
    assert text == "One 1. Two."
    assert [getattr(part, "template", "") for part in text.values.values()] == ["One {n}.", "Two."]
