"""The full-text index as a thing of its own: it holds nothing that cannot be made anew from the turns."""

import sqlite3

from novadesk.store import faults

# The shadow tables of an empty FTS5 index (https://sqlite.org/fts5.html, "The Structure of an FTS5 Index"): averages of
# no rows (id 1), a structure record without a level (id 10), and the version of the format.
_EMPTY = """
DELETE FROM turn_text_data; DELETE FROM turn_text_idx; DELETE FROM turn_text_docsize;
INSERT INTO turn_text_data VALUES (1, x''), (10, x'00000000000000');
DELETE FROM turn_text_config; INSERT INTO turn_text_config VALUES ('version', 4)
"""


def is_whole(db: sqlite3.Connection) -> bool:
    """Say whether the index has exactly the words of the turns; an older schema has none."""
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'turn_text'").fetchone() is None:
        return True
    try:
        db.execute("INSERT INTO turn_text (turn_text, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        if faults.is_index_damage(error) or faults.is_damage(error):
            return False
        raise
    return True


def rebuild(db: sqlite3.Connection) -> None:
    """Make the index anew, in the transaction of `db`."""
    try:
        db.execute("INSERT INTO turn_text (turn_text) VALUES ('rebuild')")
    except sqlite3.DatabaseError as error:
        if not faults.is_index_damage(error):
            raise
        for statement in _EMPTY.split(";"):  # Not even its own table of contents can be read.
            db.execute(statement)
        db.execute("INSERT INTO turn_text (turn_text) VALUES ('rebuild')")


def merge(db: sqlite3.Connection) -> None:
    """Make the index one piece: until then it only notes which words are gone."""
    db.execute("INSERT INTO turn_text (turn_text) VALUES ('optimize')")


def touch(db: sqlite3.Connection) -> None:
    """Read the beginning of the index.

    Raises:
        sqlite3.DatabaseError: it is damaged there.
    """
    db.execute("SELECT rowid FROM turn_text WHERE turn_text MATCH 'a' LIMIT 1").fetchone()
