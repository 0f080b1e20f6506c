"""Every window by keyboard: Tab reaches each control, is never trapped, and comes back to where it began."""

from operator import attrgetter

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QPlainTextEdit, QRadioButton, QWidget
from pytestqt.qtbot import QtBot

from novadesk.ui.main_window import MainWindow
from novadesk.ui.preview_scenes import scenes
from tests.ui.conftest import drain

MOST_STOPS = 250


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


@pytest.mark.parametrize(
    "way", ["show_settings", "show_about", "show_keys", "beside.show_diagnostics", "show_sound_settings"]
)
def test_tab_reaches_every_control_of_a_window(window: MainWindow, qtbot: QtBot, way: str) -> None:
    window.show_snapshot(scenes(1_760_000_000_000)["ready"])
    attrgetter(way)(window)()
    drain()
    (top,) = [one for one in QApplication.topLevelWidgets() if one.isVisible() and one is not window]
    missed = stops(top) - walk(top, qtbot)
    assert [one.objectName() or type(one).__name__ for one in missed] == []
    for editor in top.findChildren(QPlainTextEdit):
        assert editor.tabChangesFocus() or editor.isReadOnly()
    top.close()
    drain()
