"""Notices that the screen is locked and that the computer is about to sleep, while a key may be held. Linux only.

Anybody on the bus can send these signals; all that they do is to end a talk.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from novadesk.daemon import DaemonCall
from novadesk.desktop.hotkeys.press import Loss, Lost

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus

_log = logging.getLogger(__name__)

OPEN_S = 5.0
SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
_SAVERS = frozenset(
    {"org.freedesktop.ScreenSaver", "org.gnome.ScreenSaver", "org.cinnamon.ScreenSaver", "org.mate.ScreenSaver"}
)
_LOGIN = "org.freedesktop.login1"
_SESSION_RULES = ("type='signal',member='ActiveChanged'",)
_SYSTEM_RULES = (
    f"type='signal',interface='{_LOGIN}.Manager',member='PrepareForSleep'",
    f"type='signal',interface='{_LOGIN}.Session',member='Lock'",
)


class AwayWatch:
    """Listens to the desktop's screen saver and to the login service.

    Args:
        tell: takes what is lost, on the loop.
        session_bus: address of the session bus; empty means that there is none.
        system_bus: address of the system bus.
        session_id: of the login session, as XDG_SESSION_ID has it.
    """

    def __init__(
        self,
        tell: Callable[[Lost], None],
        *,
        session_bus: str | None = None,
        system_bus: str | None = None,
        session_id: str | None = None,
    ) -> None:
        self._tell = tell
        environment = os.environ
        self._session_bus = environment.get("DBUS_SESSION_BUS_ADDRESS", "") if session_bus is None else session_bus
        self._system_bus = environment.get("DBUS_SYSTEM_BUS_ADDRESS", SYSTEM_BUS) if system_bus is None else system_bus
        self._session_path = session_path(environment.get("XDG_SESSION_ID", "") if session_id is None else session_id)
        self._buses: list[MessageBus] = []
        self._task: asyncio.Task[None] | None = None
        self.listening = asyncio.Event()

    def start(self) -> None:
        """Begin to listen; where there is nobody to listen to, nothing is noticed."""
        self._task = asyncio.create_task(self._open(), name="away-watch")

    async def stop(self) -> None:
        """Listen no more. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        buses, self._buses = self._buses, []
        for bus in buses:
            bus.disconnect()
            with contextlib.suppress(Exception):  # whatever ended it, it has ended
                await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    async def _open(self) -> None:
        try:
            await DaemonCall(_load, name="away-watch").result(deadline_s=OPEN_S)
        except (ImportError, TimeoutError):
            return
        for address, rules in ((self._session_bus, _SESSION_RULES), (self._system_bus, _SYSTEM_RULES)):
            if address:
                await self._listen(address, rules)
        self.listening.set()

    async def _listen(self, address: str, rules: Sequence[str]) -> None:
        from dbus_fast import InvalidAddressError, Message
        from dbus_fast.aio import MessageBus
        from dbus_fast.errors import AuthError

        try:
            bus = MessageBus(bus_address=address)
            async with asyncio.timeout(OPEN_S):
                await bus.connect()
                self._buses.append(bus)
                bus.add_message_handler(self._take)
                for rule in rules:
                    await bus.call(
                        Message(
                            destination="org.freedesktop.DBus", path="/org/freedesktop/DBus",
                            interface="org.freedesktop.DBus", member="AddMatch", signature="s", body=[rule],
                        )
                    )  # fmt: skip
        except (OSError, EOFError, TimeoutError, AuthError, InvalidAddressError):
            _log.info("nobody tells of the screen's lock or of sleep")

    def _take(self, message: Any) -> None:
        loss = loss_of(message.interface, message.member, message.body, ours=message.path == self._session_path)
        if loss is not None:
            self._tell(Lost(loss=loss))


def loss_of(interface: str | None, member: str | None, body: Sequence[Any], *, ours: bool) -> Loss | None:
    """Return what a signal means for a key that is held.

    Args:
        interface: of the signal.
        member: its name.
        body: its content.
        ours: it is about our login session.
    """
    match interface, member, list(body):
        case saver, "ActiveChanged", [True] if saver in _SAVERS:
            return Loss.LOCK
        case "org.freedesktop.login1.Session", "Lock", [] if ours:
            return Loss.LOCK
        case "org.freedesktop.login1.Manager", "PrepareForSleep", [True]:
            return Loss.SLEEP
        case _:
            return None


def session_path(session_id: str) -> str:
    """Return the object of a login session; its name escapes what is no letter, and a digit in front."""
    escaped = "".join(
        letter if letter.isascii() and (letter.isalpha() or (letter.isdigit() and at > 0)) else f"_{ord(letter):02x}"
        for at, letter in enumerate(session_id)
    )
    return f"/org/freedesktop/login1/session/{escaped}" if session_id else ""


def _load() -> None:
    import dbus_fast.aio  # noqa: F401 - loaded here, off the loop, for the first use is slow
