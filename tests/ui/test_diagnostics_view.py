"""The diagnostics window: what it shows, when it asks, and the report in the clipboard."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

from novadesk.conversation.api import Metric, Unit
from novadesk.errors import KnownError, Reason
from novadesk.ui.diagnostics_view import REFRESH_MS, DiagnosticsView
from novadesk.ui.main_window import MainWindow
from tests.ui.conftest import CannedRequests, drain

pytestmark = pytest.mark.qt_log_ignore(r"does not support raise\(\)")

BROKEN = KnownError(Reason.STORE_BROKEN, "The store is damaged.", "Put a backup there.")


def metric(value: float | None, *, samples: int = 42, alert: bool = False) -> Metric:
    return Metric(
        name="history_load_time",
        title="Time to a readable history",
        value=value,
        unit=Unit.SECONDS,
        samples=samples,
        threshold=2.0,
        alert=alert,
    )


@pytest.fixture
def view(window: MainWindow, qtbot: QtBot, requests: CannedRequests) -> DiagnosticsView:
    requests.measured = (metric(0.18),)
    requests.passed = ["  -1.00 s  ready", "   0.00 s  1 ← completionStart"]
    QTest.keyClick(window, Qt.Key.Key_F12)
    made = window.beside.diagnostics
    assert made is not None
    qtbot.waitUntil(lambda: made.events.toPlainText() != "")
    return made


def test_f12_shows_numbers_and_events(view: DiagnosticsView) -> None:
    assert view.isVisible()
    assert view.shown("history_load_time") == ("0.18 s", "alert above 2 s · 42 measured")
    assert view.events.toPlainText().splitlines() == ["  -1.00 s  ready", "   0.00 s  1 ← completionStart"]
    assert view.events.isReadOnly()


def test_the_sound_s_figures_come_with_the_devices_and_go_with_them(
    view: DiagnosticsView, qtbot: QtBot, requests: CannedRequests
) -> None:
    assert view.no_sound.isVisible()
    figure = Metric(name="capture_p99", title="Microphone to program", value=11.93, unit=Unit.MILLISECONDS, samples=1)
    requests.figures = (figure, replace(figure, name="drift", title="Clock drift", value=-38.2, unit=Unit.PPM))
    view.refresh()
    qtbot.waitUntil(lambda: not view.no_sound.isVisible())
    assert (view.shown("capture_p99")[0], view.shown("drift")[0]) == ("11.9 ms", "-38 ppm")
    assert view._figures["drift"].value.accessibleName() == "Clock drift: -38 ppm"
    requests.figures = ()
    view.refresh()
    qtbot.waitUntil(view.no_sound.isVisible)
    assert view.shown("drift")[0] == ""


def test_a_second_f12_brings_the_same_window(view: DiagnosticsView, window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_F12)
    assert window.beside.diagnostics is view


def test_the_details_lead_there(window: MainWindow, qtbot: QtBot) -> None:
    window.toggle_details()
    qtbot.mouseClick(window.details.diagnostics, Qt.MouseButton.LeftButton)
    assert window.beside.diagnostics is not None


def test_the_conversation_can_go_on_beside_it(view: DiagnosticsView) -> None:
    assert not view.isModal()


def test_an_alert_is_said_in_words_shape_and_colour(
    view: DiagnosticsView, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.measured = (metric(2.5, alert=True),)
    view.refresh()
    qtbot.waitUntil(lambda: view.shown("history_load_time")[0] == "2.50 s")
    assert view.shown("history_load_time")[1] == "Alert: above 2 s · 42 measured"
    row = view._rows["history_load_time"]
    assert row.sign.isVisible()
    assert row.judgement.property("bad") is True
    assert "Alert" in row.value.accessibleName()
    requests.measured = (metric(None, samples=0),)
    view.refresh()
    qtbot.waitUntil(lambda: view.shown("history_load_time")[0] == "–")
    assert not row.sign.isVisible()
    assert row.judgement.property("bad") is False


def test_it_asks_again_while_it_is_open_and_not_afterwards(
    view: DiagnosticsView, window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.asked.clear()
    asked = requests.asked
    qtbot.waitUntil(lambda: ("metrics",) in asked and asked[-1][0] == "events")
    view.close()
    drain()
    assert window.beside.diagnostics is None
    requests.asked.clear()
    qtbot.wait(REFRESH_MS + 300)
    assert not [asked for asked in requests.asked if asked[0] in ("metrics", "events")]


def fill(view: DiagnosticsView, requests: CannedRequests, count: int) -> None:
    requests.passed = [f"line {number}" for number in range(count)]
    view.refresh()


def test_the_newest_events_are_in_view(view: DiagnosticsView, qtbot: QtBot, requests: CannedRequests) -> None:
    bar = view.events.verticalScrollBar()
    for count in (150, 170):
        fill(view, requests, count)
        qtbot.waitUntil(lambda count=count: view.events.blockCount() == count)
        assert bar.maximum() > 0
        assert bar.value() == bar.maximum()
    view.resize(view.width(), view.height() - 80)  # as when the numbers come after the events
    qtbot.waitUntil(lambda: bar.value() == bar.maximum())


def test_what_a_person_reads_stays_where_it_is(view: DiagnosticsView, qtbot: QtBot, requests: CannedRequests) -> None:
    fill(view, requests, 150)
    qtbot.waitUntil(lambda: view.events.blockCount() == 150)
    bar = view.events.verticalScrollBar()
    bar.setValue(10)
    requests.asked.clear()
    fill(view, requests, 170)
    qtbot.waitUntil(lambda: ("metrics",) in requests.asked)
    view.refresh()
    qtbot.wait(50)
    assert (bar.value(), view.events.blockCount()) == (10, 150)
    bar.setValue(bar.maximum())
    fill(view, requests, 170)
    qtbot.waitUntil(lambda: view.events.blockCount() == 170)
    assert bar.value() == bar.maximum()


def test_the_report_goes_to_the_clipboard(view: DiagnosticsView, qtbot: QtBot) -> None:
    QGuiApplication.clipboard().setText("before")
    qtbot.mouseClick(view.copy, Qt.MouseButton.LeftButton)
    assert not view.copy.isEnabled()
    qtbot.waitUntil(view.copy.isEnabled)
    assert QGuiApplication.clipboard().text() == "NovaDesk report"
    assert "clipboard" in view.note.text()


def test_a_report_that_cannot_be_made_is_said(view: DiagnosticsView, qtbot: QtBot, requests: CannedRequests) -> None:
    QGuiApplication.clipboard().setText("before")
    requests.error = BROKEN
    qtbot.mouseClick(view.copy, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(view.copy.isEnabled)
    assert QGuiApplication.clipboard().text() == "before"
    assert view.note.text() == "The store is damaged. Put a backup there. (ND-STORE-02)"


def test_numbers_that_cannot_be_read_are_said_until_they_can(
    view: DiagnosticsView, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.error = BROKEN
    view.refresh()
    qtbot.waitUntil(lambda: "damaged" in view.note.text())
    requests.error = None
    view.refresh()
    qtbot.waitUntil(lambda: view.note.text() == "")


def test_escape_and_close_end_it(view: DiagnosticsView, window: MainWindow, qtbot: QtBot) -> None:
    QTest.keyClick(view, Qt.Key.Key_Escape)
    drain()
    assert window.beside.diagnostics is None
    window.beside.show_diagnostics()
    again = window.beside.diagnostics
    assert again is not None
    (box,) = again.findChildren(QDialogButtonBox)
    qtbot.mouseClick(box.button(QDialogButtonBox.StandardButton.Close), Qt.MouseButton.LeftButton)
    drain()
    assert window.beside.diagnostics is None


def test_the_end_of_the_window_is_its_end(view: DiagnosticsView, window: MainWindow) -> None:
    window.finish()
    drain()
    assert window.beside.diagnostics is None
