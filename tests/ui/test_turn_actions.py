"""What is done to turns: copied, corrected with what was heard kept, opened where several lines came up."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from novadesk.conversation.api import LiveText, Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, Format, Role, SyncState
from novadesk.ui.conversation_view import ConversationView
from novadesk.ui.item_models import Row
from novadesk.ui.main_window import MainWindow
from tests.ui.conftest import CannedRequests, drain
from tests.ui.test_history_pane import actions, trigger
from tests.ui.test_item_models import make_turn, make_turns
from tests.ui.test_scenarios import walk


@pytest.fixture
def talking(window: MainWindow, requests: CannedRequests, conversation: Conversation, qtbot: QtBot) -> MainWindow:
    """Return the window with four turns, the focus on them."""
    requests.spoken = list(make_turns(0, 4))
    window.show_snapshot(Snapshot(conversation=conversation, turns=tuple(requests.spoken)))
    window.conversation.turns.setFocus()
    return window


def wished(requests: CannedRequests) -> list[tuple[object, ...]]:
    """Return what was asked of the store, but for the list beside the conversation, which looks when it will."""
    return [one for one in requests.asked if one[0] != "conversations"]


def choose(window: MainWindow, number: int) -> None:
    window.conversation.turns._make_current(number)


def row(window: MainWindow, number: int) -> Row:
    return window.conversation.model.rows[number]


def open_menu(window: MainWindow) -> list[str]:
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(0, 0), QPoint(0, 0))
    QApplication.sendEvent(window.conversation.turns, event)
    return list(actions(window.conversation.does.menu))


# --- copy ---


def test_the_last_answer_is_a_key_away_as_far_as_it_was_heard(
    talking: MainWindow, qtbot: QtBot, conversation: Conversation
) -> None:
    heard = make_turn(3, text="Good. Which product?", heard_chars=5, interrupted=True)
    talking.show_snapshot(Snapshot(conversation=conversation, turns=(*make_turns(0, 3), heard, make_turn(4))))
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(talking, Qt.Key.Key_C, keys)
    assert QGuiApplication.clipboard().text() == "Good."
    talking.show_snapshot(Snapshot(conversation=conversation, turns=(), live=(LiveText(role=Role.USER, spoken="Hm"),)))
    talking.conversation.does.copy_last_answer()
    assert talking.conversation.passing.text() == "There is no answer to copy yet."


def test_the_whole_is_copied_from_the_store_and_of_a_private_one_from_the_window(
    talking: MainWindow, qtbot: QtBot, requests: CannedRequests, conversation: Conversation
) -> None:
    assert "Copy the whole conversation" in open_menu(talking)
    trigger(talking.conversation.does.menu, "Copy the whole conversation")
    qtbot.waitUntil(lambda: QGuiApplication.clipboard().text() == "the whole of it")
    open_menu(talking)
    trigger(talking.conversation.does.menu, "Copy the whole as Markdown")
    asked = [("document", conversation.handle, form) for form in (Format.TEXT, Format.MARKDOWN)]
    qtbot.waitUntil(lambda: wished(requests) == asked)
    private = replace(conversation, private=True)
    talking.show_snapshot(Snapshot(conversation=private, turns=make_turns(0, 2), notices=("Session renewed",)))
    talking.conversation.does.copy_all()
    assert QGuiApplication.clipboard().text() == "You: Turn 0\nNova: Turn 1"
    assert "Copy the whole as Markdown" not in open_menu(talking)
    assert wished(requests) == asked


# --- correct ---


def test_a_misheard_turn_is_corrected_and_what_was_heard_is_kept(
    talking: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    choose(talking, 2)
    qtbot.keyClick(talking.conversation.turns, Qt.Key.Key_F2)
    dialog = talking.conversation.does.dialog
    assert dialog is not None
    assert dialog.field.toPlainText() == "Turn 2"
    assert not dialog.restore.isVisible()
    dialog.field.setPlainText("Turn two")
    qtbot.waitUntil(dialog.isActiveWindow)
    qtbot.keyClick(dialog.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: row(talking, 2).text == "Turn two")
    assert wished(requests) == [("edit", "t2", "Turn two")]
    drain()
    assert talking.focusWidget() is talking.conversation.turns
    assert row(talking, 2).notes == "corrected, show what was heard"
    qtbot.keyClick(talking.conversation.turns, Qt.Key.Key_Return)
    assert (row(talking, 2).faded, row(talking, 2).notes) == ("\nTurn 2", "corrected, hide what was heard")
    talking.conversation.does.correct()
    again = talking.conversation.does.dialog
    assert again is not None
    qtbot.waitUntil(again.isActiveWindow)
    assert "Take it back" in walk(again, qtbot)
    again.reject()
    assert open_menu(talking)[-2:] == ["Correct…", "Take the correction back"]
    trigger(talking.conversation.does.menu, "Take the correction back")
    qtbot.waitUntil(lambda: row(talking, 2).text == "Turn 2")
    assert wished(requests)[1:] == [("edit", "t2", None)]
    assert row(talking, 2).notes == ""


def test_a_correction_that_is_refused_says_why(talking: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.error = KnownError(Reason.BAD_INPUT, "A turn needs words.", "Write some.")
    choose(talking, 0)
    talking.conversation.does.correct()
    dialog = talking.conversation.does.dialog
    assert dialog is not None
    dialog.field.clear()
    qtbot.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.said.text() == "A turn needs words. Write some.")
    assert dialog.isVisible()
    assert dialog.save.isEnabled()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    drain()
    assert talking.conversation.does.dialog is None


@pytest.mark.parametrize("case", ["answer", "unsaved", "private", "several"])
def test_only_a_stored_turn_of_the_person_is_corrected(
    talking: MainWindow, conversation: Conversation, case: str
) -> None:
    turns = make_turns(0, 4)
    if case == "unsaved":
        turns = (*turns[:2], replace(turns[2], sync=SyncState.LOCAL), turns[3])
    shown = replace(conversation, private=case == "private")
    talking.show_snapshot(Snapshot(conversation=shown, turns=turns))
    choose(talking, 1 if case == "answer" else 2)
    if case == "several":
        talking.conversation.turns.selectAll()
    assert "Correct…" not in open_menu(talking)
    talking.conversation.does.correct()
    assert talking.conversation.does.dialog is None


# --- lines that came up together ---


def test_lines_of_one_place_are_opened_by_key_and_by_click(
    talking: MainWindow, qtbot: QtBot, conversation: Conversation
) -> None:
    lines = ("Connection lost.", "Back after 4 s.", "Session renewed")
    talking.show_snapshot(Snapshot(conversation=conversation, turns=make_turns(0, 4), notices=lines))
    turns, model = talking.conversation.turns, talking.conversation.model
    assert [one.text for one in model.rows[4:]] == ["Session renewed · 2 more lines"]
    choose(talking, 4)
    qtbot.keyClick(turns, Qt.Key.Key_Return)
    assert [one.text for one in model.rows[4:]] == list(lines)
    turns.doItemsLayout()
    where = turns.visualRect(model.index(4)).center()
    qtbot.mouseClick(turns.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert len(model.rows) == 5


# --- pages from anywhere ---


def test_a_turn_is_found_while_another_page_is_on_its_way(
    talking: MainWindow, qtbot: QtBot, requests: CannedRequests, conversation: Conversation
) -> None:
    requests.spoken = list(make_turns(0, 900))
    view = talking.conversation
    talking.show_snapshot(Snapshot(conversation=conversation, turns=tuple(requests.spoken[-200:])))
    view.loader.older()
    view.go_to(conversation.handle, 40)
    qtbot.waitUntil(lambda: view.turns.currentIndex().isValid() and row_at(view).text == "Turn 40")


def row_at(view: ConversationView) -> Row:
    return view.model.row(view.turns.currentIndex())


def test_a_page_from_the_middle_goes_on_both_ways(talking: MainWindow, conversation: Conversation) -> None:
    model, every = talking.conversation.model, make_turns(0, 900)
    model.show(conversation.handle, every[-200:])
    model.show_page(every[300:500])
    assert (model.attached, model.turns[0].position, model.row_of(420), model.row_of(600)) == (False, 300, 120, None)
    model.append(every[500:700])
    assert (model.attached, model.turns[-1].position) == (True, 899)
    model.prepend(every[100:300])  # asked for before the first ones left the memory
    assert model.turns[0].position == 400
    model.prepend(every[200:400])
    assert model.turns[0].position == 200
