"""The history of the real window: changes reach the disk, and what was said is found, resumed and exported."""

import asyncio
import json
import sqlite3
import sys
import time
import zipfile
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from novadesk.app.export import render
from novadesk.models import Format
from novadesk.paths import find_folders
from tests.end2end.test_window_stories import Person
from tests.support.atspi import Place, Reader
from tests.support.daemons import DeskError
from tests.support.desk import Desk
from tests.support.past import remember, remember_much, yesterday_ms
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]

HISTORY, CONVERSATION = "Conversations", "Conversation"


def listed(program: Program) -> list[dict[str, Any]]:
    answer = program.run("history", "list", "--json")
    assert answer.returncode == 0, answer.stderr
    return list(json.loads(answer.stdout))


def on_disk(program: Program) -> list[tuple[str, int]]:
    """Return title and star of every conversation on disk that was not deleted."""
    store = find_folders(home=str(program.home)).database
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        return db.execute("SELECT title, starred FROM conversation WHERE NOT leaving_ms").fetchall()


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def test_a_conversation_is_renamed_starred_and_deleted_by_keys(desk: Desk, tmp_path: Path) -> None:
    with Program(tmp_path / "home", desk.env) as program:
        person = Person(desk, program)
        person.ask("my name is anna", turns=2)
        (row,) = listed(program)

        desk.press("ctrl+f", "Tab", "Tab", "F2")
        desk.type_text("Aspirin call")
        desk.press("Return")
        wait_for(lambda: on_disk(program) == [("Aspirin call", 0)])
        assert [one["title"] for one in listed(program)] == ["Aspirin call"]
        assert desk.find_window("^Aspirin call")  # the open one's title follows

        desk.press("ctrl+d")
        wait_for(lambda: on_disk(program) == [("Aspirin call", 1)])

        desk.press("Delete")
        wait_for(lambda: on_disk(program) == [])
        assert listed(program) == []
        program.wait_for_phase("ready")
        assert person.conversation() != row["handle"]
        program.wait(lambda status: bool(status) and status["pending_sync"] == 0, "delivery of the deletion")
        assert program.quit() == 0


