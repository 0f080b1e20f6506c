"""The person's account at a gateway, among the settings: in with the browser, a code or a token, and out again."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from novadesk.config import BackendSettings
from novadesk.conversation.firststeps import FirstSteps
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind, DeviceCode, SignInStanding
from novadesk.ui import gateway_account
from novadesk.ui.gateway_account import AccountBox
from novadesk.ui.main_window import MainWindow
from novadesk.ui.preview_core import CODE
from novadesk.ui.setting_extras import AccountRow
from novadesk.ui.setting_table import row_of
from novadesk.ui.settings_window import SettingsWindow
from tests.ui.conftest import drain

VOICE = "wss://voice.example.com"
PAGE = "https://id.example.com/authorize"


@dataclass
class Account:
    """Fits `AccountRequests`: answers at once, or waits for `go`."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    standing: SignInStanding = field(default_factory=lambda: SignInStanding(signed_in=False))
    error: KnownError | None = None
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def account_standing(self, backend: BackendSettings) -> SignInStanding:
        self.asked.append(("standing", backend.gateway))
        return self.standing

    async def account_sign_in(self, backend: BackendSettings, open_page: Callable[[str], None]) -> None:
        open_page(PAGE)
        await self._sign_in("browser", backend)

    async def account_sign_in_with_code(self, backend: BackendSettings, show: Callable[[DeviceCode], None]) -> None:
        show(CODE)
        await self._sign_in("code", backend)

    async def account_use_token(self, backend: BackendSettings, token: str) -> None:
        self.go.set()
        await self._sign_in(token, backend)

    async def account_sign_out(self, backend: BackendSettings) -> None:
        self.asked.append(("out", backend.gateway))
        if self.error is not None:
            raise self.error
        self.standing = SignInStanding(signed_in=False)

    async def _sign_in(self, way: str, backend: BackendSettings) -> None:
        self.asked.append((way, backend.gateway))
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.asked.append((way, "given up"))
            raise
        if self.error is not None:
            raise self.error
        self.standing = SignInStanding(signed_in=True, name="anna")


class Desktop:
    """Stands for the desktop that opens pages in the browser."""

    opened: list[str]
    has_browser = True

    @classmethod
    def openUrl(cls, url: QUrl) -> bool:
        cls.opened.append(url.toString())
        return cls.has_browser


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> type[Desktop]:
    monkeypatch.setattr(Desktop, "opened", [], raising=False)
    monkeypatch.setattr(gateway_account, "QDesktopServices", Desktop)
    return Desktop


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def row(window: MainWindow, account: Account, qtbot: QtBot) -> Iterator[AccountRow]:
    choose(window, gateway=VOICE)
    made = AccountRow(window.theme, window.settings, window._bridge, account)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: made.account.standing.text() == "You are not signed in.")
    yield made
    made.account.stop()


@pytest.fixture
def box(row: AccountRow) -> AccountBox:
    return row.account


def choose(window: MainWindow, *, gateway: str, kind: BackendKind = BackendKind.GATEWAY) -> None:
    live = window.settings
    live.store(replace(live.now, backend=replace(live.now.backend, kind=kind, gateway=gateway)))


def test_a_person_signs_in_with_the_browser_and_out_again(
    box: AccountBox, account: Account, desktop: type[Desktop], qtbot: QtBot, core_loop: asyncio.AbstractEventLoop
) -> None:
    assert not box.out.isVisible()
    qtbot.keyClick(box.browser, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: desktop.opened == [PAGE])
    assert box.note.text() == "Waiting for your sign-in in the browser…"
    assert box.browser.text() == "Stop"
    assert not any(part.isEnabled() for part in (box.device, box.take, box.pasted))
    core_loop.call_soon_threadsafe(account.go.set)
    qtbot.waitUntil(lambda: box.standing.text() == "You are signed in as anna.")
    assert (box.note.text(), box.browser.text()) == ("", "Sign in with the browser")
    assert box.out.isVisible()
    qtbot.mouseClick(box.out, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: box.standing.text() == "You are not signed in.")
    assert not box.out.isVisible()
    assert [asked for asked in account.asked if asked[0] != "standing"] == [("browser", VOICE), ("out", VOICE)]


