"""The lines that are always true: state, what is not saved, what is not synced, what was recovered."""

from dataclasses import replace
from itertools import product

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from novadesk.conversation.api import (
    RENEWED,
    Connection,
    ErrorNote,
    LiveText,
    MicrophoneState,
    Phase,
    Quality,
    Snapshot,
    TalkMode,
)
from novadesk.models import Role, SyncState
from novadesk.ui import conversation_view, error_bar, header
from novadesk.ui.main_window import MainWindow
from novadesk.ui.states import empty_hint, empty_title, hint, state_line, state_words
from novadesk.ui.words import sync_line
from tests.ui.conftest import QUITS, RecordedIntents, drain, make_conversation
from tests.ui.test_item_models import make_turn, make_turns

FULL = ErrorNote(
    layer="store", reason="store.disk_full", what="The disk is full. 1 turn is not saved yet.", advice="Make room."
)
LOST = ErrorNote(layer="network", reason="network.link_lost", what="Connection lost.", advice="It comes back.")
OFF = "Sync is off: AWS does not allow this. Ask for the right."


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what screen readers are told, in order."""
    told: list[str] = []

    def announce(_widget: QWidget, text: str, *, urgent: bool = False) -> None:
        told.append(f"! {text}" if urgent else text)

    for module in (conversation_view, error_bar, header):
        monkeypatch.setattr(module, "announce", announce)
    return told


ALL_FOUR = MicrophoneState.OPEN, MicrophoneState.GATED, MicrophoneState.MUTED, MicrophoneState.ABSENT
STATES = {
    Phase.OFFLINE: ("Offline",) * 4,
    Phase.IDLE: ("Idle",) * 4,
    Phase.CONNECTING: ("Connecting",) * 4,
    Phase.READY: ("Listening", "Ready", "Muted", "No microphone"),
    Phase.LISTENING: ("Listening", "Listening", "Muted", "No microphone"),
    Phase.THINKING: ("Thinking", "Thinking", "Thinking, muted", "Thinking, no microphone"),
    Phase.TOOL: (*("Looking something up",) * 2, "Looking something up, muted", "Looking something up, no microphone"),
    Phase.SPEAKING: ("Speaking", "Speaking", "Speaking, muted", "Speaking, no microphone"),
    Phase.INTERRUPTED: ("Interrupted", "Interrupted", "Interrupted, muted", "Interrupted, no microphone"),
    Phase.RENEWING: ("Renewing", "Renewing", "Renewing, muted", "Renewing, no microphone"),
    Phase.RECONNECTING: ("Reconnecting",) * 4,
    Phase.FAILED: ("Stopped",) * 4,
    Phase.ENDED: ("Ended",) * 4,
}


@pytest.mark.parametrize("phase", Phase)
def test_the_one_state_line_says_the_same_everywhere(window: MainWindow, phase: Phase) -> None:
    shapes = {}
    for microphone, word in zip(ALL_FOUR, STATES[phase], strict=True):
        window.show_snapshot(Snapshot(phase=phase, microphone=microphone, backend_name="Practice partner (local)"))
        assert window.header.state.word.text() == word
        assert window.windowTitle() == f"New conversation · {word} · NovaDesk"
        assert window.background.tray.icon.toolTip() == f"NovaDesk: {word}"
        assert window.header.backend.whole == "· Practice partner (local)", "beside it, in every state"
        shapes[word] = window.header.state.shape.shape_name
    assert len({shape for word, shape in shapes.items() if "," not in word}) == len(
        [word for word in shapes if "," not in word]
    ), "a shape of its own, never colour alone"


@pytest.mark.parametrize(
    ("phase", "word"),
    [
        (Phase.READY, "Opening the microphone"),
        (Phase.LISTENING, "Opening the microphone"),
        (Phase.SPEAKING, "Speaking"),
        (Phase.CONNECTING, "Connecting"),
    ],
)
def test_a_microphone_that_is_being_opened_is_not_called_missing(window: MainWindow, phase: Phase, word: str) -> None:
    window.show_snapshot(Snapshot(phase=phase, microphone=MicrophoneState.ABSENT, sound_opening=True))
    assert window.header.state.word.text() == word


@pytest.mark.parametrize(("phase", "microphone"), list(product(Phase, MicrophoneState)))
def test_every_state_has_its_words_and_a_hint_without_gaps(phase: Phase, microphone: MicrophoneState) -> None:
    for mode, turns in product(TalkMode, ((), make_turns(0, 2))):
        snapshot = Snapshot(phase=phase, microphone=microphone, talk_mode=mode, turns=turns, attempt=1, retry_in_s=3.0)
        for words in (
            state_words(snapshot, 3.0),
            hint(snapshot, "Space or F9"),
            hint(snapshot, "F9", where="below"),
            empty_title(snapshot),
            empty_hint(snapshot, "F9"),
            state_line(phase, microphone).shape,
        ):
            assert words.strip()
            assert "{" not in words


def test_rest_is_said_and_how_to_go_on(window: MainWindow) -> None:
    resting = Snapshot(phase=Phase.IDLE, conversation=make_conversation(0), turns=make_turns(0, 2))
    window.panel.controls.talk.setFocus()
    window.show_snapshot(resting)
    assert window.header.state.word.text() == "Resting"
    assert window.panel.composer.field.placeholderText() == ("Resting. Hold Space or F9 to talk, or type to go on")
    assert window.header.end.isEnabled()
    window.show_snapshot(replace(resting, talk_mode=TalkMode.HANDS_FREE))
    assert window.panel.composer.field.placeholderText() == "Resting. Press Space or F9, or type to go on"
    window.show_snapshot(Snapshot(phase=Phase.IDLE))
    assert window.header.state.word.text() == "Idle"
    assert not window.header.end.isEnabled()


def test_an_empty_private_conversation_says_what_becomes_of_it(window: MainWindow) -> None:
    window.show_snapshot(Snapshot(phase=Phase.READY, conversation=make_conversation(0, private=True)))
    words = " ".join(label.text() for label in window.conversation.findChildren(QLabel))
    assert "Private conversation" in words
    assert "gone when you leave it" in words
    window.show_snapshot(Snapshot(phase=Phase.READY, conversation=make_conversation(1)))
    words = " ".join(label.text() for label in window.conversation.findChildren(QLabel))
    assert "Private" not in words


def test_a_draft_for_a_private_conversation_goes_with_it(window: MainWindow, qtbot: QtBot) -> None:
    field = window.panel.composer.field
    window.show_snapshot(Snapshot(conversation=make_conversation(0)))
    qtbot.keyClicks(field, "kept")
    private = Snapshot(conversation=make_conversation(1, private=True))
    window.show_snapshot(private)
    qtbot.keyClicks(field, " and a secret")
    window.show_snapshot(replace(private, microphone_level=0.1))
    assert field.text() == "kept and a secret"
    window.show_snapshot(Snapshot(conversation=make_conversation(2)))
    assert field.text() == ""
    field.undo()
    assert field.text() == ""
    qtbot.keyClicks(field, "stays")
    window.show_snapshot(Snapshot(conversation=make_conversation(3)))
    assert field.text() == "stays"
    field.setText("")
    window.show_snapshot(private)
    qtbot.keyClicks(field, "sent and secret")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    window.show_snapshot(Snapshot(conversation=make_conversation(4)))
    field.undo()
    assert field.text() == ""


def test_reconnecting_offers_try_now_whatever_the_error(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents
) -> None:
    retry = window.panel.errors.retry
    window.show_snapshot(Snapshot(phase=Phase.RECONNECTING, attempt=2, retry_in_s=3.0, error=LOST))
    assert retry.isVisible()
    qtbot.mouseClick(retry, Qt.MouseButton.LeftButton)
    assert intents.take() == [("try_now",)]
    window.show_snapshot(Snapshot(phase=Phase.READY, error=LOST))
    assert not retry.isVisible()


# --- the connection ---


def test_the_connection_is_said_in_words_and_above_the_conversation_only_when_it_is_not_good(
    window: MainWindow,
) -> None:
    window.toggle_details()
    seen = {}
    for quality in Quality:
        connection = Connection(quality=quality, why="Sound is late")
        window.show_snapshot(Snapshot(phase=Phase.READY, backend_name="Amazon Bedrock", connection=connection))
        seen[quality] = (window.details.value("connection"), window.header.backend.whole)
    assert seen == {
        Quality.UNKNOWN: ("not measured yet", "· Amazon Bedrock"),
        Quality.GOOD: ("good", "· Amazon Bedrock"),
        Quality.FAIR: ("fair. Sound is late.", "· Amazon Bedrock · fair connection"),
        Quality.POOR: ("poor. Sound is late.", "· Amazon Bedrock · poor connection"),
    }


# --- saved and synced ---


@pytest.mark.parametrize(
    ("changes", "late", "words"),
    [
        ({}, True, ""),
        ({"pending_sync": 12}, False, ""),
        ({"pending_sync": 12}, True, "12 turns waiting to sync"),
        ({"pending_sync": 1}, True, "1 turn waiting to sync"),
        ({"keyring_note": OFF}, False, OFF),
        ({"keyring_note": OFF, "pending_sync": 3}, False, f"3 turns waiting to sync. {OFF}"),
        ({"unsaved": 2, "keyring_note": OFF, "pending_sync": 3}, True, "2 turns not saved yet"),
    ],
)
def test_the_header_says_what_is_not_where_it_should_be(changes: dict[str, object], late: bool, words: str) -> None:
    line = sync_line(replace(Snapshot(), **changes), late=late)  # type: ignore[arg-type]
    assert (line.words if line is not None else "") == words


def test_turns_under_way_for_a_moment_are_no_news(window: MainWindow, qtbot: QtBot) -> None:
    window._lateness.timer.setInterval(1)
    turns = (make_turn(0, sync=SyncState.PENDING),)
    waiting = Snapshot(conversation=make_conversation(0), turns=turns, pending_sync=1)
    window.show_snapshot(waiting)
    assert not window.header.sync.isVisible()
    qtbot.waitUntil(window.header.sync.isVisible)
    assert window.header.sync.words.whole == "1 turn waiting to sync"
    model = window.conversation.model
    assert model.row(model.index(0)).mark is not None
    window.show_snapshot(replace(waiting, turns=(make_turn(0, sync=SyncState.SYNCED),), pending_sync=0))
    assert not window.header.sync.isVisible()
    assert model.row(model.index(0)).mark is None
    assert not window._lateness.timer.isActive()


def test_where_there_is_little_room_sync_comes_before_the_backend_s_name(window: MainWindow) -> None:
    window.resize(400, 560)
    window.show_snapshot(Snapshot(backend_name="Amazon Bedrock", keyring_note=OFF))
    assert window.header.sync.isVisible()
    assert not window.header.backend.isVisible()
    window.show_snapshot(Snapshot(backend_name="Amazon Bedrock"))
    assert window.header.backend.isVisible()


# --- what is read aloud ---


def test_the_recovery_line_is_shown_and_read_once(window: MainWindow, announced: list[str]) -> None:
    line = "Recovered 12 turns from last time."
    snapshot = Snapshot(conversation=make_conversation(0), turns=make_turns(0, 12), notices=(line,))
    window.show_snapshot(snapshot)
    window.show_snapshot(replace(snapshot, microphone_level=0.1))
    assert announced == [line]
    model = window.conversation.model
    assert model.row(model.index(model.rowCount() - 1)).text == line
    window.show_snapshot(replace(snapshot, notices=(line, RENEWED)))
    assert announced == [line], "a renewal is seen only"
    assert model.row(model.index(model.rowCount() - 1)).text == f"{RENEWED} · 1 more line"


def test_each_final_turn_is_read_once_and_nothing_in_the_making(window: MainWindow, announced: list[str]) -> None:
    asked, answer = make_turn(0, text="How warm is it?"), make_turn(1, text="Ten degrees.")
    again, then = make_turn(2, text="And tomorrow?"), make_turn(3, text="Twelve.")
    written = make_turn(4, text="Thanks.", typed=True)
    live = LiveText(role=Role.ASSISTANT, spoken="Ten ", planned="degrees.")
    shown = Snapshot(conversation=make_conversation(0))
    window.show_snapshot(shown)
    window.show_snapshot(replace(shown, turns=(asked,)))
    window.show_snapshot(replace(shown, turns=(asked,), live=(live,)))
    assert announced == ["You: How warm is it?"]
    window.show_snapshot(replace(shown, turns=(asked, answer, again)))
    assert announced[1:] == ["Nova: Ten degrees.", "You: And tomorrow?"], "both, although they came in one picture"
    window.show_snapshot(replace(shown, turns=(asked, answer, again), microphone_level=0.1))
    window.show_snapshot(replace(shown, turns=(asked, answer, again, then, written)))
    assert announced[3:] == ["Nova: Twelve."], "what the person wrote they know"


def test_turns_that_come_from_another_computer_are_not_read_out(window: MainWindow, announced: list[str]) -> None:
    shown = Snapshot(conversation=make_conversation(0))
    window.show_snapshot(shown)
    window.show_snapshot(replace(shown, turns=make_turns(0, 40)))
    assert len(announced) == 2


def test_a_trouble_whose_count_grows_is_read_once(window: MainWindow, announced: list[str]) -> None:
    window.show_snapshot(Snapshot(error=FULL, unsaved=1))
    window.show_snapshot(Snapshot(error=replace(FULL, what="The disk is full. 2 turns are not saved yet."), unsaved=2))
    assert window.panel.errors.what.text() == "The disk is full. 2 turns are not saved yet."
    assert announced == [f"! {FULL.what} {FULL.advice}"]
    window.show_snapshot(Snapshot(error=LOST))
    assert announced[1:] == ["! Connection lost. It comes back."]


def test_the_details_say_where_everything_is(window: MainWindow) -> None:
    window.toggle_details()
    details = window.details
    private = Snapshot(conversation=make_conversation(0, private=True))
    window.show_snapshot(replace(private, unsaved=2, store_note="The store was repaired. All 12 turns are there."))
    assert details.value("sync") == "private, kept nowhere"
    assert details.value("unsaved") == "2 turns"
    assert details.value("store") == "The store was repaired. All 12 turns are there."
    window.show_snapshot(private)
    assert (details.value("unsaved"), details.value("store")) == ("", "")


def test_quitting_asks_only_when_turns_would_be_lost(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents
) -> None:
    window.settings.now = QUITS
    window.show_snapshot(Snapshot(conversation=make_conversation(0, private=True), turns=make_turns(0, 2)))
    window.close()
    assert intents.take() == [("quit",)]  # as browsers do: a private conversation goes without a word
    window.show_snapshot(Snapshot(unsaved=2, error=FULL))
    window.close()
    qtbot.keyClick(window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    assert intents.take() == []
    box = window.question
    assert box is not None
    assert box.text() == "Quit and lose 2 turns?"
    assert box.defaultButton().text() == "Stay"
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    drain()
    assert (window.question, intents.take()) == (None, [])
    window.close()
    assert window.question is not None
    (quit_anyway,) = [button for button in window.question.buttons() if button.text() == "Quit"]
    qtbot.mouseClick(quit_anyway, Qt.MouseButton.LeftButton)
    drain()
    assert intents.take() == [("quit",)]


def test_privacy_is_read_aloud_when_it_begins(window: MainWindow, announced: list[str]) -> None:
    private = Snapshot(conversation=make_conversation(0, private=True))
    window.show_snapshot(private)
    window.show_snapshot(replace(private, microphone_level=0.1))
    assert len(announced) == 1
    assert announced[0].startswith("Private conversation. Nothing of this conversation is written")
