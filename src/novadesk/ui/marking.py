"""Where the words of a search are in a text, whatever their case and diacritics."""

import unicodedata
from collections.abc import Callable

_NOT_WORDS = str.maketrans({'"': " ", "*": " "})


type Marks = tuple[tuple[int, int], ...]


def marks_in(text: str, search: str) -> Marks:
    """Return the places of the words as (first character, one past the last), in order."""
    folded, places = "", []
    for place, character in enumerate(text):
        plain = _folded(character)
        folded += plain
        places += [place] * len(plain)
    marks = set()
    for word in _folded(search.translate(_NOT_WORDS)).split():
        at = folded.find(word)
        while at >= 0:
            marks.add((places[at], places[at + len(word) - 1] + 1))
            at = folded.find(word, at + len(word))
    return tuple(sorted(marks))


def begin_near(text: str, marks: Marks, fits: Callable[[str], bool]) -> tuple[str, Marks]:
    """Return a text and its marks, without the words at its beginning that leave no room for the first mark.

    Args:
        text: one line.
        marks: places in it.
        fits: returns whether there is room for so much of it.
    """
    if not marks or fits(text[: marks[0][1]]):
        return text, marks
    start, past = marks[0]
    for place in reversed(range(start)):
        if text[place] == " ":
            if not fits(f"…{text[place + 1 : past]}"):
                break
            start = place + 1
    return f"…{text[start:]}", tuple((first - start + 1, end - start + 1) for first, end in marks)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in plain if not unicodedata.combining(character))
