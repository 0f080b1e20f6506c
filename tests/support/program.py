"""The real program in a process of its own, driven over its control channel."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from novadesk.desktop.control import send
from novadesk.errors import KnownError, Reason
from novadesk.paths import find_folders

_NOT_HANDED_ON = (
    "PYTHON_KEYRING_BACKEND",
    "QT_QPA_PLATFORM",
)  # the tests' own stand-ins: the program gets the real ones
_NEWEST = """
SELECT c.handle, (SELECT count(*) FROM turn WHERE conversation = c.number),
  (SELECT text FROM turn WHERE conversation = c.number ORDER BY position LIMIT 1)
FROM conversation c WHERE c.number > ? AND NOT c.leaving_ms ORDER BY c.updated_ms DESC, c.number DESC LIMIT 1
"""


class _Newest(NamedTuple):
    """The newest conversation of a store."""

    handle: str
    turns: int
    first: str | None


class Program:
    """`novadesk` with a data folder of its own.

    Args:
        home: every file lies below it.
        env: the private desktop's environment, or another one.
        command: how the program is started; the frozen one can take its place.
    """

    def __init__(self, home: Path, env: Mapping[str, str], command: tuple[str, ...] = ()) -> None:
        self.home = home
        outer = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
        self.env = {**outer, **env, "NOVADESK_HOME": str(home)}
        self.command = command or (sys.executable, "-m", "novadesk")
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = False
        self._since = 0  # the conversations of earlier stories have numbers up to this one
        home.mkdir(parents=True, exist_ok=True)
        if not self.settings_file.exists():
            self.settings("")  # without a file it would be a first start, and begin with the first steps

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def settings(self, text: str) -> None:
        """Write the settings file."""
        self.settings_file.write_text(text)

    @property
    def settings_file(self) -> Path:
        """Return the settings file, in a folder that exists."""
        return find_folders(home=str(self.home)).make().settings_file

    def start(self) -> None:
        """Open the window and wait until the core answers."""
        log = (self.home / "stderr.txt").open("ab")
        with log:
            self._process = subprocess.Popen(self.command, env=self.env, stdout=log, stderr=log)
        self.wait(lambda status: status is not None, "the core to answer")

    def begin(self) -> None:
        """Begin another story: start where it does not run, have a new conversation where there were stories before.

        Returns when one can speak. From then on the turns are those of the conversations that come.
        """
        if not self.runs:
            self.start()
            self.wait_for_phase("ready")
        if self._begun and self._newest() is not None:
            (self._since,) = self._look("SELECT max(number) FROM conversation")
            before = (self.status() or {}).get("conversation")
            self.ask("new")
            self.wait(lambda status: bool(status) and status["conversation"] not in (None, before), "a new one")
        self._begun = True
        self.wait_for_phase("ready")
        self.wait(lambda status: bool(status) and status["microphone"] in ("gated", "open"), "the microphone")

    def run(self, *arguments: str, timeout_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
        """Run another command of the program to its end."""
        return subprocess.run(
            [*self.command, *arguments], env=self.env, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def ask(self, what: str, **more: Any) -> dict[str, Any]:
        """Ask the running core, as `novadesk ctl` does."""
        return send(find_folders(home=str(self.home)).control_socket, {"do": what, **more}, deadline_s=10.0)

    def status(self) -> dict[str, Any] | None:
        """Return the status, or None while there is no core."""
        try:
            return self.ask("status")
        except KnownError as error:
            if error.reason is Reason.NOT_RUNNING:
                return None
            raise

    def wait(
        self, condition: Callable[[dict[str, Any] | None], bool], what: str, timeout_s: float = 60.0
    ) -> dict[str, Any] | None:
        """Wait for a status."""
        until = time.monotonic() + timeout_s
        while not condition(status := self.status()):
            if not self.runs or time.monotonic() > until:
                raise AssertionError(f"waited in vain for {what}: {status}\n{self.words()}")
            time.sleep(0.05)
        return status

    def wait_for_phase(self, *phases: str, timeout_s: float = 60.0) -> None:
        """Wait until the conversation stands in one of these phases."""
        self.wait(lambda status: status is not None and status["phase"] in phases, " or ".join(phases), timeout_s)

    def turns(self) -> list[dict[str, Any]]:
        """Return the stored turns of the newest conversation, as `novadesk history` prints them."""
        newest = self._newest()
        return [] if newest is None else self._shown(newest)

    def wait_for_turns(self, count: int, timeout_s: float = 60.0, *, first: str = "") -> list[dict[str, Any]]:
        """Wait until so many turns are stored; `first` tells a new conversation from the one before it."""
        until = time.monotonic() + timeout_s
        while (newest := self._newest()) is None or newest.turns < count or (first and newest.first != first):
            if time.monotonic() > until:
                raise AssertionError(f"only these turns came: {self.turns()}\n{self.words()}")
            time.sleep(0.1)
        return self._shown(newest)

    def _shown(self, newest: "_Newest") -> list[dict[str, Any]]:
        shown = self.run("history", "show", newest.handle, "--json")
        assert shown.returncode == 0, shown.stderr
        return list(json.loads(shown.stdout))

    def _newest(self) -> "_Newest | None":
        with contextlib.suppress(sqlite3.OperationalError):  # the store is not there yet
            if (row := self._look(_NEWEST, self._since)) is not None:
                return _Newest(*row)
        return None

    def _look(self, query: str, *values: int) -> Any:
        """Look into the store: who waits for a turn would start a process ten times a second to be told of it."""
        store = find_folders(home=str(self.home)).database
        with contextlib.closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchone()

    def kill(self, by: signal.Signals = signal.SIGKILL) -> None:
        """Kill the window's process as a power cut would, or a fault; wait until nothing that it started is left."""
        if self._process is None:
            return
        offspring = _descendants(self._process.pid)
        self._process.send_signal(by)
        self._process.wait()
        self._process = None
        until = time.monotonic() + 60
        while left := [pid for pid in offspring if _alive(pid)]:
            assert time.monotonic() < until, f"these outlived their program: {left}"
            time.sleep(0.05)

    def quit(self) -> int:
        """Ask the program to leave; return its exit code once nothing that it started is left."""
        return self.leave(lambda: self.ask("quit"))

    def leave(self, wish: Callable[[], object]) -> int:
        """Do what makes the program leave; return its exit code once nothing that it started is left."""
        assert self._process is not None
        offspring = _descendants(self._process.pid)
        wish()
        code = self._process.wait(timeout=60)
        self._process = None
        assert not [pid for pid in offspring if _alive(pid)], "something outlived its program"
        return code

    @property
    def runs(self) -> bool:
        """Say whether the window's process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the window's process."""
        assert self._process is not None
        return self._process.pid

    def words(self) -> str:
        """Return what the program wrote to its log and to standard error."""
        files = [self.home / "stderr.txt", find_folders(home=str(self.home)).log_file]
        return "\n".join(f"--- {file.name}\n{file.read_text()[-4000:]}" for file in files if file.exists())


@contextlib.contextmanager
def shared_program(folder: Path, env: Mapping[str, str], settings: str = "") -> Iterator[Program]:
    """Run a program that several stories use, each in a conversation of its own; how it ends is theirs to check."""
    with Program(folder / "home", env) as made:
        made.settings(settings)
        made.begin()
        yield made


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for child in children(pid):
        found += [child, *_descendants(child)]
    return found


def children(pid: int) -> list[int]:
    """Return the child processes; threads and processes may end at any moment."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
