"""Several conversations at once: names that every system takes, and a target that is whole or not there."""

import asyncio
import json
import re
import stat
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from novadesk.app import export, export_many
from novadesk.app.export_many import export_many as write_many
from novadesk.app.export_names import STEM_BYTES, Names, safe, stem_of
from novadesk.cli import main
from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, Exported, Format, Turn
from novadesk.paths import find_folders
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from tests.support.store_rig import START_MS, make_conversation, make_turn

DAY = re.compile(r"\d{4}-\d\d-\d\d ")


class Shelf:
    """Stored turns; `before` is called with the place of each conversation that is read."""

    def __init__(self, **given: str) -> None:
        self.conversations = [
            make_conversation(START_MS + place, title=title.replace("_", " "), turns=1)
            for place, title in enumerate(given)
        ]
        self.texts = dict(zip((one.handle for one in self.conversations), given.values(), strict=True))
        self.read = 0

    async def turns(self, handle: str, *, before: int | None = None, limit: int = 200) -> Sequence[Turn]:
        assert (before, limit) == (None, export_many.ALL_TURNS)
        self.read += 1
        return [make_turn(handle, self.texts[handle])] if handle in self.texts else []

    async def write(self, target: Path, form: Format = Format.TEXT, **given: bool) -> Exported:
        return await write_many(self, self.conversations, form, target, **given)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(Aspirin="first words", aspirin="second words", Café="third words")


def inside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def bare(names: Sequence[str]) -> list[str]:
    assert all(DAY.match(name) for name in names)
    return sorted(DAY.sub("", name) for name in names)


# --- names ---------------------------------------------------------------------------------------


@given(titles=st.lists(st.text(max_size=150), max_size=6))
@example(titles=["a", "A", "a (2)", "ä", "a\u0308", "ﬁ", "fi", "straße", "STRASSE"])
@example(titles=["x" * 150, "x" * 140, "😀" * 60, "\u202egnp.exe", "a/..\\b", "a. ", "NUL", "\ud800"])
def test_names_are_safe_and_no_two_are_the_same(titles: list[str]) -> None:
    names, given_names = Names(), []
    for title in titles:
        name = names.take(stem_of(make_conversation(title=title)), ".txt")
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f\x7f]', name)
        assert not any(unicodedata.category(character) in ("Cf", "Cs", "Zl", "Zp") for character in name)
        assert len(name.encode()) <= STEM_BYTES + len(" (9).txt")
        assert name == name.strip(" .")
        given_names.append(name)
    for form in ("NFC", "NFD", "NFKC"):
        assert len({unicodedata.normalize(form, name).casefold() for name in given_names}) == len(titles)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CON", "_CON"), ("com1.x", "_com1.x"), ("LPT¹", "_LPT¹"), ("nul", "_nul"), ("CONsole", "CONsole"),
        ("../../etc", "etc"), ("...", "Conversation"), ("", "Conversation"), ("\u200b", "Conversation"),
        ("-rf", "rf"), ("~root", "root"), ("a:b?", "a-b-"), ("end. . ", "end"), ("a\tb\n c", "a b c"), ("e\u0301", "é"),
    ],
)  # fmt: skip
def test_a_name_is_made_safe(text: str, name: str) -> None:
    assert safe(text) == name


# --- folder and zip ------------------------------------------------------------------------------


async def test_a_folder_has_a_file_for_each(shelf: Shelf, tmp_path: Path) -> None:
    target, told = tmp_path / "talks", list[tuple[int, int]]()
    done = await write_many(shelf, shelf.conversations, Format.TEXT, target, on_progress=lambda *of: told.append(of))
    assert done == Exported(target=target, conversations=3, turns=3)
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert bare(inside(target)) == ["Aspirin.txt", "Café.txt", "aspirin (2).txt"]
    said = "".join(file.read_text(encoding="utf-8") for file in target.iterdir())
    assert all(f"You: {text}\n" in said for text in shelf.texts.values())
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in target.iterdir()} == {0o600}
    assert inside(tmp_path) == ["talks"]


async def test_a_zip_has_a_file_for_each(shelf: Shelf, tmp_path: Path) -> None:
    target = tmp_path / "talks.zip"
    shelf.conversations[0] = make_conversation(START_MS, title="Old", updated_ms=0)
    shelf.texts[shelf.conversations[0].handle] = "from before the format began"
    assert await shelf.write(target, Format.PAGE) == Exported(target=target, conversations=3, turns=3)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with zipfile.ZipFile(target) as packed:
        assert packed.testzip() is None
        assert bare(packed.namelist()) == ["Café.html", "Old.html", "aspirin.html"]
        assert all(b"<!doctype html>" in packed.read(name) for name in packed.namelist())
        assert {about.external_attr >> 16 & 0o777 for about in packed.infolist()} == {0o600}
    assert inside(tmp_path) == ["talks.zip"]


async def test_private_ones_and_those_that_go_meanwhile_are_left_out(shelf: Shelf, tmp_path: Path) -> None:
    shelf.conversations.append(make_conversation(title="Secret", private=True))
    shelf.texts[shelf.conversations[-1].handle] = "private words"
    del shelf.texts[shelf.conversations[0].handle]
    done = await shelf.write(tmp_path / "talks")
    assert (done.conversations, done.turns) == (2, 2)
    assert bare(inside(tmp_path / "talks")) == ["Café.txt", "aspirin.txt"]
    with pytest.raises(KnownError, match="no conversation to export"):
        await write_many(shelf, shelf.conversations[-1:], Format.TEXT, tmp_path / "more")
    assert inside(tmp_path) == ["talks"]


