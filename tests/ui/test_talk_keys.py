"""The talk keys among the settings: shown by pressing them, tried by counting, and how they stand with the desktop."""

import asyncio
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from novadesk.chord import LADDER, parse_chord
from novadesk.config import TalkSettings
from novadesk.conversation.api import Snapshot
from novadesk.conversation.talkapi import KeyCount
from novadesk.text import Text
from novadesk.ui.bridge import Bridge
from novadesk.ui.key_capture import Capture
from novadesk.ui.key_list import KeyList
from novadesk.ui.key_names import chord_words, trigger_words
from novadesk.ui.key_standing import KeyStanding
from novadesk.ui.key_test import KeyTest, count_words, verdict
from novadesk.ui.theme import Scheme, Theme
from tests.ui.conftest import CannedRequests, RecordedIntents, drain

NO_MODIFIER, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


class Keys(QWidget):
    """The talk keys, how they stand, and a test of them, in a window of their own."""

    def __init__(self, bridge: Bridge, requests: CannedRequests, intents: RecordedIntents, theme: Theme) -> None:
        super().__init__()
        self.list = KeyList(
            add="Add a talk key…", none="None.", bridge=bridge, requests=requests, theme=theme, parent=self
        )
        self.standing = KeyStanding(theme, self)
        self.test = KeyTest(self.settings, bridge, requests, intents, theme, self)
        layout = QVBoxLayout(self)
        for part in (self.list, self.standing, self.test):
            layout.addWidget(part)
        self.list.show_keys("f9")

    def settings(self) -> TalkSettings:
        return TalkSettings(key=self.list.keys)


@pytest.fixture
def page(qtbot: QtBot, bridge: Bridge, requests: CannedRequests, intents: RecordedIntents) -> Iterator[Keys]:
    theme = Theme(Scheme.LIGHT)
    made = Keys(bridge, requests, intents, theme)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    yield made
    made.close()
    made.deleteLater()
    theme.deleteLater()
    drain()


def press(page: Keys, key: Qt.Key, modifiers: Qt.KeyboardModifier = NO_MODIFIER) -> None:
    QTest.keyClick(page.windowHandle(), key, modifiers)


def test_a_setting_is_shown_as_it_is_and_a_name_that_is_no_key_stays_out(page: Keys) -> None:
    changes: list[None] = []
    page.list.changed.connect(lambda: changes.append(None))
    for keys in ("right_ctrl, mouse_back, ctrl+comma", "f9", "", "f9, f8"):
        page.list.show_keys(keys)
        assert page.list.keys == keys
        assert len(page.list.rows) == len([key for key in keys.split(",") if key])
        assert page.list.empty.isVisible() is (not keys)
    page.list.show_keys("wheel")
    assert page.list.keys == ""
    assert changes == []


@pytest.mark.parametrize(
    ("key", "modifiers", "added"),
    [
        (Qt.Key.Key_F8, NO_MODIFIER, "f8"),
        (Qt.Key.Key_Tab, NO_MODIFIER, "tab"),
        (Qt.Key.Key_Space, CTRL, "ctrl+space"),
        (Qt.Key.Key_Shift, NO_MODIFIER, "shift"),
        (Qt.Key.Key_Escape, CTRL, "ctrl+esc"),
    ],
)
def test_a_key_is_added_by_pressing_it_and_does_nothing_else(
    page: Keys, qtbot: QtBot, requests: CannedRequests, key: Qt.Key, modifiers: Qt.KeyboardModifier, added: str
) -> None:
    add = page.list.add
    add.setFocus()
    add.click()
    qtbot.waitUntil(lambda: ("ignore_keys",) in requests.asked)
    press(page, key, modifiers)
    assert page.list.keys == f"f9, {added}"
    assert add.hasFocus()
    assert not add.waiting
    qtbot.waitUntil(lambda: ("keys heeded",) in requests.asked)
    press(page, Qt.Key.Key_F7)  # nobody asked for it
    assert page.list.keys == f"f9, {added}"


