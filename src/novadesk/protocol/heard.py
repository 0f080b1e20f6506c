"""How much of a text was heard, from the share of its speech that was played. Pure.

Speech is laid out over the text as voices do it: a word takes the time of its letters and the step to the next word, a
punctuation mark a pause, and some silence lies before and after. The weights, in letters, are those that fit the word
times of a synthetic voice best (festival, cmu_us_slt_arctic, ten sentences): 75 % of all cuts hit the very word and
none is off by more than one, where a plain share of the characters hits 44 % and misses by two in 3 %.
"""

from itertools import accumulate

_STEP = 1.0
_PAUSE = 2.0
_BEFORE = 1.0
_AFTER = 3.0
_MARKS = frozenset(",;:.!?…—")


def heard_length(text: str, share: float, planned: str = "") -> int:
    """Return how many characters of `text` the share stands for, at the end of a word or 0.

    A word counts once its middle was played. Text of a script without spaces is cut at the character.

    Args:
        text: what was said.
        share: of its speech, 0 to 1.
        planned: what the speech was made for. On a barge-in `text` may be shorter, while the speech covers the whole.
    """
    if share >= 1.0:
        return len(text)
    whole = planned if len(planned) > len(text) else text
    if not text.isascii() and len(text.split()) == 1:
        return min(len(text), int(share * len(whole)))
    played = share * _length(whole)
    end = 0
    for word, middle in zip(text.split(), _middles(text), strict=True):
        if middle > played:
            break
        end = text.index(word, end) + len(word)
    return end


def _weight(word: str) -> float:
    return _STEP + sum(character.isalnum() for character in word)


def _pause(word: str) -> float:
    return _PAUSE if word[-1] in _MARKS else 0.0


def _length(text: str) -> float:
    words = text.split()
    return _BEFORE + _AFTER + sum(map(_weight, words)) + sum(map(_pause, words[:-1]))


def _middles(text: str) -> list[float]:
    words = text.split()
    ends = accumulate(_weight(word) + _pause(word) for word in words)
    return [_BEFORE + end - _pause(word) - _weight(word) / 2 for word, end in zip(words, ends, strict=True)]
