"""The window by keyboard: talking cannot stick, every action has its key, Tab is never trapped."""

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from novadesk.config import TalkSettings
from novadesk.conversation.api import Phase, Snapshot
from novadesk.ui.about_dialog import AboutDialog
from novadesk.ui.keys_dialog import KeysDialog
from novadesk.ui.main_window import MainWindow
from tests.ui.conftest import QUITS, RecordedIntents, drain, make_conversation
from tests.ui.test_item_models import make_turns

PRESS = QEvent.Type.KeyPress
RELEASE = QEvent.Type.KeyRelease


NO_MODIFIER = Qt.KeyboardModifier.NoModifier
DOWN, UP = ("down", "space"), ("up", "space")


def send(widget: QWidget, kind: QEvent.Type, key: Qt.Key, *, repeated: bool = False) -> None:
    text = " " if key == Qt.Key.Key_Space else ""
    event = QKeyEvent(kind, key, NO_MODIFIER, text, repeated)
    QApplication.sendEvent(widget, event)


def test_space_is_told_as_it_is_repeats_included(window: MainWindow, intents: RecordedIntents) -> None:
    talk = window.panel.controls.talk
    talk.setFocus()
    intents.take()
    send(talk, PRESS, Qt.Key.Key_Space)
    for _ in range(2):
        send(talk, RELEASE, Qt.Key.Key_Space, repeated=True)
        send(talk, PRESS, Qt.Key.Key_Space, repeated=True)
    send(talk, RELEASE, Qt.Key.Key_Space)
    assert intents.take() == [DOWN] * 3 + [UP]


@pytest.mark.parametrize("name", ["turns", "history"])
def test_space_talks_from_the_lists_too(window: MainWindow, intents: RecordedIntents, name: str) -> None:
    window.show_snapshot(Snapshot(conversation=make_conversation(0), turns=make_turns(0, 3)))
    widget = window.findChild(QWidget, name)
    assert widget is not None
    widget.setFocus()
    send(widget, PRESS, Qt.Key.Key_Space)
    send(widget, RELEASE, Qt.Key.Key_Space)
    assert intents.take() == [DOWN, UP]


