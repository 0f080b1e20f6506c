"""The first steps: walked with the keyboard alone, skipped, failing, and never losing anything."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtWidgets import QApplication, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from novadesk.chord import parse_chord
from novadesk.config import AudioSettings, BackendSettings, EchoSetting, Settings, TalkModeSetting, TalkSettings
from novadesk.conversation.api import MicrophoneState, Phase, Snapshot, SoundTest, TalkMode
from novadesk.conversation.firststeps import AccessStep, Recording, RecordingStage, SelfHearing, StepState
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, SignInStanding
from novadesk.ui.bridge import Bridge
from novadesk.ui.main_window import MainWindow
from novadesk.ui.preview_scenes import make_turns
from novadesk.ui.theme import Scheme
from novadesk.ui.wizard import Wizard
from novadesk.ui.wizard_access import AccessPage
from novadesk.ui.wizard_sound import MicrophonePage, SpeakerPage
from novadesk.ui.wizard_talk import KeyPage, TryPage
from tests.ui.conftest import CannedRequests, RecordedIntents, drain
from tests.ui.test_tray import EXPIRED

DENIED = AccessStep(
    name="Voice",
    state=StepState.FAILED,
    what="This account may not use the model.",
    advice="Ask whoever manages the account for the permission bedrock:InvokeModel.",
)
TURNS = make_turns(2, handle="h", now_ms=1_760_000_000_000)


@dataclass
class CannedSteps:
    """Fits `FirstSteps`: answers at once, or waits for `go`."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    access: tuple[AccessStep, ...] = (AccessStep(name="Voice", state=StepState.DONE, what="answered in 0.9 s"),)
    recording: tuple[Recording, ...] = ()
    voice_db: float | None = -28.0
    hearing: SelfHearing = field(
        default_factory=lambda: SelfHearing(heard=False, advice=EchoSetting.HEADSET, what="It does not.")
    )
    error: KnownError | None = None
    waits: asyncio.Event | None = None
    starts: bool = False
    standing: SignInStanding = field(default_factory=lambda: SignInStanding(signed_in=False))

    async def _answer(self, *asked: Any) -> None:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error
        try:
            if self.waits is not None:
                await self.waits.wait()
        except asyncio.CancelledError:
            self.asked.append((asked[0], "cancelled"))
            raise

    async def try_access(self, backend: BackendSettings, tell: Callable[[AccessStep], None]) -> bool:
        for step in self.access:
            tell(step)
        await self._answer("try_access", backend)
        return all(step.state is StepState.DONE for step in self.access)

    async def account_standing(self, backend: BackendSettings) -> SignInStanding:
        return self.standing

    async def account_use_token(self, backend: BackendSettings, token: str) -> None:
        await self._answer("account_use_token", backend.gateway, token)
        self.standing = SignInStanding(signed_in=True, name="anna")

    async def policy(self, backend: BackendSettings) -> str:
        return f"policy of {backend.region}"

    async def record(self, devices: AudioSettings, tell: Callable[[Recording], None]) -> float | None:
        for recording in self.recording:
            tell(recording)
        await self._answer("record", devices)
        return self.voice_db

    async def hear_itself(self, devices: AudioSettings, voice_db: float | None) -> SelfHearing:
        await self._answer("hear_itself", devices, voice_db)
        return self.hearing

    async def use(self, settings: Settings) -> None:
        await self._answer("use", settings)

    async def autostart(self) -> bool:
        return self.starts

    async def set_autostart(self, on: bool) -> None:
        await self._answer("set_autostart", on)
        self.starts = on

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [asked[1:] for asked in self.asked if asked[0] == name]


@pytest.fixture
def steps() -> CannedSteps:
    return CannedSteps()


@pytest.fixture
def first(request: pytest.FixtureRequest) -> bool:
    return getattr(request, "param", True)


@pytest.fixture
def window(
    qtbot: QtBot,
    bridge: Bridge,
    intents: RecordedIntents,
    requests: CannedRequests,
    saved: list[Settings],
    steps: CannedSteps,
    first: bool,
) -> Iterator[MainWindow]:
    made = MainWindow(
        bridge, intents, requests, Settings(), saved.append, scheme=Scheme.LIGHT, steps=steps, first=first
    )
    made.begin()
    qtbot.waitUntil(made.isVisible)
    made.welcome_newcomer()
    intents.take()
    yield made
    if made.dialog is not None:
        made.dialog.reject()
    drain()
    made.finish()
    made.deleteLater()
    drain()


