"""Find turns by their words. Whatever a person types is a search; nothing of it is taken for the index's own language.

Words are looked for whole, the last one also as the beginning of a word; `word*` asks for a beginning, "some words" for
just these in this order. Case and diacritics make no difference.
"""

import re
import sqlite3
from collections.abc import Iterator

from novadesk.errors import BugError
from novadesk.models import EVERYTHING, Filter, Found
from novadesk.protocol.history import well_formed
from novadesk.store.filtering import MOST_WORDS, turn_condition
from novadesk.store.rows import TURN_COLUMNS, TURN_TABLES, find_conversation, turn_of

_SNIPPET_WORDS = 16
# Noncharacters of Unicode: no text that is exchanged holds them.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_PIECE = re.compile(r'"([^"]*)"(\*?)|([^\s"]+)')
_QUERY = f"""
WITH hit AS (
  SELECT rowid AS number, snippet(turn_text, 0, '{_OPEN}', '{_CLOSE}', '…', {_SNIPPET_WORDS}) AS snippet
  FROM turn_text WHERE turn_text MATCH :query AND {{wanted}} ORDER BY rowid DESC LIMIT :limit OFFSET :offset
)
SELECT {TURN_COLUMNS}, hit.snippet AS snippet FROM hit JOIN ({TURN_TABLES}) ON turn.number = hit.number
ORDER BY hit.number DESC
"""


def make_query(text: str) -> str:
    """Return a person's words in the language of the index; empty when there is nothing to look for."""
    pieces = list(_pieces(well_formed(text).replace("\0", " ")))[:MOST_WORDS]
    if pieces and not pieces[-1].endswith(("*", " ")):
        pieces[-1] += "*"
    return " ".join(pieces)


def search(db: sqlite3.Connection, text: str, limit: int, offset: int, only: Filter = EVERYTHING) -> tuple[Found, ...]:
    """Return turns that match, those written last first."""
    if not (query := make_query(text)):
        return ()
    found, conversations = [], {}
    wanted, values = turn_condition(only)
    values |= {"query": query, "limit": limit, "offset": offset}
    for row in db.execute(_QUERY.format(wanted=wanted), values):
        turn = turn_of(row)
        if turn.conversation not in conversations:
            conversations[turn.conversation] = find_conversation(db, turn.conversation)
        conversation = conversations[turn.conversation]
        if conversation is None:
            raise BugError("a turn without its conversation")
        snippet, marks = _split(row["snippet"])
        found.append(Found(conversation=conversation, turn=turn, snippet=snippet, marks=marks))
    return tuple(found)


def _pieces(text: str) -> Iterator[str]:
    """Yield each phrase and word quoted; a phrase ends in a blank unless it asks for a beginning."""
    for match in _PIECE.finditer(text):
        phrase, star, word = match.groups()
        if phrase is not None:
            if _has_words(phrase):
                yield f'"{phrase}"{star or " "}'
        elif _has_words(word):
            yield f'"{word.rstrip("*")}"{"*" if word.endswith("*") else ""}'


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _split(marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return a snippet without its marks, and where they were."""
    plain, marks, begun = "", [], None
    for part in re.split(f"([{_OPEN}{_CLOSE}])", marked):
        if part == _OPEN:
            begun = len(plain)
        elif part == _CLOSE:
            if begun is not None and begun < len(plain):
                marks.append((begun, len(plain)))
            begun = None
        else:
            plain += part
    return plain, tuple(marks)
