"""The names of a conversation in the store: read and merged, last writer by time."""

import sqlite3

from novadesk.store.metadata import Names, newest_names


def read_names(db: sqlite3.Connection, handle: str) -> Names:
    """Return the names of a conversation with their times; empty ones when it is not there."""
    row = db.execute(
        "SELECT title, titled_ms, label, labelled_ms, starred, starred_ms FROM conversation WHERE handle = ?", (handle,)
    ).fetchone()
    if row is None:
        return Names()
    return Names(
        title=row["title"],
        titled_ms=row["titled_ms"],
        label=row["label"],
        labelled_ms=row["labelled_ms"],
        starred=bool(row["starred"]),
        starred_ms=row["starred_ms"],
    )


def next_name_ms(db: sqlite3.Connection, handle: str, now_ms: int) -> int:
    """Return a time for a new name that is later than every name here: another machine's clock may be ahead."""
    names = read_names(db, handle)
    return max(now_ms, max(names.titled_ms, names.labelled_ms, names.starred_ms) + 1)


def merge_names(db: sqlite3.Connection, handle: str, there: Names) -> bool:
    """Take over each name that was given later elsewhere; return whether anything changed here."""
    here = read_names(db, handle)
    names = newest_names(here, there)
    if names == here:
        return False
    return bool(
        db.execute(
            "UPDATE conversation SET title = ?, titled_ms = ?, label = ?, labelled_ms = ?, starred = ?, starred_ms = ?"
            " WHERE handle = ?",
            (
                names.title,
                names.titled_ms,
                names.label,
                names.labelled_ms,
                names.starred,
                names.starred_ms,
                handle,
            ),
        ).rowcount
    )
