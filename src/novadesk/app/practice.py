"""The practice server's process: started when first needed, ended with the process that started it."""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from novadesk.errors import KnownError, Reason
from novadesk.server.address import find_server

_log = logging.getLogger(__name__)

START_S = 20.0
STOP_S = 4.0


class PracticeServer:
    """Keeps one local server running.

    Args:
        command: starts the server; its first line on standard output is its address as JSON, and it ends when its
            standard input closes, so that it cannot outlive this process.
        folder: the server's folder; one that runs there already is used as it is.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = list(command)
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._finding: asyncio.Task[dict[str, Any]] | None = None
        self._errors: asyncio.Task[None] | None = None

    async def address(self) -> dict[str, Any]:
        """Return the running server's address, starting one where there is none. Who gives up does not stop it.

        Raises:
            KnownError: `PRACTICE_FAILED` when it does not start within `START_S`.
        """
        if self._finding is None or (self._finding.done() and not self._runs):
            self._finding = asyncio.create_task(self._find(), name="practice-finding")
            self._finding.add_done_callback(_look_at)
        finding = self._finding
        await asyncio.wait({finding})
        return finding.result()

    async def stop(self) -> None:
        """End the server that this process started. Idempotent, bounded in time."""
        finding, self._finding = self._finding, None
        if finding is not None:
            finding.cancel()
            await asyncio.gather(finding, return_exceptions=True)
        await self._end()

    @property
    def _runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _find(self) -> dict[str, Any]:
        if (running := find_server(self._folder)) is not None:
            return asdict(running)
        await self._end()
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )
        try:
            self._process = await asyncio.shield(starting)
        except OSError as error:
            raise _failed() from error
        except asyncio.CancelledError:
            self._process = await starting  # half a process could not be ended
            raise
        self._errors = asyncio.create_task(_log_errors(self._process), name="practice-errors")
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                line = await self._process.stdout.readline()
            return dict(json.loads(line))
        except (TimeoutError, ValueError, TypeError) as error:
            await self._end()
            raise _failed() from error

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            _log.info("the practice server did not end in time")
        finally:
            if process.returncode is None:  # too slow, or nobody has the time to wait for it
                process.kill()
                await process.wait()
        if process.stdout is not None:
            await process.stdout.read()  # to its end: an open pipe would outlive the loop
        if self._errors is not None:
            await self._errors
            self._errors = None


def _look_at(finding: asyncio.Task[dict[str, Any]]) -> None:
    """Take note of a failure that nobody waits for any more."""
    if not finding.cancelled():
        finding.exception()


async def _log_errors(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        _log.info("practice server: %s", line.decode(errors="replace").rstrip())


def _failed() -> KnownError:
    return KnownError(
        Reason.PRACTICE_FAILED,
        "The practice server did not start.",
        "Run `novadesk serve` to see why; `novadesk doctor` checks its parts.",
    )
