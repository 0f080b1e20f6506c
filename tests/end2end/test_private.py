"""A private conversation leaves no trace: a search of every byte, after quit and after kill -9."""

import base64
import contextlib
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end2end.test_survival import ask_aloud
from tests.support.commands import CommandLine, spoken
from tests.support.desk import Desk
from tests.support.program import Program
from tests.support.search import find_bytes, find_words, forms, keyring_text
from tests.support.voices import Speaker, speech

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]

OPEN_WORD = "kakapomeadow"
SECRET_WORD = "zanzibarquokka"
SPOKEN = "my name is anna"
HEARD = "name is ann"  # Anna or Anne, as the recogniser likes
_SHARED = Path("/dev/shm")


def test_the_search_finds_words_in_every_form_and_place(tmp_path: Path) -> None:
    for number, form in enumerate(forms(SECRET_WORD)):
        (tmp_path / f"{number}.bin").write_bytes(b"\x00junk" + form.upper() + b"\xff")
    (tmp_path / "clean.bin").write_bytes(b"zanzibar quokka")
    (tmp_path / f"named-{SECRET_WORD}").touch()
    assert len(find_words([SECRET_WORD], [tmp_path])) == len(forms(SECRET_WORD)) + 1
    for shift in range(3):
        coded = base64.b64encode(f"{'a' * shift}{SECRET_WORD}tail".encode())
        assert any(form in coded for form in forms(SECRET_WORD))


class Window:
    """The window in front, with a person who types and talks to it."""

    def __init__(self, desk: Desk, program: Program) -> None:
        self.desk, self.program = desk, program
        program.start()
        program.wait_for_phase("ready")
        program.wait(lambda status: bool(status) and status["microphone"] == "gated", "the microphone")
        self.window = desk.find_window("NovaDesk$")
        desk.focus(self.window)

    def exchange(self, ask: Callable[[], None]) -> None:
        """Ask something and wait until the answer has been spoken."""
        ask()
        self.program.wait_for_phase("speaking")
        self.program.wait_for_phase("ready")

    def write(self, text: str) -> None:
        """Write a message into the text field and send it."""
        self.desk.press("ctrl+l")
        self.desk.type_text(text)
        self.desk.press("Return")

    def begin_private(self) -> str:
        """Begin a private conversation by its key; return its handle."""
        before = self.handle
        self.desk.press("ctrl+shift+n")
        self.program.wait(lambda status: bool(status) and status["conversation"] != before, "another conversation")
        self.program.wait_for_phase("ready")
        return self.handle

    @property
    def handle(self) -> str:
        status = self.program.status()
        assert status is not None
        return str(status["conversation"])

    @property
    def label(self) -> str:
        """Return the label that the window's title shows."""
        return self.desk.run("xdotool", "getwindowname", self.window).split(" · ")[0].strip()

    def tell_secrets(self) -> list[str]:
        """Hold a private conversation, by key and aloud, and leave a draft in it; return what nobody else may know."""
        handle = self.begin_private()
        self.exchange(lambda: self.write(f"my name is {SECRET_WORD}"))
        label = self.label
        assert len(label) > 8
        self.exchange(lambda: ask_aloud(self.program, self.desk, SPOKEN))
        self.desk.type_text(f"a draft of {SECRET_WORD}")
        status = self.program.status()
        assert status is not None
        assert (status["conversation"], status["pending_sync"]) == (handle, 0)
        return [SECRET_WORD, HEARD, handle, label]


class Search:
    """Everything that the program may write to, and what is in the keyring before the secrets."""

    def __init__(self, desk: Desk, folder: Path, program: Program) -> None:
        program.wait(lambda status: bool(status) and status["pending_sync"] == 0, "delivery")
        self._desk, self._folder, self._entries = desk, folder, keyring_text(desk)

    def check(self, secrets: list[str], listed: str, open_handle: str) -> None:
        """Find what was said openly, wherever it belongs, and nothing of the secrets."""
        places = [self._folder, *places_of(self._desk)]
        ordinary = find_words([OPEN_WORD], places)
        assert {file.suffix for file in ordinary} >= {".db"}, f"the search finds nothing: {ordinary}"
        assert len([file for file in ordinary if "practice" in str(file)]) >= 1, "the remote store was not searched"
        assert find_words([open_handle], places)
        assert open_handle in self._entries, "the keyring was not searched"
        assert find_words(secrets, places) == {}
        assert not [word for word in secrets if word in keyring_text(self._desk) or word in listed]
        assert keyring_text(self._desk) == self._entries


