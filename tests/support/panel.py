"""A stand-in for the desktop's panel on its session bus: it shows tray icons and notices, and works their menus."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

WATCHER = "org.kde.StatusNotifierWatcher"
NOTICES = "org.freedesktop.Notifications"
_ITEM = "org.kde.StatusNotifierItem"
_MENU = "com.canonical.dbusmenu"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_WAIT_S = 60.0
_ABOUT = f"""<node><interface name="{WATCHER}">
<method name="RegisterStatusNotifierItem"><arg type="s" direction="in"/></method>
<property name="IsStatusNotifierHostRegistered" type="b" access="read"/>
<property name="ProtocolVersion" type="i" access="read"/>
<property name="RegisteredStatusNotifierItems" type="as" access="read"/>
<signal name="StatusNotifierItemRegistered"><arg type="s"/></signal></interface></node>"""


@dataclass
class Panel:
    """The panel.

    Attributes:
        items: the programs that have an icon there, by their name on the bus.
        notices: title and words of every notice so far.
    """

    bus: MessageBus
    items: list[str] = field(default_factory=list)
    notices: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def on(cls, env: Mapping[str, str]) -> AsyncIterator["Panel"]:
        """Run a panel on the bus of a private desktop."""
        bus = await MessageBus(bus_address=env["DBUS_SESSION_BUS_ADDRESS"]).connect()
        panel = cls(bus)
        bus.add_message_handler(panel._on_message)
        try:
            for name in (WATCHER, NOTICES):
                await bus.request_name(name)
            yield panel
        finally:
            bus.disconnect()

    async def says(self, words: str) -> None:
        """Wait until the icon's tool tip says so."""
        async with asyncio.timeout(_WAIT_S):
            while not self.items or (await self._tip()) != words:
                await asyncio.sleep(0.05)

    async def told(self, title: str) -> str:
        """Wait for a notice of this title; return its words."""
        async with asyncio.timeout(_WAIT_S):
            while title not in dict(self.notices):
                await asyncio.sleep(0.05)
        return dict(self.notices)[title]

    async def click(self) -> None:
        """Click on the icon."""
        await self._call("/StatusNotifierItem", _ITEM, "Activate", "ii", 0, 0)

    async def entries(self) -> dict[str, int]:
        """Return what the icon's menu offers, and the number of each entry."""
        path = await self._property("/StatusNotifierItem", _ITEM, "Menu")
        _, (_, _, children) = await self._call(path, _MENU, "GetLayout", "iias", 0, -1, [])
        found = ((child.value[0], child.value[1].get("label")) for child in children)
        return {label.value.replace("_", ""): number for number, label in found if label is not None}

    async def choose(self, label: str) -> None:
        """Choose an entry of the icon's menu."""
        path = await self._property("/StatusNotifierItem", _ITEM, "Menu")
        number = (await self.entries())[label]
        await self._call(path, _MENU, "Event", "isvu", number, "clicked", Variant("s", ""), 0)

    async def _tip(self) -> str:
        return str((await self._property("/StatusNotifierItem", _ITEM, "ToolTip"))[2])

    async def _property(self, path: str, interface: str, name: str) -> Any:
        (value,) = await self._call(path, _PROPERTIES, "Get", "ss", interface, name)
        return value.value

    async def _call(self, path: str, interface: str, member: str, kinds: str, *body: Any) -> list[Any]:
        asked = Message(
            destination=self.items[-1], path=path, interface=interface, member=member, signature=kinds, body=list(body)
        )
        reply = await self.bus.call(asked)
        assert reply is not None
        assert reply.message_type is MessageType.METHOD_RETURN, reply.body
        return reply.body

    def _on_message(self, message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        match message.member, message.body:
            case "Introspect", _ if message.path == "/StatusNotifierWatcher":
                return Message.new_method_return(message, "s", [_ABOUT])
            case "Get", [_, "IsStatusNotifierHostRegistered"]:
                return Message.new_method_return(message, "v", [Variant("b", True)])
            case "RegisterStatusNotifierItem", [service]:
                self.items.append(service)
                return Message.new_method_return(message)
            case "GetCapabilities", _:
                return Message.new_method_return(message, "as", [["body"]])
            case "Notify", [_, _, _, title, words, *_]:
                self.notices.append((title, words))
                return Message.new_method_return(message, "u", [len(self.notices)])
        return None
