"""The window says what is true now, and a click leaves the keys where they were."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from novadesk.conversation.api import MicrophoneState, Phase, Snapshot, TalkMode
from novadesk.ui.main_window import MainWindow
from novadesk.ui.words import device_words
from tests.ui.conftest import CannedRequests, make_conversation


def test_a_click_on_a_button_leaves_space_with_the_talk_button(window: MainWindow, qtbot: QtBot) -> None:
    window.panel.controls.talk.setFocus()
    window.show_snapshot(Snapshot(phase=Phase.SPEAKING, microphone=MicrophoneState.GATED))
    controls = window.panel.controls
    for button in (controls.mute, controls.stop, controls.mode_button(TalkMode.HANDS_FREE), window.header.end):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert controls.talk.hasFocus()


def test_the_keys_named_are_those_that_work_where_the_focus_is(window: MainWindow, qtbot: QtBot) -> None:
    window.show_snapshot(Snapshot(phase=Phase.READY, microphone=MicrophoneState.GATED))
    field = window.panel.composer.field
    assert field.placeholderText() == "Hold Space or F9 to talk, or type here"
    field.setFocus()
    assert field.placeholderText() == "Hold F9 to talk, or type here"
    assert window.panel.controls.under.text() == "Hold F9"
    window.panel.controls.talk.setFocus()
    assert window.panel.controls.under.text() == "Hold Space or F9"


def test_a_microphone_that_is_being_opened_is_not_called_missing(window: MainWindow) -> None:
    opening = Snapshot(phase=Phase.READY, microphone=MicrophoneState.ABSENT, sound_opening=True)
    window.show_snapshot(opening)
    assert window.header.state.word.text() == "Opening the microphone"
    window.show_snapshot(replace(opening, sound_opening=False))
    assert window.header.state.word.text() == "No microphone"


def test_the_empty_page_does_not_deny_what_was_just_said(window: MainWindow) -> None:
    window.show_snapshot(Snapshot(phase=Phase.THINKING, microphone=MicrophoneState.GATED))
    assert "Thinking…" in [label.text() for label in window.conversation.findChildren(QLabel)]
    window.show_snapshot(Snapshot(phase=Phase.READY, microphone=MicrophoneState.GATED))
    words = [label.text() for label in window.conversation.findChildren(QLabel)]
    assert "Nothing said yet" in words
    assert "Hold Space or F9 to talk, or type below" in words


def test_the_list_of_conversations_shows_where_the_keys_are(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.stored = [make_conversation(0), make_conversation(1)]
    window.show_snapshot(Snapshot(conversation=make_conversation(1), store_revision=1))
    qtbot.waitUntil(lambda: window.history.model.rowCount() >= 3)
    window.history.list.setFocus(Qt.FocusReason.TabFocusReason)
    [chosen] = window.history.list.selectedIndexes()
    assert window.history.model.row(chosen).current


def test_an_ended_conversation_says_how_to_go_on_although_nobody_listens(window: MainWindow) -> None:
    ended = Snapshot(phase=Phase.ENDED, talk_mode=TalkMode.HANDS_FREE)
    window.show_snapshot(ended)
    assert window.panel.composer.field.placeholderText() == "Press Space or F9, or type to go on"
    assert window.panel.controls.under.text() == "Press Space or F9"
    window.show_snapshot(replace(ended, phase=Phase.READY, microphone=MicrophoneState.OPEN))
    assert window.panel.composer.field.placeholderText() == "Just speak, or type here"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ALSA: default (USB Headset)", "USB Headset"),
        ("ALSA: default", "System default"),
        ("Windows WASAPI: Headset (Jabra: Evolve)", "Headset (Jabra: Evolve)"),
        ("Core Audio: MacBook Pro Microphone", "MacBook Pro Microphone"),
        ("Desk: left", "Desk: left"),
        ("", ""),
    ],
)
def test_a_device_is_named_as_people_know_it(name: str, words: str) -> None:
    assert device_words(name) == words
