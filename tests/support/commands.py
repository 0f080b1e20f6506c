"""The command line as a stranger uses it: every command a process of its own, below a folder of its own."""

import contextlib
import functools
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from novadesk.paths import Folders, find_folders
from tests.support.voices import RATE_HZ, Speaker, silence, speech

ENTRY = (sys.executable, "-m", "novadesk")
LONGEST_S = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return standard output as JSON lines; anything else there fails the test."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def turns(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["type"] == "turn"]

    def check_known(self, layer: str, *words: str) -> None:
        """Check an error of the world: exit code 2, one sentence with the layer and these words, no traceback."""
        assert self.code == 2, (self.out, self.err)
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith(f"novadesk: {layer}: "), self.err
        sentence = re.fullmatch(r"(.*) \(ND-[A-Z]+-\d\d\)", lines[0])
        assert sentence, f"no code: {self.err}"
        assert len(sentence[1].rstrip(".").split(". ")) >= 2, f"no next step: {self.err}"
        for word in words:
            assert word in lines[0], f"{word!r} is not in {lines[0]!r}"

    def check_error_row(self, layer: str, reason: str) -> None:
        """Check the JSON line of an error."""
        row = next(row for row in self.rows if row["type"] == "error")
        assert {"type", "layer", "reason", "advice"} <= row.keys()
        assert (row["layer"], row["reason"]) == (layer, reason)
        assert row["advice"]


class Running:
    """A command that is under way."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.seen: list[str] = []

    def wait_for_line(self, words: str) -> str:
        """Read standard output up to a line that holds these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(line)
            if words in line:
                return line
        errors = "" if self.process.stderr is None else self.process.stderr.read()
        raise AssertionError(f"{words!r} never came: {''.join(self.seen)}{errors}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, timeout_s: float = LONGEST_S) -> Result:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=timeout_s)
        return Result(code=self.process.returncode, out="".join(self.seen) + out, err=err)


class CommandLine:
    """`novadesk` with its own files.

    Args:
        home: every file lies below it; made by the program.
        env: further variables.
    """

    def __init__(self, home: Path, env: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.env = {**os.environ, "NOVADESK_HOME": str(home), **(env or {})}

    @property
    def folders(self) -> Folders:
        return find_folders(home=str(self.home))

    def settings(self, text: str) -> Path:
        """Write the settings file."""
        file = self.folders.make().settings_file
        file.write_bytes(text.encode())
        return file

    def run(self, *arguments: str | Path, env: Mapping[str, str] | None = None, **how: Any) -> Result:
        """Run a command to its end."""
        how = {"capture_output": True, "timeout": LONGEST_S, **how}
        done = subprocess.run(
            [*ENTRY, *map(str, arguments)], env={**self.env, **(env or {})}, text=True, check=False, **how
        )
        return Result(code=done.returncode, out=done.stdout or "", err=done.stderr or "")

    @contextlib.contextmanager
    def started(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, closed: int | None = None
    ) -> Iterator[Running]:
        """Start a command, with one standard stream closed; it is killed at the end when it still runs."""
        process = subprocess.Popen(
            [*ENTRY, *map(str, arguments)],
            env={**self.env, **(env or {})},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=None if closed is None else functools.partial(os.close, closed),
        )
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    @contextlib.contextmanager
    def partner(self, *steps: dict[str, object]) -> Iterator[dict[str, Any]]:
        """Run a local server here that plays a script; give its address. `talk` here finds it."""
        script = self.home.with_name(f"{self.home.name}.jsonl")
        script.write_text("\n".join(json.dumps(step) for step in steps))
        with self.started("serve", "--persona", script) as server:
            address = json.loads(server.wait_for_line("bedrock"))
            yield address
            server.signal(signal.SIGTERM)
            assert server.end(10.0).code == 0


def exchange(heard: str, answer: str, *, ms: int = 300) -> list[dict[str, object]]:
    """Return the steps of one exchange by voice."""
    return [
        {"on_utterance": True, "do": "user_said", "text": heard},
        {"do": "user_speech_ended"},
        {"do": "say", "text": answer, "ms": ms},
    ]


def three_free_ports() -> int:
    """Return the first of three that nobody has, below those that the system gives to whoever asks for any."""
    for port in random.sample(range(20_000, 32_000, 3), 100):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for number in range(3):
                stack.enter_context(socket.create_server(("127.0.0.1", port + number)))
            return port
    raise AssertionError("no three ports are free")


def write_wav(file: Path, pcm: bytes = b"", *, rate_hz: int = RATE_HZ, channels: int = 1, width_bytes: int = 2) -> Path:
    """Write a WAV file and return it."""
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(width_bytes)
        sound.setframerate(rate_hz)
        sound.writeframes(pcm)
    return file


def spoken(file: Path, *sentences: str, pause_ms: int = 3_000) -> Path:
    """Write sentences with pauses between them, ready for `talk`."""
    pieces: list[bytes] = []
    for sentence in sentences:
        pieces += [silence(pause_ms) if pieces else silence(100), speech(Speaker.SLT, sentence)]
    return write_wav(file, b"".join([*pieces, silence(300)]))


def modes(folder: Path) -> dict[str, Sequence[int]]:
    """Return the permissions of everything below a folder, itself included."""
    found = {".": (folder.stat().st_mode & 0o777,)}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            found[str(path.relative_to(folder))] = (path.lstat().st_mode & 0o777,)
    return found
