"""What lies on disk, here and at the remote store, after a kill; and what is wrong with it."""

import contextlib
import shutil
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.renewal_rig import remote_steps

LEAST_HISTORY = 190


@dataclass(frozen=True, slots=True)
class Row:
    """A turn on disk."""

    id: str
    position: int
    role: str
    text: str
    heard: str
    unconfirmed: bool


def on_disk(file: Path) -> list[Row]:
    """Return the turns as a kill left them. A copy is opened, so that mending the file is left to the app."""
    if not file.exists():
        return []
    with TemporaryDirectory() as folder:
        for part in file.parent.glob(f"{file.name}*"):
            if not part.name.endswith("-shm"):
                shutil.copy(part, folder)
        with contextlib.closing(sqlite3.connect(Path(folder) / file.name)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the store is broken"
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'turn'").fetchone():
                return []
            rows = db.execute(
                "SELECT turn_id, position, role, text, coalesce(substr(text, 1, heard_chars), text), unconfirmed "
                "FROM turn ORDER BY conversation, position"
            ).fetchall()
    return [Row(*row) for row in rows]


def check_record(rows: list[Row], shown: dict[str, str], asked: list[str]) -> list[str]:
    """Return what is wrong: with what was shown as final, with what was asked, with the order, or with doubles.

    Args:
        rows: the turns on disk.
        shown: heard text by id of every turn that was shown as final before the kill.
        asked: questions that were taken, in order; the last one may have been in flight.
    """
    kept = {row.id: row for row in rows}
    wrong = [f"{text!r} was shown as final and is lost" for turn_id, text in shown.items() if turn_id not in kept]
    wrong += [
        f"{text!r} was shown as final and is {kept[turn_id].heard!r} now"
        for turn_id, text in shown.items()
        if turn_id in kept and not kept[turn_id].heard.startswith(text)
    ]
    texts = Counter(row.text for row in rows if not row.unconfirmed)  # the heard beginnings of answers may be alike
    wrong += [f"{text!r} is stored {count} times" for text, count in texts.items() if count > 1]
    wrong += [f"{text!r} was asked before the last question and is lost" for text in asked[:-1] if text not in texts]
    if [row.position for row in rows] != list(range(len(rows))):
        wrong.append(f"the positions have holes: {[row.position for row in rows]}")
    numbers = [asked.index(row.text) for row in rows if row.text in asked]
    if numbers != sorted(numbers):
        wrong.append("the questions are stored in another order")
    return wrong


def check_history(history: list[str], rows: list[Row]) -> list[str]:
    """Return what is wrong with the history that the model was given, when `rows` were on disk.

    The newest that fits may be less than all, but begins with the person. A question without an answer may be missing
    at the end: it is asked again.
    """
    rows = [row for row in rows if row.heard.strip()]  # the model is told nothing of an answer that nobody heard
    whole = [row.heard for row in rows]
    ends = [len(rows), len(rows) - 1] if rows and rows[-1].role == "user" else [len(rows)]
    for end in ends:
        begin = end - len(history)
        fits = begin >= 0 and history == whole[begin:end]
        if fits and (begin == 0 or (len(history) >= LEAST_HISTORY and rows[begin].role == "user")):
            return []
    return [f"the model was told {len(history)} of {len(whole)} lines, the last ones {history[-3:]}"]


def check_remote(file: Path, rows: list[Row]) -> list[str]:
    """Return what is wrong with the remote store once everything is delivered."""
    remote = remote_steps(file)
    local = [(row.id, row.text) for row in rows]
    wrong = []
    if remote != local:
        only_here = [text for turn, text in local if (turn, text) not in remote]
        only_there = [text for turn, text in remote if (turn, text) not in local]
        wrong.append(f"remote and local differ: only here {only_here[:5]}, only there {only_there[:5]}, or in order")
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        sessions: list[Any] = db.execute("SELECT status FROM session").fetchall()
    if len(sessions) != 1:
        wrong.append(f"{len(sessions)} remote sessions stand for one conversation")
    return wrong
