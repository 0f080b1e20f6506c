"""Start a window and print the moment of its first picture: `first_paint.py empty|novadesk`, on CLOCK_MONOTONIC.

Both print once the first pass of painting is over, children included, and stay until they are ended.
"""

import os
import sys
import time

from PySide6.QtCore import QEvent, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow


class Watched(QMainWindow):
    """A window that tells when it was painted first."""

    told = False

    def event(self, event: QEvent) -> bool:
        """Take the first paint."""
        if event.type() is QEvent.Type.Paint and not Watched.told:
            Watched.told = True
            QTimer.singleShot(0, lambda: os.write(1, f"{time.monotonic()}\n".encode()))
        return bool(super().event(event))


def show_empty() -> int:
    """Show a window with nothing in it."""
    application = QApplication(sys.argv[:1])
    window = Watched()
    window.resize(1120, 740)
    window.show()
    return application.exec()


def show_novadesk() -> int:
    """Show NovaDesk as its command does."""
    from novadesk.app import window
    from novadesk.ui.main_window import MainWindow

    class Own(Watched, MainWindow):
        pass

    window.MainWindow = Own  # type: ignore[misc]
    return window.run_window(profile="")


if __name__ == "__main__":
    sys.exit(show_empty() if sys.argv[1] == "empty" else show_novadesk())
