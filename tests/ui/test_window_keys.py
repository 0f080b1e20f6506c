"""The talk keys inside the window: chords, bare modifiers, mouse buttons; what follows is not decided here."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from novadesk.config import PressSetting, Settings, TalkSettings
from novadesk.conversation.api import Snapshot
from novadesk.ui.bridge import Bridge
from novadesk.ui.key_names import identities
from novadesk.ui.main_window import MainWindow
from novadesk.ui.theme import Scheme
from tests.ui.conftest import CannedRequests, RecordedIntents, drain

CTRL, SHIFT, NO_MODIFIER = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.NoModifier,
)
KEYS = "f9, ctrl+space, right_ctrl, mouse_back, x"
RIGHT_CTRL = 0xFFE4


@pytest.fixture
def window(qtbot: QtBot, bridge: Bridge, intents: RecordedIntents, requests: CannedRequests) -> Iterator[MainWindow]:
    settings = Settings(talk=TalkSettings(key=KEYS, mute_key="f8"))
    made = MainWindow(bridge, intents, requests, settings, lambda _: None, scheme=Scheme.LIGHT)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    made.panel.controls.talk.setFocus()
    intents.take()
    yield made
    made.finish()
    made.deleteLater()
    drain()


def key(kind: QEvent.Type, key: Qt.Key, native: int = 0, *, repeated: bool = False) -> QKeyEvent:
    return QKeyEvent(kind, key, NO_MODIFIER, 0, native, 0, "", repeated)


def tap(window: MainWindow, *taps: tuple[Qt.Key, Qt.KeyboardModifier]) -> None:
    for tapped, modifiers in taps:
        QTest.keyClick(window.windowHandle(), tapped, modifiers)


CASES: dict[str, tuple[tuple[tuple[Qt.Key, Qt.KeyboardModifier], ...], list[tuple[str, ...]]]] = {
    "a key": (((Qt.Key.Key_F9, NO_MODIFIER),), [("down", "f9"), ("down", "f9"), ("up", "f9")]),
    "a mute key": (((Qt.Key.Key_F8, NO_MODIFIER),), [("down", "f8"), ("down", "f8"), ("up", "f8")]),
    "a key that is none": (((Qt.Key.Key_F7, NO_MODIFIER),), [("other",)]),
    "a chord": (
        ((Qt.Key.Key_Space, CTRL),),
        [("down", "ctrl+space"), ("down", "ctrl+space"), ("up", "ctrl+space")],
    ),
    "half a chord and a shortcut": (((Qt.Key.Key_B, CTRL),), [("other",)]),
}


@pytest.mark.parametrize(("taps", "told"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("focus", ["talk", "field", "mute"])
def test_keys_are_told_whatever_has_the_focus(
    window: MainWindow,
    intents: RecordedIntents,
    focus: str,
    taps: tuple[tuple[Qt.Key, Qt.KeyboardModifier], ...],
    told: list[tuple[str, ...]],
) -> None:
    widgets = {"talk": window.panel.controls.talk, "field": window.panel.composer.field}
    widgets.get(focus, window.panel.controls.mute).setFocus()
    intents.take()
    tap(window, *taps)
    assert intents.take() == told
    assert window.panel.composer.field.text() == ""


def test_a_character_is_typed_where_text_is_written_and_talks_elsewhere(
    window: MainWindow, intents: RecordedIntents
) -> None:
    tap(window, (Qt.Key.Key_X, NO_MODIFIER))
    assert intents.take() == [("down", "x"), ("down", "x"), ("up", "x")]
    window.panel.composer.field.setFocus()
    intents.take()
    tap(window, (Qt.Key.Key_X, NO_MODIFIER))
    assert (intents.take(), window.panel.composer.field.text()) == ([("other",)], "x")


def test_one_side_of_a_modifier_talks_and_a_shortcut_with_it_is_told(
    window: MainWindow, intents: RecordedIntents
) -> None:
    keys = window.keys.events
    left, right = 0xFFE3, RIGHT_CTRL
    for native in (left, right):
        keys.eventFilter(window, key(QEvent.Type.KeyPress, Qt.Key.Key_Control, native))
        keys.eventFilter(window, key(QEvent.Type.KeyRelease, Qt.Key.Key_Control, native))
    assert intents.take() == [("down", "right_ctrl"), ("up", "right_ctrl")]
    keys.eventFilter(window, key(QEvent.Type.KeyPress, Qt.Key.Key_Control, right))
    keys.eventFilter(window, key(QEvent.Type.ShortcutOverride, Qt.Key.Key_C))
    assert intents.take() == [("down", "right_ctrl"), ("other",)]


def test_the_mouse_s_side_button_talks_and_presses_nothing(window: MainWindow, intents: RecordedIntents) -> None:
    handle = window.windowHandle()
    place = window.panel.controls.mute.mapTo(window, QPoint(5, 5))
    for button in (Qt.MouseButton.BackButton, Qt.MouseButton.ForwardButton):
        QTest.mousePress(handle, button, NO_MODIFIER, place)
        QTest.mouseRelease(handle, button, NO_MODIFIER, place)
    assert intents.take() == [("down", "mouse_back"), ("up", "mouse_back"), ("other",)]


def test_repeats_are_told_but_not_of_a_key_that_went_down_elsewhere(
    window: MainWindow, intents: RecordedIntents
) -> None:
    keys = window.keys.events
    keys.eventFilter(window, key(QEvent.Type.KeyPress, Qt.Key.Key_F9, repeated=True))
    assert intents.take() == []
    for repeated in (False, True, True):
        keys.eventFilter(window, key(QEvent.Type.KeyPress, Qt.Key.Key_F9, repeated=repeated))
        keys.eventFilter(window, key(QEvent.Type.KeyRelease, Qt.Key.Key_F9, repeated=True))
    assert intents.take() == [("down", "f9")] * 3


def test_a_key_whose_symbol_shift_has_changed_comes_up(window: MainWindow, intents: RecordedIntents) -> None:
    window.keys.use(TalkSettings(key="2"))
    intents.take()
    keys = window.keys.events
    keys.eventFilter(window, QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_2, NO_MODIFIER, 11, 0x32, 0, "2"))
    keys.eventFilter(window, QKeyEvent(QEvent.Type.KeyRelease, Qt.Key.Key_At, SHIFT, 11, 0x40, 0, "@"))
    assert intents.take() == [("down", "2"), ("up", "2")]


def test_other_keys_are_used_at_once(window: MainWindow, intents: RecordedIntents, qtbot: QtBot) -> None:
    settings, before = Settings(talk=TalkSettings(key="f7", press=PressSetting.TOGGLE)), intents.focus_lost
    window.settings.store(settings)
    assert intents.focus_lost > before
    tap(window, (Qt.Key.Key_F9, NO_MODIFIER), (Qt.Key.Key_F7, NO_MODIFIER))
    assert intents.take() == [("other",), ("down", "f7"), ("down", "f7"), ("up", "f7")]
    assert window.talk_key == "Space or F7"
    asked = window._requests
    assert isinstance(asked, CannedRequests)
    qtbot.waitUntil(lambda: ("use_talk", settings.talk) in asked.asked)


WORDS = {
    (PressSetting.HOLD, False): ("Hold Space or F9", "Hold to talk"),
    (PressSetting.TOGGLE, False): ("Press Space or F9", "Talk"),
    (PressSetting.HOLD_OR_LOCK, False): ("Hold Space or F9", "Hold to talk"),
}


@pytest.mark.parametrize(("press", "locked"), WORDS)
def test_words_say_what_a_press_does(window: MainWindow, press: PressSetting, locked: bool) -> None:
    window.show_snapshot(Snapshot(press=press, talk_locked=locked))
    under, name = WORDS[press, locked]
    controls = window.panel.controls
    assert (controls.under.text(), controls.talk.accessibleName()) == (under, name)
    assert window.panel.composer.field.placeholderText().startswith(under)


SIDES: list[tuple[str, Qt.Key, int, int, str]] = [
    ("linux", Qt.Key.Key_Shift, 0xFFE2, 0, "right_shift"),
    ("linux", Qt.Key.Key_Meta, 0xFFEB, 0, "left_super"),
    ("win32", Qt.Key.Key_Control, 0x11, 0x11D, "right_ctrl"),
    ("win32", Qt.Key.Key_Alt, 0x12, 0x38, "left_alt"),
    ("darwin", Qt.Key.Key_Alt, 61, 0, "right_alt"),
]


@pytest.mark.parametrize(("platform", "pressed", "symbol", "scan", "name"), SIDES)
def test_sides_of_modifiers_by_the_system_s_own_codes(
    platform: str, pressed: Qt.Key, symbol: int, scan: int, name: str
) -> None:
    event = QKeyEvent(QEvent.Type.KeyPress, pressed, NO_MODIFIER, scan, symbol, 0)
    assert identities(event, platform) == {name, name.partition("_")[2]}


NAMES: dict[Qt.Key, str] = {
    Qt.Key.Key_F24: "f24",
    Qt.Key.Key_Backtab: "tab",
    Qt.Key.Key_Enter: "enter",
    Qt.Key.Key_Plus: "+",
    Qt.Key.Key_Odiaeresis: "ö",
    Qt.Key.Key_MediaTogglePlayPause: "media_play_pause",
}


@pytest.mark.parametrize(("pressed", "name"), NAMES.items())
def test_names_of_keys(pressed: Qt.Key, name: str) -> None:
    assert identities(key(QEvent.Type.KeyPress, pressed)) == {name}
