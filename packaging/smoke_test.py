"""Drive a frozen NovaDesk on the private desktop of tests/support, as a person does, and look what it leaves.

python packaging/smoke_test.py TREE              a frozen tree, such as dist/novadesk, or a program of one file
python packaging/smoke_test.py --clean-root DEB…  the same with packages that are installed in a clean root (as root)

The program gets an environment without Python, and folders of its own. Exit status 1 when anything is not as it should
be. Where there is no private desktop, on Windows and macOS, only what needs none is tried; where the practice partner
has no recogniser, on Windows for ARM, only what needs no partner.
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from frozen import PARTS, parts_for_this_system
from outside import ask_keyring, census, entries, processes

from tests.support.desk import Desk, DeskError

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "resources" / "sounds" / "hello.wav"
OLD_STORE = ROOT / "tests" / "data" / "store_version_1.sql"
OLD_TITLE = "Holiday"
TALK_KEY = "F9"
OWN = {".config/novadesk", ".local/share/novadesk", ".local/state/novadesk", ".cache/novadesk"}
"""Where NovaDesk may write, below the person's home; its sockets are in the session's runtime folder."""

THEIRS = {".config/pulse", ".cache/fontconfig"}
"""What the system's libraries make for every program: the sound library's cookie; the list of fonts, where the one for
all is older than their folders (met once, in a root made a minute before)."""

_SESSION = (
    "DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "PULSE_SERVER", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH",
    "ALSA_CONFIG_PATH", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE", "QT_QPA_PLATFORM", "QT_LINUX_ACCESSIBILITY_ALWAYS_ON",
    "SYSTEMROOT", "TEMP", "TMP",
)  # fmt: skip
_START_S, _COMMAND_S, _TURN_S, _QUIT_S = 60.0, 120.0, 60.0, 30.0
_LOUD = 1_000
_UNUSED_PLACE = "99"
"""A place in the chain of remote sessions that no conversation of this test comes to."""


class SmokeError(Exception):
    """The program did not do as it should."""


class Person:
    """Somebody at the desktop, with a home folder and the program.

    Args:
        desk: the private desktop; None where there is none.
        program: how the program is started.
        home: the person's folder.
    """

    def __init__(self, desk: Desk | None, program: Sequence[str], home: Path) -> None:
        self._desk, self.program, self.home = desk, tuple(program), home
        (home / "tmp").mkdir(parents=True)
        around = desk.env if desk else os.environ
        session = {name: around[name] for name in _SESSION if name in around}
        self.env = {**session, "HOME": str(home), "TMPDIR": str(home / "tmp"), "LANG": "C.UTF-8", "PATH": "/usr/bin"}
        if desk is None:  # there the folders are not told by HOME
            self.env["NOVADESK_HOME"] = str(home / "own")
        self.window: subprocess.Popen[bytes] | None = None

    @property
    def desk(self) -> Desk:
        """Return the private desktop, where there is one."""
        assert self._desk is not None
        return self._desk

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run a command of the program to its end; return its standard output.

        Raises:
            SmokeError: it ended in another way than with `status`.
        """
        done = subprocess.run(
            [*self.program, *arguments], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_COMMAND_S, check=False,
        )  # fmt: skip
        if done.returncode != status:
            words = f"{' '.join(arguments)} ended with {done.returncode}, not {status}"
            raise SmokeError(f"{words}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def data(self, *arguments: str) -> Any:
        """Run a command with --json; return what it printed."""
        return json.loads(self.run(*arguments, "--json"))

    def open(self, *arguments: str) -> None:
        """Open the window; return once one can speak."""
        with (self.home.parent / "stderr.txt").open("ab") as log:
            self.window = subprocess.Popen([*self.program, *arguments], env=self.env, stdout=log, stderr=log)
        self.wait(lambda status: status["phase"] == "ready", "a conversation", _START_S)

    def status(self) -> dict[str, Any] | None:
        """Return what the running program says of itself; None while it does not run."""
        done = subprocess.run(
            [*self.program, "ctl", "status", "--json"], env=self.env, capture_output=True, check=False
        )
        return json.loads(done.stdout) if done.returncode == 0 else None

    def wait(self, ready: Callable[[dict[str, Any]], bool], what: str, seconds: float = _TURN_S) -> None:
        """Wait for a state.

        Raises:
            SmokeError: it did not come, or the program has ended.
        """
        until, status = time.monotonic() + seconds, None
        while time.monotonic() < until:
            if (status := self.status()) is not None and ready(status):
                return
            if self.window is not None and self.window.poll() is not None:
                raise SmokeError(f"the window ended with {self.window.returncode}: {self._last_words()}")
            time.sleep(0.1)
        raise SmokeError(f"waited in vain for {what}: {status} {self._last_words()}")

    def turns(self) -> list[dict[str, Any]]:
        """Return the stored turns of the newest conversation."""
        listed = self.data("history", "list")
        return self.data("history", "show", listed[0]["handle"]) if listed else []

    def wait_for_turns(self, count: int) -> list[dict[str, Any]]:
        """Wait until the newest conversation has so many turns.

        Raises:
            SmokeError: they did not come.
        """
        until = time.monotonic() + _TURN_S
        while len(found := self.turns()) < count:
            if time.monotonic() > until:
                raise SmokeError(f"{count} turns were due, these came: {found} {self._last_words()}")
            time.sleep(0.3)
        return found

    def kill(self) -> None:
        """End the window, whatever state it is in."""
        if self.window is not None and self.window.poll() is None:
            self.window.kill()
            self.window.wait()

    def _last_words(self) -> str:
        log = self.home / ".local/state/novadesk/novadesk.log"
        files = [file for file in (self.home.parent / "stderr.txt", log) if file.exists()]
        return "\n".join(file.read_text(errors="replace")[-2_000:] for file in files)


# ---------------------------------------------------------------- what is tried


def try_arguments(person: Person) -> None:
    """The executable is no interpreter: nothing that would start Python starts it, or another window."""
    need(person.run("--version").startswith("novadesk "), "it does not say which version it is")
    for words in (("-c", "print(1)"), ("--multiprocessing-fork", "a=1")):
        person.run(*words, status=2)


def try_window(person: Person) -> None:
    """The window opens without the first steps."""
    person.open("--no-first-steps")
    need(bool(person.desk.find_window("NovaDesk$")), "there is no window")


def try_voice(person: Person) -> None:
    """A turn spoken with the talk key held, while another program has the keyboard, is answered aloud and kept."""
    desk = person.desk
    with subprocess.Popen(["xev"], env=desk.env, stdout=subprocess.DEVNULL) as elsewhere:
        try:
            desk.focus(desk.find_window("Event Tester"))
            with desk.recording() as speaker:
                desk.key_down(TALK_KEY)
                person.wait(lambda status: status["phase"] == "listening", "the talk key to be noticed")
                desk.say("my name is anna")
                desk.key_up(TALK_KEY)
                turns = person.wait_for_turns(2)
                need(speaker.loudest() > _LOUD, f"the answer is silent: {speaker.loudest()}")
        finally:
            elsewhere.terminate()
    roles = [turn["role"] for turn in turns]
    need(roles == ["user", "assistant"] and "anna" in turns[0]["text"].lower(), f"not what was said: {turns}")


def try_control(person: Person) -> None:
    """Commands bound to keys are obeyed."""
    person.wait(lambda status: status["phase"] == "ready", "the end of the answer")
    person.run("ctl", "mute")
    person.wait(lambda status: status["microphone"] == "muted", "the microphone to be muted")
    person.run("ctl", "unmute")
    person.wait(lambda status: status["microphone"] != "muted", "the microphone to be there again")
    person.run("ctl", "say", "what is three plus four")
    turns = person.wait_for_turns(4)
    need("seven" in turns[3]["text"].lower(), f"not answered: {turns}")


def try_keyring(person: Person) -> None:
    """The id of the remote session goes into the desktop's keyring."""
    person.wait(lambda status: status["pending_sync"] == 0, "the turns to be delivered")
    need(entries(person.desk) > 0, "nothing is in the keyring")


def try_doctor(person: Person) -> None:
    """Everything that NovaDesk looks for is here."""
    found = person.data("doctor")
    bad = [row for row in found["findings"] if not row["ok"]]
    need(found["ok"] and not bad, f"the doctor found: {bad}")
    need(len(person.data("devices")) > 0, "no device is listed")


def try_quit(person: Person) -> None:
    """It leaves when it is told to, and takes its processes with it."""
    assert person.window is not None
    person.run("ctl", "quit")
    need(person.window.wait(_QUIT_S) == 0, f"it left with {person.window.returncode}")


def try_return(person: Person) -> None:
    """The next start goes on, with what the keyring alone knows: it is there, completed. `logout` takes it out.

    An entry without its secret is written anew by who has read it, with all that was in it.
    """
    handle = str(person.data("history", "list")[0]["handle"])
    entry = json.loads(ask_keyring(person.desk, "get", handle))
    need(bool(entry.pop("secret", "")) and bool(entry), "the keyring's entry is not as it is written")
    ask_keyring(person.desk, "set", handle, json.dumps(entry | {_UNUSED_PLACE: "planted"}))
    person.open("--no-first-steps")
    person.run("ctl", "say", "what is two plus two")
    need("four" in person.wait_for_turns(6)[5]["text"].lower(), "it does not go on")
    person.wait(lambda status: status["pending_sync"] == 0, "the turns to be delivered")
    try_quit(person)
    after = json.loads(ask_keyring(person.desk, "get", handle))
    need(bool(after.pop("secret", "")), "a later process has not completed the keyring's entry")
    need(after == entry | {_UNUSED_PLACE: "planted"}, "a later process has not read the keyring's entry")
    person.run("logout")
    need(entries(person.desk) == 0, "something is left in the keyring")


def try_talk(person: Person) -> None:
    """A conversation without a window: a file is heard, answered into a file, and kept."""
    answer = person.home / "tmp" / "answer.wav"
    lines = person.run("talk", "--in", str(lent(person, SAMPLE)), "--out", str(answer), "--new", "--json").splitlines()
    events = [json.loads(line) for line in lines]
    said = [event for event in events if event["type"] == "turn"]
    need({turn["role"] for turn in said} == {"user", "assistant"} and events[-1]["type"] == "end", f"no talk: {lines}")
    with wave.open(str(answer)) as sound:
        need(any(sound.readframes(sound.getnframes())), "the answer is silent")
    need(len(person.turns()) == len(said), f"{len(said)} turns were said, {len(person.turns())} are kept")
    answer.unlink()


def try_upgrade(person: Person) -> None:
    """A store as the first version made it keeps its conversations, and goes on."""
    home = person.home / "tmp" / "older"
    (home / "data").mkdir(parents=True, mode=0o700)
    with closing(sqlite3.connect(home / "data" / "novadesk.db")) as db:
        db.executescript(OLD_STORE.read_text(encoding="utf-8"))
    before = person.data("--home", str(home), "history", "list")
    answer = str(person.home / "tmp" / "upgraded.wav")
    person.run("--home", str(home), "talk", "--in", str(lent(person, SAMPLE)), "--out", answer, "--new")
    after = person.data("--home", str(home), "history", "list")
    need(OLD_TITLE in {row["title"] for row in after}, f"a conversation is lost: {before} became {after}")
    (old,) = [row for row in after if row["title"] == OLD_TITLE]
    need(len(person.data("--home", str(home), "history", "show", old["handle"])) == old["turns"] > 0, "turns are lost")
    shutil.rmtree(home)
    Path(answer).unlink()


TRIES = (
    try_arguments, try_window, try_voice, try_control, try_keyring, try_doctor, try_quit, try_return,
    try_talk, try_upgrade,
)  # fmt: skip
WITHOUT_DESKTOP = (try_arguments, try_talk, try_upgrade)
WITHOUT_PARTNER = (try_arguments,)


def tries_without_desktop() -> tuple[Callable[[Person], None], ...]:
    """Return what can be tried where there is no private desktop; say so where the practice partner cannot be."""
    if lacking := sorted(set(PARTS) - set(parts_for_this_system())):
        print(f"smoke: the practice partner is NOT tried: there is no {', '.join(lacking)} for this system", flush=True)
        return WITHOUT_PARTNER
    return WITHOUT_DESKTOP


def need(condition: bool, words: str) -> None:
    """Go on only if it is so.

    Raises:
        SmokeError: otherwise.
    """
    if not condition:
        raise SmokeError(words)


def lent(person: Person, file: Path) -> Path:
    """Return a copy of a file in a place that the program can see."""
    copy = person.home / "tmp" / file.name
    shutil.copyfile(file, copy)
    return copy


# ---------------------------------------------------------------- what is left


@contextmanager
def nothing_left(person: Person, tree: Path) -> Iterator[None]:
    """See that no process outlives the block, and that only NovaDesk's folders have changed.

    Raises:
        SmokeError: otherwise.
    """
    before = census(tree)
    yield
    until = time.monotonic() + 5  # a child may take a moment to see that its pipes are closed
    while (left := processes(tree)) and time.monotonic() < until:
        time.sleep(0.1)
    need(not left, f"these processes are left: {left}")
    changed = [str(one) for one, _ in census(tree) ^ before]
    need(not changed, f"the program's own folder has changed: {changed}")
    (person.home / "tmp" / SAMPLE.name).unlink(missing_ok=True)
    files = {str(file.relative_to(person.home)) for file in person.home.rglob("*") if not file.is_dir()}
    stray = sorted(file for file in files if not any(file.startswith(f"{own}/") for own in OWN | THEIRS))
    need(not stray, f"these files are outside of its folders: {stray}")
    sockets = [str(file) for file in Path(person.env["XDG_RUNTIME_DIR"], "novadesk").glob("*")]
    need(not sockets, f"these are left in the session's folder: {sockets}")


def try_all(program: Sequence[str], tree: Path) -> int:
    """Try a program on a desktop of its own; return the exit status."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="novadesk-smoke.")))
        if sys.platform != "linux":
            return _try(Person(None, program, folder / "person"), tries_without_desktop())
        person = Person(stack.enter_context(Desk(logs=folder / "logs")), program, folder / "person")
        stack.callback(_kill_all, tree)
        stack.callback(person.kill)
        return _try(person, TRIES, tree)


def _try(person: Person, tries: Sequence[Callable[[Person], None]], tree: Path | None = None) -> int:
    try:
        with nothing_left(person, tree) if tree else nullcontext():
            for one in tries:
                began = time.monotonic()
                one(person)
                print(f"smoke: ok {one.__name__.removeprefix('try_'):10} {time.monotonic() - began:5.1f} s", flush=True)
    except (SmokeError, DeskError, subprocess.TimeoutExpired, ValueError) as error:
        print(f"smoke: FAILED: {error}")
        return 1
    print("smoke: ok nothing is left but the person's own" if tree else "smoke: ok")
    return 0


def _kill_all(tree: Path) -> None:
    for pid in processes(tree):
        os.kill(pid, signal.SIGKILL)


def main(arguments: Sequence[str]) -> int:
    """Try what is given; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean-root", action="store_true", help="install packages in a clean root first")
    parser.add_argument("--tree", type=Path, help="where the program's files are, when that is not what is given")
    parser.add_argument("what", nargs="+", help="a frozen tree, packages, or with --tree a command line")
    options = parser.parse_args(arguments)
    if options.clean_root:
        from clean_root import try_packages

        return try_packages([Path(file).resolve() for file in options.what])
    if options.tree:
        return try_all(options.what, options.tree)
    given = Path(options.what[0]).resolve()
    if given.is_file():
        return try_all([str(given)], given.parent)
    return try_all([str(given / ("novadesk.exe" if sys.platform == "win32" else "novadesk"))], given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
