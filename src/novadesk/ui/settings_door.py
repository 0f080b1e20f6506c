"""The way into the settings: one window of them at a time; the look follows what they say."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from novadesk.conversation.api import Requests, Talking
from novadesk.settings_file import from_environment
from novadesk.ui.bridge import Bridge
from novadesk.ui.live_settings import LiveSettings
from novadesk.ui.theme import Theme

if TYPE_CHECKING:
    from novadesk.conversation.firststeps import FirstSteps
    from novadesk.ui.settings_window import SettingsWindow


class SettingsDoor(QObject):
    """Opens the settings; `first_steps_wanted` comes when the person wants to walk through those again.

    Args:
        live: the settings as they are used.
        talking: takes the keys that they see during a test.
        owner: the window that they lie over.
        on_diagnostics: called when the person wants to see those.
        steps: knows whether NovaDesk starts with the session; None for nobody.

    Attributes:
        window: the settings while they are open.
    """

    first_steps_wanted = Signal()

    def __init__(
        self,
        live: LiveSettings,
        bridge: Bridge,
        requests: Requests,
        talking: Talking,
        theme: Theme,
        owner: QWidget,
        on_diagnostics: Callable[[], None],
        steps: "FirstSteps | None",
    ) -> None:
        super().__init__(owner)
        self._live, self._bridge, self._requests, self._talking = live, bridge, requests, talking
        self._theme, self._owner, self._on_diagnostics, self._steps = theme, owner, on_diagnostics, steps
        self._look = live.now.window
        self.window: SettingsWindow | None = None
        live.changed.connect(self._on_changed)

    def open(self, section: str = "", name: str = "") -> None:
        """Open the settings, or bring them to the front; at one of them where it is named as the file names it."""
        if self.window is None:
            from novadesk.ui.settings_window import SettingsWindow

            self._live.keep_volume()
            self.window = SettingsWindow(
                self._live,
                self._bridge,
                self._requests,
                self._talking,
                self._theme,
                self._owner,
                steps=self._steps,
                variables=from_environment(),
            )
            self.window.finished.connect(self._on_closed)
            self.window.diagnostics_wanted.connect(self._on_diagnostics)
            self.window.first_steps_wanted.connect(self.first_steps_wanted)
            self.window.show()
        if section:
            self.window.show_row(section, name)
        self.window.raise_()
        self.window.activateWindow()

    def close(self) -> None:
        """Close the settings; what was written in them is taken."""
        if self.window is not None:
            self.window.close()

    def _on_closed(self) -> None:
        self.window = None

    def _on_changed(self) -> None:
        """Look as the settings say."""
        look = self._live.now.window
        if look != self._look:
            self._look = look
            self._theme.use(look)
