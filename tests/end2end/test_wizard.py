"""The first start: somebody who has never seen NovaDesk has talked to it within two minutes, by whichever way in."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.atspi import FOCUSABLE, SHOWING, Node, Reader
from tests.support.desk import Desk
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]

TITLES = (
    "Where do you want to talk?",
    "Can NovaDesk hear you?",
    "Can you hear NovaDesk?",
    "How do you want to talk?",
    "Say hello",
)
STEPS = 6
"""What a newcomer has to press who takes what is offered: Next on four pages, the talk button, Done."""

POLITE = 1
CONTROLS = {"push button", "button", "toggle button", "check box", "radio button", "combo box", "text", "entry"}


@pytest.fixture
def program(desk: Desk, tmp_path: Path) -> Iterator[Program]:
    with Program(tmp_path / "home", desk.env) as made:
        made.settings_file.unlink()
        yield made


def test_a_newcomer_is_ready_by_keyboard_alone(desk: Desk, program: Program) -> None:
    program.start()
    desk.focus(desk.find_window("First steps"))
    steps = ["Return"] * (len(TITLES) - 1)
    desk.press(*steps)
    program.wait_for_phase("ready")
    desk.key_down("space")  # the button that talks has the focus
    program.wait_for_phase("listening")
    desk.say("hello how are you today")
    desk.key_up("space")
    heard, answer = program.wait_for_turns(2)
    steps += ["space", "alt+d"]
    desk.press(steps[-1])
    desk.focus(desk.find_window("NovaDesk$"))
    assert len(steps) == STEPS
    assert (heard["role"], answer["role"]) == ("user", "assistant")
    assert "hello" in heard["text"].lower()
    assert program.settings_file.exists()
    assert program.quit() == 0


def nameless(tree: Node) -> list[Node]:
    """Return the controls that a screen reader would have no word for."""
    shown = [node for node in tree.all() if node.has(SHOWING) and node.has(FOCUSABLE) and node.role in CONTROLS]
    assert shown
    return [node for node in shown if not node.name]


async def step(reader: Reader, title: str) -> Node:
    """Return the tree once the page is announced, and shown."""
    async with asyncio.timeout(40):
        while True:
            tree = await reader.tree("NovaDesk")
            shown = [] if tree is None else [node.name for node in tree.all() if node.has(SHOWING)]
            if tree is not None and title in shown and any(title in text for _, text in reader.heard):
                return tree
            await asyncio.sleep(0.1)


async def test_a_newcomer_is_ready_by_screen_reader(desk: Desk, program: Program) -> None:
    async with Reader.listening(desk.env) as reader:
        await asyncio.to_thread(program.start)
        for number, title in enumerate(TITLES):
            tree = await step(reader, title)
            assert nameless(tree) == []
            assert any(text == f"Step {number + 1} of {len(TITLES)}: {title}" for _, text in reader.heard)
            if title != TITLES[-1]:
                await reader.press(tree.find("push button", "Next"))
        await asyncio.to_thread(program.wait_for_phase, "ready")
        tree = await step(reader, TITLES[-1])
        await reader.write(tree.find("dialog", "First steps").find("text", "Message"), "hello")
        await asyncio.to_thread(desk.press, "Return")
        _, answer = await asyncio.to_thread(program.wait_for_turns, 2)
        async with asyncio.timeout(60):
            while (POLITE, "It works. You are ready.") not in reader.heard:
                await asyncio.sleep(0.05)
        assert (POLITE, f"Nova: {answer['text']}") in reader.heard
        await reader.press(tree.find("push button", "Done"))
        assert await asyncio.to_thread(program.quit) == 0
