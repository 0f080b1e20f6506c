"""Every window by keyboard: Tab reaches each control, is never trapped, and comes back to where it began."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QMenu,
    QPlainTextEdit,
    QRadioButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from novadesk.config import Settings
from novadesk.ui.bridge import Bridge
from novadesk.ui.main_window import MainWindow
from novadesk.ui.preview_core import PreviewSteps
from novadesk.ui.preview_scenes import make_conversations, scenes
from novadesk.ui.theme import Scheme
from tests.ui.conftest import CannedRequests, RecordedIntents, drain
from tests.ui.windows import DIALOGS, MENUS, beside, close_all

MOST_STOPS = 250
NOW_MS = 1_760_000_000_000


def stops(top: QWidget) -> set[QWidget]:
    """Return what Tab has to reach; of radio buttons only the chosen one, the others are reached with arrows."""
    found = set()
    for widget in top.findChildren(QWidget):
        tabbed = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None
        inner = isinstance(widget.parent(), QAbstractSpinBox | QComboBox)
        aside = isinstance(widget, QRadioButton) and not widget.isChecked()
        if tabbed and not inner and not aside and widget.window() is top and widget.isEnabled() and widget.isVisible():
            found.add(widget)
    return found


def walk(top: QWidget, qtbot: QtBot) -> set[QWidget]:
    """Press Tab until the focus is where it was before, and return where it has been."""
    top.activateWindow()
    qtbot.waitUntil(top.isActiveWindow)
    if QApplication.focusWidget() is None:
        qtbot.keyClick(top, Qt.Key.Key_Tab)
    been: list[QWidget] = []
    for _ in range(MOST_STOPS):
        focus = QApplication.focusWidget()
        assert focus is not None
        assert focus.window() is top, f"Tab left {top.windowTitle()}"
        if focus in been:
            assert focus is been[0], f"Tab is trapped at {focus.objectName() or type(focus).__name__}"
            return set(been)
        been.append(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    raise AssertionError("Tab never comes back")


@pytest.fixture
def window(qtbot: QtBot, bridge: Bridge, intents: RecordedIntents, requests: CannedRequests) -> Iterator[MainWindow]:
    steps = PreviewSteps()
    requests.stored = list(make_conversations(NOW_MS))
    made = MainWindow(bridge, intents, requests, Settings(), lambda _: None, scheme=Scheme.LIGHT, steps=steps)
    with qtbot.waitExposed(made):
        made.show()
    made.show_snapshot(scenes(NOW_MS)["ready"])
    drain()
    yield made
    made.finish()
    made.deleteLater()
    drain()


def called(widget: QWidget) -> str:
    """Return what a screen reader calls a control."""
    return QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)


@pytest.mark.parametrize("name", DIALOGS)
def test_every_window_is_walked_with_tab_named_and_closed_with_escape(
    window: MainWindow, qtbot: QtBot, name: str
) -> None:
    DIALOGS[name](window)
    qtbot.waitUntil(lambda: bool(beside(window)))
    drain()
    top = next(one for one in reversed(beside(window)) if QApplication.activeModalWidget() in (None, one))
    there: set[QWidget] = set()
    while there != (there := stops(top)):  # an answer that comes meanwhile lets more be done
        reached = walk(top, qtbot)
    assert [called(one) or type(one).__name__ for one in there - reached] == []
    assert [one.objectName() or type(one).__name__ for one in reached if not called(one)] == []
    for editor in top.findChildren(QPlainTextEdit):
        assert editor.tabChangesFocus() or editor.isReadOnly()
    qtbot.keyClick(QApplication.focusWidget() or top, Qt.Key.Key_Escape)
    assert not top.isVisible()
    close_all(window)


@pytest.mark.parametrize("name", MENUS)
def test_every_menu_is_called_something_and_closed_with_escape(window: MainWindow, qtbot: QtBot, name: str) -> None:
    qtbot.waitUntil(lambda: window.history.model.rowCount() > 0)
    MENUS[name](window)
    (menu,) = beside(window)
    assert isinstance(menu, QMenu)
    assert called(menu)
    assert [action for action in menu.actions() if not action.isSeparator() and not action.text()] == []
    assert name in ("all", "tray") or any("\t" in action.text() for action in menu.actions())
    qtbot.keyClick(menu, Qt.Key.Key_Escape)
    assert not menu.isVisible()
    drain()
