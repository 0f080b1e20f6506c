"""The real window as a screen reader meets it, over the accessibility bus."""

import asyncio
from pathlib import Path

import pytest

from tests.end2end.test_window_stories import Person
from tests.support.atspi import FOCUSABLE, FOCUSED, SHOWING, Node, Reader
from tests.support.desk import Desk
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]

POLITE = 1
CONTROLS = {"push button", "button", "toggle button", "check box", "radio button", "slider", "text", "entry", "list"}


def pane(tree: Node) -> str:
    """Return the name of what has the keys."""
    return next((node.name for node in tree.all() if node.has(FOCUSED) and node.role in CONTROLS), "")


async def where(reader: Reader, before: str) -> str:
    """Return the name of what has the keys, once it is another than before."""
    async with asyncio.timeout(60):
        while True:
            tree = await reader.tree("NovaDesk")
            name = "" if tree is None else pane(tree)
            if name != before:
                return name


async def window(reader: Reader, title: str) -> Node:
    """Return a window of the program, once a screen reader finds it with something in it that has the keys."""
    async with asyncio.timeout(60):
        while True:
            tree = await reader.tree("NovaDesk")
            for one in () if tree is None else tree.children:
                if one.name == title and any(node.has(FOCUSED) for node in one.all()):
                    return one


async def test_a_screen_reader_finds_every_control_and_hears_what_was_said(desk: Desk, tmp_path: Path) -> None:
    with Program(tmp_path / "home", desk.env) as program:
        person = await asyncio.to_thread(Person, desk, program)
        async with Reader.listening(desk.env) as reader:
            tree = await reader.tree("NovaDesk")
            assert tree is not None
            shown = [node for node in tree.all() if node.has(SHOWING)]
            controls = [node for node in shown if node.role in CONTROLS and node.has(FOCUSABLE)]
            assert len(controls) >= 12
            assert [node for node in controls if not node.name] == []
            assert {"Hold to talk", "Mute", "Stop the answer", "Message", "Settings"} <= {one.name for one in controls}

            answer = await asyncio.to_thread(person.ask, "my name is anna", turns=2)
            said = [one for one in reader.heard if "anna" in one[1].lower() or answer in one[1]]
            assert (POLITE, f"Nova: {answer}") in said
            assert {politeness for politeness, _ in said} == {POLITE}
            assert len(said) == len({text.partition(":")[0] for _, text in said})  # each turn once, when it is final

            stops = [await where(reader, "")]
            for _ in range(3):
                await asyncio.to_thread(desk.press, "F6")
                stops.append(await where(reader, stops[-1]))
            assert len(set(stops)) == 4, stops

            await asyncio.to_thread(desk.press, "ctrl+comma")
            settings = await window(reader, "Settings")
            fields = [node for node in settings.all() if node.has(SHOWING) and node.has(FOCUSABLE)]
            assert len(fields) >= 6
            assert [node.role for node in fields if not node.name] == []
            assert {"Search settings", "Sections of the settings", "Rest after"} <= {node.name for node in fields}
            assert [await reader.label(node) for node in fields if node.role == "combo box"] == ["Language"]
            await asyncio.to_thread(desk.press, "Escape")
        assert await asyncio.to_thread(program.quit) == 0
