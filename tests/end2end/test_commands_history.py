"""`novadesk history` and `novadesk logout` without a running core: real processes, a real store."""

import asyncio
import json
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from novadesk.desktop.corelock import CoreLock
from novadesk.models import Conversation, Role, make_handle
from novadesk.store.conversations import Conversations
from novadesk.store.copies import Health, RecoveryCopies, check
from novadesk.store.database import Database
from tests.support.commands import CommandLine
from tests.support.store_rig import START_MS, make_conversation, make_turn

UNHEARD = "and nobody heard this"


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


@pytest.fixture
def stored(line: CommandLine) -> list[Conversation]:
    """Two conversations, one of them with an answer that was cut short."""
    line.folders.make()
    made = [make_conversation(START_MS), make_conversation(START_MS + 1_000, label="quiet-river-12")]

    async def fill() -> None:
        async with Database(line.folders.database) as database:
            archive = Conversations(database)
            for one in made:
                await archive.create(one)
            heard = "The *café* is\n# around the corner "
            for turn in (
                make_turn(made[0].handle, "Where is the café?", typed=True),
                make_turn(
                    made[0].handle, heard + UNHEARD, START_MS + 2, role=Role.ASSISTANT, heard_chars=len(heard),
                    interrupted=True,
                ),
                make_turn(made[1].handle, "Something else", START_MS + 3),
            ):  # fmt: skip
                await archive.append(turn)

    asyncio.run(fill())
    return made


def rows(line: CommandLine, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(line.folders.database)) as db:
        return db.execute(query).fetchall()


def test_search(line: CommandLine, stored: list[Conversation]) -> None:
    result = line.run("history", "search", "CAFE", "--json")
    assert (result.code, result.err) == (0, "")
    answer, question = json.loads(result.out)
    assert (answer["handle"], answer["role"], answer["position"]) == (stored[0].handle, "assistant", 1)
    assert list(answer) == ["handle", "label", "title", "turn_id", "position", "role", "at", "snippet", "marks"]
    assert [question["snippet"][first:end] for first, end in question["marks"]] == ["café"]
    plain = line.run("history", "search", "corner").out
    assert plain == f"{stored[0].handle}  caring-king-275  Nova: The *café* is # around the corner\n"
    assert json.loads(line.run("history", "search", "nobody", "--json").out) == []
    assert len(json.loads(line.run("history", "search", "e*", "--limit", "1", "--json").out)) == 1


@pytest.mark.parametrize("typed", ['"', "AND OR", "text:x*", "zaf\udcff -- ("])
def test_whatever_is_searched_for(line: CommandLine, stored: list[Conversation], typed: str) -> None:
    result = line.run("history", "search", "--json", "--", typed)
    assert (result.code, result.err, json.loads(result.out)) == (0, "", [])
    assert len(stored) == 2


def test_export_in_each_format(line: CommandLine, stored: list[Conversation], tmp_path: Path) -> None:
    handle = stored[0].handle
    document = json.loads(line.run("history", "export", handle, "--format", "json").out)
    assert (document["handle"], document["label"]) == (handle, "caring-king-275")
    assert [(turn["role"], turn["interrupted"], turn["typed"]) for turn in document["turns"]] == [
        ("user", False, True), ("assistant", True, False),
    ]  # fmt: skip
    assert document["turns"][1]["text"] == "The *café* is\n# around the corner "

    text = line.run("history", "export", handle).out
    assert "You: Where is the café?\n" in text
    assert "Nova (interrupted): The *café* is\n# around the corner" in text

    for name, said in (("a.md", "The \\*café\\* is\n\\# around"), ("a.json", '"turns"'), ("a.txt", "You: Where")):
        file = tmp_path / name
        assert line.run("history", "export", handle, "--out", file).out == ""
        assert said in file.read_text(encoding="utf-8")
        assert UNHEARD not in file.read_text(encoding="utf-8")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert UNHEARD not in text
    told = line.run("history", "export", handle, "--out", tmp_path / "b", "--json")
    assert told.rows == [{"file": str(tmp_path / "b"), "turns": 2}]


