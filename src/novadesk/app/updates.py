"""Looks once a week whether there is a newer NovaDesk, and says so; it never fetches or replaces one."""

import asyncio
import logging
import platform
import random
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from novadesk import __version__
from novadesk.app.update_memory import Memory, read_memory, write_memory
from novadesk.config import Settings, UpdateSettings
from novadesk.conversation.ports import Clock
from novadesk.conversation.updateapi import Offer, Unasked, UpdateStanding
from novadesk.daemon import DaemonCall
from novadesk.errors import KnownError, Reason
from novadesk.feed import KEYS, Place, Release, file_for, is_newer, is_version, read_feed, runs_on
from novadesk.installation import Kind, read_installation, this_system
from novadesk.paths import Folders
from novadesk.text import Text
from novadesk.transport.feed_http import FeedHttp

_log = logging.getLogger(__name__)

FIRST_S = 20.0
"""Time after the start that network and disk are left to the conversation."""

LOOK_S = 3_600.0
"""Time between two looks at the clock: a timer does not count while the computer sleeps."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
_FIND_S = 20.0
_FILE_S = 5.0
_JUDGE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """What lies outside: the time, chance, and the feed.

    Attributes:
        unix_ms: Unix time.
        fetch: brings feed and signatures of an address.
        keys: who may sign a feed.
        chance: returns a number from 0 to 1, another one each time.
    """

    unix_ms: Callable[[], int]
    fetch: Callable[[str], Awaitable[tuple[bytes, bytes]]]
    keys: Mapping[str, str]
    chance: Callable[[], float] = random.random


class Updates:
    """Asks the feed when it is time.

    Args:
        settings: whether to ask, and whom.
        find: returns what a feed is judged by; may take a while.
        file: where what is remembered lies.
        nature: what lies outside.
        tell: takes the newer version, or None; called on the loop at every look.
    """

    def __init__(
        self,
        settings: UpdateSettings,
        find: Callable[[], Place],
        file: Path,
        nature: Nature,
        tell: Callable[[Offer | None], None],
    ) -> None:
        self._settings, self._find, self._file, self._nature = settings, find, file, nature
        self._tell = tell
        self._place: Place | None = None
        self._memory: Memory | None = None
        self._one = asyncio.Lock()
        self._disk = threading.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin: wait a while, then look at the clock, or be done where nobody is to be asked."""
        self._task = asyncio.create_task(self._run(), name="updates")

    async def stop(self) -> None:
        """End. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def use(self, settings: UpdateSettings) -> None:
        """Ask, or no more, from now on."""
        await self.stop()
        self._settings = settings
        if await self._unasked() is None:
            self.start()
        else:
            self._tell(None)

    async def standing(self) -> UpdateStanding:
        """Return how things stand; nobody is asked."""
        memory, place = await self._remembered(), await self._here()
        return UpdateStanding(
            version=place.version,
            channel=place.channel,
            kind=place.kind,
            unasked=await self._unasked(),
            checked_ms=memory.checked_ms,
            offer=memory.offer,
            trouble=memory.trouble,
        )

    async def check(self) -> UpdateStanding:
        """Ask now.

        Raises:
            KnownError: why the feed cannot be had or is not believed, or nobody can be asked.
        """
        unasked = await self._unasked()
        if unasked not in (None, Unasked.OFF):
            raise KnownError(Reason.BAD_INPUT, unasked.value, "")
        async with self._one:
            memory = await self._remembered()
            try:
                release = await self._ask_in_time(memory)
            except KnownError as error:
                await self._remember(replace(memory, due_ms=self._later(DAY_MS / 2), trouble=error.whole))
                raise
            await self._remember(
                Memory(
                    due_ms=self._later(WEEK_MS),
                    checked_ms=self._nature.unix_ms(),
                    channel=release.channel,
                    serials={**memory.serials, release.channel: release.serial},
                    offer=offer_of(release, await self._here()),
                )
            )
        standing = await self.standing()
        self._tell(standing.offer)
        return standing

    async def look(self) -> float:
        """Ask when it is time; return the seconds until the next look."""
        memory, now_ms = await self._remembered(), self._nature.unix_ms()
        self._tell(memory.offer)
        if memory.due_ms is None or memory.due_ms > now_ms + WEEK_MS + DAY_MS:  # never settled, or the clock was ahead
            memory = replace(memory, due_ms=self._later(HOUR_MS))
            await self._remember(memory)
        if memory.due_ms is not None and memory.due_ms <= now_ms:
            try:
                await self.check()
            except KnownError as error:
                _log.warning("the update feed brought nothing: %s", error.reason.value)
            return LOOK_S
        return min(LOOK_S, ((memory.due_ms or now_ms) - now_ms) / 1000)

    async def _run(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            wait_s = LOOK_S
            try:
                if await self._unasked() is not None:
                    return
                wait_s = await self.look()
            except Exception:  # The outermost frame of the task.
                _log.exception("looking for updates met a bug")
            await asyncio.sleep(wait_s)

    async def _ask_in_time(self, memory: Memory) -> Release:
        try:
            return await self._ask(memory)
        except TimeoutError as error:  # of what loads or verifies here: the network's own has a name
            raise KnownError(
                Reason.FEED_BROKEN,
                "This computer took too long to read the update feed.",
                "NovaDesk asks again tomorrow; nothing was changed.",
            ) from error

    async def _ask(self, memory: Memory) -> Release:
        place, keys = await self._here(), self._nature.keys
        content, signatures = await self._nature.fetch(self._settings.feed.replace("{channel}", place.channel))
        seen, now_ms = memory.seen(place.channel), self._nature.unix_ms()
        # What verifies takes a while to load: not on the core's loop.
        judged = DaemonCall(
            lambda: read_feed(content, signatures, place=place, seen=seen, now_ms=now_ms, keys=keys),
            name="novadesk-feed",
        )
        return await judged.result(deadline_s=_JUDGE_S)

    async def _unasked(self) -> Unasked | None:
        return why_unasked(self._settings, await self._here(), self._nature.keys)

    async def _here(self) -> Place:
        if self._place is None:
            self._place = await DaemonCall(self._find, name="novadesk-place").result(deadline_s=_FIND_S)
        return self._place

    def _later(self, least_ms: float) -> int:
        """Return a time so much later, and up to a day more: not everybody asks at once."""
        return self._nature.unix_ms() + round(least_ms + DAY_MS * self._nature.chance())

    async def _remembered(self) -> Memory:
        if self._memory is None:
            read = DaemonCall(lambda: read_memory(self._file), name="novadesk-updates")
            found, place = await read.result(deadline_s=_FILE_S), await self._here()
            if self._memory is None:  # or a check was faster, and knows more
                self._memory = found.for_version(place.version, place.channel)
        return self._memory

    async def _remember(self, memory: Memory) -> None:
        """Keep it, for this run also where the disk does not take it."""
        self._memory = memory
        try:
            await DaemonCall(self._write, name="novadesk-updates").result(deadline_s=_FILE_S)
        except (OSError, TimeoutError):
            _log.warning("what is known of updates cannot be written")

    def _write(self) -> None:
        """Write the newest; one whose wait was given up may still be at it."""
        with self._disk:
            write_memory(self._file, self._memory or Memory())


def why_unasked(settings: UpdateSettings, place: Place, keys: Mapping[str, str]) -> Unasked | None:
    """Return why nobody is asked for new versions, or None."""
    kind = Kind(place.kind)
    if kind.managed:
        return Unasked.MANAGED
    if kind is Kind.SOURCE or not is_version(place.version):
        return Unasked.SOURCE
    if not settings.feed or not keys:
        return Unasked.NO_FEED
    return None if settings.check else Unasked.OFF


def offer_of(release: Release, place: Place) -> Offer | None:
    """Return what a release means to this computer: nothing where it is not newer, or not made for it."""
    file = file_for(release, place)
    if file is None or not is_newer(release.version, place.version):
        return None
    unfit = ""
    if not runs_on(file, place):
        unfit = Text(
            "It needs {system} {minimum} or newer, and this computer has {here}.",
            system=_named(place.system),
            minimum=file.minimum,
            here=place.system_version,
        )
    return Offer(version=release.version, page=release.page, notes=release.notes, unfit=unfit)


def make_updates(
    settings: Settings,
    folders: Folders,
    clock: Clock,
    tell: Callable[[Offer | None], None] = lambda _offer: None,
) -> Updates:
    """Return what asks the feed of the settings, by the proxy and the certificates of the settings."""
    http = FeedHttp(ca_bundle=settings.backend.ca_bundle)
    nature = Nature(unix_ms=clock.unix_ms, fetch=http.fetch, keys=KEYS)
    return Updates(settings.updates, find_place, folders.updates_file, nature, tell)


def find_place() -> Place:
    """Return what a feed is judged by here. Reads files; Windows may take a while to say which one it is."""
    installation = read_installation()
    system, machine = this_system()
    return Place(
        version=__version__,
        channel=installation.channel.value,
        kind=installation.kind.value,
        system=system,
        machine=machine,
        system_version=_system_version(),
    )


def _system_version() -> str:
    if sys.platform == "win32":
        return platform.version()
    if sys.platform == "darwin":
        return platform.mac_ver()[0]
    return platform.libc_ver()[1]


def _named(system: str) -> str:
    return {"linux": "glibc", "windows": "Windows", "macos": "macOS"}.get(system, system)
