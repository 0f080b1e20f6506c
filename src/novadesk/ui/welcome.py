"""Opens the first steps: at the first start by itself, later when the person wants it."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMainWindow

from novadesk.conversation.api import Intents, Requests
from novadesk.ui.bridge import Bridge
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.theme import Theme

if TYPE_CHECKING:
    from novadesk.conversation.firststeps import FirstSteps
    from novadesk.ui.wizard import Wizard
    from novadesk.ui.wizard_page import Surroundings


class Welcome(QObject):
    """Makes wizards.

    Args:
        window: their parent.
        live: the settings as they are used.
        first: nothing is connected yet, and waits for the end of the steps.
    """

    def __init__(
        self,
        window: QMainWindow,
        bridge: Bridge,
        requests: Requests,
        steps: "FirstSteps",
        intents: Intents,
        theme: Theme,
        live: LiveSettings,
        *,
        first: bool,
    ) -> None:
        super().__init__(window)
        self.due = first
        self._window, self._bridge, self._requests, self._steps = window, bridge, requests, steps
        self._intents, self._theme, self._live = intents, theme, live
        self._around: Surroundings | None = None

    def make(self) -> "Wizard":
        """Return a wizard; show it with `open`."""
        from novadesk.ui.wizard import Wizard  # few open it, so the start does not load it

        first, self.due = self.due, False
        around, live = self._surroundings(first=first), self._live
        return Wizard(around, live.now, live.store, first=first, parent=self._window)

    def _surroundings(self, *, first: bool) -> "Surroundings":
        """Return what all wizards of this window share."""
        from novadesk.ui.wizard_page import Beginning, Surroundings

        if self._around is None:
            beginning = Beginning(self._bridge, self._steps, self._live, self, connected=not first)
            self._around = Surroundings(
                self._bridge, self._requests, self._steps, self._intents, self._theme, beginning
            )
        return self._around
