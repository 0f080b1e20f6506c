"""A screen that is locked and a computer that goes to sleep, told on a real bus."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from novadesk.desktop.hotkeys import away
from novadesk.desktop.hotkeys.away import AwayWatch, session_path
from novadesk.desktop.hotkeys.press import Loss, Lost
from tests.support.portal import session_bus

LOGIN = "org.freedesktop.login1"
MANAGER = "/org/freedesktop/login1"
OURS = "/org/freedesktop/login1/session/_32"
SIGNALS: list[tuple[str, str, str, str, list[Any]]] = [
    ("/a", "org.gnome.ScreenSaver", "ActiveChanged", "b", [False]),
    ("/a", "org.example.Saver", "ActiveChanged", "b", [True]),
    (MANAGER, f"{LOGIN}.Manager", "PrepareForSleep", "b", [False]),
    ("/org/freedesktop/login1/session/_33", f"{LOGIN}.Session", "Lock", "", []),
    ("/a", "org.freedesktop.ScreenSaver", "ActiveChanged", "b", [True]),
    (MANAGER, f"{LOGIN}.Manager", "PrepareForSleep", "b", [True]),
    (OURS, f"{LOGIN}.Session", "Lock", "", []),
]
# The bus of the session tells of the screen saver, that of the system of the rest.
HEARD = {"session": [Loss.LOCK], "system": [Loss.SLEEP, Loss.LOCK]}


WITHIN_S = 60.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that finds its bus too late on a busy computer would hear nothing, and rightly so."""
    monkeypatch.setattr(away, "OPEN_S", WITHIN_S)


@pytest.mark.rig
@pytest.mark.parametrize("kind", HEARD)
async def test_lock_and_sleep_are_told(tmp_path: Path, kind: str) -> None:
    told: list[Loss] = []
    enough = asyncio.Event()

    def take(lost: Lost) -> None:
        told.append(lost.loss)
        if len(told) == len(HEARD[kind]):
            enough.set()

    with session_bus(tmp_path) as address:
        addresses = {"session_bus": "", "system_bus": "unix:path=/nowhere", f"{kind}_bus": address}
        watch = AwayWatch(take, session_id="2", **addresses)
        watch.start()
        await watch.listening.wait()
        desktop = await MessageBus(bus_address=address).connect()
        for path, interface, member, signature, body in SIGNALS:
            await desktop.send(
                Message(
                    message_type=MessageType.SIGNAL, path=path, interface=interface, member=member,
                    signature=signature, body=body,
                )
            )  # fmt: skip
        with contextlib.suppress(TimeoutError):  # what was told until then says more
            async with asyncio.timeout(WITHIN_S):
                await enough.wait()
        desktop.disconnect()
        await desktop.wait_for_disconnect()
        await watch.stop()
        await watch.stop()
    assert told == HEARD[kind]


async def test_without_a_bus_nothing_is_noticed() -> None:
    watch = AwayWatch(lambda _: None, session_bus="nonsense", system_bus="unix:path=/nowhere", session_id="")
    watch.start()
    await watch.listening.wait()
    await watch.stop()


@pytest.mark.parametrize(
    ("session", "path"), [("2", "/_32"), ("c2", "/c2"), ("21", "/_321"), ("a-b", "/a_2db"), ("", "")]
)
def test_the_object_of_a_session(session: str, path: str) -> None:
    assert session_path(session).removeprefix("/org/freedesktop/login1/session") == path
