"""The history pane of the real window: rename, star and delete reach the disk and the remote store."""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from novadesk.paths import find_folders
from tests.end2end.test_window_stories import Person
from tests.support.desk import Desk
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]


def listed(program: Program) -> list[dict[str, Any]]:
    answer = program.run("history", "list", "--json")
    assert answer.returncode == 0, answer.stderr
    return list(json.loads(answer.stdout))


def starred(program: Program) -> list[int]:
    """Return the star of every conversation, as it is on disk."""
    store = find_folders(home=str(program.home)).database
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        return [star for (star,) in db.execute("SELECT starred FROM conversation")]


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def wait_for_list(program: Program, condition: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def met() -> bool:
        rows[:] = listed(program)
        return condition(rows)

    wait_for(met)
    return rows


def test_a_conversation_is_renamed_starred_and_deleted_by_keys(desk: Desk, tmp_path: Path) -> None:
    with Program(tmp_path / "home", desk.env) as program:
        person = Person(desk, program)
        person.ask("my name is anna", turns=2)
        (row,) = listed(program)

        desk.press("ctrl+f", "Tab", "Tab", "F2")
        desk.type_text("Aspirin call")
        desk.press("Return")
        wait_for_list(program, lambda rows: [one["title"] for one in rows] == ["Aspirin call"])
        assert desk.find_window("^Aspirin call")  # the open one's title follows

        desk.press("ctrl+d")
        wait_for(lambda: starred(program) == [1])

        desk.press("Delete")
        wait_for_list(program, lambda rows: rows == [])
        program.wait_for_phase("ready")
        assert person.conversation() != row["handle"]
        program.wait(lambda status: bool(status) and status["pending_sync"] == 0, "delivery of the deletion")
        assert program.quit() == 0
