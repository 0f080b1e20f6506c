"""The fields of the settings: what is written in them is used, whatever else changes meanwhile."""

from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from novadesk.chord import parse_chord
from novadesk.config import AudioSettings, SessionSettings, Settings, TalkSettings, VoiceSettings, WindowSettings
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.ui.main_window import MainWindow
from novadesk.ui.setting_fields import FreeField, KeysField, LinesField, ShareField
from novadesk.ui.setting_rows import Page
from novadesk.ui.settings_window import SettingsWindow
from tests.ui.conftest import drain
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


def test_what_is_refused_stays_to_be_mended_with_the_reason_until_it_is(opened: SettingsWindow) -> None:
    opened.edit(the_row("backend.kind"), BackendKind.BEDROCK)
    view = view_of(opened, "backend.region")
    assert isinstance(view.field, FreeField)
    view.field.combo.setCurrentText("the moon")
    view.field.commit()
    words = view.note.text()
    assert "the moon" in words
    opened.edit(the_row("audio.cue_volume"), 0.2)
    assert (view.field.combo.currentText(), view.note.text()) == ("the moon", words)
    assert view.note.bad
    view.field.combo.setCurrentText("us-east-1")  # as it was
    view.field.commit()
    assert "moon" not in view.note.text()
    assert not view.note.bad


def test_a_key_that_is_refused_is_not_shown_as_if_it_were_set(opened: SettingsWindow, window: MainWindow) -> None:
    def refuse(_settings: Settings) -> None:
        raise KnownError(Reason.BAD_SETTINGS, "F8 talks already.", "Choose another key.")

    window.settings._save = refuse
    view = view_of(opened, "talk.mute_key")
    assert isinstance(view.field, KeysField)
    view.field.list.put(parse_chord("f8"))
    assert view.field.list.keys == ""
    assert view.note.text() == "F8 talks already. Choose another key. (ND-SET-01)"


def test_who_looks_at_every_section_and_closes_the_window_changes_nothing(
    window: MainWindow, saved: list[Settings]
) -> None:
    window.settings.now = Settings(
        audio=AudioSettings(microphone="ALSA: Gone", volume=0.123, cue_volume=0.337),
        voice=VoiceSettings(voice=" amy", prompt="Be brief.\n", temperature=0.123, max_tokens=200_000),
        session=SessionSettings(idle_s=89.0),
        talk=TalkSettings(key="f9,  right_ctrl", max_talk_s=12.5),
        window=WindowSettings(font_scale=1.234, language="xx"),
    )
    window.show_settings()
    opened = window.door.window
    assert opened is not None
    for page in Page:
        opened.sidebar.choose(page)
    opened.close()
    drain()
    assert saved == []
