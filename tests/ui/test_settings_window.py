"""The settings: one table of rows, a search, changes that are used at once, ways back, files."""

import asyncio
import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from novadesk.config import (
    AudioSettings,
    EchoSetting,
    HistorySettings,
    SchemeSetting,
    Settings,
    TalkModeSetting,
    TalkSettings,
    VoiceSettings,
)
from novadesk.conversation.api import MicrophoneState, Phase, Snapshot, SoundTest, TalkMode
from novadesk.conversation.firststeps import FirstSteps
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, InputTrouble
from novadesk.settings_export import export_text
from novadesk.settings_file import values
from novadesk.ui.main_window import MainWindow
from novadesk.ui.setting_extras import AutostartRow
from novadesk.ui.setting_fields import ChoiceField, FreeField, LinesField, RadioField, ShareField
from novadesk.ui.setting_rows import Applies, Page, Row, found, shown
from novadesk.ui.setting_table import ROWS, row_of
from novadesk.ui.setting_view import SettingView
from novadesk.ui.settings_transfer import ImportPreview
from novadesk.ui.settings_window import SettingsWindow
from novadesk.ui.sound_fields import verdict
from novadesk.voices import VOICES
from tests.ui.conftest import CannedRequests, RecordedIntents, drain

NOT_SET_HERE = {
    ("limits", "connection_s"), ("limits", "silence_s"), ("limits", "scale"), ("window", "told_of_tray"),
    ("window", "first_step"), ("window", "told_of_keys"), ("updates", "skipped"),
}  # fmt: skip


def the_row(place: str) -> Row:
    found = row_of(*place.split("."))
    assert found is not None
    return found


def view_of(opened: SettingsWindow, place: str) -> SettingView:
    row = the_row(place)
    opened.sidebar.choose(row.page)
    return opened.page.views[row]


def choose(field: QWidget, value: Any) -> None:
    """Choose as a person does: the field tells of it."""
    assert isinstance(field, ChoiceField)
    index = next(n for n in range(field.combo.count()) if field.combo.itemData(n) == value)
    field.combo.setCurrentIndex(index)
    field.combo.activated.emit(index)


# --- the table ---


def test_every_setting_has_a_row_with_words() -> None:
    places = [(section, name) for section, name, _, _ in values(Settings()) if (section, name) not in NOT_SET_HERE]
    assert sorted((row.section, row.name) for row in ROWS) == sorted(places)
    for row in ROWS:
        assert row.label
        assert row.help.endswith((".", "?")), row.label
        assert shown(row, row.default)
    labels = [row.label for row in ROWS]
    assert len(set(labels)) == len(labels)
    assert {row.page for row in ROWS} == set(Page) - {Page.DIAGNOSTICS}


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("VOICE", "voice.voice"),
        ("push  talk", "talk.key"),
        ("retention", "history.keep_days"),
        ("half duplex", "audio.echo"),
        ("bedrock", "backend.kind"),
        ("release_tail", "talk.release_tail_ms"),
        ("dàrk mode", "window.scheme"),
        ("1 year", "history.keep_days"),
    ],
)
def test_a_row_is_found_by_its_words(query: str, place: str) -> None:
    assert found(the_row(place), query)
    assert not found(the_row("window.reduced_motion"), query)


def test_values_are_shown_in_words() -> None:
    expected = {
        "audio.volume": "100 %", "session.idle_s": "5 min", "talk.key": "F9", "talk.mute_key": "none",
        "history.keep_days": "For ever", "window.tray": "on", "audio.microphone": "System default",
        "voice.temperature": "0.70", "window.font_scale": "100 %", "backend.kind": "Practice partner on this computer",
    }  # fmt: skip
    assert {place: shown(the_row(place), the_row(place).default) for place in expected} == expected
    assert shown(the_row("session.idle_s"), 0.0) == "Never"


