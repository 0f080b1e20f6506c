import sys
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest

from novadesk.chord import KeyDown, KeyUp, OtherDown, parse_bindings
from novadesk.desktop.hotkeys import pynput_listener
from novadesk.desktop.hotkeys.base import News
from novadesk.desktop.hotkeys.pynput_listener import PynputHotkey
from novadesk.desktop.hotkeys.windows import WindowsHotkey


class Key(Enum):
    """The modifiers of these stories, as pynput has them."""

    shift = SimpleNamespace(vk=160, char=None)
    ctrl = SimpleNamespace(vk=162, char=None)


class Keyboard:
    """Stands for pynput's under Windows and macOS, where a character depends on what else is held."""

    def __init__(self, **callbacks: Any) -> None:
        self.on_press, self.on_release = callbacks["on_press"], callbacks["on_release"]

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> list[Keyboard]:
    """The keyboards that were listened to."""
    made: list[Keyboard] = []

    def listener(**callbacks: Any) -> Keyboard:
        made.append(Keyboard(**callbacks))
        return made[-1]

    monkeypatch.setattr(pynput_listener, "_mortal", lambda kind, _on_end: kind)
    monkeypatch.setitem(sys.modules, "pynput", SimpleNamespace(keyboard=SimpleNamespace(Listener=listener, Key=Key)))
    return made


@pytest.mark.parametrize(
    ("name", "down", "up"),
    [("2", "2", "@"), ("a", "A", "a"), ("2", "2", "2")],
    ids=["shift comes meanwhile", "shift goes meanwhile", "no shift"],
)
async def test_a_key_comes_up_whatever_character_it_is_by_then(
    keyboard: list[Keyboard], name: str, down: str, up: str
) -> None:
    told: list[News] = []
    (binding,) = parse_bindings(name)
    backend = PynputHotkey((binding,))
    backend.start(told.append)
    keyboard[0].on_press(SimpleNamespace(vk=50, char=down))
    keyboard[0].on_press(Key.shift)
    keyboard[0].on_release(SimpleNamespace(vk=50, char=up))
    assert told[1:] == [KeyDown(key=binding.key), OtherDown(), KeyUp(key=binding.key)]
    keyboard[0].on_release(Key.shift)
    await backend.stop()
    assert len(told) == 4


@pytest.mark.parametrize(
    ("chord", "modifier", "code", "character"),
    [("ctrl+d", Key.ctrl, 68, "\x04"), ("shift+2", Key.shift, 50, "@"), ("ctrl+shift+d", Key.ctrl, 68, None)],
)
async def test_windows_knows_letters_and_digits_whatever_is_held_with_them(
    keyboard: list[Keyboard], chord: str, modifier: Key, code: int, character: str | None
) -> None:
    told: list[News] = []
    (binding,) = parse_bindings(chord)
    backend = WindowsHotkey((binding,))
    backend.start(told.append)
    for held in {modifier, Key.shift} if chord.count("+") > 1 else {modifier}:
        keyboard[0].on_press(held)
    keyboard[0].on_press(SimpleNamespace(vk=code, char=character))
    keyboard[0].on_release(SimpleNamespace(vk=code, char=character))
    assert told[-2:] == [KeyDown(key=binding.key), KeyUp(key=binding.key)]
    await backend.stop()


class Listener:
    """Stands for pynput's: its display is closed by its own thread while it is stopped."""

    stopped = 0

    def __init__(self, **_callbacks: Any) -> None:
        pass

    def start(self) -> None:
        pass

    def stop(self) -> None:
        Listener.stopped += 1
        raise ConnectionError("Display connection closed by client")


async def test_keys_that_are_let_go_at_once_fail_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynput", SimpleNamespace(keyboard=SimpleNamespace(Listener=Listener)))
    told: list[News] = []
    backend = PynputHotkey(())
    backend.start(told.append)
    await backend.stop()
    assert (Listener.stopped, len(told)) == (1, 1)
