"""What of the history the person wants to see, as conditions in SQL."""

import re
import sqlite3
import unicodedata
from functools import lru_cache

from novadesk.models import Choices, Filter
from novadesk.protocol.history import well_formed

MOST_WORDS = 32
"""Words of one search that count. More would cost time and find nothing more."""

_INTERRUPTED = "EXISTS (SELECT 1 FROM turn t WHERE t.conversation = c.number AND t.interrupted)"
_VOICE = "EXISTS (SELECT 1 FROM turn t WHERE t.conversation = c.number AND t.voice <> '' AND t.voice = :voice)"
_TOOL = (
    "EXISTS (SELECT 1 FROM turn t WHERE t.conversation = c.number AND t.tools <> ''"
    " AND instr(' ' || t.tools || ' ', ' ' || :tool || ' '))"
)
_SHOWN_TURNS = "FROM turn JOIN conversation c ON c.number = turn.conversation WHERE NOT c.leaving_ms"
_MARKS = re.compile(r'["*\0]')

type Condition = tuple[str, dict[str, object]]
"""A condition over the columns of `conversation c`, and its values."""


def condition(name: str, only: Filter) -> Condition:
    """Return what a conversation has to keep to be shown; every word of `name` is in its title or label."""
    looked_for = fold(_MARKS.sub(" ", well_formed(name))).split()[:MOST_WORDS]
    words = {f"word{number}": word for number, word in enumerate(looked_for)}
    parts = ["NOT c.leaving_ms", *(f"instr(folded(c.title, c.label), :{key})" for key in words), *_kinds(only)]
    parts += ["c.updated_ms >= :since_ms"] if only.since_ms is not None else []
    parts += ["c.updated_ms < :until_ms"] if only.until_ms is not None else []
    return " AND ".join(parts), words | _values(only)


def turn_condition(only: Filter) -> Condition:
    """Return which numbers of turns a search may find; an empty condition is for all that are shown at all."""
    kinds = _kinds(only)
    times = ["turn.at_ms >= :since_ms"] if only.since_ms is not None else []
    times += ["turn.at_ms < :until_ms"] if only.until_ms is not None else []
    if not kinds and not times:
        return (
            "rowid NOT IN (SELECT number FROM turn WHERE conversation IN"
            " (SELECT number FROM conversation WHERE leaving_ms))",
            {},
        )
    kept = " AND ".join(["NOT c.leaving_ms", *kinds])
    chosen = " AND ".join([f"conversation IN (SELECT c.number FROM conversation c WHERE {kept})", *times])
    return f"rowid IN (SELECT turn.number FROM turn WHERE {chosen})", _values(only)


def choices(db: sqlite3.Connection) -> Choices:
    """Return the voices and tools that something is shown of."""
    voices = db.execute(f"SELECT DISTINCT turn.voice {_SHOWN_TURNS} AND turn.voice <> ''")
    tools = db.execute(f"SELECT DISTINCT turn.tools {_SHOWN_TURNS} AND turn.tools <> ''")
    return Choices(
        voices=tuple(sorted(row["voice"] for row in voices)),
        tools=tuple(sorted({tool for row in tools for tool in row["tools"].split()})),
    )


def teach(db: sqlite3.Connection) -> None:
    """Have a connection know `folded`, which these conditions use."""
    db.create_function("folded", 2, _folded_name, deterministic=True)


@lru_cache(maxsize=20_000)
def fold(text: str) -> str:
    """Return text as it is compared: case and diacritics make no difference, as they make none in the index."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text.casefold()).casefold())  # 𝗔 is A is a
    return "".join(character for character in plain if not unicodedata.combining(character))


def _folded_name(title: str, label: str) -> str:
    return f"{fold(title)} {fold(label)}"


def _kinds(only: Filter) -> list[str]:
    parts = ["c.starred"] if only.starred else []
    parts += [_INTERRUPTED] if only.interrupted else []
    parts += [_VOICE] if only.voice else []
    parts += [_TOOL] if only.tool else []
    return parts + (["c.backend = :backend"] if only.backend else [])


def _values(only: Filter) -> dict[str, object]:
    given = {
        "backend": only.backend.value if only.backend else None,
        "voice": only.voice or None,
        "tool": only.tool or None,
        "since_ms": only.since_ms,
        "until_ms": only.until_ms,
    }
    return {name: value for name, value in given.items() if value is not None}