def test_where_no_browser_opens_the_address_is_in_the_clipboard(
    box: AccountBox, desktop: type[Desktop], monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(desktop, "has_browser", False)
    box.browser.click()
    qtbot.waitUntil(lambda: box.note.bad)
    assert "in the clipboard" in box.note.text()
    assert QGuiApplication.clipboard().text() == PAGE


def test_a_code_is_shown_copied_and_its_page_opened(
    box: AccountBox, account: Account, desktop: type[Desktop], qtbot: QtBot, core_loop: asyncio.AbstractEventLoop
) -> None:
    box.device.click()
    qtbot.waitUntil(box.code_row.isVisible)
    assert (box.code.text(), box.address.text()) == (CODE.code, CODE.address)
    assert box.code.accessibleName() == f"Code to enter: {CODE.code}"
    assert box.note.text() == f"Go to {CODE.address} and enter the code {CODE.code}."
    box.copy.click()
    assert QGuiApplication.clipboard().text() == CODE.code
    box.open.click()
    assert desktop.opened == [CODE.whole_address]
    core_loop.call_soon_threadsafe(account.go.set)
    qtbot.waitUntil(lambda: box.standing.text() == "You are signed in as anna.")
    assert not box.code_row.isVisible()


def test_a_sign_in_is_given_up_with_its_button(box: AccountBox, account: Account, qtbot: QtBot) -> None:
    box.device.click()
    qtbot.waitUntil(box.code_row.isVisible)
    box.browser.click()
    qtbot.waitUntil(lambda: ("code", "given up") in account.asked)
    assert not box.code_row.isVisible()
    assert box.note.text() == "Stopped."
    assert box.device.isEnabled()


def test_what_fails_is_said(
    box: AccountBox, account: Account, desktop: type[Desktop], qtbot: QtBot, core_loop: asyncio.AbstractEventLoop
) -> None:
    account.error = KnownError(Reason.SIGN_IN_FAILED, "The sign-in was refused.", "Try again.")
    box.browser.click()
    qtbot.waitUntil(lambda: desktop.opened == [PAGE])
    core_loop.call_soon_threadsafe(account.go.set)
    qtbot.waitUntil(lambda: box.note.text().startswith("The sign-in was refused. Try again."))
    assert box.browser.isEnabled()
    account.standing = SignInStanding(signed_in=True)
    box.look()
    qtbot.waitUntil(box.out.isVisible)
    account.error = KnownError(Reason.KEYRING_LOCKED, "The keyring is locked.", "Unlock it.")
    box.out.click()
    qtbot.waitUntil(lambda: box.note.text().startswith("The keyring is locked. Unlock it."))
    assert box.out.isVisible()


def test_another_gateway_is_asked_for_anew_and_a_sign_in_to_the_one_before_is_given_up(
    row: AccountRow, account: Account, window: MainWindow, qtbot: QtBot
) -> None:
    row.account.device.click()
    qtbot.waitUntil(row.account.code_row.isVisible)
    choose(window, gateway="wss://other.example.com")
    qtbot.waitUntil(lambda: ("standing", "wss://other.example.com") in account.asked)
    assert ("code", "given up") in account.asked
    assert not row.account.code_row.isVisible()
    choose(window, gateway="wss://other.example.com", kind=BackendKind.PRACTICE)
    assert not row.account.isVisible()
    assert row.note.text() == "Only with a gateway."


def test_the_account_is_found_with_the_address_of_the_gateway(
    window: MainWindow, account: Account, qtbot: QtBot
) -> None:
    choose(window, gateway=VOICE)
    opened = SettingsWindow(
        window.settings,
        window._bridge,
        window._requests,
        window._intents,
        window.theme,
        window,
        steps=cast("FirstSteps", account),
    )
    with qtbot.waitExposed(opened):
        opened.show()
    opened.show_row("backend", "gateway")
    shown = opened.page.extras[row_of("backend", "gateway")]
    assert isinstance(shown, AccountRow)
    qtbot.keyClicks(shown.account.pasted, "the-token")
    qtbot.keyClick(shown.account.pasted, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shown.account.standing.text() == "You are signed in as anna.")
    assert ("the-token", VOICE) in account.asked
    assert opened.isVisible()
    opened.sidebar.search.setText("sign in URL")
    assert shown.isVisible()
    opened.sidebar.search.setText("temperature")
    assert not shown.isVisible()
    opened.close()
    drain()
