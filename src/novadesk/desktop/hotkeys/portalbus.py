"""The session bus towards the desktop's portal: calls with a deadline, requests with their response, signals.

Signals count only when they come from the portal itself: anybody on the bus can send us one.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from dbus_fast import DBusError, InvalidAddressError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError

from novadesk.chord import LADDER
from novadesk.errors import KnownError, Reason
from novadesk.text import Text

_log = logging.getLogger(__name__)

PORTAL = "org.freedesktop.portal.Desktop"
PATH = "/org/freedesktop/portal/desktop"
CALL_S = 5.0
_REQUEST = "org.freedesktop.portal.Request"
_BUS = "org.freedesktop.DBus"
_ABSENT = frozenset(
    f"{_BUS}.Error.{name}"
    for name in ("ServiceUnknown", "NameHasNoOwner", "Spawn.ServiceNotFound", "Spawn.ExecFailed", "Spawn.ChildExited")
)
_UNKNOWN = frozenset(
    f"{_BUS}.Error.{name}"
    for name in ("UnknownMethod", "UnknownInterface", "UnknownObject", "UnknownProperty", "InvalidArgs")
)
_NO_REPLY = f"{_BUS}.Error.NoReply"
_MOST_EARLY = 8

type _Answer = tuple[int, dict[str, Any]]


class PortalGoneError(Exception):
    """The portal has left the bus, or the bus has gone."""


class PortalRefusalError(KnownError):
    """The portal is there, knows what it is asked, and refuses."""


class PortalBus:
    """A connection to the session bus of which only the portal is of interest.

    Args:
        address: of the bus; empty means the usual one.
        on_signal: takes each signal of the portal but the responses to requests: its path, name and content.
        on_gone: called when the portal leaves the bus, or the bus goes.
    """

    def __init__(
        self, address: str, on_signal: Callable[[str, str, list[Any]], None], on_gone: Callable[[], None]
    ) -> None:
        self._address = address
        self._on_signal, self._on_gone = on_signal, on_gone
        self._bus: MessageBus | None = None
        self._watch: asyncio.Task[None] | None = None
        self._owner = ""
        self._there = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[_Answer | None]] = {}
        self._early: dict[str, _Answer] = {}
        self._count = 0

    async def open(self) -> None:
        """Connect.

        Raises:
            KnownError: `HOTKEY_UNAVAILABLE` when there is no session bus.
        """
        try:
            self._bus = MessageBus(bus_address=self._address or None)
            async with asyncio.timeout(CALL_S):
                await self._bus.connect()
                self._bus.add_message_handler(self._take)
                for rule in (
                    f"type='signal',sender='{PORTAL}',path_namespace='{PATH}'",
                    f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{PORTAL}'",
                ):
                    await self._ask_bus("AddMatch", rule)
                reply = await self._ask_bus("GetNameOwner", PORTAL)
        except (OSError, TimeoutError, EOFError, AuthError, DBusError, InvalidAddressError) as error:
            await self.close()
            raise _unavailable(Text("There is no session bus to ask the desktop for keys.")) from error
        if reply.message_type is MessageType.METHOD_RETURN:
            self._set_owner(str(reply.body[0]))
        self._watch = asyncio.create_task(self._watch_bus(self._bus), name="portal-bus")

    async def close(self) -> None:
        """Disconnect; the portal drops what was asked for. Idempotent."""
        bus, self._bus, self._owner = self._bus, None, ""
        watch, self._watch = self._watch, None
        if bus is not None and bus.connected:
            bus.disconnect()
            with contextlib.suppress(Exception):  # whatever ended it, it has ended
                await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        if watch is not None:
            await watch

    async def back(self) -> None:
        """Return once the portal is on the bus."""
        await self._there.wait()

    async def call(self, interface: str, member: str, signature: str, *body: Any) -> list[Any]:
        """Call a method of the portal; start the portal if need be.

        Raises:
            KnownError: `HOTKEY_UNAVAILABLE` when it is absent, does not answer, or refuses.
            PortalGoneError: the bus has gone.
        """
        message = Message(
            destination=PORTAL, path=PATH, interface=interface, member=member, signature=signature, body=list(body)
        )
        try:
            async with asyncio.timeout(CALL_S):
                reply = await self._connected.call(message)
        except TimeoutError as error:
            raise _unavailable(Text("The desktop does not answer when it is asked for keys.")) from error
        except (OSError, EOFError, DBusError) as error:
            raise PortalGoneError from error
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            if reply.error_name == _NO_REPLY:  # from the bus: the portal has left before it answered
                raise PortalGoneError
            raise _refusal(reply.error_name or "")
        return list(reply.body)

    async def request(
        self, interface: str, member: str, signature: str, *body: Any, deadline_s: float | None = CALL_S, **options: Any
    ) -> tuple[int, dict[str, Any]]:
        """Call a method that is answered by a response of its own; return its code and results.

        Args:
            interface: of the method.
            member: the method; its last argument is a dictionary of options, which is made here.
            signature: of all arguments.
            body: the other arguments.
            deadline_s: most time to wait for the response; None where the person is asked.
            options: further options.

        Raises:
            KnownError: `HOTKEY_UNAVAILABLE` when the portal is absent, does not answer, or refuses.
            PortalGoneError: the portal has left before its response.
        """
        self._count += 1
        token = f"novadesk{self._count}"
        sender = (self._connected.unique_name or "")[1:].replace(".", "_")
        expected = f"{PATH}/request/{sender}/{token}"
        future: asyncio.Future[_Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting[expected] = future
        paths = [expected]
        try:
            reply = await self.call(
                interface, member, signature, *body, {"handle_token": Variant("s", token), **options}
            )
            handle = reply[0] if reply else None
            if isinstance(handle, str) and handle != expected:  # portals before 0.9 choose it themselves
                paths.append(handle)
                self._waiting[handle] = future
                if handle in self._early and not future.done():
                    future.set_result(self._early.pop(handle))
            async with asyncio.timeout(deadline_s):
                if (answer := await future) is not None:
                    return answer
                raise PortalGoneError
        except TimeoutError as error:
            raise _unavailable(Text("The desktop does not answer when it is asked for keys.")) from error
        finally:
            for path in paths:
                self._waiting.pop(path, None)

    @property
    def _connected(self) -> MessageBus:
        if self._bus is None:
            raise PortalGoneError
        return self._bus

    async def _ask_bus(self, member: str, argument: str) -> Message:
        reply = await self._connected.call(
            Message(
                destination=_BUS, path="/org/freedesktop/DBus", interface=_BUS, member=member, signature="s",
                body=[argument],
            )
        )  # fmt: skip
        assert reply is not None
        return reply

    async def _watch_bus(self, bus: MessageBus) -> None:
        with contextlib.suppress(Exception):  # why it has gone is of no use to anyone
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._set_owner("")

    def _take(self, message: Message) -> None:
        """Take a message. An exception here would be lost inside the library."""
        try:
            if message.message_type is MessageType.SIGNAL:
                self._take_signal(message)
        except Exception:
            _log.exception("a signal of the desktop could not be read")

    def _take_signal(self, message: Message) -> None:
        if message.sender == _BUS and message.member == "NameOwnerChanged" and message.signature == "sss":
            if message.body[0] == PORTAL:
                self._set_owner(message.body[2])
        elif message.sender != self._owner:
            return
        elif message.interface == _REQUEST and message.member == "Response":
            self._take_response(message)
        else:
            self._on_signal(message.path or "", message.member or "", list(message.body))

    def _take_response(self, message: Message) -> None:
        if message.signature != "ua{sv}" or message.path is None:
            _log.info("a response of the desktop has the form %s", message.signature)
            return
        code, results = message.body
        answer = int(code), {name: value.value for name, value in results.items()}
        future = self._waiting.get(message.path)
        if future is None:
            self._early = dict([*self._early.items(), (message.path, answer)][-_MOST_EARLY:])
        elif not future.done():
            future.set_result(answer)

    def _set_owner(self, owner: str) -> None:
        before, self._owner = self._owner, owner
        if owner:
            self._there.set()
        else:
            self._there.clear()
        if before and before != owner:
            for future in self._waiting.values():
                if not future.done():
                    future.set_result(None)
            self._on_gone()


def _refusal(name: str) -> KnownError:
    if name in _ABSENT:
        return _unavailable(Text("This desktop has no portal, which is how programs get keys under Wayland."))
    if name in _UNKNOWN:
        return _unavailable(Text("This desktop's portal gives no keys to programs."))
    what = Text("The desktop refuses to give a key ({why}).", why=name.rpartition(".")[2] or "no reason")
    return PortalRefusalError(Reason.HOTKEY_UNAVAILABLE, what, LADDER)


def _unavailable(what: Text) -> KnownError:
    return KnownError(Reason.HOTKEY_UNAVAILABLE, what, LADDER)