def test_an_export_replaces_nothing_unless_told_and_is_whole(
    line: CommandLine, stored: list[Conversation], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    file = folder / "talk.txt"
    file.write_text("mine")
    refused = line.run("history", "export", stored[0].handle, "--out", file)
    refused.check_known("input", "exists already", "--force")
    assert file.read_text() == "mine"
    (folder / "link.txt").symlink_to(tmp_path / "nowhere")
    line.run("history", "export", stored[0].handle, "--out", folder / "link.txt").check_known("input", "exists")
    assert line.run("history", "export", stored[0].handle, "--out", file, "--force").code == 0
    assert "café" in file.read_text(encoding="utf-8")
    line.run("history", "export", stored[0].handle, "--out", tmp_path / "no" / "talk.txt").check_known("input")
    line.run("history", "export", stored[0].handle, "--out", folder, "--force").check_known(
        "input", "cannot be written"
    )
    assert sorted(path.name for path in folder.iterdir()) == ["link.txt", "talk.txt"]


def test_delete(line: CommandLine, stored: list[Conversation]) -> None:
    copies = RecoveryCopies(line.folders.database)
    assert copies.make(START_MS) is Health.WHOLE
    assert line.run("history", "delete", stored[0].handle).out == ""
    (left,) = json.loads(line.run("history", "list", "--json").out)
    assert left["handle"] == stored[1].handle
    assert rows(line, "SELECT handle FROM tombstone") == [(stored[0].handle,)]
    assert len(copies.files()) == 1
    held = b"".join(file.read_bytes() for file in line.home.rglob("*") if file.is_file())
    assert "café".encode() not in held
    assert b"corner" not in held
    assert b"Something else" in held
    again = line.run("history", "delete", stored[0].handle, "--json")
    again.check_known("input", "no such conversation")
    again.check_error_row("input", "input.unknown_conversation")
    done = line.run("history", "delete", stored[1].handle, "--json")
    assert done.rows == [{"done": True, "handle": stored[1].handle}]


def test_a_change_repairs_a_damaged_store_first_and_says_so(line: CommandLine, stored: list[Conversation]) -> None:
    store = line.folders.database
    RecoveryCopies(store).make(START_MS)
    store.write_bytes(b"noise " * 1_000)
    line.run("history", "list").check_known("store", "damaged", "Start NovaDesk again")
    result = line.run("history", "delete", stored[0].handle)
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("novadesk: store: The store was damaged; 3 turns in 2 conversations came back, and")
    assert [row["handle"] for row in json.loads(line.run("history", "list", "--json").out)] == [stored[1].handle]


def test_rename_and_star(line: CommandLine, stored: list[Conversation]) -> None:
    handle = stored[0].handle
    assert line.run("history", "rename", handle, "  Holiday \n plans  ").code == 0
    assert line.run("history", "star", handle).code == 0
    assert json.loads(line.run("history", "list", "--json").out)[1]["title"] == "Holiday plans"
    assert rows(line, "SELECT starred, titled_ms > 0, starred_ms > 0 FROM conversation WHERE title <> ''") == [
        (1, 1, 1)
    ]
    assert line.run("history", "unstar", handle).code == 0
    assert line.run("history", "rename", handle, "x" * 500).code == 0
    assert rows(line, "SELECT starred, length(title) FROM conversation WHERE title <> ''") == [(0, 200)]
    assert line.run("history", "rename", handle, "").code == 0
    assert rows(line, "SELECT count(*) FROM conversation WHERE title <> ''") == [(0,)]


def test_backup(line: CommandLine, stored: list[Conversation], tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    result = line.run("history", "backup", target, "--json")
    assert result.rows == [{"file": str(target), "bytes": target.stat().st_size}]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert check(target) is Health.WHOLE
    line.run("history", "backup", target).check_known("input", "cannot be made", "File exists")
    line.run("history", "backup", tmp_path / "no" / "backup.db").check_known("input", "No such file")

    other = CommandLine(tmp_path / "other")
    other.folders.make()
    target.rename(other.folders.database)
    assert len(json.loads(other.run("history", "list", "--json").out)) == len(stored)


UNKNOWN = make_handle(START_MS)


@pytest.mark.parametrize(
    ("command", "handle", "more"),
    [
        ("export", UNKNOWN, ()),
        ("delete", UNKNOWN, ()),
        ("star", UNKNOWN, ()),
        ("rename", UNKNOWN, ("title",)),
        ("delete", "../../etc/passwd", ()),
        ("export", "session_1_x", ()),
        ("rename", "", ("%",)),
    ],
)
def test_no_such_conversation(
    line: CommandLine, stored: list[Conversation], command: str, handle: str, more: tuple[str, ...]
) -> None:
    result = line.run("history", command, "--json", "--", handle, *more)
    result.check_known("input")
    result.check_error_row("input", "input.unknown_conversation")
    assert len(rows(line, "SELECT 1 FROM conversation")) == len(stored)


def test_before_the_first_conversation(line: CommandLine, tmp_path: Path) -> None:
    assert json.loads(line.run("history", "search", "x", "--json").out) == []
    line.run("history", "export", UNKNOWN).check_known("input", "no such conversation")
    line.run("history", "delete", UNKNOWN).check_known("input", "no such conversation")
    line.run("history", "backup", tmp_path / "b").check_known("input", "nothing to back up")
    assert line.run("logout", "--json").rows == [{"entries": 0}]
    assert not line.home.exists()


def test_reading_needs_no_lock_and_changing_waits_for_it(line: CommandLine, stored: list[Conversation]) -> None:
    """Somebody holds the folder, with no channel to ask through: what reads goes on, what writes says who it is."""
    lock = CoreLock(line.folders.core_lock)
    lock.acquire("test")
    try:
        assert json.loads(line.run("history", "search", "café", "--json").out)
        assert line.run("history", "export", stored[0].handle).code == 0
        line.run("history", "delete", stored[0].handle).check_known("control", f"process {os.getpid()}, test")
    finally:
        lock.release()
    assert line.run("history", "delete", stored[0].handle).code == 0


KEYRINGS = """
import time
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

class {name}(KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        return None
    def set_password(self, service, username, password):
        pass
    def delete_password(self, service, username):
        {body}
"""


@pytest.fixture
def keyring(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Give the environment of a keyring of the test's own, whose deleting does this."""

    def make(body: str) -> dict[str, str]:
        (tmp_path / "testring.py").write_text(KEYRINGS.format(name="Ring", body=body))
        return {"PYTHON_KEYRING_BACKEND": "testring.Ring", "PYTHONPATH": str(tmp_path)}

    return make


@pytest.fixture
def entries(line: CommandLine, stored: list[Conversation]) -> None:
    """Both conversations have an entry in the keyring."""
    with closing(sqlite3.connect(line.folders.database)) as db:
        for one in stored:
            db.execute(
                "INSERT INTO remote_session (handle, generation, state, in_keyring, created_ms)"
                " VALUES (?, 0, 'bound', 1, 0)",
                (one.handle,),
            )
        db.commit()


def test_logout(line: CommandLine, entries: None, keyring: Callable[[str], dict[str, str]], tmp_path: Path) -> None:
    log = tmp_path / "deleted.txt"
    env = keyring(f"open({str(log)!r}, 'a').write(f'{{service}} {{username}}\\n')")
    (line.folders.cache / "some").mkdir(parents=True)
    (line.folders.cache / "some" / "thing").touch()
    result = line.run("logout", env=env)
    assert (result.code, result.err) == (0, "")
    assert result.out == "2 keyring entries were removed. All conversations stay here.\n"
    assert len(log.read_text().splitlines()) == 2
    assert {row.split()[0] for row in log.read_text().splitlines()} == {"novadesk"}
    assert list(line.folders.cache.iterdir()) == []
    assert len(json.loads(line.run("history", "list", "--json").out)) == 2
    assert line.run("logout", "--json", env=env).rows == [{"entries": 0}]


@pytest.mark.parametrize(
    ("body", "reason", "words"),
    [
        ("raise KeyringLocked('no')", "keyring.locked", "locked"),
        ("raise type('PromptDismissedException', (Exception,), {})('denied')", "keyring.locked", "locked"),
        ("raise OSError('gone')", "keyring.absent", "failed"),
        ("time.sleep(60)", "keyring.timed_out", "does not answer"),
    ],
    ids=["locked", "denied", "failing", "slow"],
)
def test_a_keyring_that_keeps_its_entries(
    line: CommandLine, entries: None, keyring: Callable[[str], dict[str, str]], body: str, reason: str, words: str
) -> None:
    result = line.run("logout", "--json", env=keyring(body), timeout=30)
    result.check_known("keyring", words)
    result.check_error_row("keyring", reason)
    assert rows(line, "SELECT count(*) FROM remote_session WHERE in_keyring") == [(2,)]
    assert len(json.loads(line.run("history", "list", "--json").out)) == 2


def test_no_keyring_at_all(line: CommandLine, entries: None) -> None:
    env = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    result = line.run("logout", "--json", env=env)
    result.check_known("keyring", "no keyring")
    result.check_error_row("keyring", "keyring.absent")
