"""Sums in words: "what is three plus four". Pure."""

import re
from dataclasses import dataclass
from fractions import Fraction

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {word: value for value, word in enumerate(_ONES)} | {word: 20 + 10 * n for n, word in enumerate(_TENS)}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
_SOUND_ALIKES = {
    "for": "four", "fore": "four", "to": "two", "too": "two", "won": "one", "ate": "eight", "tree": "three",
    "sex": "six", "nein": "nine", "tan": "ten", "oh": "zero",
}  # fmt: skip
_SIGNS = {"plus": "+", "minus": "-", "less": "-", "times": "*", "multiplied": "*", "divided": "/", "over": "/"}
_DIGITS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_MOST_TERMS = 8
_MOST = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A sum in the order it was said: one more term than signs."""

    terms: tuple[Fraction, ...]
    signs: tuple[str, ...]


def is_number(word: str) -> bool:
    """Return whether a word is a number: digits or a number word."""
    return word in _SCALES or all(part in _VALUES for part in word.split("-")) or bool(_DIGITS.fullmatch(word))


def find_sum(sentence: str) -> Sum | None:
    """Return the sum in a plain sentence (lower case words), or None.

    Next to a sign, words that sound like a number are taken for it: "three plus for" is three plus four.
    """
    words = sentence.split()
    adding = "add" in words and not any(word in _SIGNS for word in words)
    signs = _SIGNS | ({"and": "+", "to": "+"} if adding else {})
    words = [_mend(words, at, signs) for at in range(len(words))]
    terms: list[Fraction] = []
    found: list[str] = []
    number: list[str] = []
    for word in [*words, ""]:
        if is_number(word) or (word == "and" and number and not adding):
            number.append(word)
            continue
        if number:
            if len(terms) != len(found):
                terms, found = [], []
            terms.append(_value(number))
            number = []
        if word in signs and len(terms) == len(found) + 1:
            found.append(signs[word])
    found = found[: max(0, len(terms) - 1)]
    if not found or len(terms) > _MOST_TERMS or len(terms) != len(found) + 1:
        return None
    return Sum(terms=tuple(terms), signs=tuple(found))


def solve(task: Sum) -> Fraction | None:
    """Return the result, multiplication before addition; None for a division by zero."""
    terms, signs = [task.terms[0]], []
    for sign, term in zip(task.signs, task.terms[1:], strict=True):
        if sign == "*":
            terms[-1] *= term
        elif sign == "/":
            if term == 0:
                return None
            terms[-1] /= term
        else:
            signs.append(sign)
            terms.append(term)
    result = terms[0]
    for sign, term in zip(signs, terms[1:], strict=True):
        result = result + term if sign == "+" else result - term
    return result


def say_sum(task: Sum) -> str:
    """Return the sum and its result as one spoken sentence."""
    names = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
    said = say_number(task.terms[0])
    for sign, term in zip(task.signs, task.terms[1:], strict=True):
        said += f" {names[sign]} {say_number(term)}"
    result = solve(task)
    if result is None:
        return "Nobody can divide by zero, and neither can I."
    if abs(result) > _MOST:
        return "That number is too large for me."
    exact = result.denominator == 1 or (result * 100).denominator == 1
    return f"{said[0].upper()}{said[1:]} is {'' if exact else 'about '}{say_number(result)}."


def say_number(number: Fraction) -> str:
    """Return a number as it is spoken: words below a million, digits with at most two decimals otherwise."""
    if number.denominator != 1 or abs(number) >= 1_000_000:
        return f"{float(number):.2f}".rstrip("0").rstrip(".")
    whole = int(number)
    return f"minus {_words(-whole)}" if whole < 0 else _words(whole)


def _words(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")
    scale, name = (1_000, "thousand") if number >= 1_000 else (100, "hundred")
    many, rest = divmod(number, scale)
    if not rest:
        return f"{_words(many)} {name}"
    return f"{_words(many)} {name} {'and ' if rest < 100 else ''}{_words(rest)}"


def _mend(words: list[str], at: int, signs: dict[str, str]) -> str:
    word = words[at]
    if word not in _SOUND_ALIKES or word in signs:
        return word
    before = words[at - 1] if at else ""
    if before == "by" and at > 1:
        before = words[at - 2]
    after = words[at + 1] if at + 1 < len(words) else ""
    return _SOUND_ALIKES[word] if before in signs or after in signs else word


def _value(words: list[str]) -> Fraction:
    """Return the value of number words: "two hundred and five" is 205."""
    total = Fraction(0)
    part = Fraction(0)
    for word in words:
        if word == "and":
            continue
        if word == "hundred":
            part = (part or Fraction(1)) * 100
        elif word in _SCALES:
            total += (part or Fraction(1)) * _SCALES[word]
            part = Fraction(0)
        elif _DIGITS.fullmatch(word):
            part += Fraction(word)
        else:
            part += sum(_VALUES[piece] for piece in word.split("-"))
    return total + part
