"""The commands that delete, and the way back."""

import asyncio
import json
from pathlib import Path

import pytest

from novadesk.cli import main
from novadesk.models import BackendKind, Conversation, Role
from novadesk.paths import find_folders
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation, make_turn


class Line:
    """The command line, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], stored: list[Conversation]) -> None:
        self._capsys, self.stored = capsys, stored

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["history", *arguments])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def here(self) -> set[str]:
        return {one["title"] for one in json.loads(self.run("list", "--json")[1])}


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Line:
    """Two conversations with remote copies, the first one with a star."""
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "home"))
    made = [
        make_conversation(START_MS + place, title=title, backend=BackendKind.BEDROCK)
        for place, title in enumerate(("Star", "Plain"))
    ]

    async def fill() -> None:
        async with Database(find_folders().make().database) as database:
            archive = Conversations(database)
            for one in made:
                await archive.create(one)
                await archive.append(make_turn(one.handle))
                await database.run(
                    lambda db, handle=one.handle: (
                        db.execute(
                            "INSERT INTO remote_session (handle, generation, state, created_ms)"
                            " VALUES (?, 0, 'bound', 0)",
                            (handle,),
                        ).rowcount
                    )
                )
            await archive.star(made[0].handle, True, START_MS)

    asyncio.run(fill())
    return Line(capsys, made)


def wishes() -> list[str]:
    async def read() -> list[str]:
        async with Database(find_folders().database, read_only=True) as database:
            query = "SELECT conversation FROM outbox WHERE kind = 'delete'"
            return await database.read(lambda db: [row[0] for row in db.execute(query)])

    return asyncio.run(read())


def test_what_was_deleted_can_be_brought_back(line: Line) -> None:
    handle = line.stored[1].handle
    assert line.run("delete", handle, "--undoable") == (0, "", "")
    assert line.here() == {"Star"}
    assert "no such conversation" in line.run("export", handle)[2]
    assert json.loads(line.run("undelete", handle, "--json")[1]) == {"done": True, "handle": handle}
    assert line.here() == {"Star", "Plain"}
    assert line.run("undelete", handle)[0] == 2


def test_the_remote_copy_stays_when_that_is_said(line: Line) -> None:
    first, second = (one.handle for one in line.stored)
    assert line.run("delete", first, "--here-only")[0] == 0
    assert (line.here(), wishes()) == ({"Plain"}, [])
    assert line.run("delete", second)[0] == 0
    assert (line.here(), wishes()) == (set(), [second])


def test_all_are_deleted_only_when_that_is_said_twice(line: Line) -> None:
    code, _, why = line.run("clear", "--keep-starred")
    assert (code, "--yes" in why, line.here()) == (2, True, {"Star", "Plain"})
    told = json.loads(line.run("clear", "--keep-starred", "--here-only", "--yes", "--json")[1])
    assert told == {"done": True, "keep_starred": True, "here_only": True, "deleted": 1}
    assert (line.here(), wishes()) == ({"Star"}, [])
    assert line.run("clear", "--yes")[0] == 0
    assert (line.here(), wishes()) == (set(), [line.stored[0].handle])


def test_where_nothing_is_there_is_nothing_to_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "home"))
    assert Line(capsys, []).run("clear", "--yes", "--json")[0] == 0


def test_list_and_search_are_narrowed_to_a_voice_and_a_tool(line: Line) -> None:
    async def speak() -> None:
        async with Database(find_folders().database) as database:
            for one, voice, tools in zip(line.stored, ("amy", "tina"), ((), ("current_time",)), strict=True):
                await Conversations(database).append(
                    make_turn(one.handle, "Noon.", START_MS + 9, role=Role.ASSISTANT, voice=voice, tools=tools)
                )

    asyncio.run(speak())

    def titles(*arguments: str) -> list[str]:
        code, out, _ = line.run(*arguments, "--json")
        assert code == 0
        return [one["title"] for one in json.loads(out)]

    assert titles("list", "--voice", "amy") == ["Star"]
    assert titles("list", "--tool", "current_time") == ["Plain"]
    assert titles("list", "--tool", "current_time", "--voice", "amy") == []
    assert titles("search", "noon", "--voice", "Tina") == ["Plain"]
    assert titles("search", "noon", "--tool", "sums") == []
    assert titles("search", "noon") == ["Plain", "Star"]
    turns = json.loads(line.run("show", line.stored[1].handle, "--json")[1])
    assert [(turn["voice"], turn["tools"]) for turn in turns] == [("", []), ("tina", ["current_time"])]