def test_a_side_button_is_added_by_pressing_it_wherever_the_pointer_is(page: Keys) -> None:
    page.list.add.click()
    for button in (Qt.MouseButton.RightButton, Qt.MouseButton.ForwardButton):
        QTest.mouseClick(page.windowHandle(), button, NO_MODIFIER, QPoint(5, 5))
    assert page.list.keys == "f9, mouse_forward"


def test_esc_and_another_click_call_it_off(page: Keys, qtbot: QtBot, requests: CannedRequests) -> None:
    add = page.list.add
    for call_off in (lambda: press(page, Qt.Key.Key_Escape), add.click, add.stop):
        requests.asked.clear()
        add.click()
        assert add.text() == "Press a key or a mouse button; Esc to cancel"
        qtbot.waitUntil(lambda: ("ignore_keys",) in requests.asked)
        call_off()
        assert (add.waiting, add.text(), page.list.keys) == (False, "Add a talk key…", "f9")
        qtbot.waitUntil(lambda: ("keys heeded",) in requests.asked)


CTRL_R, CTRL_L, SHIFT_L = (
    frozenset({"ctrl", "right_ctrl"}),
    frozenset({"ctrl", "left_ctrl"}),
    frozenset({"shift", "left_shift"}),
)
C = frozenset({"c"})
SHOWN: dict[str, tuple[list[tuple[bool, frozenset[str]]], str]] = {
    "a bare modifier, with its side": ([(True, CTRL_R), (True, CTRL_R), (False, CTRL_R)], "right_ctrl"),
    "a shortcut is no bare modifier": ([(True, CTRL_L), (True, C)], "ctrl+c"),
    "two modifiers": ([(True, CTRL_L), (True, SHIFT_L), (False, SHIFT_L)], "ctrl+shift"),
    "one that was down before": ([(False, C), (False, CTRL_L), (True, C)], "c"),
}


@pytest.mark.parametrize(("moves", "chord"), SHOWN.values(), ids=SHOWN)
def test_what_is_shown_by_which_presses(moves: list[tuple[bool, frozenset[str]]], chord: str) -> None:
    capture = Capture()
    found = [capture.press(names) if down else capture.release(names) for down, names in moves]
    assert found[:-1] == [None] * (len(moves) - 1)
    assert found[-1] == parse_chord(chord)


def test_each_key_has_its_caution_and_can_be_removed(page: Keys) -> None:
    changes: list[None] = []
    page.list.changed.connect(lambda: changes.append(None))
    page.list.put(parse_chord("caps_lock"))
    page.list.put(parse_chord("caps_lock"))
    row = page.list.rows[1]
    assert (row.caution.text(), row.remove.accessibleName()) == (
        "This key changes between capital and small letters, too.",
        "Remove Caps Lock",
    )
    assert tab_order(page)[:4] == [
        "Remove F9",
        "Remove Caps Lock",
        "Add a talk key…",
        "Copy command novadesk ctl talk start",
    ]
    for row in list(page.list.rows):
        row.remove.click()
    assert (page.list.keys, page.list.empty.isVisible(), len(changes)) == ("", True, 3)


def tab_order(page: QWidget) -> list[str]:
    """Return the names of what Tab goes to."""
    names: list[str] = []
    widget = page.nextInFocusChain()
    while widget is not page:
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            names.append(widget.accessibleName() or getattr(widget, "text", str)())
        widget = widget.nextInFocusChain()
    return names


STANDINGS = [
    (Snapshot(hotkeys=("f9", "right_ctrl")), "F9 or Right Ctrl talks in every window.", False),
    (Snapshot(hotkeys=("<Meta>T",), mute_hotkeys=("f8",)), "<Meta>T talks and F8 mutes in every window.", False),
    (Snapshot(hotkeys=("f9",), hotkey_note="No key to mute."), "F9 talks in every window.", True),
    (Snapshot(hotkey_note="No portal."), "No key talks in other programs' windows.", True),
    (Snapshot(hotkey_note=Text.joined(Text("No portal."), LADDER)), "No key talks in other programs' windows.", True),
]


@pytest.mark.parametrize(("snapshot", "words", "ladder"), STANDINGS)
def test_how_the_keys_stand_and_what_there_is_to_do_without(
    page: Keys, snapshot: Snapshot, words: str, ladder: bool
) -> None:
    page.standing.show_snapshot(snapshot)
    assert page.standing.words.text() == words
    assert page.standing.note.text() == snapshot.hotkey_note.removesuffix(LADDER).rstrip()  # which is there in full
    assert page.standing.ladder.isVisible() is ladder