@pytest.fixture
def wizard(window: MainWindow, qtbot: QtBot) -> Wizard:
    if window.dialog is None:
        window.show_first_steps()
    made = window.dialog
    assert isinstance(made, Wizard)
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


def press(qtbot: QtBot, wizard: Wizard, key: Qt.Key, times: int = 1) -> None:
    for _ in range(times):
        focus = QApplication.focusWidget() or wizard
        qtbot.keyClick(focus, key)


def go_to(wizard: Wizard, number: int) -> None:
    while wizard.at < number:
        wizard.skip()


@pytest.mark.parametrize("first", [False], indirect=True)
def test_the_settings_lead_to_the_steps_once_more(window: MainWindow, qtbot: QtBot) -> None:
    window.show_setting("backend.kind")
    settings = window.door.window
    assert settings is not None
    settings.sidebar.search.setText("backend")
    button = next(one for one in settings.page.findChildren(QPushButton) if one.text() == "First steps…")
    qtbot.waitUntil(button.isVisible)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.door.window is None
    assert isinstance(window.dialog, Wizard)


# --- by keyboard alone ---


@pytest.mark.parametrize("first", [False], indirect=True)
def test_the_steps_and_the_settings_know_one_backend_in_force(
    window: MainWindow, wizard: Wizard, qtbot: QtBot, steps: CannedSteps
) -> None:
    live, bedrock = window.settings, Settings(backend=BackendSettings(kind=BackendKind.BEDROCK))
    live.store(bedrock)
    wizard.reject()
    assert steps.of("use") == []  # the wizard has changed nothing
    live.use_all(lambda: None, pytest.fail)
    qtbot.waitUntil(lambda: live.in_force == bedrock)
    drain()
    window.show_first_steps()
    again = window.dialog
    assert isinstance(again, Wizard)
    assert isinstance(again.page, AccessPage)
    again.page.kinds[BackendKind.PRACTICE].click()
    again.go_on()
    again.reject()
    qtbot.waitUntil(lambda: steps.of("use") == [(Settings(),)])
    qtbot.waitUntil(lambda: live.in_force == Settings())


