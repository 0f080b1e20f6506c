"""The push-to-talk key with real key events of an X server, while another window has the focus."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.desk import Desk

pytestmark = [pytest.mark.rig, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11")]

WATCH = """
import sys, time
from novadesk.desktop.hotkeys.base import choose_backend
from novadesk.desktop.hotkeys.x11 import X11Hotkey

count = 0
def tell(word):
    global count
    print(word, flush=True)
    count += 1
    if "fail" in sys.argv and count == 1:
        raise ZeroDivisionError

backend = choose_backend(sys.argv[1])
assert isinstance(backend, X11Hotkey), backend.note
backend.start(lambda: tell("press"), lambda: tell("release"))
backend._listener.wait()
print("ready", flush=True)
for line in sys.stdin:
    if line == "stop\\n":
        backend.stop()
        backend.stop()
    print("then", flush=True)
"""


@pytest.fixture
def focused(desk: Desk) -> Iterator[Desk]:
    """Give the keyboard to a window that has nothing to do with us."""
    with subprocess.Popen(["xev"], env=desk.env, stdout=subprocess.DEVNULL) as window:
        desk.focus(desk.find_window("Event Tester"))
        yield desk
        window.terminate()


class Watcher:
    """The backend in a process of its own, since pynput keeps to the display it was imported with."""

    def __init__(self, desk: Desk, *arguments: str) -> None:
        self._desk = desk
        self.process = subprocess.Popen(
            [sys.executable, "-c", WATCH, *arguments],
            env=desk.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.read() == "ready", self.process.communicate()

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def keys(self, *words: str) -> None:
        self._desk.run("xdotool", *words)

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
        watcher.process.communicate(timeout=20)


def test_press_and_release_of_f9(watch: Callable[..., Watcher]) -> None:
    watcher = watch("f9")
    watcher.keys("keydown", "F9")
    assert watcher.read() == "press"
    time.sleep(0.8)  # long enough for the X server to repeat the held key
    watcher.keys("keyup", "F9")
    assert watcher.read() == "release"
    watcher.keys("key", "F8", "key", "a")
    assert watcher.told_until_now() == []


def test_a_chord_ends_with_its_first_release(watch: Callable[..., Watcher]) -> None:
    watcher = watch("ctrl+space")
    watcher.keys("keydown", "Control_R", "keydown", "space")
    assert watcher.read() == "press"
    watcher.keys("keyup", "Control_R")
    assert watcher.read() == "release"
    watcher.keys("keyup", "space")
    assert watcher.told_until_now() == []


def test_one_side_of_a_modifier(watch: Callable[..., Watcher]) -> None:
    watcher = watch("right_ctrl")
    watcher.keys("key", "Control_L")
    assert watcher.told_until_now() == []
    watcher.keys("key", "Control_R")
    assert [watcher.read(), watcher.read()] == ["press", "release"]


def test_shift_in_between_does_not_hide_the_release(watch: Callable[..., Watcher]) -> None:
    watcher = watch("2")
    watcher.keys("keydown", "2", "keydown", "Shift_L", "keyup", "2", "keyup", "Shift_L")
    assert watcher.told_until_now() == ["press", "release"]


def test_an_exception_in_the_callback_changes_nothing(watch: Callable[..., Watcher]) -> None:
    watcher = watch("f9", "fail")
    watcher.keys("key", "F9", "key", "F9")
    assert watcher.told_until_now() == ["press", "release", "press", "release"]


def test_stopping_releases_a_held_key_and_ends_the_calls(watch: Callable[..., Watcher]) -> None:
    watcher = watch("f9")
    watcher.keys("keydown", "F9")
    assert watcher.read() == "press"
    assert watcher.told_until_now("stop") == ["release"]
    watcher.keys("keyup", "F9", "key", "F9", "key", "F9")
    assert watcher.told_until_now() == []
