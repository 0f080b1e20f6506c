"""A newer NovaDesk in the window: one quiet line, its notes, the way to the page, and the version that is skipped."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

import novadesk
from novadesk.config import Settings, UpdateSettings
from novadesk.conversation.api import Snapshot
from novadesk.conversation.updateapi import Unasked, UpdateStanding
from novadesk.errors import KnownError, Reason
from novadesk.text import Text
from novadesk.ui.i18n import use_language
from novadesk.ui.main_window import MainWindow
from novadesk.ui.offer_dialog import OfferDialog
from novadesk.ui.offer_note import OfferNote
from novadesk.ui.setting_table import row_of
from novadesk.ui.settings_window import SettingsWindow
from novadesk.ui.update_row import UpdateRow
from tests.ui.conftest import NEWEST, CannedRequests, drain
from tests.ui.windows import OFFER

THERE = Snapshot(update=OFFER)
NEXT = replace(OFFER, version="0.3.0")


@pytest.fixture
def opened_pages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Take the addresses that a browser would open; empty the list's last one to have none open."""
    pages: list[str] = []

    def open_page(address: QUrl) -> bool:
        pages.append(address.toString())
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", open_page)
    return pages


def line(window: MainWindow, snapshot: Snapshot) -> str:
    window.show_snapshot(snapshot)
    note = window.panel.offer
    assert note is None or note.isVisible() is bool(note.words.text())
    return "" if note is None else note.words.text()


def note_of(window: MainWindow) -> OfferNote:
    assert window.panel.offer is not None
    return window.panel.offer


def dialog(window: MainWindow, qtbot: QtBot) -> OfferDialog:
    qtbot.mouseClick(note_of(window).way_out, Qt.MouseButton.LeftButton)
    (found,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, OfferDialog) and one.isVisible()]
    return found


def test_without_a_newer_version_nothing_is_made_for_it(window: MainWindow) -> None:
    assert line(window, Snapshot()) == ""
    assert window.panel.offer is None


def test_a_newer_version_is_one_line_that_leads_to_its_notes_and_its_page(
    window: MainWindow, qtbot: QtBot, opened_pages: list[str]
) -> None:
    assert line(window, THERE) == "NovaDesk 0.2.0 is there."
    shown = dialog(window, qtbot)
    assert shown.heading.text() == "NovaDesk 0.2.0 is there."
    assert shown.notes.toPlainText() == "What is new."
    qtbot.mouseClick(shown.page, Qt.MouseButton.LeftButton)
    assert opened_pages == [OFFER.page]
    drain()
    assert line(window, THERE) == "NovaDesk 0.2.0 is there."
    assert line(window, Snapshot()) == ""


def test_where_no_browser_opens_the_address_is_said(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _address: False)
    line(window, THERE)
    shown = dialog(window, qtbot)
    qtbot.mouseClick(shown.page, Qt.MouseButton.LeftButton)
    assert shown.isVisible()
    assert shown.note.text() == f"No browser opens. The page is {OFFER.page}"
    shown.close()
    drain()


def test_a_version_that_is_skipped_is_never_told_of_again(
    window: MainWindow, qtbot: QtBot, saved: list[Settings]
) -> None:
    line(window, THERE)
    qtbot.mouseClick(dialog(window, qtbot).skip, Qt.MouseButton.LeftButton)
    drain()
    assert saved[-1].updates.skipped == "0.2.0"
    assert line(window, THERE) == ""
    assert line(window, replace(THERE, pending_sync=1)) == ""
    assert line(window, Snapshot(update=NEXT)) == "NovaDesk 0.3.0 is there."


def test_closed_it_is_quiet_until_the_next_start(window: MainWindow, qtbot: QtBot, saved: list[Settings]) -> None:
    line(window, THERE)
    qtbot.mouseClick(note_of(window).close_button, Qt.MouseButton.LeftButton)
    assert line(window, replace(THERE, pending_sync=1)) == ""
    assert saved == []
    assert line(window, Snapshot(update=NEXT))


def test_a_version_that_does_not_run_here_is_no_line(window: MainWindow) -> None:
    assert line(window, Snapshot(update=replace(OFFER, unfit="It needs glibc 2.40."))) == ""


def test_the_way_of_tab_leads_through_it(window: MainWindow) -> None:
    line(window, THERE)
    note = note_of(window)
    stops = [note.way_out, note.close_button]
    assert window.panel.keys.close_button.nextInFocusChain() is stops[0]
    assert stops[0].nextInFocusChain() is stops[1]
    assert note.parentWidget() is window.panel.controls.parentWidget()
    assert note.geometry().bottom() <= window.panel.controls.geometry().top() + 1


