"""Where windows lie: on the screen, and where they were last time."""

from pathlib import Path

from PySide6.QtCore import QRect
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from novadesk.ui import placement


def room() -> QRect:
    """Return what the screen has for windows."""
    return QGuiApplication.primaryScreen().availableGeometry()


def test_no_window_is_larger_than_its_screen(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    placement.fit(window, 300, room().height() * 2)
    assert window.width() == 300
    assert room().height() * 0.9 < window.height() < room().height()


def test_a_window_comes_back_where_it_was(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "window.place"
    before, after = QWidget(), QWidget()
    for window in (before, after):
        qtbot.addWidget(window)
    before.setGeometry(40, 60, 320, 240)
    before.show()
    placement.keep(before, file)
    placement.put_back(after, file)
    assert after.geometry() == before.geometry()
    assert file.stat().st_mode & 0o077 == 0


def test_a_place_that_makes_no_sense_or_takes_no_file_costs_nothing_else(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "window.place"
    file.write_bytes(b"\x01\xd9\xd0\xcb nonsense")
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(room().width() * 2, 240)
    placement.put_back(window, file)
    assert (window.width() < room().width(), window.height()) == (True, 240)
    placement.keep(window, tmp_path / "nowhere" / "window.place")
