"""The history part of `desktop.py`: open, scroll, jump and search among 100,000 turns, in the real window.

A frame is the work of the main thread from a turn of the wheel, or a key, until its rows are painted and everything
that came meanwhile is taken in, such as the next page of turns: a long frame is a window that hangs. It is counted in
that thread's own processor time, which other programs do not make longer; the rest is what a clock on the wall shows.
"""

import argparse
import asyncio
import itertools
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import qasync
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QListView

from benchmarks.sheet import Rule, Sheet
from benchmarks.store import START_MS, TURNS_OF_ONE, fill, p95, searches, words
from novadesk.app.corethread import CoreThread
from novadesk.app.shelf import OpenShelf
from novadesk.config import Settings
from novadesk.conversation.api import Requests, Snapshot
from novadesk.models import BackendKind, Conversation
from novadesk.store.conversations import Conversations
from novadesk.store.database import Database
from novadesk.ui.bridge import Bridge
from novadesk.ui.history_loader import TYPING_MS
from novadesk.ui.main_window import MainWindow
from novadesk.ui.preview_core import SilentIntents
from novadesk.ui.theme import Scheme

OPEN_MS = 300.0
FRAME_MS = 1000 / 60
HANG_MS = 50.0
"""Longest step of the main thread, 99 of 100: what people do not notice as a hang."""

SEARCH_MS, SEARCH_GOAL_MS = 200.0 + TYPING_MS, 50.0 + TYPING_MS
"""From the last key to painted hits: what the store may take, after the rest that a key is given."""

LONG = "session_1780000000000_abcdefghijklmnopqrstuvwxyz"
FRAMES = 600
PAGES = 200
SEARCHES = 30
_NOTCH = 120
_REST_S = 0.004
_PATIENCE_S = 60.0


class Shelf(OpenShelf):
    """The part of the core that answers the history, over a store of its own."""

    def __init__(self, file: Path) -> None:
        self.database = Database(file)
        self._archive = Conversations(self.database)

    async def open_long(self) -> Snapshot:
        """Return what the core publishes once the long conversation is open."""
        found = await self._archive.find(LONG)
        turns = await self._archive.turns(LONG, limit=200)
        return Snapshot(conversation=found, turns=tuple(turns), store_revision=1)


def measure(sheet: Sheet, chosen: argparse.Namespace) -> None:
    """Print every figure of the history."""
    application = QApplication.instance() or QApplication(["novadesk"])
    cast(QApplication, application).setQuitOnLastWindowClosed(False)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder, qasync.QEventLoop(application) as loop:
        loop.run_until_complete(_measure(Path(folder) / "novadesk.db", chosen.turns, sheet))