@pytest.mark.parametrize("page", Page)
def test_every_field_shows_what_is_set_and_has_a_name(opened: SettingsWindow, page: Page) -> None:
    opened.sidebar.choose(page)
    assert opened.page.page is page
    for row, view in opened.page.views.items():
        first = view.field.stops[0]
        assert row.label in first.accessibleName()
        assert row.help in first.accessibleDescription()
        assert view.label.buddy() is first
        assert not view.reset.isVisible()


# --- change ---


def test_the_voices_are_those_of_the_chosen_model(window: MainWindow, opened: SettingsWindow) -> None:
    def voices() -> tuple[list[str], str]:
        field = view_of(opened, "voice.voice").field
        assert isinstance(field, FreeField)
        return [field.combo.itemText(place) for place in range(field.combo.count())], field.combo.currentText()

    newest = replace(window.settings.now, voice=VoiceSettings(voice="my own"))
    window.settings.store(replace(newest, backend=replace(newest.backend, model="amazon.nova-sonic-v1:0")))
    assert voices() == (list(VOICES["amazon.nova-sonic-v1:0"]), "my own"), "free text stays"
    window.settings.store(newest)
    assert voices() == (list(VOICES[newest.backend.model]), "my own")


def test_a_change_is_used_and_kept_at_once(
    window: MainWindow, opened: SettingsWindow, saved: list[Settings], intents: RecordedIntents
) -> None:
    choose(view_of(opened, "talk.mode").field, TalkModeSetting.HANDS_FREE)
    assert intents.take() == [("set_talk_mode", TalkMode.HANDS_FREE)]
    choose(view_of(opened, "window.scheme").field, SchemeSetting.DARK)
    assert window.theme.palette.dark
    assert saved[-1] == window.settings.now
    assert window.settings.now.window.scheme is SchemeSetting.DARK
    assert window.settings.now.talk.mode is TalkModeSetting.HANDS_FREE
    assert len(saved) == 2


def test_what_is_used_later_is_said_until_it_is_as_at_the_start(opened: SettingsWindow) -> None:
    view = view_of(opened, "backend.kind")
    assert not view.note.isVisible()
    choose(view.field, BackendKind.BEDROCK)
    assert view.note.text() == Applies.ANEW.value
    assert Applies.ANEW.value in view.field.stops[0].accessibleDescription()
    choose(view.field, BackendKind.PRACTICE)
    assert not view.note.isVisible()
    assert not opened.using.isVisible()
    language = view_of(opened, "window.language")
    opened.edit(language.row, "de")
    assert language.note.text() == Applies.START.value
    assert not opened.using.isVisible()


