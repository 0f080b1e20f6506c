"""Without the window: the tray, what closing does, and the few notices of the desktop."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QSystemTrayIcon
from pytestqt.qtbot import QtBot

from novadesk.config import Settings, WindowSettings
from novadesk.conversation.api import ErrorNote, MicrophoneState, Phase, Snapshot
from novadesk.models import Role
from novadesk.ui.main_window import MainWindow
from novadesk.ui.notices import Notice, Notices
from novadesk.ui.preview_scenes import make_turns
from novadesk.ui.states import state_line
from novadesk.ui.tray import last_answer
from tests.ui.conftest import CannedRequests, RecordedIntents, drain

LOST = ErrorNote(layer="network", reason="network.link_lost", what="Connection lost.", advice="Wait.")
EXPIRED = ErrorNote(layer="credentials", reason="credentials.expired", what="AWS sign-in expired.", advice="Sign in.")
TURNS = make_turns(4, handle="h", now_ms=1_760_000_000_000)


@pytest.fixture
def told(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> list[Notice]:
    """A desktop with a tray, and what it is told."""
    found: list[Notice] = []
    monkeypatch.setattr(window.background.tray, "tell", found.append)
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", staticmethod(lambda: True))
    return found


# --- the icon and its menu ---


@pytest.mark.parametrize("phase", Phase)
def test_the_tray_says_every_state_in_words_and_has_a_picture(window: MainWindow, phase: Phase) -> None:
    tray = window.background.tray
    tray.show_snapshot(Snapshot(phase=phase, microphone=MicrophoneState.GATED))
    assert tray.icon.toolTip() == f"NovaDesk: {state_line(phase, MicrophoneState.GATED).word}"
    assert not tray.icon.icon().isNull()


def test_the_icon_is_touched_only_when_the_state_changes(window: MainWindow) -> None:
    tray = window.background.tray
    ready = Snapshot(phase=Phase.READY, microphone=MicrophoneState.GATED)
    tray.show_snapshot(ready)
    drawn = tray.icon.icon().cacheKey()
    tray.show_snapshot(replace(ready, turns=TURNS, notices=("Session renewed",), retry_in_s=2.0))
    assert tray.icon.icon().cacheKey() == drawn
    tray.show_snapshot(replace(ready, microphone=MicrophoneState.MUTED, muted=True))
    assert tray.icon.icon().cacheKey() != drawn


def test_the_menu_does_what_it_says(window: MainWindow, intents: RecordedIntents) -> None:
    tray = window.background.tray
    tray.show_snapshot(Snapshot(phase=Phase.ENDED))
    assert tray.talk.text() == "Start the conversation"
    assert not tray.copy.isEnabled()
    tray.talk.trigger()
    tray.show_snapshot(Snapshot(phase=Phase.READY, microphone=MicrophoneState.GATED, turns=TURNS))
    assert tray.talk.text() == "End the conversation"
    tray.talk.trigger()
    tray.mute.trigger()
    tray.show_snapshot(Snapshot(phase=Phase.READY, microphone=MicrophoneState.MUTED, muted=True, turns=TURNS))
    assert tray.mute.isChecked()
    tray.mute.trigger()
    tray.quit.trigger()
    assert intents.take() == [
        ("try_now",), ("end_conversation",), ("set_muted", True), ("set_muted", False), ("quit",),
    ]  # fmt: skip
    tray.copy.trigger()
    assert QGuiApplication.clipboard().text() == TURNS[3].text


def test_a_click_on_the_icon_or_on_a_notice_shows_the_window(window: MainWindow) -> None:
    tray, reason = window.background.tray, QSystemTrayIcon.ActivationReason
    ways = (
        tray.icon.messageClicked.emit,
        lambda: tray.icon.activated.emit(reason.Trigger),
        lambda: tray.icon.activated.emit(reason.DoubleClick),
        tray.show_window.trigger,
    )
    for way in ways:
        window.hide()
        way()
        assert window.isVisible()
    window.hide()
    tray.icon.activated.emit(reason.Context)  # the menu comes by itself
    assert not window.isVisible()


def test_the_last_answer_is_what_was_heard_of_it() -> None:
    assert last_answer(Snapshot()) == ""
    assert TURNS[3].role is Role.ASSISTANT
    cut = replace(TURNS[3], heard_chars=10)
    assert last_answer(Snapshot(turns=(*TURNS[:3], cut, TURNS[2]))) == cut.heard_text != TURNS[3].text


# --- closing ---


def test_closing_leaves_the_window_for_the_tray_and_says_so_once(
    window: MainWindow, intents: RecordedIntents, saved: list[Settings], told: list[Notice]
) -> None:
    window.close()
    assert not window.isVisible()
    assert [notice.title for notice in told] == ["NovaDesk is still running"]
    assert saved[-1].window.told_of_tray
    window.background.tray.wanted.emit()
    assert window.isVisible()
    window.close()
    assert (len(told), intents.take()) == (1, [])


def test_without_a_tray_it_says_so_once_and_minimises(
    window: MainWindow, intents: RecordedIntents, saved: list[Settings], qtbot: QtBot
) -> None:
    window.close()
    box = window.background.question
    assert box is not None
    assert not window.isMinimized()
    box.reject()
    drain()
    assert window.isMinimized()
    assert window.background.question is None
    window.come_forward()
    window.close()
    assert window.background.question is None
    assert window.isMinimized()
    assert (len(saved), intents.take()) == (1, [])


def test_who_wants_to_quit_by_closing_does(window: MainWindow, intents: RecordedIntents) -> None:
    window.settings.now = Settings(window=WindowSettings(close_to_tray=False))
    window.close()
    assert intents.take() == [("quit",)]


def test_a_hidden_start_shows_nothing_until_it_is_asked_for(window: MainWindow, told: list[Notice]) -> None:
    window.hide()
    window.begin(hidden=True)
    assert not window.isVisible()
    window.come_forward()
    assert window.isVisible()


# --- notices ---

READY = Snapshot(phase=Phase.READY, turns=TURNS)
SPEAKING = replace(READY, phase=Phase.SPEAKING)
TRYING = replace(READY, phase=Phase.RECONNECTING, error=LOST, attempt=1)
FAILED = replace(READY, phase=Phase.FAILED, error=EXPIRED)


@pytest.mark.parametrize(
    ("course", "titles"),
    [
        ((SPEAKING, TRYING, replace(TRYING, attempt=2), READY), ["The answer was cut off", "NovaDesk is back"]),
        ((READY, TRYING, READY), []),
        ((READY, FAILED, FAILED, READY), ["NovaDesk needs you", "NovaDesk is back"]),
        ((SPEAKING, TRYING, FAILED, READY), ["The answer was cut off", "NovaDesk needs you", "NovaDesk is back"]),
        ((SPEAKING, READY, replace(READY, phase=Phase.RENEWING), READY), []),
        ((READY, replace(READY, phase=Phase.ENDED), READY), []),
    ],
    ids=["cut off", "in a pause", "signed out", "cut off and signed out", "renewed", "ended"],
)
def test_each_outage_is_told_once_and_only_what_matters(course: tuple[Snapshot, ...], titles: list[str]) -> None:
    notices = Notices()
    found = [notices.look(snapshot, seen=False) for snapshot in course]
    assert [notice.title for notice in found if notice is not None] == titles


def test_who_looks_at_the_window_is_told_nothing() -> None:
    notices = Notices()
    assert [notices.look(snapshot, seen=True) for snapshot in (SPEAKING, TRYING, FAILED, READY)] == [None] * 4


def test_the_words_name_what_to_do() -> None:
    notice = Notices().look(FAILED, seen=False)
    assert notice is not None
    assert (notice.words, notice.bad) == ("AWS sign-in expired. Sign in.", True)


def test_the_window_hands_on_what_it_is_shown(
    window: MainWindow, told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    front: Callable[[], bool] = lambda: False  # noqa: E731 - as the method it stands for
    monkeypatch.setattr(window, "isActiveWindow", front)
    window.show_snapshot(SPEAKING)
    window.show_snapshot(TRYING)
    assert [notice.title for notice in told] == ["The answer was cut off"]


def test_where_there_is_no_tray_the_desktop_is_asked_to_show_them(
    window: MainWindow, requests: CannedRequests, qtbot: QtBot
) -> None:
    window.hide()
    assert not window.background.tray.available
    window.show_snapshot(READY)
    window.show_snapshot(FAILED)
    qtbot.waitUntil(lambda: ("notify", "NovaDesk needs you", "AWS sign-in expired. Sign in.") in requests.asked)


def test_icon_and_notices_are_the_persons_to_choose(
    window: MainWindow, told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    live, tray = window.settings, window.background.tray
    shown: list[bool] = []
    monkeypatch.setattr(tray.icon, "setVisible", shown.append)
    live.store(Settings(window=WindowSettings(tray=False)))
    assert not tray.available
    live.store(Settings(window=WindowSettings(notifications=False)))
    assert tray.available
    assert shown == [False, True]
    window.hide()
    for kept in (False, True):
        live.store(Settings(window=WindowSettings(notifications=kept)))
        for snapshot in (Snapshot(phase=Phase.READY), Snapshot(phase=Phase.FAILED, error=EXPIRED)):
            window.background.show_snapshot(snapshot)
        assert bool(told) is kept
