"""The history pane at work: begin privately, rename, star, delete, read from other machines."""

import asyncio
from datetime import date
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from novadesk.conversation.api import Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.models import EVERYTHING, BackendKind, Found, SyncState
from novadesk.ui import history_loader, history_view
from novadesk.ui.history_model import TITLE_CHARS
from novadesk.ui.main_window import MainWindow
from tests.ui.conftest import CannedRequests, RecordedIntents, drain, make_conversation
from tests.ui.test_item_models import local_ms, make_turn

LOCKED = KnownError(Reason.STORE_LOCKED, "The store is locked.", "Try again.")


@pytest.fixture
def filled(window: MainWindow, requests: CannedRequests, qtbot: QtBot) -> MainWindow:
    """Return the window with three conversations, none of them open."""
    requests.stored = [make_conversation(n, sync=SyncState.SYNCED, backend=BackendKind.BEDROCK) for n in range(3)]
    window.show_snapshot(Snapshot(store_revision=1))
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 3)
    window.history.list.setFocus()
    choose(window, 1)
    requests.asked.clear()
    return window


def row_of(window: MainWindow, number: int) -> int:
    row = window.history.model.find(make_conversation(number).handle)
    assert row is not None
    return row


def choose(window: MainWindow, number: int) -> None:
    window.history.list.choose(row_of(window, number))


def changes(requests: CannedRequests) -> list[tuple[object, ...]]:
    return [asked for asked in requests.asked if asked[0] not in ("conversations",)]


def editor(window: MainWindow) -> QLineEdit | None:
    return window.history.list.findChild(QLineEdit, "rename")


def actions(menu: QMenu | None) -> dict[str, object]:
    assert menu is not None
    return {action.text().split("\t")[0]: action for action in menu.actions() if action.text()}


def trigger(menu: QMenu | None, words: str) -> None:
    action = actions(menu)[words]
    action.trigger()  # type: ignore[attr-defined]
    assert menu is not None
    menu.close()
    drain()


# --- private ---


