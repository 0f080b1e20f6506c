"""Starts, drives and watches the app's process of the kill tests."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from novadesk.desktop.control import send
from novadesk.errors import KnownError
from novadesk.paths import find_folders
from tests.support.program import children

PATIENCE_S = 45.0
_LINE_BYTES = 1 << 20
_NOISE = ("syncing", "syncing over", "saving", "saving over", "renewing")


class App:
    """One life of the app.

    Attributes:
        lines: what it has said, in order; complete once `gone` has returned.
    """

    def __init__(self, pid: int, home: Path) -> None:
        self.pid = pid
        self.lines: list[dict[str, Any]] = []
        self._socket = find_folders(home=str(home)).control_socket
        self._news = asyncio.Event()
        self._over = False
        self._reading: asyncio.Task[None]
        self._process: asyncio.subprocess.Process | None = None

    @classmethod
    async def execute(cls, config: Mapping[str, Any], env: Mapping[str, str]) -> "App":
        """Start it as a program of its own."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.kill_host", json.dumps(config)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(env),
            limit=_LINE_BYTES,
        )
        assert process.stdout is not None
        app = cls(process.pid, Path(config["home"]))
        app._process = process
        app._reading = asyncio.create_task(app._read(process.stdout), name="app-lines")
        return app

    @classmethod
    async def fork(cls, config: Mapping[str, Any], zygote: "Zygote") -> "App":
        """Start it where everything is loaded already."""
        reading, writing = os.pipe()
        pid = await zygote.start(config, writing)
        stream = asyncio.StreamReader(limit=_LINE_BYTES)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", 0)
        )
        app = cls(pid, Path(config["home"]))
        app._reading = asyncio.create_task(app._read(stream, transport), name="app-lines")
        return app

    async def _read(self, stream: asyncio.StreamReader, transport: asyncio.BaseTransport | None = None) -> None:
        while line := await stream.readline():
            if line.endswith(b"\n"):
                self.lines.append(json.loads(line))
            self._news.set()
        self._over = True
        self._news.set()
        if transport is not None:
            transport.close()

    async def until(self, wanted: Callable[[list[dict[str, Any]]], bool], what: str = "something") -> bool:
        """Wait until its lines fulfil a wish; return False when it is gone before."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not wanted(self.lines):
                    if self._over:
                        return False
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}; its last words:{self.words()}") from None
        return True

    def words(self, count: int = 24) -> str:
        """Return its last lines for people."""
        lines = [line for line in self.lines if line["type"] not in _NOISE]
        return "".join(
            f"\n  {line['at']:.3f} {line['type']} {line.get('phase', line.get('text', line.get('state', '')))}"
            for line in lines[-count:]
        )

    async def ask(self, do: str, **more: Any) -> dict[str, Any] | None:
        """Ask over the control socket; None when nobody answers any more."""
        try:
            return await asyncio.to_thread(send, self._socket, {"do": do, **more}, 5.0)
        except KnownError:
            return None

    def kill(self) -> None:
        """Kill it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)

    async def gone(self) -> None:
        """Wait for its end and for its last line."""
        async with asyncio.timeout(PATIENCE_S):
            await self._reading
            if self._process is not None:
                await self._process.wait()

    @property
    def phase(self) -> str:
        """Return the phase that it was last seen in; "start" before there was one."""
        return next((line["phase"] for line in reversed(self.lines) if line["type"] == "phase"), "start")

    def child(self, word: str) -> int | None:
        """Return its child process whose command has this word."""
        for pid in children(self.pid):
            with contextlib.suppress(OSError):
                if word in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                    return pid
        return None


class Zygote:
    """The process that apps are forked from."""

    def __init__(self, process: asyncio.subprocess.Process, channel: socket.socket) -> None:
        self._process, self._channel = process, channel
        self._one_at_a_time = asyncio.Lock()

    async def start(self, config: Mapping[str, Any], output: int) -> int:
        """Fork an app; its standard output is the descriptor `output`, which is closed here."""
        async with self._one_at_a_time, asyncio.timeout(PATIENCE_S):
            socket.send_fds(self._channel, [json.dumps(config).encode()], [output])
            os.close(output)
            return int(await asyncio.get_running_loop().sock_recv(self._channel, 64))

    async def end(self) -> None:
        """Let it go."""
        self._channel.close()
        await self._process.wait()


@contextlib.asynccontextmanager
async def zygote(env: Mapping[str, str]) -> AsyncIterator[Zygote]:
    """Run the process that apps are forked from."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.kill_zygote", str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            env=dict(env),
        )
    async with asyncio.timeout(60):
        await asyncio.get_running_loop().sock_recv(ours, 64)
    made = Zygote(process, ours)
    try:
        yield made
    finally:
        await made.end()


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of the app."""
    root = Path(__file__).parents[2]
    own = {"NOVADESK_HOME": str(home), "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": _path(root)}
    return {**os.environ, **(more or {}), **own}


def _path(root: Path) -> str:
    given = os.environ.get("PYTHONPATH")
    return f"{given}{os.pathsep}{root}" if given else str(root)


def make_tone(file: Path, seconds: int = 60) -> Path:
    """Write a microphone recording that is never quiet."""
    with wave.open(str(file), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes((b"\x00\x10" * 20 + b"\x00\xf0" * 20) * (400 * seconds))
    return file
