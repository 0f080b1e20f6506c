"""The doors to the press state: the window's wishes and the control channel's requests."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from novadesk.app.control import ControlHandler
from novadesk.app.talkpress import TalkPress
from novadesk.chord import Key, KeyDown, KeyUp, Origin, OtherDown
from novadesk.config import PressSetting
from novadesk.conversation.api import TalkMode
from novadesk.conversation.controller import Controller
from novadesk.desktop.hotkeys.press import Rules
from novadesk.errors import KnownError
from novadesk.ui.bridge import ThreadsafeIntents

F9 = Key(name="f9")


class Told:
    """A conversation that notes what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.locked = False

    def press_talk(self, held_s: float = 0.0) -> None:
        self.words.append("press")

    def release_talk(self, *, meant: bool = True) -> None:
        self.words.append("release")

    def set_talk_mode(self, mode: TalkMode) -> None:
        self.words.append(mode.value)

    def set_muted(self, muted: bool) -> None:
        self.words.append("mute" if muted else "unmute")

    def notice(self, line: str) -> None:
        self.words.append(line)

    def set_extra(self, *, press: PressSetting, talk_locked: bool) -> None:
        if talk_locked is not self.locked:
            self.locked = talk_locked
            self.words.append("latched" if talk_locked else "unlatched")

    def quit(self) -> None:
        self.words.append("quit")


class Doors:
    """A press state with its doors, and what comes out behind it."""

    def __init__(self, press: PressSetting = PressSetting.HOLD) -> None:
        self.told = Told()
        loop = asyncio.get_running_loop()
        self.talk = TalkPress(Rules(press=press), self.told, loop.time)
        self.controller = cast(Controller, self.told)
        self.window = ThreadsafeIntents(loop, lambda: cast(Any, self.told), lambda: self.talk)
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
    assert await doors.words() == [*["press", "latched", "release", "unlatched"] * 2, "mute", "unmute", "quit"]


@pytest.mark.parametrize("request_", [{"do": "talk"}, {"do": "talk", "what": "louder"}, {"do": "talk", "what": 1}])
async def test_requests_that_make_no_sense_are_refused(request_: dict[str, Any]) -> None:
    doors = Doors()
    with pytest.raises(KnownError):
        await doors.control(request_)
    assert await doors.words() == []


class Written:
    """Takes typed messages."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bool]] = []

    def say(self, text: str, *, aloud: bool) -> None:
        self.taken.append((text, aloud))


async def test_a_message_is_answered_aloud_unless_it_is_asked_for_in_silence() -> None:
    written, unused = Written(), cast(Any, None)
    control = ControlHandler(cast(Any, written), unused, unused, unused, unused)
    for more in ({}, {"silent": True}, {"silent": "no"}):
        await control({"do": "say", "text": "hello"} | more)
    assert written.taken == [("hello", True), ("hello", False), ("hello", True)]


SPACE = Key(name="space", origin=Origin.WINDOW)
SHIFT = Key(name="shift", origin=Origin.WINDOW, bare=True)
TAP = [KeyDown(key=SPACE), KeyUp(key=SPACE)]
BARE_TAP = [KeyDown(key=SHIFT), KeyUp(key=SHIFT)]


def keys(*events: KeyDown | KeyUp | OtherDown) -> Callable[[ThreadsafeIntents], None]:
    return lambda window: [window.take_key(event) for event in events] and None


WISHES: list[tuple[PressSetting, Callable[[ThreadsafeIntents], object], list[str]]] = [
    (PressSetting.HOLD, lambda window: (window.toggle_talk(), window.toggle_talk()),
     ["press", "latched", "release", "unlatched"]),
    (PressSetting.HOLD, lambda window: (window.set_muted(True), window.set_muted(False)), ["mute", "unmute"]),
    (PressSetting.HOLD, lambda window: (window.toggle_talk(), window.set_talk_mode(TalkMode.HANDS_FREE)),
     ["press", "latched", "release", "unlatched", "hands_free"]),
    (PressSetting.HOLD, keys(*TAP), ["press", "release"]),
    (PressSetting.TOGGLE, keys(*TAP), ["press", "latched"]),
    (PressSetting.TOGGLE, keys(*TAP, *TAP), ["press", "latched", "release", "unlatched"]),
    (PressSetting.HOLD_OR_LOCK, keys(*TAP, *TAP), ["press", "release", "press", "latched"]),
    (PressSetting.TOGGLE, keys(*BARE_TAP), ["press", "latched"]),
    (PressSetting.TOGGLE, keys(BARE_TAP[0], OtherDown(), BARE_TAP[1]), []),
    (PressSetting.TOGGLE, lambda window: (keys(TAP[0])(window), window.lose_focus(), keys(TAP[1])(window)),
     ["press", "latched", "release", "unlatched"]),
    (PressSetting.HOLD, lambda window: window.quit(), ["quit"]),
]  # fmt: skip


@pytest.mark.parametrize(("press", "wish", "words"), WISHES)
async def test_wishes_of_the_window(
    press: PressSetting, wish: Callable[[ThreadsafeIntents], object], words: list[str]
) -> None:
    doors = Doors(press)
    wish(doors.window)
    assert await doors.words() == words


async def test_the_window_ends_what_the_key_began_and_the_key_what_the_window_began() -> None:
    doors = Doors()
    doors.talk.take(KeyDown(key=F9))
    doors.window.toggle_talk()
    await asyncio.sleep(0)
    doors.talk.take(KeyUp(key=F9))
    doors.window.toggle_talk()
    await asyncio.sleep(0)
    doors.talk.take(KeyDown(key=F9))
    doors.talk.take(KeyUp(key=F9))
    assert await doors.words() == ["press", "release", "press", "latched", "unlatched", "release"]


@pytest.mark.parametrize("press", PressSetting)
async def test_a_key_that_the_desktop_tells_of_too_is_one_key(press: PressSetting) -> None:
    doors = Doors(press)
    doors.talk.set_heard(frozenset({F9}))
    here = replace(F9, origin=Origin.WINDOW)
    for event in (KeyDown(key=F9), KeyUp(key=F9)):
        doors.talk.take(event)
        doors.window.take_key(replace(event, key=here))
        await asyncio.sleep(0)
    assert doors.told.words[:2] == (["press", "latched"] if press is PressSetting.TOGGLE else ["press", "release"])
    assert len(await doors.words()) == 2


async def test_a_key_that_is_down_as_the_desktop_begins_to_tell_of_it_does_not_stick() -> None:
    doors = Doors()
    here = replace(F9, origin=Origin.WINDOW)
    doors.talk.take_key(KeyDown(key=here))
    doors.talk.set_heard(frozenset({F9}))
    doors.talk.take_key(KeyUp(key=here))
    assert doors.told.words == ["press", "release"]
    doors.talk.set_heard(frozenset())
    doors.talk.take_key(KeyDown(key=here))
    assert await doors.words() == ["press", "release", "press"]


async def test_other_rules_hold_from_the_next_press_on() -> None:
    doors = Doors()
    doors.talk.take(KeyDown(key=F9))
    doors.talk.set_rules(Rules(press=PressSetting.TOGGLE))
    doors.talk.take(KeyUp(key=F9))
    doors.talk.take(KeyDown(key=F9))
    assert await doors.words() == ["press", "release", "press", "latched"]