def test_nothing_of_a_private_conversation_is_left_anywhere_and_nobody_is_told_of_it(
    desk: Desk, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with Program(tmp_path / "home", {**desk.env, "TMPDIR": str(scratch)}) as program:
        window = Window(desk, program)
        open_handle = window.handle
        window.exchange(lambda: window.write(f"my name is {OPEN_WORD}"))
        program.wait_for_turns(2)

        told = program.run("ctl", "new", "--private")
        assert (told.returncode, told.stderr) == (0, "")
        program.wait_for_phase("ready")
        window.exchange(lambda: program.ask("say", text=f"my name is {SECRET_WORD}"))
        program.ask("new")
        program.wait_for_phase("ready")
        program.ask("say", text="what is my name")
        turns = program.wait_for_turns(2, first="what is my name")
        assert SECRET_WORD not in str(turns).lower(), "the next conversation was told of the private one"
        program.wait_for_phase("ready")

        search = Search(desk, tmp_path, program)
        secrets = window.tell_secrets()
        listed = program.run("history", "list", "--json").stdout
        program.kill()
        search.check(secrets, listed, open_handle)

        window = Window(desk, program)
        assert [turn["text"] for turn in program.turns()][:1] == ["what is my name"]
        search = Search(desk, tmp_path, program)
        secrets += window.tell_secrets()
        listed = program.run("history", "list", "--json").stdout
        assert program.quit() == 0
        search.check(secrets, listed, open_handle)


class Endings:
    """A private talk and an ordinary one, side by side, that end as they should or are killed."""

    def __init__(self, folder: Path, desk: Desk, *, killed: bool) -> None:
        self.killed, self.scratch = killed, folder / "scratch"
        self.scratch.mkdir(parents=True)
        self.lines = {name: CommandLine(folder / name) for name in ("private", "new")}
        for line in self.lines.values():  # with the desktop's keyring
            line.env = Program(line.home, {**desk.env, "TMPDIR": str(self.scratch)}).env

    def begin(self, question: Path, stack: contextlib.ExitStack) -> None:
        """Start both."""
        self._talks = {
            name: stack.enter_context(line.started("talk", "--in", question, f"--{name}", "--json"))
            for name, line in self.lines.items()
        }

    def end(self) -> dict[str, str]:
        """End both; return the handles of their conversations."""
        handles: dict[str, str] = {}
        for name, talk in self._talks.items():
            if self.killed:
                talk.wait_for_line('"assistant"')
                talk.signal(signal.SIGKILL)
            result = talk.end()
            assert result.code == (-signal.SIGKILL if self.killed else 0), result.err
            assert any(HEARD in turn["text"].lower() for turn in result.turns), result.out
            handles[name] = result.turns[0]["conversation"]
        return handles


def test_nothing_of_a_private_talk_is_left_anywhere(desk: Desk, tmp_path: Path) -> None:
    question = spoken(tmp_path / "question.wav", SPOKEN)
    more = spoken(tmp_path / "more.wav", SPOKEN, "thank you", pause_ms=60_000)  # who is killed must not have left
    said = speech(Speaker.SLT, SPOKEN)
    middle = said[len(said) // 2 : len(said) // 2 + 256]
    endings = [Endings(tmp_path / name, desk, killed=name == "kill-9") for name in ("kill-9", "end")]
    with contextlib.ExitStack() as stack:
        for ending in endings:
            ending.begin(more if ending.killed else question, stack)
        handles = [ending.end() for ending in endings]
    wait_for_practice_to_end(tmp_path)

    assert find_bytes([middle], [tmp_path]).keys() == {question, more}, "the sound of the question was written"
    for ending, names in zip(endings, handles, strict=True):
        private, new = ending.lines["private"].home, ending.lines["new"].home
        assert find_words([HEARD, names["new"]], [new]), "the search finds nothing"
        places = [private, ending.scratch, *places_of(desk)]
        assert find_words([HEARD, names["private"]], places) == {}
        assert names["private"] not in keyring_text(desk)
        assert rows_about_conversations(private) == {}
        assert rows_about_conversations(new).keys() >= {"conversation", "turn", "session"}


def rows_about_conversations(home: Path) -> dict[str, int]:
    """Return how many rows each table of the store and of the practice server has, beside those about the program."""
    counts: dict[str, int] = {}
    for file in home.rglob("*.db"):
        with contextlib.closing(sqlite3.connect(file)) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            for table in tables:
                if table == "measurement":
                    query = "SELECT count(*) FROM measurement WHERE kind NOT LIKE '%stall'"
                elif table == "setting":
                    query = "SELECT count(*) FROM setting WHERE name <> 'device'"
                else:
                    query = f'SELECT count(*) FROM "{table}"'
                (count,) = db.execute(query).fetchone()
                if count and not table.startswith("turn_text"):  # the full-text index has rows of its own
                    counts[table] = counts.get(table, 0) + count
    return counts


def places_of(desk: Desk) -> list[Path]:
    """Return where programs on the desktop write beside their own folder; its sound folder is the test's voice."""
    return [*(folder for folder in desk.folder.iterdir() if folder.is_dir() and folder.name != "sound"), _SHARED]


def wait_for_practice_to_end(home: Path) -> None:
    """Return once no process works below `home`: what dies late may still write."""
    until = time.monotonic() + 60
    while any(_lives_in(process, home) for process in Path("/proc").iterdir() if process.name.isdigit()):
        assert time.monotonic() < until, "something outlived the talk"
        time.sleep(0.05)


def _lives_in(process: Path, home: Path) -> bool:
    try:
        return str(home).encode() in (process / "environ").read_bytes().replace(b"pytest", b"")
    except OSError:
        return False
