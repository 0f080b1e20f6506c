"""Pictures of the history and of what is done to turns: each begins with a scene and leads the window to its state."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QItemSelectionModel
from PySide6.QtWidgets import QWidget

from novadesk.config import HistorySettings
from novadesk.conversation.api import Snapshot
from novadesk.models import SyncState
from novadesk.ui.export_dialog import ExportDialog
from novadesk.ui.filter_bar import Span
from novadesk.ui.main_window import MainWindow

_PASSES = 25
"""Rounds of the loop, not a time: on a busy machine each takes longer, and still brings what was asked for."""

_LOOK_S = 0.02

type Act = Callable[[MainWindow], Awaitable[QWidget]]


async def settle() -> None:
    """Let answers arrive and the window be laid out."""
    for _ in range(_PASSES):
        await asyncio.sleep(0.01)


async def load(window: MainWindow) -> None:
    """Let the list of conversations arrive."""
    while not window.history.model.conversations:  # noqa: ASYNC110 - a picture waits for what no event tells
        await asyncio.sleep(_LOOK_S)


async def _dialog(window: MainWindow) -> QWidget:
    """Return the dialog that has been asked for."""
    while window.history.actions_on.dialog is None:  # noqa: ASYNC110 - a picture waits for what no event tells
        await asyncio.sleep(_LOOK_S)
    return window.history.actions_on.dialog


def pictures_of_history(scenes: Mapping[str, Snapshot]) -> dict[str, tuple[Snapshot, Act]]:
    """Return the pictures by name."""
    ready, corrected = scenes["ready"], _corrected(scenes["ready"])
    return {
        "deleted": (ready, _deleted),
        "clearing": (ready, _clearing),
        "filters": (ready, _filters),
        "several": (ready, _several),
        "several_menu": (ready, _several_menu),
        "all_menu": (ready, _all_menu),
        "kept": (ready, _kept),
        "exporting": (ready, _exporting),
        "exporting_several": (ready, _exporting_several),
        "export_under_way": (ready, _under_way),
        "exported": (ready, _exported),
        "corrected": (corrected, _plain),
        "corrected_open": (corrected, _opened),
        "correcting": (corrected, _correcting),
        "turn_menu": (corrected, _turn_menu),
        "lines": (replace(ready, notices=_LINES), _plain),
        "lines_open": (replace(ready, notices=_LINES), _opened),
        "passing": (ready, _passing),
    }


_LINES = ("Connection lost.", "Back after 4 s. 12 turns carried over.", "Session renewed")


def _corrected(ready: Snapshot) -> Snapshot:
    turns = tuple(replace(turn, sync=SyncState.SYNCED) for turn in ready.turns)
    words = "Aspirin, mostly the low-dose tablets for patients over sixty-five."
    return replace(ready, turns=(*turns[:2], replace(turns[2], edited=words), *turns[3:]), pending_sync=0)


async def _plain(window: MainWindow) -> QWidget:
    return window


async def _deleted(window: MainWindow) -> QWidget:
    window.history.actions_on.delete([window.history.model.conversations[1].handle], False)
    return window


async def _clearing(window: MainWindow) -> QWidget:
    window.history.actions_on.ask_to_clear()
    return await _dialog(window)


async def _filters(window: MainWindow) -> QWidget:
    window.history.show_filters()
    window.history.filters.when.setCurrentIndex(window.history.filters.when.findData(Span.CHOSEN))
    return window


async def _several(window: MainWindow) -> QWidget:
    rows = window.history.list
    window.activateWindow()
    rows.setFocus()
    for number in (1, 2, 4):
        rows.selectionModel().select(window.history.model.index(number), QItemSelectionModel.SelectionFlag.Select)
    return window


async def _several_menu(window: MainWindow) -> QWidget:
    await _several(window)
    rows = window.history.list
    index = window.history.model.index(2)
    rows.show_menu(index, rows.visualRect(index).center())
    return rows.menu or window


async def _all_menu(window: MainWindow) -> QWidget:
    window.history.show_more_menu()
    return window.history.menu or window


async def _kept(window: MainWindow) -> QWidget:
    window.history.show_keeping(HistorySettings(keep_days=30))
    window.show_snapshot(replace(window.snapshot, history_note="3 conversations older than 30 days deleted."))
    return window


async def _exporting(window: MainWindow) -> QWidget:
    window.history.actions_on.export([window.history.model.conversations[0].handle])
    return await _dialog(window)


async def _exporting_several(window: MainWindow) -> QWidget:
    window.history.actions_on.export(None)
    return await _dialog(window)


async def _under_way(window: MainWindow) -> QWidget:
    return await _started(window, Path("forever.zip"))


async def _exported(window: MainWindow) -> QWidget:
    return await _started(window, Path("/home/ada/Documents/2026-03-10 Conversations.zip"))


async def _started(window: MainWindow, target: Path) -> QWidget:
    window.history.actions_on.export(None)
    dialog = await _dialog(window)
    assert isinstance(dialog, ExportDialog)
    dialog.start(target)
    await settle()
    return dialog


async def _opened(window: MainWindow) -> QWidget:
    model = window.conversation.model
    for number in reversed(range(model.rowCount())):
        model.toggle(model.index(number))
    return window


async def _choose_turn(window: MainWindow) -> None:
    turns = window.conversation.turns
    window.activateWindow()
    turns.setFocus()
    turns.setCurrentIndex(window.conversation.model.index(2))


async def _correcting(window: MainWindow) -> QWidget:
    await _choose_turn(window)
    window.conversation.does.correct()
    return window.conversation.does.dialog or window


async def _turn_menu(window: MainWindow) -> QWidget:
    await _choose_turn(window)
    window.conversation.does.show_menu(window.conversation.turns.viewport().rect().center())
    return window.conversation.does.menu or window


async def _passing(window: MainWindow) -> QWidget:
    window.conversation.say("A private conversation is kept nowhere. Copy it instead.")
    return window
