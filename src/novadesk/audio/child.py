"""One audio process as the app holds it: its pipes, its last words, its end."""

import asyncio
import contextlib
import logging
import math
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence

from novadesk.audio.framing import HEADER, FramingError, decode_report, encode, payload_bytes
from novadesk.audio.wire import Command, Report, Trying
from novadesk.diagnostics.crash import of_dump
from novadesk.errors import KnownError, Reason
from novadesk.text import Text

_LOG = logging.getLogger(__name__)

START_S = 10.0
"""For the process to start, on a very busy computer; usually half a second."""

OPEN_S = 3.0
"""For devices to open and sound to flow, or to be told why it does not."""

_SLICE_S = 0.5
_LATE_S = 0.1  # the app's loop comes late by 10 ms in a conversation on a computer that has time for it
_EXCUSED = 2  # for each that counts
_END_S = 0.8
_STDERR_BYTES = 4096
_LAST_WORDS_BYTES = 32_768
# Of numpy, and of the speech model: its four threads wait for each other 165 times for 32 ms of sound (measured), which
# takes five times as long as one thread alone.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"}
_CREATION_FLAGS: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows only


class Child:
    """A running audio process. Made by `start`; `end` it in every case.

    Attributes:
        trying: what it is opening, or nothing.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._header: bytes | None = None
        self.trying = Trying()
        self._told_to_end = False
        self._listening = asyncio.create_task(self._log_stderr(process.stderr), name="engine-stderr")

    @classmethod
    async def start(cls, command: Sequence[str]) -> "Child":
        """Start the process.

        Raises:
            KnownError: `ENGINE_DIED` when the system does not start it.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **_ONE_THREAD},
                creationflags=_CREATION_FLAGS,
            )
        except OSError as error:
            raise engine_died(Text("The audio process does not start.")) from error
        return cls(process)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def send(self, command: Command) -> None:
        """Queue a command; returns at once. What a dead process does not take is dropped."""
        if not self._stdin.is_closing():
            self._stdin.write(encode(command))

    async def receive(self, deadline_s: float) -> Report | None:
        """Return the next report, or None when none came in time. What is being opened is noted in `trying`.

        Raises:
            KnownError: `ENGINE_DIED` at the end of the pipe or when the bytes make no sense.
        """
        for due in slices(deadline_s, asyncio.get_running_loop().time):
            try:
                async with asyncio.timeout_at(due):
                    return await self._next()
            except TimeoutError:
                continue
            except (asyncio.IncompleteReadError, FramingError, OSError) as error:
                raise engine_died(Text("The audio process has stopped.")) from error
        return None

    def kill(self) -> None:
        """End the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """Let the process leave, end it if it does not, and take everything of it away. Bounded in time.

        A cancellation takes effect behind that: it leaves no process.
        """
        ending = asyncio.create_task(self._end(), name="engine-end")
        cancelled: asyncio.CancelledError | None = None
        while not ending.done():
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        ending.result()

    async def _end(self) -> None:
        self._told_to_end = not self._stdout.at_eof()
        self._stdin.close()
        draining = asyncio.create_task(self._drain(), name="engine-drain")
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await self._process.wait()
        finally:
            if self._process.returncode is None:
                self.kill()
            await asyncio.wait({self._listening}, timeout=_END_S)  # its last words may tell why
            for task in (draining, self._listening):
                task.cancel()
            await asyncio.gather(draining, self._listening, return_exceptions=True)
            with contextlib.suppress(OSError):
                await self._stdin.wait_closed()

    async def _next(self) -> Report:
        while True:
            if self._header is None:  # kept between calls: the payload may be waited for in several slices
                self._header = await self._stdout.readexactly(HEADER.size)
            payload = await self._stdout.readexactly(payload_bytes(self._header))
            header, self._header = self._header, None
            report = decode_report(header, payload)
            if not isinstance(report, Trying):
                return report
            self.trying = report

    async def _drain(self) -> None:
        while await self._stdout.read(_STDERR_BYTES):
            pass

    async def _log_stderr(self, stream: asyncio.StreamReader) -> None:
        """Log what the process writes. A crash that it ends with by itself is a fault of ours, reported as one."""
        last = b""
        while text := await stream.read(_STDERR_BYTES):
            last = (last + text)[-_LAST_WORDS_BYTES:]
            for line in text.decode("utf-8", "replace").splitlines():
                _LOG.debug("engine: %s", line)
        if not self._told_to_end and (lines := of_dump(last.decode("utf-8", "replace"))):
            _LOG.error("the audio process has crashed", extra={"crash": lines})


def engine_died(what: Text) -> KnownError:
    """Return the error of an audio process that is not there."""
    return KnownError(
        Reason.ENGINE_DIED,
        what,
        "NovaDesk starts it again by itself; if that does not help, start NovaDesk again.",
    )


def slices(deadline_s: float, clock: Callable[[], float]) -> Iterator[float]:
    """Yield when each slice of a wait is due, until nothing came in time.

    A slice that ended late counts only once many have: who was held up does not mistake that for another process's
    silence, and who comes late again and again is on a computer that has no time for the other process either.
    """
    left = max(1, math.ceil(deadline_s / _SLICE_S))
    excused = _EXCUSED * left
    while left:
        due = clock() + min(_SLICE_S, deadline_s)
        yield due
        if excused and clock() - due > _LATE_S:
            excused -= 1
        else:
            left -= 1
