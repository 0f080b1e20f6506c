"""Start a window and tell of its first picture: `first_paint.py empty|novadesk`.

Both print the moment, on CLOCK_MONOTONIC, and the seconds of processor time that the process has taken until then, once
the first pass of painting is over, children included; and stay until they are ended.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any


def tell_of_first_paint(window: type[Any]) -> None:
    """Have a class of windows tell when the first of them was painted first."""
    from PySide6.QtCore import QEvent, QTimer

    told = False
    event = window.event

    def watched(self: Any, happened: QEvent) -> bool:
        nonlocal told
        if happened.type() is QEvent.Type.Paint and not told:
            told = True
            QTimer.singleShot(0, lambda: os.write(1, f"{time.monotonic()} {time.process_time()}\n".encode()))
        return bool(event(self, happened))

    window.event = watched


def show_empty() -> int:
    """Show a window with nothing in it."""
    from PySide6.QtWidgets import QApplication, QMainWindow

    class Empty(QMainWindow):
        pass

    application = QApplication(sys.argv[:1])
    tell_of_first_paint(Empty)
    window = Empty()
    window.resize(1120, 740)
    window.show()
    return application.exec()


def show_novadesk() -> int:
    """Do what the command `novadesk` does."""
    from novadesk.app import haste
    from novadesk.app.code_keeper import CodeKeeper
    from novadesk.cli import main

    hurry = haste.hurry

    def watched(folder: Path) -> CodeKeeper:
        keeper = hurry(folder)
        from novadesk.ui.main_window import MainWindow

        tell_of_first_paint(MainWindow)
        return keeper

    haste.hurry = watched
    return main([])


if __name__ == "__main__":
    sys.exit(show_empty() if sys.argv[1] == "empty" else show_novadesk())
