"""What the running core does around a deletion: the open conversation is ended first, and all who watch are told."""

import dataclasses
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from novadesk.app.clock import SystemClock
from novadesk.app.shelf import OpenShelf
from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, Format
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation, make_turn


class Shelf(OpenShelf):
    """Two stored conversations, the first one open, and a list of what others were told."""

    def __init__(self, database: Database) -> None:
        self.told: list[str] = []
        self.made = [make_conversation(START_MS + place) for place in range(2)]
        self.open: Conversation | None = self.made[0]
        self._archive = Conversations(database)
        self._clock = SystemClock()
        self._caretaker = self._stand_in(hurry="copies")
        self._retention = self._stand_in(hurry="retention")
        self._retention.keep = lambda keeping: self.told.append(f"keep {keeping.days} {keeping.remotely_too}")
        self._remote_copy = self._stand_in(changed="changed")
        self.controller = cast(
            Any, SimpleNamespace(begin_anew=self._begin, snapshot=lambda: SimpleNamespace(conversation=self.open))
        )

    def _stand_in(self, **calls: str) -> Any:
        return SimpleNamespace(**{name: lambda word=word: self.told.append(word) for name, word in calls.items()})

    async def _begin(self) -> None:
        assert await self._archive.find(self.made[0].handle) is not None, "it is ended while it is there"
        self.told.append("began anew")
        self.open = None

    async def here(self) -> set[int]:
        return {place for place, one in enumerate(self.made) if await self._archive.find(one.handle) is not None}


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    async with Database(tmp_path / "novadesk.db") as database:
        shelf = Shelf(database)
        for one in shelf.made:
            await shelf._archive.create(one)
            await shelf._archive.append(make_turn(one.handle))
        yield shelf


async def test_the_open_one_is_ended_before_it_goes(shelf: Shelf) -> None:
    first, second = (one.handle for one in shelf.made)
    await shelf.delete(second)
    assert (await shelf.here(), shelf.told) == ({0}, ["copies", "changed"])
    await shelf.delete(first)
    assert (await shelf.here(), shelf.told[2:]) == (set(), ["began anew", "copies", "changed"])


async def test_a_deletion_is_undone(shelf: Shelf) -> None:
    first, second = (one.handle for one in shelf.made)
    assert await shelf.set_aside((second,)) == (second,)
    assert shelf.told == ["retention", "changed"]
    assert await shelf.set_aside(None) == (first,)
    assert (await shelf.here(), shelf.told[2:]) == (set(), ["began anew", "retention", "changed"])
    assert await shelf.bring_back((first, second)) == 2
    assert (await shelf.here(), shelf.told[5:]) == ({0, 1}, ["changed"])


@pytest.mark.parametrize(("keep_starred", "left"), [(True, {0}), (False, set())])
async def test_an_open_one_with_a_star_goes_on_when_those_are_kept(
    shelf: Shelf, keep_starred: bool, left: set[int]
) -> None:
    await shelf._archive.star(shelf.made[0].handle, True, START_MS)
    assert await shelf.clear(keep_starred=keep_starred, here_only=False) == 2 - len(left)
    assert await shelf.here() == left
    assert ("began anew" in shelf.told) is not keep_starred
    assert "copies" in shelf.told
    assert await shelf.bring_back([one.handle for one in shelf.made]) == 0


async def test_a_private_one_goes_on_whatever_is_deleted(shelf: Shelf) -> None:
    shelf.open = dataclasses.replace(make_conversation(), private=True)
    assert await shelf.clear(keep_starred=False, here_only=True) == 2
    assert "began anew" not in shelf.told


async def test_an_edit_has_the_screen_read_again(shelf: Shelf) -> None:
    (turn,) = await shelf.turns(shelf.made[0].handle)
    assert (await shelf.edit(turn.turn_id, "Other words")).shown_text == "Other words"
    assert shelf.told == ["changed"]


async def test_one_is_written_as_a_file_and_several_as_a_zip(shelf: Shelf, tmp_path: Path) -> None:
    first, second = (one.handle for one in shelf.made)
    name = await shelf.export_name([first], Format.MARKDOWN)
    assert name.endswith(" caring-king-275.md")
    file, steps = tmp_path / name, []
    written = await shelf.export([first], Format.MARKDOWN, file, on_progress=lambda *step: steps.append(step))
    assert (written.target, written.conversations, written.turns, steps) == (file, 1, 1, [(0, 1), (1, 1)])
    assert file.read_text() == await shelf.document(first, Format.MARKDOWN)
    assert "Hello" in file.read_text()
    with pytest.raises(KnownError, match="exists already"):
        await shelf.export([second], Format.MARKDOWN, file)
    await shelf.export([second], Format.TEXT, file, replace=True)
    assert file.read_text() == await shelf.document(second, Format.TEXT)

    assert (await shelf.export_name(None, Format.TEXT)).endswith(" Conversations")
    packed = tmp_path / "all.zip"
    assert (await shelf.export(None, Format.TEXT, packed)).conversations == 2
    assert len(zipfile.ZipFile(packed).namelist()) == 2
    assert (await shelf.export([first], Format.TEXT, tmp_path / "one.zip")).conversations == 1
    assert len(zipfile.ZipFile(tmp_path / "one.zip").namelist()) == 1


async def test_what_is_gone_is_not_exported(shelf: Shelf, tmp_path: Path) -> None:
    handle = shelf.made[1].handle
    await shelf.set_aside([handle])
    for wish in (
        shelf.export([shelf.made[0].handle, handle], Format.TEXT, tmp_path / "a.zip"),
        shelf.document(handle, Format.TEXT),
        shelf.export_name([handle], Format.TEXT),
    ):
        with pytest.raises(KnownError) as refused:
            await wish
        assert refused.value.reason is Reason.UNKNOWN_CONVERSATION
    assert not (tmp_path / "a.zip").exists()


async def test_how_long_conversations_are_kept_is_changed(shelf: Shelf) -> None:
    await shelf.keep(30, remotely_too=True, private=True)
    assert shelf.told == ["keep 30 True"]
    assert shelf.controller.private
