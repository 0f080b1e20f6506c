"""Scenarios in the window: begin with one, its form, the list of them, a change, a break, practising again."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from novadesk.builtin_scenarios import BUILT_IN
from novadesk.config import SensitivitySetting, VoiceSettings
from novadesk.conversation.api import MicrophoneState, Pause, Phase, Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.models import Conversation
from novadesk.scenario import Chosen, Field, FieldKind, Scenario, SpeakingPace, check, choose
from novadesk.ui import scenario_badge
from novadesk.ui.main_window import MainWindow
from novadesk.ui.scenario_change import ScenarioChange
from novadesk.ui.scenario_dialog import ScenarioDialog
from novadesk.ui.scenario_form import ScenarioForm
from novadesk.ui.scenario_pickers import Pickers
from tests.ui.conftest import CannedRequests, RecordedIntents, drain

JOB = next(one for one in BUILT_IN if one.name == "job-interview")
TEA = Scenario(name="tea", title="Tea & talk", prompt="Chat about tea.", voice="tina", language="de")
LIVE = Snapshot(phase=Phase.READY, microphone=MicrophoneState.GATED, voice="tina", in_force=VoiceSettings(voice="tina"))
FULL = KnownError(Reason.DISK_FULL, "The disk is full.", "Make room.")


def menu_of(window: MainWindow, qtbot: QtBot) -> QMenu:
    qtbot.keyClick(window.panel.controls.talk, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.history.menu is not None)
    menu = window.history.menu
    assert menu is not None
    qtbot.waitUntil(lambda: bool(menu.property("scenarios")))
    return menu


def dialog_of[Kind: QWidget](window: MainWindow, kind: type[Kind]) -> Kind:
    dialog = window.scenarios.dialog
    assert isinstance(dialog, kind)
    return dialog


def test_a_scenario_without_a_form_is_begun_from_the_menu_by_keys(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, requests: CannedRequests
) -> None:
    requests.kept = [TEA]
    menu = menu_of(window, qtbot)
    texts = [action.text().split("\t")[0] for action in menu.actions() if action.text()]
    assert menu.activeAction().text() == "&Job interview…", "Return begins with the first one"
    assert texts[2:] == [
        "Same scenario &again", "&Job interview…", "&Language practice…", "&Notes after a meeting…", "&Tea && talk",
        "&Scenarios…",
    ]  # fmt: skip
    qtbot.keyClick(menu, Qt.Key.Key_T)
    assert intents.take() == [("new_conversation", choose(TEA, {}))]
    requests.kept = []
    menu = menu_of(window, qtbot)
    qtbot.waitUntil(lambda: "&Tea && talk" not in [action.text() for action in menu.actions()])
    menu.close()


def test_the_job_form_counts_checks_and_begins(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    window.scenarios.choose(JOB)
    form = dialog_of(window, ScenarioForm)
    qtbot.waitUntil(form.isActiveWindow)
    title, company, description = form.fields
    assert [field.label.text() for field in form.fields] == ["Job title", "Company", "Job description (optional)"]
    assert form.focusWidget() is title.entry
    qtbot.keyClicks(title.entry, " x ")
    qtbot.keyClick(title.entry, Qt.Key.Key_Return)
    assert title.problem.text() == "Job title needs at least 2 characters."
    assert company.problem.text() == "Company needs at least 2 characters."
    assert title.count.text() == "1 of 100"
    qtbot.keyClicks(title.entry, "y")
    assert title.problem.isHidden(), "gone as soon as it is mended"
    description.set_text("x" * 5_001)
    assert (description.count.text(), description.count.property("bad")) == ("5,001 of 5,000", True)
    assert description.problem.text() == "Job description takes at most 5,000 characters; these are 5,001."
    company.set_text("Example")
    qtbot.keyClick(form, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert form.focusWidget() is description.entry
    assert intents.take() == []
    description.set_text("On call.\nSmall team.")
    form.private.setChecked(True)
    qtbot.keyClick(form, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    values = {"title": "x y", "company": "Example", "description": "On call.\nSmall team."}
    assert intents.take() == [("new_conversation", "private", choose(JOB, values))]
    assert window.scenarios.dialog is None


def test_a_number_and_a_choice_are_filled_in_by_keys(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents
) -> None:
    years = Field(name="years", label="Years", kind=FieldKind.NUMBER, least=1, most=40)
    level = Field(name="level", label="Level", kind=FieldKind.CHOICE, choices=("A1", "B1", "C1"))
    scenario = check(Scenario(name="x", title="X", prompt="{years} {level}", fields=(years, level)))
    window.scenarios.choose(scenario)
    form = dialog_of(window, ScenarioForm)
    qtbot.waitUntil(form.isActiveWindow)
    assert [(field.label.text(), field.count.isVisible()) for field in form.fields] == [
        ("Years", False), ("Level", False),
    ]  # fmt: skip
    number, choice = (field.entry for field in form.fields)
    assert form.focusWidget() is number
    assert [field.text for field in form.fields] == ["1", "A1"]
    qtbot.keyClick(number, Qt.Key.Key_Up)
    qtbot.keyClick(choice, Qt.Key.Key_C)
    qtbot.keyClick(form, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert intents.take() == [("new_conversation", choose(scenario, {"years": "2", "level": "C1"}))]


def test_what_a_field_takes_is_chosen_with_its_bounds_or_choices(managed: ScenarioDialog, qtbot: QtBot) -> None:
    managed.list.setCurrentRow(1)
    row = managed.editor.rows.rows[1]
    level = Field(name="level", label="Level", kind=FieldKind.CHOICE, choices=("A1", "A2", "B1", "B2", "C1", "C2"))
    assert row.field == level
    assert (row.choices.isVisibleTo(row), row.least.isVisibleTo(row)) == (True, False)
    row.choices.setText("A1, ")
    managed.keep.click()
    assert row.problem.text() == "Write two choices or more, with commas between them."
    row.choices.setText(" easy,hard , ")
    assert (row.field.choices, row.problem.text()) == (("easy", "hard"), "")
    row.kind.setCurrentText("A whole number")
    assert (row.choices.isVisibleTo(row), row.least.isVisibleTo(row), row.lengths.text()) == (False, True, "From")
    assert row.field == Field(name="level", label="Level", kind=FieldKind.NUMBER)
    row.kind.setCurrentText("Several lines")
    assert (row.field.kind, row.lengths.text()) == (FieldKind.TEXT, "Characters")
    managed.done(QDialog.DialogCode.Rejected)


def test_escape_begins_nothing(window: MainWindow, qtbot: QtBot, intents: RecordedIntents) -> None:
    window.scenarios.choose(JOB)
    qtbot.keyClick(dialog_of(window, ScenarioForm), Qt.Key.Key_Escape)
    assert (window.scenarios.dialog, intents.take()) == (None, [])


def walk(dialog: QDialog, qtbot: QtBot) -> list[str]:
    """Return where Tab stops, from where the keys are until they are there again."""
    qtbot.waitUntil(dialog.isActiveWindow)
    found: list[str] = []
    first = here = QApplication.focusWidget()
    while here is not first or not found:
        found.append(here.accessibleName() or here.property("text"))
        qtbot.keyClick(here, Qt.Key.Key_Tab)
        here = QApplication.focusWidget()
    return found


def test_tab_goes_through_each_dialog_as_it_is_read(
    window: MainWindow, managed: ScenarioDialog, qtbot: QtBot, conversation: Conversation
) -> None:
    pickers = ["Voice", "Language", "Speaking pace", "Pause that ends a turn"]
    field = ["Label of the field", "Name of the field in the instructions", "Insert", "Remove the field"]
    field += ["What the field takes", "Least characters", "Most characters"]
    ends = ["&Begin with it", "Close"]
    managed.list.setCurrentRow(2)
    assert walk(managed, qtbot) == [
        "Scenarios", "New scenario", "Duplicate the scenario", "Title", "Instructions", *pickers, *field,
        "Add a field", *ends,
    ]  # fmt: skip
    qtbot.keyClick(managed, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    managed.editor.rows.add.click()
    managed.list.setFocus()
    assert walk(managed, qtbot) == [
        "Scenarios", "New scenario", "Duplicate the scenario", "Delete the scenario", "Title", "Instructions",
        *pickers, *field, "Add a field", "&Save", *ends,
    ]  # fmt: skip
    managed.done(QDialog.DialogCode.Rejected)
    window.show_snapshot(replace(LIVE, conversation=conversation, scenario=choose(TEA, {})))
    window.scenarios.change()
    change = dialog_of(window, ScenarioChange)
    assert walk(change, qtbot) == [*pickers, "Instructions", "&Change", "As in the &settings", "Cancel"]
    change.reject()
    window.scenarios.choose(JOB)
    form = dialog_of(window, ScenarioForm)
    private = "&Private: nothing of the conversation is kept"
    assert walk(form, qtbot) == ["Job title", "Company", "Job description", private, "&Begin", "Cancel"]
    form.reject()


@pytest.fixture
def managed(window: MainWindow, qtbot: QtBot, requests: CannedRequests) -> ScenarioDialog:
    requests.kept = [TEA]
    window.scenarios.manage()
    dialog = dialog_of(window, ScenarioDialog)
    qtbot.waitUntil(lambda: dialog.list.count() == 4)
    requests.asked.clear()
    return dialog


def rows(dialog: ScenarioDialog) -> list[str]:
    return [dialog.list.item(row).text() for row in range(dialog.list.count())]


def test_a_scenario_is_written_checked_kept_and_begun(
    managed: ScenarioDialog, qtbot: QtBot, requests: CannedRequests, window: MainWindow
) -> None:
    assert rows(managed) == [
        "Job interview (built in)", "Language practice (built in)", "Notes after a meeting (built in)", "Tea & talk",
    ]  # fmt: skip
    assert not managed.keep.isEnabled()
    assert not managed.delete.isEnabled(), "a built-in one stays"
    managed.new.click()
    editor = managed.editor
    assert managed.focusWidget() is editor.title.entry
    editor.title.set_text("Über Kuchen")
    managed.keep.click()
    assert editor.prompt.problem.text() == "Write what your partner is to do."
    assert requests.asked == []
    editor.prompt.set_text("Talk about {cake}.")
    assert editor.prompt.problem.text() == "The instructions name {cake}, which is no field of the form."
    editor.rows.add.click()
    (row,) = editor.rows.rows
    managed.keep.click()
    editor.prompt.set_text("Talk about ")
    row.name.setText("cake")
    managed.keep.click()
    assert row.problem.text() == "The form asks for this in words: give the field a label."
    row.label.setText("Which cake")
    assert row.problem.text() == "The instructions do not name {cake} yet. Insert it."
    editor.prompt.entry.moveCursor(editor.prompt.entry.textCursor().MoveOperation.End)  # type: ignore[union-attr]
    row.insert.click()
    editor.pickers.voice.setCurrentText("Lennart · German")
    editor.pickers.language.setEditText("Swabian")
    editor.pickers.pace.setCurrentText("Slow")
    managed.start.click()
    written = Scenario(
        name="uber-kuchen", title="Über Kuchen", prompt="Talk about {cake}", voice="lennart", language="Swabian",
        pace=SpeakingPace.SLOW, fields=(Field(name="cake", label="Which cake"),),
    )  # fmt: skip
    qtbot.waitUntil(lambda: ("keep_scenario", written, False) in requests.asked)
    assert check(written) is written
    qtbot.waitUntil(lambda: isinstance(window.scenarios.dialog, ScenarioForm))
    window.scenarios.dialog.reject()  # type: ignore[union-attr]


@pytest.mark.parametrize("row", range(4))
def test_the_least_window_has_room_for_the_whole_width(managed: ScenarioDialog, row: int) -> None:
    managed.list.setCurrentRow(row)
    managed.resize(400, 560)
    drain()
    editor = managed.editor
    assert editor.widget().minimumSizeHint().width() <= editor.viewport().width()
    managed.reject()


def test_what_is_deleted_comes_back(managed: ScenarioDialog, qtbot: QtBot, requests: CannedRequests) -> None:
    managed.list.setCurrentRow(3)
    managed.delete.click()
    qtbot.waitUntil(lambda: managed.list.count() == 3)
    assert managed.note.text() == "“Tea & talk” is deleted."
    managed.undo.click()
    qtbot.waitUntil(lambda: managed.list.count() == 4)
    assert requests.kept == [TEA]
    assert (managed.list.currentRow(), managed.undo.isHidden()) == (3, True)
    managed.reject()


def test_a_copy_is_a_scenario_of_its_own_and_an_edited_built_in_one_is_kept_over_it(
    managed: ScenarioDialog, qtbot: QtBot, requests: CannedRequests
) -> None:
    managed.list.setCurrentRow(3)
    managed.copy.click()
    assert rows(managed)[-1] == "Tea & talk (copy) (not saved)"
    managed.keep.click()
    qtbot.waitUntil(lambda: len(requests.kept) == 2)
    assert requests.kept[1] == replace(TEA, name="tea-talk-copy", title="Tea & talk (copy)")
    qtbot.waitUntil(lambda: rows(managed)[0] == "Job interview (built in)")
    managed.list.setCurrentRow(0)
    managed.editor.title.set_text("My interview")
    managed.keep.click()
    qtbot.waitUntil(lambda: len(requests.kept) == 3)
    assert requests.kept[2] == replace(JOB, title="My interview")
    qtbot.waitUntil(lambda: "My interview" in rows(managed))
    managed.reject()


def test_what_is_written_survives_another_row_and_is_not_lost_unasked(
    managed: ScenarioDialog, qtbot: QtBot, requests: CannedRequests, window: MainWindow
) -> None:
    managed.list.setCurrentRow(3)
    managed.editor.prompt.set_text("Chat about green tea.")
    managed.list.setCurrentRow(0)
    assert rows(managed)[3] == "Tea & talk (not saved)"
    managed.list.setCurrentRow(3)
    assert managed.editor.prompt.text == "Chat about green tea."
    requests.error = FULL
    managed.keep.click()
    qtbot.waitUntil(lambda: managed.note.text() == "The disk is full. Make room. (ND-STORE-03)")
    requests.error = None
    managed.list.setCurrentRow(0)
    managed.copy.click()
    managed.keep.click()
    qtbot.waitUntil(lambda: "Job interview (copy)" in rows(managed))
    assert managed.list.currentItem().text() == "Job interview (copy)"
    managed.list.setCurrentRow(rows(managed).index("Tea & talk (not saved)"))
    requests.kept.append(replace(TEA, name="zoo", title="Zoo"))
    managed.refresh()
    qtbot.waitUntil(lambda: "Zoo" in rows(managed))
    assert managed.list.currentItem().text() == "Tea & talk (not saved)"
    assert managed.editor.prompt.text == "Chat about green tea."
    managed.keep.click()
    qtbot.waitUntil(lambda: managed.note.text() == "“Tea & talk” is saved.")
    assert requests.kept[-1] == replace(TEA, prompt="Chat about green tea.")
    managed.editor.prompt.set_text("Chat about no tea.")
    managed.close()
    assert managed.question is not None
    assert managed.question.text() == "Close without saving 1 scenario?"
    managed.question.defaultButton().click()
    drain()
    assert managed.isVisible()
    managed.reject()
    next(button for button in managed.question.buttons() if button.text() == "Close").click()
    assert window.scenarios.dialog is None


@pytest.mark.parametrize(
    ("model", "theirs", "others"),
    [
        ("amazon.nova-sonic-v1:0", "Greta · German", "Tina · German"),
        ("amazon.nova-2-sonic-v1:0", "Tina · German", "Greta · German"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-sonic-v1:0", "Greta · German", "Tina · German"),
        ("amazon.nova-9-sonic", "Tina · German", "Greta · German"),
    ],
)
def test_the_voices_are_those_of_the_model(window: MainWindow, model: str, theirs: str, others: str) -> None:
    box = Pickers(window.theme, VoiceSettings(), model, window).voice
    shown = [box.itemText(place) for place in range(box.count())]
    assert (theirs in shown, others in shown) == (True, False)


def test_files_that_hold_none_are_named(window: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.broken = ("odd.toml",)
    window.scenarios.manage()
    dialog = dialog_of(window, ScenarioDialog)
    qtbot.waitUntil(lambda: dialog.note.text() == "The file odd.toml holds no scenario.")
    dialog.reject()


def test_the_header_says_what_the_service_has_agreed_to(
    window: MainWindow, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(scenario_badge, "announce", lambda _widget, words: told.append(words))
    badge, tea = window.header.scenario, replace(choose(TEA, {}), pace=SpeakingPace.SLOW)
    live = replace(LIVE, conversation=conversation, scenario=tea)
    shown = []
    for snapshot in (
        replace(live, phase=Phase.CONNECTING, in_force=None),
        live,
        replace(live, changing=True),
        live,
        replace(live, phase=Phase.ENDED, in_force=None),
    ):
        window.show_snapshot(snapshot)
        shown.append((badge.text(), badge.icon().cacheKey()))
    words, icons = zip(*shown, strict=True)
    assert words == ("Tea & talk, being sent…", "Tea & talk", "Tea & talk, changing…", "Tea & talk", "Tea & talk")
    assert [icon == icons[1] for icon in icons] == [False, True, False, True, False], "a tick, and not before"
    assert told == ["In force: Tina, German, slow speech, medium pauses"] * 2


def test_the_open_conversation_is_changed_alone(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, conversation: Conversation
) -> None:
    tea = replace(choose(TEA, {}), pace=SpeakingPace.BRISK)
    window.show_snapshot(replace(LIVE, conversation=conversation, scenario=tea))
    window.header.scenario.click()
    change = dialog_of(window, ScenarioChange)
    change.pickers.patience.set_value(SensitivitySetting.LOW)
    change.prompt.set_text("")
    change.apply.click()
    assert (change.prompt.problem.text(), intents.take()) == ("Instructions must not be empty.", [])
    change.prompt.set_text(tea.prompt)
    change.apply.click()
    assert intents.take() == [("change_scenario", replace(tea, sensitivity=SensitivitySetting.LOW))]
    window.show_snapshot(replace(LIVE, conversation=conversation, scenario=tea, changing=True))
    assert window.header.scenario.text() == "Tea & talk, changing…"
    for button, wish in (("apply", []), ("forget", [("change_scenario", None)])):
        window.scenarios.change()
        getattr(dialog_of(window, ScenarioChange), button).click()
        assert intents.take() == wish
    window.show_snapshot(replace(LIVE, conversation=conversation))
    window.scenarios.change()
    dialog_of(window, ScenarioChange).apply.click()
    assert intents.take() == [], "nothing changed"
    window.scenarios.change()
    change = dialog_of(window, ScenarioChange)
    change.pickers.voice.set_value("leo")
    change.apply.click()
    ((name, own),) = intents.take()
    assert isinstance(own, Chosen)
    assert (name, own.voice, own.prompt) == ("change_scenario", "leo", VoiceSettings().prompt)


def test_practising_again_is_a_button_after_the_end(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, conversation: Conversation
) -> None:
    tea = choose(TEA, {})
    window.show_snapshot(replace(LIVE, conversation=conversation, scenario=tea))
    assert window.header.again.isHidden()
    window.show_snapshot(replace(LIVE, phase=Phase.ENDED, conversation=conversation, scenario=tea))
    qtbot.mouseClick(window.header.again, Qt.MouseButton.LeftButton)
    qtbot.keyClick(window.panel.controls.talk, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    assert intents.take() == [("new_conversation", tea)] * 2
    window.show_snapshot(replace(LIVE, phase=Phase.ENDED, conversation=conversation))
    assert window.header.again.isHidden()


def test_a_break_is_shown_as_far_as_the_service_has_agreed(
    window: MainWindow, qtbot: QtBot, intents: RecordedIntents, conversation: Conversation
) -> None:
    def shown(pause: Pause, phase: Phase) -> tuple[str, str, bool]:
        window.show_snapshot(replace(LIVE, conversation=conversation, pause=pause, phase=phase))
        return window.header.state.word.text(), window.header.pause.text(), window.header.pause.isEnabled()

    assert shown(Pause.OFF, Phase.READY) == ("Ready", "Pause", True)
    qtbot.keyClick(window.panel.controls.talk, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    assert shown(Pause.PAUSING, Phase.IDLE) == ("Pausing", "Resume", True)
    assert shown(Pause.PAUSED, Phase.IDLE) == ("Paused", "Resume", True)
    qtbot.mouseClick(window.header.pause, Qt.MouseButton.LeftButton)
    assert shown(Pause.RESUMING, Phase.CONNECTING) == ("Resuming", "Pause", True)
    assert shown(Pause.OFF, Phase.IDLE) == ("Idle", "Pause", False)
    qtbot.keyClick(window.panel.controls.talk, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    assert intents.take() == [("pause_conversation",), ("resume_conversation",)]