def test_space_in_a_text_field_is_a_space(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    for field in (window.panel.composer.field, window.history.search):
        field.setFocus()
        intents.take()
        qtbot.keyClicks(field, "a b")
        assert field.text() == "a b"
        assert intents.take() == []


def test_moving_into_a_text_field_while_space_is_held_releases(window: MainWindow, intents: RecordedIntents) -> None:
    window.panel.controls.talk.setFocus()
    send(window.panel.controls.talk, PRESS, Qt.Key.Key_Space)
    window.panel.composer.field.setFocus()
    assert intents.take() == [DOWN, UP]


def test_losing_the_window_s_focus_is_told(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    before = intents.focus_lost
    other = QWidget()
    qtbot.addWidget(other)
    other.show()
    other.activateWindow()
    qtbot.waitUntil(lambda: not window.isActiveWindow())
    assert intents.focus_lost > before
    other.close()


def test_a_dialog_and_a_menu_take_the_keys_away(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    before = intents.focus_lost
    qtbot.mousePress(window.panel.controls.talk, Qt.MouseButton.LeftButton)
    window.show_settings()
    assert window.door.window is not None
    qtbot.waitUntil(lambda: not window.isActiveWindow())
    assert intents.take() == [("down", "talk button")]
    assert intents.focus_lost > before
    window.door.window.close()
    drain()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    before = intents.focus_lost
    window.history.show_new_menu()
    qtbot.waitUntil(lambda: intents.focus_lost > before)
    assert window.history.menu is not None
    window.history.menu.close()


def test_hiding_and_closing_are_told(window: MainWindow, intents: RecordedIntents) -> None:
    before = intents.focus_lost
    window.hide()
    assert intents.focus_lost > before
    window.show()
    window.settings.now = QUITS
    before = intents.focus_lost
    window.close()
    assert (intents.take(), intents.focus_lost) == ([("quit",)], before + 1)


@pytest.mark.parametrize(
    ("key", "modifiers", "wish"),
    [
        (Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier, ("new_conversation",)),
        (Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier, ("end_conversation",)),
        (Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier, ("set_muted", True)),
        (Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier, ("quit",)),
        (Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier, ("stop_speaking",)),
    ],
)
def test_keys_are_wishes_wherever_the_focus_is(
    window: MainWindow,
    qtbot: QtBot,
    intents: RecordedIntents,
    key: Qt.Key,
    modifiers: Qt.KeyboardModifier,
    wish: tuple[object, ...],
) -> None:
    places: list[QWidget] = [window.panel.controls.talk, window.panel.composer.field, window.conversation.turns]
    places += [window.history.list, window.history.search]
    for place in places:
        place.setFocus()
        qtbot.keyClick(place, key, modifiers)
        assert intents.take() == [wish], place.objectName()


def test_details_and_search_open_by_key(window: MainWindow, qtbot: QtBot) -> None:
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(window, Qt.Key.Key_I, control)
    assert window.details.isVisible()
    assert window.details.close_button.hasFocus()
    qtbot.keyClick(window.details.close_button, Qt.Key.Key_I, control)
    assert not window.details.isVisible()
    assert window.panel.controls.talk.hasFocus()
    qtbot.keyClick(window, Qt.Key.Key_F, control)
    assert window.history.search.hasFocus()


@pytest.mark.parametrize("width", [1120, 400])
def test_the_focus_comes_back_from_the_details(window: MainWindow, qtbot: QtBot, width: int) -> None:
    window.resize(width, 560)
    qtbot.waitUntil(lambda: window.panes.folded is (width == 400))
    field, end = window.panel.composer.field, Qt.Key.Key_Escape if width == 400 else Qt.Key.Key_I
    modifier = Qt.KeyboardModifier.ControlModifier
    field.setFocus()
    qtbot.keyClick(field, Qt.Key.Key_I, modifier)
    assert window.details.close_button.hasFocus()
    qtbot.keyClick(window.details.close_button, end, NO_MODIFIER if width == 400 else modifier)
    assert not window.details.isVisible()
    assert field.hasFocus()
    window.toggle_details()
    window.panel.controls.talk.setFocus()
    window.toggle_details()
    assert window.panel.controls.talk.hasFocus(), "a focus that has left the details stays where it is"


def test_search_unfolds_the_sidebar_of_a_narrow_window(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(400, 560)
    qtbot.waitUntil(lambda: window.panes.folded)
    qtbot.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert window.history.search.isVisible()
    assert window.history.search.hasFocus()


def test_f6_walks_the_panes_in_a_ring(window: MainWindow, qtbot: QtBot) -> None:
    window.show_snapshot(Snapshot(conversation=make_conversation(0), turns=make_turns(0, 3), phase=Phase.READY))
    drain()
    window.panel.controls.talk.setFocus()
    seen = []
    for _ in range(4):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_F6)
        focus = QApplication.focusWidget()
        assert focus is not None
        seen.append(focus.objectName())
    assert seen == ["field", "history", "turns", "talk"]


def test_tab_reaches_every_control_once_and_comes_back(window: MainWindow, qtbot: QtBot) -> None:
    window.show_snapshot(Snapshot(conversation=make_conversation(0), turns=make_turns(0, 3), phase=Phase.READY))
    drain()
    window.history.new.setFocus()
    walked: list[QWidget] = []
    for _ in range(40):
        focus = QApplication.focusWidget()
        assert focus is not None
        if focus in walked:
            break
        walked.append(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is walked[0]
    wanted: list[QWidget] = [window.history.search, window.history.list, window.history.settings]
    wanted += [window.header.end, window.header.details, window.conversation.turns]
    wanted += [window.panel.controls.mute, window.panel.controls.talk, window.panel.controls.stop]
    wanted += [window.panel.controls.volume.silence, window.panel.controls.volume.slider]
    wanted += [window.panel.composer.field]
    assert [widget for widget in walked if widget in wanted] == wanted


def test_rows_are_chosen_with_the_arrows(window: MainWindow, qtbot: QtBot) -> None:
    window.show_snapshot(Snapshot(conversation=make_conversation(0), turns=make_turns(0, 5)))
    turns = window.conversation.turns
    turns.setFocus(Qt.FocusReason.TabFocusReason)
    assert turns.currentIndex().row() == 4
    qtbot.keyClick(turns, Qt.Key.Key_Up)
    assert turns.currentIndex().row() == 3
    qtbot.keyClick(turns, Qt.Key.Key_Home)
    assert turns.currentIndex().row() == 0
    qtbot.keyClick(turns, Qt.Key.Key_End)
    assert turns.currentIndex().row() == 4


def test_the_keys_are_listed_as_they_are_set_and_lead_to_the_words_about_novadesk(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.settings.talk_changed.emit(TalkSettings(key="f8"))
    qtbot.keyClick(window, Qt.Key.Key_F1)
    keys = window.dialog
    assert isinstance(keys, KeysDialog)
    cells = [[keys.table.item(row, column) for column in (0, 1)] for row in range(keys.table.rowCount())]
    shown = {key.text(): words.text() for key, words in cells if key is not None and words is not None}
    assert shown["Space or F8"] == "Talk"
    assert shown["Ctrl+N"] == "New conversation"
    assert {"Ctrl+B", "Ctrl+P", "F1", "Ctrl+Q"} <= shown.keys()
    assert len(shown) == keys.table.rowCount(), "a key does two things"
    assert all(shown.values())
    keys.about.click()
    assert isinstance(window.dialog, AboutDialog)
    window.dialog.reject()
    drain()


def test_about_opens_and_closes(window: MainWindow) -> None:
    window.show_about()
    assert window.dialog is not None
    assert window.dialog.isVisible()
    window.dialog.reject()
    drain()
    assert window.dialog is None
