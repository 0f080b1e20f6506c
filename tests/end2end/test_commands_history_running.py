"""The same commands beside a running core: they go through it, and it shows what they did."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.commands import CommandLine, write_wav
from tests.support.voices import silence

ANSWER = {"on_text": "", "do": "say", "text": "You typed to me.", "ms": 200}


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


def listed(line: CommandLine) -> list[dict[str, object]]:
    return list(json.loads(line.run("history", "list", "--json").out))


def look_and_name(line: CommandLine, handle: str, backup: Path) -> None:
    """Find the conversation, print it, name it, star it and have all of that in a backup."""
    (hit,) = json.loads(line.run("history", "search", "brown fo", "--json").out)
    assert hit["handle"] == handle
    assert "the quick brown fox" in line.run("history", "export", handle).out
    assert line.run("history", "rename", handle, "Animals").code == 0
    assert line.run("history", "star", handle).code == 0
    assert next(row for row in listed(line) if row["handle"] == handle)["title"] == "Animals"

    assert line.run("history", "backup", backup, "--json").rows[0]["file"] == str(backup)
    with closing(sqlite3.connect(backup)) as db:
        assert db.execute("SELECT starred FROM conversation WHERE title = 'Animals'").fetchall() == [(1,)]
        assert db.execute("SELECT count(*) FROM turn").fetchone() == (4,)
    line.run("history", "backup", backup).check_known("input", "File exists")


def test_history_of_a_running_core(line: CommandLine, tmp_path: Path) -> None:
    """Search beside it, export, rename, star, backup, delete another and the open conversation, log out."""
    backup = tmp_path / "backup.db"
    wav = write_wav(tmp_path / "long.wav", silence(60_000))
    with line.partner(ANSWER, {"do": "repeat"}), line.started("talk", "--in", wav, "--json") as talk:
        talk.wait_for_line('"ready"')
        assert line.run("ctl", "say", "the quick brown fox").code == 0
        talk.wait_for_line('"assistant"')
        (first,) = listed(line)
        assert line.run("ctl", "new", "--deadline", "20").code == 0
        assert line.run("ctl", "say", "something else").code == 0
        talk.wait_for_line('"assistant"')
        second = next(row for row in listed(line) if row["handle"] != first["handle"])

        look_and_name(line, str(first["handle"]), backup)

        assert line.run("history", "delete", str(first["handle"])).code == 0
        assert [row["handle"] for row in listed(line)] == [second["handle"]]
        line.run("history", "delete", str(first["handle"])).check_known("input", "no such conversation")

        assert line.run("ctl", "status", "--json").rows[0]["conversation"] == second["handle"]
        assert line.run("history", "delete", str(second["handle"])).code == 0
        assert listed(line) == []
        assert line.run("ctl", "status", "--json").rows[0]["conversation"] != second["handle"]
        assert line.run("ctl", "say", "a new beginning").code == 0
        talk.wait_for_line('"assistant"')
        (third,) = listed(line)
        assert third["turns"] == 2

        out = line.run("logout", "--json")
        if out.code == 0:  # where the system has a keyring
            assert out.rows[0].keys() >= {"entries"}
        else:
            out.check_known("keyring")
        assert len(listed(line)) == 1

        assert line.run("ctl", "quit").code == 0
        assert talk.end(20.0).code == 0
    with closing(sqlite3.connect(line.folders.database)) as db:
        gone = {handle for (handle,) in db.execute("SELECT handle FROM tombstone")}
    assert gone == {first["handle"], second["handle"]}


def test_a_damaged_store_is_repaired_by_the_next_talk_which_says_so(line: CommandLine, tmp_path: Path) -> None:
    """The file is noise: the conversation goes on with what the recovery copy has, and the damaged file is kept."""
    from novadesk.store.copies import RecoveryCopies

    wav = write_wav(tmp_path / "long.wav", silence(60_000))
    with line.partner(ANSWER, {"do": "repeat"}):
        with line.started("talk", "--in", wav, "--json") as talk:
            talk.wait_for_line('"ready"')
            assert line.run("ctl", "say", "remember this").code == 0
            talk.wait_for_line('"assistant"')
            assert line.run("ctl", "quit").code == 0
            assert talk.end(20.0).code == 0
        store = line.folders.database
        RecoveryCopies(store).make(1_790_000_000_000)
        noise = b"not a store any more " * 1_000
        store.write_bytes(noise)
        line.run("history", "list", "--json").check_known("store", "damaged", "Start NovaDesk again")
        with line.started("talk", "--in", wav, "--json") as talk:
            talk.wait_for_line('"ready"')
            assert line.run("ctl", "status", "--json").rows[0]["recovered_turns"] == 2
            (row,) = listed(line)
            assert row["turns"] == 2
            assert line.run("ctl", "quit").code == 0
            result = talk.end(20.0)
        assert result.code == 0
        (kept,) = (store.parent / "damaged").glob("*.db")
        assert kept.read_bytes() == noise
        assert result.err == (
            "novadesk: store: The store was damaged; 2 turns in 1 conversation came back, and the damaged file is kept"
            f" as {kept}.\n"
        )