async def _measure(file: Path, turns: int, sheet: Sheet) -> None:
    thread, shelf, source = CoreThread(), Shelf(file), words()
    core_loop = thread.start()
    try:
        await asyncio.wrap_future(thread.submit(shelf.database.open))
        await asyncio.wrap_future(thread.submit(lambda: shelf.database.run(lambda db: fill(db, turns, source))))
        await asyncio.wrap_future(thread.submit(lambda: shelf.database.run(lambda db: fill_one(db, turns, source))))
        sheet.note(f"{turns:,} turns in {turns // TURNS_OF_ONE:,} conversations, and {turns:,} in a single one")
        bridge = Bridge(core_loop)
        requests = cast(Requests, shelf)
        window = MainWindow(bridge, SilentIntents(), requests, Settings(), lambda _settings: None, scheme=Scheme.LIGHT)
        bench = Bench(window, sheet)
        await bench.first_page()
        await bench.open_long(lambda: thread.submit(shelf.open_long))
        await bench.scroll_turns(turns)
        await bench.jump(turns)
        await bench.scroll_history(turns // TURNS_OF_ONE + 1)
        await bench.search(searches(source)[:SEARCHES])
        window.finish()
        bridge.close()
        window.deleteLater()
        await asyncio.sleep(0)
    finally:
        await asyncio.wrap_future(thread.submit(shelf.database.close))
        thread.stop()


def fill_one(db: sqlite3.Connection, turns: int, source: Iterator[str]) -> None:
    """Write one delivered conversation of so many turns."""
    made = Conversation(
        handle=LONG,
        label="endless-river-100",
        title="",
        backend=BackendKind.PRACTICE,
        created_ms=START_MS,
        updated_ms=START_MS + turns,
    )
    (number,) = db.execute(
        "INSERT INTO conversation (handle, label, title, backend, created_ms, updated_ms, turns)"
        " VALUES (?,?,?,?,?,?,?) RETURNING number",
        (made.handle, made.label, "", made.backend.value, made.created_ms, made.updated_ms, turns),
    ).fetchone()
    db.executemany(
        "INSERT INTO turn (turn_id, conversation, position, role, text, at_ms, wire_session, sync)"
        " VALUES (?,?,?,?,?,?,'w','synced')",
        (
            (
                f"{LONG}-{place}",
                number,
                place,
                ("user", "assistant")[place % 2],
                " ".join(itertools.islice(source, (10, 30)[place % 2])),
                START_MS + place,
            )
            for place in range(turns)
        ),
    )


class Bench:
    """Works the window as a person would, and writes down how long it took."""

    def __init__(self, window: MainWindow, sheet: Sheet) -> None:
        self._window, self._sheet = window, sheet

    async def first_page(self) -> None:
        """Show the window with the first page of the list."""
        begun = time.perf_counter()
        self._window.show()
        self._window.show_snapshot(Snapshot(store_revision=1))
        model = self._window.history.model
        await self._until(lambda: len(model.conversations) > 0)
        self._window.history.list.viewport().repaint()
        self._sheet.row("the list's first page, asked for and painted", _ms(begun), OPEN_MS)

    async def open_long(self, ask: Callable[[], "Future[Snapshot]"]) -> None:
        """Open the long conversation."""
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            self._window.show_snapshot(await asyncio.wrap_future(ask()))
            self._window.conversation.turns.viewport().repaint()
            took.append(_ms(begun))
            self._window.show_snapshot(Snapshot(store_revision=1))
        self._sheet.row("open a conversation of that many turns", statistics.median(took), OPEN_MS, worst_ms=max(took))
        self._window.show_snapshot(await asyncio.wrap_future(ask()))

    async def scroll_turns(self, turns: int) -> None:
        """Turn the wheel upwards, go by the page at the newest and at the very first turn, and from end to end."""
        view, model = self._window.conversation.turns, self._window.conversation.model
        frames = [await self._frame(lambda: _turn_wheel(view, 3)) for _ in range(FRAMES)]
        self._rows("scroll turns by the wheel", frames)
        _press(view, Qt.Key.Key_End)
        await self._until(lambda: model.turns[-1].position == turns - 1)
        frames = [await self._frame(lambda: _press(view, Qt.Key.Key_PageUp)) for _ in range(PAGES)]
        took = await self._go(
            Qt.Key.Key_Home, lambda: model.turns[0].position == 0 and view.verticalScrollBar().value() == 0
        )
        frames += [await self._frame(lambda: _press(view, Qt.Key.Key_PageDown)) for _ in range(PAGES)]
        self._rows("turns by the page, at both ends", frames)
        back = await self._go(Qt.Key.Key_End, lambda: model.turns[-1].position == turns - 1)
        self._sheet.row("to the first turn and to the newest, painted", max(took, back), OPEN_MS)

    async def _go(self, key: Qt.Key, there: Callable[[], bool]) -> float:
        """Return the milliseconds from a key to the picture of where it leads."""
        view, begun = self._window.conversation.turns, time.perf_counter()
        _press(view, key)
        await self._until(there)
        view.viewport().repaint()
        return _ms(begun)

    async def jump(self, turns: int) -> None:
        """Go to found turns all over the conversation."""
        view, model = self._window.conversation.turns, self._window.conversation.model
        took = []
        for step in range(20):
            position = (step * 7_919 + 13) * 5 % turns
            begun = time.perf_counter()
            self._window.conversation.go_to(LONG, position)
            await self._until(lambda at=position: _is_shown(model, view, at))  # type: ignore[misc]
            view.viewport().repaint()
            took.append(_ms(begun))
        self._sheet.row("jump to a found turn and paint it, p95", p95(took), OPEN_MS, worst_ms=max(took))
        view.follow()

    async def scroll_history(self, count: int) -> None:
        """Scroll the list of conversations to its end, a page of it after the other."""
        view, model = self._window.history.list, self._window.history.model
        frames = []
        until = time.perf_counter() + _PATIENCE_S
        bar = view.verticalScrollBar()
        while len(model.conversations) < count or bar.value() < bar.maximum():
            frames.append(await self._frame(lambda: _turn_wheel(view, -3)))
            if time.perf_counter() > until:
                raise TimeoutError(f"only {len(model.conversations):,} conversations could be walked through")
        self._rows(f"scroll {count:,} conversations by the wheel", frames)

    async def search(self, typed: list[str]) -> None:
        """Type words, and wait for the hits to be painted."""
        history, took, steps = self._window.history, list[float](), list[float]()
        for text in typed:
            history.search.clear()
            await self._until(lambda: not history.loader.busy)
            begun = time.perf_counter()
            for end in range(1, len(text) + 1):
                step = time.perf_counter()
                history.search.setText(text[:end])
                steps.append(_ms(step))
                begun = time.perf_counter()
            await self._until(lambda: not history.loader.busy)
            history.list.viewport().repaint()
            took.append(_ms(begun))
        hits = len(history.model.found)
        self._sheet.note(f"{len(typed)} searches typed key by key; the last one has {hits} hits on its first page")
        self._sheet.row("search, last key to painted hits, p95", p95(took), SEARCH_MS, SEARCH_GOAL_MS, max(took))
        self._sheet.row("a key of the search, p99", _p99(steps), HANG_MS, FRAME_MS, max(steps))

    def _rows(self, name: str, frames: list[float]) -> None:
        self._sheet.row(f"{name}, frame p95", p95(frames), FRAME_MS, rule=Rule.AT_MOST)
        self._sheet.row(f"{name}, frame p99", _p99(frames), HANG_MS, worst_ms=max(frames))

    async def _frame(self, act: Callable[[], None]) -> float:
        """Return the milliseconds that the main thread was busy with an act and what it brought."""
        begun = time.thread_time()
        act()
        await asyncio.sleep(_REST_S)  # it is painted, and the core's thread gets its turn, as between two frames
        return (time.thread_time() - begun) * 1000

    async def _until(self, reached: Callable[[], Any]) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while not reached():  # noqa: ASYNC110 - the window has no asyncio event to wait for
                await asyncio.sleep(0.001)


def _is_shown(model: Any, view: QListView, position: int) -> bool:
    index = view.currentIndex()
    turn = model.row(index).turn if index.isValid() else None
    return turn is not None and turn.position == position


def _turn_wheel(view: QListView, notches: int) -> None:
    at = QPointF(view.viewport().rect().center())
    angle = QPoint(0, notches * _NOTCH)
    none = Qt.KeyboardModifier.NoModifier
    phase = Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(
        at, QPointF(view.mapToGlobal(at.toPoint())), QPoint(), angle, Qt.MouseButton.NoButton, none, phase, False
    )
    QApplication.sendEvent(view.viewport(), event)


def _press(view: QListView, key: Qt.Key) -> None:
    QApplication.sendEvent(view, QKeyEvent(QKeyEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier))


def _ms(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


def _p99(took: list[float]) -> float:
    return statistics.quantiles(took, n=100, method="inclusive")[98]
