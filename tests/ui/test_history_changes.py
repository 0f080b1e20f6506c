"""What the person does to stored conversations: several at once, delete and undo, clear, filter, export."""

import asyncio
from datetime import date, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import QDate, QPoint, Qt
from PySide6.QtWidgets import QComboBox, QFileDialog
from pytestqt.qtbot import QtBot

from novadesk.config import HistorySettings, Settings
from novadesk.conversation.api import Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, Choices, Filter, Format, SyncState
from novadesk.ui.clear_dialog import ClearDialog
from novadesk.ui.export_dialog import ExportDialog
from novadesk.ui.filter_bar import FilterBar, Span
from novadesk.ui.main_window import MainWindow
from novadesk.ui.theme import Theme
from tests.ui.conftest import CannedRequests, drain, make_conversation
from tests.ui.test_history_pane import LOCKED, actions, changes, row_of, trigger

HANDLES = [make_conversation(number).handle for number in range(4)]
DELETE = Qt.Key.Key_Delete
PLAIN = Qt.KeyboardModifier.NoModifier
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def filled(window: MainWindow, requests: CannedRequests, qtbot: QtBot) -> MainWindow:
    """Return the window with four conversations, the last one on this computer only and with a star."""
    requests.stored = [make_conversation(n, sync=SyncState.SYNCED, backend=BackendKind.BEDROCK) for n in range(3)]
    requests.stored.append(make_conversation(3, starred=True))
    window.show_snapshot(Snapshot(store_revision=1))
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 4)
    window.history.list.setFocus()
    window.history.list.choose(row_of(window, 1))
    requests.asked.clear()
    return window


def shown(window: MainWindow) -> list[str]:
    return [one.handle for one in window.history.model.conversations]


def delete_and_wait(window: MainWindow, qtbot: QtBot, modifier: Qt.KeyboardModifier = PLAIN) -> None:
    qtbot.keyClick(window.history.list, DELETE, modifier)
    qtbot.waitUntil(window.history.undo.isVisible)


# --- delete and undo ---


