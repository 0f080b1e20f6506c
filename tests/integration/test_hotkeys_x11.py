"""The push-to-talk key with real key events of an X server, while another window has the focus."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.desk import Desk

pytestmark = [pytest.mark.rig, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11")]

WATCH = """
import asyncio, sys
from novadesk.desktop.hotkeys.base import Standing, choose_backend
from novadesk.chord import parse_bindings
from novadesk.chord import KeyDown, KeyUp, OtherDown
from novadesk.desktop.hotkeys.press import Lost
from novadesk.desktop.hotkeys.x11 import X11Hotkey

count = 0
def tell(news):
    global count
    if isinstance(news, Standing):
        return
    if isinstance(news, (KeyDown, KeyUp)):
        word = "press " if isinstance(news, KeyDown) else "release "
        print(word + news.key.name, flush=True)
    else:
        print("other" if isinstance(news, OtherDown) else news.loss.value, flush=True)
    count += 1
    if "fail" in sys.argv and count == 1:
        raise ZeroDivisionError

backend = choose_backend(parse_bindings(sys.argv[1]))
assert isinstance(backend, X11Hotkey), backend.note
backend.start(tell)
backend.wait_ready()
print("ready", flush=True)
for line in sys.stdin:
    if line == "stop\\n":
        asyncio.run(backend.stop())
        asyncio.run(backend.stop())
    print("then", flush=True)
"""


@pytest.fixture
def focused(desk: Desk) -> Iterator[Desk]:
    """Give the keyboard to a window that has nothing to do with us."""
    with subprocess.Popen(["xev"], env=desk.env, stdout=subprocess.DEVNULL) as window:
        try:
            desk.focus(desk.find_window("Event Tester"))
            yield desk
        finally:
            window.terminate()


class Watcher:
    """The backend in a process of its own, since pynput keeps to the display it was imported with."""

    def __init__(self, desk: Desk, *arguments: str, env: dict[str, str] | None = None) -> None:
        self._desk = desk
        self.process = subprocess.Popen(
            [sys.executable, "-c", WATCH, *arguments],
            env=env or desk.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.read() == "ready", self.process.communicate()

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def keys(self, *words: str) -> None:
        self._desk.run("xdotool", *words)

    def tells(self, *words: str) -> None:
        """Wait for these words, but for the repeats of a key that a busy computer holds too long, and for no other."""
        told: list[str] = []
        while len(told) < len(words):
            word = self.read()
            if not (told and word == told[-1] and word.startswith("press ")):
                told.append(word)
        assert told == [*words]
        assert self.told_until_now() == []

    def told_until_now(self, line: str = "mark") -> list[str]:
        """Return what was told since; a key release is dealt with well within the settling time asked for here."""
        time.sleep(0.3)
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return list(iter(self.read, "then"))


@pytest.fixture
def watch(focused: Desk) -> Iterator[Callable[..., Watcher]]:
    started: list[Watcher] = []

    def start(*arguments: str) -> Watcher:
        started.append(Watcher(focused, *arguments))
        return started[-1]

    yield start
    for watcher in started:
        watcher.process.communicate(timeout=60)


def test_press_repeats_and_release_of_f9(watch: Callable[..., Watcher]) -> None:
    watcher = watch("f9")
    watcher.keys("keydown", "F9")
    assert [watcher.read() for _ in range(3)] == ["press f9"] * 3  # the X server repeats a held key
    watcher.keys("keyup", "F9")
    assert next(word for word in iter(watcher.read, "") if word != "press f9") == "release f9"
    watcher.keys("key", "F8", "key", "a")
    watcher.tells("other", "other")


def test_a_chord_ends_with_its_first_release(watch: Callable[..., Watcher]) -> None:
    watcher = watch("ctrl+space")
    watcher.keys("keydown", "Control_R", "keydown", "space", "keyup", "Control_R", "keyup", "space")
    watcher.tells("press ctrl+space", "release ctrl+space")


def test_one_side_of_a_modifier_and_a_shortcut_with_it(watch: Callable[..., Watcher]) -> None:
    watcher = watch("right_ctrl")
    watcher.keys("key", "Control_L")
    watcher.tells("other")
    watcher.keys("keydown", "Control_R", "key", "c", "keyup", "Control_R")
    # xdotool presses the left one, too, before the right one
    watcher.tells("other", "press right_ctrl", "other", "release right_ctrl")


def test_side_buttons_of_the_mouse_beside_a_key(watch: Callable[..., Watcher]) -> None:
    watcher = watch("f9, mouse_back, mouse_forward")
    watcher.keys("mousedown", "8", "mouseup", "8", "mousedown", "9", "mouseup", "9", "click", "1")
    watcher.tells("press mouse_back", "release mouse_back", "press mouse_forward", "release mouse_forward", "other")
    watcher.keys("key", "F9")
    assert [watcher.read(), watcher.read()] == ["press f9", "release f9"]


def test_shift_in_between_does_not_hide_the_release(watch: Callable[..., Watcher]) -> None:
    watcher = watch("2")
    watcher.keys("keydown", "2", "keydown", "Shift_L", "keyup", "2", "keyup", "Shift_L")
    watcher.tells("press 2", "other", "release 2")


def test_an_exception_in_the_callback_changes_nothing(watch: Callable[..., Watcher]) -> None:
    watcher = watch("f9", "fail")
    watcher.keys("key", "F9", "key", "F9")
    watcher.tells(*["press f9", "release f9"] * 2)


def test_stopping_ends_the_calls(watch: Callable[..., Watcher]) -> None:
    watcher = watch("f9")
    watcher.keys("keydown", "F9")
    assert watcher.read() == "press f9"
    watcher.told_until_now("stop")
    watcher.keys("keyup", "F9", "key", "F9", "key", "F9")
    assert watcher.told_until_now() == []


def test_the_death_of_the_listener_is_told(desk: Desk) -> None:
    """The X server goes, and with it every connection to it."""
    with subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-nolisten", "tcp"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdout is not None
        env = {**desk.env, "DISPLAY": ":" + server.stdout.readline().decode().strip()}
        watcher = Watcher(desk, "f9", env=env)
        server.terminate()
        assert watcher.read() == "listener"
        watcher.process.communicate(timeout=60)
