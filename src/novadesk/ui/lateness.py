"""Whether turns wait for the remote store longer than a delivery takes: what is under way for a moment is no news."""

from PySide6.QtCore import QObject, QTimer, Signal

LATE_MS = 4000
"""A delivery takes a second or two; turns that wait longer are worth a word."""


class Lateness(QObject):
    """Follows how many turns wait.

    Attributes:
        late: some have waited too long.
        timer: runs while it is not known yet.
    """

    came = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.late = self._stopped = False
        self.timer = QTimer(self)
        self.timer.setSingleShot(True)
        self.timer.setInterval(LATE_MS)
        self.timer.timeout.connect(self._on_late)

    def watch(self, pending: int) -> None:
        """Take how many wait now."""
        if not pending:
            self.timer.stop()
            self.late = False
        elif not self.late and not self.timer.isActive() and not self._stopped:
            self.timer.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped = True
        self.timer.stop()

    def _on_late(self) -> None:
        self.late = True
        self.came.emit()
