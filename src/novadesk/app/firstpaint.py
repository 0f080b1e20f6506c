"""Wait until a window has been painted: what takes long begins after that."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget

LONGEST_S = 2.0
"""A window behind others, or on another desk, may never be painted."""


async def first_paint(window: QWidget) -> None:
    """Return once a window and all in it were painted, at once for one that is not to be seen."""
    if not window.isVisible() or window.isMinimized():
        return
    painted = asyncio.Event()
    watcher = _Watcher(painted.set)
    window.installEventFilter(watcher)
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_S):
            await painted.wait()
    window.removeEventFilter(watcher)


class _Watcher(QObject):
    def __init__(self, on_painted: Callable[[], None]) -> None:
        super().__init__()
        self._on_painted = on_painted

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Paint:
            QTimer.singleShot(0, self._on_painted)  # after this pass, which paints what is in it
        return False
