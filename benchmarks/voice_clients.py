"""Who is measured: NovaDesk's window, and peers that speak Nova Sonic, each in an environment of its own."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from novadesk.server.address import ServerAddress
from tests.support.program import Program, children

HERE = Path(__file__).resolve().parent
MODEL = "amazon.nova-2-sonic-v1:0"
REGION = "us-east-1"
HOST = f"bedrock-runtime.{REGION}.amazonaws.com"
ADDRESS, PORT = "127.77.0.1", 442
"""Where the local server listens; TLS takes the port after, which is that of https."""

_TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
_SETTINGS = f"""[backend]
kind = "bedrock"
model = "{MODEL}"
region = "{REGION}"

[talk]
mode = "hands_free"
"""
_LEAVE_S = 4.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program to compare with: what pip installs, and what starts it."""

    name: str
    package: str
    requirements: tuple[str, ...]
    command: tuple[str, ...]


PEERS = (
    Peer(
        name="pipecat",
        package="pipecat-ai",
        requirements=("pipecat-ai[aws-nova-sonic,local]==1.14.0",),
        command=(str(HERE / "peers" / "pipecat_local.py"),),
    ),
    Peer(
        name="strands",
        package="strands-agents",
        requirements=("strands-agents[bidi,bidi-io,bidi-pyaudio,bidi-aec]==1.62.0",),
        command=(str(HERE / "peers" / "strands_audio.py"),),
    ),
    Peer(
        name="livekit",
        package="livekit-agents",
        requirements=("livekit-agents==1.8.9", "livekit-plugins-aws[realtime]==1.8.9"),
        command=(str(HERE / "peers" / "livekit_console.py"), "console"),
    ),
)


def install(peer: Peer, folder: Path) -> None:
    """Make a peer's environment. PyAudio is compiled: the headers of PortAudio have to be there."""
    home = folder / peer.name
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    subprocess.run([str(home / "bin" / "pip"), "install", "-q", *peer.requirements], check=True)


def version_of(peer: Peer, folder: Path) -> str:
    """Return the version that is installed, or nothing."""
    python = folder / peer.name / "bin" / "python"
    words = f"import importlib.metadata as m; print(m.version({peer.package!r}))"
    if not python.exists():
        return ""
    return subprocess.run([str(python), "-c", words], capture_output=True, text=True, check=False).stdout.strip()


class World:
    """Where AWS's own name leads to the local server, for one process tree, in a mount namespace of its own."""

    def __init__(self, folder: Path, address: ServerAddress, env: Mapping[str, str]) -> None:
        hosts, trusted = folder / "hosts", folder / "trusted.crt"
        hosts.write_text(f"127.0.0.1 localhost\n{ADDRESS} {HOST}\n")
        trusted.write_text(_TRUSTED.read_text() + Path(address.ca_file).read_text())
        self._mounts = (
            f"mount --make-rprivate / && mount --bind {hosts} /etc/hosts && mount --bind {trusted} {_TRUSTED}"
            ' && exec "$@"'
        )
        self.folder = folder
        self.env = {
            **env,
            "AWS_ACCESS_KEY_ID": address.access_key_id,
            "AWS_SECRET_ACCESS_KEY": address.secret_access_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": address.agent_runtime,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BEDROCK_MODEL_ID": MODEL,
            "TERM": "xterm-256color",
        }

    def command(self, *words: str) -> tuple[str, ...]:
        """Return a command line that runs inside."""
        return ("unshare", "-m", "sh", "-c", self._mounts, "inside", *words)


@dataclass(slots=True)
class Running:
    """A client that runs."""

    pid: int
    log: Path
    probe: Path | None = None

    def cpu_s(self, before: Mapping[str, float] = MappingProxyType({})) -> dict[str, float]:
        """Return the processor time of each of its processes, in seconds, less what it was before.

        A process that has ended counts with the one that started it: what it had spent before is taken off there.
        """
        spent: dict[str, float] = {}
        for pid in _family(self.pid):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                spent[_title(pid)] = sum(map(int, words[11:15])) / _TICKS
        ended = {f"{title}, ended": 0.0 for title in before if title not in spent}
        known = {f"{title}, ended" if title not in spent else title: value for title, value in before.items()}
        return {title: value - known.get(title, 0.0) for title, value in (spent | ended).items()}

    def words(self) -> str:
        """Return the end of what it printed."""
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""


def _title(pid: int) -> str:
    line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    last = [word.decode(errors="replace").rpartition("/")[2] for word in line if word]
    return f"{' '.join(last[1:])[-40:]} ({pid})"


def _family(pid: int) -> list[int]:
    return [pid, *(late for child in children(pid) for late in _family(child))]


@contextlib.contextmanager
def novadesk(world: World, *, probed: bool = True) -> Iterator[Running]:
    """Run the window, hands-free, as a person would start it; its audio process writes what our probe sees."""
    probe = world.folder / "probe.txt" if probed else None
    looking = {"NOVADESK_PROBE": str(probe), "PYTHONPATH": str(HERE / "probe")} if probed else {}
    command = world.command(sys.executable, "-m", "novadesk")
    with Program(world.folder / "home", {**world.env, **looking}, command) as program:
        program.settings(_SETTINGS)
        program.start()
        program.wait_for_phase("ready")
        yield Running(pid=program.pid, log=program.home / "stderr.txt", probe=probe)
        program.quit()


@contextlib.contextmanager
def peer_running(world: World, peer: Peer, folder: Path) -> Iterator[Running]:
    """Run a peer at a terminal of its own."""
    python = str(folder / peer.name / "bin" / "python")
    log = world.folder / f"{peer.name}.txt"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        world.command(python, *peer.command), stdin=theirs, stdout=theirs, stderr=theirs,
        env={**world.env, "HOME": str(world.folder), "COLUMNS": "100", "LINES": "30"}, cwd=world.folder,
    )  # fmt: skip
    os.close(theirs)
    draining = threading.Thread(target=_drain, args=(ours, log), daemon=True)
    draining.start()
    running = Running(pid=process.pid, log=log)
    try:
        yield running
    finally:
        family = _family(process.pid)
        _end(process)
        for pid in family[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        draining.join(2)
        os.close(ours)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_S / 2)
    process.wait()


def _drain(descriptor: int, log: Path) -> None:
    with log.open("wb") as stream, contextlib.suppress(OSError):
        while piece := os.read(descriptor, 1 << 16):
            stream.write(piece)
            stream.flush()


def wait_until(moment: float) -> None:
    """Sleep until a monotonic moment."""
    time.sleep(max(0.0, moment - time.monotonic()))
