"""Opens and closes the sound devices as the conversation wants them; one change at a time, tried again on failure."""

import asyncio
from collections.abc import Callable

from novadesk.conversation.ports import Sound, SoundListener
from novadesk.errors import KnownError
from novadesk.models import Cue

RETRY_S = (0.25, 0.5, 1.0, 2.0, 3.0)
"""From one failed opening to the next: a device that did nothing is known to be dead after the second."""

FAREWELL_S = 0.6
"""How long the devices stay open for a last cue: a quarter of a second, and what a device delays it by."""


class SoundSwitch:
    """Brings the devices to the wanted state.

    Args:
        sound: the devices.
        listener: given to the devices while they are open.
        on_error: called with the error of a failed open; the switch goes on trying while the devices are wanted.
    """

    def __init__(self, *, sound: Sound, listener: SoundListener, on_error: Callable[[KnownError], None]) -> None:
        self._sound = sound
        self._listener = listener
        self._on_error = on_error
        self._wanted = asyncio.Event()
        self._released = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last: Cue | None = None
        self._open = False

    @property
    def wanted(self) -> bool:
        """Return whether the devices are wanted; those that are not may be open a moment longer."""
        return self._wanted.is_set()

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow(), name="sound-switch")

    async def stop(self) -> None:
        """Stop following and release the devices."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._sound.close()

    def set(self, *, wanted: bool, last: Cue | None = None) -> None:
        """Say whether the devices are wanted.

        Args:
            wanted: open them, or release them.
            last: what is heard before they are released, also where they are just being opened.
        """
        self._last = last
        if self._open:
            self._say_last()
        if wanted:
            self._wanted.set()
        else:
            self._wanted.clear()
            self._released.set()
        self._changed.set()

    def try_now(self) -> None:
        """Try to open at once instead of waiting."""
        self._changed.set()

    async def _follow(self) -> None:
        failures = 0
        while True:
            await self._wanted.wait()
            if not self._wanted.is_set():  # taken back before this task ran
                continue
            self._changed.clear()
            self._released.clear()
            try:
                await self._sound.open(self._listener)
            except KnownError as error:
                self._on_error(error)
                await self._change_within(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures = failures + 1 if self._wanted.is_set() else 0
                continue
            failures = 0
            self._open = True
            self._say_last()
            await self._released.wait()
            if self._last is not None:
                self._changed.clear()
                await self._change_within(FAREWELL_S)
            self._open = False
            await self._sound.close()

    def _say_last(self) -> None:
        if self._last is not None:
            self._sound.cue(self._last)

    async def _change_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
