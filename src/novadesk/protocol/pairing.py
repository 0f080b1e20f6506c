"""Which planned texts a FINAL text stands for. Identifiers cannot tell: each stage has its own `contentId`."""

from collections.abc import Sequence


def match(planned: Sequence[str], spoken: str) -> range | None:
    """Return the indexes of the `planned` texts that `spoken` stands for, or None when it resembles none of them.

    The earliest resemblance wins. One FINAL text may stand for several planned ones in a row, and the last of them may
    be cut short. Case, spaces and punctuation do not count.
    """
    wanted = _letters(spoken)
    if not wanted:
        return None
    keys = [_letters(text) for text in planned]
    for start, key in enumerate(keys):
        if not key:
            continue
        if key.startswith(wanted):
            return range(start, start + 1)
        if wanted.startswith(key):
            return range(start, _end_of_row(keys, start, wanted))
    return None


def _end_of_row(keys: Sequence[str], start: int, wanted: str) -> int:
    rest = wanted[len(keys[start]) :]
    end = start + 1
    while rest and end < len(keys):
        key = keys[end]
        if rest.startswith(key):
            rest = rest[len(key) :]
        elif key.startswith(rest):
            rest = ""
        else:
            break
        end += 1
    return end


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