def test_what_waits_for_a_new_connection_is_used_when_the_person_wants_it(
    opened: SettingsWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    opened.edit(the_row("session.concurrent"), 1)
    view = view_of(opened, "session.concurrent")
    requests.error = KnownError(Reason.UNREACHABLE, "There is no way.", "Look for one.")
    qtbot.mouseClick(opened.using, Qt.MouseButton.LeftButton)
    assert not opened.using.isEnabled()
    qtbot.waitUntil(lambda: opened.said.text() == "There is no way. Look for one. (ND-LINK-01)")
    assert opened.using.isEnabled()
    assert view.note.text() == Applies.ANEW.value
    requests.error = None
    qtbot.mouseClick(opened.using, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: opened.said.text() == "All settings are in use.")
    assert ("use", opened.live.now) in requests.asked
    assert not opened.using.isVisible()
    assert not view.note.isVisible()


def test_a_voice_that_comes_with_a_renewal_is_said_until_it_is_there(
    opened: SettingsWindow, window: MainWindow
) -> None:
    view = view_of(opened, "voice.voice")
    opened.edit(view.row, "amy")
    before = Snapshot(phase=Phase.READY, changing=True, in_force=VoiceSettings())
    window._bridge.snapshot_changed.emit(before)
    assert view.note.text() == Applies.CONNECTION.value
    assert not opened.using.isVisible()
    window._bridge.snapshot_changed.emit(
        dataclasses.replace(before, changing=False, in_force=VoiceSettings(voice="amy"))
    )
    assert not view.note.isVisible()


def test_what_needs_no_new_connection_is_taken_by_the_core_at_once(
    opened: SettingsWindow, qtbot: QtBot, requests: CannedRequests, intents: RecordedIntents
) -> None:
    intents.take()
    opened.edit(the_row("voice.voice"), "amy")
    assert intents.take() == [("use_voice", VoiceSettings(voice="amy"))]
    opened.edit(the_row("history.keep_days"), 30)
    qtbot.waitUntil(lambda: requests.asked[-1:] == [("keep", 30, False)])
    opened.edit(the_row("history.private"), True)
    qtbot.waitUntil(lambda: requests.asked[-1] == ("keep", 30, False, "private"))
    assert not opened.using.isVisible()


def test_a_wrong_value_is_told_under_its_field_and_not_used(opened: SettingsWindow, saved: list[Settings]) -> None:
    choose(view_of(opened, "backend.kind").field, BackendKind.BEDROCK)
    view = view_of(opened, "backend.region")
    assert isinstance(view.field, FreeField)
    for text, words in (("the moon", "“the moon” is not an AWS region."), ("  ", "“AWS region” cannot be empty.")):
        view.field.combo.setCurrentText(text)
        view.field.commit()
        assert words in view.note.text()
        assert view.note.bad
        assert opened.live.now.backend.region == "us-east-1"
    view.field.combo.setCurrentText(" eu-north-1 ")
    view.field.commit()
    assert opened.live.now.backend.region == "eu-north-1"
    assert not view.note.bad
    assert len(saved) == 2


def test_a_key_that_nobody_can_press_is_told_under_its_field(opened: SettingsWindow, saved: list[Settings]) -> None:
    opened.edit(the_row("talk.key"), "wheel")
    assert opened.live.now.talk.key == "f9"
    assert "“wheel” is not a key" in view_of(opened, "talk.key").note.text()
    assert saved == []
    opened.live.now = Settings(talk=TalkSettings(key="wheel"))  # by hand, in the file
    opened.edit(the_row("window.tray"), False)
    assert saved == [opened.live.now]
    opened.reset([the_row("talk.key")])
    assert saved[-1].talk.key == "f9"
    opened.undo()
    assert "“wheel” is not a key" in opened.said.text()
    assert opened.live.now.talk.key == "f9"


def test_fields_that_mean_nothing_now_are_off_and_say_why(opened: SettingsWindow) -> None:
    region = view_of(opened, "backend.region")
    assert not region.field.isEnabled()
    assert region.note.text() == "Only with Amazon Bedrock."
    choose(view_of(opened, "backend.kind").field, BackendKind.BEDROCK)
    assert region.field.isEnabled()
    assert not region.note.isVisible()


def test_the_volume_beside_the_talk_button_and_that_of_the_settings_are_one(
    window: MainWindow, opened: SettingsWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    share = view_of(opened, "audio.volume").field
    assert isinstance(share, ShareField)
    share.percent.slider.setValue(70)
    share.commit()
    assert window.panel.controls.volume.volume == 0.7
    qtbot.waitUntil(lambda: ("use_sound", AudioSettings(volume=0.7)) in requests.asked)
    window.panel.controls.volume.slider.setValue(30)
    window.settings.keep_volume()
    assert share.percent.volume == 0.3
    assert share.percent.words.text() == "30 %"


@pytest.mark.parametrize("echo", EchoSetting)
def test_what_is_done_about_the_echo_is_used_at_once(
    opened: SettingsWindow, qtbot: QtBot, requests: CannedRequests, echo: EchoSetting
) -> None:
    radios = view_of(opened, "audio.echo").field
    assert isinstance(radios, RadioField)
    other = next(one for one in EchoSetting if one is not echo)
    opened.edit(the_row("audio.echo"), other)
    radios.buttons[echo].click()
    qtbot.waitUntil(lambda: ("use_sound", AudioSettings(echo=echo)) in requests.asked)
    assert radios.buttons[echo].accessibleName().startswith("I hear NovaDesk with: ")
    assert radios.buttons[echo].accessibleDescription().endswith(".")


def test_what_was_written_last_is_taken_when_the_window_closes(opened: SettingsWindow, saved: list[Settings]) -> None:
    text = view_of(opened, "voice.prompt").field
    assert isinstance(text, LinesField)
    text.text.setPlainText("Be brief.")
    assert saved == []
    opened.close()
    assert saved[-1].voice.prompt == "Be brief."


def test_a_setting_of_the_environment_is_named_and_left_alone(window: MainWindow, opened: SettingsWindow) -> None:
    opened.close()
    drain()
    live = window.settings
    live.now = live.started = the_row("backend.profile").with_value(live.now, "work")
    other = SettingsWindow(
        live,
        window._bridge,
        window._requests,
        window._intents,
        window.theme,
        window,
        variables={("backend", "profile"): "AWS_PROFILE"},
    )
    view = view_of(other, "backend.profile")
    other.edit(the_row("backend.kind"), BackendKind.BEDROCK)
    assert not view.field.isEnabled()
    assert "AWS_PROFILE" in view.note.text()
    assert not view.property("changed")
    other.transfer.everything.click()
    assert live.now.backend.profile == "work"
    assert live.now.backend.kind is BackendKind.PRACTICE
    other.close()
    drain()


# --- the way back ---


def test_a_changed_row_is_marked_and_leads_back_and_that_is_undone(opened: SettingsWindow, qtbot: QtBot) -> None:
    opened.edit(the_row("voice.voice"), "amy")
    view = view_of(opened, "voice.voice")
    assert view.property("changed")
    assert view.reset.accessibleName() == "Reset “Voice” to matthew"
    assert "Changed; NovaDesk's own is matthew." in view.field.stops[0].accessibleDescription()
    qtbot.mouseClick(view.reset, Qt.MouseButton.LeftButton)
    assert opened.live.now == Settings()
    assert not view.property("changed")
    assert not view.reset.isVisible()
    assert opened.said.text() == "1 setting was reset."
    qtbot.keyClick(opened, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert opened.live.now.voice.voice == "amy"
    assert view.property("changed")
    assert not opened.undoing.isVisible()


def test_a_section_goes_back_by_itself(opened: SettingsWindow, qtbot: QtBot) -> None:
    for place, value in (("audio.volume", 0.5), ("voice.voice", "amy"), ("talk.key", "f8")):
        opened.edit(the_row(place), value)
    before = opened.live.now
    opened.sidebar.choose(Page.HISTORY)
    assert not opened.page.reset.isEnabled()
    opened.sidebar.choose(Page.SOUND)
    qtbot.mouseClick(opened.page.reset, Qt.MouseButton.LeftButton)
    assert opened.live.now == the_row("talk.key").with_value(Settings(), "f8")
    assert opened.said.text() == "2 settings were reset."
    qtbot.mouseClick(opened.undoing, Qt.MouseButton.LeftButton)
    assert opened.live.now == before


# --- search and keys ---


def test_the_search_leaves_what_has_it(opened: SettingsWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("novadesk.ui.setting_sidebar.announce", lambda _widget, words: said.append(words))
    qtbot.keyClick(opened, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert opened.focusWidget() is opened.sidebar.search
    qtbot.keyClicks(opened.sidebar.search, "kms")
    assert "1 setting found; “History and sync” is shown" in said
    items = [opened.sidebar.list.item(n) for n in range(opened.sidebar.list.count())]
    assert [item.text() for item in items if not item.isHidden()] == ["History and sync (1)"]
    assert opened.page.page is Page.HISTORY
    assert [row.name for row, view in opened.page.views.items() if view.isVisible()] == ["kms_key"]
    qtbot.keyClick(opened.sidebar.search, Qt.Key.Key_Down)
    assert opened.focusWidget() is opened.sidebar.list
    qtbot.keyClick(opened, Qt.Key.Key_Escape)
    assert opened.isVisible()
    assert not any(item.isHidden() for item in items)
    assert all(view.isVisible() for view in opened.page.views.values())
    qtbot.keyClick(opened, Qt.Key.Key_Escape)
    drain()


def test_closing_closes_whatever_is_looked_for(opened: SettingsWindow, window: MainWindow) -> None:
    opened.sidebar.search.setText("kms")
    opened.close()
    drain()
    assert window.door.window is None


def test_the_settings_open_once_and_at_what_is_asked_for(opened: SettingsWindow, window: MainWindow) -> None:
    opened.sidebar.search.setText("kms")
    window.show_settings("audio", "speaker")
    assert window.door.window is opened
    assert opened.page.page is Page.SOUND
    assert opened.focusWidget() is view_of(opened, "audio.speaker").field.stops[0]


def test_f6_goes_round(opened: SettingsWindow, qtbot: QtBot) -> None:
    opened.sidebar.choose(Page.SOUND)
    opened.sidebar.search.setFocus()
    first = view_of(opened, "voice.voice").field.stops[0]
    seen = []
    for _ in range(3):
        qtbot.keyClick(opened, Qt.Key.Key_F6)
        seen.append(opened.focusWidget())
    assert seen == [first, opened.test.button, opened.sidebar.list]


@pytest.mark.parametrize("page", Page)
def test_tab_leads_down_the_page_and_out_again(opened: SettingsWindow, qtbot: QtBot, page: Page) -> None:
    opened.sidebar.choose(page)
    opened.sidebar.list.setFocus()
    seen: list[QWidget] = []
    for _ in range(60):
        focus = QApplication.focusWidget()
        assert focus is not None
        if focus is opened.sidebar.search:
            break
        seen.append(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    else:
        pytest.fail("Tab is trapped")
    rows = [stop for stop in seen if opened.page._area.isAncestorOf(stop)]
    places = [stop.mapTo(opened.page._area.widget(), QPoint(0, 0)).y() for stop in rows]
    assert places == sorted(places)
    assert seen[-1] is opened.test.button
    enabled = [view for view in opened.page.views.values() if view.field.isEnabled()]
    assert len(rows) >= len(enabled)


def test_a_wheel_over_a_field_scrolls_the_page(opened: SettingsWindow) -> None:
    for place in ("audio.volume", "voice.sensitivity", "session.concurrent"):
        stop = view_of(opened, place).field.stops[0]
        opened.sidebar.search.setFocus()
        middle = QPointF(stop.rect().center())
        event = QWheelEvent(
            middle, QPointF(stop.mapToGlobal(stop.rect().center())), QPoint(), QPoint(0, -120),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(stop, event)
    assert opened.live.now == Settings()


# --- sound ---


def test_a_chosen_device_that_is_unplugged_stays_chosen(window: MainWindow, qtbot: QtBot) -> None:
    window.settings.now = Settings(audio=AudioSettings(microphone="Alsa: Gone"))
    window.show_settings("audio", "microphone")
    opened = window.door.window
    assert opened is not None
    field = view_of(opened, "audio.microphone").field
    assert isinstance(field, ChoiceField)
    qtbot.waitUntil(lambda: field.combo.count() == 4)
    assert field.combo.currentText() == "Alsa: Gone"
    opened.close()
    drain()


def test_a_test_opens_what_is_chosen_and_says_what_it_hears(
    opened: SettingsWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.hears = (SoundTest(microphone="Mic B", speaker="Speaker A", level=0.1),)
    field = view_of(opened, "audio.microphone").field
    assert isinstance(field, ChoiceField)
    qtbot.waitUntil(lambda: field.combo.count() == 3)
    choose(field, "Alsa: Mic B")
    qtbot.mouseClick(opened.test.button, Qt.MouseButton.LeftButton)
    assert opened.test.button.text() == "Stop"
    qtbot.waitUntil(lambda: opened.test.words.text() == "The microphone hears you: Mic B.")
    assert opened.test.meter.full > 0.5
    assert ("try_sound", AudioSettings(microphone="Alsa: Mic B")) in requests.asked
    qtbot.mouseClick(opened.test.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: ("test cancelled",) in requests.asked)
    assert (opened.test.button.text(), opened.test.meter.full) == ("Test", 0.0)
    assert opened.test.words.text() == "The microphone is closed."


def test_a_test_is_in_sight_everywhere_and_ends_by_itself_with_another_device_and_the_window(
    opened: SettingsWindow, qtbot: QtBot, requests: CannedRequests, core_loop: asyncio.AbstractEventLoop
) -> None:
    def begin() -> None:
        requests.asked.clear()
        opened.test.toggle()
        qtbot.waitUntil(lambda: ("try_sound", opened.live.now.audio) in requests.asked)

    opened.sidebar.choose(Page.SOUND)
    begin()
    core_loop.call_soon_threadsafe(requests.test_over.set)
    qtbot.waitUntil(lambda: not opened.test.running)
    assert opened.test.words.text() == "The test is over; the microphone is closed."
    requests.test_over.clear()
    begin()
    opened.edit(the_row("audio.speaker"), "Alsa: Speaker A")
    qtbot.waitUntil(lambda: ("test cancelled",) in requests.asked)
    begin()
    for page in Page:
        opened.sidebar.choose(page)
        assert opened.test.isVisible()
        assert opened.test.running
    opened.close()
    drain()
    qtbot.waitUntil(lambda: ("test cancelled",) in requests.asked)


def test_a_device_that_does_not_open_is_said(opened: SettingsWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    opened.sidebar.choose(Page.SOUND)
    requests.error = KnownError(Reason.NO_MICROPHONE, "No microphone is connected.", "Plug one in.")
    opened.test.toggle()
    qtbot.waitUntil(lambda: not opened.test.running)
    assert opened.test.words.text() == "No microphone is connected. Plug one in. (ND-SOUND-01)"
    assert opened.test.words.bad


def test_the_level_of_a_conversation_is_shown_without_a_test(opened: SettingsWindow, window: MainWindow) -> None:
    hears = Snapshot(phase=Phase.READY, microphone=MicrophoneState.OPEN, microphone_name="Mic A", microphone_level=0.1)
    opened.sidebar.choose(Page.SOUND)
    window._bridge.snapshot_changed.emit(hears)
    assert opened.test.words.text() == "The conversation hears Mic A."
    assert opened.test.meter.full > 0.5
    window._bridge.snapshot_changed.emit(dataclasses.replace(hears, microphone=MicrophoneState.ABSENT))
    assert opened.test.words.text() == "The microphone is closed."
    assert opened.test.meter.full == 0


# --- files ---


def test_an_import_is_shown_first_then_used_and_can_be_undone(
    opened: SettingsWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    there = Settings(voice=VoiceSettings(voice="amy"), history=HistorySettings(keep_days=30))
    file = tmp_path / "from elsewhere.toml"
    file.write_text(export_text(there) + "\n[limits]\nscale = 2.0\n", encoding="utf-8")
    opened.transfer.import_from(file)
    preview = opened.transfer.dialog
    assert isinstance(preview, ImportPreview)
    lines = [preview.list.item(n).text() for n in range(preview.list.count())]
    assert lines == ["Voice: matthew → amy", "Keep conversations: For ever → 30 days"]
    assert preview.left_out.text() == "Not imported, and left as they are: [limits] scale."
    assert opened.live.now == Settings()
    qtbot.mouseClick(preview.take, Qt.MouseButton.LeftButton)
    drain()
    assert opened.live.now == there
    assert opened.said.text() == "2 settings were imported."
    opened.undo()
    assert opened.live.now == Settings()
    assert opened.transfer.dialog is None


def test_an_import_that_is_cancelled_or_changes_nothing_changes_nothing(opened: SettingsWindow, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    for text, enabled in (("[voice]\nvoice = 'amy'\n", True), ("", False)):
        file.write_text(text)
        opened.transfer.import_from(file)
        preview = opened.transfer.dialog
        assert isinstance(preview, ImportPreview)
        assert preview.take.isEnabled() is enabled
        preview.reject()
        drain()
    assert opened.live.now == Settings()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[talk\n", "line 1"),
        (b"[talk]\nmode = 'shout'\n", "[talk] mode"),
        (b"x" * 1_000_001, "too large"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_file_is_told_with_its_place(
    opened: SettingsWindow, tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "broken.toml"
    if content is not None:
        file.write_bytes(content)
    opened.transfer.import_from(file)
    assert opened.transfer.dialog is None
    assert words in opened.transfer.note.text()
    assert "broken.toml" in opened.transfer.note.text()
    assert opened.transfer.note.bad


def test_an_export_is_written_whole_and_a_place_that_takes_none_is_named(
    opened: SettingsWindow, tmp_path: Path
) -> None:
    opened.edit(the_row("voice.voice"), "amy")
    file = tmp_path / "mine.toml"
    opened.transfer.export_to(file)
    assert file.read_text(encoding="utf-8") == export_text(opened.live.now)
    assert opened.transfer.note.text() == "The settings are in mine.toml."
    opened.transfer.export_to(tmp_path / "nowhere" / "mine.toml")
    assert opened.transfer.note.text() == "mine.toml cannot be written (No such file or directory)."
    assert opened.transfer.note.bad


# --- what is wrong with the sound, in words ---


def test_every_trouble_of_a_microphone_has_its_own_sentence() -> None:
    open_now = SoundTest(microphone="Mic A", speaker="Speaker A")
    words = {verdict(dataclasses.replace(open_now, trouble=trouble), 0.9) for trouble in InputTrouble}
    assert len(words) == len(InputTrouble)
    assert verdict(None, 0.0) == "Opening the devices…"
    assert verdict(open_now, 0.1) == "Mic A is open. Say something."
    noted = dataclasses.replace(open_now, note="Studio Mic is not connected.")
    assert verdict(noted, 0.9) == "Studio Mic is not connected."


# --- what the desktop keeps ---


class Session:
    """Fits what the settings ask of `FirstSteps`."""

    def __init__(self, *, on: bool) -> None:
        self.on, self.refuses = on, False
        self.told: list[str] = []

    async def autostart(self) -> bool:
        return self.on

    async def set_autostart(self, on: bool) -> None:
        if self.refuses:
            raise KnownError(Reason.AUTOSTART_REFUSED, "The desktop refuses.", "Ask it.")
        self.told.append(f"asked {on}")
        await asyncio.sleep(0)
        self.told.append(f"done {on}")
        self.on = on


def test_whether_it_starts_with_the_session_is_asked_of_the_desktop(window: MainWindow, qtbot: QtBot) -> None:
    session = Session(on=True)
    row = AutostartRow(window.theme, window._bridge, cast("FirstSteps", session))
    qtbot.addWidget(row)
    qtbot.waitUntil(row.box.isEnabled)
    assert row.box.isChecked()
    row.box.click()
    qtbot.waitUntil(lambda: not session.on)
    session.refuses = True
    row.box.click()
    qtbot.waitUntil(lambda: not row.box.isChecked())
    assert row.note.text() == "The desktop refuses. Ask it. (ND-DESK-03)"
    assert row.note.bad
    session.refuses = False
    session.told.clear()
    row.box.click()
    row.box.click()
    qtbot.waitUntil(lambda: len(session.told) == 4)
    assert session.told == ["asked True", "done True", "asked False", "done False"]
    qtbot.waitUntil(lambda: not row.note.bad)
    assert not row.box.isChecked()
