"""The windows beside the conversation: diagnostics and inspector, each at most once."""

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QDialog, QWidget

from novadesk.conversation.api import Requests
from novadesk.ui.bridge import Bridge
from novadesk.ui.theme import Theme

if TYPE_CHECKING:
    from novadesk.ui.diagnostics_view import DiagnosticsView
    from novadesk.ui.inspector import Inspector


class SideWindows:
    """Opens them, or brings them to the front.

    Args:
        bridge: asks for what is shown.
        requests: answers it.
        parent: the window that they belong to.
    """

    def __init__(self, bridge: Bridge, requests: Requests, theme: Theme, parent: QWidget) -> None:
        self._bridge, self._requests, self._theme, self._parent = bridge, requests, theme, parent
        self.diagnostics: DiagnosticsView | None = None
        self.inspector: Inspector | None = None

    def show_diagnostics(self) -> None:
        """Open the diagnostics."""
        if self.diagnostics is None:
            from novadesk.ui.diagnostics_view import DiagnosticsView

            self.diagnostics = DiagnosticsView(self._bridge, self._requests, self._theme, self._parent)
            self.diagnostics.finished.connect(self._on_diagnostics_closed)
        _bring_forward(self.diagnostics)

    def show_inspector(self) -> None:
        """Open the inspector of the session."""
        if self.inspector is None:
            from novadesk.ui.inspector import Inspector

            self.inspector = Inspector(self._bridge, self._requests, self._theme, self._parent)
            self.inspector.finished.connect(self._on_inspector_closed)
        _bring_forward(self.inspector)

    def close(self) -> None:
        """Close them all."""
        for window in (self.diagnostics, self.inspector):
            if window is not None:
                window.close()

    def _on_diagnostics_closed(self) -> None:
        self.diagnostics = None

    def _on_inspector_closed(self) -> None:
        self.inspector = None


def _bring_forward(window: QDialog) -> None:
    if window.isVisible():
        window.raise_()
        window.activateWindow()
    else:
        window.show()
