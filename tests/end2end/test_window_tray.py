"""NovaDesk in the tray of a desktop that has one: started hidden, worked from its menu, shown, closed, left."""

import asyncio
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.panel import Panel
from tests.support.program import Program

pytestmark = [pytest.mark.rig, pytest.mark.timeout(240)]


MUTE = (284, 27)
"""Where the strip's first button is, in its pixels at 100 %."""


def place(desk: Desk, window: str) -> tuple[int, int]:
    """Return where a window lies."""
    told = dict(line.split("=") for line in desk.run("xdotool", "getwindowgeometry", "--shell", window).splitlines())
    return int(told["X"]), int(told["Y"])


async def drag(desk: Desk, window: str) -> tuple[int, int]:
    """Drag a window up and to the left as a hand does, which moves on until it follows; return where it lies then."""
    left, top = at = await asyncio.to_thread(place, desk, window)
    await asyncio.to_thread(desk.run, "xdotool", "mousemove", str(left + 4), str(top + 4), "mousedown", "1")
    async with asyncio.timeout(60):
        for step in itertools.cycle(range(20, 220, 20)):
            await asyncio.to_thread(desk.run, "xdotool", "mousemove", str(left - step), str(top - step))
            if await asyncio.to_thread(place, desk, window) != (left, top):
                break
        await asyncio.to_thread(desk.run, "xdotool", "mouseup", "1")
        while at != (at := await asyncio.to_thread(place, desk, window)):
            await asyncio.sleep(0.1)
    return at


def is_shown(desk: Desk) -> bool:
    found = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "NovaDesk"], env=desk.env, check=False)
    return found.returncode == 0


async def test_a_hidden_start_is_worked_from_the_tray_and_closing_goes_back_there(desk: Desk, tmp_path: Path) -> None:
    async with Panel.on(desk.env) as panel:
        with Program(tmp_path / "home", desk.env, (sys.executable, "-m", "novadesk", "--hidden")) as program:
            await asyncio.to_thread(program.start)
            await panel.says("NovaDesk: Idle")
            assert not is_shown(desk)
            entries = list(await panel.entries())
            assert entries == [
                "Show NovaDesk", "Start the conversation", "Mute the microphone", "Copy the last answer",
                "Mini strip", "Quit NovaDesk",
            ]  # fmt: skip
            await panel.choose("Start the conversation")
            await panel.says("NovaDesk: Ready")
            await panel.choose("Mute the microphone")
            await panel.says("NovaDesk: Muted")
            status = program.status()
            assert status is not None
            assert (status["phase"], status["microphone"]) == ("ready", "muted")
            assert "End the conversation" in await panel.entries()
            assert not is_shown(desk)

            await panel.click()
            window = await asyncio.to_thread(desk.find_window, "NovaDesk$")
            await asyncio.to_thread(desk.focus, window)
            await asyncio.to_thread(desk.press, "alt+F4")
            assert "stays in the tray" in await panel.told("NovaDesk is still running")
            async with asyncio.timeout(60):
                while is_shown(desk):
                    await asyncio.sleep(0.05)
            await panel.says("NovaDesk: Muted")
            loop = asyncio.get_running_loop()

            def leave() -> None:
                asyncio.run_coroutine_threadsafe(panel.choose("Quit NovaDesk"), loop).result(10)

            assert await asyncio.to_thread(program.leave, leave) == 0


async def test_the_strip_lies_above_other_windows_and_leaves_them_the_keyboard(desk: Desk, tmp_path: Path) -> None:
    async with Panel.on(desk.env) as panel:
        with Program(tmp_path / "home", desk.env) as program:
            await asyncio.to_thread(program.start)
            window = await asyncio.to_thread(desk.find_window, "NovaDesk$")
            await asyncio.to_thread(desk.focus, window)
            await asyncio.to_thread(desk.press, "ctrl+shift+m")
            strip = await asyncio.to_thread(desk.find_window, "mini strip")
            above = await asyncio.to_thread(desk.run, "xprop", "-id", strip, "_NET_WM_STATE")
            assert "_NET_WM_STATE_ABOVE" in above
            left, top = await asyncio.to_thread(place, desk, strip)
            await asyncio.to_thread(desk.click, left + MUTE[0], top + MUTE[1])
            await panel.says("NovaDesk: Muted")
            assert (await asyncio.to_thread(desk.run, "xdotool", "getwindowfocus")).strip() == window
            moved = await drag(desk, strip)
            assert moved != (left, top)
            await asyncio.to_thread(desk.press, "ctrl+shift+m")
            async with asyncio.timeout(60):
                while await asyncio.to_thread(desk.shows, "mini strip"):
                    await asyncio.sleep(0.05)
            await panel.choose("Mini strip")
            strip = await asyncio.to_thread(desk.find_window, "mini strip")
            assert await asyncio.to_thread(place, desk, strip) == moved
            assert (await asyncio.to_thread(desk.run, "xdotool", "getwindowfocus")).strip() == window
            assert await asyncio.to_thread(program.quit) == 0
