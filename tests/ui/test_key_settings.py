"""The keys among the settings: used at once, reset, tried, and found with how they stand."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from novadesk.chord import commands, parse_chord
from novadesk.conversation.api import Snapshot
from novadesk.ui.main_window import MainWindow
from novadesk.ui.setting_extras import TalkKeyRow
from novadesk.ui.setting_fields import KeysField
from novadesk.ui.setting_rows import Page, Row
from novadesk.ui.setting_table import row_of
from novadesk.ui.settings_window import SettingsWindow
from tests.ui.conftest import CannedRequests, drain


@pytest.fixture
def opened(window: MainWindow, qtbot: QtBot) -> Iterator[SettingsWindow]:
    window.show_settings("talk", "key")
    made = window.door.window
    assert made is not None
    with qtbot.waitExposed(made):
        pass
    yield made
    made.close()
    drain()


def talk_row() -> Row:
    row = row_of("talk", "key")
    assert row is not None
    return row


def test_keys_are_used_at_once_and_lead_back(
    opened: SettingsWindow, window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    view = opened.page.views[talk_row()]
    assert isinstance(view.field, KeysField)
    keys = view.field.list
    keys.put(parse_chord("right_ctrl"))
    assert opened.live.now.talk.key == "f9, right_ctrl"
    qtbot.waitUntil(lambda: ("use_talk", opened.live.now.talk) in requests.asked)
    assert not view.note.isVisible()
    assert not opened.using.isVisible()
    keys.take(parse_chord("f9"))
    assert window.keys.words == "Right Ctrl"
    assert view.reset.accessibleName() == "Reset “Talk keys” to F9"
    qtbot.mouseClick(view.reset, Qt.MouseButton.LeftButton)
    assert (keys.keys, window.keys.words) == ("f9", "F9")
    opened.undo()
    assert keys.keys == opened.live.now.talk.key == "right_ctrl"


def test_the_keys_that_are_set_are_tried_until_they_are_others(
    opened: SettingsWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    opened.edit(talk_row(), "f8")
    row = opened.page.extras[talk_row()]
    assert isinstance(row, TalkKeyRow)
    row.test.toggle()
    qtbot.waitUntil(lambda: ("try_keys", opened.live.now.talk) in requests.asked)
    opened.edit(talk_row(), "f7")
    qtbot.waitUntil(lambda: ("key test cancelled",) in requests.asked)
    assert not row.test.running


def test_how_the_keys_stand_is_found_with_them(opened: SettingsWindow, window: MainWindow) -> None:
    opened.sidebar.search.setText("wayland")
    row = opened.page.extras[talk_row()]
    assert isinstance(row, TalkKeyRow)
    assert row.isVisible()
    window._bridge.snapshot_changed.emit(Snapshot(hotkeys=("f9",)))
    assert row.standing.words.text() == "F9 talks in every window."
    opened.sidebar.search.setText("cough")
    assert opened.page.page is Page.TALK
    assert not row.isVisible()


def test_the_commands_to_bind_reach_the_novadesk_that_shows_them(
    opened: SettingsWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    row = TalkKeyRow(opened._theme, opened.live, opened._bridge, requests, opened._talking)
    qtbot.addWidget(row)
    qtbot.waitUntil(lambda: row.standing.copies[2].accessibleName() == "Copy command novadesk ctl talk toggle")
    requests.commands = commands(home="/srv/nova desk", profile="work")
    other = TalkKeyRow(opened._theme, opened.live, opened._bridge, requests, opened._talking)
    qtbot.addWidget(other)
    button, wanted = other.standing.copies[2], "novadesk --home '/srv/nova desk' --profile work ctl talk toggle"
    qtbot.waitUntil(lambda: button.accessibleName() == f"Copy command {wanted}")
    button.click()
    assert QGuiApplication.clipboard().text() == wanted
