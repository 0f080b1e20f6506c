"""Every window and menu beside the main one: how it is opened, and how to walk all of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from novadesk.builtin_scenarios import BUILT_IN
from novadesk.conversation.updateapi import Offer
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.settings_export import export_text
from novadesk.ui.crash_dialog import CrashDialog
from novadesk.ui.main_window import MainWindow
from novadesk.ui.offer_dialog import OfferDialog
from novadesk.ui.preview_core import CODE
from novadesk.ui.setting_extras import AccountRow
from novadesk.ui.setting_rows import Page
from novadesk.ui.setting_table import row_of
from novadesk.ui.start_error import StartError
from novadesk.ui.wizard import Wizard
from tests.ui.conftest import drain

LATE = KnownError(Reason.TIMED_OUT, "NovaDesk took too long to answer.", "Try again in a moment.")
OFFER = Offer(version="0.2.0", page="https://example.com/0.2.0", notes=(("en", "What is new."), ("de", "Neues.")))
CRASH = "NovaDesk crash report, 2027-01-15 08:00:00 UTC"


def _settings(page: Page, window: MainWindow) -> None:
    window.show_settings()
    assert window.door.window is not None
    window.door.window.sidebar.choose(page)


def _account(window: MainWindow) -> None:
    live, row = window.settings, row_of("backend", "gateway")
    backend = replace(live.now.backend, kind=BackendKind.GATEWAY, gateway="wss://voice.example.com")
    live.remember(replace(live.now, backend=backend))
    window.show_settings("backend", "gateway")
    assert window.door.window is not None
    account = window.door.window.page.extras[row]
    assert isinstance(account, AccountRow)
    account.account.show_code(CODE)


def _import(window: MainWindow) -> None:
    window.show_settings()
    assert window.door.window is not None
    text = export_text(window.settings.now).replace('"matthew"', '"tiffany"')
    window.door.window.transfer.offer(text.encode(), Path("other.toml"))


def _wizard(page: int, window: MainWindow) -> None:
    window.show_first_steps()
    assert isinstance(window.dialog, Wizard)
    while window.dialog.at < page:
        window.dialog.skip()


def _bundle(window: MainWindow) -> None:
    window.beside.show_diagnostics()
    assert window.beside.diagnostics is not None
    window.beside.diagnostics.show_bundle()


def _event_log(window: MainWindow) -> None:
    window.beside.show_inspector()
    assert window.beside.inspector is not None
    window.beside.inspector.tabs.setCurrentIndex(1)


def _correct(window: MainWindow) -> None:
    window.conversation.turns.setCurrentIndex(window.conversation.model.index(0))
    window.conversation.does.correct()


def _row_menu(window: MainWindow) -> None:
    rows = window.history.list
    index = window.history.model.index(1)
    rows.setCurrentIndex(index)
    rows.show_menu(index, QPoint(4, 4))


def _tray_menu(window: MainWindow) -> None:
    window.background.tray.menu.popup(QPoint(0, 0))


DIALOGS: dict[str, Callable[[MainWindow], object]] = {
    **{f"settings, {page.name}": partial(_settings, page) for page in Page},
    "import": _import,
    **{f"first steps {page + 1}": partial(_wizard, page) for page in range(5)},
    "diagnostics": lambda window: window.beside.show_diagnostics(),
    "bundle": _bundle,
    "inspector": lambda window: window.beside.show_inspector(),
    "event log": _event_log,
    "crash": lambda window: CrashDialog(window.theme, CRASH, live=True, on_restart=lambda: None, parent=window).show(),
    "failed start": lambda window: StartError(window.theme, LATE, window).show(),
    "offer": lambda window: OfferDialog(window.theme, OFFER, window.settings, window).show(),
    "about": MainWindow.show_about,
    "keys": MainWindow.show_keys,
    "scenarios": lambda window: window.scenarios.manage(),
    "form of a scenario": lambda window: window.scenarios.choose(BUILT_IN[0]),
    "change": lambda window: window.scenarios.change(),
    "export": lambda window: window.history.actions_on.export(None),
    "clear": lambda window: window.history.actions_on.ask_to_clear(),
    "correct": _correct,
    "account": _account,  # last: from then on a gateway is set
}

MENUS: dict[str, Callable[[MainWindow], object]] = {
    "new": lambda window: window.history.show_new_menu(),
    "all": lambda window: window.history.show_more_menu(),
    "row": _row_menu,
    "turn": lambda window: window.conversation.does.show_menu(QPoint(4, 4)),
    "tray": _tray_menu,
}


def beside(window: MainWindow) -> list[QWidget]:
    """Return the windows and menus that are open beside the main one, the newest last."""
    return [one for one in QApplication.topLevelWidgets() if one.isVisible() and one is not window]


def close_all(window: MainWindow) -> None:
    """Close them all, the newest first."""
    for top in reversed(beside(window)):
        top.close()
    drain()


def open_each(window: MainWindow, qtbot: QtBot) -> Iterator[str]:
    """Open each, one after the other, and yield its name."""
    window.toggle_details()
    yield "details"
    window.toggle_details()
    for name, open_one in (*DIALOGS.items(), *MENUS.items()):
        open_one(window)
        qtbot.waitUntil(lambda: bool(beside(window)))
        yield name
        close_all(window)
