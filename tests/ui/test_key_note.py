"""A talk key that other programs' windows keep to themselves: said in the main window at once, once."""

from dataclasses import replace

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from novadesk.config import Settings, TalkSettings
from novadesk.conversation.api import Snapshot
from novadesk.ui.main_window import MainWindow
from tests.ui.conftest import drain

DENIED = Snapshot(hotkey_note="The desktop was told not to give NovaDesk a key.")
DIED = Snapshot(hotkey_note="NovaDesk no longer hears the keys of the desktop.")


def shown(window: MainWindow, snapshot: Snapshot) -> str:
    window.show_snapshot(snapshot)
    note = window.panel.keys
    assert note.isVisible() is bool(note.words.text())
    return note.words.text()


def test_a_key_that_does_not_work_everywhere_is_said_and_leads_to_what_there_is_to_do(
    window: MainWindow, qtbot: QtBot
) -> None:
    assert shown(window, Snapshot(hotkeys=("f9",))) == ""
    assert shown(window, DENIED) == DENIED.hotkey_note
    qtbot.mouseClick(window.panel.keys.way_out, Qt.MouseButton.LeftButton)
    opened = window.door.window
    assert opened is not None
    assert opened.page.title.text() == "Talk key"
    opened.close()
    drain()
    assert shown(window, Snapshot(hotkeys=("f9",))) == ""


def test_who_closed_it_is_told_of_another_reason_only(window: MainWindow, qtbot: QtBot, saved: list[Settings]) -> None:
    assert shown(window, DENIED)
    qtbot.mouseClick(window.panel.keys.close_button, Qt.MouseButton.LeftButton)
    assert saved[-1].window.told_of_keys == DENIED.hotkey_note  # at the next start, too
    assert shown(window, DENIED) == ""
    assert shown(window, replace(DENIED, pending_sync=1)) == ""
    assert shown(window, DIED) == DIED.hotkey_note


def test_who_set_no_key_misses_none(window: MainWindow) -> None:
    window.settings.store(Settings(talk=TalkSettings(key="")))
    assert shown(window, DENIED) == ""
    window.settings.store(Settings(talk=TalkSettings(key="", mute_key="f8")))
    assert shown(window, DENIED) == DENIED.hotkey_note