def test_a_private_conversation_is_a_key_away(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    for widget in (window.panel.controls.talk, window.panel.composer.field, window.history.search):
        widget.setFocus()
        qtbot.keyClick(widget, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
        assert intents.take() == [("new_conversation", "private")]


def test_who_begins_anew_by_key_can_talk_at_once(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    window.history.search.setFocus()
    qtbot.keyClick(window.history.search, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert intents.take() == [("new_conversation",)]
    assert window.focusWidget() is window.panel.controls.talk


def test_the_menu_beside_new_begins_either_kind(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    history = window.history
    assert history.new_menu.accessibleName() == "More ways to begin"
    wishes = {"New private conversation": ("new_conversation", "private"), "New conversation": ("new_conversation",)}
    for words, wish in wishes.items():
        qtbot.mouseClick(history.new_menu, Qt.MouseButton.LeftButton)
        trigger(history.menu, words)
        assert intents.take() == [wish]
        assert history.menu is None


def test_the_badge_says_private_in_picture_and_words_while_it_is(window: MainWindow) -> None:
    badge = window.header.private
    window.show_snapshot(Snapshot(conversation=make_conversation(0)))
    assert not badge.isVisible()
    window.show_snapshot(Snapshot(conversation=make_conversation(9, private=True)))
    assert badge.isVisible()
    assert badge.word.text() == "Private"
    assert badge.accessibleName() == "Private conversation"
    assert "gone when you leave it" in badge.toolTip()
    window.show_snapshot(Snapshot(conversation=make_conversation(1)))
    assert not badge.isVisible()


# --- rename ---


def test_f2_renames_in_place(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests, intents: RecordedIntents
) -> None:
    qtbot.keyClick(filled.history.list, Qt.Key.Key_F2)
    field = editor(filled)
    assert field is not None
    assert (field.accessibleName(), field.placeholderText()) == ("Title", "caring-king-1")
    qtbot.keyClicks(field, "  Aspirin   call ")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    handle = make_conversation(1).handle
    qtbot.waitUntil(lambda: ("rename", handle, "Aspirin call") in requests.asked)
    model = filled.history.model
    qtbot.waitUntil(lambda: model.row(model.index(row_of(filled, 1))).title == "Aspirin call")
    qtbot.waitUntil(lambda: requests.asked[-1][0] == "conversations")
    assert intents.take() == []  # Return ends the title, it does not open the conversation
    assert QApplication.focusWidget() is filled.history.list


def test_escape_leaves_the_title_and_the_answer_alone(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests, intents: RecordedIntents
) -> None:
    qtbot.keyClick(filled.history.list, Qt.Key.Key_F2)
    field = editor(filled)
    assert field is not None
    qtbot.keyClicks(field, "no")
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    drain()
    assert editor(filled) is None
    assert changes(requests) == []
    assert intents.take() == []


def test_a_title_that_stays_the_same_is_no_wish(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    qtbot.keyClick(filled.history.list, Qt.Key.Key_F2)
    field = editor(filled)
    assert field is not None
    assert field.maxLength() == TITLE_CHARS
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert changes(requests) == []


def test_news_from_the_disk_wait_while_a_title_is_written(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    qtbot.keyClick(filled.history.list, Qt.Key.Key_F2)
    field = editor(filled)
    assert field is not None
    qtbot.keyClicks(field, "half a ti")
    requests.stored = [make_conversation(n) for n in range(2, 5)]
    filled.show_snapshot(Snapshot(store_revision=2))
    qtbot.waitUntil(lambda: len(requests.asked) > 0)
    qtbot.waitUntil(lambda: make_conversation(4) in filled.history.model.conversations)
    assert editor(filled) is field
    assert field.text() == "half a ti"
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert filled.history.model.find(make_conversation(1).handle) is None
    assert filled.history.model.find(make_conversation(4).handle) is not None


def test_a_rename_that_fails_is_said_and_the_old_name_comes_back(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    class Refused(CannedRequests):
        async def rename(self, handle: str, title: str) -> None:
            raise LOCKED

    filled.history.actions_on._requests = Refused(stored=requests.stored)
    qtbot.keyClick(filled.history.list, Qt.Key.Key_F2)
    field = editor(filled)
    assert field is not None
    qtbot.keyClicks(field, "new name")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: filled.history.sync.words.text() == "The store is locked. Try again. (ND-STORE-01)")
    index = filled.history.model.index(row_of(filled, 1))
    qtbot.waitUntil(lambda: filled.history.model.row(index).title == "caring-king-1")


# --- star ---


def test_a_star_comes_and_goes_by_key_and_menu(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    history, handle = filled.history, make_conversation(1).handle
    qtbot.keyClick(history.list, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: ("star", handle, True) in requests.asked)
    index = history.model.index(row_of(filled, 1))
    qtbot.waitUntil(lambda: history.model.row(index).conversation.starred)  # type: ignore[union-attr]
    spoken = history.model.data(index, Qt.ItemDataRole.AccessibleTextRole)
    assert ", starred" in spoken
    history.list.show_menu(index, QPoint(5, 5))
    trigger(history.list.menu, "Remove star")
    qtbot.waitUntil(lambda: ("star", handle, False) in requests.asked)


# --- days ---


def test_at_midnight_today_becomes_yesterday(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = date(2026, 3, 10)

    class Day(date):
        @classmethod
        def today(cls) -> Any:
            return today

    for module in (history_view, history_loader):
        monkeypatch.setattr(module, "date", Day)
    requests.stored = [make_conversation(0, updated_ms=local_ms(2026, 3, 10, 9))]
    window.show_snapshot(Snapshot(store_revision=1))
    qtbot.waitUntil(lambda: titles(window)[:1] == ["Today"])
    today = date(2026, 3, 11)
    window.show_snapshot(Snapshot(store_revision=1, attempt=1))
    qtbot.waitUntil(lambda: titles(window)[:1] == ["Yesterday"])


# --- the menu of a row ---


def test_the_menu_of_a_row_has_everything_and_its_keys(
    filled: MainWindow, qtbot: QtBot, intents: RecordedIntents
) -> None:
    rows = filled.history.list
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(0, 0), QPoint(0, 0))
    QApplication.sendEvent(rows.viewport(), event)
    assert list(actions(rows.menu)) == ["Open", "Rename", "Star", "Export…", "Delete", "Delete here and in the cloud"]
    trigger(rows.menu, "Open")
    assert intents.take() == [("open_conversation", make_conversation(1).handle)]
    filled.show_snapshot(Snapshot(conversation=make_conversation(1), store_revision=1))
    rows.show_menu(filled.history.model.index(row_of(filled, 1)), QPoint(5, 5))
    assert "Open" not in actions(rows.menu)
    trigger(rows.menu, "Rename")
    assert editor(filled) is not None


def test_the_three_dots_open_the_menu_and_not_the_conversation(
    filled: MainWindow, qtbot: QtBot, intents: RecordedIntents
) -> None:
    rows = filled.history.list
    rect = rows.visualRect(filled.history.model.index(row_of(filled, 2)))
    dots = rows._delegate.more_rect(rect).center()
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=dots)
    assert "Delete" in actions(rows.menu)
    rows.menu.close()  # type: ignore[union-attr]
    drain()
    assert intents.take() == []
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert intents.take() == [("open_conversation", make_conversation(2).handle)]


def test_a_day_s_name_has_no_menu(filled: MainWindow) -> None:
    filled.history.list.show_menu(filled.history.model.index(0), QPoint(5, 5))
    assert filled.history.list.menu is None


# --- search ---


def found_in(number: int, words: str, position: int = 0) -> Found:
    made = make_conversation(number)
    turn = make_turn(position, text=words, conversation=made.handle, turn_id=f"found {position}")
    return Found(conversation=made, turn=turn, snippet=f"…{words}", marks=())


def titles(window: MainWindow) -> list[str]:
    model = window.history.model
    return [model.row(model.index(number)).title for number in range(model.rowCount())]


def test_search_looks_at_names_and_at_what_was_said_when_the_person_rests(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests, intents: RecordedIntents
) -> None:
    history = filled.history
    requests.findable = [found_in(2, "low-dose aspirin for king-2")]
    qtbot.keyClicks(history.search, "king-2")
    qtbot.waitUntil(lambda: titles(filled)[-2:] == ["Said in", "caring-king-2"])
    qtbot.waitUntil(lambda: titles(filled)[1:] == ["caring-king-2", "Said in", "caring-king-2"])
    assert [asked for asked in requests.asked if asked[0] == "search"] == [("search", "king-2", EVERYTHING)]
    last = history.model.index(history.model.rowCount() - 1)
    spoken = history.model.data(last, Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "caring-king-2, You: …low-dose aspirin for king-2"
    history.search.clear()
    qtbot.waitUntil(lambda: len(titles(filled)) == 4)
    assert "Said in" not in titles(filled)


def test_a_found_turn_is_opened_at_its_place(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests, intents: RecordedIntents
) -> None:
    history, other = filled.history, make_conversation(2)
    requests.spoken = [make_turn(n, conversation=other.handle) for n in range(600)]
    requests.findable = [found_in(2, "aspirin", position=40)]
    history.search.setText("aspirin")
    qtbot.waitUntil(lambda: "Said in" in titles(filled))
    last = history.model.index(history.model.rowCount() - 1)
    qtbot.mouseClick(history.list.viewport(), Qt.MouseButton.LeftButton, pos=history.list.visualRect(last).center())
    assert intents.take() == [("open_conversation", other.handle)]
    view = filled.conversation
    filled.show_snapshot(Snapshot(store_revision=1, conversation=other, turns=tuple(requests.spoken[-200:])))
    qtbot.waitUntil(lambda: view.turns.currentIndex().isValid())
    assert view.model.row(view.turns.currentIndex()).text == "Turn 40"
    assert QApplication.focusWidget() is view.turns, "they were not shown when it was asked for"
    assert not view.turns.following
    found = view.model.row(view.turns.currentIndex())
    assert view.turns.delegate._found(found) == []
    view.turns.delegate.mark(other.handle, 40, "40 turn")
    assert [(part.start, part.length) for part in view.turns.delegate._found(found)] == [(0, 4), (5, 2)]
    assert view.turns.delegate._found(view.model.rows[0]) == []
    requests.findable = [found_in(2, "aspirin", position=550)]
    history.search.setText("aspiri")
    qtbot.waitUntil(lambda: history.model.found[0].turn.position == 550)
    history.list.choose(history.model.rowCount() - 1)
    qtbot.keyClick(history.list, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: view.model.row(view.turns.currentIndex()).text == "Turn 550")
    assert QApplication.focusWidget() is view.turns, "arrow keys walk on from there"
    assert intents.take() == [], "it is open already"


def test_an_answer_to_an_older_search_shows_nothing(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    history = filled.history
    requests.findable = [found_in(2, "aspirin")]
    history.search.setText("aspirin")
    history.loader._look()
    history.search.setText("a")
    qtbot.waitUntil(lambda: not history.loader.busy)
    assert history.model.found == []
    history.search.setText("zzz")
    qtbot.waitUntil(lambda: history.note.text() == "Nothing found")


def test_a_search_that_fails_says_why(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.error = LOCKED
    filled.history.search.setText("aspirin")
    qtbot.waitUntil(lambda: filled.history.sync.words.text() == "The store is locked. Try again. (ND-STORE-01)")


def test_what_came_from_the_cloud_is_marked(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.stored = [make_conversation(0, elsewhere=True, title="Aspirin")]
    filled.history.loader.refresh()
    model = filled.history.model
    qtbot.waitUntil(lambda: model.row(model.index(1)).below == "caring-king-0 · 2 turns · from the cloud")


# --- sync now ---


def test_sync_now_says_what_came_in(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    sync = filled.history.sync
    assert sync.now.accessibleName() == "Sync now"
    requests.pulled = 3
    qtbot.mouseClick(sync.now, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: sync.words.text() == "3 new turns came in.")
    qtbot.waitUntil(lambda: requests.asked[-1][0] == "conversations")
    requests.pulled = 0
    qtbot.mouseClick(sync.now, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: sync.words.text() == "Up to date.")


def test_a_pull_shows_its_progress_and_can_be_stopped(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    sync = filled.history.sync
    requests.pull_waits = asyncio.Event()
    qtbot.mouseClick(sync.now, Qt.MouseButton.LeftButton)
    assert sync.cancel.isVisible()
    assert not sync.now.isEnabled()
    assert sync.words.text() == "Reading…"
    qtbot.waitUntil(lambda: ("pull", None) in requests.asked)
    filled.show_snapshot(Snapshot(pulling=(34, 1_200), store_revision=1))
    assert sync.words.text() == "Reading 34 of 1,200"
    qtbot.mouseClick(sync.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: ("pull cancelled",) in requests.asked)
    filled.show_snapshot(Snapshot(store_revision=1))
    assert sync.words.text() == "Stopped. What is here stays."
    assert not sync.cancel.isVisible()
    assert QApplication.focusWidget() is sync.now


def test_a_pull_that_nobody_asked_for_shows_progress_only(filled: MainWindow) -> None:
    filled.show_snapshot(Snapshot(pulling=(1, 2), store_revision=1))
    sync = filled.history.sync
    assert sync.words.text() == "Reading 1 of 2"
    assert not sync.cancel.isVisible()
    filled.show_snapshot(Snapshot(store_revision=1))
    assert not sync.isVisible()


def test_a_pull_that_fails_says_why(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    class Refused(CannedRequests):
        async def pull(self, handle: str | None = None) -> int:
            raise LOCKED

    filled.history.sync._requests = Refused()
    qtbot.mouseClick(filled.history.sync.now, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: filled.history.sync.words.text() == "The store is locked. Try again. (ND-STORE-01)")
    assert filled.history.sync.now.isEnabled()
