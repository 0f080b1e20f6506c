"""Opens the first steps: at the first start by itself, later when the person wants it."""

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMainWindow

from novadesk.config import Settings
from novadesk.conversation.api import Intents, Requests
from novadesk.conversation.firststeps import FirstSteps
from novadesk.ui.bridge import Bridge
from novadesk.ui.theme import Theme
from novadesk.ui.wizard import Wizard
from novadesk.ui.wizard_page import Beginning, Surroundings


class Welcome(QObject):
    """Makes wizards.

    Args:
        window: their parent.
        settings: as loaded at the start.
        first: nothing is connected yet, and waits for the end of the steps.
    """

    def __init__(
        self,
        window: QMainWindow,
        bridge: Bridge,
        requests: Requests,
        steps: FirstSteps,
        intents: Intents,
        theme: Theme,
        settings: Settings,
        *,
        first: bool,
    ) -> None:
        super().__init__(window)
        self.due = first
        self._window = window
        self._beginning = Beginning(bridge, steps, None if first else settings, self)
        self._around = Surroundings(bridge, requests, steps, intents, theme, self._beginning)

    def make(self, settings: Settings, store: Callable[[Settings], None]) -> Wizard:
        """Return a wizard; show it with `open`.

        Args:
            settings: as they are now.
            store: stores changed ones.
        """
        first, self.due = self.due, False
        return Wizard(self._around, settings, store, first=first, parent=self._window)
