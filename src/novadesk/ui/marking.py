"""Where the words of a search are in a text, whatever their case and diacritics."""

import unicodedata

_NOT_WORDS = str.maketrans({'"': " ", "*": " "})


def marks_in(text: str, search: str) -> tuple[tuple[int, int], ...]:
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


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in plain if not unicodedata.combining(character))
