"""What the window shows for a snapshot, and which wish follows from which click."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QSlider,
    QWidget,
)
from pytestqt.qtbot import QtBot

from novadesk.config import Settings
from novadesk.conversation.api import (
    ErrorNote,
    LiveText,
    MicrophoneState,
    Phase,
    Snapshot,
    TalkMode,
    TokenTotals,
)
from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation, Role, SyncState
from novadesk.ui import tokens
from novadesk.ui.main_window import MainWindow
from novadesk.ui.setting_rows import Page
from novadesk.ui.theme import Scheme
from novadesk.ui.turn_loader import PAGE
from tests.ui.conftest import QUITS, CannedRequests, RecordedIntents, drain, make_conversation
from tests.ui.test_item_models import make_turn, make_turns

LOST = ErrorNote(layer="network", reason="network.link_lost", what="Connection lost.", advice="Wait.", retry=True)


def ready(conversation: Conversation, **changes: object) -> Snapshot:
    snapshot = Snapshot(
        phase=Phase.READY,
        microphone=MicrophoneState.GATED,
        backend_name="Practice partner (local)",
        conversation=conversation,
    )
    return replace(snapshot, **changes)  # type: ignore[arg-type]


def click(qtbot: QtBot, widget: QWidget) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def handle(number: int) -> str:
    return make_conversation(number).handle


# --- state, title, backend ---


def test_the_state_line_follows_the_snapshot(window: MainWindow, conversation: Conversation) -> None:
    state = window.header.state
    window.show_snapshot(ready(conversation))
    assert (state.word.text(), state.shape.shape_name) == ("Ready", "state-ready")
    assert window.header.backend.whole == "· Practice partner (local)"
    window.show_snapshot(ready(conversation, microphone=MicrophoneState.MUTED, muted=True))
    assert (state.word.text(), state.shape.shape_name) == ("Muted", "state-muted")
    window.show_snapshot(ready(conversation, phase=Phase.SPEAKING))
    assert state.word.text() == "Speaking"
    assert window.windowTitle() == "caring-king-0 · Speaking · NovaDesk"


def test_the_snapshot_comes_through_the_bridge(window: MainWindow, qtbot: QtBot, conversation: Conversation) -> None:
    window._bridge.publish(ready(conversation))
    qtbot.waitUntil(lambda: window.header.state.word.text() == "Ready")


def test_reconnecting_counts_down_by_itself_and_the_timer_ends(
    window: MainWindow, qtbot: QtBot, conversation: Conversation
) -> None:
    state = window.header.state
    window.show_snapshot(ready(conversation, phase=Phase.RECONNECTING, attempt=2, retry_in_s=1.6))
    assert state.word.text() == "Reconnecting (attempt 2, in 2 s)"
    qtbot.waitUntil(lambda: state.word.text() == "Reconnecting (attempt 2, in 1 s)")
    window.show_snapshot(ready(conversation))
    assert not state._timer.isActive()


def test_the_person_s_title_wins_over_the_label(window: MainWindow, conversation: Conversation) -> None:
    assert window.header.title.whole == "New conversation"
    window.show_snapshot(ready(conversation))
    assert window.header.title.whole == "caring-king-0"
    window.show_snapshot(ready(replace(conversation, title="Aspirin")))
    assert window.header.title.whole == "Aspirin"


# --- talk, mute, stop, mode ---


def test_holding_the_button_talks(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    talk = window.panel.controls.talk
    qtbot.mousePress(talk, Qt.MouseButton.LeftButton)
    assert intents.take() == [("down", "talk button")]
    qtbot.mouseMove(talk, QPoint(300, 300))
    assert intents.take() == []
    qtbot.mouseRelease(talk, Qt.MouseButton.LeftButton, pos=QPoint(300, 300))
    assert intents.take() == [("up", "talk button")]


def test_the_right_button_does_not_talk(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    qtbot.mouseClick(window.panel.controls.talk, Qt.MouseButton.RightButton)
    assert intents.take() == []


def test_a_screen_reader_s_press_begins_or_ends_a_talk(window: MainWindow, intents: RecordedIntents) -> None:
    window.panel.controls.talk.click()
    assert intents.take() == [("toggle_talk",)]


def test_the_ring_shows_the_microphone_while_it_is_heard_and_the_answer_while_it_is_played(
    window: MainWindow, conversation: Conversation
) -> None:
    talk = window.panel.controls.talk
    window.show_snapshot(ready(conversation, microphone_level=0.1))
    assert (talk._active, talk._microphone) == (False, 0.0)
    window.show_snapshot(ready(conversation, microphone=MicrophoneState.OPEN, talking=True, microphone_level=0.1))
    assert talk._active
    assert talk._microphone > 0.5
    assert window.panel.controls.under.text() == "Let go to send"
    window.show_snapshot(ready(conversation, phase=Phase.SPEAKING, speaker_level=0.1))
    assert (talk._microphone, talk._speaker > 0.5) == (0.0, True)
    window.show_snapshot(ready(conversation, speaker_level=0.1))
    assert talk._speaker == 0.0, "a cue is no answer"


def test_other_levels_are_drawn_without_all_the_rest(
    window: MainWindow, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk, drawn = window.panel.controls.talk, []
    heard = ready(conversation, microphone=MicrophoneState.OPEN, talking=True, microphone_level=0.25)
    window.on_snapshot(heard)
    monkeypatch.setattr(window.conversation, "show_snapshot", lambda *_, **__: drawn.append(talk._microphone))
    window.on_snapshot(replace(heard, microphone_level=0.022))
    assert drawn == []
    assert 0.3 < talk._microphone < 0.7
    assert window.snapshot.microphone_level == 0.022
    window.on_snapshot(replace(heard, attempt=1))
    assert drawn == [1.0]


@pytest.mark.parametrize(("level", "full"), [(0.0, 0.0), (0.001, 0.0), (0.25, 1.0), (1.0, 1.0)])
def test_loudness_is_on_a_decibel_scale(level: float, full: float) -> None:
    from novadesk.ui.talk_button import loudness

    assert loudness(level) == pytest.approx(full, abs=0.01)
    assert 0.3 < loudness(0.022) < 0.7


def test_mute_follows_the_snapshot_not_the_click(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, conversation: Conversation
) -> None:
    mute = window.panel.controls.mute
    window.show_snapshot(ready(conversation))
    click(qtbot, mute)
    click(qtbot, mute)
    assert intents.take() == [("set_muted", True), ("set_muted", True)]
    window.show_snapshot(ready(conversation, microphone=MicrophoneState.MUTED, muted=True))
    assert (mute.text(), mute.accessibleName()) == ("Unmute", "Unmute")
    click(qtbot, mute)
    assert intents.take() == [("set_muted", False)]


@pytest.mark.parametrize("phase", Phase)
def test_mute_stop_talk_and_typing_work_in_every_phase(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, conversation: Conversation, phase: Phase
) -> None:
    window.show_snapshot(ready(conversation, phase=phase))
    controls = window.panel.controls
    click(qtbot, controls.mute)
    click(qtbot, controls.stop)
    click(qtbot, controls.talk)
    qtbot.keyClicks(window.panel.composer.field, "hi")
    qtbot.keyClick(window.panel.composer.field, Qt.Key.Key_Return)
    assert intents.take() == [
        ("set_muted", True),
        ("stop_speaking",),
        ("down", "talk button"),
        ("up", "talk button"),
        ("say", "hi"),
    ]


def test_the_mode_is_asked_for_and_shown_as_it_is(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, conversation: Conversation
) -> None:
    controls = window.panel.controls
    click(qtbot, controls.mode_button(TalkMode.HANDS_FREE))
    assert intents.take() == [("set_talk_mode", TalkMode.HANDS_FREE)]
    window.show_snapshot(ready(conversation, talk_mode=TalkMode.HANDS_FREE, microphone=MicrophoneState.OPEN))
    assert controls.mode_button(TalkMode.HANDS_FREE).isChecked()
    assert controls.under.text() == "Listening"
    assert window.panel.composer.field.placeholderText() == "Just speak, or type here"


def test_answers_are_timed_once_known(window: MainWindow, conversation: Conversation) -> None:
    window.show_snapshot(ready(conversation))
    assert not window.panel.controls.answers.isVisible()
    window.show_snapshot(ready(conversation, answer_s=0.94))
    assert window.panel.controls.answers.text() == "Answers in 0.9 s"


# --- typing ---


def test_messages_are_answered_in_writing_only_when_the_person_chose_it(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, saved: list[Settings]
) -> None:
    composer = window.panel.composer
    click(qtbot, composer.silent)
    assert [settings.audio.messages_aloud for settings in saved] == [False]
    assert composer.silent.isChecked()
    qtbot.keyClicks(composer.field, "psst")
    qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert intents.take() == [("say", "psst", "silent")]
    window.settings.store(replace(window.settings.now, audio=replace(window.settings.now.audio, messages_aloud=True)))
    assert not composer.silent.isChecked()


def test_typed_text_is_sent_once_without_its_edges(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    composer = window.panel.composer
    assert not composer.send.isEnabled()
    qtbot.keyClicks(composer.field, "  14 Baker Street ")
    assert composer.send.isEnabled()
    click(qtbot, composer.send)
    assert intents.take() == [("say", "14 Baker Street")]
    assert composer.field.text() == ""
    qtbot.keyClicks(composer.field, "   ")
    qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert intents.take() == []


# --- errors ---


def test_an_error_says_what_and_what_to_do(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, conversation: Conversation
) -> None:
    bar = window.panel.errors
    assert not bar.isVisible()
    window.show_snapshot(ready(conversation, phase=Phase.RECONNECTING, error=LOST))
    assert bar.isVisible()
    assert (bar.what.text(), bar.advice.text()) == ("Connection lost.", "Wait.")
    click(qtbot, bar.retry)
    assert intents.take() == [("try_now",)]
    click(qtbot, bar.copy)
    assert "network.link_lost" in QGuiApplication.clipboard().text()
    window.show_snapshot(ready(conversation, error=replace(LOST, retry=False)))
    assert not bar.retry.isVisible()
    window.show_snapshot(ready(conversation))
    assert not bar.isVisible()


def test_error_texts_are_shown_as_they_are(window: MainWindow, conversation: Conversation) -> None:
    window.show_snapshot(ready(conversation, error=replace(LOST, what="<b>x</b> & y")))
    assert window.panel.errors.what.textFormat() is Qt.TextFormat.PlainText


# --- the conversation ---


def test_an_empty_conversation_says_how_to_begin(window: MainWindow, conversation: Conversation) -> None:
    view = window.conversation
    assert view._empty.isVisible()
    window.show_snapshot(ready(conversation, turns=make_turns(0, 1)))
    assert not view._empty.isVisible()
    assert view.turns.isVisible()
    window.show_snapshot(ready(make_conversation(7)))
    assert view._empty.isVisible()


def test_the_list_follows_the_newest_turn_until_the_person_scrolls_up(
    window: MainWindow, conversation: Conversation
) -> None:
    turns = window.conversation.turns
    bar = turns.verticalScrollBar()
    window.show_snapshot(ready(conversation, turns=make_turns(0, 100)))
    drain()
    turns.doItemsLayout()
    assert bar.value() == bar.maximum() > 0
    window.show_snapshot(ready(conversation, turns=make_turns(0, 101)))
    turns.doItemsLayout()
    assert bar.value() == bar.maximum()
    bar.setValue(bar.maximum() // 2)
    assert not turns.following
    assert window.conversation.latest.isVisible()
    before = turns.indexAt(QPoint(200, 10)).row()
    window.show_snapshot(ready(conversation, turns=make_turns(0, 110)))
    turns.doItemsLayout()
    assert turns.indexAt(QPoint(200, 10)).row() == before
    window.conversation.latest.click()
    assert turns.following
    assert bar.value() == bar.maximum()
    assert not window.conversation.latest.isVisible()


def test_older_turns_come_when_the_top_is_near_and_what_is_read_stays(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests, conversation: Conversation
) -> None:
    requests.spoken = list(make_turns(0, 700))
    turns = window.conversation.turns
    window.show_snapshot(ready(conversation, turns=make_turns(500, 700)))
    turns.doItemsLayout()
    turns.verticalScrollBar().setValue(turns.verticalScrollBar().pageStep() // 4)
    read = turns.indexAt(QPoint(200, 10)).data()
    qtbot.waitUntil(lambda: window.conversation.model.turns[0].position == 500 - PAGE)
    turns.doItemsLayout()
    assert turns.indexAt(QPoint(200, 10)).data() == read
    assert ("turns", conversation.handle, 500, PAGE) in requests.asked


def test_pages_for_a_conversation_left_meanwhile_are_dropped(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests, conversation: Conversation
) -> None:
    requests.spoken = list(make_turns(0, 700))
    window.show_snapshot(ready(conversation, turns=make_turns(500, 700)))
    window.conversation.loader.older()
    window.show_snapshot(ready(make_conversation(7), turns=make_turns(650, 651)))
    answered: list[int] = []

    async def after() -> int:
        return 1

    window._bridge.ask(after, answered.append, lambda _error: None)
    qtbot.waitUntil(lambda: bool(answered))
    assert [turn.position for turn in window.conversation.model.turns] == [650]


def test_a_growing_answer_in_a_long_conversation_is_little_work(window: MainWindow, conversation: Conversation) -> None:
    turns = window.conversation.turns
    everything = make_turns(0, 10_000)
    window.show_snapshot(ready(conversation, turns=everything))
    turns.doItemsLayout()
    turns.grab()
    made = turns.delegate.layouts_made
    for number in range(1, 40):
        live = (LiveText(role=Role.ASSISTANT, spoken="a " * number, planned="b"),)
        window.show_snapshot(ready(conversation, turns=everything, live=live))
        turns.grab()
    assert turns.delegate.layouts_made - made <= 60  # the growing row, and a few that scroll into sight


def test_text_that_grows_by_a_line_moves_what_is_below_it(window: MainWindow, conversation: Conversation) -> None:
    turns = window.conversation.turns
    model = window.conversation.model
    spoken = LiveText(role=Role.USER, spoken="a")
    answer = LiveText(role=Role.ASSISTANT, spoken="b")
    window.show_snapshot(ready(conversation, turns=make_turns(0, 30), live=(spoken, answer)))
    drain()
    turns.doItemsLayout()
    bar = turns.verticalScrollBar()
    most, line = bar.maximum(), turns.delegate._line
    window.show_snapshot(
        ready(conversation, turns=make_turns(0, 30), live=(replace(spoken, spoken="word " * 40), answer))
    )
    drain()
    turns.executeDelayedItemsLayout()
    added = bar.maximum() - most
    assert added >= line
    assert added % line == 0
    below, above = turns.visualRect(model.index(31)), turns.visualRect(model.index(30))
    assert below.top() == above.bottom() + 1
    window.show_snapshot(
        ready(conversation, turns=make_turns(0, 30), live=(spoken, replace(answer, spoken="word " * 40)))
    )
    drain()
    turns.executeDelayedItemsLayout()
    assert bar.maximum() - most == added
    assert bar.value() == bar.maximum()


def test_planned_text_is_muted_and_spoken_text_is_not(window: MainWindow, conversation: Conversation) -> None:
    window.resize(900, 600)
    live = LiveText(role=Role.ASSISTANT, spoken="", planned="MMMMMMMM")

    def darkest(snapshot: Snapshot) -> int:
        window.show_snapshot(snapshot)
        window.conversation.turns.doItemsLayout()
        image = window.conversation.turns.grab().toImage()
        x = window.conversation.turns.delegate._column(window.conversation.turns.width()).text_left
        return min(image.pixelColor(a, b).lightness() for a in range(x, x + 80) for b in range(60))

    muted = darkest(ready(conversation, live=(live,)))
    plain = darkest(ready(conversation, live=(replace(live, spoken="MMMMMMMM", planned=""),)))
    assert plain < 60 < muted


def test_copy_takes_the_selection_with_its_speakers(
    window: MainWindow, qtbot: QtBot, conversation: Conversation
) -> None:
    window.show_snapshot(ready(conversation, turns=make_turns(0, 3), notices=("Session renewed",)))
    turns = window.conversation.turns
    turns.setFocus()
    turns.selectAll()
    qtbot.keyClick(turns, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "You: Turn 0\nNova: Turn 1\nYou: Turn 2"
    turns.clearSelection()
    turns.setCurrentIndex(window.conversation.model.index(1))
    qtbot.keyClick(turns, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "Turn 1"


def test_a_click_on_the_note_opens_what_was_not_spoken(
    window: MainWindow, qtbot: QtBot, conversation: Conversation
) -> None:
    cut = make_turn(1, text="Good. Which product?", heard_chars=5, interrupted=True)
    window.show_snapshot(ready(conversation, turns=(make_turn(0), cut)))
    turns = window.conversation.turns
    turns.doItemsLayout()
    model = window.conversation.model
    rect = turns.visualRect(model.index(1))
    qtbot.mouseClick(turns.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(rect.center().x(), rect.top() + 20))
    assert model.row(model.index(1)).faded == ""
    qtbot.mouseClick(turns.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(rect.center().x(), rect.bottom() - 8))
    assert model.row(model.index(1)).faded == " Which product?"


# --- history ---


def test_the_history_loads_with_the_revision_and_opens_on_click(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, requests: CannedRequests, conversation: Conversation
) -> None:
    history = window.history
    requests.stored = [conversation, make_conversation(1, sync=SyncState.FAILED)]
    window.show_snapshot(ready(conversation, store_revision=4))
    qtbot.waitUntil(lambda: len(history.model.conversations) == 2)
    requests.asked.clear()
    window.show_snapshot(ready(conversation, store_revision=4, microphone_level=0.5))
    assert requests.asked == []
    history.list.doItemsLayout()

    def click_on(handle: str) -> None:
        number = history.model.find(handle)
        assert number is not None
        where = history.list.visualRect(history.model.index(number)).center()
        qtbot.mouseClick(history.list.viewport(), Qt.MouseButton.LeftButton, pos=where)

    click_on(handle(0))
    assert intents.take() == []  # it is the open one
    click_on(handle(1))
    assert intents.take() == [("open_conversation", handle(1))]


def test_moving_in_the_history_opens_nothing_and_return_does(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, requests: CannedRequests
) -> None:
    requests.stored = [make_conversation(0), make_conversation(1)]
    window.show_snapshot(Snapshot(store_revision=1))
    qtbot.waitUntil(lambda: window.history.model.rowCount() == 3)
    window.history.list.setFocus()
    qtbot.keyClick(window.history.list, Qt.Key.Key_Down)
    qtbot.keyClick(window.history.list, Qt.Key.Key_Down)
    assert intents.take() == []
    qtbot.keyClick(window.history.list, Qt.Key.Key_Return)
    assert intents.take() == [("open_conversation", handle(1))]


def test_a_store_that_does_not_answer_is_said_and_asked_again(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    history = window.history
    requests.error = KnownError(Reason.STORE_LOCKED, "The store is locked.", "Close the other program.")
    history.loader._again.setInterval(10)
    window.show_snapshot(Snapshot(store_revision=1))
    qtbot.waitUntil(lambda: "locked" in history.note.text())
    requests.error = None
    requests.stored = [make_conversation(0)]
    qtbot.waitUntil(lambda: history.model.rowCount() == 2)
    assert not history.note.isVisible()


def test_search_without_a_hit_says_so(window: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.stored = [make_conversation(0)]
    window.show_snapshot(Snapshot(store_revision=1))
    qtbot.waitUntil(lambda: window.history.model.rowCount() == 2)
    window.history.search.setFocus()
    qtbot.keyClicks(window.history.search, "zebra")
    qtbot.waitUntil(lambda: window.history.note.text() == "Nothing found")
    qtbot.keyClick(window.history.search, Qt.Key.Key_Escape)
    assert window.history.search.text() == ""
    qtbot.waitUntil(lambda: window.history.model.rowCount() == 2)


def test_new_and_end_are_wishes(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, conversation: Conversation
) -> None:
    assert not window.header.end.isEnabled()
    window.show_snapshot(ready(conversation))
    click(qtbot, window.header.end)
    click(qtbot, window.history.new)
    assert intents.take() == [("end_conversation",), ("new_conversation",)]


# --- details ---


def test_details_tell_what_is_in_use_and_why(window: MainWindow, conversation: Conversation) -> None:
    window.toggle_details()
    assert window.details.isVisible()
    window.show_snapshot(
        ready(
            replace(conversation, sync=SyncState.PENDING, pending=2),
            model="m",
            voice="matthew",
            microphone_name="Mic A",
            device_note="Studio Mic is not connected.",
            keyring_note="The keyring is locked.",
            tokens=TokenTotals(speech_in=1204, speech_out=2841, text_out=422),
        )
    )
    value = window.details.value
    assert (value("backend"), value("model"), value("voice")) == ("Practice partner (local)", "m", "matthew")
    assert (value("microphone"), value("device")) == ("Mic A", "Studio Mic is not connected.")
    assert (value("sync"), value("keyring")) == ("2 turns waiting to sync", "The keyring is locked.")
    used = {name: value(name) for name in ("speech_in", "speech_out", "text_in", "text_out")}
    assert used == {"speech_in": "1,204", "speech_out": "2,841", "text_in": "–", "text_out": "422"}
    assert value("key_note") == ""
    window.toggle_details()
    assert not window.details.isVisible()


# --- size ---


def test_a_narrow_window_folds_the_sidebar_into_a_button(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, requests: CannedRequests
) -> None:
    assert window.history.isVisible()
    assert not window.header.sidebar.isVisible()
    window.resize(400, 560)
    qtbot.waitUntil(lambda: window.panes.folded)
    assert window.width() == 400
    assert not window.history.isVisible()
    click(qtbot, window.header.sidebar)
    assert window.history.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.history.isVisible()
    assert intents.take() == []
    window.resize(1120, 740)
    qtbot.waitUntil(lambda: not window.panes.folded)
    assert window.history.isVisible()


@pytest.mark.parametrize("phase", [Phase.SPEAKING, Phase.RECONNECTING])
def test_nothing_is_cut_off_at_the_least_size(
    window: MainWindow, qtbot: QtBot, conversation: Conversation, phase: Phase
) -> None:
    window.resize(400, 560)
    qtbot.waitUntil(lambda: window.panes.folded)
    error = LOST if phase is Phase.RECONNECTING else None
    window.show_snapshot(
        ready(conversation, phase=phase, attempt=2, retry_in_s=3, error=error, answer_s=1.0, turns=make_turns(0, 9))
    )
    drain()
    controls = [w for w in window.panes.middle.findChildren(QAbstractButton) if w.isVisible()]
    assert len(controls) >= 7
    for control in controls:
        least = control.minimumSizeHint()
        assert control.width() >= least.width() - 1, control.objectName()
        assert window.rect().contains(control.rect().translated(control.mapTo(window, QPoint(0, 0)))), (
            control.objectName()
        )


# --- names ---


def named(widget: QWidget) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else ""


def test_every_control_has_a_name(window: MainWindow, qtbot: QtBot, conversation: Conversation) -> None:
    window.toggle_details()
    window.show_snapshot(ready(conversation, error=LOST, turns=make_turns(0, 2)))
    window.show_settings()
    opened = window.door.window
    assert opened is not None
    for page in Page:
        opened.sidebar.choose(page)
    kinds = (QAbstractButton, QAbstractSpinBox, QLineEdit, QPlainTextEdit, QSlider)
    nameless = []
    for top in (window, opened):
        for widget in top.findChildren(QWidget):
            inner = isinstance(widget.parent(), QComboBox | QLineEdit | QAbstractSpinBox)
            if isinstance(widget, kinds) and not inner and not named(widget):
                nameless.append(widget.objectName() or type(widget).__name__)
    assert nameless == []
    buddies = {label.buddy() for label in opened.findChildren(QLabel)}
    assert {*opened.findChildren(QComboBox), *opened.findChildren(QAbstractSpinBox)} <= buddies
    opened.close()
    drain()


def test_changing_labels_keep_their_words_for_screen_readers(window: MainWindow, conversation: Conversation) -> None:
    window.show_snapshot(ready(conversation))
    assert window.header.state.word.accessibleName() == ""
    assert named(window.header.state.word) == "Ready"


def test_a_row_is_read_with_its_speaker(window: MainWindow, conversation: Conversation) -> None:
    window.show_snapshot(ready(conversation, turns=make_turns(0, 2)))
    model = window.conversation.model
    assert model.data(model.index(1), Qt.ItemDataRole.AccessibleTextRole) == "Nova: Turn 1"


# --- shape of the whole ---


@pytest.mark.parametrize("scheme", [Scheme.LIGHT, Scheme.DARK])
def test_the_window_is_painted_in_its_palette(window: MainWindow, scheme: Scheme) -> None:
    window.theme.set_scheme(scheme)
    palette = tokens.DARK if scheme is Scheme.DARK else tokens.LIGHT
    image = window.grab().toImage()
    assert image.pixelColor(700, 80).name().upper() == palette.ground
    assert image.pixelColor(100, 600).name().upper() == palette.sunken


def test_closing_is_the_wish_to_quit_and_finish_closes(window: MainWindow, intents: RecordedIntents) -> None:
    window.settings.now = QUITS
    assert window.close() is False
    assert window.isVisible()
    assert intents.take() == [("quit",)]
    window.finish()
    assert not window.isVisible()
    assert intents.take() == []


def test_shortcuts_are_not_ambiguous(window: MainWindow) -> None:
    keys = [key.toString() for action in window.actions() for key in action.shortcuts()]
    assert len(keys) == len(set(keys))
    assert {"Ctrl+N", "Ctrl+E", "Ctrl+M", "Esc", "Ctrl+I", "Ctrl+F", "Ctrl+Q", "F6"} <= set(keys)
    assert all(not QKeySequence(key).isEmpty() for key in keys)
