"""Draw every state of the window to PNG files: `python -m novadesk.ui.preview OUT_DIR [NAME…]`.

NOVADESK_PREVIEW_FONT_PX sets the size of the system's font, such as 26 for 200 %; NOVADESK_CONTRAST=high the palette;
NOVADESK_LANGUAGE the language, such as "de" or "pseudo".
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import qasync
from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QWidget

from novadesk.config import Settings
from novadesk.conversation.api import Snapshot
from novadesk.errors import KnownError, Reason
from novadesk.models import BackendKind
from novadesk.ui.bridge import Bridge
from novadesk.ui.bundle_dialog import BundleDialog
from novadesk.ui.crash_dialog import CrashDialog
from novadesk.ui.i18n import use_language
from novadesk.ui.main_window import MainWindow
from novadesk.ui.preview_core import PreviewRequests, PreviewSteps, SilentIntents
from novadesk.ui.preview_pictures import Act, load, pictures_of_history, settle
from novadesk.ui.preview_scenarios import scenario_pictures
from novadesk.ui.preview_scenes import make_conversations, scenes
from novadesk.ui.preview_settings import keys_scenes, settings_scenes
from novadesk.ui.start_error import StartError
from novadesk.ui.theme import Scheme
from novadesk.ui.wizard import Wizard
from novadesk.ui.wizard_access import AccessPage
from novadesk.ui.wizard_sound import MicrophonePage, SpeakerPage
from novadesk.ui.wizard_talk import TryPage

_GONE_S = 0.01
"""Long enough for the loop to delete what is to be deleted."""


async def _draw(out: Path, name: str, snapshot: Snapshot, act: Act, scheme: Scheme, now_ms: int) -> None:
    bridge = Bridge(asyncio.get_running_loop())
    requests = PreviewRequests(make_conversations(now_ms), snapshot.turns)
    window = MainWindow(
        bridge, SilentIntents(), requests, Settings(), lambda _settings: None, scheme=scheme, steps=PreviewSteps()
    )
    window.show()
    window.show_snapshot(snapshot)
    await load(window)
    subject = await act(window)
    await settle()
    subject.grab().save(str(out / f"{name}-{scheme.value}.png"))
    window.finish()
    bridge.close()
    window.deleteLater()
    bridge.deleteLater()
    await asyncio.sleep(_GONE_S)


def _sized(width: int, height: int) -> Act:
    async def act(window: MainWindow) -> QWidget:
        window.resize(window.theme.px(width), window.theme.px(height))
        return window

    return act


def _dialog(show: Callable[[MainWindow], None]) -> Act:
    async def act(window: MainWindow) -> QWidget:
        show(window)
        return window.dialog or window

    return act


async def _plain(window: MainWindow) -> QWidget:
    return window


async def _details(window: MainWindow) -> QWidget:
    window.toggle_details()
    return window


async def _answer_time(window: MainWindow) -> QWidget:
    answers = window.panel.controls.answers
    answers.show_parts()
    return answers.popover or window


async def _diagnostics(window: MainWindow) -> QWidget:
    window.beside.show_diagnostics()
    return window.beside.diagnostics or window


async def _mini_strip(window: MainWindow) -> QWidget:
    window.background.toggle_strip()
    return window.background.strip or window


async def _inspector(window: MainWindow) -> QWidget:
    window.beside.show_inspector()
    if window.beside.inspector is not None:
        window.beside.inspector.on_snapshot(window.snapshot)
    return window.beside.inspector or window


async def _event_log(window: MainWindow) -> QWidget:
    window.beside.show_inspector()
    if window.beside.inspector is not None:
        window.beside.inspector.tabs.setCurrentIndex(1)
    return window.beside.inspector or window


async def _start_error(window: MainWindow) -> QWidget:
    error = KnownError(
        Reason.STORE_LOCKED,
        "Another program keeps the store of the conversations locked.",
        "Close whatever has it open, such as a backup, and start NovaDesk again.",
    )
    box = StartError(window.theme, error)
    box.show()
    return box


async def _bundle(window: MainWindow) -> QWidget:
    window.beside.show_diagnostics()
    if window.beside.diagnostics is not None:
        window.beside.diagnostics.show_bundle()
        return window.beside.diagnostics.findChild(BundleDialog) or window
    return window


async def _crash(window: MainWindow) -> QWidget:
    report = (
        "NovaDesk crash report, 2027-01-15 08:00:00 UTC\n\n## What happened\nwhere: core thread\n"
        "Traceback (most recent call last):\n"
        '  File "novadesk/conversation/wire.py", line 207, in _run\n'
        '  File "novadesk/transport/http2.py", line 151, in receive\nRuntimeError\n\n'
        "## Program\nversion: 0.1.0\nsystem: Linux 6.1.0\n"
    )
    dialog = CrashDialog(window.theme, report, live=True, on_restart=lambda: None, parent=window)
    dialog.show()
    return dialog


def _first_steps(page: int) -> Act:
    async def act(window: MainWindow) -> QWidget:
        window.show_first_steps()
        wizard = window.dialog
        assert isinstance(wizard, Wizard)
        for _ in range(page):
            wizard.skip()
        await settle()
        match wizard.page:
            case AccessPage() as where:
                where.kinds[BackendKind.BEDROCK].setChecked(True)
                where.kinds[BackendKind.BEDROCK].setFocus()
                where.policy.click()
                where.toggle()
            case MicrophonePage() | SpeakerPage() as sound:
                sound.toggle()
            case TryPage() as trying:
                trying.show_snapshot(window.snapshot)
        return wizard

    return act


async def _sidebar(window: MainWindow) -> QWidget:
    window.resize(window.theme.px(400), window.theme.px(560))
    await settle()
    window.panes.show_sidebar(True)
    return window


async def _new_menu(window: MainWindow) -> QWidget:
    window.history.show_new_menu()
    return window.history.menu or window


async def _row_menu(window: MainWindow) -> QWidget:
    await settle()
    rows = window.history.list
    index = window.history.model.index(4)
    rows.setFocus()
    rows.setCurrentIndex(index)
    rows.show_menu(index, rows.visualRect(index).center())
    return rows.menu or window


async def _searching(window: MainWindow) -> QWidget:
    window.history.search.setText("sm")
    await settle()
    return window


async def _renaming(window: MainWindow) -> QWidget:
    window.activateWindow()
    await settle()
    window.history.list.setFocus()
    window.history.list.rename(window.history.model.index(2))
    window.history.sync.say("Stopped. What is here stays.")
    return window


async def _scrolled(window: MainWindow) -> QWidget:
    await settle()
    turns = window.conversation.turns
    turns.verticalScrollBar().setValue(turns.verticalScrollBar().maximum() // 2)
    turns.setFocus()
    turns.setCurrentIndex(turns.indexAt(turns.viewport().rect().center()))
    return window


async def _opened(window: MainWindow) -> QWidget:
    model = window.conversation.model
    for number in range(model.rowCount()):
        model.toggle(model.index(number))
    return window


def _pictures(now_ms: int) -> dict[str, tuple[Snapshot, Act]]:
    by_name = scenes(now_ms)
    ready = by_name["ready"]
    return {
        **{name: (snapshot, _plain) for name, snapshot in by_name.items()},
        "interrupted_open": (by_name["interrupted"], _opened),
        "narrow": (by_name["speaking"], _sized(400, 560)),
        "narrow_failed": (by_name["failed"], _sized(400, 640)),
        "narrow_sidebar": (ready, _sidebar),
        "narrow_private": (by_name["private"], _sized(400, 560)),
        "narrow_sync_off": (by_name["sync_off"], _sized(400, 560)),
        "new_menu": (ready, _new_menu),
        "row_menu": (ready, _row_menu),
        "searching": (by_name["ready"], _searching),
        "renaming": (by_name["recovered"], _renaming),
        **pictures_of_history(by_name),
        "wide": (by_name["speaking"], _sized(1680, 960)),
        "scrolled": (by_name["long"], _scrolled),
        "details": (ready, _details),
        **{name: (ready, act) for name, act in settings_scenes().items()},
        **keys_scenes(ready),
        "answer_time": (ready, _answer_time),
        "narrow_sound": (by_name["silent_microphone"], _sized(400, 560)),
        "narrow_echo": (by_name["loud_echo"], _sized(400, 560)),
        "diagnostics": (ready, _diagnostics),
        **{f"first_steps_{number + 1}": (ready, _first_steps(number)) for number in range(5)},
        "bundle": (ready, _bundle),
        "start_error": (ready, _start_error),
        "inspector": (by_name["speaking"], _inspector),
        "event_log": (by_name["speaking"], _event_log),
        "crash": (ready, _crash),
        "mini_strip": (by_name["listening"], _mini_strip),
        "mini_strip_failed": (by_name["failed"], _mini_strip),
        "keys": (ready, _dialog(MainWindow.show_keys)),
        "about": (ready, _dialog(MainWindow.show_about)),
        **scenario_pictures(ready),
    }


async def _draw_all(out: Path, wanted: set[str], now_ms: int) -> None:
    for scheme in (Scheme.LIGHT, Scheme.DARK):
        for name, (snapshot, act) in _pictures(now_ms).items():
            if not wanted or name in wanted:
                await _draw(out, name, snapshot, act, scheme, now_ms)


def _tell(_kind: QtMsgType, _where: QMessageLogContext, words: str) -> None:
    """Pass on what Qt says, but for what a screen that nobody sees cannot do."""
    if not words.startswith("This plugin does not support"):
        sys.stderr.write(f"{words}\n")


def main(arguments: list[str]) -> int:
    """Write the pictures and return an exit code."""
    if not arguments:
        sys.stderr.write("Usage: python -m novadesk.ui.preview OUT_DIR [NAME…]\n")
        return 2
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    qInstallMessageHandler(_tell)
    app = QApplication(["novadesk"])
    app.setQuitOnLastWindowClosed(False)
    size = os.environ.get("NOVADESK_PREVIEW_FONT_PX")
    if size:
        font = app.font()
        font.setPixelSize(int(size))
        app.setFont(font)
    use_language(os.environ.get("NOVADESK_LANGUAGE", "en"))
    with qasync.QEventLoop(app) as loop:
        loop.run_until_complete(_draw_all(out, set(arguments[1:]), int(time.time() * 1000)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
