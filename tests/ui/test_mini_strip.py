"""The mini strip: the same state as the window, in front of other windows, without ever taking the focus."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from novadesk.config import WindowSettings
from novadesk.conversation.api import ErrorNote, LiveText, MicrophoneState, Phase, Snapshot
from novadesk.models import Role
from novadesk.ui.bridge import Bridge
from novadesk.ui.main_window import MainWindow
from novadesk.ui.mini_strip import MiniStrip, last_words
from novadesk.ui.preview_scenes import make_turns
from novadesk.ui.states import state_words
from novadesk.ui.theme import Scheme, Theme
from novadesk.ui.tokens import TEXT_CONTRAST, contrast
from tests.ui.conftest import RecordedIntents, drain

TURNS = make_turns(4, handle="h", now_ms=1_760_000_000_000)
OPEN = Snapshot(phase=Phase.LISTENING, microphone=MicrophoneState.OPEN, microphone_level=0.05, turns=TURNS)
LOST = ErrorNote(layer="network", reason="network.link_lost", what="Connection lost.", advice="Wait.")


@pytest.fixture
def strip(window: MainWindow, qtbot: QtBot) -> MiniStrip:
    window.background.toggle_strip()
    shown = window.background.strip
    assert shown is not None
    qtbot.waitUntil(shown.isVisible)
    return shown


def called(widget: QWidget) -> str:
    return QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("microphone", MicrophoneState)
def test_it_says_the_window_s_state(
    window: MainWindow, strip: MiniStrip, phase: Phase, microphone: MicrophoneState
) -> None:
    snapshot = Snapshot(phase=phase, microphone=microphone)
    window.show_snapshot(snapshot)
    assert strip.state.shape.shape_name == window.header.state.shape.shape_name
    assert strip.state.words == state_words(snapshot, None, short=True)


def test_its_buttons_do_what_they_say(strip: MiniStrip, window: MainWindow, intents: RecordedIntents) -> None:
    window.show_snapshot(OPEN)
    assert not strip.stop.isEnabled()
    strip.mute.click()
    window.show_snapshot(replace(OPEN, microphone=MicrophoneState.MUTED, muted=True, phase=Phase.SPEAKING))
    assert called(strip.mute) == "Unmute"
    strip.mute.click()
    strip.stop.click()
    assert intents.take() == [("set_muted", True), ("set_muted", False), ("stop_speaking",)]
    assert [called(one) for one in (strip, strip.mute, strip.stop, strip.back, strip.meter)] == [
        "Mini strip", "Unmute", "Stop the answer", "Back to the window", "Microphone level",
    ]  # fmt: skip


def test_the_level_is_that_of_the_open_microphone(strip: MiniStrip, bridge: Bridge) -> None:
    bridge.snapshot_changed.emit(OPEN)
    heard = strip.meter.full
    bridge.snapshot_changed.emit(replace(OPEN, microphone_level=0.2))
    assert 0 < heard < strip.meter.full
    bridge.snapshot_changed.emit(replace(OPEN, microphone=MicrophoneState.MUTED, muted=True))
    assert strip.meter.full == 0


def test_the_last_words_are_those_that_are_said_now_or_were_said_last_and_errors_come_first() -> None:
    live = (LiveText(role=Role.USER, spoken="Yes, he\nwants"), LiveText(role=Role.ASSISTANT, spoken="", planned="Good"))
    assert last_words(Snapshot()) == ""
    assert last_words(OPEN) == TURNS[-1].heard_text
    assert last_words(replace(OPEN, live=live)) == "Yes, he wants"
    assert last_words(replace(OPEN, live=live, error=LOST)) == "Connection lost."


def test_long_words_are_cut_at_their_beginning(strip: MiniStrip, window: MainWindow) -> None:
    spoken = f"It began long ago, {'and on it went, ' * 20}until today"
    window.show_snapshot(replace(OPEN, live=(LiveText(role=Role.ASSISTANT, spoken=spoken),)))
    assert strip.caption.text().startswith("…")
    assert strip.caption.text().endswith("until today")
    assert strip.caption.toolTip() == spoken


def test_it_never_takes_the_focus(window: MainWindow, qtbot: QtBot) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.panel.composer.field.setFocus()
    window.background.toggle_strip()
    strip = window.background.strip
    assert strip is not None
    drain()
    kind = Qt.WindowType
    for wanted in (kind.WindowDoesNotAcceptFocus, kind.WindowStaysOnTopHint, kind.FramelessWindowHint):
        assert strip.windowFlags() & wanted
    QTest.mouseClick(strip.mute, Qt.MouseButton.LeftButton)
    assert QApplication.activeWindow() is window
    assert QApplication.focusWidget() is window.panel.composer.field
    assert [one for one in strip.findChildren(QWidget) if one.focusPolicy() & Qt.FocusPolicy.ClickFocus] == []


def test_key_and_tray_show_it_and_take_it_away_and_it_leads_back(window: MainWindow, qtbot: QtBot) -> None:
    (key,) = (action for action in window.actions() if action.shortcut().toString() == "Ctrl+Shift+M")
    tray = window.background.tray
    key.trigger()
    strip = window.background.strip
    assert strip is not None
    assert (strip.isVisible(), tray.strip.isChecked()) == (True, True)
    tray.strip.trigger()
    assert (strip.isVisible(), tray.strip.isChecked()) == (False, False)
    tray.strip.trigger()
    window.hide()
    strip.back.click()
    assert (strip.isVisible(), window.isVisible(), tray.strip.isChecked()) == (False, True, False)


def test_it_lies_where_it_was_left_and_at_first_in_a_corner(qtbot: QtBot, tmp_path: Path) -> None:
    theme, file = Theme(Scheme.LIGHT), tmp_path / "strip.place"
    first, second = (MiniStrip(RecordedIntents(), theme, file) for _ in range(2))
    for one in (first, second):
        qtbot.addWidget(one)
    first.appear()
    room = QGuiApplication.primaryScreen().availableGeometry()
    assert room.contains(first.geometry())
    assert first.geometry().bottom() > room.height() * 0.8
    QTest.mousePress(first, Qt.MouseButton.LeftButton, pos=QPoint(4, 4))
    before = first.pos()
    QTest.mouseMove(first, QPoint(-96, -46))
    QTest.mouseRelease(first, Qt.MouseButton.LeftButton)
    assert first.pos() == before - QPoint(100, 50)
    first.hide()
    second.appear()
    assert second.geometry() == first.geometry()


@pytest.mark.parametrize("contrasting", [False, True])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_it_fits_at_every_size_and_contrast(qtbot: QtBot, scale: float, contrasting: bool) -> None:
    theme = Theme(Scheme.DARK, window=WindowSettings(font_scale=scale, high_contrast=contrasting, reduced_motion=True))
    strip = MiniStrip(RecordedIntents(), theme)
    qtbot.addWidget(strip)
    strip.appear()
    strip.show_snapshot(Snapshot(phase=Phase.TOOL, microphone=MicrophoneState.ABSENT, turns=TURNS))
    drain()
    parts = (strip.state, strip.caption, strip.meter, strip.mute, strip.stop, strip.back)
    places = [part.geometry() for part in parts]
    assert all(strip.rect().contains(place) for place in places)
    assert [(one, other) for one in places for other in places if one is not other and one.intersects(other)] == []
    assert all(part.height() >= part.minimumSizeHint().height() for part in parts)
    assert theme.still
    assert contrast(theme.palette.muted, theme.palette.surface) >= TEXT_CONTRAST


def test_it_goes_with_the_window(window: MainWindow, strip: MiniStrip) -> None:
    window.finish()
    assert not strip.isVisible()
    assert window.background.strip is None
