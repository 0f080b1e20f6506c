"""What the sound server says of its devices, told by a process of its own that `EngineSound` keeps beside the engine.

The process is a stranger's library away from the app: libpulse ends the process that uses it when a check of its own
fails. It tells lines of JSON on its stdout, is told moves on its stdin, and ends with it.
"""

import asyncio
import contextlib
import logging
import subprocess
from collections.abc import Callable, Sequence

from novadesk.audio.serverview import UNWATCHED, Move, ServerView, move_line, view_of

_LOG = logging.getLogger(__name__)

_AGAIN_S = 1.0
_END_S = 0.8
_LINE_BYTES = 1_000_000


class DeviceWatch:
    """Keeps the process running and hands on what it tells.

    Args:
        command: starts the process.
        on_view: called on the loop with each new view; None when there is no sound server, or nobody who could tell.
    """

    def __init__(self, command: Sequence[str], on_view: Callable[[ServerView | None], None]) -> None:
        self._command = tuple(command)
        self._on_view = on_view
        self._stdin: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self.useless = asyncio.Event()
        """Set once it is known that nothing can be watched on this system."""

    def start(self) -> None:
        """Begin to watch."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="sound-watch")

    async def close(self) -> None:
        """End the process. Bounded in time, idempotent, never raises."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def move(self, move: Move) -> None:
        """Ask for a move; what has become of it, the next view tells."""
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(move_line(move))

    async def _run(self) -> None:
        while True:
            try:
                if await self._follow() == UNWATCHED:
                    self.useless.set()
                    return
                self._on_view(None)
            except (OSError, ValueError):
                _LOG.info("the process that watches sound devices does not start or speak")
            except Exception:  # The outermost frame of the task: sound goes on without a watch.
                _LOG.exception("what the sound server told was lost by a bug")
            await asyncio.sleep(_AGAIN_S)

    async def _follow(self) -> int:
        """Run one process until it ends; return its exit status."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            limit=_LINE_BYTES,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        try:
            while line := await process.stdout.readline():
                self._on_view(view_of(line))
            return await process.wait()
        finally:
            self._stdin = None
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        with contextlib.suppress(OSError):
            await process.stdin.wait_closed()