class ScreenReader:
    """What somebody hears who cannot see the window."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._places: dict[str, Place] = {}

    def rows(self, name: str) -> list[tuple[str, str]]:
        """Return what the rows of a list say, and their descriptions; none while it changes."""
        return self._ask(lambda reader, place: reader.rows(place), name) or []

    def chosen(self, name: str) -> tuple[str, str]:
        """Return what the selected row of a list says, and its description; nothing while it changes."""
        return self._ask(lambda reader, place: reader.chosen(place), name) or ("", "")

    def wait_for(self, name: str, words: str) -> tuple[str, str]:
        """Wait until the selected row of a list has these words; return what it says."""
        heard = [("", "")]

        def says() -> bool:
            heard[0] = self.chosen(name)
            return words in heard[0][0]

        wait_for(says)
        return heard[0]

    def _ask[T](self, question: Callable[[Reader, Place], Awaitable[T]], name: str) -> T | None:
        async def ask() -> T | None:
            async with Reader.listening(self._desk.env) as reader:
                try:
                    if name not in self._places:
                        self._places[name] = await reader.find("NovaDesk", "list", name)
                    return await question(reader, self._places[name])
                except LookupError:
                    self._places.pop(name, None)
            return None

        return asyncio.run(ask())


def open_window(desk: Desk, program: Program) -> ScreenReader:
    """Start the program with its window in front; what is stored can be used while the link opens."""
    program.start()
    desk.focus(desk.find_window("NovaDesk$"))
    return ScreenReader(desk)


def test_yesterday_s_conversation_is_resumed_and_the_model_remembers_it(desk: Desk, tmp_path: Path) -> None:
    with Program(tmp_path / "home", desk.env) as program:
        said = ["my name is anna", "Nice to meet you, Anna."]
        yesterday, _ = remember(program.home, yesterday_ms(9), said, title="Aspirin call")
        person, hears = Person(desk, program), ScreenReader(desk)
        assert person.conversation() != yesterday.handle

        desk.press("ctrl+l", "F6")
        wait_for(lambda: ("Yesterday", "") in hears.rows(HISTORY))
        row, when = hears.rows(HISTORY)[-1]
        assert row.startswith("Aspirin call, caring-king-275 · 2 turns")
        assert "9:00" in when

        desk.press("End", "Return")
        program.wait(lambda status: bool(status) and status["conversation"] == yesterday.handle, "yesterday's")
        program.wait_for_phase("ready")
        rows = hears.rows(CONVERSATION)
        assert [row for row, _ in rows[:2]] == ["You: my name is anna (typed)", "Nova: Nice to meet you, Anna."]
        assert ["9:00" in when for _, when in rows[:2]] == [True, True]

        person.write("what is my name")
        turns = program.wait_for_turns(4)
        assert "Anna" in turns[3]["text"]
        assert [turn["text"] for turn in turns[:2]] == said
        assert program.quit() == 0


def test_what_was_said_is_found_and_exported_by_keyboard(desk: Desk, tmp_path: Path) -> None:
    novadesk = ("env", "--chdir", str(tmp_path), sys.executable, "-m", "novadesk")
    with Program(tmp_path / "home", desk.env, novadesk) as program:
        talks = [
            remember(program.home, yesterday_ms(8), ["which product", "Aspirin, a hundred a day."]),
            remember(program.home, yesterday_ms(9), ["what is three plus four", "Seven."]),
        ]
        hears = open_window(desk, program)

        desk.press("ctrl+f")
        desk.type_text("aspir")
        wait_for(lambda: "caring-king-275, Nova: Aspirin, a hundred a day." in [row for row, _ in hears.rows(HISTORY)])
        desk.press("Tab", "Tab", "End")
        page = tmp_path / "talk.html"
        export(desk, page, "w")  # the web page, by its first letter
        assert page.read_text() == render(*talks[0], Format.PAGE)
        assert "Aspirin, a hundred a day." in page.read_text()

        desk.press("Return")
        assert hears.wait_for(CONVERSATION, "Aspirin")[0] == "Nova: Aspirin, a hundred a day."

        desk.press("ctrl+f", "ctrl+a", "Delete", "Tab", "Tab")
        wait_for(lambda: sum("2 turns" in row for row, _ in hears.rows(HISTORY)) == 2)
        desk.press("ctrl+a")
        packed = tmp_path / "talks.zip"
        export(desk, packed, "m")
        with zipfile.ZipFile(packed) as archive:
            texts = {archive.read(name).decode() for name in archive.namelist()}
        assert texts >= {render(*talk, Format.MARKDOWN) for talk in talks}
        assert program.quit() == 0


def export(desk: Desk, target: Path, form: str) -> None:
    """Export what is selected into the program's folder, all by keyboard; `form` is the key that chooses the format.

    A name has nothing to complete it. For a path Qt's dialog reads its folders, and the list of them, which comes late
    on a busy computer, may take the Return that was meant for the name.
    """
    desk.press("ctrl+shift+e")
    desk.focus(desk.find_window("^Export$"))
    desk.press(form, "Return")
    desk.focus(desk.find_window("^Save as$"))
    desk.press("ctrl+a")
    desk.type_text(target.name)
    desk.press("Return")
    wait_for(target.exists)
    desk.focus(desk.find_window("^Export$"))
    desk.press("Escape")
    wait_for(lambda: not is_shown(desk, "^Export$"))
    desk.focus(desk.find_window("NovaDesk$"))


def is_shown(desk: Desk, title: str) -> bool:
    """Say whether a window has this title."""
    with suppress(DeskError):
        return bool(desk.run("xdotool", "search", "--onlyvisible", "--name", title))
    return False


def test_a_conversation_of_100000_turns_is_opened_searched_and_walked(desk: Desk, tmp_path: Path) -> None:
    with Program(tmp_path / "home", desk.env) as program:
        said = ("the quokka of Rottnest" if place == 41_236 else f"turn number {place}" for place in range(100_000))
        remember_much(program.home, yesterday_ms(9), said, title="Endless")
        hears = open_window(desk, program)

        desk.press("ctrl+f")
        desk.type_text("quokka")
        wait_for(lambda: "Endless, You: the quokka of Rottnest" in [row for row, _ in hears.rows(HISTORY)])
        desk.press("Tab", "Tab", "End", "Return")
        found, when = hears.wait_for(CONVERSATION, "quokka")
        assert found == "You: the quokka of Rottnest"
        assert "9:00" in when

        desk.press("Home")
        hears.wait_for(CONVERSATION, "turn number 0")
        desk.press("End")
        hears.wait_for(CONVERSATION, "Recovered 100,000 turns")
        desk.press("Up")
        hears.wait_for(CONVERSATION, "Nova: turn number 99999")
        assert program.quit() == 0
