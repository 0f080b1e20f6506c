"""A conversation as a table for spreadsheets: RFC 4180, with every cell quoted, and no cell that is a formula.

What stands in quotes cannot end its cell early, whatever a spreadsheet takes for the separator, and an apostrophe
before `=`, `+`, `-`, `@` and the like keeps a cell from being run (https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io
from collections.abc import Sequence

from novadesk.app.export_words import SPEAKERS, iso, name_of
from novadesk.models import Conversation, Turn
from novadesk.protocol.history import well_formed

COLUMNS = (
    "conversation",
    "number",
    "at",
    "seconds",
    "speaker",
    "text",
    "interrupted",
    "unconfirmed",
    "typed",
    "edited",
    "voice",
    "tools",
)

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four are their wide forms
_CONTROL = ("\t", "\r", "\n")


def table(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """Return the document; `seconds` are counted from the beginning of the conversation."""
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for number, turn in enumerate(turns, 1):
        writer.writerow(
            (
                guarded(name_of(conversation)),
                number,
                iso(turn.at_ms),
                f"{max(0, turn.at_ms - conversation.created_ms) / 1000:.3f}",
                SPEAKERS[turn.role],
                guarded(turn.shown_text),
                *(
                    "yes" if mark else "no"
                    for mark in (turn.interrupted, turn.unconfirmed, turn.typed, turn.edited is not None)
                ),
                guarded(turn.voice),
                guarded(" ".join(turn.tools)),
            )
        )
    return stream.getvalue()


def guarded(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: one that looks like it gets an apostrophe in front."""
    text = well_formed(text)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_CONTROL) else text
