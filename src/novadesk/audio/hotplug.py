"""Keeps an `EngineSound` on the devices that it belongs on, while devices come and go."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Protocol

from novadesk.audio.deaddevices import DeadDevices
from novadesk.audio.devices import Direction, is_title_of, not_connected
from novadesk.audio.route import Route, Router
from novadesk.audio.serverview import ServerView
from novadesk.audio.watch import DeviceWatch
from novadesk.errors import KnownError

LIST_S = 20.0
"""Time between two looks where no sound server tells what comes and goes; each takes half a second of a core."""


class Host(Protocol):
    """What opens the devices."""

    @property
    def engine_pid(self) -> int | None:
        """Return the process whose streams are meant, or None."""
        ...

    async def devices(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of microphones and speakers as they are now.

        Raises:
            KnownError: they cannot be listed.
        """
        ...

    async def works(self, direction: Direction, title: str) -> bool:
        """Return whether a device that is not in use does anything, opened alone."""
        ...

    def reopen(self) -> None:
        """Open the preferred devices anew, but for those that are dead."""
        ...

    def on_route(self, route: Route) -> None:
        """Take which devices are really in use."""
        ...


class Hotplug:
    """Watches for one open `EngineSound`.

    Args:
        host: is told, and is asked to open anew.
        command: starts the process that watches the sound server; empty where there is none.
        microphone: preferred title, or empty for the system's default. Likewise `speaker`.
        dead: devices that are of no use; they are tried again from time to time, and when one comes.
        list_s: time between two looks where no sound server tells.
    """

    def __init__(
        self,
        host: Host,
        command: Sequence[str],
        microphone: str,
        speaker: str,
        dead: DeadDevices,
        list_s: float = LIST_S,
    ) -> None:
        self._host = host
        self._dead = dead
        self._reviving: asyncio.Task[None] | None = None
        self._preferred = (microphone, speaker)
        self._list_s = list_s
        self._router = Router(microphone, speaker)
        self._watch = DeviceWatch(command, self._on_view) if command else None
        self._view: ServerView | None = None
        self._opened: tuple[str, str] | None = None
        self._missing: tuple[bool, ...] = (False, False)
        self._came = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to watch."""
        if self._watch is not None:
            self._watch.start()
        self._spawn(self._look_again_and_again(), "hotplug-list")

    async def close(self) -> None:
        """Watch no longer. Bounded in time, idempotent, never raises."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._watch is not None:
            await self._watch.close()

    def opened(self, microphone: str, speaker: str, note: str) -> Route:
        """Take what was opened and why it is not the preferred one; return what is really in use."""
        self._opened = (microphone, speaker)
        ways = zip(Direction, self._preferred, self._opened, strict=True)
        self._missing = tuple(not_connected(way, wanted, title) in note for way, wanted, title in ways)
        self._router.opened(microphone, speaker, note)
        if self._dead.sides() and self._reviving is None:
            self._reviving = self._spawn(self._revive(), "hotplug-revive")
        return self._see()

    def prefer(self, microphone: str, speaker: str) -> None:
        """Take other preferred devices; they are opened next."""
        self.lost()
        self._preferred = (microphone, speaker)
        self._router = Router(microphone, speaker)

    def lost(self) -> None:
        """Take that nothing is open."""
        self._opened = None
        if self._reviving is not None:
            self._reviving.cancel()
            self._reviving = None

    async def pause(self, seconds: float) -> None:
        """Wait, but only until a device comes; one that has come since the last time ends it at once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._came.wait()
        self._came.clear()

    def _on_view(self, view: ServerView | None) -> None:
        self._view = view
        route = self._see()
        if route.gained:
            self._came.set()
        if self._opened is None:
            return
        self._host.on_route(route)
        if route.reopen:
            self._host.reopen()
        elif route.ask:
            self._spawn(self._look(failing=True), "hotplug-look")

    def _see(self) -> Route:
        pid = self._host.engine_pid if self._opened is not None else None
        route = self._router.see(self._view, pid)
        if self._watch is not None:
            for move in route.moves:
                self._watch.move(move)
        return route

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _revive(self) -> None:
        """Try dead devices until none is left, beside those in use, which do not notice."""
        now = asyncio.get_running_loop().time
        while sides := self._dead.sides():
            await self.pause(self._dead.wait_s(now()))
            for side in sides:
                works = await self._host.works(*side)
                self._dead.tried(side, now(), works=works)
                if works:
                    self._host.reopen()

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self._list_s)
            if self._view is None and self._opened is not None:
                await self._look(failing=False)

    async def _look(self, *, failing: bool) -> None:
        """Open anew when the list of devices has what it had not, or has what did not open (`failing`)."""
        try:
            listed = await self._host.devices()
        except KnownError:
            return
        if self._opened is None:
            return
        for way, preferred, opened, names, missing in zip(
            Direction, self._preferred, self._opened, listed, self._missing, strict=True
        ):
            dead = {title for direction, title in self._dead.sides() if direction is way}
            titles = [title for title in names if title not in dead]
            if not opened:
                back = bool(titles)
            elif preferred:
                wanted = missing or (failing and not is_title_of(opened, preferred))
                back = wanted and any(is_title_of(title, preferred) for title in titles)
            else:
                back = bool(titles) and titles[0] != opened
            if back:
                self._host.reopen()
                return
