"""Errors in the window: for every cause one line, one button that does what it says, and details to copy."""

import asyncio
import json
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from novadesk.catalogue import ENTRIES, Entry, Remedy, entry_of
from novadesk.config import BackendSettings, Settings
from novadesk.conversation.api import ErrorNote, Phase, Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.ui.error_bar import ErrorBar
from novadesk.ui.main_window import MainWindow
from novadesk.ui.setting_table import row_of
from novadesk.ui.start_error import StartError
from novadesk.ui.theme import Scheme, Theme
from tests.ui.conftest import CannedRequests, RecordedIntents

WHAT, ADVICE = "Something happened.", "Do something."


def note(reason: Reason, *, retry: bool = True) -> ErrorNote:
    return ErrorNote(layer=reason.layer.value, reason=reason.value, what=WHAT, advice=ADVICE, retry=retry)


def show(window: MainWindow, reason: Reason, phase: Phase = Phase.READY) -> ErrorBar:
    window.show_snapshot(Snapshot(phase=phase, error=note(reason)))
    return window.panel.errors


def press(button: Any) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.code)
def test_every_error_s_button_does_what_it_says(
    entry: Entry, window: MainWindow, qtbot: QtBot, intents: RecordedIntents, requests: CannedRequests
) -> None:
    bar, clipboard = show(window, entry.reason), QGuiApplication.clipboard()
    window.settings.now = Settings(backend=BackendSettings(kind=BackendKind.BEDROCK))
    clipboard.setText("before")
    assert (bar.what.text(), bar.advice.text()) == (WHAT, ADVICE)
    shown = [button for button in (bar.act, bar.retry) if button.isVisible()]
    if entry.remedy is Remedy.WORDS:
        assert shown == [bar.retry]
        return
    assert [button.text() for button in shown] == [entry.button]
    press(shown[0])
    match entry.remedy:
        case Remedy.TRY_NOW:
            assert intents.take() == [("try_now",)]
        case Remedy.NEW_CONVERSATION:
            assert intents.take() == [("new_conversation",)]
        case Remedy.SIGN_IN:
            qtbot.waitUntil(lambda: ("sign_in",) in requests.asked)
            qtbot.waitUntil(lambda: bar.note.text() == "Signed in. Connecting…")
        case Remedy.SYNC_NOW:
            qtbot.waitUntil(lambda: ("pull", None) in requests.asked)
            qtbot.waitUntil(lambda: bar.note.text() == "Synced.")
        case Remedy.POLICY:
            assert json.loads(clipboard.text())["Statement"]
        case Remedy.COMMAND:
            assert clipboard.text() == entry.target
        case Remedy.SETTINGS:
            settings, row = window.door.window, row_of(*entry.target.split("."))
            assert settings is not None
            assert row in settings.page.views
            window.door.close()


def test_details_name_code_layer_and_words_and_can_be_copied(window: MainWindow) -> None:
    bar = show(window, Reason.CREDENTIALS_EXPIRED)
    press(bar.copy)
    copied = QGuiApplication.clipboard().text()
    for part in ("ND-SIGN-02", "credentials: credentials.expired", WHAT, ADVICE, "NovaDesk ", " UTC"):
        assert part in copied


def test_what_keeps_it_from_starting_names_layer_and_code_and_can_be_copied(qtbot: QtBot) -> None:
    box = StartError(Theme(Scheme.LIGHT), KnownError(Reason.STORE_BROKEN, WHAT, ADVICE))
    qtbot.addWidget(box)
    with qtbot.waitExposed(box):
        box.show()
    assert (box.what.text(), box.advice.text()) == (WHAT, ADVICE)
    assert box.further.text().startswith("Error ND-STORE-02 (store). ")
    assert "novadesk doctor" in box.further.text()
    press(box.copy)
    assert "ND-STORE-02" in QGuiApplication.clipboard().text()
    assert box.said.text() == "The details are in the clipboard."
    assert box.isVisible()
    with qtbot.waitSignal(box.finished):
        press(box.close_button)


def test_a_cause_that_nobody_knows_is_shown_without_a_button(window: MainWindow) -> None:
    window.show_snapshot(
        Snapshot(phase=Phase.READY, error=ErrorNote(layer="x", reason="x.y", what=WHAT, advice=ADVICE))
    )
    bar = window.panel.errors
    assert (bar.isVisible(), bar.act.isVisible(), bar.retry.isVisible()) == (True, False, False)
    press(bar.copy)
    assert "x: x.y" in QGuiApplication.clipboard().text()


def test_what_stopped_can_be_tried_again_beside_its_remedy(window: MainWindow, intents: RecordedIntents) -> None:
    bar = show(window, Reason.ACCESS_DENIED, Phase.FAILED)
    assert bar.act.isVisible()
    press(bar.retry)
    assert intents.take() == [("try_now",)]


def test_without_the_aws_program_the_command_is_in_the_clipboard(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.has_aws = False
    bar = show(window, Reason.CREDENTIALS_EXPIRED, Phase.FAILED)
    press(bar.act)
    qtbot.waitUntil(lambda: "not installed" in bar.note.text())
    assert QGuiApplication.clipboard().text() == "aws sso login"
    assert bar.act.text() == entry_of(Reason.CREDENTIALS_EXPIRED).button


def test_a_sign_in_shows_the_page_and_can_be_cancelled(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.sign_in_waits = asyncio.Event()
    bar = show(window, Reason.CREDENTIALS_EXPIRED, Phase.FAILED)
    press(bar.act)
    qtbot.waitUntil(lambda: "https://sign.in/" in bar.note.text())
    assert bar.act.text() == "Cancel"
    press(bar.act)
    qtbot.waitUntil(lambda: ("sign-in cancelled",) in requests.asked)
    assert (bar.note.text(), bar.act.text()) == ("", "Sign in again")


def test_another_error_leaves_a_sign_in_and_its_cancel_button(
    window: MainWindow, qtbot: QtBot, requests: CannedRequests
) -> None:
    requests.sign_in_waits = asyncio.Event()
    bar = show(window, Reason.CREDENTIALS_EXPIRED, Phase.FAILED)
    press(bar.act)
    qtbot.waitUntil(lambda: "https://sign.in/" in bar.note.text())
    show(window, Reason.TIMED_OUT, Phase.RECONNECTING)
    assert (bar.note.isVisible(), bar.act.isVisible(), bar.act.text()) == (True, True, "Cancel")
    press(bar.act)
    qtbot.waitUntil(lambda: ("sign-in cancelled",) in requests.asked)
    assert (bar.note.isVisible(), bar.act.isVisible()) == (False, False)


def test_a_sign_in_that_fails_is_said(window: MainWindow, qtbot: QtBot, requests: CannedRequests) -> None:
    requests.error = KnownError(Reason.SIGN_IN_FAILED, "The sign-in to AWS did not work.", "Try again.")
    bar = show(window, Reason.CREDENTIALS_EXPIRED, Phase.FAILED)
    press(bar.act)
    qtbot.waitUntil(lambda: bar.note.text() == "The sign-in to AWS did not work. Try again. (ND-SIGN-05)")
    window.show_snapshot(Snapshot(phase=Phase.READY))
    assert not bar.isVisible()
    show(window, Reason.CREDENTIALS_EXPIRED)
    assert not bar.note.isVisible()
