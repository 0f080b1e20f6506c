"""Notices that the network came up or changed, and that the computer slept: moments at which waiting makes no sense.

Polled, without any service of the desktop: which of its own addresses the computer would use, and two clocks.
"""

import asyncio
import contextlib
import ipaddress
import logging
import socket
import sys
import time
from collections.abc import Callable, Sequence
from enum import Enum

_log = logging.getLogger(__name__)

LOOK_S = 2.0
SLEPT_S = 2.0
"""Least time that the computer must have slept; below it nothing has had time to break."""

AWAY_S = 30.0
"""Least time between two looks that counts as sleep where the monotonic clock goes on through it."""

_ANYWHERE = ("192.0.2.1", "2001:db8::1")  # RFC 5737 and RFC 3849: never assigned, so they take the default route
_PORT = 443


class Wakeup(Enum):
    """Why it is time to try again."""

    NETWORK_UP = "network up"
    NETWORK_CHANGED = "network changed"
    RESUMED = "resumed"


class Watcher:
    """Decides what two looks at the computer, one after the other, mean. Pure.

    A jump of the wall clock is not seen at all: the person or a time server sets it, nothing sleeps.
    """

    def __init__(self) -> None:
        self._address: str | None = None
        self._monotonic = 0.0
        self._boottime = 0.0

    def look(self, address: str, monotonic: float, boottime: float) -> tuple[Wakeup, ...]:
        """Return what happened since the last look; nothing at the first.

        Args:
            address: own address towards the network, or empty when there is no way out.
            monotonic: seconds of a clock that may stand still while the computer sleeps.
            boottime: seconds of a clock that goes on while it sleeps; where there is none, `monotonic` again.
        """
        before, self._address = self._address, address
        awake_s, self._monotonic = monotonic - self._monotonic, monotonic
        passed_s, self._boottime = boottime - self._boottime, boottime
        if before is None:
            return ()
        found: list[Wakeup] = []
        if passed_s - awake_s >= SLEPT_S or awake_s >= AWAY_S:
            found.append(Wakeup.RESUMED)
        if address and not before:
            found.append(Wakeup.NETWORK_UP)
        elif address and address != before:
            found.append(Wakeup.NETWORK_CHANGED)
        return tuple(found)


class WakeupWatch:
    """Looks at the computer every `every_s` seconds.

    Args:
        on_wakeup: called on the loop.
        address: returns the own address towards the network, at once.
        boottime: a clock that goes on during sleep, in seconds.
        monotonic: the clock to hold it against, in seconds.
        every_s: time between two looks.
    """

    def __init__(
        self,
        on_wakeup: Callable[[Wakeup], None],
        *,
        address: Callable[[], str],
        boottime: Callable[[], float] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        every_s: float = LOOK_S,
    ) -> None:
        self._on_wakeup = on_wakeup
        self._address = address
        self._boottime = boottime or boottime_clock()
        self._monotonic = monotonic
        self._every_s = every_s
        self._watcher = Watcher()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; nothing is reported of what was before."""
        if self._task is None:
            self._look()
            self._task = asyncio.create_task(self._run(), name="wakeup-watch")

    async def stop(self) -> None:
        """Look no more. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                self._look()
            except Exception:  # The outermost frame of the task: whoever is told may fail, looking goes on.
                _log.exception("a wake-up was lost by a bug")

    def _look(self) -> None:
        for wakeup in self._watcher.look(self._address(), self._monotonic(), self._boottime()):
            _log.info("wake-up: %s", wakeup.value)
            self._on_wakeup(wakeup)


def boottime_clock() -> Callable[[], float]:
    """Return a clock that goes on while the computer sleeps.

    Linux has one. On macOS it is CLOCK_MONOTONIC, since Python's monotonic clock stands still there. Elsewhere Python's
    own goes on during sleep, which a long time between two looks then shows.
    """
    if sys.platform == "linux":
        return lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return lambda: time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic


def own_address(hosts: Sequence[str]) -> str:
    """Return the addresses that this computer would use towards IP addresses, or an empty string; sends no packet."""
    found = []
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, _PORT))  # of UDP: only chooses the route and the own address
            address = str(probe.getsockname()[0])
            if not ipaddress.ip_address(address.partition("%")[0]).is_unspecified:
                found.append(address)
    return " ".join(found)


def route_to(host: str) -> tuple[str, ...]:
    """Return the IP addresses whose route stands for that to a host: its own, or the default route for a name."""
    if host == "localhost":
        return ("127.0.0.1",)
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        return _ANYWHERE
