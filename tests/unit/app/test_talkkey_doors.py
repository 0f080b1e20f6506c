"""The doors to the press state: the window's wishes and the control channel's requests."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from novadesk.app.control import ControlHandler
from novadesk.app.talkkey import TalkPress
from novadesk.app.window import TalkIntents
from novadesk.chord import Key, KeyDown, KeyUp
from novadesk.config import PressSetting
from novadesk.conversation.api import TalkMode
from novadesk.conversation.controller import Controller
from novadesk.desktop.hotkeys.press import Rules
from novadesk.errors import KnownError

F9 = Key(name="f9")


class Told:
    """A conversation that notes what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def press_talk(self) -> None:
        self.words.append("press")

    def release_talk(self) -> None:
        self.words.append("release")

    def set_talk_mode(self, mode: TalkMode) -> None:
        self.words.append(mode.value)

    def set_muted(self, muted: bool) -> None:
        self.words.append("mute" if muted else "unmute")

    def notice(self, line: str) -> None:
        self.words.append(line)

    def quit(self) -> None:
        self.words.append("quit")


class Doors:
    """A press state with its doors, and what comes out behind it."""

    def __init__(self, press: PressSetting = PressSetting.HOLD) -> None:
        self.told = Told()
        loop = asyncio.get_running_loop()
        self.talk = TalkPress(Rules(press=press), self.told, loop.time)
        self.controller = cast(Controller, self.told)
        self.window = TalkIntents(loop, self)
        unused = cast(Any, None)
        self.control = ControlHandler(self.controller, self.talk, unused, unused, unused)

    async def words(self) -> list[str]:
        await asyncio.sleep(0)
        words = list(self.told.words)
        self.talk.stop()
        return words


async def test_requests_of_the_control_channel() -> None:
    doors = Doors()
    for what in ("start", "start", "stop", "stop", "toggle", "toggle"):
        await doors.control({"do": "talk", "what": what})
    for what in ("mute", "mute", "unmute", "quit"):
        await doors.control({"do": what})
    assert await doors.words() == [*["press", "release"] * 2, "mute", "unmute", "quit"]


@pytest.mark.parametrize("request_", [{"do": "talk"}, {"do": "talk", "what": "louder"}, {"do": "talk", "what": 1}])
async def test_requests_that_make_no_sense_are_refused(request_: dict[str, Any]) -> None:
    doors = Doors()
    with pytest.raises(KnownError):
        await doors.control(request_)
    assert await doors.words() == []


def hold_and_focus(window: TalkIntents) -> None:
    window.key_down("space")
    window.lose_focus()
    window.key_up("space")


def tap(window: TalkIntents) -> None:
    window.key_down("shift", bare=True)
    window.key_up("shift", bare=True)


WISHES: list[tuple[PressSetting, Callable[[TalkIntents], None], list[str]]] = [
    (PressSetting.TOGGLE, lambda window: (window.press_talk(), window.release_talk()), ["press", "release"]),
    (PressSetting.HOLD, lambda window: (window.set_muted(True), window.set_muted(False)), ["mute", "unmute"]),
    (PressSetting.HOLD, lambda window: (window.press_talk(), window.set_talk_mode(TalkMode.HANDS_FREE)),
     ["press", "release", "hands_free"]),
    (PressSetting.HOLD, lambda window: (window.key_down("space"), window.key_up("space")), ["press", "release"]),
    (PressSetting.TOGGLE, hold_and_focus, ["press", "release"]),
    (PressSetting.TOGGLE, tap, ["press"]),
    (PressSetting.HOLD, lambda window: window.quit(), ["quit"]),
]  # fmt: skip


@pytest.mark.parametrize(("press", "wish", "words"), WISHES)
async def test_wishes_of_the_window(press: PressSetting, wish: Callable[[TalkIntents], None], words: list[str]) -> None:
    doors = Doors(press)
    wish(doors.window)
    assert await doors.words() == words


async def test_the_window_ends_what_the_key_began_and_the_key_what_the_window_began() -> None:
    doors = Doors()
    doors.talk.take(KeyDown(key=F9))
    doors.window.release_talk()
    await asyncio.sleep(0)
    doors.talk.take(KeyUp(key=F9))
    doors.window.press_talk()
    await asyncio.sleep(0)
    doors.talk.take(KeyDown(key=F9))
    doors.talk.take(KeyUp(key=F9))
    assert await doors.words() == ["press", "release"] * 2
