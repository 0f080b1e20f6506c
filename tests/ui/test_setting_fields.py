"""The fields of the settings: what is written in them is used, whatever else changes meanwhile."""

from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from novadesk.config import AudioSettings, Settings
from novadesk.ui.main_window import MainWindow
from novadesk.ui.setting_fields import LinesField, ShareField
from novadesk.ui.settings_window import SettingsWindow
from tests.ui.test_settings_window import the_row, view_of


@pytest.mark.parametrize(
    ("place", "other"),
    [
        ("practice.llm", "http://localhost:11434/v1"),
        ("voice.voice", "amy"),
        ("voice.prompt", "Be kind."),
        ("voice.max_tokens", 77),
    ],
)
def test_another_setting_can_change_between_any_two_keys_of_what_is_written(
    opened: SettingsWindow, qtbot: QtBot, place: str, other: Any
) -> None:
    view = view_of(opened, place)
    widget = view.field.stops[0]
    widget.setFocus()
    qtbot.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    for key in "88":
        opened.live.changed.emit()  # as when a voice that was chosen before comes into force
        qtbot.keyClick(widget, key)
    opened.live.changed.emit()
    view.field.commit()
    assert str(view.row.value(opened.live.now)) == "88"
    qtbot.keyClick(widget, "9")
    opened.edit(view.row, other)  # by an undo
    view.field.commit()
    assert view.row.value(opened.live.now) == other


@pytest.mark.parametrize("place", ["audio.cue_volume", "voice.prompt"])
def test_what_rests_is_written_while_the_window_stays_open(
    opened: SettingsWindow, qtbot: QtBot, saved: list[Settings], place: str
) -> None:
    field = view_of(opened, place).field
    assert isinstance(field, ShareField | LinesField)
    field._resting.setInterval(0)
    qtbot.keyClick(field.stops[0], Qt.Key.Key_End)
    qtbot.keyClick(field.stops[0], "1" if isinstance(field, LinesField) else Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: len(saved) == 1)
    assert saved == [opened.live.now]
    assert the_row(place).value(opened.live.now) != the_row(place).default


def test_the_volume_of_the_window_is_known_to_a_change_of_another_setting(
    opened: SettingsWindow, window: MainWindow, saved: list[Settings]
) -> None:
    window.panel.controls.volume.slider.setValue(30)
    opened.edit(the_row("audio.cue_volume"), 0.2)
    assert window.panel.controls.volume.volume == 0.3
    assert saved == [Settings(audio=AudioSettings(volume=0.3, cue_volume=0.2))]
    opened.live.keep_volume()
    assert len(saved) == 1
