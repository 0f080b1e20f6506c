"""The window's keys, its button, the keys of the desktop and commands together: in no order does a talk stick."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent

from novadesk.app.talkpress import TalkPress
from novadesk.chord import KeyDown, KeyUp, Origin, OtherDown, parse_bindings
from novadesk.config import PressSetting, TalkSettings
from novadesk.conversation.api import TalkMode
from novadesk.desktop.hotkeys.press import BARE_S, Loss, Lost, Rules, Wish, Wished
from novadesk.ui.window_keys import BUTTON, SPACE, WindowKeys
from tests.support.virtual_loop import run_virtually

MAX_S = 20.0
TALK = TalkSettings(key="f9, right_ctrl")
HEARD = frozenset(binding.key for binding in parse_bindings(TALK.key))
GLOBAL = {key.name: key for key in HEARD}
QT = {"f9": (Qt.Key.Key_F9, 0xFFC6), "right_ctrl": (Qt.Key.Key_Control, 0xFFE4)}
HERE = {"space": SPACE, "button": BUTTON}
PHYSICAL = ["f9", "right_ctrl", "space", "button"]


@dataclass
class Gate:
    """A conversation that is told to talk or not."""

    open: bool = False
    times: int = 0

    def press_talk(self, held_s: float = 0.0) -> None:
        assert not self.open, "begun twice"
        self.open = True
        self.times += 1

    def release_talk(self, *, meant: bool = True) -> None:
        assert self.open, "ended twice"
        self.open = False

    def set_talk_mode(self, mode: TalkMode) -> None: ...

    def set_muted(self, muted: bool) -> None: ...

    def notice(self, line: str) -> None: ...

    def set_extra(self, **values: Any) -> None: ...


@dataclass
class Room:
    """A keyboard, a mouse, the window that may have the focus, and the desktop's listener that may be alive."""

    gate: Gate
    talk: TalkPress
    keys: WindowKeys
    focused: bool = True
    listening: bool = True
    down: set[str] = field(default_factory=set)

    def move(self, name: str, *, window_first: bool) -> None:
        """Press a key that is up, release one that is down; whoever sees it tells of it."""
        if name == "button" and not self.focused:
            return
        alone = not self.down
        press = name not in self.down
        (self.down.add if press else self.down.discard)(name)
        tellers = [self._window, self._listener]
        for tell in tellers if window_first else reversed(tellers):
            tell(name, press)
        if press and alone and name != "right_ctrl" and (self.focused or (self.listening and name in GLOBAL)):
            assert self.gate.open or self.talk._rules.press is not PressSetting.HOLD, "a press that should talk"

    def _window(self, name: str, press: bool) -> None:
        if not self.focused:
            return
        if name in HERE:
            self.talk.take_key(KeyDown(key=HERE[name]) if press else KeyUp(key=HERE[name]))
            return
        key, symbol = QT[name]
        kind = QEvent.Type.KeyPress if press else QEvent.Type.KeyRelease
        self.keys.events.eventFilter(self.keys, QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier, 0, symbol, 0))

    def _listener(self, name: str, press: bool) -> None:
        if not self.listening or name == "button":
            return
        if name in GLOBAL:
            if name == "f9" and press and "right_ctrl" in self.down:
                self.talk.take(OtherDown())
            self.talk.take(KeyDown(key=GLOBAL[name]) if press else KeyUp(key=GLOBAL[name]))
        elif press:
            self.talk.take(OtherDown())

    def focus(self) -> None:
        """Give the focus to another window, or back."""
        self.focused = not self.focused
        if not self.focused:
            self.down.discard("button")  # who lets go of it elsewhere is not seen
            self.keys.leave()

    def listen(self) -> None:
        """End the listener, or begin with another that has seen nothing yet."""
        self.listening = not self.listening
        if not self.listening:
            self.talk.take(Lost(loss=Loss.LISTENER))
        self.talk.set_heard(HEARD if self.listening else frozenset())


HANDS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([*PHYSICAL, *PHYSICAL, "focus", "listen", "toggle"]), st.sampled_from(Loss)),
        st.booleans(),
        st.sampled_from([0.0, 0.1, 1.0, 3.0]),
    ),
    max_size=25,
)


@pytest.mark.usefixtures("qapp")
@settings(max_examples=150)
@given(press=st.sampled_from(PressSetting), hands=HANDS)
def test_nothing_sticks_whoever_tells_of_a_key_first(
    press: PressSetting, hands: list[tuple[str | Loss, bool, float]]
) -> None:
    async def play() -> None:
        gate, owner = Gate(), QObject()
        talk = TalkPress(Rules(press=press, max_talk_s=MAX_S), gate, asyncio.get_running_loop().time)
        talk.set_heard(HEARD)
        room = Room(gate, talk, WindowKeys(talk, TALK, owner))
        wished = False
        for what, window_first, pause_s in hands:
            if what == "focus":
                room.focus()
            elif what == "listen":
                room.listen()
            elif what == "toggle":
                wished = True
                talk.take(Wished(wish=Wish.TOGGLE, origin=Origin.COMMAND))
            elif isinstance(what, Loss):
                talk.take(Lost(loss=what))
                if what not in (Loss.FOCUS, Loss.LISTENER, Loss.PORTAL):
                    assert not gate.open
            else:
                room.move(what, window_first=window_first)
            await asyncio.sleep(pause_s)
        for name in sorted(room.down):
            room.move(name, window_first=True)
        if press is PressSetting.HOLD and not wished:
            assert not gate.open, "every key is up"
        await asyncio.sleep(BARE_S + MAX_S)
        assert not gate.open
        talk.stop()

    run_virtually(play())


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("window_first", [False, True])
@pytest.mark.parametrize(
    ("press", "times", "ends_open"),
    [(PressSetting.HOLD, 3, False), (PressSetting.TOGGLE, 2, True), (PressSetting.HOLD_OR_LOCK, 3, True)],
)
def test_a_key_that_window_and_desktop_tell_of_counts_once(
    press: PressSetting, times: int, ends_open: bool, window_first: bool
) -> None:
    async def play() -> None:
        gate = Gate()
        talk = TalkPress(Rules(press=press), gate, asyncio.get_running_loop().time)
        talk.set_heard(HEARD)
        room = Room(gate, talk, WindowKeys(talk, TALK))
        for pause_s in (1.0, 0.1, 1.0):  # the second and the third press make a double press
            for _ in range(2):
                room.move("f9", window_first=window_first)
                await asyncio.sleep(0.05)
            await asyncio.sleep(pause_s)
        assert (gate.times, gate.open) == (times, ends_open)
        talk.stop()

    run_virtually(play())