@pytest.mark.parametrize("name", ["talks", "talks.zip"])
async def test_cancelling_leaves_nothing_behind(shelf: Shelf, tmp_path: Path, name: str) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 1:
            task.cancel()

    task = asyncio.ensure_future(write_many(shelf, shelf.conversations, Format.TEXT, tmp_path / name, on_progress=stop))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shelf.read <= 2
    assert inside(tmp_path) == []


@pytest.mark.parametrize("name", ["talks", "talks.zip"])
async def test_a_full_disk_leaves_nothing_behind(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(export.os, "fsync", fail)
        with pytest.raises(KnownError, match="No space left") as error:
            await shelf.write(tmp_path / name)
    assert error.value.reason is Reason.BAD_INPUT
    assert inside(tmp_path) == []


async def test_what_is_there_is_never_mixed_with(shelf: Shelf, tmp_path: Path) -> None:
    folder, empty, file = tmp_path / "full", tmp_path / "empty", tmp_path / "talks.zip"
    folder.mkdir()
    empty.mkdir()
    (folder / "mine").touch()
    file.write_text("mine")
    for target, force in ((folder, False), (folder, True), (file, False), (tmp_path / "no" / "where", False)):
        with pytest.raises(KnownError) as error:
            await shelf.write(target, force=force)
        assert error.value.reason is Reason.BAD_INPUT
    assert shelf.read == 0
    assert inside(folder) == ["mine"]
    assert file.read_text() == "mine"
    await shelf.write(file, force=True)
    await shelf.write(empty)
    assert zipfile.is_zipfile(file)
    assert len(inside(empty)) == 3


async def test_what_appears_meanwhile_is_not_replaced(shelf: Shelf, tmp_path: Path) -> None:
    for target in (tmp_path / "talks", tmp_path / "talks.zip"):

        def appear(done: int, _total: int, target: Path = target) -> None:
            if done == 2:
                (target.mkdir() or (target / "theirs").touch()) if not target.suffix else target.write_text("theirs")

        with pytest.raises(KnownError, match="exists already"):
            await write_many(shelf, shelf.conversations, Format.TEXT, target, on_progress=appear)
    assert (tmp_path / "talks.zip").read_text() == "theirs"
    assert inside(tmp_path / "talks") == ["theirs"]
    assert len(inside(tmp_path)) == 2


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Conversation]:
    """Two conversations in a store, the first one with a star."""
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "home"))
    made = [make_conversation(START_MS + place, title=title) for place, title in enumerate(("Star", "Plain"))]

    async def fill() -> None:
        async with Database(find_folders().make().database) as database:
            archive = Conversations(database)
            for one in made:
                await archive.create(one)
                await archive.append(make_turn(one.handle, f"Words of {one.title}"))
            await archive.star(made[0].handle, True, START_MS)

    asyncio.run(fill())
    return made


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("arguments", "names"),
    [(["--all"], ["Plain.md", "Star.md"]), (["--starred", "--format", "html"], ["Star.html"])],
)
def test_the_command_writes_all_or_the_starred(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], names: list[str]
) -> None:
    target = tmp_path / "talks"
    assert main(["history", "export", *arguments, "--out", str(target), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(target), "conversations": len(names), "turns": len(names),
    }  # fmt: skip
    assert bare(inside(target)) == names


def test_the_command_writes_those_that_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stored: list[Conversation]
) -> None:
    handles = [one.handle for one in stored]
    assert main(["history", "export", *handles, handles[0], "--out", str(tmp_path / "both")]) == 0
    assert bare(inside(tmp_path / "both")) == ["Plain.md", "Star.md"]
    assert main(["history", "export", handles[0], "--out", str(tmp_path / "one.zip")]) == 0
    assert zipfile.is_zipfile(tmp_path / "one.zip")
    assert capsys.readouterr().out == ""
    assert main(["history", "export", handles[1], "--format", "srt"]) == 0
    assert capsys.readouterr().out.endswith("\nYou: Words of Plain\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Name conversations"),
        (["--all", "HANDLE"], "not both"),
        (["HANDLE", "HANDLE2"], "need a place"),
        (["--all"], "need a place"),
        (["session_1790000000009_aaaaaaaaaaaaaaaaaaaaaaaaaa", "HANDLE", "--out", "x"], "no such conversation"),
    ],
)
def test_a_command_that_makes_no_sense_writes_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    stored: list[Conversation],
    arguments: list[str],
    words: str,
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    given = {"HANDLE": stored[0].handle, "HANDLE2": stored[1].handle}
    assert main(["history", "export", *(given.get(argument, argument) for argument in arguments)]) == 2
    assert words in capsys.readouterr().err
    assert inside(tmp_path / "here") == []


def test_without_a_store_there_is_nothing_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "home"))
    assert main(["history", "export", "--all", "--out", str(tmp_path / "talks")]) == 2
    assert "no conversation here yet" in capsys.readouterr().err
    assert inside(tmp_path) == []
