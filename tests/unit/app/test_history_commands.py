"""The commands that delete, and the way back; and what a conversation is begun with on its way to the wire."""

import asyncio
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from novadesk.app.core import Core
from novadesk.app.remotecopy import FreshArchive
from novadesk.cli import main
from novadesk.config import Settings
from novadesk.conversation.api import Snapshot
from novadesk.models import Conversation
from novadesk.paths import find_folders
from novadesk.scenario import Chosen
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation, make_turn

TEA = Chosen(name="tea", title="Tea", prompt="Chat about tea.", voice="tina")


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
    made = [make_conversation(START_MS + place, title=title) for place, title in enumerate(("Star", "Plain"))]

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


@pytest.mark.parametrize("place", ["on disk", "begun now", "another"])
def test_the_open_conversation_says_how_a_wire_session_opens(place: str) -> None:
    made = make_conversation(scenario=TEA.encode() if place == "on disk" else "")
    core = Core(settings=Settings(), folders=find_folders(), publish=lambda _: None, on_quit=lambda: None)
    core.controller = cast(Any, SimpleNamespace(snapshot=lambda: Snapshot(conversation=made)))
    core._begun = {made.handle if place == "begun now" else make_conversation().handle: TEA.encode()}
    voice = core._settings_now().voice
    assert voice == (Settings().voice if place == "another" else TEA.voice_settings(Settings().voice))


async def test_what_a_conversation_was_begun_with_reaches_the_disk_with_it(tmp_path: Path) -> None:
    async def freshen(_: Conversation) -> None:
        raise AssertionError("nothing is resumed")

    made = make_conversation()
    async with Database(tmp_path / "novadesk.db") as database:
        archive = FreshArchive(database, freshen, lambda one: f"scenario of {one.handle}")
        await archive.create(made)
        found = await Conversations(database).find(made.handle)
    assert found is not None
    assert found == dataclasses.replace(made, scenario=f"scenario of {made.handle}", sync=found.sync)
