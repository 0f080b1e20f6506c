"""A stand-in for the desktop's portal on a session bus of its own: it binds keys as it is told to, and presses them."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

from tests.support.daemons import Daemons, told_through_pipe

PORTAL = "org.freedesktop.portal.Desktop"
PATH = "/org/freedesktop/portal/desktop"
SHORTCUTS = "org.freedesktop.portal.GlobalShortcuts"
REGISTRY = "org.freedesktop.host.portal.Registry"
SESSION = "org.freedesktop.portal.Session"
REQUEST = "org.freedesktop.portal.Request"
UNKNOWN = "org.freedesktop.DBus.Error.UnknownMethod"
_BINDABLE = re.compile(r"[A-Za-z_-][A-Za-z0-9_-]*(\.[A-Za-z_-][A-Za-z0-9_-]*)+")  # GLib's g_application_id_is_valid()
_FAILED = 2

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""


@contextlib.contextmanager
def session_bus(folder: Path) -> Iterator[str]:
    """Run a real bus that starts no service by itself; yield its address."""
    with session_bus_process(folder) as (address, _):
        yield address


@contextlib.contextmanager
def session_bus_process(folder: Path) -> Iterator[tuple[str, int]]:
    """Do as `session_bus`; yield its process id, too."""
    configuration, answer = folder / "bus.conf", folder / "address"
    configuration.write_text(_CONFIGURATION.format(path=folder / "bus"))
    daemons = Daemons(folder, {})
    try:
        with told_through_pipe(answer) as descriptor:
            daemons.start(
                "dbus",
                ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile",
                 f"--print-address={descriptor}"],
                pass_fds=[descriptor],
            )  # fmt: skip
        daemons.wait_until(lambda: answer.read_text().endswith("\n"), "session bus")
        yield answer.read_text().splitlines()[0], daemons.pids()["dbus"]
    finally:
        daemons.stop()


@dataclass
class Portal:
    """What it answers, and what it was asked.

    Attributes:
        registry: it has the registry. Likewise `shortcuts`.
        stranger: the registry does not know the program.
        name: by which the program was registered: as GNOME does, no key is bound for one that is no application's.
        own_handles: it chooses the paths of its requests itself, as old ones do.
        late: responses come after the replies, not before.
        create: code of the response to the creation of a session.
        bind: code of the response to the binding of keys.
        bound: makes the `shortcuts` of that response from those that were asked for; None leaves them out.
        listed: the `shortcuts` that a list gives.
        answers: False leaves every call without a reply.
        asks: the method whose response waits for the person, for ever.
        calls: the calls so far: member and body.
        asked: set once a call has come that has no answer, or none yet.
    """

    bus: MessageBus
    registry: bool = True
    stranger: bool = False
    name: str | None = None
    shortcuts: bool = True
    own_handles: bool = False
    late: bool = False
    create: int = 0
    bind: int = 0
    session: Variant = field(default_factory=lambda: Variant("s", f"{PATH}/session/1_0/novadesk"))
    bound: Callable[[list[Any]], Variant | None] = lambda wanted: grant(wanted)
    listed: Variant | None = None
    answers: bool = True
    asks: str = ""
    calls: list[tuple[str, list[Any]]] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def called(self, member: str) -> list[list[Any]]:
        """Return the bodies of the calls of one method."""
        return [body for name, body in self.calls if name == member]

    def press(self, name: str, *, session: str = "") -> None:
        """Tell that a bound key went down."""
        self._tell(SHORTCUTS, "Activated", "osta{sv}", [session or str(self.session.value), name, 1, {}])

    def release(self, name: str, *, session: str = "") -> None:
        """Tell that it came up."""
        self._tell(SHORTCUTS, "Deactivated", "osta{sv}", [session or str(self.session.value), name, 2, {}])

    def change(self, shortcuts: list[Any]) -> None:
        """Tell that the person chose other keys."""
        self._tell(SHORTCUTS, "ShortcutsChanged", "oa(sa{sv})", [str(self.session.value), shortcuts])

    def end_session(self) -> None:
        """Close the session."""
        self._tell(SESSION, "Closed", "a{sv}", [{}], path=str(self.session.value))

    def _tell(self, interface: str, member: str, signature: str, body: list[Any], *, path: str = PATH) -> None:
        self.bus.send(
            Message(
                message_type=MessageType.SIGNAL, path=path, interface=interface, member=member, signature=signature,
                body=body,
            )
        )  # fmt: skip

    def handle(self, message: Message) -> Message | bool | None:
        """Answer a call."""
        if message.message_type is not MessageType.METHOD_CALL or message.path != PATH:
            return None
        member, body = str(message.member), list(message.body)
        self.calls.append((member, body))
        if not self.answers or member == self.asks:
            self.asked.set()
        if not self.answers:
            return True
        if message.interface == REGISTRY and self.registry:
            if self.stranger:
                return Message.new_error(message, f"{PORTAL}.Error.NotAllowed", "no such program")
            self.name = body[0]
            return Message.new_method_return(message)
        if member == "Get" and self.shortcuts:
            return Message.new_method_return(message, "v", [Variant("u", 1)])
        if message.interface == SHORTCUTS and self.shortcuts:
            return self._answer(message, member, body)
        return Message.new_error(message, UNKNOWN, "no such method")

    def _answer(self, message: Message, member: str, body: list[Any]) -> Message:
        token = body[-1]["handle_token"].value
        sender = str(message.sender)[1:].replace(".", "_")
        handle = f"{PATH}/request/old/{token}" if self.own_handles else f"{PATH}/request/{sender}/{token}"
        match member:
            case "CreateSession":
                code, results = self.create, {"session_handle": self.session}
            case "BindShortcuts" if self.name is not None and not _BINDABLE.fullmatch(self.name):
                code, results = _FAILED, {}
            case "BindShortcuts":
                shortcuts = self.bound(body[1])
                code, results = self.bind, {} if shortcuts is None else {"shortcuts": shortcuts}
            case _:
                code, results = 0, {} if self.listed is None else {"shortcuts": self.listed}
        if member != self.asks:
            response = partial(self._tell, REQUEST, "Response", "ua{sv}", [code, results], path=handle)
            if self.late:
                asyncio.get_running_loop().call_soon(response)
            else:
                response()  # on its way before the reply
        return Message.new_method_return(message, "o", [handle])


def grant(wanted: list[Any], words: str = "Press F9") -> Variant:
    """Return the shortcuts of a response: all that were asked for, with a trigger."""
    return shortcuts_of({name: words for name, _ in wanted})


def shortcuts_of(triggers: dict[str, str]) -> Variant:
    """Return the shortcuts of a response."""
    return Variant(
        "a(sa{sv})",
        [
            [name, {"description": Variant("s", "…"), "trigger_description": Variant("s", words)}]
            for name, words in triggers.items()
        ],
    )


@contextlib.asynccontextmanager
async def portal_on(address: str) -> AsyncIterator[Portal]:
    """Put a portal on a bus."""
    bus = await MessageBus(bus_address=address).connect()
    portal = Portal(bus)
    bus.add_message_handler(portal.handle)
    assert await bus.request_name(PORTAL) is RequestNameReply.PRIMARY_OWNER
    try:
        yield portal
    finally:
        bus.disconnect()
        with contextlib.suppress(EOFError):  # the bus may have gone before
            await bus.wait_for_disconnect()
