"""Bad input gets one clear sentence with the layer and the next step, exit code 2, and nothing is lost."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import CommandLine, Result, write_wav
from tests.support.voices import RATE_HZ

UNKNOWN = "session_1700000000000_abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "in.wav", b"\x10\x00" * RATE_HZ)


def both(line: CommandLine, layer: str, reason: str, *arguments: str | Path, **how: object) -> Result:
    """Run a command that has to fail with --json; check sentence, line and exit code."""
    result = line.run(*arguments, "--json", **how)  # type: ignore[arg-type]
    result.check_known(layer)
    result.check_error_row(layer, reason)
    return result


def _header_only(file: Path) -> None:
    write_wav(file, bytes(2 * RATE_HZ))
    file.write_bytes(file.read_bytes()[:44])


def _floats(file: Path) -> None:
    write_wav(file, bytes(2 * RATE_HZ))
    content = bytearray(file.read_bytes())
    content[20:22] = b"\x03\x00"
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "reason", "words"),
    [
        pytest.param(lambda file: None, "input.file_missing", "There is no file", id="missing"),
        pytest.param(lambda file: file.mkdir(), "input.file_missing", "directory", id="folder"),
        pytest.param(_floats, "input.bad_wav", "not a PCM WAV", id="floats"),
        pytest.param(lambda f: write_wav(f, bytes(300), width_bytes=3), "input.bad_wav", "24-bit", id="24-bit"),
        pytest.param(lambda f: write_wav(f, bytes(400), rate_hz=96_000), "input.bad_wav", "96000", id="96 kHz"),
        pytest.param(lambda f: write_wav(f, bytes(1200), channels=6), "input.bad_wav", "6 channels", id="6 channels"),
        pytest.param(_header_only, "input.bad_wav", "no sound", id="header only"),
    ],
)
def test_a_sound_file_that_cannot_be_heard(
    line: CommandLine, tmp_path: Path, make: Callable[[Path], object], reason: str, words: str
) -> None:
    file = tmp_path / "question of Zoë.wav"
    make(file)
    answer = tmp_path / "answer.wav"
    result = both(line, "input", reason, "talk", "--in", file, "--out", answer)
    assert words in result.err
    assert file.name in result.err
    assert not answer.exists()
    assert not line.home.exists(), "bad input must not leave anything behind"


@pytest.mark.parametrize("target", ["no such folder/answer.wav", ".", "in.wav"])
def test_an_answer_that_cannot_be_written_or_would_destroy_the_question(
    line: CommandLine, wav: Path, target: str
) -> None:
    before = wav.read_bytes()
    both(line, "input", "input.bad", "talk", "--in", wav, "--out", wav.parent / target)
    assert wav.read_bytes() == before


@pytest.mark.parametrize("handle", ["nonsense", "", UNKNOWN])
def test_a_conversation_that_is_not_here(line: CommandLine, wav: Path, handle: str) -> None:
    both(line, "input", "input.unknown_conversation", "talk", "--in", wav, "--conversation", handle)
    both(line, "input", "input.unknown_conversation", "history", "show", handle)


@pytest.mark.parametrize(
    "arguments",
    [
        ("talk",),
        ("talk", "--in"),
        ("talk", "--in", "x.wav", "--backend", "pigeon"),
        ("talk", "--in", "x.wav", "--new", "--conversation", UNKNOWN),
        ("dance",),
        ("history",),
        ("history", "forget"),
        ("ctl",),
        ("ctl", "talk", "louder"),
        ("ctl", "say", " \t"),
        ("ctl", "status", "--deadline", "nan"),
        ("ctl", "status", "--deadline", "-1"),
        ("serve", "--port", "many"),
        ("--profile", "../elsewhere", "devices"),
        ("--profile", "a/b", "history", "list"),
        ("devices", "--colour"),
    ],
)
def test_arguments_that_make_no_sense(line: CommandLine, arguments: tuple[str, ...]) -> None:
    result = both(line, "input", "input.bad", *arguments)
    assert "--help`" in result.err
    assert not line.home.exists()


@pytest.mark.parametrize(
    ("env", "reason", "words"),
    [
        ({"AWS_REGION": "nonsense"}, "settings.bad_region", "nonsense"),
        ({"AWS_REGION": "us-east-1; rm"}, "settings.bad_region", "AWS_REGION"),
        ({"BEDROCK_MODEL_ID": "  "}, "settings.bad_model", "model"),
    ],
)
def test_an_environment_that_makes_no_sense(
    line: CommandLine, wav: Path, env: dict[str, str], reason: str, words: str
) -> None:
    assert words in both(line, "settings", reason, "talk", "--in", wav, env=env).err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("this is not TOML", "TOML"),
        ("[voice]\nmax_tokens = 'many'\n", "[voice] max_tokens"),
        ("[talk]\nmode = 'shout'\n", "hold, hands_free"),
    ],
)
def test_a_settings_file_that_makes_no_sense_is_left_as_it_is(
    line: CommandLine, wav: Path, text: str, words: str
) -> None:
    file = line.settings(text)
    result = both(line, "settings", "settings.bad", "talk", "--in", wav)
    assert words in result.err
    assert str(file) in result.err
    assert file.read_text() == text


def test_settings_that_are_not_text(line: CommandLine, wav: Path) -> None:
    file = line.settings("")
    file.write_bytes(b"\xff\xfe\x00[voice]")
    both(line, "settings", "settings.bad", "talk", "--in", wav)
    file.unlink()
    file.mkdir()
    both(line, "settings", "settings.bad", "talk", "--in", wav)


def test_a_gateway_that_nobody_has_named(line: CommandLine, wav: Path) -> None:
    result = both(line, "settings", "settings.bad", "talk", "--in", wav, "--backend", "gateway")
    assert "gateway" in result.err
    line.settings("[backend]\nkind = 'gateway'\n")
    both(line, "settings", "settings.bad", "talk", "--in", wav)


def test_a_store_of_a_newer_program_is_left_as_it_is(line: CommandLine, wav: Path) -> None:
    file = line.folders.make().database
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 9999")
    database.close()
    before = file.read_bytes()
    for command in (("talk", "--in", wav), ("history", "list"), ("history", "show", UNKNOWN)):
        assert "newer NovaDesk" in both(line, "store", "store.broken", *command).err
    assert file.read_bytes() == before


def test_a_damaged_store_is_read_by_nobody_and_kept_aside_by_the_next_start(line: CommandLine, wav: Path) -> None:
    file = line.folders.make().database
    before = b"this was a database once" * 400
    file.write_bytes(before)
    for command in (("history", "list"), ("history", "show", UNKNOWN)):
        assert "damaged" in both(line, "store", "store.broken", *command).err
    assert file.read_bytes() == before
    result = line.run("talk", "--in", wav, "--json")
    assert "The store was damaged" in result.err
    (kept,) = (file.parent / "damaged").glob("*.db")
    assert kept.read_bytes() == before


def test_a_home_that_cannot_be_made(tmp_path: Path, wav: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_text("a file, not a folder")
    line = CommandLine(blocker / "home")
    both(line, "store", "store.locked", "talk", "--in", wav)
    both(line, "store", "store.locked", "serve")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_is_read_only(line: CommandLine, wav: Path) -> None:
    line.home.mkdir(mode=0o500)
    both(line, "store", "store.locked", "talk", "--in", wav)
    assert json.loads(line.run("history", "list", "--json").out) == []


def test_looking_makes_nothing(line: CommandLine) -> None:
    result = line.run("history", "list", "--json")
    assert (result.code, result.out.strip(), result.err) == (0, "[]", "")
    assert not line.home.exists()
