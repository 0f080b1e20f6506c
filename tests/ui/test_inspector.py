"""The inspector: stages, ids with their copy buttons, and the event log with filter, copy and export."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from novadesk.conversation.api import (
    Carries,
    EventKind,
    Happened,
    Inspection,
    MicrophoneState,
    Pause,
    Phase,
    RemoteFacts,
    Snapshot,
    WireFacts,
)
from novadesk.models import Conversation, Role, SyncState, Turn
from novadesk.text import Text
from novadesk.ui.bridge import Bridge
from novadesk.ui.controls import IconButton
from novadesk.ui.id_rows import id_rows
from novadesk.ui.inspector import Inspector
from novadesk.ui.main_window import MainWindow
from novadesk.ui.pipeline import stages
from tests.ui.conftest import CannedRequests, drain

WIRE = WireFacts(generation=2, carries=Carries.LIVE, wire_id="wire-2", prompt="prompt-2", age_s=61.4, left_s=100.0)
FACTS = Inspection(
    handle="session_1",
    label="caring-king-275",
    turn_id="turn-9",
    turn_sync=SyncState.PENDING,
    wires=(WIRE, replace(WIRE, generation=3, carries=Carries.OPENING, wire_id="wire-3", age_s=None, left_s=None)),
    closing=1,
    remote=(
        RemoteFacts(generation=0, state="closed", session_id="", steps=950),
        RemoteFacts(generation=1, state="bound", session_id="remote-1", steps=4),
    ),
)
EVENTS = [
    Happened(number=1, at_ms=1_790_000_000_001, kind=EventKind.LINK, words=Text("Connecting")),
    Happened(number=2, at_ms=1_790_000_001_000, kind=EventKind.TURN, words=Text("You said 9 characters"), turn_id="t0"),
]


@pytest.fixture
def inspector(window: MainWindow, qtbot: QtBot, requests: CannedRequests) -> Inspector:
    requests.inspection = FACTS
    requests.events_logged = list(EVENTS)
    QTest.keyClick(window, Qt.Key.Key_I, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    made = window.beside.inspector
    assert made is not None
    qtbot.waitUntil(lambda: made.log.model.rowCount() == 2)
    qtbot.waitUntil(lambda: bool(made.session._rows))
    return made


@pytest.mark.parametrize("microphone", MicrophoneState)
@pytest.mark.parametrize("phase", Phase)
def test_every_state_has_five_stages_with_shape_and_word(phase: Phase, microphone: MicrophoneState) -> None:
    found = stages(Snapshot(phase=phase, microphone=microphone, microphone_name="Headset", speaker_name="Speakers"))
    assert [stage.name for stage in found] == ["Microphone", "Gate", "Link", "Service", "Speaker"]
    assert all(stage.shape and stage.word for stage in found)
    gate = found[1].word
    assert ("silence" in gate) is (microphone in (MicrophoneState.GATED, MicrophoneState.MUTED))


def test_a_silent_microphone_and_a_played_answer_are_seen() -> None:
    snapshot = Snapshot(phase=Phase.SPEAKING, microphone=MicrophoneState.OPEN, speaker_name="Speakers")
    assert [stage.word for stage in stages(snapshot)] == ["open", "open", "open", "answers", "plays"]
    assert stages(replace(snapshot, input_note="Silence."))[0].word == "brings no voice"


@pytest.mark.parametrize(
    ("pause", "phase", "word"),
    [
        (Pause.PAUSING, Phase.IDLE, "being ended for a break"),
        (Pause.PAUSED, Phase.IDLE, "closed for a break"),
        (Pause.RESUMING, Phase.CONNECTING, "connecting after a break"),
        (Pause.OFF, Phase.IDLE, "closed"),
    ],
)
def test_the_link_says_how_far_a_break_is(pause: Pause, phase: Phase, word: str) -> None:
    assert stages(Snapshot(pause=pause, phase=phase))[2].word == word


def test_ids_lead_from_ours_to_the_service_s() -> None:
    rows = [(row.depth, row.title, row.value, row.note) for row in id_rows(FACTS)]
    assert rows == [
        (0, "Conversation", "session_1", "caring-king-275"),
        (1, "Wire session 2 = invocation", "wire-2", "carries the conversation, for 61 s, keys good for 100 s"),
        (2, "Prompt on the wire", "prompt-2", ""),
        (1, "Wire session 3 = invocation", "wire-3", "being opened"),
        (2, "Prompt on the wire", "prompt-2", ""),
        (1, "Being torn down", "1", ""),
        (1, "Remote session 0", "in the keyring, not read in this run", "closed for writing, 950 steps"),
        (1, "Remote session 1", "remote-1", "takes turns, 4 steps"),
        (1, "Newest turn = step", "turn-9", "waiting to sync"),
    ]
    assert [row.copies for row in id_rows(FACTS)] == [True] * 5 + [False, False, True, True]
    assert [row.copies for row in id_rows(Inspection())] == [False, False]


def test_every_id_has_a_button_that_copies_it(inspector: Inspector) -> None:
    buttons = inspector.session.ids.findChildren(IconButton)
    assert [button.accessibleName() for button in buttons][:2] == [
        "Copy Conversation",
        "Copy Wire session 2 = invocation",
    ]
    copied = []
    for button in buttons:
        button.click()
        copied.append(QGuiApplication.clipboard().text())
    assert copied == ["session_1", "wire-2", "prompt-2", "wire-3", "prompt-2", "remote-1", "turn-9"]
    inspector.session.copy_all.click()
    assert "Remote session 1: remote-1 takes turns" in QGuiApplication.clipboard().text()
    assert "Gate: closed" in QGuiApplication.clipboard().text()


def test_it_follows_what_happens(inspector: Inspector, bridge: Bridge, qtbot: QtBot, requests: CannedRequests) -> None:
    cell = inspector.session.cells[3]
    assert cell.accessibleName() == "Service: not connected"
    bridge.publish(Snapshot(phase=Phase.THINKING, model="sonic"))
    qtbot.waitUntil(lambda: cell.accessibleName() == "Service: thinks")
    assert cell.accessibleDescription() == "sonic"
    requests.inspection = replace(FACTS, wires=(replace(WIRE, age_s=62.4),))
    requests.events_logged.append(replace(EVENTS[0], number=3))
    inspector.refresh()
    qtbot.waitUntil(lambda: inspector.log.model.rowCount() == 3)
    qtbot.waitUntil(lambda: any("62 s" in label.text() for label in inspector.session.ids.findChildren(QLabel)))
    assert ("happened", 2) in requests.asked


def test_the_log_is_filtered_copied_and_exported(inspector: Inspector, tmp_path: Path) -> None:
    log = inspector.log
    inspector.tabs.setCurrentWidget(log)
    log.kind.setCurrentIndex(log.kind.findData("turn"))
    assert log.shown.rowCount() == 1
    log.copy.click()
    assert QGuiApplication.clipboard().text().endswith("\tTurn\tYou said 9 characters\n")
    log.kind.setCurrentIndex(0)
    log.save_to(str(tmp_path / "events.txt"))
    lines = (tmp_path / "events.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[1:] for line in lines] == [["Link", "Connecting"], ["Turn", "You said 9 characters"]]
    log.save_to(str(tmp_path / "nowhere" / "events.txt"))
    assert "Choose another place" in log.note.text()
    choose = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
    log.table.selectionModel().select(log.shown.index(0, 0), choose)
    log.copy.click()
    assert QGuiApplication.clipboard().text().endswith("\tLink\tConnecting\n")
    index = log.shown.index(1, 0)
    assert "Turn, You said 9 characters" in str(index.data(Qt.ItemDataRole.AccessibleTextRole))


def test_what_was_said_is_shown_only_when_asked_for_and_never_of_a_private_one(
    inspector: Inspector, conversation: Conversation
) -> None:
    log = inspector.log
    turn = Turn(
        turn_id="t0", conversation="session_1", position=0, role=Role.USER, text="Zugspitze", at_ms=0, wire_session="w"
    )
    log.show_snapshot(Snapshot(conversation=replace(conversation, private=True), turns=(turn,)))
    log.said.setChecked(True)
    assert "Zugspitze" not in log.text()
    log.said.setChecked(False)
    log.show_snapshot(Snapshot(conversation=conversation, turns=(turn,)))
    assert "Zugspitze" not in log.text()
    log.said.setChecked(True)
    assert log.text().endswith("You said 9 characters: Zugspitze\n")


def test_escape_closes_it_and_it_asks_no_more(inspector: Inspector, window: MainWindow, qtbot: QtBot) -> None:
    inspector.activateWindow()
    qtbot.waitUntil(inspector.isActiveWindow)
    QTest.keyClick(inspector, Qt.Key.Key_Escape)
    drain()
    assert window.beside.inspector is None
