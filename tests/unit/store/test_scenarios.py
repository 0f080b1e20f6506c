"""The person's own scenarios: files beside the built-in ones, and the commands that keep them."""

import dataclasses
import json
import stat
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from novadesk.builtin_scenarios import BUILT_IN
from novadesk.cli import main
from novadesk.errors import KnownError, Reason
from novadesk.paths import find_folders
from novadesk.scenario import Scenario
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.store.scenarios import MAX_FILE_BYTES, Scenarios
from tests.support.store_rig import make_conversation, make_turn

OWN = Scenario(name="tea", title="Afternoon tea", prompt="Chat about tea.")


@pytest.fixture
def shelf(tmp_path: Path) -> Scenarios:
    return Scenarios(tmp_path / "config" / "scenarios")


@contextmanager
def refused(match: str) -> Iterator[None]:
    with pytest.raises(KnownError, match=match) as error:
        yield
    assert error.value.reason is Reason.BAD_INPUT


def test_own_ones_are_kept_beside_the_built_in_ones(shelf: Scenarios, tmp_path: Path) -> None:
    assert shelf.all() == (tuple(sorted(BUILT_IN, key=lambda one: one.title)), ())
    shelf.add(OWN)
    assert shelf.all()[0][0] == OWN
    assert shelf.find("tea") == OWN
    (file,) = (tmp_path / "config" / "scenarios").iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("tea.toml", 0o600)
    with refused(match="already"):
        shelf.add(dataclasses.replace(OWN, title="Other"))
    shelf.add(dataclasses.replace(OWN, title="Other"), force=True)
    assert shelf.find("tea").title == "Other"
    shelf.remove("tea")
    with refused(match="no such"):
        shelf.remove("tea")
    with refused(match="no such"):
        shelf.find("../tea")


def test_a_built_in_one_can_be_hidden_and_not_removed(shelf: Scenarios) -> None:
    first = BUILT_IN[0]
    mine = dataclasses.replace(OWN, name=first.name)
    with refused(match="already"):
        shelf.add(mine)
    shelf.add(mine, force=True)
    assert shelf.find(first.name) == mine
    assert len(shelf.all()[0]) == len(BUILT_IN)
    shelf.remove(first.name)
    assert shelf.find(first.name) == first
    with refused(match="built-in"):
        shelf.remove(first.name)


def test_a_file_that_holds_none_stops_no_other(shelf: Scenarios, tmp_path: Path) -> None:
    shelf.add(OWN)
    folder = tmp_path / "config" / "scenarios"
    (folder / "broken.toml").write_text("title = ")
    (folder / "large.toml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    (folder / "latin.toml").write_bytes(b"title = 'caf\xe9'")
    (folder / "Bad Name.toml").write_text("title = 'a'\nprompt = 'b'")
    (folder / "folder.toml").mkdir()
    found, broken = shelf.all()
    assert OWN in found
    assert broken == ("Bad Name.toml", "broken.toml", "folder.toml", "large.toml", "latin.toml")
    for name, words in (("broken", "TOML"), ("large", "too large"), ("latin", "UTF-8"), ("folder", "cannot be used")):
        with refused(match=words):
            shelf.find(name)


def test_nothing_half_written_stays(shelf: Scenarios, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with refused(match="No space left"):
        shelf.add(OWN)
    assert list((tmp_path / "config" / "scenarios").iterdir()) == []


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["scenarios", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    code, shown, _ = run("show", "job-interview")
    assert code == 0
    file = tmp_path / "my-interview.toml"
    file.write_text(shown.replace("Job interview", "My interview"), encoding="utf-8")
    assert run("add", str(file)) == (0, "", "")
    assert run("add", str(file))[0] == 2
    assert json.loads(run("add", str(file), "--force", "--json")[1]) == {"done": True, "name": "my-interview"}
    listed = {one["name"]: one for one in json.loads(run("list", "--json")[1])}
    assert (listed["my-interview"]["title"], listed["my-interview"]["own"]) == ("My interview", True)
    assert listed["job-interview"]["own"] is False
    assert "job-interview         Job interview  (title, company, description?)" in run("list")[1]
    (tmp_path / "home" / "config" / "scenarios" / "broken.toml").touch()
    assert "broken.toml holds no scenario" in run("list")[2]
    assert run("remove", "my-interview") == (0, "", "")
    assert run("show", "my-interview")[0] == 2
    assert "no file" in run("add", str(tmp_path / "none.toml"))[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "none"], "no such scenario"),
        (["--scenario", "job-interview"], "Job title needs"),
        (["--scenario", "job-interview", "--set", "title"], "FIELD=TEXT"),
        (["--set", "title=x"], "no form without a scenario"),
        (["--scenario", "call-notes", "--conversation", "session_1790000000009_aaaaaaaaa"], "for a new conversation"),
    ],
)
def test_a_talk_is_not_begun_with_what_makes_no_sense(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.setenv("NOVADESK_HOME", str(tmp_path / "home"))
    wav = tmp_path / "in.wav"
    write_silence(wav)
    assert main(["talk", "--in", str(wav), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not find_folders().database.exists()


def write_silence(file: Path) -> None:
    with wave.open(str(file), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(16_000)
        stream.writeframes(bytes(3_200))


async def test_a_conversation_remembers_what_it_was_begun_with(tmp_path: Path) -> None:
    made = make_conversation(scenario='{"name": "tea"}')
    async with Database(tmp_path / "novadesk.db") as database:
        archive = Conversations(database)
        await archive.create(made)
        await archive.append(make_turn(made.handle, "hello"))
        found = await archive.find(made.handle)
        assert found is not None
        assert found.scenario == made.scenario


async def test_a_conversation_goes_on_with_another_one_and_one_that_is_gone_is_left_alone(tmp_path: Path) -> None:
    changed, other = make_conversation(scenario='{"name": "tea"}'), make_conversation(scenario='{"name": "milk"}')
    async with Database(tmp_path / "novadesk.db") as database:
        archive = Conversations(database)
        for one in (changed, other):
            await archive.create(one)
        await archive.set_scenario(changed.handle, '{"name": "coffee"}')
        await archive.set_scenario("session_1790000000009_gonegonegone", "{}")
        found = [await archive.find(one.handle) for one in (changed, other)]
    assert [one.scenario for one in found if one is not None] == ['{"name": "coffee"}', '{"name": "milk"}']
