"""The settings: what is edited is what is saved, wrong values stay in the dialog, restarts are said."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

from novadesk.config import AudioSettings, Settings, TalkModeSetting
from novadesk.conversation.api import TalkMode
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.ui.main_window import MainWindow
from novadesk.ui.settings_dialog import SettingsDialog, needs_restart
from tests.ui.conftest import CannedRequests, RecordedIntents, drain


@pytest.fixture
def dialog(window: MainWindow, qtbot: QtBot) -> Iterator[SettingsDialog]:
    window.show_settings()
    made = window.dialog
    assert isinstance(made, SettingsDialog)
    qtbot.waitUntil(lambda: made.microphone.count() == 3)
    yield made
    if window.dialog is not None:
        made.reject()
    drain()


def save(dialog: SettingsDialog, qtbot: QtBot) -> None:
    qtbot.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Save), Qt.MouseButton.LeftButton)


def test_nothing_edited_is_nothing_changed(dialog: SettingsDialog, qtbot: QtBot, saved: list[Settings]) -> None:
    assert dialog.edited() == Settings()
    save(dialog, qtbot)
    assert saved == [Settings()]


def test_edits_are_saved_and_the_window_goes_on_with_them(
    window: MainWindow, dialog: SettingsDialog, qtbot: QtBot, saved: list[Settings], intents: RecordedIntents
) -> None:
    dialog.backend.setCurrentIndex(dialog.backend.findData(BackendKind.BEDROCK.value))
    dialog.profile.setText(" work ")
    dialog.region.setCurrentText("eu-north-1")
    dialog.voice.setCurrentText("tiffany")
    dialog.microphone.setCurrentIndex(2)
    dialog.mode.setCurrentIndex(dialog.mode.findData(TalkModeSetting.HANDS_FREE.value))
    save(dialog, qtbot)
    settings = saved[0]
    assert (settings.backend.kind, settings.backend.profile) == (BackendKind.BEDROCK, "work")
    assert (settings.backend.region, settings.voice.voice) == ("eu-north-1", "tiffany")
    assert settings.audio.microphone == "Alsa: Mic B"
    assert intents.take() == [("set_talk_mode", TalkMode.HANDS_FREE)]
    assert window.dialog is None
    window.show_settings()
    again = window.dialog
    assert isinstance(again, SettingsDialog)
    assert again.edited() == settings
    again.reject()
    drain()


def test_a_wrong_value_keeps_the_dialog_and_says_why(
    window: MainWindow, dialog: SettingsDialog, qtbot: QtBot, saved: list[Settings]
) -> None:
    dialog.backend.setCurrentIndex(dialog.backend.findData(BackendKind.BEDROCK.value))
    dialog.region.setCurrentText("the moon")
    save(dialog, qtbot)
    assert saved == []
    assert window.dialog is dialog
    assert "not an AWS region" in dialog.note.text()


def test_a_store_that_refuses_is_said(dialog: SettingsDialog, qtbot: QtBot) -> None:
    def refuse(_settings: Settings) -> None:
        raise KnownError(Reason.DISK_FULL, "The disk is full.", "Make room.")

    dialog._save = refuse
    save(dialog, qtbot)
    assert dialog.isVisible()
    assert dialog.note.text() == "The disk is full. Make room."


def test_what_needs_a_restart_is_said_before_saving(dialog: SettingsDialog) -> None:
    assert not dialog.note.isVisible()
    dialog.key.setText("f8")
    dialog.voice.setCurrentText("amy")
    assert dialog.note.text() == "Used from the next start: voice, talk key."
    old = Settings()
    assert needs_restart(old, replace(old, talk=replace(old.talk, mode=TalkModeSetting.HANDS_FREE))) == ()


def test_fields_of_aws_are_off_for_the_practice_partner(dialog: SettingsDialog) -> None:
    assert not dialog.region.isEnabled()
    dialog.backend.setCurrentIndex(dialog.backend.findData(BackendKind.BEDROCK.value))
    assert dialog.region.isEnabled()


def test_a_chosen_device_that_is_unplugged_stays_chosen(window: MainWindow, qtbot: QtBot) -> None:
    window._settings = Settings(audio=AudioSettings(microphone="Alsa: Gone"))
    window.show_settings()
    dialog = window.dialog
    assert isinstance(dialog, SettingsDialog)
    qtbot.waitUntil(lambda: dialog.microphone.count() == 4)
    assert dialog.edited().audio.microphone == "Alsa: Gone"
    dialog.reject()
    drain()


def test_closed_before_the_devices_come_nothing_happens(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    window.show_settings()
    assert window.dialog is not None
    window.dialog.reject()
    drain()
    assert window.dialog is None
    qtbot.waitUntil(lambda: ("devices",) in requests.asked or not window._bridge._questions)


def test_about_opens_and_closes(window: MainWindow) -> None:
    window.show_about()
    assert window.dialog is not None
    assert window.dialog.isVisible()
    window.dialog.reject()
    drain()
    assert window.dialog is None
