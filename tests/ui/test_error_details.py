"""Errors that dialogs tell: each with its code, and a button that copies its details, by keyboard and by name."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from novadesk.config import Settings
from novadesk.errors import KnownError, Reason
from novadesk.ui.bridge import Bridge
from novadesk.ui.main_window import MainWindow
from novadesk.ui.note import Note
from novadesk.ui.preview_core import PreviewSteps
from novadesk.ui.preview_scenes import make_conversations, scenes
from novadesk.ui.theme import Scheme, Theme
from tests.ui.conftest import CannedRequests, RecordedIntents, drain
from tests.ui.windows import DIALOGS, LATE, beside, close_all

NOW_MS = 1_760_000_000_000
FULL = KnownError(Reason.DISK_FULL, "The disk is full.", "Make room.")
SILENT = {"import", "failed start", "about", "keys", "form of a scenario", "change", "clear", "crash"}
"""They ask nobody: what fails there is told where it was asked for, or is all that they tell."""


@pytest.fixture
def window(qtbot: QtBot, bridge: Bridge, intents: RecordedIntents, requests: CannedRequests) -> Iterator[MainWindow]:
    requests.stored = list(make_conversations(NOW_MS))
    steps = PreviewSteps()
    made = MainWindow(bridge, intents, requests, Settings(), lambda _: None, scheme=Scheme.LIGHT, steps=steps)
    with qtbot.waitExposed(made):
        made.show()
    made.show_snapshot(scenes(NOW_MS)["ready"])
    drain()
    yield made
    made.finish()
    made.deleteLater()
    drain()


def reached_with_tab(stop: QWidget, qtbot: QtBot) -> bool:
    """Leave a control backwards and come back to it as the keyboard does."""
    stop.setFocus()
    qtbot.keyClick(stop, Qt.Key.Key_Backtab)
    before = QApplication.focusWidget()
    assert before is not None
    assert before is not stop
    qtbot.keyClick(before, Qt.Key.Key_Tab)
    return QApplication.focusWidget() is stop


@pytest.mark.parametrize("name", DIALOGS)
def test_every_dialog_that_tells_an_error_has_its_details_to_copy(window: MainWindow, qtbot: QtBot, name: str) -> None:
    clipboard = QGuiApplication.clipboard()
    DIALOGS[name](window)
    qtbot.waitUntil(lambda: bool(beside(window)))
    drain()
    top = next(one for one in reversed(beside(window)) if QApplication.activeModalWidget() in (None, one))
    notes = [note for note in top.findChildren(Note) if note.window() is top]
    assert bool(notes) is (name not in SILENT)
    top.activateWindow()
    qtbot.waitUntil(top.isActiveWindow)
    seen = 0
    for note in notes:
        note.tell(FULL)
        if not note.isVisible():
            continue  # on a page that is not shown
        assert note.text() == "The disk is full. Make room. (ND-STORE-03)"
        assert note.copy.isVisible()
        assert (
            QAccessible.queryAccessibleInterface(note.copy).text(QAccessible.Text.Name) == "Copy details of the error"
        )
        assert reached_with_tab(note.copy, qtbot)
        clipboard.setText("before")
        qtbot.keyClick(note.copy, Qt.Key.Key_Space)
        assert "ND-STORE-03" in clipboard.text()
        assert "The disk is full. Make room." in clipboard.text()
        note.say("All is well.")
        assert not note.copy.isVisible()
        seen += 1
    assert bool(seen) is (name not in SILENT | {"inspector"})
    close_all(window)


def test_what_a_person_can_correct_has_no_details(qtbot: QtBot) -> None:
    note = Note(Theme(Scheme.LIGHT))
    qtbot.addWidget(note)
    note.tell(KnownError(Reason.BAD_INPUT, "A turn needs words.", "Write some."))
    assert (note.text(), note.bad, note.copy.isHidden()) == ("A turn needs words. Write some.", True, True)
    note.tell(LATE)
    assert (note.bad, note.copy.isHidden()) == (True, False)
    note.say("")
    assert (note.isHidden(), note.bad, note.copy.isHidden()) == (True, False, True)


def test_a_real_failure_comes_with_its_details(window: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.error = FULL
    DIALOGS["bundle"](window)
    assert window.beside.diagnostics is not None
    told = window.beside.diagnostics.note
    qtbot.waitUntil(lambda: told.copy.error is not None)
    told.copy.click()
    assert "store: " in QGuiApplication.clipboard().text()
    close_all(window)
