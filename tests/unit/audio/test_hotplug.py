import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from novadesk.audio.deaddevices import DeadDevices
from novadesk.audio.devices import Direction, no_sound, not_connected
from novadesk.audio.hotplug import Hotplug
from novadesk.audio.route import Route
from novadesk.audio.wire import Failed
from novadesk.errors import Reason

HEADSET, LAPTOP, OTHER = "CoreAudio: Headset", "CoreAudio: Laptop", "CoreAudio: Other"
GONE = not_connected(Direction.MICROPHONE, HEADSET, LAPTOP)
LOOK_S = 0.01
LOOKS = 5


class Host:
    """Lists what the test says, and opens nothing."""

    engine_pid = 7

    def __init__(self, *listed: str) -> None:
        self.listed = listed
        self.dead = DeadDevices()
        self.tried: list[str] = []
        self.silent = False
        self.looks = 0
        self.reopened = 0
        self.routes: list[Route] = []
        self._happened = asyncio.Event()

    async def devices(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        self.looks += 1
        self._happened.set()
        if self.silent:
            raise no_sound()
        return self.listed, (LAPTOP,)

    async def works(self, direction: Direction, title: str) -> bool:
        self.tried.append(title)
        self._happened.set()
        return title in self.listed

    def reopen(self) -> None:
        self.reopened += 1
        self._happened.set()

    def on_route(self, route: Route) -> None:
        self.routes.append(route)
        self._happened.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                self._happened.clear()
                await self._happened.wait()

    async def look_more(self) -> None:
        wanted = self.looks + LOOKS
        await self.until(lambda: self.looks >= wanted)


@asynccontextmanager
async def watched(
    host: Host, opened: str, note: str = "", preferred: str = HEADSET, command: tuple[str, ...] = ()
) -> AsyncIterator[Hotplug]:
    """Watch as with this microphone open; the speaker is the system's default and stays it."""
    hotplug = Hotplug(host, command, preferred, "", host.dead, list_s=LOOK_S)
    hotplug.start()
    hotplug.opened(opened, LAPTOP, note)
    try:
        yield hotplug
    finally:
        await hotplug.close()


async def test_a_preferred_device_that_was_missing_is_opened_when_the_list_has_it() -> None:
    host = Host(LAPTOP)
    async with watched(host, LAPTOP, GONE) as hotplug:
        await host.look_more()
        assert host.reopened == 0
        host.listed = (LAPTOP, HEADSET)
        await host.until(lambda: host.reopened > 0)
        hotplug.opened(HEADSET, LAPTOP, "")
        reopened = host.reopened
        await host.look_more()
        assert host.reopened == reopened


async def test_a_device_that_is_listed_and_does_not_open_is_not_tried_again_and_again() -> None:
    host = Host(LAPTOP, HEADSET)
    async with watched(host, LAPTOP, f"The microphone “{HEADSET}” does not open; using “{LAPTOP}”."):
        await host.look_more()
    assert host.reopened == 0


async def test_another_default_is_followed_by_who_prefers_the_default() -> None:
    host = Host(LAPTOP, OTHER)
    async with watched(host, LAPTOP, preferred=""):
        await host.look_more()
        assert host.reopened == 0
        host.listed = (OTHER, LAPTOP)
        await host.until(lambda: host.reopened > 0)


@pytest.mark.parametrize("listed", [(HEADSET, LAPTOP), (OTHER, HEADSET), (LAPTOP,)])
async def test_who_has_the_preferred_device_is_left_alone(listed: tuple[str, ...]) -> None:
    host = Host(*listed)
    async with watched(host, HEADSET):
        await host.look_more()
    assert host.reopened == 0


async def test_a_list_that_fails_is_asked_for_again() -> None:
    host = Host(LAPTOP, HEADSET)
    host.silent = True
    async with watched(host, LAPTOP, GONE):
        await host.look_more()
        host.silent = False
        await host.until(lambda: host.reopened > 0)


async def test_while_nothing_is_open_nobody_looks() -> None:
    host = Host(LAPTOP, HEADSET)
    async with watched(host, LAPTOP, GONE) as hotplug:
        hotplug.lost()
        looks = host.looks
        await asyncio.sleep(5 * LOOK_S)
        assert (host.looks - looks, host.reopened) in ((0, 0), (1, 0))


def server(*views: str) -> tuple[str, ...]:
    """Return a program that tells these views, one for each line it is sent or at once."""
    lines = "".join(f"tell({view})\n" for view in views)
    return (
        sys.executable,
        "-c",
        "import sys\nfrom novadesk.audio.devices import Direction\nfrom novadesk.audio.serverview import *\n"
        "def tell(view):\n    sys.stdout.buffer.write(view_line(view)); sys.stdout.flush()\n"
        "def device(name, monitor=False):\n"
        "    return ServerDevice(direction=Direction.MICROPHONE, name=name, title=name, monitor=monitor)\n"
        f"{lines}sys.stdin.read()\n",
    )


async def test_a_pause_ends_when_a_device_comes() -> None:
    host = Host()
    command = server("ServerView()", "ServerView(devices=(device('usb'),))")
    async with watched(host, LAPTOP, command=command) as hotplug:
        hotplug.lost()
        async with asyncio.timeout(60):
            await hotplug.pause(60)


async def test_a_dead_device_is_tried_when_one_comes() -> None:
    host = Host(LAPTOP, HEADSET)
    report = Failed(reason=Reason.DEVICE_STALLED, what="", advice="", dead=Direction.MICROPHONE, device=HEADSET)
    for _ in range(2):
        host.dead.failed(report, asyncio.get_running_loop().time())
    command = server("ServerView()", "ServerView(devices=(device('usb'),))")
    async with watched(host, LAPTOP, command=command):
        await host.until(lambda: host.reopened > 0)
    assert host.tried == [HEADSET]
    assert host.dead.sides() == ()


async def test_a_pause_ends_by_itself() -> None:
    async with watched(Host(), LAPTOP) as hotplug:
        hotplug.lost()
        await hotplug.pause(0.01)


async def test_while_the_sound_server_tells_nobody_looks_at_the_list() -> None:
    host = Host(LAPTOP, HEADSET)
    async with watched(host, LAPTOP, GONE, command=server("ServerView()")):
        await host.until(lambda: bool(host.routes))
        looks, reopened = host.looks, host.reopened
        await asyncio.sleep(5 * LOOK_S)
        assert host.looks <= looks + 1
        assert host.reopened <= reopened + 1