def test_delete_is_from_here_and_says_what_stays(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    delete_and_wait(filled, qtbot)
    assert changes(requests) == [("set_aside", [HANDLES[1]], False, True)]
    assert filled.history.undo.words.text() == "“caring-king-1” deleted here. Copies in the cloud stay."
    qtbot.waitUntil(lambda: shown(filled) == [HANDLES[0], *HANDLES[2:]])
    assert [one.handle for one in filled.history.list.chosen()] == [HANDLES[2]], "the next one is where it was"


def test_the_cloud_is_deleted_from_on_request_only(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    delete_and_wait(filled, qtbot, SHIFT)
    assert changes(requests) == [("set_aside", [HANDLES[1]], False, False)]
    assert filled.history.undo.words.text() == "“caring-king-1” deleted, here and in the cloud."


def test_the_practice_partner_s_copy_is_on_this_computer_and_goes_with_it(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.stored = [make_conversation(0, sync=SyncState.SYNCED)]
    window.show_snapshot(Snapshot(store_revision=1))
    qtbot.waitUntil(lambda: len(window.history.model.conversations) == 1)
    rows = window.history.list
    rows.setFocus()
    rows.choose(row_of(window, 0))
    rows.show_menu(rows.currentIndex(), QPoint(5, 5))
    assert "Delete here and in the cloud" not in actions(rows.menu)
    rows.menu.close()
    requests.asked.clear()
    delete_and_wait(window, qtbot)
    assert changes(requests) == [("set_aside", [HANDLES[0]], False, False)]
    assert window.history.undo.words.text() == "“caring-king-0” deleted."


def test_what_was_never_in_the_cloud_is_deleted_without_a_word_about_it(filled: MainWindow, qtbot: QtBot) -> None:
    rows = filled.history.list
    rows.choose(row_of(filled, 3))
    rows.show_menu(rows.currentIndex(), QPoint(5, 5))
    assert "Delete here and in the cloud" not in actions(rows.menu)
    trigger(rows.menu, "Delete")
    qtbot.waitUntil(filled.history.undo.isVisible)
    assert filled.history.undo.words.text() == "“caring-king-3” deleted."


@pytest.mark.parametrize("by_key", [True, False])
def test_a_deletion_is_undone(filled: MainWindow, qtbot: QtBot, requests: CannedRequests, by_key: bool) -> None:
    delete_and_wait(filled, qtbot)
    qtbot.waitUntil(lambda: len(shown(filled)) == 3)
    if by_key:
        qtbot.keyClick(filled.history.list, Qt.Key.Key_Z, CONTROL)
    else:
        qtbot.mouseClick(filled.history.undo.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown(filled) == HANDLES)
    assert changes(requests)[1:] == [("bring_back", (HANDLES[1],))]
    assert filled.history.sync.words.text() == "1 conversation brought back."
    assert not filled.history.undo.isVisible()
    qtbot.keyClick(filled.history.list, Qt.Key.Key_Z, CONTROL)
    assert len(changes(requests)) == 2, "once"


def test_too_late_is_said(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    delete_and_wait(filled, qtbot)
    requests.aside = []
    filled.history.undo.undo()
    qtbot.waitUntil(lambda: filled.history.sync.words.text() == "It is too late to bring that back.")


def test_the_way_back_goes_after_a_while(filled: MainWindow, qtbot: QtBot) -> None:
    filled.history.undo._fading.setInterval(1)
    qtbot.keyClick(filled.history.list, DELETE)
    qtbot.waitUntil(lambda: len(shown(filled)) == 3)
    qtbot.waitUntil(lambda: filled.history.undo._undo is None and not filled.history.undo.isVisible())


def test_a_deletion_that_fails_says_why(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.error = LOCKED
    qtbot.keyClick(filled.history.list, DELETE)
    qtbot.waitUntil(lambda: filled.history.sync.words.text() == "The store is locked. Try again. (ND-STORE-01)")
    assert not filled.history.undo.isVisible()


# --- several at once ---


def test_several_are_starred_and_deleted_together(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    rows = filled.history.list
    qtbot.keyClick(rows, Qt.Key.Key_Down, SHIFT)
    assert [one.handle for one in rows.chosen()] == HANDLES[1:3]
    rows.show_menu(rows.currentIndex(), QPoint(5, 5))
    assert "Open" not in actions(rows.menu)
    assert "2 conversations" in actions(rows.menu)
    trigger(rows.menu, "Star")
    qtbot.waitUntil(lambda: changes(requests) == [("star", handle, True) for handle in HANDLES[1:3]])
    qtbot.waitUntil(lambda: all(one.starred for one in rows.chosen()))
    assert [one.handle for one in rows.chosen()] == HANDLES[1:3], "the selection outlives a change"
    delete_and_wait(filled, qtbot)
    assert changes(requests)[-1] == ("set_aside", HANDLES[1:3], False, True)
    assert filled.history.undo.words.text() == "2 conversations deleted here. Copies in the cloud stay."


def test_a_click_with_a_modifier_selects_and_opens_nothing(filled: MainWindow, qtbot: QtBot, intents: object) -> None:
    rows = filled.history.list
    where = rows.visualRect(filled.history.model.index(row_of(filled, 2))).center()
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, CONTROL, where)
    assert [one.handle for one in rows.chosen()] == HANDLES[1:3]
    assert intents.take() == []  # type: ignore[attr-defined]


# --- clear all ---


def clear(window: MainWindow, qtbot: QtBot) -> ClearDialog:
    qtbot.mouseClick(window.history.more, Qt.MouseButton.LeftButton)
    trigger(window.history.menu, "Delete all…")
    qtbot.waitUntil(lambda: window.history.actions_on.dialog is not None)
    dialog = window.history.actions_on.dialog
    assert isinstance(dialog, ClearDialog)
    return dialog


def test_all_go_after_a_question_and_come_back(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    dialog = clear(filled, qtbot)
    assert dialog.keep_starred.text().replace("&", "") == "Keep the one with a star"
    assert (dialog.keep_starred.isChecked(), dialog.remotely.isChecked()) == (True, False)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    drain()
    assert changes(requests) == []
    dialog = clear(filled, qtbot)
    dialog.keep_starred.setChecked(False)
    dialog.remotely.setChecked(True)
    qtbot.mouseClick(dialog.do, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(filled.history.undo.isVisible)
    assert changes(requests) == [("set_aside", None, False, False)]
    assert filled.history.undo.words.text() == "4 conversations deleted, here and in the cloud."
    qtbot.waitUntil(lambda: shown(filled) == [])
    filled.history.undo.undo()
    qtbot.waitUntil(lambda: shown(filled) == HANDLES)


def test_stars_are_kept_unless_that_is_unwanted(filled: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    qtbot.mouseClick(clear(filled, qtbot).do, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown(filled) == [HANDLES[3]])
    assert changes(requests) == [("set_aside", None, True, True)]


# --- filters ---


def test_filters_narrow_the_list_and_go_with_their_bar(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    history = filled.history
    qtbot.keyClick(filled, Qt.Key.Key_F, CONTROL | SHIFT)
    assert history.filters.starred.hasFocus()
    qtbot.keyClick(history.filters.starred, Qt.Key.Key_Backtab)
    assert history.filter.hasFocus()
    history.filters.where.setFocus()
    qtbot.keyClick(history.filters.where, Qt.Key.Key_Tab)
    assert history.list.hasFocus()
    history.filters.starred.click()
    qtbot.waitUntil(lambda: shown(filled) == [HANDLES[3]])
    history.search.setText("king")
    qtbot.waitUntil(lambda: ("search", "king", Filter(starred=True)) in requests.asked)
    history.filters.interrupted.click()
    qtbot.waitUntil(lambda: ("search", "king", Filter(starred=True, interrupted=True)) in requests.asked)
    history.search.setText("nobody")
    qtbot.waitUntil(lambda: history.note.text() == "Nothing found")
    history.search.clear()
    qtbot.mouseClick(history.filter, Qt.MouseButton.LeftButton)
    assert not history.filters.isVisible()
    qtbot.waitUntil(lambda: shown(filled) == HANDLES)


def entries(choice: QComboBox) -> list[str]:
    return [choice.itemText(place) for place in range(choice.count())]


def test_filters_offer_the_voices_and_tools_that_there_are(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    history = filled.history
    history.show_filters()
    qtbot.waitUntil(lambda: ("choices",) in requests.asked)
    drain()
    assert not history.filters.voice.isVisible()
    assert not history.filters.tool.isVisible()
    requests.offered = Choices(voices=("amy", "tina"), tools=("current_time", "sums"))
    filled.show_snapshot(Snapshot(store_revision=2))
    qtbot.waitUntil(history.filters.voice.isVisible)
    assert entries(history.filters.voice) == ["Any voice", "amy", "tina"]
    assert entries(history.filters.tool) == ["Any tool", "Date and time", "sums"]
    assert [one.accessibleName() for one in (history.filters.voice, history.filters.tool)] == ["Voice", "Tool"]
    for widget in (history.filters.where, history.filters.voice, history.filters.tool):
        widget.setFocus()
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    assert history.list.hasFocus()
    qtbot.keyClick(history.filters.voice, Qt.Key.Key_Down)
    qtbot.keyClick(history.filters.tool, Qt.Key.Key_Down)
    history.search.setText("king")
    qtbot.waitUntil(lambda: ("search", "king", Filter(voice="amy", tool="current_time")) in requests.asked)
    history.filter.click()
    assert history.filters.wanted() == Filter()


def test_a_voice_that_is_chosen_stays_when_nothing_of_it_is_left(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    bar = filled.history.filters
    requests.offered = Choices(voices=("amy", "tina"))
    filled.history.show_filters()
    qtbot.waitUntil(bar.voice.isVisible)
    bar.voice.setCurrentIndex(2)
    wanted = []
    bar.changed.connect(wanted.append)
    bar.offer(Choices(voices=("lupe",)))
    assert (entries(bar.voice), bar.voice.currentText()) == (["Any voice", "lupe", "tina"], "tina")
    bar.offer(Choices())
    assert bar.voice.isVisible()
    assert (bar.wanted(), wanted) == (Filter(voice="tina"), [])
    bar.voice.setCurrentIndex(0)
    bar.offer(Choices())
    assert not bar.voice.isVisible()
    assert wanted == [Filter()]


def test_filters_stay_as_they_are_when_the_history_cannot_be_read(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.error = LOCKED
    filled.history.show_filters()
    qtbot.waitUntil(lambda: ("choices",) in requests.asked)
    drain()
    assert entries(filled.history.filters.voice) == ["Any voice"]


def begin_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day).astimezone().timestamp() * 1000)


def test_filters_say_whole_local_days(qapp: object) -> None:
    bar = FilterBar(Theme())
    bar.where.setCurrentIndex(bar.where.findData(BackendKind.BEDROCK))
    bar.when.setCurrentIndex(bar.when.findData(Span.TODAY))
    assert bar.wanted() == Filter(backend=BackendKind.BEDROCK, since_ms=begin_ms(date.today()))
    bar.when.setCurrentIndex(bar.when.findData(Span.CHOSEN))
    bar.first.setDate(QDate(2026, 3, 29))
    bar.last.setDate(QDate(2026, 3, 28))
    wanted = bar.wanted()
    assert (wanted.since_ms, wanted.until_ms) == (begin_ms(date(2026, 3, 28)), begin_ms(date(2026, 3, 30)))
    bar.clear()
    assert bar.wanted() == Filter()
    bar.deleteLater()


# --- retention ---


def test_how_long_conversations_are_kept_is_said_and_used(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    assert not filled.history.kept.isVisible()
    filled.settings.store(Settings(history=HistorySettings(keep_days=30, delete_remotely=True)))
    qtbot.waitUntil(lambda: changes(requests) == [("keep", 30, True)])
    assert filled.history.kept.text() == "Kept for 30 days after the last turn, with a star for ever"
    assert filled.history.kept.isVisible()
    filled.show_snapshot(Snapshot(store_revision=1, history_note="3 conversations older than 30 days deleted."))
    assert filled.history.sync.words.text() == "3 conversations older than 30 days deleted."


# --- export ---


def export_dialog(window: MainWindow, qtbot: QtBot) -> ExportDialog:
    qtbot.waitUntil(lambda: window.history.actions_on.dialog is not None)
    dialog = window.history.actions_on.dialog
    assert isinstance(dialog, ExportDialog)
    return dialog


def choose_place(dialog: ExportDialog, qtbot: QtBot, place: Path) -> str:
    """Choose a place as the file dialog tells it; return the name that was proposed."""
    qtbot.mouseClick(dialog.go, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.chooser is not None)
    assert dialog.chooser is not None
    (proposed,) = dialog.chooser.selectedFiles()
    chooser = dialog.chooser
    chooser.fileSelected.emit(str(place))
    chooser.reject()
    drain()
    return Path(proposed).name


def test_one_conversation_is_exported_by_key(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests, tmp_path: Path
) -> None:
    qtbot.keyClick(filled.history.list, Qt.Key.Key_E, CONTROL | SHIFT)
    dialog = export_dialog(filled, qtbot)
    assert dialog.what.text() == "“caring-king-1”"
    assert not dialog.packing.isVisible()
    dialog.form.setCurrentIndex(dialog.form.findData(Format.PAGE))
    assert dialog.about.text() == "One page that needs no network, to read, print or send."
    assert choose_place(dialog, qtbot, tmp_path / "a.html") == "talk.txt"
    qtbot.waitUntil(lambda: dialog.said.text() == f"1 conversation written to {tmp_path / 'a.html'}.")
    asked = [
        ("export_name", [HANDLES[1]], Format.PAGE),
        ("export", [HANDLES[1]], Format.PAGE, tmp_path / "a.html", True),
    ]
    assert changes(requests) == asked
    assert dialog.show_it.isVisible()
    assert not dialog.go.isVisible()
    qtbot.mouseClick(dialog.close_button, Qt.MouseButton.LeftButton)
    drain()
    assert filled.history.actions_on.dialog is None
    assert filled.focusWidget() is filled.history.list


def test_all_are_exported_with_progress_and_a_way_to_stop(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests, tmp_path: Path
) -> None:
    requests.export_waits = asyncio.Event()
    qtbot.mouseClick(filled.history.more, Qt.MouseButton.LeftButton)
    trigger(filled.history.menu, "Export all…")
    dialog = export_dialog(filled, qtbot)
    assert choose_place(dialog, qtbot, tmp_path / "all.zip") == "talks.zip"
    qtbot.waitUntil(lambda: dialog.said.text() == "Writing 1 of 3")
    assert (dialog.bar.value(), dialog.bar.maximum(), dialog.bar.isVisible()) == (1, 3, True)
    assert changes(requests)[-1] == ("export", None, Format.TEXT, tmp_path / "all.zip", True)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: ("export cancelled",) in requests.asked)


def test_a_folder_never_takes_the_name_of_another(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests, tmp_path: Path
) -> None:
    (tmp_path / "talks").mkdir()
    filled.history.actions_on.export(HANDLES[:2])
    dialog = export_dialog(filled, qtbot)
    dialog.packing.setCurrentIndex(dialog.packing.findData(False))
    qtbot.mouseClick(dialog.go, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.chooser is not None)
    chooser = dialog.chooser
    assert chooser is not None
    assert chooser.fileMode() is QFileDialog.FileMode.Directory
    chooser.fileSelected.emit(str(tmp_path))
    chooser.reject()
    qtbot.waitUntil(lambda: changes(requests)[-1][0] == "export")
    assert changes(requests)[-1][3] == tmp_path / "talks (2)"


def test_an_export_that_fails_says_why_and_can_be_tried_again(
    filled: MainWindow, qtbot: QtBot, requests: CannedRequests, tmp_path: Path
) -> None:
    filled.history.actions_on.export(HANDLES[:1])
    dialog = export_dialog(filled, qtbot)
    requests.error = KnownError(Reason.BAD_INPUT, "The disk is full.", "Choose another place.")
    choose_place(dialog, qtbot, tmp_path / "a.txt")
    qtbot.waitUntil(lambda: dialog.said.text() == "The disk is full. Choose another place.")
    assert dialog.go.isVisible()
    assert dialog.go.isEnabled()
    assert not dialog.bar.isVisible()


def test_a_private_conversation_is_not_exported_and_that_is_said(filled: MainWindow, requests: CannedRequests) -> None:
    filled.history.search.setFocus()
    filled.show_snapshot(Snapshot(conversation=make_conversation(9, private=True), store_revision=1))
    filled.history.export_here()
    assert filled.conversation.passing.text() == "A private conversation is kept nowhere. Copy it instead."
    assert changes(requests) == []
