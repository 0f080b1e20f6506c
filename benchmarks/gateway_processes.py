"""Processes of gateway_host.py: started, asked what they hold, told to stop."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from novadesk.paths import find_folders
from novadesk.server.gateway.issuer import LocalIssuer

CORES = sorted(os.sched_getaffinity(0))
MEASURED, BESIDE = CORES[0], CORES[-1]
"""The core of what is measured, and that of the load and of the voice service."""

_HOST = Path(__file__).with_name("gateway_host.py")
_STOP_S = 40.0


class Hosted:
    """A process that serves.

    Args:
        process: just started.

    Attributes:
        url: where it is.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.url = str(self._line()["url"])

    def counts(self) -> dict[str, int]:
        """Return what it holds."""
        assert self._process.stdin is not None
        self._process.stdin.write("count\n")
        self._process.stdin.flush()
        return {name: int(str(count)) for name, count in self._line().items()}

    def cpu_s(self) -> float:
        """Return the processor time that it has taken."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def tell_to_stop(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def ended(self) -> int:
        """Return its exit code, once it has one."""
        return self._process.wait(_STOP_S)

    def _line(self) -> dict[str, object]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))


@contextlib.contextmanager
def hosted(what: str, folder: Path, core: int = MEASURED, *, scripted: bool = False) -> Iterator[Hosted]:
    """Run a process; see gateway_host.py."""
    command = [sys.executable, str(_HOST), what, "--folder", str(folder), "--core", str(core)]
    command += ["--scripted"] if scripted else []
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        host = Hosted(process)
        yield host
        if process.poll() is None:
            host.tell_to_stop()
        host.ended()
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def tokens(folder: Path, count: int) -> list[str]:
    """Return a token for each of so many people."""
    issuer = LocalIssuer(find_folders(home=str(folder)).make().gateway, clock=time.time)
    try:
        return [issuer.mint(f"person-{number}", valid_s=3_600.0) for number in range(count)]
    finally:
        issuer.close()
