"""A crash report in the window: read, copied, saved, and shown once; "Restart" ends the program to start it again."""

import asyncio
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from novadesk.app.crash import CrashKeeper
from novadesk.app.crashscreen import CrashScreen
from novadesk.config import Settings
from novadesk.conversation.api import Snapshot
from novadesk.paths import find_folders
from novadesk.ui.main_window import MainWindow
from tests.ui.conftest import drain

REPORT = "NovaDesk crash report\nwhere: core thread\n"


@pytest.fixture
def keeper(tmp_path: Path) -> CrashKeeper:
    return CrashKeeper(find_folders(home=str(tmp_path)), Settings())


@pytest.fixture
def left() -> list[bool]:
    return []


@pytest.fixture
def screen(
    keeper: CrashKeeper, window: MainWindow, core_loop: asyncio.AbstractEventLoop, left: list[bool]
) -> CrashScreen:
    return CrashScreen(keeper, core_loop, window.theme, lambda: left.append(True))


def test_the_fault_of_last_time_is_shown_once(
    screen: CrashScreen, keeper: CrashKeeper, window: MainWindow, qtbot: QtBot
) -> None:
    keeper.files.write("older", "2026-01")
    keeper.files.write(REPORT, "2027-01")
    screen.open(window)
    dialog = screen.dialog
    assert dialog is not None
    assert not dialog.isModal()
    assert dialog.preview.toPlainText() == REPORT
    assert "last time" in dialog.heading.text()
    assert not dialog.restart.isVisible()
    QTest.mouseClick(dialog.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == REPORT
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    drain()
    assert keeper.files.unseen() == []
    screen.open(window)
    assert screen.dialog is None


def test_it_can_be_saved_and_a_place_that_does_not_take_it_is_said(
    screen: CrashScreen, keeper: CrashKeeper, window: MainWindow, tmp_path: Path
) -> None:
    screen.open(window)
    screen.show(keeper.files.write(REPORT, "2027-01"))
    dialog = screen.dialog
    assert dialog is not None
    dialog.save_to(str(tmp_path / "mine.txt"))
    assert (tmp_path / "mine.txt").read_text() == REPORT
    dialog.save_to(str(tmp_path / "nowhere" / "mine.txt"))
    assert "Choose another place" in dialog.note.text()
    screen.close()
    drain()


def test_a_fault_of_this_run_offers_a_new_start(
    screen: CrashScreen, keeper: CrashKeeper, window: MainWindow, left: list[bool], qtbot: QtBot
) -> None:
    screen.open(window)
    screen.show(keeper.files.write(REPORT, "2027-01"))
    dialog = screen.dialog
    assert dialog is not None
    qtbot.waitUntil(dialog.restart.isVisible)
    QTest.mouseClick(dialog.restart, Qt.MouseButton.LeftButton)
    assert (left, screen.restart) == ([True], True)
    screen.close()
    drain()


def test_a_new_start_asks_before_turns_are_lost(
    screen: CrashScreen, keeper: CrashKeeper, window: MainWindow, left: list[bool]
) -> None:
    screen.open(window)
    screen.show(keeper.files.write(REPORT, "2027-01"))
    assert screen.dialog is not None
    window.show_snapshot(Snapshot(unsaved=2))
    screen.dialog.restart.click()
    assert window.question is not None
    window.question.defaultButton().click()
    drain()
    assert (left, screen.restart) == ([], False)
    screen.dialog.restart.click()
    next(button for button in window.question.buttons() if button.text() == "Quit").click()
    drain()
    assert (left, screen.restart) == ([True], True)
    screen.close()
    drain()
