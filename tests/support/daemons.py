"""Child processes of the private desktop: started to die with us, awaited by looking, never by probing."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_POLL_S = 0.02
_READY_S = 60.0
_STOP_S = 3.0


class DeskError(Exception):
    """The private desktop could not be made or a part of it did not do as asked."""


class Daemons:
    """The desktop's processes in order of their start; stopped in the opposite order."""

    def __init__(self, logs: Path, env: Mapping[str, str]) -> None:
        self._logs = logs
        self._env = env
        self._started: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, name: str, command: Sequence[str], *, stdin: bytes = b"", pass_fds: Sequence[int] = ()) -> None:
        """Start one; its output goes to `name`.log. The kernel ends it should this process die (setpriv)."""
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(self._env),
                pass_fds=pass_fds,
            )
        self._started.append((name, process))
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(stdin)

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Look until `ready`.

        Raises:
            DeskError: a daemon has died, or the time is up; with the end of the logs.
        """
        deadline = time.monotonic() + _READY_S
        while not ready():
            dead = [name for name, process in self._started if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                why = f"{', '.join(dead)} ended" if dead else f"nothing after {_READY_S:.0f} s"
                raise DeskError(f"The private desktop has no {what}: {why}.\n{self._last_words()}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End all, the last started first; those that do not listen are killed."""
        for _, process in reversed(self._started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for _, process in reversed(self._started):
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._started.clear()

    def pids(self) -> dict[str, int]:
        """Return the process ids by name."""
        return {name: process.pid for name, process in self._started}

    def _last_words(self) -> str:
        parts = []
        for file in sorted(self._logs.glob("*.log")):
            lines = file.read_text(errors="replace").splitlines()[-5:]
            parts += [f"[{file.stem}] {line}" for line in lines]
        return "\n".join(parts)


@contextlib.contextmanager
def told_through_pipe(answer: Path) -> Iterator[int]:
    """Open a file for a daemon that tells its address on a descriptor; the descriptor is ours to close."""
    descriptor = os.open(answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