def test_each_command_can_be_copied(page: Keys) -> None:
    copied = []
    for button in page.standing.copies:
        button.click()
        copied.append(QGuiApplication.clipboard().text())
    assert copied == [f"novadesk ctl talk {what}" for what in ("start", "stop", "toggle")]


def test_a_test_counts_what_is_edited_and_says_what_came_of_it(
    page: Keys, qtbot: QtBot, requests: CannedRequests, core_loop: asyncio.AbstractEventLoop
) -> None:
    requests.counts = (KeyCount(), KeyCount(presses=1), KeyCount(presses=1, releases=1))
    page.list.put(parse_chord("f8"))
    assert page.test.button.text() == "Test for 10 seconds"
    page.test.button.click()
    qtbot.waitUntil(lambda: page.test.words.text() == "1 press, 1 release")
    assert requests.asked[-1] == ("try_keys", page.settings())
    qtbot.waitUntil(lambda: page.test.progress.value() > 0)
    core_loop.call_soon_threadsafe(requests.test_over.set)
    qtbot.waitUntil(lambda: not page.test.running)
    assert page.test.words.text().startswith("1 press, 1 release. The key works in every window")
    assert page.test.progress.value() == 0


def test_the_window_s_own_keys_are_told_while_a_test_runs_and_not_after(
    page: Keys, qtbot: QtBot, requests: CannedRequests, intents: RecordedIntents
) -> None:
    press(page, Qt.Key.Key_F9)
    assert intents.take() == []
    page.test.button.click()
    press(page, Qt.Key.Key_F9)
    assert intents.take() == [("down", "f9"), ("down", "f9"), ("up", "f9")]
    qtbot.waitUntil(lambda: requests.asked[-1:] == [("try_keys", page.settings())])
    page.test.button.click()
    qtbot.waitUntil(lambda: requests.asked[-1] == ("key test cancelled",))
    assert page.test.words.text() == "The test was stopped."
    press(page, Qt.Key.Key_F9)
    assert intents.take() == []
    assert intents.focus_lost


@pytest.mark.parametrize(
    ("count", "words", "shown"),
    [
        (KeyCount(presses=3, releases=3, others=2), "works in every window", "3 presses, 3 releases"),
        (KeyCount(presses=3, releases=2), "not each time when it comes up", "3 presses, 2 releases"),
        (KeyCount(here=2, others=1), "window only", "2 presses, in this window only"),
        (KeyCount(others=1), "but not this key", "0 presses, 0 releases"),
        (KeyCount(), "no key at all", "0 presses, 0 releases"),
        (KeyCount(presses=1, releases=1, lost=True), "stopped telling", "1 press, 1 release"),
    ],
)
def test_what_a_count_means(count: KeyCount, words: str, shown: str) -> None:
    assert words in verdict(count)
    assert count_words(count) == shown


@pytest.mark.parametrize(
    ("chord", "words"),
    [
        ("ctrl+space", "Ctrl+Space"),
        ("right_ctrl", "Right Ctrl"),
        ("mouse_back", "Mouse back button"),
        ("mouse12", "Mouse button 12"),
        ("shift+a", "Shift+A"),
        ("ctrl+plus", "Ctrl++"),
    ],
)
def test_chords_as_people_read_them(chord: str, words: str) -> None:
    assert chord_words(parse_chord(chord)) == words
    assert trigger_words(chord) == words


def test_who_leaves_the_page_is_asked_for_no_key_and_tries_none(
    page: Keys, qtbot: QtBot, requests: CannedRequests
) -> None:
    page.list.add.click()
    page.test.toggle()
    qtbot.waitUntil(lambda: {("ignore_keys",), ("try_keys", page.settings())} <= set(requests.asked))
    page.hide()
    assert not page.list.add.waiting
    assert not page.test.running
    qtbot.waitUntil(lambda: {("keys heeded",), ("key test cancelled",)} <= set(requests.asked))
