"""Sound in the window: volume in every state, what is wrong said in words, and where the time of an answer goes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from novadesk.config import AudioSettings, EchoSetting, Settings
from novadesk.conversation.api import AnswerDelay, ErrorNote, MicrophoneState, Phase, Snapshot, TalkMode
from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, Cue
from novadesk.ui.main_window import MainWindow
from novadesk.ui.setting_fields import RadioField
from novadesk.ui.setting_table import row_of
from novadesk.ui.sound_note import sound_note
from tests.ui.conftest import CannedRequests, RecordedIntents, drain
from tests.ui.test_window import ready

DELAY = AnswerDelay(endpointing_s=0.31, model_s=0.48, client_s=0.13)
SILENT = "Your microphone sends exact silence. Look for a mute switch on it."


def described(widget: QWidget) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Description) if interface is not None else ""


# --- volume ---


@pytest.mark.parametrize("phase", Phase)
def test_the_volume_can_be_set_in_every_phase(
    window: MainWindow, intents: RecordedIntents, conversation: Conversation, phase: Phase
) -> None:
    window.show_snapshot(ready(conversation, phase=phase))
    volume = window.panel.controls.volume
    assert volume.slider.isEnabled()
    volume.slider.setFocus()
    QTest.keyClick(volume.slider, Qt.Key.Key_Left)
    assert intents.take() == [("set_volume", 0.95)]
    QTest.keyClick(volume.slider, Qt.Key.Key_Home)
    assert intents.take() == [("set_volume", 0.0)]


def test_the_volume_is_told_in_percent(window: MainWindow) -> None:
    slider = window.panel.controls.volume.slider
    assert slider.accessibleName() == "Volume of answers"
    assert described(slider) == "100 %"
    slider.setValue(35)
    assert described(slider) == "35 %"
    assert "35 %" in slider.toolTip()


def test_keys_change_the_volume_while_typing_and_stop_at_the_ends(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents
) -> None:
    field = window.panel.composer.field
    field.setFocus()
    for _ in range(2):
        qtbot.keyClick(field, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    for _ in range(3):
        qtbot.keyClick(field, Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
    assert [volume for _, volume in intents.take()] == [0.95, 0.9, 0.95, 1.0, 1.0]


def test_silence_and_back_as_loud_as_it_was(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    volume = window.panel.controls.volume
    volume.slider.setValue(40)
    intents.take()
    for _ in range(2):
        qtbot.mouseClick(volume.silence, Qt.MouseButton.LeftButton)
    assert intents.take() == [("set_volume", 0.0), ("set_volume", 0.4)]
    volume.slider.setValue(0)
    assert volume.silence.accessibleName() == "Make answers heard"
    qtbot.mouseClick(volume.silence, Qt.MouseButton.LeftButton)
    assert volume.volume == 0.4


def test_the_volume_is_kept_once_it_rests_and_at_the_end(window: MainWindow, saved: list[Settings]) -> None:
    slider = window.panel.controls.volume.slider
    for value in (80, 70, 60):
        slider.setValue(value)
    assert saved == []
    window.settings._resting.timeout.emit()
    assert [settings.audio.volume for settings in saved] == [0.6]
    slider.setValue(50)
    window.finish()
    assert saved[-1].audio.volume == 0.5
    assert len(saved) == 2


def test_a_volume_that_cannot_be_kept_holds_all_the_same(window: MainWindow, intents: RecordedIntents) -> None:
    def refuse(_settings: Settings) -> None:
        raise KnownError(Reason.DISK_FULL, "The disk is full.", "Make room.")

    window.settings._save = refuse
    window.panel.controls.volume.slider.setValue(30)
    window.settings.keep_volume()
    assert window.panel.controls.volume.volume == 0.3
    assert intents.take() == [("set_volume", 0.3)]


def test_a_volume_from_the_settings_reaches_slider_and_speaker(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    window.settings.store(Settings(audio=AudioSettings(volume=0.25)))
    assert window.panel.controls.volume.volume == 0.25
    qtbot.waitUntil(lambda: ("use_sound", AudioSettings(volume=0.25)) in requests.asked)


# --- what is wrong ---


def test_what_is_wrong_with_the_microphone_is_said_with_a_way_out(
    window: MainWindow, qtbot: QtBot, conversation: Conversation
) -> None:
    note = window.panel.sound
    window.show_snapshot(ready(conversation))
    assert not note.isVisible()
    window.show_snapshot(ready(conversation, input_note=SILENT))
    assert note.isVisible()
    assert note.words.text() == SILENT
    qtbot.mouseClick(note.way_out, Qt.MouseButton.LeftButton)
    opened = window.door.window
    assert opened is not None
    focus = opened.focusWidget()
    assert focus is not None
    assert focus.accessibleName() == "Microphone"
    opened.close()
    drain()
    window.show_snapshot(ready(conversation))
    assert not note.isVisible()


ECHOES = {
    "The assistant hears itself.": {"hears_itself": True},
    "The speaker reaches the microphone 14 dB louder than your voice.": {"loud_echo_db": 14.2},
}


@pytest.mark.parametrize("mode", TalkMode)
@pytest.mark.parametrize("what", ECHOES)
def test_an_echo_is_one_click_from_taking_turns(
    window: MainWindow,
    qtbot: QtBot,
    requests: CannedRequests,
    saved: list[Settings],
    conversation: Conversation,
    mode: TalkMode,
    what: str,
) -> None:
    note = window.panel.sound
    heard = ready(conversation, talk_mode=mode, echo=EchoSetting.SPEAKERS, **ECHOES[what])
    window.panel.controls.volume.slider.setValue(60)
    window.show_snapshot(heard)
    assert note.words.text() == f"{what} Wear a headset, lower the volume, or take turns."
    assert note.way_out.text() == "Take turns"
    assert described(note.way_out) == note.way_out.toolTip() == "NovaDesk does not listen while it speaks"
    qtbot.mouseClick(note.way_out, Qt.MouseButton.LeftButton)
    turns = AudioSettings(echo=EchoSetting.HALF_DUPLEX, volume=0.6)
    assert saved == [Settings(audio=turns)]
    qtbot.waitUntil(lambda: ("use_sound", turns) in requests.asked)
    window.show_snapshot(heard)
    assert not note.isVisible()  # the advice was followed
    assert saved == [Settings(audio=turns)]


def test_an_echo_of_who_takes_turns_already_leads_to_the_settings(
    window: MainWindow, qtbot: QtBot, saved: list[Settings], conversation: Conversation
) -> None:
    note = window.panel.sound
    window.show_snapshot(ready(conversation, hears_itself=True, echo=EchoSetting.HALF_DUPLEX))
    assert note.words.text() == "The assistant hears itself. Wear a headset or lower the volume."
    assert note.way_out.text() == "Sound settings"
    assert described(note.way_out) == ""
    qtbot.mouseClick(note.way_out, Qt.MouseButton.LeftButton)
    assert window.door.window is not None
    window.door.window.close()
    drain()
    assert saved == []


def test_taking_turns_is_undone_in_the_settings(window: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    window.settings.take_turns()
    window.show_settings("audio", "microphone")
    opened, row = window.door.window, row_of("audio", "echo")
    assert opened is not None
    assert row is not None
    field = opened.page.views[row].field
    assert isinstance(field, RadioField)
    assert field.buttons[EchoSetting.HALF_DUPLEX].isChecked()
    field.buttons[EchoSetting.SPEAKERS].click()
    opened.close()
    drain()
    qtbot.waitUntil(lambda: ("use_sound", AudioSettings(echo=EchoSetting.SPEAKERS)) in requests.asked)


def test_who_takes_turns_sees_that_nobody_listens_while_an_answer_is_played(
    window: MainWindow, conversation: Conversation
) -> None:
    controls, field = window.panel.controls, window.panel.composer.field
    free = ready(conversation, talk_mode=TalkMode.HANDS_FREE, microphone=MicrophoneState.OPEN)
    turns = replace(free, phase=Phase.SPEAKING, echo=EchoSetting.HALF_DUPLEX)
    window.show_snapshot(turns)
    assert controls.under.text() == "Not listening while it speaks"
    assert field.placeholderText() == "Stop to interrupt, or type here"
    assert not controls.talk._active
    for other in (
        replace(turns, phase=Phase.LISTENING),
        replace(turns, echo=EchoSetting.HEADSET),
        replace(turns, talk_mode=TalkMode.HOLD),
        replace(turns, microphone=MicrophoneState.MUTED, muted=True),
    ):
        window.show_snapshot(other)
        assert controls.under.text() != "Not listening while it speaks"
        assert field.placeholderText() != "Stop to interrupt, or type here"
    window.show_snapshot(free)
    assert controls.talk._active


def test_advice_against_an_echo_can_be_closed_until_the_next_conversation(
    window: MainWindow, qtbot: QtBot, conversation: Conversation
) -> None:
    note = window.panel.sound
    heard = ready(conversation, hears_itself=True)
    window.show_snapshot(heard)
    qtbot.mouseClick(note.close_button, Qt.MouseButton.LeftButton)
    window.show_snapshot(heard)
    assert not note.isVisible()
    window.show_snapshot(replace(heard, input_note=SILENT))
    assert note.isVisible()
    assert not note.close_button.isVisible()
    window.show_snapshot(heard)
    assert not note.isVisible()
    window.show_snapshot(ready(conversation))
    window.show_snapshot(heard)
    assert note.isVisible()


def test_a_bad_microphone_comes_before_an_echo() -> None:
    assert sound_note(Snapshot(hears_itself=True, input_note=SILENT)) == SILENT
    assert sound_note(Snapshot()) == ""


@pytest.mark.parametrize("there", ["microphone_name", "speaker_name"])
def test_a_device_that_is_missing_is_said_with_a_way_out(
    window: MainWindow, conversation: Conversation, there: str
) -> None:
    why = "The other one takes no sound any more."
    alone = ready(conversation, device_note=why, hears_itself=True, **{there: "Desk"})
    window.show_snapshot(alone)
    assert window.panel.sound.words.text() == why
    assert window.panel.sound.way_out.text() == "Sound settings"
    window.show_snapshot(replace(alone, microphone_name="Mic", speaker_name="Desk", hears_itself=False))
    assert not window.panel.sound.isVisible()  # it was replaced, which the details say
    window.show_snapshot(replace(alone, phase=Phase.ENDED, hears_itself=False))
    assert not window.panel.sound.isVisible()


def test_a_bad_microphone_of_who_talks_hands_free_leads_to_the_settings(
    window: MainWindow, conversation: Conversation
) -> None:
    window.show_snapshot(ready(conversation, hears_itself=True, input_note=SILENT, talk_mode=TalkMode.HANDS_FREE))
    assert window.panel.sound.way_out.text() == "Sound settings"


def test_the_details_say_it_too(window: MainWindow, conversation: Conversation) -> None:
    window.toggle_details()
    window.show_snapshot(ready(conversation, input_note=SILENT, answer_s=0.92, answer_delay=DELAY))
    assert window.details.value("input") == SILENT
    assert window.details.value("delay") == "The end of your turn 0.31 s · The model 0.48 s · This computer 0.13 s"
    window.show_snapshot(ready(conversation))
    assert window.details.value("input") == window.details.value("delay") == ""


# --- twins of the cues ---


def looks(window: MainWindow) -> tuple[str, str, str]:
    """Return shape and word of the state line, and the words under the talk button."""
    state = window.header.state
    return state.shape.shape_name, state.word.text(), window.panel.controls.under.text()


TWINS: dict[Cue, Callable[[Snapshot], Snapshot]] = {
    Cue.LISTENING: lambda calm: replace(calm, phase=Phase.LISTENING, microphone=MicrophoneState.OPEN, talking=True),
    Cue.STOPPED: lambda calm: replace(calm, phase=Phase.THINKING),
    Cue.MUTED: lambda calm: replace(calm, microphone=MicrophoneState.MUTED, muted=True, talking=True),
    Cue.ERROR: lambda calm: replace(
        calm, phase=Phase.FAILED, error=ErrorNote(layer="network", reason="network.link_lost", what="W.", advice="A.")
    ),
}


def test_every_cue_has_a_twin_that_can_be_seen_and_read(window: MainWindow, conversation: Conversation) -> None:
    calm = ready(conversation)
    window.show_snapshot(calm)
    seen = {looks(window)}
    for cue in Cue:
        window.show_snapshot(TWINS[cue](calm))
        assert looks(window) not in seen, cue
        seen.add(looks(window))
        assert window.panel.errors.isVisible() is (cue is Cue.ERROR)
    assert len({shape for shape, _, _ in seen}) == len(Cue) + 1


def test_talking_while_muted_is_said_for_a_while_and_muted_alone_is_calm(
    window: MainWindow, conversation: Conversation
) -> None:
    under = window.panel.controls.under
    muted = ready(conversation, microphone=MicrophoneState.MUTED, muted=True, microphone_level=0.1)
    window.show_snapshot(muted)
    assert under.text() == "Muted"
    window.show_snapshot(replace(muted, talking=True))
    assert under.text() == "Muted: nobody hears you"
    assert under.property("caution") is True
    window.show_snapshot(muted)
    assert under.text() == "Muted: nobody hears you"
    window.panel.controls._since_unheard.invalidate()
    window.show_snapshot(muted)
    assert under.text() == "Muted"
    assert under.property("caution") is False
    window.show_snapshot(replace(muted, talk_mode=TalkMode.HANDS_FREE))
    assert under.text() == "Muted: nobody hears you"
    window.show_snapshot(ready(conversation))
    assert under.text() == "Hold Space or F9"


# --- how fast answers come ---


def test_the_time_of_an_answer_opens_into_its_parts(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, conversation: Conversation
) -> None:
    answers = window.panel.controls.answers
    window.show_snapshot(ready(conversation, answer_s=0.92, answer_delay=DELAY))
    assert answers.text() == "Answers in 0.9 s"
    qtbot.mouseClick(answers, Qt.MouseButton.LeftButton)
    popover = answers.popover
    assert popover is not None
    assert popover.isVisible()
    assert popover.accessibleName() == (
        "The last answer came in 0.92 s. The end of your turn: 0.31 s. The model: 0.48 s. This computer: 0.13 s"
    )
    qtbot.keyClick(popover, Qt.Key.Key_Escape)
    drain()
    assert answers.popover is None
    assert intents.take() == []  # the answer goes on
    qtbot.mouseClick(answers, Qt.MouseButton.LeftButton)
    assert answers.popover is not None
    answers.popover.close()
    drain()


def test_a_time_without_parts_is_plain_text(window: MainWindow, qtbot: QtBot, conversation: Conversation) -> None:
    answers = window.panel.controls.answers
    window.show_snapshot(ready(conversation, answer_s=0.92))
    assert answers.isVisible()
    assert answers.focusPolicy() is Qt.FocusPolicy.NoFocus
    qtbot.mouseClick(answers, Qt.MouseButton.LeftButton)
    assert answers.popover is None
    window.show_snapshot(ready(conversation, answer_s=0.04))
    assert answers.text() == "Answers in under 0.1 s"
    window.show_snapshot(ready(conversation))
    assert not answers.isVisible()
