"""What a screen reader sees: the tree of a program on the accessibility bus, and what it announces."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

_ACCESSIBLE = "org.a11y.atspi.Accessible"
_SELECTION = "org.a11y.atspi.Selection"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_ACTION = "org.a11y.atspi.Action"
_PRESSES = ("press", "toggle", "click")
_REGISTRY = "org.a11y.atspi.Registry"
_ROOT = "/org/a11y/atspi/accessible/root"

type Place = tuple[str, str]
"""The owner of a thing on the bus, and its path."""

FOCUSED = 12
"""Bit of ATSPI_STATE_FOCUSED (at-spi2-core, atspi-constants.h). Likewise the others."""

_LABELLED_BY = 2  # ATSPI_RELATION_LABELLED_BY, likewise
FOCUSABLE = 11
SHOWING = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing of the tree, and those in it."""

    role: str
    name: str
    states: int
    at: tuple[str, str] = ("", "")
    children: tuple["Node", ...] = ()

    def has(self, state: int) -> bool:
        return bool(self.states >> state & 1)

    def all(self) -> list["Node"]:
        return [self, *(below for child in self.children for below in child.all())]

    def find(self, role: str, name: str) -> "Node":
        """Return what is shown under a name; raises LookupError when nothing is, or the walk cannot tell which."""
        found = [node for node in self.all() if node.has(SHOWING) and (node.role, node.name) == (role, name)]
        if len(found) != 1:
            raise LookupError(f"{len(found)} times {role} {name!r} among {[(n.role, n.name) for n in self.all()]}")
        return found[0]


@dataclass(slots=True)
class Reader:
    """A screen reader. `heard` holds what was announced: (politeness, text); 1 waits its turn, 2 interrupts."""

    bus: MessageBus
    heard: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def listening(cls, env: Mapping[str, str]) -> AsyncIterator[Self]:
        session = await MessageBus(bus_address=env["DBUS_SESSION_BUS_ADDRESS"]).connect()
        (address,) = await _call(session, "org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress")
        session.disconnect()
        bus = await MessageBus(bus_address=re.sub(r",guid=.*", "", address)).connect()
        reader = cls(bus)
        bus.add_message_handler(reader._on_message)
        rule = "type='signal',interface='org.a11y.atspi.Event.Object',member='Announcement'"
        await _call(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", rule)
        await _call(bus, _REGISTRY, "/org/a11y/atspi/registry", _REGISTRY, "RegisterEvent", "s", "object:announcement")
        try:
            yield reader
        finally:
            bus.disconnect()

    async def tree(self, application: str) -> Node | None:
        """Return what a program shows, None when it is not on the bus."""
        for name, path in await self._children(_REGISTRY, _ROOT):
            if application in await self._property(name, path, "Name"):
                return await self._node(name, path, await self._states(name, path))
        return None

    async def find(self, application: str, role: str, name: str) -> Place:
        """Return where a thing is that a program shows; lists are not looked into.

        Raises:
            LookupError: there is none, or none yet.
        """
        waiting = [place for place in await self._children(_REGISTRY, _ROOT)
                   if application in await self._property(*place, "Name")]  # fmt: skip
        while waiting:
            place = waiting.pop(0)
            (found,) = await _call(self.bus, *place, _ACCESSIBLE, "GetRoleName")
            if found == role and await self._property(*place, "Name") == name:
                return place
            waiting += [] if found == "list" else [child for child, _ in await self._shown(*place)]
        raise LookupError(f"no {role} {name!r}")

    async def rows(self, place: Place) -> list[tuple[str, str]]:
        """Return name and description of everything in a list."""
        return [await self._words(row) for row in await self._children(*place)]

    async def chosen(self, place: Place) -> tuple[str, str]:
        """Return name and description of what is selected in a list, two empty ones when nothing is."""
        ((name, path),) = await _call(self.bus, *place, _SELECTION, "GetSelectedChild", "i", 0)
        return ("", "") if path.endswith("/null") else await self._words((name, path))

    async def _words(self, place: Place) -> tuple[str, str]:
        return await self._property(*place, "Name"), await self._property(*place, "Description")

    async def text(self, node: Node) -> str:
        """Return what is written in a field."""
        (text,) = await _call(self.bus, *node.at, "org.a11y.atspi.Text", "GetText", "ii", 0, -1)
        return str(text)

    async def press(self, node: Node) -> None:
        """Do with a control what it does when it is pressed."""
        (actions,) = await _call(self.bus, *node.at, _ACTION, "GetActions")
        number = next(place for place, action in enumerate(actions) if action[0].lower() in _PRESSES)
        (done,) = await _call(self.bus, *node.at, _ACTION, "DoAction", "i", number)
        assert done, node

    async def write(self, node: Node, text: str) -> None:
        """Give a field the keys, and put a text into it."""
        await _call(self.bus, *node.at, "org.a11y.atspi.Component", "GrabFocus")
        written = await _call(self.bus, *node.at, "org.a11y.atspi.EditableText", "SetTextContents", "s", text)
        assert written[0], node

    async def _node(self, name: str, path: str, states: int) -> Node:
        (role,) = await _call(self.bus, name, path, _ACCESSIBLE, "GetRoleName")
        called = await self._property(name, path, "Name")
        children = [await self._node(*child, states) for child, states in await self._shown(name, path)]
        return Node(role=role, name=called, states=states, at=(name, path), children=tuple(children))

    async def _shown(self, name: str, path: str) -> list[tuple[Place, int]]:
        """Return those of the children that are shown, with their states; every question costs the program time."""
        states = [(child, await self._states(*child)) for child in await self._children(name, path)]
        return [(child, bits) for child, bits in states if bits >> SHOWING & 1]

    async def _states(self, name: str, path: str) -> int:
        ((low, high),) = await _call(self.bus, name, path, _ACCESSIBLE, "GetState")
        return int(low | high << 32)

    async def label(self, node: Node) -> str:
        """Return the name of what labels a thing, such as a choice whose own name is what is chosen."""
        (relations,) = await _call(self.bus, *node.at, _ACCESSIBLE, "GetRelationSet")
        labels = [place for kind, places in relations for place in places if kind == _LABELLED_BY]
        return await self._property(*labels[0], "Name") if labels else ""

    async def _children(self, name: str, path: str) -> list[tuple[str, str]]:
        (children,) = await _call(self.bus, name, path, _ACCESSIBLE, "GetChildren")
        return [(child[0], child[1]) for child in children]

    async def _property(self, name: str, path: str, what: str) -> str:
        (value,) = await _call(self.bus, name, path, _PROPERTIES, "Get", "ss", _ACCESSIBLE, what)
        return str(value.value)

    def _on_message(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL and message.member == "Announcement":
            self.heard.append((message.body[1], str(message.body[3].value)))


async def _call(bus: MessageBus, to: str, path: str, interface: str, member: str, kinds: str = "", *body: Any) -> Any:
    asked = Message(destination=to, path=path, interface=interface, member=member, signature=kinds, body=list(body))
    reply = await bus.call(asked)
    assert reply is not None
    if reply.message_type is MessageType.ERROR:
        raise LookupError(f"{member} of {path}: {reply.error_name} {reply.body}")
    return reply.body
