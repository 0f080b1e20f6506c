"""Wait until a window has been painted: what takes long begins after that."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer
from PySide6.QtWidgets import QWidget

LONGEST_MS = 2000
"""A window behind others, or on another desk, may never be painted."""


def first_paint(window: QWidget) -> None:
    """Return once a window and all in it were painted, at once for one that is not to be seen.

    To be called before any other loop runs: to load one that tasks could wait on takes a good part of a start.
    """
    if not window.isVisible() or window.isMinimized():
        return
    loop = QEventLoop()
    watcher = _Watcher(loop.quit)
    window.installEventFilter(watcher)
    QTimer.singleShot(LONGEST_MS, watcher, loop.quit)
    loop.exec()
    window.removeEventFilter(watcher)


class _Watcher(QObject):
    def __init__(self, on_painted: Callable[[], None]) -> None:
        super().__init__()
        self._on_painted = on_painted

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Paint:
            QTimer.singleShot(0, self._on_painted)  # after this pass, which paints what is in it
        return False