def test_the_notes_come_in_the_language_of_the_person(window: MainWindow, qtbot: QtBot) -> None:
    line(window, THERE)
    use_language("de")
    try:
        shown = OfferDialog(window.theme, OFFER, window.settings, window)
        qtbot.addWidget(shown)
        assert shown.notes.toPlainText() == "Neues."
        assert shown.heading.text() == "NovaDesk 0.2.0 ist da."
    finally:
        use_language("en")


# --- among the settings ---


@pytest.fixture
def row(opened: SettingsWindow, requests: CannedRequests, qtbot: QtBot) -> Callable[[UpdateStanding], UpdateRow]:
    def look(standing: UpdateStanding) -> UpdateRow:
        requests.standing = standing
        made = UpdateRow(opened._theme, opened.live, opened._bridge, requests)
        qtbot.addWidget(made)
        made.show()
        qtbot.waitUntil(lambda: bool(made.note.text()))
        return made

    return look


HERE = "This is version 0.1.0"
SAID: list[tuple[UpdateStanding, str, bool, bool]] = [
    (NEWEST, f"{HERE}. Nobody was asked yet whether there is a newer one.", True, False),
    (replace(NEWEST, checked_ms=1_790_000_000_000), f"{HERE}, the newest when it was checked: 9/21/26", True, False),
    (replace(NEWEST, offer=OFFER), f"{HERE}. NovaDesk 0.2.0 is there.", True, True),
    (replace(NEWEST, offer=replace(OFFER, unfit="It needs glibc 2.40.")), "is there. It needs glibc 2.40.", True, True),
    (replace(NEWEST, trouble=Text("It is down.")), f"{HERE}. It is down.", True, False),
    (replace(NEWEST, unasked=Unasked.OFF), f"{HERE}. Nobody was asked yet", True, False),
    (replace(NEWEST, unasked=Unasked.SOURCE), f"{HERE}. NovaDesk runs from its source here", False, False),
    (replace(NEWEST, unasked=Unasked.MANAGED), f"{HERE}. NovaDesk was installed as a package of your", False, False),
    (replace(NEWEST, unasked=Unasked.NO_FEED), f"{HERE}. There is no public place yet", False, False),
]


@pytest.mark.parametrize(("standing", "words", "check", "news"), SAID)
def test_the_settings_say_how_things_stand(
    row: Callable[[UpdateStanding], UpdateRow], standing: UpdateStanding, words: str, check: bool, news: bool
) -> None:
    shown = row(standing)
    assert words in shown.note.text()
    assert (shown.check.isVisible(), shown.news.isVisible()) == (check, news)


def test_check_now_asks_and_says_what_came_of_it(
    row: Callable[[UpdateStanding], UpdateRow], requests: CannedRequests, qtbot: QtBot
) -> None:
    shown = row(NEWEST)
    requests.error = KnownError(Reason.FEED_REFUSED, "The update feed is not signed.", "NovaDesk asks again tomorrow.")
    qtbot.mouseClick(shown.check, Qt.MouseButton.LeftButton)
    assert shown.note.text() == "Checking…"
    assert not shown.check.isEnabled()
    qtbot.waitUntil(shown.check.isEnabled)
    assert shown.note.text().startswith("The update feed is not signed.")
    assert shown.note.bad
    requests.error, requests.standing = None, replace(NEWEST, offer=OFFER)
    qtbot.mouseClick(shown.check, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(shown.news.isVisible)
    assert "NovaDesk 0.2.0 is there." in shown.note.text()
    assert requests.asked.count(("check_updates",)) == 2


def test_a_switch_is_used_at_once_and_there_is_nothing_to_switch_without_a_feed(
    opened: SettingsWindow, requests: CannedRequests, qtbot: QtBot
) -> None:
    place = row_of("updates", "check")
    assert place is not None
    assert place.missing(opened.live.now) == "There is no public address for it yet."
    assert isinstance(opened.page.extras[row_of("updates", "feed")], UpdateRow)
    told = UpdateSettings(check=False, feed="https://example.com/{channel}.json")
    opened.live.store(replace(opened.live.now, updates=told))
    assert place.missing(opened.live.now) == ""
    qtbot.waitUntil(lambda: ("use_updates", told) in requests.asked)


def test_the_version_of_the_dialog_is_the_one_that_runs(window: MainWindow, qtbot: QtBot) -> None:
    line(window, THERE)
    shown = dialog(window, qtbot)
    this = f"This is version {novadesk.__version__}."
    assert any(one.text().startswith(this) for one in shown.findChildren(QLabel))
    shown.close()
    drain()
