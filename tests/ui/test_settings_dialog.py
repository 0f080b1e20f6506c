"""The settings: what is edited is what is saved, wrong values stay in the dialog, restarts are said."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

from novadesk.config import AudioSettings, EchoSetting, Settings, TalkModeSetting
from novadesk.conversation.api import SoundTest, TalkMode
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, InputTrouble
from novadesk.ui.main_window import MainWindow
from novadesk.ui.settings_dialog import SettingsDialog, needs_restart
from novadesk.ui.sound_fields import verdict
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
    assert intents.take() == [("set_talk_mode", TalkMode.HANDS_FREE), ("use_voice", settings.voice)]
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
    assert dialog.note.text() == "Used from the next start: talk key."
    old = Settings()
    assert needs_restart(old, replace(old, talk=replace(old.talk, mode=TalkModeSetting.HANDS_FREE))) == ()


def test_fields_of_aws_are_off_for_the_practice_partner(dialog: SettingsDialog) -> None:
    assert not dialog.region.isEnabled()
    dialog.backend.setCurrentIndex(dialog.backend.findData(BackendKind.BEDROCK.value))
    assert dialog.region.isEnabled()


def test_a_chosen_device_that_is_unplugged_stays_chosen(window: MainWindow, qtbot: QtBot) -> None:
    window.settings.now = Settings(audio=AudioSettings(microphone="Alsa: Gone"))
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


def test_tab_walks_down_the_page_to_the_buttons_and_back_to_the_top(dialog: SettingsDialog, qtbot: QtBot) -> None:
    dialog.backend.setFocus()
    places: list[int] = []
    for _ in range(14):  # the fields of AWS are off, and a headset is reached with the arrows
        focus = dialog.focusWidget()
        assert focus is not None
        within = dialog._area.isAncestorOf(focus)
        places.append(focus.mapTo(dialog._area.widget(), QPoint(0, 0)).y() if within else 10_000)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert places == sorted(places)
    assert places.count(10_000) == len(dialog.buttons.buttons())
    assert dialog.focusWidget() is dialog.backend


# --- sound ---


@pytest.mark.parametrize("echo", EchoSetting)
def test_what_is_done_about_the_echo_and_the_volumes_are_saved_and_used_at_once(
    window: MainWindow,
    dialog: SettingsDialog,
    qtbot: QtBot,
    saved: list[Settings],
    requests: CannedRequests,
    echo: EchoSetting,
) -> None:
    dialog.echo.buttons[echo].click()
    dialog.cue_volume.slider.setValue(20)
    assert dialog.note.text() == ""  # it is used at once
    dialog.volume.slider.setValue(70)
    assert dialog.volume.words.text() == "70 %"
    save(dialog, qtbot)
    assert saved == [Settings(audio=AudioSettings(echo=echo, volume=0.7, cue_volume=0.2))]
    qtbot.waitUntil(lambda: ("use_sound", saved[0].audio) in requests.asked)
    assert window.panel.controls.volume.volume == 0.7


def test_each_way_to_hear_is_read_with_its_sentence(dialog: SettingsDialog) -> None:
    names = {
        EchoSetting.SPEAKERS: "Speakers",
        EchoSetting.HEADSET: "Headset",
        EchoSetting.HALF_DUPLEX: "Speakers, taking turns",
    }
    for setting in EchoSetting:
        button, name = dialog.echo.buttons[setting], names[setting]
        assert button.accessibleName() == f"I hear NovaDesk with: {name}"
        assert button.accessibleDescription().endswith(".")
    assert dialog.cue_volume.slider.accessibleName() == "Volume of cues"


def test_a_wheel_over_a_slider_scrolls_the_page(dialog: SettingsDialog) -> None:
    slider = dialog.volume.slider
    dialog.microphone.setFocus()
    middle = QPointF(slider.rect().center())
    event = QWheelEvent(
        middle,
        QPointF(slider.mapToGlobal(slider.rect().center())),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    slider.wheelEvent(event)
    assert (slider.value(), event.isAccepted()) == (100, False)


def test_a_test_opens_what_is_chosen_and_says_what_it_hears(
    dialog: SettingsDialog, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.hears = (SoundTest(microphone="Mic B", speaker="Speaker A", level=0.1),)
    dialog.microphone.setCurrentIndex(2)
    qtbot.mouseClick(dialog.test.button, Qt.MouseButton.LeftButton)
    assert dialog.test.button.text() == "Stop"
    qtbot.waitUntil(lambda: dialog.test.words.text() == "The microphone hears you: Mic B.")
    assert dialog.test.meter.full > 0.5
    assert ("try_sound", AudioSettings(microphone="Alsa: Mic B")) in requests.asked
    qtbot.mouseClick(dialog.test.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: ("test cancelled",) in requests.asked)
    assert (dialog.test.button.text(), dialog.test.meter.full) == ("Test", 0.0)
    assert dialog.test.words.text() == "The microphone is closed."


def test_a_test_ends_by_itself_with_another_device_and_with_the_dialog(
    dialog: SettingsDialog, qtbot: QtBot, requests: CannedRequests, core_loop: asyncio.AbstractEventLoop
) -> None:
    dialog.test.toggle()
    core_loop.call_soon_threadsafe(requests.test_over.set)
    qtbot.waitUntil(lambda: not dialog.test.running)
    assert dialog.test.words.text() == "The test is over; the microphone is closed."
    requests.test_over.clear()
    dialog.test.toggle()
    qtbot.waitUntil(lambda: requests.asked[-1][0] == "try_sound")
    dialog.speaker.setCurrentIndex(1)
    qtbot.waitUntil(lambda: requests.asked[-1] == ("test cancelled",))
    requests.asked.clear()
    dialog.test.toggle()
    qtbot.waitUntil(lambda: bool(requests.asked))
    dialog.reject()
    drain()
    qtbot.waitUntil(lambda: requests.asked[-1] == ("test cancelled",))


def test_a_device_that_does_not_open_is_said(dialog: SettingsDialog, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.error = KnownError(Reason.NO_MICROPHONE, "No microphone is connected.", "Plug one in.")
    dialog.test.toggle()
    qtbot.waitUntil(lambda: not dialog.test.running)
    assert dialog.test.words.text() == "No microphone is connected. Plug one in."
    assert dialog.test.words.property("bad") is True


def test_every_trouble_of_a_microphone_has_its_own_sentence() -> None:
    open_now = SoundTest(microphone="Mic A", speaker="Speaker A")
    words = {verdict(replace(open_now, trouble=trouble), 0.9) for trouble in InputTrouble}
    assert len(words) == len(InputTrouble)
    assert verdict(None, 0.0) == "Opening the devices…"
    assert verdict(open_now, 0.1) == "Say something: Mic A is open."
    assert verdict(replace(open_now, note="Studio Mic is not connected."), 0.9) == "Studio Mic is not connected."


def test_about_opens_and_closes(window: MainWindow) -> None:
    window.show_about()
    assert window.dialog is not None
    assert window.dialog.isVisible()
    window.dialog.reject()
    drain()
    assert window.dialog is None
