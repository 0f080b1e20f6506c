"""One core per folder, and the control channel over which it is driven."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ENTRY, CommandLine, exchange, spoken, write_wav
from tests.support.voices import silence

STATUS = [
    "protocol", "phase", "pause", "microphone", "backend", "conversation", "scenario", "voice", "changing", "attempt",
    "retry_in_s", "error", "pending_sync", "recovered_turns",
]  # fmt: skip
PHASES = {
    "offline", "idle", "connecting", "ready", "listening", "thinking", "tool", "speaking", "interrupted", "renewing",
    "reconnecting", "failed", "ended",
}  # fmt: skip
TYPED = {"on_text": "", "do": "say", "text": "You typed to me.", "ms": 300}


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


def test_a_running_core_is_driven_from_outside(line: CommandLine, tmp_path: Path) -> None:
    """Status, talk key, mute, typed text, a second core, history beside it, and quit."""
    wav = write_wav(tmp_path / "long.wav", silence(60_000))
    with line.partner(TYPED, {"do": "repeat"}), line.started("talk", "--in", wav, "--json") as talk:
        talk.wait_for_line('"ready"')
        status = line.run("ctl", "status", "--json")
        assert (status.code, status.err) == (0, "")
        (row,) = status.rows
        assert list(row) == STATUS
        assert row["protocol"] == 1
        assert row["phase"] in PHASES
        assert (row["microphone"], row["backend"], row["attempt"], row["error"]) == ("open", "practice", 0, None)
        assert "phase: ready" in line.run("ctl", "status").out

        for command, microphone in (("mute", "muted"), ("unmute", "open")):
            done = line.run("ctl", command, "--json")
            assert (done.code, done.rows) == (0, [{"protocol": 1, "done": True}])
            assert line.run("ctl", "status", "--json").rows[0]["microphone"] == microphone
        for command in (("talk", "start"), ("talk", "stop"), ("talk", "toggle"), ("talk", "toggle"), ("stop",)):
            assert line.run("ctl", *command).out == ""

        second = line.run("talk", "--in", wav, "--json")
        second.check_known("control", "already running", f"process {talk.process.pid}", "talk")
        second.check_error_row("control", "control.already_running")

        text = "caf\udcff says “hi” " + "long " * 2_000
        assert line.run("ctl", "say", text).code == 0
        talk.wait_for_line("You typed to me.")
        (kept,) = json.loads(line.run("history", "list", "--json").out)
        assert kept["turns"] == 2
        assert row["conversation"] == kept["handle"]
        unknown = line.run("ctl", "open", "session_1700000000000_abcdefghijklmnopqrstuvwxyz", "--json")
        unknown.check_known("input")
        unknown.check_error_row("input", "input.unknown_conversation")

        assert line.run("ctl", "quit").code == 0
        result = talk.end(20.0)
    assert (result.code, result.err) == (0, "")
    assert result.rows[-1] == {"type": "end", "reason": "quit"}
    user, nova = result.turns
    assert user["text"].startswith("caf\ufffd says “hi” long long")
    assert nova["text"] == "You typed to me."
    assert not line.folders.control_socket.exists()


def test_new_and_open_and_end(line: CommandLine, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "long.wav", silence(60_000))
    with line.partner(TYPED, {"do": "repeat"}), line.started("talk", "--in", wav, "--json") as talk:
        talk.wait_for_line('"ready"')
        assert line.run("ctl", "say", "the first one").code == 0
        talk.wait_for_line('"assistant"')
        first = line.run("ctl", "status", "--json").rows[0]["conversation"]
        assert line.run("ctl", "new", "--deadline", "20").code == 0
        second = line.run("ctl", "status", "--json").rows[0]["conversation"]
        assert second != first
        assert line.run("ctl", "open", first, "--deadline", "20").code == 0
        status = line.run("ctl", "status", "--json").rows[0]
        assert (status["conversation"], status["recovered_turns"]) == (first, 2)
        assert line.run("ctl", "end", "--deadline", "20").code == 0
        result = talk.end(20.0)
    assert (result.code, result.err) == (0, "")
    assert result.rows[-1] == {"type": "end", "reason": "done"}
    assert [turn["text"] for turn in result.turns] == ["the first one", "You typed to me."]


def test_the_lock_goes_with_the_process(line: CommandLine, tmp_path: Path) -> None:
    """After kill -9 the next core starts at once, and what was said is there."""
    wav = spoken(tmp_path / "one.wav", "hello there")
    with line.partner(*exchange("hello there", "A very long answer.", ms=20_000), {"do": "repeat"}):
        with line.started("talk", "--in", wav, "--json") as talk:
            talk.wait_for_line('"user"')
            talk.signal(signal.SIGKILL)
            talk.end(10.0)
        (kept,) = json.loads(line.run("history", "list", "--json").out)
        assert kept["turns"] == 1
        line.run("ctl", "status", "--json").check_known("control", "not running")
        with line.started("talk", "--in", wav, "--json") as talk:
            talk.wait_for_line('"ready"')
            assert line.run("ctl", "status", "--json").rows[0]["recovered_turns"] == 1
            assert line.run("ctl", "quit").code == 0
            assert talk.end(20.0).code == 0


@pytest.mark.parametrize("command", [("status",), ("say", "hello"), ("quit",), ("talk", "start")])
def test_nothing_runs(line: CommandLine, command: tuple[str, ...]) -> None:
    result = line.run("ctl", *command, "--json")
    result.check_known("control", "not running", "`novadesk`")
    result.check_error_row("control", "control.not_running")
    assert not line.home.exists()


@pytest.mark.skipif(os.name != "posix", reason="a socket of the file system")
def test_a_socket_that_nobody_answers_on(line: CommandLine) -> None:
    import socket

    folders = line.folders.make()
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(folders.control_socket))
    line.run("ctl", "status").check_known("control", "not running")
    with socket.socket(socket.AF_UNIX) as deaf:
        folders.control_socket.unlink()
        deaf.bind(str(folders.control_socket))
        deaf.listen()
        line.run("ctl", "status", "--deadline", "0.3").check_known("network", "0.3 seconds")


def test_ctl_is_light(line: CommandLine) -> None:
    """It can be bound to a key: nothing heavy is imported."""
    done = subprocess.run(
        [ENTRY[0], "-X", "importtime", *ENTRY[1:], "ctl", "status"],
        env=line.env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    imported = {row.rsplit("|", 1)[1].strip() for row in done.stderr.splitlines() if row.startswith("import time:")}
    assert "novadesk.desktop.control" in imported
    tops = {name.split(".")[0] for name in imported}
    assert tops & {"PySide6", "qasync", "numpy", "boto3", "botocore", "asyncio", "aiohttp", "h2", "sqlite3"} == set()
    assert tops & {"keyring", "tomlkit", "sounddevice", "pynput", "cryptography", "logging"} == set()


def test_the_program_knows_its_version(line: CommandLine) -> None:
    result = line.run("--version")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("novadesk ")
    assert sys.executable in ENTRY