def test_the_steps_are_walked_with_the_keyboard_alone(
    window: MainWindow,
    wizard: Wizard,
    qtbot: QtBot,
    steps: CannedSteps,
    saved: list[Settings],
    intents: RecordedIntents,
    bridge: Bridge,
) -> None:
    assert wizard.count.text() == "Step 1 of 5"
    press(qtbot, wizard, Qt.Key.Key_Down)  # Amazon Bedrock
    page = wizard.page
    assert isinstance(page, AccessPage)
    assert page.kind is BackendKind.BEDROCK
    press(qtbot, wizard, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is page.profile
    qtbot.keyClicks(page.profile, "work")
    page.test.setFocus()
    press(qtbot, wizard, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: page.note.text() == "It works.")
    press(qtbot, wizard, Qt.Key.Key_Return)
    assert isinstance(wizard.page, MicrophonePage)
    press(qtbot, wizard, Qt.Key.Key_Return)
    assert isinstance(wizard.page, SpeakerPage)
    press(qtbot, wizard, Qt.Key.Key_Return)
    assert isinstance(wizard.page, KeyPage)
    press(qtbot, wizard, Qt.Key.Key_Down)  # hands-free
    press(qtbot, wizard, Qt.Key.Key_Return)
    assert isinstance(wizard.page, TryPage)
    qtbot.waitUntil(lambda: len(steps.of("use")) == 1)
    (used,) = steps.of("use")[0]
    assert (used.backend.kind, used.backend.profile) == (BackendKind.BEDROCK, "work")
    assert used.talk.mode is TalkModeSetting.HANDS_FREE
    assert saved[-1] == replace(used, window=replace(used.window, first_step=4))
    assert ("set_talk_mode", TalkMode.HANDS_FREE) in intents.take()
    press(qtbot, wizard, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is wizard.trying.field
    qtbot.keyClicks(wizard.trying.field, "hello")
    press(qtbot, wizard, Qt.Key.Key_Return)
    assert ("say", "hello") in intents.take()
    bridge.publish(Snapshot(phase=Phase.READY, microphone=MicrophoneState.GATED, turns=TURNS))
    qtbot.waitUntil(lambda: wizard.trying.answer.text() == TURNS[1].text)
    assert wizard.trying.note.text() == "It works. You are ready."
    wizard.next.setFocus()
    press(qtbot, wizard, Qt.Key.Key_Return)
    drain()
    assert window.dialog is None
    assert len(steps.of("use")) == 1


def test_tab_reaches_everything_and_is_trapped_nowhere(wizard: Wizard, qtbot: QtBot) -> None:
    for number in range(5):
        go_to(wizard, number)
        start = QApplication.focusWidget()
        seen: list[QWidget | None] = []
        for _ in range(30):
            press(qtbot, wizard, Qt.Key.Key_Tab)
            seen.append(QApplication.focusWidget())
            if seen[-1] is start:
                break
        assert seen[-1] is start, f"page {number + 1} lets nobody out"
        assert {wizard.next, wizard.closing} <= set(seen)
        for stop in (*wizard.page.tab_stops(), wizard.next, wizard.closing):
            name = QAccessible.queryAccessibleInterface(stop).text(QAccessible.Text.Name)
            assert name, f"{stop} on page {number + 1} has no name"


def test_escape_ends_the_steps_and_what_was_chosen_before_stays(
    window: MainWindow, wizard: Wizard, qtbot: QtBot, steps: CannedSteps, saved: list[Settings]
) -> None:
    go_to(wizard, 3)
    page = wizard.page
    assert isinstance(page, KeyPage)
    page.keys.put(parse_chord("f8"))
    wizard.go_on()
    press(qtbot, wizard, Qt.Key.Key_Escape)
    drain()
    assert window.dialog is None
    assert saved[-1].talk.key == "f9, f8"
    qtbot.waitUntil(lambda: len(steps.of("use")) == 1)


# --- the first time and again ---


def test_the_first_start_begins_with_them_and_connects_after_them(
    window: MainWindow, wizard: Wizard, qtbot: QtBot, steps: CannedSteps, saved: list[Settings]
) -> None:
    assert steps.of("use") == []
    wizard.reject()
    drain()
    qtbot.waitUntil(lambda: steps.of("use") == [(Settings(),)])
    assert saved == [Settings()], "a file of settings says that it was no first start any more"


def test_a_first_walk_that_is_broken_off_goes_on_where_it_was(
    wizard: Wizard, saved: list[Settings], window: MainWindow, steps: CannedSteps, qtbot: QtBot
) -> None:
    wizard.go_on()
    wizard.go_on()
    assert saved[-1].window.first_step == 2
    again = Wizard(wizard._around, saved[-1], saved.append, first=True, parent=window)
    assert isinstance(again.page, SpeakerPage)
    for _ in range(3):
        again.go_on()
    assert saved[-1].window.first_step == 0
    qtbot.waitUntil(lambda: steps.of("use") == [(Settings(),)])


@pytest.mark.parametrize("first", [False], indirect=True)
def test_later_they_are_walked_when_wanted_and_change_nothing_by_themselves(
    window: MainWindow, qtbot: QtBot, steps: CannedSteps, saved: list[Settings]
) -> None:
    assert window.dialog is None
    qtbot.keyClick(window, Qt.Key.Key_F1, Qt.KeyboardModifier.ShiftModifier)
    made = window.dialog
    assert isinstance(made, Wizard)
    for _ in range(5):
        made.skip()
    drain()
    assert window.dialog is None
    assert (saved, steps.of("use")) == ([], [])


def test_back_shows_what_was_chosen(wizard: Wizard) -> None:
    go_to(wizard, 3)
    page = wizard.page
    assert isinstance(page, KeyPage)
    page.modes[TalkModeSetting.HANDS_FREE].setChecked(True)
    wizard.go_on()
    wizard.go_back()
    assert page.modes[TalkModeSetting.HANDS_FREE].isChecked()
    page.modes[TalkModeSetting.HOLD].setChecked(True)
    wizard.skip()
    wizard.go_back()
    assert page.modes[TalkModeSetting.HANDS_FREE].isChecked(), "what was skipped changes nothing"


# --- where to talk ---


def test_a_missing_permission_is_named_on_the_page(wizard: Wizard, qtbot: QtBot, steps: CannedSteps) -> None:
    page = wizard.page
    assert isinstance(page, AccessPage)
    steps.access = (AccessStep(name="AWS sign-in", state=StepState.DONE, what="found"), DENIED)
    page.kinds[BackendKind.BEDROCK].setChecked(True)
    page.toggle()
    qtbot.waitUntil(lambda: page.note.text().startswith("It does not work yet"))
    assert page.rows.words["Voice"].text() == f"Voice: {DENIED.what} {DENIED.advice}"
    assert page.rows.words["AWS sign-in"].text() == "AWS sign-in: found."


def test_a_test_that_is_left_is_given_up(
    wizard: Wizard, qtbot: QtBot, steps: CannedSteps, core_loop: asyncio.AbstractEventLoop
) -> None:
    steps.waits = asyncio.Event()
    page = wizard.page
    assert isinstance(page, AccessPage)
    page.toggle()
    qtbot.waitUntil(lambda: len(steps.of("try_access")) == 1)
    wizard.skip()
    qtbot.waitUntil(lambda: steps.of("try_access")[-1] == ("cancelled",))
    assert not page.rows.words


def test_the_policy_is_copied_for_the_region_and_says_what_it_is_worth(wizard: Wizard, qtbot: QtBot) -> None:
    page = wizard.page
    assert isinstance(page, AccessPage)
    page.kinds[BackendKind.BEDROCK].setChecked(True)
    page.region.setCurrentText("eu-north-1")
    page.policy.click()
    qtbot.waitUntil(lambda: "not been tried against a live account" in page.policy_note.text())
    assert QGuiApplication.clipboard().text() == "policy of eu-north-1"


def test_a_gateway_is_chosen_signed_in_to_and_used(
    wizard: Wizard, steps: CannedSteps, saved: list[Settings], qtbot: QtBot
) -> None:
    page = wizard.page
    assert isinstance(page, AccessPage)
    assert not page.gateway.isVisible()
    page.kinds[BackendKind.GATEWAY].setChecked(True)
    page.gateway.setText(" wss://voice.example.com ")
    page.gateway.editingFinished.emit()
    qtbot.waitUntil(lambda: "not signed in" in page.sign_in.standing.text())
    page.sign_in.pasted.setText("the-token")
    qtbot.keyClick(page.sign_in.pasted, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "signed in as anna" in page.sign_in.standing.text())
    assert page.sign_in.pasted.text() == ""
    assert wizard.at == 0
    wizard.go_on()
    assert (saved[-1].backend.kind, saved[-1].backend.gateway) == (BackendKind.GATEWAY, "wss://voice.example.com")
    assert steps.of("account_use_token") == [("wss://voice.example.com", "the-token")]


def test_a_wrong_region_keeps_the_page_and_says_so(wizard: Wizard, saved: list[Settings]) -> None:
    page = wizard.page
    assert isinstance(page, AccessPage)
    page.kinds[BackendKind.BEDROCK].setChecked(True)
    page.region.setCurrentText("the moon")
    wizard.go_on()
    assert (wizard.at, saved) == (0, [])
    assert "not an AWS region" in wizard.note.text()
    page.region.setCurrentText("us-east-1")
    wizard.go_on()
    assert (wizard.at, wizard.note.text()) == (1, "")


# --- sound ---


def test_the_microphone_is_open_only_while_its_page_is_seen(
    wizard: Wizard, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.hears = (SoundTest(microphone="Mic A", level=0.1),)
    assert not [asked for asked in requests.asked if asked[0] == "try_sound"]
    wizard.skip()
    qtbot.waitUntil(lambda: ("try_sound", AudioSettings()) in requests.asked)
    assert "test cancelled" not in [asked[0] for asked in requests.asked]
    wizard.skip()
    qtbot.waitUntil(lambda: ("test cancelled",) in requests.asked)


def test_a_recording_shows_its_stages_and_the_voice_is_remembered(
    wizard: Wizard, qtbot: QtBot, steps: CannedSteps, requests: CannedRequests
) -> None:
    steps.recording = (
        Recording(stage=RecordingStage.OPENING),
        Recording(stage=RecordingStage.RECORDING, level=0.1, left_s=2.0),
        Recording(stage=RecordingStage.PLAYING, left_s=4.0),
    )
    go_to(wizard, 1)
    page = wizard.page
    assert isinstance(page, MicrophonePage)
    qtbot.waitUntil(lambda: page.devices.count() == 3)
    page.devices.setCurrentIndex(2)
    page.record.click()
    qtbot.waitUntil(lambda: page.note.text().startswith("Could you hear yourself"))
    assert steps.of("record") == [(AudioSettings(microphone="Alsa: Mic B"),)]
    wizard.go_on()
    speaker = wizard.page
    assert isinstance(speaker, SpeakerPage)
    speaker.play.click()
    qtbot.waitUntil(lambda: speaker.note.text() == "It does not.")
    assert speaker.echo.echo is EchoSetting.HEADSET
    (devices, voice_db) = steps.of("hear_itself")[0]
    assert (devices.microphone, voice_db) == ("Alsa: Mic B", -28.0)


@pytest.mark.parametrize("number", [1, 2])
def test_devices_that_fail_are_said_and_the_steps_go_on(
    wizard: Wizard, qtbot: QtBot, steps: CannedSteps, number: int
) -> None:
    steps.error = KnownError(Reason.NO_MICROPHONE, "There is no microphone.", "Plug one in.")
    go_to(wizard, number)
    page = wizard.page
    assert isinstance(page, MicrophonePage | SpeakerPage)
    page.toggle()
    qtbot.waitUntil(lambda: page.note.text() == "There is no microphone. Plug one in. (ND-SOUND-01)")
    wizard.go_on()
    assert wizard.at == number + 1


# --- talk key, first exchange ---


def test_a_key_that_mutes_cannot_talk_too_and_keeps_the_page(wizard: Wizard, saved: list[Settings]) -> None:
    wizard._settings = Settings(talk=TalkSettings(mute_key="f8"))
    go_to(wizard, 3)
    page = wizard.page
    assert isinstance(page, KeyPage)
    page.keys.put(parse_chord("f8"))
    assert page.note.bad
    wizard.go_on()
    assert wizard.at == 3
    assert "cannot both talk and mute" in wizard.note.text()
    assert saved == []


def test_what_cannot_be_used_is_said_and_nothing_is_lost(wizard: Wizard, qtbot: QtBot, steps: CannedSteps) -> None:
    steps.error = KnownError(Reason.STORE_LOCKED, "The store is locked.", "Close the other one.")
    go_to(wizard, 4)
    qtbot.waitUntil(lambda: wizard.trying.note.text() == "The store is locked. Close the other one. (ND-STORE-01)")


def test_the_talk_button_talks_while_it_is_held_and_lets_go_when_the_page_does(
    wizard: Wizard, qtbot: QtBot, intents: RecordedIntents
) -> None:
    go_to(wizard, 4)
    intents.take()
    qtbot.keyPress(wizard.trying.talk, Qt.Key.Key_Space)
    assert ("down", "talk button") in intents.take()
    wizard.go_back()
    assert intents.focus_lost


def test_autostart_is_shown_as_it_is_and_changed(wizard: Wizard, qtbot: QtBot, steps: CannedSteps) -> None:
    steps.starts = True
    go_to(wizard, 4)
    box = wizard.trying.autostart
    qtbot.waitUntil(box.isChecked)
    box.click()
    qtbot.waitUntil(lambda: steps.of("set_autostart") == [(False,)])
    steps.error = KnownError(Reason.AUTOSTART_REFUSED, "The file cannot be changed.", "Do it by hand.")
    box.click()
    qtbot.waitUntil(lambda: not box.isChecked())


def test_failures_of_the_conversation_show_there(wizard: Wizard, bridge: Bridge, qtbot: QtBot) -> None:
    go_to(wizard, 4)
    bridge.publish(Snapshot(phase=Phase.FAILED, error=EXPIRED, backend_name="Amazon Bedrock"))
    qtbot.waitUntil(lambda: wizard.trying.note.text() == "AWS sign-in expired. Sign in. (ND-SIGN-02)")
    assert wizard.trying.state.text().endswith("Amazon Bedrock")
